"""Files a window of rows at a time: the rows, ids and faults that `read` has of the whole."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tunesmith.data import windows as module
from tunesmith.data.sources import read
from tunesmith.data.windows import windows
from tunesmith.errors import DataError

ROWS = [{"text": f"text {place}", "label": "ab"[place % 2]} for place in range(10)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 4)


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A file of these rows, in the format of its suffix."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        path.write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows))
    elif path.suffix == ".txt":
        path.write_text("\n".join(row["text"] for row in rows))
    else:
        text = "".join(json.dumps(row) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def rows_of(found: Any) -> list[Any]:
    return [row for part in found for row in part]


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet", "rows.txt", "rows.jsonl.gz"])
def test_windows_hold_the_rows_that_are_read_as_a_whole(tmp_path: Path, name: str) -> None:
    path = table(tmp_path / name, ROWS)
    found = list(windows([path], name="rows"))
    assert [len(part) for part in found] == [4, 4, 2]
    assert rows_of(found) == list(read(path))


def test_several_files_are_one_data_set_and_a_limit_counts_over_them(tmp_path: Path) -> None:
    paths = [table(tmp_path / "one.csv", ROWS[:5]), table(tmp_path / "two.jsonl", ROWS[5:])]
    found = rows_of(windows(paths, name="rows", limit=8))
    assert found == list(enumerate(ROWS[:8]))


def test_a_column_that_a_later_window_lacks_is_none_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunesmith.data.rows.CHUNK", 4)
    path = table(tmp_path / "rows.jsonl", [*ROWS[:4], *({"text": "alone"} for _ in range(2))])
    assert [row["label"] for _, row in rows_of(windows([path], name="rows"))] == ["a", "b", "a", "b", None, None]


def test_a_file_without_rows_has_no_window(tmp_path: Path) -> None:
    assert list(windows([table(tmp_path / "rows.csv", [])], name="rows")) == []


def test_long_cells_make_windows_of_fewer_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES", 2_000)
    path = table(tmp_path / "rows.csv", [{"text": "x" * 900, "label": "a"} for _ in range(6)])
    assert [len(part) for part in windows([path], name="rows")] == [2, 2, 2]


def test_what_is_wrong_with_a_file_is_told_after_the_windows_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunesmith.data.formats.CHUNK", 4)
    path = table(tmp_path / "rows.csv", ROWS)
    path.write_text(path.read_text() + "one,cell,more\n")
    found = windows([path], name="rows")
    assert [len(next(found)) for _ in range(2)] == [4, 4]
    with pytest.raises(DataError, match=r"rows\.csv, line 12: 3 cells where 2 are expected"):
        next(found)
