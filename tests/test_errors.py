"""Each message says what is wrong, what was expected and what to do; each class keeps its peers' contract."""

from __future__ import annotations

import inspect
import pickle
import runpy
from pathlib import Path

import pytest

from tunesmith import errors
from tunesmith.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    Diverged,
    FrameworkError,
    MissingCredential,
    NoEnvironment,
    NoJvmPackage,
    NothingToTrain,
    NotInstalled,
    OutOfMemory,
    QueryError,
    RequestRefused,
    RowError,
    ServerError,
    StoreError,
    TrainingFailed,
    TunesmithError,
    UnknownField,
    UnknownName,
    UnknownSetting,
    UnsupportedTask,
    WrongRecordType,
    nearest,
)

ROOT = Path(__file__).parents[1]

EVERY = [
    (
        UnknownName("task", "text-clasification", ["text-classification", "token-detection"]),
        "unknown task 'text-clasification'. Did you mean 'text-classification'? "
        "Known: text-classification, token-detection.",
    ),
    (
        UnknownName("task", "zzz", ["text-classification"]),
        "unknown task 'zzz'. Known: text-classification.",
    ),
    (
        ConfigError("merge", "fold", "'concat', 'pack' or None"),
        "setting 'merge' is 'fold': expected 'concat', 'pack' or None.",
    ),
    (
        UnknownSetting("learning_rat", ["learning_rate", "seed"]),
        "unknown setting 'learning_rat'. Did you mean 'learning_rate'?",
    ),
    (UnknownSetting("zzz", ["seed"]), "unknown setting 'zzz'. See `tunesmith train --help`."),
    (
        RowError(3, "label", "the cell is empty", source="a.csv"),
        "a.csv: row 3, column 'label': the cell is empty",
    ),
    (RowError("r-7", "text", "is a list"), "row r-7, column 'text': is a list"),
    (
        QueryError("a AND )", 6, "')' cannot stand here"),
        "query, at 6: ')' cannot stand here\n  a AND )\n        ^",
    ),
    (NothingToTrain("train.csv"), "train.csv has no usable row: it is empty."),
    (
        NothingToTrain("train.csv", {"no label": 2, "empty text": 1}),
        "train.csv has no usable row (2 left out: no label; 1 left out: empty text).",
    ),
    (
        UnknownField("anotation", "Text2TextRecord", ["text", "annotation"]),
        "Text2TextRecord has no field 'anotation'. Did you mean 'annotation'? Fields: text, annotation.",
    ),
    (
        WrongRecordType("DatasetForText2Text", "Text2TextRecord", ["str"]),
        "A DatasetForText2Text must only contain Text2TextRecords, but you provided str.",
    ),
    (
        NotInstalled("peft", "peft", "lora=True"),
        "lora=True needs peft, which is not installed: pip install 'tunesmith[peft]'",
    ),
    (
        NoEnvironment("span-marker"),
        "span-marker runs in an environment of its own, which is not installed: "
        "tunesmith frameworks install span-marker",
    ),
    (
        NoJvmPackage("spark-nlp", "its jar was not named: set jar= to it"),
        "spark-nlp trains in a Java virtual machine, and its jar was not named: set jar= to it.",
    ),
    (
        UnsupportedTask("setfit", "question-answering", "it has no span head", ["transformers"]),
        "setfit cannot train question-answering: it has no span head. Frameworks that can: transformers.",
    ),
    (
        MissingCredential("meta/llama", "HF_TOKEN", "run `hf auth login`"),
        "meta/llama needs a credential: set HF_TOKEN, or run `hf auth login`.",
    ),
    (
        Diverged(12, float("nan"), [4, 9], "the model of step 10 is kept."),
        "the loss is nan at step 12, in the batch of rows 4, 9; the model of step 10 is kept. "
        "Look at those rows, or lower the learning rate.",
    ),
    (TrainingFailed("the optimizer failed"), "the optimizer failed"),
    (OutOfMemory("out of memory"), "out of memory"),
    (ArtifactError("out", "config.json is missing"), "out: config.json is missing"),
    (StoreError("records.db", "is locked"), "records.db: is locked"),
    (
        ServerError("http://a", 503, "overloaded", retryable=True),
        "http://a answered 503: overloaded",
    ),
    (
        QueryError("status:Validated AND (", 21, "a ( without its )"),
        "query, at 21: a ( without its )\n  status:Validated AND (\n                       ^",
    ),
    (
        ServerError("http://a", None, "refused", retryable=True),
        "http://a answered nothing: refused",
    ),
    (
        RequestRefused("http://a", 404, "unknown workspace: 'b'.", retryable=False),
        "http://a answered 404: unknown workspace: 'b'.",
    ),
]


def classes() -> list[type[TunesmithError]]:
    found = inspect.getmembers(errors, inspect.isclass)
    return [cls for _, cls in found if issubclass(cls, TunesmithError)]


@pytest.mark.parametrize(("error", "message"), EVERY, ids=lambda value: type(value).__name__)
def test_message(error: TunesmithError, message: str) -> None:
    assert str(error) == message


def test_every_class_that_is_raised_has_its_message_read_here() -> None:
    bases = {TunesmithError, DataError, FrameworkError}  # raised through their children
    assert {type(error) for error, _ in EVERY} | bases == set(classes())


@pytest.mark.parametrize(
    ("ours", "peer"),
    [
        (UnknownName, ValueError),
        (DataError, ValueError),
        (RowError, ValueError),
        (NothingToTrain, ValueError),
        (UnknownSetting, TypeError),
        (UnknownField, TypeError),
        (UnknownField, ValueError),
        (WrongRecordType, ValueError),
        (RequestRefused, DataError),
        (RequestRefused, ValueError),
        (NotInstalled, ImportError),
        (NoEnvironment, NotInstalled),
        (NoJvmPackage, NotInstalled),
        (ConfigError, ValueError),
        (Diverged, TrainingFailed),
        (OutOfMemory, TrainingFailed),
        (TrainingFailed, FrameworkError),
        (UnsupportedTask, FrameworkError),
        (MissingCredential, FrameworkError),
    ],
)
def test_callers_of_a_peer_catch_ours_as_they_are_used_to(ours: type[Exception], peer: type[Exception]) -> None:
    assert issubclass(ours, peer)
    assert issubclass(ours, TunesmithError)


def test_fields_are_kept_for_programs() -> None:
    error = RowError(3, "label", "the cell is empty", source="a.csv")
    assert (error.row, error.column, error.reason, error.source) == (3, "label", "the cell is empty", "a.csv")
    assert Diverged(1, float("inf"), [5, 6], "").rows == (5, 6)
    assert NothingToTrain("x", {"no label": 2}).left_out == {"no label": 2}


def test_a_row_error_crosses_a_process() -> None:
    """Data workers hand their errors on pickled."""
    back = pickle.loads(pickle.dumps(RowError(3, "label", "the cell is empty", source="a.csv")))
    assert str(back) == "a.csv: row 3, column 'label': the cell is empty"


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(str(ConfigError("base", "x" * 10_000, "a path"))) < 150


def test_many_rows_of_a_diverged_batch_are_cut() -> None:
    assert "rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 …;" in str(Diverged(1, 0.0, range(64), "kept."))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Learning-Rate", "learning_rate"), ("epochs", "num_train_epochs"), ("qqqq", None), ("", None)],
)
def test_nearest(name: str, expected: str | None) -> None:
    assert nearest(name, ["learning_rate", "num_train_epochs", "seed"]) == expected


def test_the_page_of_errors_is_current() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "errors_page.py"))["page"]()
    written = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert written == page, "docs/errors.md is not what errors.py says: run `make docs`"
    for cls in classes():
        assert f"## {cls.__name__}\n" in page


@pytest.mark.parametrize(
    "error",
    [
        errors.UnknownName("task", "nre", ["ner"]),
        errors.ConfigError("seed", -1, "0 or more"),
        errors.UnknownSetting("sed", ["seed"]),
        errors.RowError(3, "text", "is empty", source="a.csv"),
        errors.NotInstalled("peft", "peft", "lora"),
        errors.Diverged(4, float("inf"), [1, 2], "kept."),
        errors.ServerError("http://localhost", 500, "no", retryable=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_crosses_a_process_whole(error: errors.TunesmithError) -> None:

    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert {name: str(value) for name, value in vars(again).items()} == {n: str(v) for n, v in vars(error).items()}
