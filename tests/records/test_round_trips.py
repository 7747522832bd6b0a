"""Any Unicode text, labels and metadata survive each way out and back."""

from __future__ import annotations

import io
import json
import pickle
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from records_strategies import BY_TASK
from tunesmith.records.datasets import DATASETS

TASKS = list(DATASETS)
QUICK = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # records shrink slowly
    suppress_health_check=[HealthCheck.too_slow],
)


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
