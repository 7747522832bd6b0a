"""Models from nothing: a tokenizer trained on the given text, and an architecture of a known size, untrained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..data.labels import Labels
from ..errors import ConfigError, UnknownName, UnknownSetting
from ..tasks.base import Example
from . import vocabulary

ENCODER_TASKS = {
    "text-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
    "question-answering": "AutoModelForQuestionAnswering",
    "language-modeling": "AutoModelForMaskedLM",
    "token-detection": "AutoModelForPreTraining",
}
TASKS: Mapping[str, Mapping[str, str]] = {
    "bert": ENCODER_TASKS,
    "electra": ENCODER_TASKS,
    "gpt2": {
        "language-generation": "AutoModelForCausalLM",
        "text-classification": "AutoModelForSequenceClassification",
        "token-classification": "AutoModelForTokenClassification",
    },
    "t5": {"sequence-sequence": "AutoModelForSeq2SeqLM"},
}


def _encoder(width: int, layers: int, heads: int, positions: int) -> dict[str, int]:
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * width,
        "max_position_embeddings": positions,
    }


def _decoder(width: int, layers: int, heads: int, positions: int) -> dict[str, int]:
    return {"n_embd": width, "n_layer": layers, "n_head": heads, "n_positions": positions}


def _pair(width: int, layers: int, heads: int) -> dict[str, int]:
    return {"d_model": width, "d_ff": 4 * width, "d_kv": width // heads, "num_layers": layers, "num_heads": heads}


SIZES: Mapping[str, Mapping[str, int]] = {  # tiny, mini and small of BERT are those of Turc et al. 2019
    "bert-tiny": _encoder(128, 2, 2, 256),
    "bert-mini": _encoder(256, 4, 4, 512),
    "bert-small": _encoder(512, 4, 8, 512),
    "electra-tiny": {**_encoder(128, 2, 2, 256), "embedding_size": 128},
    "electra-small": {**_encoder(256, 12, 4, 512), "embedding_size": 128},
    "gpt2-tiny": _decoder(128, 2, 2, 256),
    "gpt2-mini": _decoder(256, 4, 4, 512),
    "gpt2-small": _decoder(512, 6, 8, 1024),
    "t5-tiny": _pair(128, 2, 4),
    "t5-mini": _pair(256, 4, 4),
    "t5-small": _pair(512, 6, 8),
}
VOCABULARY = {"tiny": 2048, "mini": 8192, "small": 16384}  # at most: a small text has fewer pieces
T5_LENGTH = 512  # T5 has no limit of its own; its tokenizer tells this one


@dataclass(frozen=True)
class Wanted:
    """What `from_scratch` asks for: a size, and how the new model differs from it.

    vocab_size: pieces of the new tokenizer at most. fields: of the family's configuration.
    """

    size: str
    vocab_size: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


def wanted(given: Any) -> Wanted:
    """`from_scratch` as a user writes it: 'bert-tiny', or {'size': 'bert-tiny', 'vocab_size': 1024, …}.

    Raises:
        ConfigError: a mapping without a size, or with a vocabulary that is no number above 0.
    """
    if not isinstance(given, Mapping):
        return Wanted(str(given))
    fields = dict(given)
    size, pieces = fields.pop("size", None), fields.pop("vocab_size", None)
    if not isinstance(size, str):
        raise ConfigError("from_scratch", dict(given), "a mapping with the key 'size', such as 'bert-tiny'")
    if pieces is not None and (isinstance(pieces, bool) or not isinstance(pieces, int) or pieces < 1):
        raise ConfigError("from_scratch", dict(given), "a 'vocab_size' above 0")
    return Wanted(size, pieces, fields)


def _plain(name: str) -> str:
    return str(name).strip().lower().replace("_", "-")


def family(name: str) -> str:
    """'bert' of 'bert-tiny', or of 'bert' itself.

    Raises:
        UnknownName: no such size.
    """
    plain = _plain(name)
    if plain in SIZES or plain in TASKS:
        return plain.partition("-")[0]
    raise UnknownName("size to train from scratch", name, SIZES)


def corpus(examples: Iterable[Example]) -> Iterator[str]:
    """Every text of the examples: what a vocabulary is learned from."""
    for example in examples:
        yield from (text for text in (example.text, example.pair, example.target) if text)
        if example.tokens and not example.text:
            yield " ".join(example.tokens)


def tokenizer(texts: Iterable[str], name: str, *, vocab_size: int | None = None) -> Any:
    """A tokenizer of the family of `name` trained on `texts`, which are read once; equal texts give equal files.

    WordPiece for bert and electra (lower case), byte-level BPE for gpt2, unigram for t5.

    Raises:
        UnknownName: no such size.
        NothingToTrain: no text.
    """
    kind, plain = family(name), _plain(name)
    limits = SIZES.get(plain, {})
    size = vocab_size or VOCABULARY[plain.rpartition("-")[2] if limits else "mini"]
    length = limits.get("max_position_embeddings", limits.get("n_positions", T5_LENGTH))
    learn = {"gpt2": vocabulary.byte_pairs, "t5": vocabulary.unigram}.get(kind, vocabulary.word_pieces)
    return learn(texts, size, length)


def check(new: Wanted, task: str) -> None:
    """Refuse a new model that cannot be made, before any text is read.

    Raises:
        UnknownName: no such size.
        UnknownSetting: a field that the family's configuration does not have.
        ConfigError: the size is of a family that cannot learn the task.
    """
    from transformers import AutoConfig

    plain, kind = _plain(new.size), family(new.size)
    if plain not in SIZES:
        raise UnknownName("size to train from scratch", new.size, SIZES)
    if task not in TASKS[kind]:
        fit = [size for size in SIZES if task in TASKS[family(size)]]
        raise ConfigError("from_scratch", new.size, f"a size that can learn {task}: {', '.join(fit)}")
    known = AutoConfig.for_model(kind).to_dict()
    for name in new.fields:
        if name not in known:
            raise UnknownSetting(name, known)


def config(name: str, task: str, tokenizer: Any, fields: Mapping[str, Any] | None = None) -> Any:
    """The configuration of a size, for a task and a tokenizer; `fields` are set over those of the size.

    Raises:
        UnknownName, UnknownSetting, ConfigError: as `check` does.
    """
    from transformers import AutoConfig

    check(Wanted(name, fields=fields or {}), task)
    plain, kind = _plain(name), family(name)
    ids = {
        key: getattr(tokenizer, key)
        for key in ("pad_token_id", "bos_token_id", "eos_token_id")
        if getattr(tokenizer, key, None) is not None
    }
    if kind == "t5":
        ids["decoder_start_token_id"] = tokenizer.pad_token_id
    return AutoConfig.for_model(kind, **{"vocab_size": len(tokenizer), **SIZES[plain], **ids, **(fields or {})})


def model(
    name: str,
    task: str,
    tokenizer: Any,
    labels: Labels | None = None,
    *,
    fields: Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> Any:
    """An untrained model with the task's head; weights are drawn from torch's random state, or from `seed`.

    Raises:
        UnknownName, UnknownSetting, ConfigError: as `check` does.
    """
    import torch
    import transformers

    chosen = config(name, task, tokenizer, fields)
    if labels is not None:
        from .heads import write_labels

        write_labels(chosen, labels, classifies_text=task == "text-classification")
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        if task == "token-detection":
            from .detection import untrained

            return untrained(chosen, tokenizer)
        return getattr(transformers, TASKS[family(name)][task]).from_config(chosen)
