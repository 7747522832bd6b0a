"""Opening a session: the base, its tokenizer and the encoding, before any row is tokenized."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..config import Settings
from ..errors import ConfigError
from ..folder import RunFolder
from ..hooks import Hooks
from ..tasks.base import Example, Examples
from . import heads, quantization, weights
from .bases import Base, open_base
from .recipe import Encoding, Recipe

BLOCK = 1024  # tokens of a block of a language task, at most, where no maxlength is named
ENDLESS = int(1e30)  # how tokenizers say that they know no limit
UNLIMITED = 2**31 - 1  # tokens of a feature where neither tokenizer nor model has a limit (T5); tokenizers take no more
OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "longformer", "mpnet")


@dataclass(frozen=True)
class Opened:
    """A base with its encoding; the weights are read by `load_model`."""

    base: Base
    encoding: Encoding


def open_session(
    task: str, settings: Settings, hooks: Hooks, train: Examples, folder: RunFolder, *, pad_to: int | None
) -> Opened:
    """The base of `settings` (or of `hooks`, where live objects were given) and how its tokenizer reads the data."""
    base: Base = hooks.opened or from_scratch(task, settings, hooks, train)
    set_pad_token(base.tokenizer, base.name)
    set_segments(base.tokenizer, base.config)
    labels = train.labels
    if labels is not None:
        labels, _ = heads.aligned(labels, base.config)
    encoding = Encoding(
        tokenizer=base.tokenizer,
        labels=labels,
        kind=train.kind,
        maxlength=_block(max_length(settings.maxlength, base, folder), task, settings),
        stride=settings.stride,
        prefix=settings.prefix or "",
        merge=settings.merge,
        seed=settings.seed,
        mlm_probability=settings.mlm_probability,
        pad_to=pad_to,
    )
    return Opened(base, encoding)


def named_base(task: str, settings: Settings, hooks: Hooks) -> Base | None:
    """The base that was named, opened; None where a new model is trained. It needs no data, and so comes first.

    Raises:
        ConfigError: a base, or a tokenizer, beside what it does not go with.
        UnknownName: no such base, or no such size of a new model.
    """
    given = hooks.base if hooks.base is not None else settings.base
    if settings.from_scratch is not None:
        from . import scratch

        if given is not None:
            raise ConfigError("base", given, "no base beside from_scratch, which trains a new model")
        scratch.check(scratch.wanted(settings.from_scratch), task)
        return None
    if hooks.tokenizer is not None:
        raise ConfigError(
            "tokenizer", type(hooks.tokenizer).__name__, "from_scratch beside it, or base=(base, tokenizer)"
        )
    return open_base(given, task, settings.model_args)


def from_scratch(task: str, settings: Settings, hooks: Hooks, train: Sequence[Example]) -> Base:
    """A tokenizer trained on the training text (unless one is given), and the configuration of a new model."""
    from . import scratch

    new = scratch.wanted(settings.from_scratch)
    tokenizer = hooks.tokenizer or scratch.tokenizer(scratch.corpus(train), new.size, vocab_size=new.vocab_size)
    return Base(new.size, scratch.config(new.size, task, tokenizer, new.fields), tokenizer)


def load_model(
    task: str, recipe: Recipe, opened: Opened, settings: Settings, hooks: Hooks, *, start: float | None = None
) -> tuple[Any, tuple[str, ...]]:
    """The model to train, with the right head; and the names of its modules that start anew.

    start: what a new head of regression answers before it has learned.
    """
    base, labels = opened.base, opened.encoding.labels
    quantized = quantization.for_this_machine(hooks.quantize if hooks.quantize is not None else settings.quantize)
    wants_adapter = bool(hooks.lora if hooks.lora is not None else settings.lora)
    dtype = None if wants_adapter or base.adapter or quantized is not None else torch.float32  # master weights
    if base.path is None and base.model is None:
        from . import scratch

        fields = scratch.wanted(settings.from_scratch).fields
        model = scratch.model(base.name, task, base.tokenizer, labels, fields=fields)
        heads.start_at(model, start)
        return model, ()
    if recipe.load is not None:
        model = recipe.load(base)
    else:
        whole_text = task == "text-classification"
        model, fresh = weights.load(
            base,
            recipe.auto,
            labels,
            classifies_text=whole_text,
            quantization=quantized,
            dtype=dtype,
            trainable=True,
            start=start,
        )
        set_pad_id(model, base.tokenizer)
    live = base.model is not None and wants_adapter
    if not hasattr(model, "fresh"):
        return model, weights.unsaved(model, must_reopen=bool(settings.output_dir)) if live else fresh
    if live:
        parts = zip(model.fresh, model.base_models(), strict=True)
        model.fresh = {name: weights.unsaved(part, must_reopen=bool(settings.output_dir)) for name, part in parts}
    return model, tuple(f"{part}.{name}" for part, names in model.fresh.items() for name in names)


def set_pad_token(tokenizer: Any, name: str) -> None:
    """Pad with the end-of-sequence token where the tokenizer has no pad token.

    Raises:
        ConfigError: it has neither.
    """
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise ConfigError("base", name, "a tokenizer with a pad token or an end-of-sequence token")
        tokenizer.pad_token = tokenizer.eos_token


def set_segments(tokenizer: Any, config: Any) -> None:
    """Let the tokenizer tell the two texts of a pair apart where the model can: a plain fast one keeps it to itself."""
    names = list(tokenizer.model_input_names)
    if (getattr(config, "type_vocab_size", None) or 0) > 1 and "token_type_ids" not in names:
        tokenizer.model_input_names = [*names, "token_type_ids"]


def set_pad_id(model: Any, tokenizer: Any) -> None:
    """The configuration's pad id is the tokenizer's, where it has none; an eos list (Llama 3) is never copied."""
    config = getattr(model, "config", None)
    if config is not None and getattr(config, "pad_token_id", None) is None:
        config.pad_token_id = tokenizer.pad_token_id


def max_length(wanted: int | None, base: Base, folder: RunFolder) -> int:
    """Tokens of a feature: what was asked for, at most what the tokenizer and the model's positions take."""
    limits = [base.tokenizer.model_max_length, positions(base.config)]
    known = [int(limit) for limit in limits if limit is not None and limit < ENDLESS]
    limit = min(known) if known else None
    if wanted is not None and limit is not None and wanted > limit:
        folder.note(f"maxlength {wanted} is more than {base.name} reads: {limit} is used")
    chosen = [value for value in (wanted, limit) if value is not None]
    return min(chosen) if chosen else UNLIMITED


def _block(length: int, task: str, settings: Settings) -> int:
    """The length of a language task's blocks: long positions (131,072 in Llama) are filled where that was asked."""
    language = task in ("language-generation", "language-modeling", "token-detection")
    return min(length, BLOCK) if language and settings.maxlength is None else length


def positions(config: Any) -> int | None:
    """Positions a model can tell apart, or None where it has no such limit (T5)."""
    count = getattr(config, "max_position_embeddings", None)
    if not isinstance(count, int) or count <= 0:
        return None
    if getattr(config, "model_type", "") in OFFSET_POSITIONS:  # their positions start after the pad id
        return count - (config.pad_token_id or 0) - 1
    return count
