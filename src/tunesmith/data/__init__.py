"""From anything to rows: sources, columns, labels, splits, and the cache of Arrow files."""
