"""The record store: one database of named data sets, in SQLite or PostgreSQL."""
