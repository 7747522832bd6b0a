"""Any Unicode text, labels and metadata survive each way out and back."""

from __future__ import annotations

import io
import json
import pickle
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st

from fuzz import examples
from records_strategies import BY_TASK
from tunesmith.records import DatasetForText2Text, Text2TextRecord
from tunesmith.records.datasets import DATASETS

TASKS = list(DATASETS)
QUICK = examples(25, phases=[Phase.explicit, Phase.generate])  # records shrink slowly


def told(records: Any) -> list[str]:
    """Types and key order of inputs too, which == does not look at."""
    return [
        json.dumps({**record.to_dict(), "event_timestamp": None, "metadata": None, "vectors": None})
        for record in records
    ]


@pytest.mark.parametrize("task", TASKS)
@QUICK
@given(data=st.data())
def test_records_survive_their_dict(task: str, data: Any) -> None:
    record = data.draw(BY_TASK[task])
    values = json.loads(json.dumps(record.to_dict()))
    assert type(record).from_dict(values) == record == type(record).trusted(values)
    assert pickle.loads(pickle.dumps(record)) == record
    assert type(record).from_dict(values).to_dict() == record.to_dict()


@pytest.mark.parametrize("form", ["datasets", "pandas", "polars"])
@pytest.mark.parametrize("task", TASKS)
@QUICK
@given(data=st.data())
def test_records_survive_tables(task: str, form: str, data: Any) -> None:
    dataset = DATASETS[task](data.draw(st.lists(BY_TASK[task], max_size=4)))
    table = getattr(dataset, f"to_{form}")()
    assert len(table) == len(dataset)
    back = getattr(DATASETS[task], f"from_{form}")(table)
    assert back == dataset
    assert told(back) == told(dataset)
    assert back.left_out == {}


@pytest.mark.parametrize("task", TASKS)
@QUICK
@given(data=st.data())
def test_records_survive_a_parquet_file(task: str, data: Any) -> None:
    from datasets import Dataset

    dataset = DATASETS[task](data.draw(st.lists(BY_TASK[task], min_size=1, max_size=4)))
    file = io.BytesIO()
    dataset.to_datasets().to_parquet(file)
    assert DATASETS[task].from_datasets(Dataset(pq.read_table(file))) == dataset


OUT_AND_BACK: dict[str, Any] = {
    "datasets": lambda dataset: dataset.to_datasets(),
    "pandas": lambda dataset: dataset.to_pandas(),
    "polars": lambda dataset: dataset.to_polars(),
    "arrow": lambda dataset: dataset.to_arrow(),
    "pandas of datasets": lambda dataset: dataset.to_datasets().to_pandas(),
    "pandas of polars": lambda dataset: dataset.to_polars().to_pandas(),
    "a row of pandas": lambda dataset: dataset.to_pandas()[:1],
    "a row of pandas of datasets": lambda dataset: dataset.to_datasets().to_pandas()[:1],
}
LIKE_JSON: dict[str, list[dict[str, Any]]] = {
    "text": [{"__json__": "1"}],
    "text that is no JSON": [{"__json__": "a"}],
    "a mapping": [{"__json__": {}}],
    "None": [{"__json__": None}],
    "some rows": [{"__json__": "1"}, {}, {"a": 1}],
    "beside None": [{"__json__": "1"}, {"__json__": None}],
    "beside another key": [{"__json__": "1", "a": 2}, {"b": 1}],
    "twice": [{"__json__": '{"__json__": "1"}'}],
}


FILLED = {"some rows", "beside another key"}  # structs, whose missing keys pandas makes of Arrow with None in them


@pytest.mark.parametrize(
    ("case", "way"),
    [(case, way) for case in LIKE_JSON for way in OUT_AND_BACK if not (case in FILLED and "pandas of" in way)],
)
def test_metadata_that_looks_like_a_cell_of_json_stays_as_it_is(case: str, way: str) -> None:
    dataset = DatasetForText2Text([Text2TextRecord(text="a", metadata=each) for each in LIKE_JSON[case]])
    table = OUT_AND_BACK[way](dataset)
    back = DatasetForText2Text.from_datasets(table)
    assert [each.metadata for each in back] == LIKE_JSON[case][: len(table)]
    assert back == DatasetForText2Text(dataset[: len(table)])


def test_text_that_is_no_json_in_a_frame_of_others_is_left_alone() -> None:
    frame = pd.DataFrame({"text": ["a", "b"], "metadata": [{"__json__": "a"}, {"__json__": "1"}]})
    assert [each.metadata for each in DatasetForText2Text.from_pandas(frame)] == [{"__json__": "a"}, {"__json__": "1"}]
