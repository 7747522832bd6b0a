"""`tunesmith predict RUN FILE` on files of more than one window."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import tiny
from tunesmith import api, cli
from tunesmith.data import windows
from tunesmith.training import predictor

TEXTS = [("a man " * (place % 7 + 1)).strip() for place in range(11)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("run")
    return tiny.bert(folder, model="BertForSequenceClassification", num_labels=2)


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """rows.csv, in windows of four rows."""
    monkeypatch.setattr(windows, "ROWS", 4)
    monkeypatch.setattr("tunesmith.cli.quiet.hush", lambda: None)
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text",), *((text,) for text in TEXTS)])
    return tmp_path / "rows.csv"


def told(capsys: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_windows_are_predicted_in_the_order_of_the_file_as_all_rows_at_once(run: str, rows: Path, capsys: Any) -> None:
    assert cli.main(["predict", run, str(rows)]) == 0
    found = told(capsys)
    assert [row["id"] for row in found] == list(range(len(TEXTS)))
    whole = api.load(run).predict(TEXTS)
    for row, prediction in zip(found, whole, strict=True):
        assert row["scores"] == pytest.approx(dict(prediction.scores or {}), abs=1e-5)


def test_a_window_is_written_before_the_next_is_read(run: str, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, seen, pipe = predictor.run, [], io.BytesIO()

    def watched(model: Any, features: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append((len(pipe.getvalue().splitlines()), len(features)))
        return plain(model, features, *args, **kwargs)

    monkeypatch.setattr(predictor, "run", watched)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipe))  # with a buffer, as a pipe has
    assert cli.main(["predict", run, str(rows)]) == 0
    assert seen == [(0, 4), (4, 4), (8, 3)], "lines that have left, rows of this window"
    assert len(pipe.getvalue().splitlines()) == len(TEXTS)


def test_a_bad_cell_is_told_with_row_and_column_and_the_rows_before_it_are_written(
    run: str, rows: Path, capsys: Any
) -> None:
    path = rows.with_suffix(".jsonl")
    path.write_text("".join(json.dumps({"text": 5 if place == 6 else text}) + "\n" for place, text in enumerate(TEXTS)))
    assert cli.main(["predict", run, str(path)]) == 1
    shown = capsys.readouterr()
    assert [json.loads(line)["id"] for line in shown.out.splitlines()] == list(range(6))
    expected = f"tunesmith: error: {path}: row 6, column 'text': is not text: found int 5, expected a string\n"
    assert shown.err == expected


def test_an_output_file_is_not_there_where_a_row_is_bad(run: str, rows: Path, capsys: Any) -> None:
    path, output = rows.with_suffix(".jsonl"), rows.with_name("predictions.csv")
    path.write_text(
        "".join(json.dumps({"text": text if place < 9 else None}) + "\n" for place, text in enumerate(TEXTS))
    )
    assert cli.main(["predict", run, str(path), "--output", str(output)]) == 1
    assert sorted(each.name for each in rows.parent.iterdir()) == ["rows.csv", "rows.jsonl"]
    assert cli.main(["predict", run, str(rows), "--output", str(output)]) == 0
    with output.open(newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == TEXTS


def test_bf16_is_taken_on_request_alone(run: str, rows: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    plain, seen = predictor.run, []

    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.append(torch.is_autocast_enabled("cpu"))
        return plain(*args, **kwargs)

    monkeypatch.setattr(predictor, "run", watched)
    assert cli.main(["predict", run, str(rows), "--limit", "3"]) == 0
    exact = told(capsys)
    assert cli.main(["predict", run, str(rows), "--limit", "3", "--precision", "bf16"]) == 0
    near = told(capsys)
    assert seen == [False, True]
    assert exact != near
    assert [row["score"] for row in exact] == pytest.approx([row["score"] for row in near], abs=0.02)
    assert cli.main(["predict", run, "a text", "--precision", "fp16"]) == 2
    assert capsys.readouterr().err == "tunesmith: error: --precision is 'fp16': expected fp32 or bf16.\n"
