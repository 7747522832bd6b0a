"""Columns and splits, from the data through training and saving to predictions: found once, said aloud, kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import tiny
import tunesmith
from tunesmith.config import Settings
from tunesmith.errors import DataError, NothingToTrain
from tunesmith.registry import tasks
from tunesmith.tasks.parts import read_data

QUICK: dict[str, Any] = {"max_steps": 1, "seed": 0, "disable_tqdm": True}
PAIRS = [(f"text {i}", f"other {9 - i}", "yn"[i % 2]) for i in range(10)]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.bert(tmp_path_factory.mktemp("bert"))


def table(*names: str) -> list[dict[str, str]]:
    """PAIRS under these names; two names are those of the outer two columns."""
    return [dict(zip(names, row if len(names) == 3 else (row[0], row[2]), strict=True)) for row in PAIRS]


def read(train: Any, **settings: Any) -> tuple[dict[str, Any], list[str]]:
    """The parts of a run, and what was said aloud."""
    notes: list[str] = []
    made = Settings.make(train=train, **settings)
    given = settings.get("validation"), settings.get("test")
    return read_data(tasks.get(made.task), train, *given, made, note=notes.append), notes


def test_columns_and_the_kind_of_labels_are_said_in_every_form() -> None:
    assert read(table("utterance", "label"))[1] == [
        "columns: text=utterance, label=label; single labels, 2 classes (n, y)"
    ]
    told = "columns: text=sentence1, pair=sentence2, label=label; single labels, 2 classes (n, y)"
    assert read(table("sentence1", "sentence2", "label"))[1] == [told]
    numbers = [{"text": "a", "score": 0.5}, {"text": "b", "score": 1.0}]
    assert read(numbers)[1] == ["columns: text=text, label=score; labels are numbers: regression"]
    tagged = [{"tokens": ["Anna", "saw"], "ner": ["B-PER", "O"]}]
    told = "columns: tokens=tokens, tags=ner; a tag for each word, 3 names"
    assert read(tagged, task="token-classification")[1] == [told]
    asked = [{"question": "who?", "context": "Anna wrote", "answers": "Anna"}]
    told = "columns: question=question, context=context, answers=answers; every context has an answer"
    assert read(asked, task="question-answering")[1] == [told]
    assert read(["a line"], task="language-modeling")[1] == ["columns: text=text"]
    translated = [{"en": "a dog", "de": "ein Hund"}]
    assert read(translated, task="sequence-sequence", base="x")[1] == ["columns: source=en, target=de"]


@pytest.mark.parametrize("columns", ["a,b", "a, b", "text=a,label=b", ("a", "b"), {"text": "a", "label": "b"}])
def test_columns_are_said_in_python_as_on_the_command_line(columns: Any) -> None:
    assert read(table("a", "b"), columns=columns)[0]["train"][1].text == PAIRS[1][0]


def test_columns_that_play_no_role_are_named_where_columns_were_found() -> None:
    rows = table("question", "sentence", "label")
    told = "columns: text=sentence, label=label (not used: question); single labels, 2 classes (n, y)"
    assert read(rows)[1] == [told]
    assert "not used" not in read(rows, columns=("sentence", "label"))[1][0]


def test_a_run_keeps_the_columns_that_were_found(bert: str, tmp_path: Path) -> None:
    rows = table("utterance", "label")
    tunesmith.train(rows, base=bert, output_dir=tmp_path, **QUICK)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["columns"] == {"text": "utterance", "label": "label"}
    run = tunesmith.load(tmp_path)
    assert run.columns == {"text": "utterance", "label": "label"}
    texts = [row["utterance"] for row in rows]
    assert [p.score for p in run.predict(rows)] == pytest.approx([p.score for p in run.predict(texts)])
    assert run.evaluate(table("text", "label")) == run.evaluate(rows) == run.evaluate([(a, c) for a, _, c in PAIRS])


def test_a_second_text_is_used_in_every_part_or_in_none(bert: str) -> None:
    pairs = table("sentence1", "sentence2", "label")
    parts, _ = read(pairs, columns=("sentence1", "label"), validation=pairs)
    assert [example.pair for name in parts for example in parts[name]] == [None] * 20
    parts, _ = read(table("sentence", "label"), validation=pairs)
    assert {example.pair for example in parts["validation"]} == {None}
    run = tunesmith.train(pairs, base=bert, columns=("sentence1", "label"), **QUICK)
    alone = [p.score for p in run.predict([row["sentence1"] for row in pairs])]
    assert [p.score for p in run.predict(pairs)] == pytest.approx(alone)
    run = tunesmith.train(pairs, base=bert, **QUICK)
    whole = [p.score for p in run.predict([row[:2] for row in PAIRS])]
    assert [p.score for p in run.predict(pairs)] == pytest.approx(whole)
    with pytest.raises(DataError, match=r"^evaluation: no column for the pair, which training read\. Columns: 'text'"):
        run.evaluate(table("text", "label"))
    with pytest.raises(DataError, match=r"no column 'sentence2' \(the pair of text-classification\)"):
        run.evaluate(table("sentence1", "label"))


def test_columns_of_a_part_that_differ_from_those_of_training_are_said() -> None:
    held = [{**row, "text": f"new {row['text']}"} for row in table("text", "label")]
    parts, notes = read(table("utterance", "label"), validation=held)
    assert notes[1:] == ["columns of validation: text=text, label=label"]
    assert len(parts["validation"]) == 10


@pytest.mark.parametrize("name", ["validation", "valid", "val", "dev", "eval"])
def test_a_split_of_any_usual_name_is_the_validation(name: str) -> None:
    rows = table("text", "label")
    held = [{**row, "text": f"new {row['text']}"} for row in rows]
    parts, notes = read({"train": rows, name: held[:4], "test": held[:6]})
    assert {part: len(examples) for part, examples in parts.items()} == {"train": 10, "validation": 4, "test": 6}
    assert len(notes) == 1


def test_splits_that_are_not_used_are_named() -> None:
    rows = table("text", "label")
    parts, notes = read({"training": rows, "val": rows, "dev": rows}, test="dev")
    assert list(parts) == ["train", "validation", "test"]
    parts, notes = read({"train": rows, "val": rows, "dev": rows}, validation=0.2)
    assert list(parts) == ["train", "validation"]
    assert len(parts["validation"]) == 2
    assert "splits that are not used: val, dev" in notes


def test_a_split_without_labels_is_left_out_unless_it_was_asked_for() -> None:
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["n", "y"])})
    rows = [{"text": text, "label": "ny".index(label)} for text, _, label in PAIRS]
    hidden = [{**row, "label": -1} for row in rows]
    parts = {"train": rows, "validation": rows, "test": hidden}
    source = DatasetDict({name: Dataset.from_list(part, features=features) for name, part in parts.items()})
    made, notes = read(source)
    assert list(made) == ["train", "validation"]
    assert "split 'test' has no labels: it is not used" in notes
    with pytest.raises(NothingToTrain, match=r"'test' has no usable row \(10 left out: no label\)"):
        read(source, test="test")
    texts_alone = {"train": rows, "test": [{"text": "a"}]}
    assert list(read(texts_alone)[0]) == ["train"]
    some = {"train": rows, "test": [*rows[:2], {"text": "a", "label": None}]}
    assert len(read(some)[0]["test"]) == 2
    lines = {"train": [{"text": "a line"}], "test": [{"text": "a line"}]}
    assert list(read(lines, task="language-modeling")[0]) == ["train", "test"]


def test_a_text_alone_is_refused_where_training_read_pairs(bert: str, tmp_path: Path) -> None:
    run = tunesmith.train(PAIRS, base=bert, output_dir=tmp_path, **QUICK)
    form = '{"text": "…", "pair": "…"}'
    for each in (run, tunesmith.load(tmp_path)):
        assert len(each.predict([("text 1", "other 8"), {"text": "text 2", "pair": "other 7"}])) == 2
        for given in ("text 1", {"text": "text 1"}, {"text": "text 1", "pair": None}):
            with pytest.raises(DataError) as caught:
                each.predict([("text 1", "other 8"), given])
            assert str(caught.value) == (
                "row 1, column 'pair': is empty: training read pairs of texts, and this is one text. "
                f"Give both: (text, pair) in Python, '{form}' on the command line"
            )


def test_a_prompt_alone_is_enough_where_a_language_model_read_pairs(tmp_path: Path) -> None:
    rows = [{"text": text, "pair": pair} for text, pair, _ in PAIRS]
    base = tiny.gpt2(tmp_path)
    run = tunesmith.train(rows, task="language-generation", base=base, merge=None, **QUICK)
    assert len(run.predict(["text 1"])) == 1
