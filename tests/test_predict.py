"""`Run.predict`: any number of inputs in one pass, in batches of like length, in the arithmetic asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
import tunesmith
from tunesmith import api
from tunesmith.errors import ConfigError, RowError
from tunesmith.frameworks import transformers
from tunesmith.registry import tasks
from tunesmith.run import Run
from tunesmith.training import predictor

TEXTS = [("a man " * (place * 7 % 23 + 1)).strip() for place in range(2_500)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return api.load(tiny.bert(tmp_path_factory.mktemp("run"), model="BertForSequenceClassification", num_labels=2))


def test_any_number_of_inputs_goes_through_the_model_once_with_little_padding(run: Run) -> None:
    seen: list[torch.Tensor] = []

    def watch(module: Any, args: Any, kwargs: Any) -> None:
        seen.append(kwargs["attention_mask"])

    handle = run.model.register_forward_pre_hook(watch, with_kwargs=True)
    try:
        found = run.predict(TEXTS)
    finally:
        handle.remove()
    assert [each.id for each in found] == list(range(len(TEXTS)))
    assert sum(map(len, seen)) == len(TEXTS)
    real, padded = sum(int(mask.sum()) for mask in seen), sum(mask.numel() for mask in seen)
    assert 1 - real / padded < 0.03


def test_a_window_of_texts_is_tokenized_at_a_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    whole = predictor.run

    def watched(model: Any, features: Any, *args: Any, **kwargs: Any) -> Any:
        sizes.append(len(features))
        return whole(model, features, *args, **kwargs)

    monkeypatch.setattr(predictor, "run", watched)
    found = run.predict(TEXTS[:2_100])
    assert sizes == [1_000, 1_000, 100]
    assert [each.id for each in found] == list(range(2_100))


LONG = "two dogs run on the beach . " * 12
WINDOWED: dict[str, tuple[str, list[Any]]] = {
    "question-answering": (
        "BertForQuestionAnswering",
        [{"question": "a man ?", "context": text} for text in ("a good book", LONG, "the film was bad", LONG, "a man")],
    ),
    "token-classification": (
        "BertForTokenClassification",
        [{"tokens": text.split()} for text in ("a good book", "a man", "the film was bad", "two dogs", "a")],
    ),
}


@pytest.mark.parametrize("task", WINDOWED)
def test_a_window_ends_between_any_two_inputs(task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, inputs = WINDOWED[task]
    run = api.load(tiny.bert(tmp_path, model=model))
    whole = [each.to_dict() for each in run.predict(inputs)]
    assert [each["id"] for each in whole] == list(range(5))
    assert len({str({**each, "id": 0}) for each in whole}) > 2
    monkeypatch.setattr(transformers, "WINDOW", 2)
    for mine, theirs in zip(run.predict(inputs), whole, strict=True):
        assert near(mine.to_dict(), theirs)


def test_texts_that_are_joined_are_one_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, texts = tasks.get("language-generation"), TEXTS[:40]
    run = tunesmith.train(texts, task=task.name, from_scratch="gpt2-tiny", merge="concat", maxlength=16, max_steps=1)
    whole = run.evaluate(texts)
    monkeypatch.setattr(transformers, "WINDOW", 7)
    assert run.evaluate(texts) == whole


def near(mine: Any, theirs: Any) -> bool:
    """Equal but for the rounding of numbers."""
    if isinstance(mine, dict):
        return mine.keys() == theirs.keys() and all(near(mine[key], theirs[key]) for key in mine)
    if isinstance(mine, (list, tuple)):
        return len(mine) == len(theirs) and all(map(near, mine, theirs))
    return bool(mine == (pytest.approx(theirs, abs=1e-5) if isinstance(theirs, float) else theirs))


def test_predictions_are_fp32_unless_bf16_is_asked_for(run: Run) -> None:
    exact = [each.score for each in run.predict(TEXTS[:5])]
    assert exact == [each.score for each in run.predict(TEXTS[:5], precision="fp32")]
    near = [each.score for each in run.predict(TEXTS[:5], precision="bf16")]
    assert near != exact
    assert near == pytest.approx(exact, abs=0.02)


def test_another_precision_is_refused(run: Run) -> None:
    with pytest.raises(ConfigError, match="'precision' is 'fp16': expected one of fp32, bf16, to predict in"):
        run.predict(["a man"], precision="fp16")


@pytest.mark.parametrize("size", [0, -1, True, 1.5, "8"])
def test_a_batch_has_one_input_or_more(run: Run, size: Any) -> None:
    with pytest.raises(ConfigError, match=r"'batch_size' is .*: expected a whole number from 1"):
        run.predict(["a man"], batch_size=size)


@pytest.mark.parametrize("given", ["abc \ud800", ("a man", "abc \ud800"), {"text": "abc \ud800"}])
def test_half_a_character_is_told_with_its_place(run: Run, given: Any) -> None:
    with pytest.raises(RowError, match=r"row 1, column '(text|pair)': has half a character, '\\ud800', at 4"):
        run.predict(["a man", given])


@pytest.mark.parametrize("given", ["abc \ud800", ["abc", "\ud800"], {"tokens": ["abc", "\ud800"]}])
def test_half_a_character_of_words_to_tag_is_told_too(given: Any) -> None:
    with pytest.raises(RowError, match=r"row 0, column 'tokens': has half a character, '\\ud800', at 4"):
        tasks.get("ner").inputs([given])


def test_a_language_model_writes_on_in_bf16_too(tmp_path: Path) -> None:
    causal = api.load(tiny.gpt2(tmp_path))
    assert isinstance(causal.predict(["the phone"], precision="bf16")[0].text, str)


@pytest.mark.parametrize("kind", ["pandas", "polars", "datasets"])
def test_a_table_is_predicted_row_by_row(run: Run, kind: str) -> None:
    columns = {"note": ["x", "y", "z"], "text": TEXTS[:3]}
    module = pytest.importorskip(kind)
    table = module.Dataset.from_dict(columns) if kind == "datasets" else module.DataFrame(columns)
    assert [each.scores for each in run.predict(table)] == [each.scores for each in run.predict(TEXTS[:3])]


def test_a_mapping_without_the_text_is_told_with_its_keys(run: Run) -> None:
    with pytest.raises(RowError) as caught:
        run.predict([{"text": "a man"}, {"txt": "a man"}])
    assert str(caught.value) == "row 1, column 'text': is missing: the keys are 'txt'"
