"""Measurements against peers. Run from the project's root: `python -m bench.quality --help`."""
