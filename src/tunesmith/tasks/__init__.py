"""Tasks: what an example is, which labels there are, how predictions are scored. Found by name in the registry."""
