"""Random queries over random records: the store and a naive reading of the query agree."""

from __future__ import annotations

import pytest
from hypothesis import given

import query_model
from fuzz import examples
from tunesmith.records.store.store import Store

RECORDS = [query_model.record(seed) for seed in range(40)]


@pytest.fixture
def filled(store: Store) -> Store:
    store.log(RECORDS, "d", "w", batch=7)
    store.log([query_model.record(seed) for seed in range(10)], "other", "w")  # what no query of "d" may find
    return store


@examples(250)
@given(query=query_model.queries())
def test_a_query_finds_what_it_says_and_nothing_else(filled: Store, query: query_model.Query) -> None:
    text = query_model.text_of(query)
    wanted = [record.id for record in RECORDS if query_model.meets(record, query)]
    assert [record.id for record in filled.load("d", "w", query=text)] == wanted, text
    assert filled.count("d", "w", query=text) == len(wanted), text
