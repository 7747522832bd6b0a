"""`from_scratch` in one call: a tokenizer of the given text and a new model, trained, saved and opened again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tiny
import tunesmith
from tunesmith.errors import ConfigError, UnknownName, UnknownSetting

PAIRS = [{"source": text, "target": text.upper()} for text in tiny.TEXTS]
TEXTS = [{"text": text} for text in tiny.TEXTS]


@pytest.mark.parametrize(
    ("task", "rows", "wanted", "width"),
    [
        ("language-modeling", TEXTS, {"size": "bert-tiny", "vocab_size": 90, "hidden_size": 32}, "hidden_size"),
        ("language-generation", TEXTS, {"size": "gpt2-tiny", "vocab_size": 300, "n_embd": 32}, "n_embd"),
        ("sequence-sequence", PAIRS, {"size": "t5-tiny", "vocab_size": 90, "d_model": 32}, "d_model"),
        ("token-detection", TEXTS, {"size": "electra-tiny", "vocab_size": 90, "hidden_size": 32}, "hidden_size"),
    ],
)
def test_a_size_and_what_differs_from_it(
    tmp_path: Path, task: str, rows: list[dict[str, Any]], wanted: dict[str, Any], width: str
) -> None:
    given = dict(wanted)
    run = tunesmith.train(rows, task=task, from_scratch=wanted, max_steps=2, output_dir=tmp_path / "out")
    assert wanted == given, "the caller's mapping is left as it was"
    again = tunesmith.load(tmp_path / "out")
    for opened in (run, again):
        assert getattr(opened.model.config, width) == 32
        assert len(opened.tokenizer) <= wanted["vocab_size"]
        assert opened.model.config.vocab_size == len(opened.tokenizer)


@pytest.mark.parametrize(
    ("wanted", "error", "told"),
    [
        ({"vocab_size": 90}, ConfigError, "a mapping with the key 'size'"),
        ({"size": "bert-tiny", "vocab_size": 0}, ConfigError, "a 'vocab_size' above 0"),
        ({"size": "bert-tinny"}, UnknownName, "Did you mean 'bert-tiny'?"),
        ({"size": "bert-tiny", "hiden_size": 32}, UnknownSetting, "Did you mean 'hidden_size'?"),
    ],
)
def test_what_cannot_be_made_is_told(wanted: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error) as caught:
        tunesmith.train(TEXTS, task="language-modeling", from_scratch=wanted, max_steps=2)
    assert told in str(caught.value)


def test_the_length_of_what_is_written_counts_the_start_token_as_upstream_does() -> None:
    size = {"size": "t5-tiny", "vocab_size": 90, "d_model": 32}
    settings = {"task": "sequence-sequence", "from_scratch": size, "learning_rate": 1e-2, "num_train_epochs": 30}
    run = tunesmith.train(PAIRS, **settings, generation_max_length=4)
    inputs = run.tokenizer(PAIRS[0]["source"], return_tensors="pt")
    theirs = run.tokenizer.decode(run.model.generate(**inputs, max_length=4)[0], skip_special_tokens=True)
    longer = run.tokenizer.decode(run.model.generate(**inputs, max_length=5)[0], skip_special_tokens=True)
    assert theirs != longer
    assert run.predict([PAIRS[0]["source"]])[0].text == theirs.strip()
