"""Features: once, cached by content, the same with workers and without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tiny
from tunesmith.data.cache import FeatureCache
from tunesmith.data.labels import Labels
from tunesmith.errors import NothingToTrain
from tunesmith.tasks.base import Account, Example, Examples
from tunesmith.tasks.reading import fingerprint
from tunesmith.training import features
from tunesmith.training.classification import RECIPE
from tunesmith.training.recipe import Encoding

LABELS = Labels("single", ("a", "b"))


def examples(count: int = 5, word: str = "dogs") -> Examples:
    items = [Example(f"row {place}", f"two {word} run " * (place + 1), label="ab"[place % 2]) for place in range(count)]
    return Examples(items, LABELS, Account(count), fingerprint(items), "single")


def encoding(**changed: Any) -> Encoding:
    return replace(Encoding(tiny.bert_tokenizer(), LABELS, "single", 12), **changed)


def test_each_feature_knows_its_example_and_what_was_lost_is_in_the_account() -> None:
    data = examples()
    made = features.build(data, RECIPE, encoding(), gold=True, workers=features.Workers(rows=2))
    assert made["example"][:] == [0, 1, 2, 3, 4]
    assert data.account.truncated == {"row 3": 2, "row 4": 5}


def test_the_cache_is_read_when_nothing_changed_and_missed_when_anything_did(tmp_path: Path) -> None:
    cache, calls = FeatureCache(folder=tmp_path), []

    def encode(*args: Any) -> Any:
        calls.append(1)
        return RECIPE.encode(*args)

    encode.__module__, encode.__qualname__ = "tests", "encode"
    recipe = replace(RECIPE, encode=encode)
    first = features.build(examples(), recipe, encoding(), gold=True, cache=cache)
    again = features.build(examples(), recipe, encoding(), gold=True, cache=cache)
    assert len(calls) == 1
    assert first.to_list() == again.to_list()
    for changed in (
        {"examples": examples(word="cats")},
        {"encoding": encoding(maxlength=9)},
        {"encoding": encoding(tokenizer=tiny.bert_tokenizer(["other words"]))},
        {"encoding": encoding(labels=Labels("single", ("b", "a")))},
    ):
        before = len(calls)
        features.build(
            changed.get("examples", examples()), recipe, changed.get("encoding", encoding()), gold=True, cache=cache
        )  # type: ignore[arg-type]
        assert len(calls) == before + 1, f"a stale entry was read for {changed}"


def test_worker_processes_give_the_same_features() -> None:
    one = features.build(examples(7), RECIPE, encoding(), gold=True)
    two = features.build(examples(7), RECIPE, encoding(), gold=True, workers=features.Workers(rows=3, processes=2))
    assert one.to_list() == two.to_list()


def test_no_example_is_an_error() -> None:
    empty = Examples([], LABELS, Account(2, {"no label": [0, 1]}), "", "single")
    with pytest.raises(NothingToTrain, match="2 left out: no label"):
        features.build(empty, RECIPE, encoding(), gold=True)


def test_the_tokenizers_hash_ignores_what_a_call_leaves_behind() -> None:
    tokenizer = tiny.bert_tokenizer()
    before = features.tokenizer_hash(tokenizer)
    tokenizer(["a man", "two"], padding=True, truncation=True, max_length=4)
    assert features.tokenizer_hash(tokenizer) == before
    tokenizer.add_tokens(["zebra"])
    assert features.tokenizer_hash(tokenizer) != before
