"""Which layers of a model are computed by `encoder_layer`, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers.activations import GELUActivation

from .dropout import ATTENTION, WHOLE, Dropout
from .encoder_layer import Form, applied
from .variants import Forward, changed, own_forwards, watched

LIKE_BERT = ("bert", "camembert", "data2vec-text", "electra", "ernie", "roberta", "xlm-roberta")
"""Model types whose layers are built as BERT's."""
_KINDS = {nn.Linear, nn.LayerNorm, nn.Dropout, Dropout, GELUActivation}
SHORT = 64  # tokens to which attention's products are in fp32: MKL's, for which no kernel is made anew


def is_own(part: Any, model_type: str) -> bool:
    """Whether a part is of transformers' own class for this model type, and not a user's in its place."""
    part = getattr(part, "original_module", part)  # PEFT keeps what it trains beside it, of the same class
    return type(part).__module__.startswith(
        f"transformers.models.{model_type.replace('-', '_').removesuffix('_text')}."
    )


@contextmanager
def at_once(model: nn.Module) -> Iterator[None]:
    """Meanwhile each layer of BERT's kind is two functions while it is trained: the same to rounding.

    A layer that has hooks, adapters, a cache or frozen weights, or long texts, is computed by its modules.
    """

    def find() -> Mapping[nn.Module, Forward]:
        return {layer: _forward for layer in model.modules() if not changed(layer) and _is_layer(layer)}

    with own_forwards(find):
        yield


def _is_layer(layer: Any) -> bool:
    inner = getattr(getattr(layer, "attention", None), "self", None)
    config = getattr(inner, "config", None)
    model_type = getattr(config, "model_type", None)
    if model_type not in LIKE_BERT or not is_own(layer, model_type) or not hasattr(layer, "feed_forward_chunk"):
        return False
    plain = not (layer.is_decoder or layer.chunk_size_feed_forward)
    return plain and all(is_own(each, model_type) for each in (layer.attention, inner, layer.attention.output))


def _forward(
    layer: Any,
    plain: Callable[..., Any],
    hidden_states: torch.Tensor,
    attention_mask: Any = None,
    *args: Any,
    **more: Any,
) -> Any:
    seen = (*args, more.get("encoder_hidden_states"), more.get("past_key_values"))  # of a decoder, or of an adapter
    if any(each is not None for each in seen):
        return plain(layer, hidden_states, attention_mask, *args, **more)
    made = computed(layer, hidden_states, attention_mask)
    return plain(layer, hidden_states, attention_mask, *args, **more) if made is None else made


def computed(layer: Any, hidden: torch.Tensor, mask: Any, *, first: bool = False) -> torch.Tensor | None:
    """What a layer of BERT's kind returns; None where its modules have to do it.

    first: of the first token alone, (batch, 1, width).
    """
    attention, closing, opening, last = layer.attention.self, layer.attention.output, layer.intermediate, layer.output
    dtype = _dtype(layer, hidden, mask)
    if dtype is None:
        return None
    projected = (attention.query, attention.key, attention.value, closing.dense, closing.LayerNorm)
    weighed = (*projected, opening.dense, last.dense, last.LayerNorm)
    dropping = (attention.dropout, closing.dropout, last.dropout)
    parts = (*weighed, *dropping, opening.intermediate_act_fn)
    if not _are_plain(parts) or watched((layer, layer.attention, attention, closing, opening, last, *parts)):
        return None
    weights = [each for part in weighed for each in (part.weight, part.bias)]
    if not all(each is not None and each.requires_grad and each.dtype == torch.float32 for each in weights):
        return None
    form = Form(
        dtype,
        (closing.LayerNorm.eps, last.LayerNorm.eps),
        (dropping[0].p, dropping[1].p, dropping[2].p),
        attention.num_attention_heads,
        attention.scaling,
        inside=torch.float32 if hidden.shape[1] <= SHORT else dtype,
        first=first,
    )
    return applied(hidden, mask, form, weights)


def _dtype(layer: Any, hidden: torch.Tensor, mask: Any) -> torch.dtype | None:
    """What a layer's products are computed in; None where it is not for `encoder_layer`."""
    attention = layer.attention.self
    if not layer.training or hidden.device.type != "cpu" or hidden.dtype != torch.float32:
        return None
    if attention.config._attn_implementation != ATTENTION:  # dropout is torch's own, or attention another
        return None
    if mask is not None and (mask.dtype != torch.bool or mask.dim() != 4):
        return None
    if prod(hidden.shape[:2]) * hidden.shape[1] * attention.num_attention_heads > WHOLE:
        return None
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
    return dtype if dtype in (torch.float32, torch.bfloat16) else None


def _are_plain(parts: Sequence[Any]) -> bool:
    """Whether the parts of a layer are torch's own, and something is left by dropout."""
    if not {type(each) for each in parts} <= _KINDS:
        return False
    *_, one, other, third, activation = parts
    return max(one.p, other.p, third.p) < 1 and activation.act is functional.gelu
