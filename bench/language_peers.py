"""`Trainer` used directly on language models and translation, as its guides teach it; see `peers`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import causal, translation
from .peers import Guide, features, predict
from .reading import Rows
from .workloads import Workload

Encode = Callable[[dict[str, list[Any]]], Any]


def language(load: Workload, rows: Rows, guide: Guide) -> list[Any]:
    """The causal language modeling guide, a sentence a row, padded per batch."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForLanguageModeling, set_seed

    with tempfile.TemporaryDirectory() as folder:
        base = causal.base(Path(folder), rows.train)
        tokenizer = AutoTokenizer.from_pretrained(base)

        def encode(batch: dict[str, list[Any]]) -> Any:
            ended = [text + tokenizer.eos_token for text in batch["text"]]
            return tokenizer(ended, truncation=True, max_length=load.lengths["maxlength"])

        set_seed(guide.seed)
        model = AutoModelForCausalLM.from_pretrained(base)
        collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)
        _trained(load, rows, replace(guide, base=base, tokenizer=tokenizer), (model, collator, encode))
        return causal.costs(model, tokenizer, rows.test)


def translated(load: Workload, rows: Rows, guide: Guide) -> list[Any]:
    """The translation guide, without generation: padded per batch, targets by `text_target`."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, DataCollatorForSeq2Seq, set_seed

    with tempfile.TemporaryDirectory() as folder:
        base = translation.base(Path(folder), rows.train)
        tokenizer = AutoTokenizer.from_pretrained(base)

        def encode(batch: dict[str, list[Any]]) -> Any:
            cut = {"max_length": load.lengths["maxlength"], "truncation": True}
            return tokenizer(batch["source"], text_target=batch["target"], **cut)

        set_seed(guide.seed)
        model = AutoModelForSeq2SeqLM.from_pretrained(base)
        collator = DataCollatorForSeq2Seq(tokenizer, model=model)
        _trained(load, rows, replace(guide, base=base, tokenizer=tokenizer), (model, collator, encode))
        return translation.costs(model, tokenizer, rows.test)


def _trained(load: Workload, rows: Rows, guide: Guide, parts: tuple[Any, Any, Encode]) -> None:
    """Trains the first of `parts` in place; its logits are wanted of two rows only, since each is large."""
    model, collator, encode = parts
    run = predict(model, collator, guide, load.settings)
    run(features(rows.train, encode), features(rows.test[:2], encode))
