"""Opening a session: lengths, pad tokens, segments."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tiny
from tunesmith.errors import ConfigError
from tunesmith.folder import RunFolder
from tunesmith.training import session
from tunesmith.training.bases import open_base


def test_a_length_beyond_the_model_is_cut_and_said(tmp_path: Path) -> None:
    told: list[str] = []

    def listen(kind: str, values: Any) -> None:
        told.append(values["text"])

    base = open_base(tiny.bert(tmp_path, max_positions=64), "text-classification")
    assert session.max_length(10_000, base, RunFolder(None, listen)) == 64
    assert "10000 is more than" in told[0]
    assert session.max_length(16, base, RunFolder(None, listen)) == 16
    assert len(told) == 1


def test_a_model_without_a_limit_of_positions_cuts_only_where_asked(tmp_path: Path) -> None:
    base = open_base(tiny.t5(tmp_path), "sequence-sequence")
    assert session.max_length(None, base, RunFolder()) == session.UNLIMITED
    assert session.max_length(32, base, RunFolder()) == 32


def test_positions_that_start_after_the_pad_id_are_not_counted() -> None:
    config = SimpleNamespace(max_position_embeddings=514, model_type="roberta", pad_token_id=1)
    assert session.positions(config) == 512


def test_a_tokenizer_without_pad_and_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="pad token or an end-of-sequence token"):
        session.set_pad_token(SimpleNamespace(pad_token=None, eos_token=None), "base")


def test_a_plain_tokenizer_tells_the_texts_of_a_pair_apart_for_a_model_with_segments(tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    real = tiny.bert_tokenizer()
    plain = PreTrainedTokenizerFast(tokenizer_object=real.backend_tokenizer, pad_token="[PAD]")
    assert "token_type_ids" not in plain("a", "man")
    session.set_segments(plain, SimpleNamespace(type_vocab_size=2))
    assert plain("a", "man")["token_type_ids"] == real("a", "man")["token_type_ids"]
    untouched = PreTrainedTokenizerFast(tokenizer_object=real.backend_tokenizer, pad_token="[PAD]")
    session.set_segments(untouched, SimpleNamespace(type_vocab_size=1))
    assert "token_type_ids" not in untouched.model_input_names
