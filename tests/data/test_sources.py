"""Every form of source gives the same rows."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tunesmith.data.dataset import Dataset
from tunesmith.data.sources import read, read_splits
from tunesmith.errors import DataError, RowError

ROWS: list[dict[str, Any]] = [
    {"text": 'good, "really" good', "label": 1, "score": 0.5},
    {"text": "line\nbreak", "label": 0, "score": None},
    {"text": "NA", "label": 1, "score": 2.0},
]
NAMES = ("text", "label", "score")
TUPLES = [tuple(row.values()) for row in ROWS]
COLUMNS = {name: [row[name] for row in ROWS] for name in NAMES}


class Review(NamedTuple):
    text: str
    label: int
    score: float | None


def rows_of(data: Any) -> list[dict[str, Any]]:
    return [row for _, row in data]


def iterable(rows: list[dict[str, Any]]) -> datasets.IterableDataset:
    return datasets.IterableDataset.from_generator(lambda: iter(rows))


FORMS: dict[str, Any] = {
    "list of dicts": lambda: ROWS,
    "tuple of dicts": lambda: tuple(ROWS),
    "list of tuples": lambda: TUPLES,
    "list of lists": lambda: [list(row) for row in TUPLES],
    "named tuples": lambda: [Review(**row) for row in ROWS],
    "dict of lists": lambda: COLUMNS,
    "dict of arrays": lambda: {
        "text": np.array(COLUMNS["text"]),
        "label": np.array([1, 0, 1]),
        "score": np.array([0.5, np.nan, 2.0]),
    },
    "numpy scalars": lambda: [{**row, "label": np.int64(row["label"]), "text": np.str_(row["text"])} for row in ROWS],
    "generator": lambda: (row for row in ROWS),
    "generator of tuples": lambda: iter(TUPLES),
    "NaN for None": lambda: [{**row, "score": float("nan") if row["score"] is None else row["score"]} for row in ROWS],
    "missing key": lambda: [{key: value for key, value in row.items() if value is not None} for row in ROWS],
    "pandas": lambda: pd.DataFrame(ROWS),
    "pandas with an index": lambda: pd.DataFrame(ROWS, index=[7, 3, 3]),
    "pandas of objects": lambda: pd.DataFrame(ROWS).astype(object),
    "pandas with NA": lambda: pd.DataFrame(ROWS).convert_dtypes(),
    "pandas categories": lambda: pd.DataFrame(ROWS).astype({"text": "category"}),
    "polars": lambda: pl.DataFrame(ROWS),
    "polars lazy": lambda: pl.DataFrame(ROWS).lazy(),
    "polars categories": lambda: pl.DataFrame(ROWS).with_columns(pl.col("text").cast(pl.Categorical)),
    "polars with NaN": lambda: pl.DataFrame(ROWS).with_columns(pl.col("score").fill_null(float("nan"))),
    "arrow": lambda: pa.table(COLUMNS),
    "HF Dataset": lambda: datasets.Dataset.from_list(ROWS),
    "HF Dataset in torch form": lambda: datasets.Dataset.from_list(ROWS).with_format("torch"),
    "HF Dataset in another order": lambda: datasets.Dataset.from_list(ROWS[::-1]).select([2, 1, 0]),
    "HF DatasetDict of one": lambda: datasets.DatasetDict(data=datasets.Dataset.from_list(ROWS)),
    "HF IterableDataset": lambda: iterable(ROWS),
    "our Dataset": lambda: read(ROWS),
}


@pytest.mark.parametrize("form", FORMS)
def test_equal_rows_give_equal_values_in_every_form(form: str) -> None:
    data = read(FORMS[form](), names=NAMES)
    assert isinstance(data, Dataset)
    assert list(data) == list(enumerate(ROWS))
    assert all(type(row["label"]) is int and type(row["text"]) is str for row in rows_of(data))
    assert data.columns == NAMES
    assert len(data) == 3
    assert not data.untyped


def written(folder: Path) -> dict[str, Path]:
    """The rows as files of every typed format."""
    table = datasets.Dataset.from_list(ROWS)
    files = {name: folder / name for name in ("a.json", "b.json", "c.jsonl", "d.ndjson", "e.parquet", "f.jsonl")}
    files["a.json"].write_text(json.dumps(ROWS))
    files["b.json"].write_text(json.dumps(COLUMNS))
    lines = "\n\n".join(map(json.dumps, ROWS))
    for name in ("c.jsonl", "d.ndjson"):
        files[name].write_text(lines)
    table.to_parquet(str(files["e.parquet"]))
    files["f.jsonl"].write_text("\n".join(json.dumps(row) for row in TUPLES))
    for packed in ("g.jsonl.gz", "h.jsonl.bz2", "i.jsonl.xz"):
        files[packed] = folder / packed
        _pack(lines, files[packed])
    table.save_to_disk(str(folder / "saved"))
    return {**files, "saved": folder / "saved"}


def _pack(text: str, path: Path) -> None:
    make = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[path.suffix]
    path.write_bytes(make(text.encode()))


def test_typed_files_give_the_same_rows(tmp_path: Path) -> None:
    for name, path in written(tmp_path).items():
        assert rows_of(read(path, names=NAMES)) == ROWS, name
        assert rows_of(read(str(path), names=NAMES, limit=2)) == ROWS[:2], name


def test_ids_are_places_in_the_source_and_survive_selection() -> None:
    data = read([f"row {place}" for place in range(5)])
    assert data.columns == ("text",)
    chosen = data.select([4, 1]).select([1, 0])
    assert list(chosen) == [(1, {"text": "row 1"}), (4, {"text": "row 4"})]
    assert data.select([4, 1]).rows([0]) == [(4, {"text": "row 4"})]
    assert data.rows([3, 0]) == [(3, {"text": "row 3"}), (0, {"text": "row 0"})]
    assert data.rows([]) == []
    assert chosen.column("text") == ["row 1", "row 4"]
    assert [place for place, _ in data.head(2)] == [0, 1]
    with pytest.raises(DataError, match=r"no column 'txt'. Columns: 'text'"):
        data.column("txt")


@pytest.mark.parametrize("limit", [1, 2, 3, 9])
def test_limit_takes_the_first_rows(limit: int) -> None:
    for make in FORMS.values():
        assert rows_of(read(make(), limit=limit, names=NAMES)) == ROWS[:limit]


def test_limit_must_be_a_number_of_rows() -> None:
    for limit in (0, -1, True):
        with pytest.raises(DataError, match="1 or more"):
            read(ROWS, limit=limit)


def test_a_limit_takes_no_more_from_a_generator_than_it_says() -> None:
    taken = []

    def endless() -> Iterator[dict[str, int]]:
        place = 0
        while True:
            taken.append(place)
            yield {"n": place}
            place += 1

    assert len(read(endless(), limit=5)) == 5
    assert taken == [0, 1, 2, 3, 4]


def test_an_empty_source_has_no_rows() -> None:
    for empty in ([], {}, iter([]), pd.DataFrame({"text": []}), datasets.Dataset.from_dict({"text": []})):
        data = read(empty)
        assert len(data) == 0
        assert list(data) == []


def test_keys_missing_in_some_rows_never_shift_the_others() -> None:
    data = read([{"a": 1}, {"b": 2}, {"b": 3, "a": 4}, {}])
    assert rows_of(data) == [
        {"a": 1, "b": None},
        {"a": None, "b": 2},
        {"a": 4, "b": 3},
        {"a": None, "b": None},
    ]


@pytest.mark.parametrize("missing", [None, float("nan"), np.float64("nan"), pd.NA, pd.NaT, np.datetime64("NaT")])
def test_every_sign_of_a_missing_cell_is_none_beside_text(missing: Any) -> None:
    for source in ([{"text": "a"}, {"text": missing}], {"text": ["a", missing]}, [("a",), (missing,)]):
        assert read(source, names=("text",)).column("text") == ["a", None]


def test_rows_narrower_than_the_names() -> None:
    roles = ("text", "pair", "label")
    assert rows_of(read([("good", 1)], names=roles)) == [{"text": "good", "label": 1}]
    assert rows_of(read([("good",)], names=roles)) == [{"text": "good"}]
    assert rows_of(read([("a", "b", 1)], names=roles)) == [{"text": "a", "pair": "b", "label": 1}]
    assert rows_of(read(["good"], names=("source", "target"))) == [{"text": "good"}]


def test_a_tuple_of_another_width_is_told_by_its_row() -> None:
    with pytest.raises(RowError) as caught:
        read([("a", 1), ("b", 2), ("c",)], names=("text", "label"))
    assert caught.value.row == 2
    assert "the row has 1 items; 2 are expected (text, label)" in str(caught.value)
    with pytest.raises(RowError, match="3 items; 2 are expected"):
        read([("a", 1, 2)], names=("text", "label"))
    with pytest.raises(DataError, match=r"give names=\(…\), one for each of their 2 items"):
        read([("a", 1)])


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(DataError, match=r"unequal lengths \('text' 2, 'label' 1\)"):
        read({"text": ["a", "b"], "label": [1]})
    with pytest.raises(DataError, match="column 'text' is a str"):
        read({"text": "abc", "label": [1]})


@pytest.mark.parametrize(
    "make",
    [
        lambda cells: [{"label": cell} for cell in cells],
        lambda cells: {"label": cells},
        lambda cells: pd.DataFrame({"label": pd.Series(cells, dtype=object)}),
        lambda cells: ({"label": cell} for cell in cells),
    ],
)
def test_a_column_of_several_types_keeps_each_cell_as_it_is(make: Any) -> None:
    cells = [1, None, 3.5, "4", True, [5]]
    found = read(make(cells)).column("label")
    assert found == cells
    assert list(map(type, found)) == list(map(type, cells))


def test_what_cannot_be_stored_is_told_with_row_and_column() -> None:
    for bad in (object(), "\ud800", 2**80):
        for before in ([None], ["a"], ["a", 5]):
            with pytest.raises(RowError, match=f"row {len(before)}, column 'x'"):
                read([{"x": cell} for cell in [*before, bad, "b"]])
    with pytest.raises(RowError, match=r"datetime.date.* is a date, but the rows before hold str"):
        read([{"x": "a"}, {"x": date(2020, 1, 1)}])


def test_rows_of_different_forms_are_refused() -> None:
    with pytest.raises(RowError, match=r"row 1.*it is a text, but the rows before are mappings"):
        read([{"a": 1}, "b"])
    with pytest.raises(RowError, match=r"row 0.*it is of type int"):
        read([5])
    with pytest.raises(DataError, match="have no columns"):
        read([{}, {}])


def test_what_is_no_source_is_refused() -> None:
    for bad in (5, None, b"bytes", object()):
        with pytest.raises(DataError, match=r"cannot be read. Expected: a path"):
            read(bad)


def test_whole_numbers_and_fractions_go_together_as_floats() -> None:
    assert read([{"x": 1}, {"x": 0.5}]).column("x") == [1.0, 0.5]


def test_a_type_that_changes_after_many_rows_is_settled_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunesmith.data.rows.CHUNK", 2)
    rows = [{"x": None, "y": []}, {"x": None, "y": []}, {"x": 1, "y": [1]}, {"x": 2, "y": []}, {"x": 0.5, "z": "a"}]
    data = read(rows)
    assert data.column("x") == [None, None, 1.0, 2.0, 0.5]
    assert data.column("y") == [[], [], [1], [], None]
    assert data.column("z") == [None] * 4 + ["a"]
    for cells in (
        [1, 2, None, "a"],
        ["a", "b", 1.5, 2],
        [[1], [2], ["a"], []],
        [["a"], "b", [1], "c"],
        [True, 1, 2, 3],
    ):
        assert read([{"x": cell} for cell in cells]).column("x") == cells
    with pytest.raises(RowError, match=r"row 3, column 'x': it is date32\[day\], but the rows before hold int64"):
        read([{"x": 1}, {"x": 2}, {"x": None}, {"x": date(2020, 1, 1)}])


def test_nested_cells_come_back_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunesmith.data.rows.CHUNK", 2)
    rows = [
        {"spans": [], "tokens": ("a", "b"), "answers": {"text": ["x"], "answer_start": [1]}},
        {"spans": [], "tokens": np.array(["c"]), "answers": {"text": [], "answer_start": []}},
        {"spans": [(0, 5, "PER")], "tokens": [], "answers": None},
        {"spans": None, "tokens": ["d"], "answers": {"text": ["y"], "answer_start": [2]}},
    ]
    data = read(rows)
    assert data.column("spans") == [[], [], [[0, 5, "PER"]], None]
    assert data.column("tokens") == [["a", "b"], ["c"], [], ["d"]]
    assert data.column("answers") == [row["answers"] for row in rows]
    assert read([{"x": {"b", "a"}}]).column("x") == [["a", "b"]]


def labelled() -> datasets.Dataset:
    features = datasets.Features(
        text=datasets.Value("string"),
        label=datasets.ClassLabel(names=["pos", "neg"]),
        tags=datasets.List(datasets.ClassLabel(names=["O", "B-PER"])),
    )
    rows = {"text": ["a", "b", "c"], "label": [1, 0, -1], "tags": [[0, 1], [], [1]]}
    return datasets.Dataset.from_dict(rows, features=features)


def test_class_labels_come_out_by_name_in_their_declared_order(tmp_path: Path) -> None:
    labelled().to_parquet(str(tmp_path / "labelled.parquet"))
    for source in (labelled(), labelled().to_iterable_dataset(), tmp_path / "labelled.parquet"):
        data = read(source)
        assert data.declared == {"label": ("pos", "neg"), "tags": ("O", "B-PER")}
        assert data.column("label") == ["neg", "pos", None]
        assert data.column("tags") == [["O", "B-PER"], [], ["B-PER"]]


def test_a_class_id_without_a_name_is_told_with_its_row() -> None:
    data = Dataset(datasets.Dataset.from_dict({"label": [0, 7]}), "train", {"label": ("pos", "neg")})
    with pytest.raises(RowError, match="row 1, column 'label': class id 7 is outside 0 … 1, the ids of pos, neg"):
        list(data)


def test_splits_are_named_chosen_and_given() -> None:
    both = datasets.DatasetDict(train=datasets.Dataset.from_list(ROWS), test=datasets.Dataset.from_list(ROWS[:1]))
    with pytest.raises(
        DataError, match=r"train: the source has the splits train, test: pass one of them, as data\['te"
    ):
        read(both)
    with pytest.raises(DataError, match="validation: the source has the splits train, test: pass one"):
        read(both, name="validation")
    assert len(read(both, name="test")) == 1
    assert len(read(both, split="test")) == 1
    with pytest.raises(DataError, match=r"no split 'dev'. Splits: train, test"):
        read(both, split="dev")
    assert {name: len(part) for name, part in read_splits(both).items()} == {"train": 3, "test": 1}
    assert [part.name for part in read_splits(both, limit=2).values()] == ["train", "test"]
    assert list(read_splits(ROWS)) == ["train"]
    assert list(read_splits({"train": pd.DataFrame(ROWS), "dev": pd.DataFrame(ROWS)})) == ["train", "dev"]
    assert list(read_splits({"train": ROWS, "test": ROWS})) == ["train", "test"]
    with pytest.raises(DataError, match="the source has no named splits"):
        read(ROWS, split="test")


def test_paths_globs_and_lists_of_paths_are_read_in_order(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / f"{name}.csv").write_text(f"text,label\n{name},1\n")
    expected = [{"text": name, "label": "1"} for name in "abc"]
    assert rows_of(read(str(tmp_path / "*.csv"))) == expected
    paths = [tmp_path / "c.csv", str(tmp_path / "a.csv")]
    assert rows_of(read(paths)) == [expected[2], expected[0]]
    assert [place for place, _ in read(str(tmp_path / "*.csv"))] == [0, 1, 2]
    with pytest.raises(DataError, match=r"no file matches '.*\*\.tsv'"):
        read(str(tmp_path / "*.tsv"))


def test_a_missing_path_names_the_nearest_file(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text\n")
    with pytest.raises(DataError, match=r"there is no file '.*trian\.csv'\. Did you mean 'train\.csv'\?"):
        read(tmp_path / "trian.csv")
    with pytest.raises(DataError, match="is a folder, and none that save_to_disk wrote"):
        read(tmp_path)
    (tmp_path / "rows.doc").write_text("")
    with pytest.raises(DataError, match=r"the format is not known by this suffix. Known: .*\.csv"):
        read(tmp_path / "rows.doc")


def test_a_hub_id_that_cannot_be_had_says_what_was_tried() -> None:
    for name in ("nobody/nothing", "nothing"):
        with pytest.raises(DataError) as caught:
            read(name)
        assert f"'{name}' is no file here, and the hub gave no data set of this name" in str(caught.value)
        assert caught.value.__cause__ is not None
    with pytest.raises(DataError, match="there is no file 'great phone'"):
        read("great phone")


def test_a_lazy_frame_that_cannot_be_read_is_told() -> None:
    with pytest.raises(DataError, match=r"reviews: the lazy frame cannot be read: .*missing\.csv"):
        read(pl.scan_csv("missing.csv"), name="reviews")


def test_a_long_stream_that_ends_is_whole_where_fewer_rows_are_enough(caplog: pytest.LogCaptureFixture) -> None:
    rows = ({"n": n} for n in range(25_000))
    assert len(read_splits(rows, enough=80, cache=False)["train"]) == 25_000
    assert caplog.text == ""


def test_a_stream_that_is_cut_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("tunesmith.data.sources.AHEAD", 10)
    assert len(read_splits(({"n": n} for n in range(100)), enough=20)["train"]) == 20
    assert "train: the stream was cut after 20 rows, which are enough for max_steps" in caplog.text


def test_a_stream_that_ends_is_a_data_set_like_any_other() -> None:
    assert rows_of(read(iter(ROWS))) == ROWS
    assert isinstance(read(iterable(ROWS)), Dataset)


def test_the_class_names_of_a_stream_are_kept() -> None:
    found = read(labelled().to_iterable_dataset())
    assert [row["label"] for _, row in found] == ["neg", "pos", None]
    assert found.declared["label"] == ("pos", "neg")


def test_a_source_that_fails_while_read_is_told_as_such() -> None:
    def broken() -> Iterator[dict[str, int]]:
        yield {"n": 1}
        raise ConnectionError("the line is dead")

    with pytest.raises(DataError, match="reviews: the rows cannot be read: the line is dead"):
        read(broken(), name="reviews")


def test_decimals_are_floats_in_every_form() -> None:
    numbers = [Decimal("1.0"), Decimal("2.5"), None]
    column = pa.array(numbers)
    nested = pa.array([[Decimal("1.5")], [], None])
    for source in (
        [{"x": number} for number in numbers],
        pa.table({"x": column}),
        datasets.Dataset(pa.table({"x": column})),
        pl.DataFrame({"x": column}),
    ):
        found = read(source).column("x")
        assert found == [1.0, 2.5, None]
        assert type(found[0]) is float
    assert type(read(datasets.Dataset(pa.table({"x": nested}))).column("x")[0][0]) is float


@pytest.mark.parametrize("cache", [True, False])
def test_a_large_source_goes_to_a_file_and_is_mapped(
    cache: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tunesmith.data.tables.SPILL", 1)
    monkeypatch.setattr("tunesmith.data.rows.CHUNK", 2)
    rows = [{"x": 1, "y": []}, {"x": 2, "y": []}, {"x": 0.5, "y": [(1, "a")]}, {"x": None, "z": "b"}, {"x": 4}]
    data = read(iter(rows), cache=cache)
    assert data.table.cache_files
    assert rows_of(data) == [
        {"x": 1.0, "y": [], "z": None},
        {"x": 2.0, "y": [], "z": None},
        {"x": 0.5, "y": [[1, "a"]], "z": None},
        {"x": None, "y": None, "z": "b"},
        {"x": 4.0, "y": None, "z": None},
    ]
    kept = list((tmp_path / "home").rglob("*")) if (tmp_path / "home").exists() else []
    assert [path.suffix for path in kept if path.is_file()] == ([".arrow"] if cache else [])
    assert rows_of(read(iter(rows), cache=cache)) == rows_of(data)
    assert len(list((tmp_path / "home").rglob("*.arrow"))) == (1 if cache else 0)


def test_a_bad_row_of_a_large_source_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path))
    monkeypatch.setattr("tunesmith.data.tables.SPILL", 1)
    monkeypatch.setattr("tunesmith.data.rows.CHUNK", 2)
    with pytest.raises(RowError, match="row 4, column 'x'"):
        read({"x": cell} for cell in (1, 2, 3, 4, object()))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
