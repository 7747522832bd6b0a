"""Records of any Unicode text, written and read back in every format: equal, field by field."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records_strategies import BY_TASK
from tunesmith.records.files import read, write

EXACT = {"csv": "a.csv", "tsv": "a.tsv", "jsonl": "a.jsonl", "json": "a.json", "prodigy": "p.jsonl"}
EXACT |= {"label-studio": "l.json", "parquet": "a.parquet", "hf": "folder"}
few = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


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
