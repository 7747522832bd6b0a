"""Records of any Unicode text, written and read back in every format: equal, field by field."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz import examples
from records_strategies import BY_TASK
from tunesmith.errors import RowError
from tunesmith.records import Text2TextRecord, TokenClassificationRecord
from tunesmith.records.files import read, write

EXACT = {"csv": "a.csv", "tsv": "a.tsv", "jsonl": "a.jsonl", "json": "a.json", "prodigy": "p.jsonl"}
EXACT |= {"label-studio": "l.json", "parquet": "a.parquet", "hf": "folder"}
few = examples(12)


def same(records, format, name, **options):
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(PermissionError):
        path = Path(folder, name)
        assert write(records, path, format=format) == len(records)
        back = list(read(path, format=format, **options))
        assert [one.to_dict() for one in back] == [one.to_dict() for one in records]
        assert back == records


@pytest.mark.parametrize("format", EXACT)
@pytest.mark.parametrize("task", BY_TASK)
@few
@given(data=st.data())
def test_a_record_comes_back_equal(format, task, data):
    records = data.draw(st.lists(BY_TASK[task], min_size=1, max_size=3))
    same(records, format, EXACT[format], task=task if format in ("prodigy", "label-studio") else None)


@pytest.mark.parametrize("task", ["TextClassification", "TokenClassification"])
@few
@given(data=st.data())
def test_a_record_comes_back_equal_from_a_docbin(task, data):
    pytest.importorskip("spacy", reason="spaCy is not installed")
    records = data.draw(st.lists(BY_TASK[task], min_size=1, max_size=3))
    same(records, "docbin", "a.spacy", task=task)


LIKE_JSON = {"text": [{"__json__": "1"}], "a mapping": [{"__json__": {}}], "some": [{"__json__": "1"}, {}, {"a": 1}]}


@pytest.mark.parametrize("format", EXACT)
@pytest.mark.parametrize("case", LIKE_JSON)
def test_metadata_that_looks_like_a_cell_of_json_stays_as_it_is(format, case):
    records = [Text2TextRecord(text="a", metadata=each) for each in LIKE_JSON[case]]
    same(records, format, EXACT[format], task="Text2Text" if format in ("prodigy", "label-studio") else None)


odd = st.sampled_from(["-DOCSTART-", "#", "id", "# x =", "\ufeff", "\x85", "\u2028", " ", "\t", "a b", "O", "B-X", "="])
tokens = st.lists(odd | st.text(min_size=1, max_size=3), min_size=1, max_size=4)
words = tokens.filter(lambda parts: all(part.strip() for part in parts))


@examples(150)
@example([(["Anna"], "_")])
@given(st.lists(st.tuples(words, st.none() | odd | st.text(min_size=1, max_size=3)), min_size=1, max_size=3))
def test_conll_gives_back_what_it_counts_as_written(given):
    records = []
    for each, label in given:
        record = TokenClassificationRecord(tokens=each, annotation=[])
        with contextlib.suppress(RowError):  # a label of white space
            record.annotation = [] if label is None else [(label, 0, len(each[0]))]
        records.append(record)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.conll")
        count = write(records, path)
        back = list(read(path)) if count else []
    assert len(back) == count
    left = iter(records)  # those that are written are some of those that were given, in order
    assert all(any(one.tokens == each.tokens and one.annotation == each.annotation for each in left) for one in back)
