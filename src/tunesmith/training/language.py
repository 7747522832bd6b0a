"""Causal and masked language models: text in, the next or the missing token learned."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from ..errors import ConfigError
from ..tasks.base import Example, Prediction
from . import completion, merging
from .batching import TokenCrossEntropy, forward, named
from .blocks import CausalBatches, MaskedBatches, block_mask, cost, scored
from .recipe import Batch, Encoding, Feature, Recipe, Row

CLOSE = 1e-3  # logits of a packed row and of the row alone, in 32-bit arithmetic


def tokenized(examples: Sequence[Example], encoding: Encoding) -> list[dict[str, list[int]]]:
    """Each example's tokens, never cut, with the special tokens that the tokenizer adds."""
    tokenizer, rows = encoding.tokenizer, []
    typed = "token_type_ids" in tokenizer.model_input_names
    for paired in (False, True):
        places = [place for place, example in enumerate(examples) if (example.pair is not None) == paired]
        if not places:
            continue
        pairs = [examples[place].pair for place in places] if paired else None
        texts = [encoding.prefix + examples[place].text for place in places]
        encoded = tokenizer(texts, pairs, truncation=False, padding=False, verbose=False)
        keys = [key for key in ("input_ids", "token_type_ids") if key in encoded and (typed or key == "input_ids")]
        rows += [(place, {key: encoded[key][n] for key in keys}) for n, place in enumerate(places)]
    return [row for _, row in sorted(rows, key=lambda item: item[0])]


def encode_causal(examples: Sequence[Example], encoding: Encoding, gold: bool) -> list[Feature]:
    """A row of tokens for each example, closed by the end-of-text token, which most tokenizers do not add.

    Without merging, a row is cut at `maxlength` and `lost` counts what was cut off.
    """
    end = encoding.tokenizer.eos_token_id
    features: list[Feature] = []
    for place, row in enumerate(tokenized(examples, encoding)):
        ids = row["input_ids"]
        if end is not None and ids[-1:] != [end]:
            ids = [*ids, end]
        features.append({"input_ids": ids, "example": place, "lost": 0})
    return list(merging.cut(iter(features), encoding.maxlength)) if encoding.merge is None else features


def encode_masked(examples: Sequence[Example], encoding: Encoding, gold: bool) -> list[Feature]:
    """A row of tokens for each example, with the tokenizer's special tokens, or a separator where it adds none.

    Without merging, a row is cut so that its special tokens stay, and `lost` counts what was cut off.
    """
    tokenizer = encoding.tokenizer
    added = tokenizer.num_special_tokens_to_add(pair=False)
    end = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
    features: list[Feature] = []
    for place, row in enumerate(tokenized(examples, encoding)):
        feature: Feature = {**row, "example": place, "lost": 0}
        size = len(row["input_ids"])
        if added == 0 and end is not None:
            feature["input_ids"] = [*row["input_ids"], end]
            if "token_type_ids" in row:
                feature["token_type_ids"] = [*row["token_type_ids"], 0]
        elif encoding.merge is None and size > encoding.maxlength:
            feature |= _shortened(examples[place], encoding)
            feature["lost"] = size - len(feature["input_ids"])
        features.append(feature)
    return list(merging.cut(iter(features), encoding.maxlength)) if encoding.merge is None else features


def _shortened(example: Example, encoding: Encoding) -> dict[str, list[int]]:
    text = encoding.prefix + example.text
    encoded = encoding.tokenizer(text, example.pair, truncation=True, max_length=encoding.maxlength)
    return {key: encoded[key] for key in ("input_ids", "token_type_ids") if key in encoded}


def merge(features: Iterator[Feature], encoding: Encoding) -> Iterator[Feature]:
    """Rows joined as `encoding.merge` says."""
    return merging.merge(features, encoding.merge, encoding.maxlength, first_position=first_position(encoding))


def first_position(encoding: Encoding) -> int:
    """The position of a text's first token: 2 in models that follow fairseq's RoBERTa, else 0.

    Those count positions from the padding id on; their vocabularies begin with <s> and <pad>.
    """
    tokenizer = encoding.tokenizer
    fairseq = (tokenizer.cls_token, tokenizer.pad_token) == ("<s>", "<pad>")
    return 2 if fairseq and (tokenizer.cls_token_id, tokenizer.pad_token_id) == (0, 1) else 0


def outputs(model: torch.nn.Module, batch: Batch, encoding: Encoding) -> Batch:
    """Of each row: nats, tokens predicted, tokens predicted right."""
    logits = named(forward(model, batch, encoding, also=("position_ids", "token_type_ids")), "logits")
    return scored(logits, batch["labels"], correct=True)


def outputs_causal(model: torch.nn.Module, batch: Batch, encoding: Encoding) -> Batch:
    """Of each row: nats, and tokens predicted from the ones before."""
    logits = named(forward(model, batch, encoding, also=("position_ids",)), "logits")
    return scored(logits[:, :-1], batch["labels"][:, 1:])


def decode(
    rows: list[Row], features: list[Feature], examples: Sequence[Example], encoding: Encoding
) -> list[Prediction]:
    """One prediction a block, which may hold tokens of several examples."""
    return [cost(row, feature, examples) for row, feature in zip(rows, features, strict=True)]


def causal_loss(encoding: Encoding) -> TokenCrossEntropy:
    return TokenCrossEntropy(shift=True)


def masked_loss(encoding: Encoding) -> TokenCrossEntropy:
    return TokenCrossEntropy()


def masked_batches(encoding: Encoding) -> MaskedBatches:
    """Raises ConfigError where the tokenizer has no mask token."""
    if encoding.tokenizer.mask_token_id is None:
        expected = "a tokenizer with a mask token, as BERT has; a causal model trains with task='language-generation'"
        raise ConfigError("tokenizer", encoding.tokenizer.name_or_path, expected)
    return MaskedBatches(encoding)


def why_not_pack(model: Any, encoding: Encoding, *, causal: bool) -> str | None:
    """None where packed rows give this model's own logits of each row alone, else the reason; tried on two rows.

    Not every architecture takes a mask of its own (ALiBi, convolution) or positions; a window of attention shorter
    than a row would be lifted by the mask.
    """
    config = model.config
    window = getattr(config, "sliding_window", None) or getattr(config, "local_attention", None)
    if window is not None and window < encoding.maxlength:
        return f"{config.model_type} attends within {window} tokens, fewer than a packed block of {encoding.maxlength}"
    try:
        difference = _difference(model, encoding, causal)
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        return f"{config.model_type} takes no attention mask or positions of packed rows: {error}"
    return None if difference < CLOSE else f"packed rows see each other in {config.model_type}"


def _difference(model: Any, encoding: Encoding, causal: bool) -> float:
    device, inner = next(model.parameters()).device, getattr(model, "get_base_model", lambda: model)()
    positions = "position_ids" in inspect.signature(inner.forward).parameters
    length = max(1, min(6, encoding.maxlength // 2))
    size = min(int(inner.get_input_embeddings().weight.shape[0]), 64)
    ids = torch.arange(2 * length, device=device)[None] * 7 % size
    segments = torch.arange(1, 3, device=device).repeat_interleave(length)[None]
    packed: dict[str, Any] = {"input_ids": ids, "attention_mask": block_mask(segments, causal=causal)}
    if positions:
        packed["position_ids"] = torch.arange(length, device=device).repeat(2)[None] + first_position(encoding)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            together = model(**packed).logits[0].float()
            rows = (ids[:, :length], ids[:, length:])
            alone = [model(input_ids=row, attention_mask=torch.ones_like(row)).logits[0] for row in rows]
    finally:
        model.train(was_training)
    separate = torch.cat(alone).float()
    return float((together - separate).abs().max() / separate.abs().max().clamp(min=1e-6))


GENERATION = Recipe(
    "AutoModelForCausalLM",
    encode_causal,
    CausalBatches,
    causal_loss,
    outputs_causal,
    decode,
    merge=merge,
    respond=completion.go_on,
)
MODELING = Recipe(
    "AutoModelForMaskedLM",
    encode_masked,
    masked_batches,
    masked_loss,
    outputs,
    decode,
    merge=merge,
    respond=completion.fill,
)
