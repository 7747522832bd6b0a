"""The tables of a store, as the newest migration leaves them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.sql import column, table

metadata = MetaData()

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
)

datasets = Table(
    "datasets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("settings", Text),  # JSON
    Column("tags", Text, nullable=False),  # JSON object
    Column("metadata", Text, nullable=False),  # JSON object
    Column("vectors", Text, nullable=False),  # JSON object: name -> numbers a vector
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
)

records = Table(
    "records",
    metadata,
    Column("place", BigInteger, primary_key=True, autoincrement=False),  # the order of insertion; an update keeps it
    Column("dataset", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("score", Float),  # the best of the predictions
    Column("event_timestamp", BigInteger),  # microseconds since 1970, UTC
    Column("logged", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("has_vectors", Boolean, nullable=False),
    Column("key", Text, nullable=False),
    Column("facts", JSON().with_variant(JSONB(), "postgresql"), nullable=False),  # field -> values, to filter and sort
    Column("body", Text, nullable=False),  # the record as JSON, without its vectors
    Column("terms", Text, nullable=False),  # the words and marks that full text searches
    Column("search", TSVECTOR),  # PostgreSQL only: `terms` with their positions
)

stored = [column for column in records.c if column.name != "search"]  # what every database has of a record

search = table("records_fts", column("rowid", BigInteger), column("records_fts", Text))  # SQLite only

events = Table(
    "events",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("place", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("author", Text),
    Column("body", Text, nullable=False),  # JSON object: what was set
)

vectors = Table(
    "vectors",
    metadata,
    Column("place", BigInteger, primary_key=True),
    Column("dataset", Integer, nullable=False),
    Column("name", Text, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),  # float32, or float64 where that would lose digits; little-endian
)

places = Table("places", metadata, Column("next", BigInteger, nullable=False))  # SQLite only; one row

migrations = Table(
    "migrations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("applied", BigInteger, nullable=False),
)

Row = dict[str, Any]
