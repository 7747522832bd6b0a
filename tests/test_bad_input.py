"""What cannot be used is one clear error, with row and column where there is one, and leaves nothing half-written."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tiny
import tunesmith
from tunesmith.data.sources import read
from tunesmith.errors import ArtifactError, ConfigError, DataError, NothingToTrain, RowError, TunesmithError
from tunesmith.registry import tasks
from tunesmith.tasks.base import Reading

ROWS = [{"text": text, "label": label} for text, label in [("a good book", "y"), ("the film was bad", "n")] * 4]
ASKED = {"question": "who?", "context": "Anna wrote the letter", "answers": "Anna"}
QUICK: dict[str, Any] = {"num_train_epochs": 1, "seed": 0, "disable_tqdm": True}
LINES = "".join(json.dumps(row) + "\n" for row in ROWS * 200).encode()


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.bert(tmp_path_factory.mktemp("bert"), max_positions=16)


def file(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


# name: how the data is made, the error's class, what it says, arguments of train
CASES: dict[str, tuple[Callable[[Path], Any], type[TunesmithError], str, dict[str, Any]]] = {
    "no row": (lambda _: [], NothingToTrain, r"data set 'train' has no usable row: it is empty", {}),
    "an empty file": (lambda f: file(f / "a.csv", b""), DataError, r"a\.csv is empty: a header line .* expected", {}),
    "a header alone": (
        lambda f: file(f / "a.csv", b"text,label\n"),
        NothingToTrain,
        r"data set 'train' has no usable row: it is empty",
        {},
    ),
    "no validation row": (
        lambda _: ROWS,
        NothingToTrain,
        r"data set 'validation' has no usable row",
        {"validation": []},
    ),
    "a missing column": (
        lambda _: ROWS,
        DataError,
        r"no column 'txt' .*Did you mean 'text'\? Columns: 'text', 'label'",
        {"columns": ("txt", "label")},
    ),
    "no column that fits": (
        lambda _: [{"a": "x", "b": "y", "c": "z"}],
        DataError,
        r"finds no column for text and label .*Columns: 'a', 'b', 'c'\. Say it with columns=",
        {},
    ),
    "a null text": (
        lambda _: [*ROWS, {"text": None, "label": "y"}],
        RowError,
        r"^train: row 8, column 'text': is empty: expected text$",
        {},
    ),
    "a null text in a file": (
        lambda f: file(f / "a.csv", b"text,label\ngood,y\n,n\n"),
        RowError,
        r"^train: row 1, column 'text': is empty: expected text$",
        {},
    ),
    "another type than before": (
        lambda _: [*ROWS, {"text": 5, "label": "y"}],
        RowError,
        r"^train: row 8, column 'text': is not text: found int 5, expected a string$",
        {},
    ),
    "a label of another type than most": (
        lambda _: [*ROWS, {"text": "fine", "label": 1}],
        RowError,
        r"^train: row 8, column 'label': label '1' is not one of the 2 known: n, y$",
        {},
    ),
    "a score that is no number": (
        lambda _: [{**row, "label": score} for row, score in zip(ROWS, [0.5, 1, "abc", 2], strict=False)],
        RowError,
        r"^train: row 2, column 'label': it is no finite number: 'abc'$",
        {"label_kind": "regression"},
    ),
    "a number where text is expected": (
        lambda _: [{"text": 5, "label": "y"}, {"text": 6, "label": "n"}],
        RowError,
        r"^train: row 0, column 'text': is not text: found int 5, expected a string$",
        {},
    ),
    "what is no UTF-8": (
        lambda f: file(f / "a.csv", b"text,label\ngood,y\nb\xe9d,n\n"),
        DataError,
        r"a\.csv, line 3: not UTF-8 .* Save the file as UTF-8",
        {},
    ),
    "a truncated gz": (
        lambda f: file(f / "a.jsonl.gz", gzip.compress(LINES)[:-200]),
        DataError,
        r"a\.jsonl\.gz cannot be read after line \d+: Compressed file ended",
        {},
    ),
    "a damaged parquet file": (
        lambda f: file(f / "a.parquet", b"PAR1 is not enough"),
        DataError,
        r"a\.parquet cannot be read as parquet",
        {},
    ),
    "what is no JSON": (
        lambda f: file(f / "a.jsonl", b'{"text": "a", "label": "y"}\n{"text": "b" "label"\n'),
        DataError,
        r"a\.jsonl, line 2: not JSON \(.*column 14\)",
        {},
    ),
    "a row of another width": (
        lambda f: file(f / "a.csv", b"text,label\na,b,c\n"),
        DataError,
        r"a\.csv, line 2: 3 cells where 2 are expected \(text, label\)",
        {},
    ),
    "an unknown format": (lambda f: file(f / "a.docx", b"x"), DataError, r"the format is not known .*\.csv", {}),
    "a missing file": (
        lambda f: file(f / "rows.csv", b"x").replace("rows.csv", "row.csv"),
        DataError,
        r"there is no file .*row\.csv'\. Did you mean 'rows\.csv'\?",
        {},
    ),
    "a folder": (lambda f: f, DataError, r"is a folder.*: give a glob such as '.*/\*\.csv'", {}),
    "what is no data": (lambda _: None, DataError, r"a NoneType cannot be read. Expected: a path, a glob", {}),
    "a validation label that is not in training": (
        lambda _: ROWS,
        RowError,
        r"^validation: row 1, column 'label': label 'yes' is not one of the 2 known: n, y; did you mean 'y'\?$",
        {"validation": [ROWS[0], {"text": "fine", "label": "yes"}]},
    ),
    "an answer not in its context": (
        lambda _: [ASKED, {**ASKED, "answers": "Maria"}],
        RowError,
        r"^train: row 1, column 'answers': answer is not in the context: 'Maria'$",
        {"task": "question-answering"},
    ),
    "an answer at another place": (
        lambda _: [{**ASKED, "answers": {"text": ["Anna"], "answer_start": [3]}}],
        RowError,
        r"row 0, column 'answers': answer_start does not point at the answer: 'Anna' at 3, found 'a wr'",
        {"task": "question-answering"},
    ),
    "tags that are not one a word": (
        lambda _: [{"tokens": ["Anna", "went"], "tags": ["B-PER"]}],
        RowError,
        r"row 0, column 'tags': words and tags differ in number: 2 words, 1 tags",
        {"task": "token-classification"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_one_clear_error_and_nothing_is_written(case: str, bert: str, tmp_path: Path) -> None:
    make, kind, told, settings = CASES[case]
    out = tmp_path / "out"
    with pytest.raises(kind, match=told):
        tunesmith.train(make(tmp_path), base=bert, output_dir=out, **{**QUICK, **settings})
    assert not out.exists()


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("no/such-model", "no base of that name"),
        ("minilmm", "no base of that name.* Did you mean 'minilm'?"),
        ("/no/such/folder", "no base there: the folder does not exist"),
    ],
)
def test_an_unknown_base_is_told_and_leaves_no_model(base: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=f"{base}: {told}"):
        tunesmith.train(ROWS, base=base, output_dir=tmp_path / "out", **QUICK)
    assert files_in(tmp_path / "out") <= {"config.yaml", "events.jsonl"}


def test_a_folder_that_cannot_be_made_is_told(bert: str, tmp_path: Path) -> None:
    taken = file(tmp_path / "taken", b"a file")
    for out in (taken, f"{taken}/out"):
        with pytest.raises(ArtifactError, match=rf"{out}: cannot be written: (File exists|Not a directory)"):
            tunesmith.train(ROWS, base=bert, output_dir=out, **QUICK)
    assert Path(taken).read_bytes() == b"a file"


def test_rows_that_may_be_dropped_are_counted_with_their_reason(bert: str, tmp_path: Path) -> None:
    told: list[str] = []
    bad = [{"text": None, "label": "y"}, {"text": "no idea", "label": None}, {"text": None, "label": "n"}]
    tunesmith.train(
        [*ROWS, *bad],
        base=bert,
        bad_rows="drop",
        output_dir=tmp_path,
        listener=lambda kind, values: told.append(values["text"]) if kind == "note" else None,
        **QUICK,
    )
    audit = json.loads((tmp_path / "audit.json").read_text())["train"]
    assert audit["left_out"] == {"column 'text' is empty": [8, 10], "no label": [9]}
    assert (audit["rows"], audit["kept"], audit["kept_rows"]) == (11, 8, list(range(8)))
    assert "train: 8 rows; 2 left out: column 'text' is empty; 1 left out: no label" in told


@pytest.mark.parametrize("form", ["rows", "columns", "frame"])
@pytest.mark.parametrize(
    ("cells", "settings", "left_out"),
    [
        ({"text": ["a", 5, "c"], "label": [0, 1, 1]}, {}, {"column 'text' is not text": [1]}),
        ({"text": ["a", "b", "c"], "label": [0, "x", 1]}, {}, {"column 'label' label 'x' is not one of": [1]}),
        (
            {"text": ["a", "b", "c"], "label": [0.5, "abc", float("inf")]},
            {"label_kind": "regression"},
            {"column 'label' it is no finite number": [1, 2]},
        ),
        (
            {"text": ["a", "b", "c"], "label": [[1, 0], [0.5, 1], [0, 1]]},
            {},
            {"column 'label' it holds [0.5, 1": [1]},
        ),
    ],
)
def test_cells_of_another_type_may_be_dropped_and_are_counted(
    form: str, cells: dict[str, list[Any]], settings: dict[str, Any], left_out: dict[str, list[int]]
) -> None:
    import pandas

    rows = [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]
    source = {"rows": rows, "columns": cells, "frame": pandas.DataFrame(cells, dtype=object)}[form]
    found = tasks.get("text-classification").examples(read(source), Reading(bad_rows="drop", **settings))
    told = found.account.left_out
    assert list(told.values()) == list(left_out.values())
    assert all(reason.startswith(start) for reason, start in zip(told, left_out, strict=True))
    assert len(found) == 3 - sum(map(len, left_out.values()))


def test_when_every_row_is_dropped_the_reasons_are_told(bert: str) -> None:
    rows = [{"text": None, "label": label} for label in "ynn"]
    with pytest.raises(NothingToTrain, match=r"has no usable row \(3 left out: column 'text' is empty\)"):
        tunesmith.train(rows, base=bert, bad_rows="drop", **QUICK)


def test_a_text_longer_than_the_model_is_cut_and_counted(bert: str, tmp_path: Path) -> None:
    long = {"text": "the film was bad " * 10, "label": "n"}  # 40 words where 16 positions hold 14 and two marks
    run = tunesmith.train([*ROWS, long], base=bert, output_dir=tmp_path, **QUICK)
    audit = json.loads((tmp_path / "audit.json").read_text())["train"]
    assert audit["truncated"] == {"8": 40 - 14}
    assert audit["left_out"] == {}
    assert len(run.predict([long["text"]])) == 1


def test_a_run_that_fails_leaves_the_earlier_model_of_its_folder_as_it_was(bert: str, tmp_path: Path) -> None:
    tunesmith.train(ROWS, base=bert, output_dir=tmp_path, **QUICK)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.name != "events.jsonl"}
    with pytest.raises(ArtifactError, match="no base of that name"):
        tunesmith.train(ROWS, base="no/such-model", output_dir=tmp_path, columns=("text", "label"), **QUICK)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.name != "events.jsonl"} == before


def test_evaluating_on_no_rows_is_told(bert: str) -> None:
    run = tunesmith.train(ROWS, base=bert, **QUICK)
    with pytest.raises(NothingToTrain, match="data set 'evaluation' has no usable row"):
        run.evaluate([])
    with pytest.raises(ConfigError, match="a list of inputs"):
        run.predict("one text")


FULL_DISK = """
import json, os, resource, sys
import tunesmith
from tunesmith.errors import ArtifactError

base, rows, quick, runs, saved = json.load(sys.stdin)
told = {}
for name, (limit, settings) in runs.items():
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))  # a file beyond it fails as one on a full disk does
    try:
        tunesmith.train(rows, base=base, cache=False, **quick, **settings)
    except ArtifactError as error:
        told[name] = str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
run = tunesmith.train(rows, base=base, cache=False, **quick)
resource.setrlimit(resource.RLIMIT_FSIZE, (next(iter(runs.values()))[0], hard))
try:
    run.save(saved)
except ArtifactError as error:
    told["saved"] = str(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
json.dump(told, sys.stdout)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_full_disk_is_told_and_leaves_no_half_written_model(bert: str, tmp_path: Path) -> None:
    weights = Path(bert, "model.safetensors").stat().st_size
    runs = {
        "model": (weights // 2, {"output_dir": str(tmp_path / "model")}),
        # room for the weights of a checkpoint, not for the optimizer's two moments of each
        "optimizer": (int(weights * 1.5), {"output_dir": str(tmp_path / "optimizer"), "save_strategy": "epoch"}),
        "nowhere": (weights // 2, {"validation": ROWS}),  # tuned: the best epoch is kept in a temporary folder
    }
    told = python(FULL_DISK, [bert, ROWS, QUICK, runs, str(tmp_path / "saved")])
    assert "nowhere" in told
    for name in ("model", "optimizer"):
        assert f"{tmp_path / name}: the disk did not take a file" in told[name]
        assert "Make room" in told[name]
        assert files_in(tmp_path / name) == {"config.yaml", "events.jsonl"}
    assert f"{tmp_path / 'saved'}: the disk did not take a file" in told["saved"]
    assert files_in(tmp_path / "saved") == set()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_training_at_once_with_whole_checkpoints_alone(bert: str, tmp_path: Path) -> None:
    data, out = file(tmp_path / "rows.jsonl", LINES), tmp_path / "out"
    words = ["train", data, "--base", bert, "--output-dir", str(out), "--num-train-epochs", "50", "--save-steps", "5"]
    words += ["--save-strategy", "steps", "--save-total-limit", "2", "--logging-steps", "5"]
    running = subprocess.Popen(
        [sys.executable, "-m", "tunesmith", *words], stderr=subprocess.PIPE, text=True, env=environment()
    )
    try:
        wait_for(lambda: len(list(out.glob("checkpoint-*/manifest.json"))) >= 1, running)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130
    assert "tunesmith: interrupted" in err
    assert "Traceback" not in err
    assert not list(out.glob("*.tmp*"))
    assert not (out / "model.safetensors").exists()
    checkpoints = list(out.glob("checkpoint-*"))
    assert checkpoints
    from tunesmith.training.checkpoints import verify

    assert [verify(folder) for folder in checkpoints] == [[]] * len(checkpoints)
    with pytest.raises(ArtifactError):
        tunesmith.load(out)
    assert tunesmith.load(checkpoints[0], task="text-classification").predict(["a good book"])[0].label in ("y", "n")


def python(program: str, given: Any) -> Any:
    """What a program prints as JSON, in a process of its own, given JSON on standard input."""
    made = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(given), capture_output=True, text=True, env=environment()
    )
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)


def environment() -> dict[str, str]:
    source = str(Path(tunesmith.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}


def wait_for(holds: Callable[[], bool], running: subprocess.Popen[str], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert running.poll() is None, running.communicate()[1]
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.05)
