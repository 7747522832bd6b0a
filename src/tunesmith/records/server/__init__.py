"""A store over HTTP: the routes of Argilla 1.x for clients that are out there, and its own for `records.client`."""
