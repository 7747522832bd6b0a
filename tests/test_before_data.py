"""What is wrong with the base is told before any row is read, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tiny
import tunesmith
from tunesmith.errors import ConfigError, TunesmithError


def unread() -> Iterator[dict[str, Any]]:
    raise AssertionError("a row was read")
    yield {}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"base": "does/not-exist"}, "does/not-exist"),
        ({"from_scratch": "bert-tinny"}, "bert-tiny"),
        ({"from_scratch": "t5-tiny"}, "a size that can learn text-classification"),
        ({"base": "does/not-exist", "from_scratch": "bert-tiny"}, "no base beside from_scratch"),
        ({"task": "sequence-sequence"}, "from_scratch"),
    ],
)
def test_a_base_that_cannot_be_had(tmp_path: Path, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(TunesmithError) as caught:
        tunesmith.train(unread(), output_dir=tmp_path / "out", **settings)
    assert told.replace("_", "-") in str(caught.value).replace("_", "-")
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_alone_is_not_dropped(tmp_path: Path) -> None:
    base = tiny.bert(tmp_path / "base")
    with pytest.raises(ConfigError, match=r"base=\(base, tokenizer\)"):
        tunesmith.train(unread(), base=base, tokenizer=tiny.bert_tokenizer())


def test_resume_from_checkpoint_is_heeded(tmp_path: Path) -> None:
    rows = [{"text": text, "label": "ab"[place % 2]} for place, text in enumerate(tiny.TEXTS)]
    base = tiny.bert(tmp_path / "base")
    with pytest.raises(TunesmithError, match="no checkpoint"):
        tunesmith.train(rows, base=base, output_dir=tmp_path / "out", resume_from_checkpoint="True")
