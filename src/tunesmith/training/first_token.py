"""A classifier whose head reads the first token alone needs no other one from its last layer.

Keys and values of that layer are those of all tokens; its queries, feed-forward and all that comes after attention are
of one token a row. The logits and their gradients are the same to rounding, a seventh of the work of six layers is not
done. It is done to models of transformers' own classes alone, whose heads are known to read nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from .dropout import ATTENTION
from .layers import LIKE_BERT, computed, is_own
from .variants import Forward, changed, own_forwards, watched

_HEAD = "ForSequenceClassification"
_FORMS = ("sdpa", ATTENTION)  # those whose mask is None or (batch, 1, queries, keys)


def _attended(attention: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any) -> torch.Tensor:
    """What the first token attends to, (batch, 1, width); query: (batch, 1, width), key and value: of all tokens."""
    known: Any = sys.modules[type(attention).__module__]
    attend = known.ALL_ATTENTION_FUNCTIONS[attention.config._attn_implementation]
    heads = (-1, attention.attention_head_size)
    wide = (each.view(*each.shape[:2], *heads).transpose(1, 2) for each in (query, key, value))
    dropped = attention.dropout.p if attention.training else 0.0
    mask = mask if mask is None else mask[:, :, :1]
    found, _ = attend(attention, *wide, mask, dropout=dropped, scaling=attention.scaling)
    return torch.flatten(found, 2)


def _bert(layer: Any, hidden: torch.Tensor, mask: Any) -> torch.Tensor:
    at_once = computed(layer, hidden, mask, first=True)
    if at_once is not None:
        return at_once
    attention, first = layer.attention.self, hidden[:, :1]
    found = _attended(attention, attention.query(first), attention.key(hidden), attention.value(hidden), mask)
    whole: torch.Tensor = layer.feed_forward_chunk(layer.attention.output(found, first))
    return whole


def _distilbert(layer: Any, hidden: torch.Tensor, mask: Any) -> torch.Tensor:
    attention, first = layer.attention, hidden[:, :1]
    found = _attended(attention, attention.q_lin(first), attention.k_lin(hidden), attention.v_lin(hidden), mask)
    between = layer.sa_layer_norm(attention.out_lin(found) + first)
    whole: torch.Tensor = layer.output_layer_norm(layer.ffn.ff_chunk(between) + between)
    return whole


LAYERS: Mapping[str, Callable[[Any, torch.Tensor, Any], torch.Tensor]] = {
    **dict.fromkeys(LIKE_BERT, _bert),
    "distilbert": _distilbert,
}
"""Model type -> its last layer for the first token."""


@cache
def _first(model_type: str) -> Forward:
    through = LAYERS[model_type]

    def forward(
        layer: Any,
        plain: Callable[..., Any],
        hidden_states: torch.Tensor,
        attention_mask: Any = None,
        *args: Any,
        **more: Any,
    ) -> Any:
        if more.get("past_key_values") is not None or _is_watched(layer):  # of an adapter of prefixes, or of hooks
            return plain(layer, hidden_states, attention_mask, *args, **more)
        return through(layer, hidden_states, attention_mask)

    return forward


def _is_watched(layer: Any) -> bool:
    """Whether hooks see what the layer or its attention returns: `output_hidden_states=True` of a call sets some."""
    return watched((layer, layer.attention, getattr(layer.attention, "self", layer.attention)))


def _last_layer(model: Any) -> Mapping[nn.Module, Forward]:
    """The last layer of a classifier, and our forward of it; nothing where other tokens may be read."""
    inner: Any = model.get_base_model() if hasattr(model, "get_base_model") else model  # of PEFT
    if not isinstance(inner, PreTrainedModel) or not type(inner).__name__.endswith(_HEAD):
        return {}
    config: Any = inner.config
    read = config.output_hidden_states or config.output_attentions or getattr(config, "is_decoder", False)
    if read or config.model_type not in LAYERS or config._attn_implementation not in _FORMS:
        return {}
    body: Any = inner.base_model
    stack: Any = getattr(body, "encoder", None) or getattr(body, "transformer", None)
    parts = [inner, body, *_readers(inner, body)]
    if not all(is_own(each, config.model_type) for each in parts) or not len(getattr(stack, "layer", ())):
        return {}
    layer = stack.layer[-1]
    takes = is_own(layer, config.model_type) and not changed(layer)  # offloaded, or narrowed already
    return {layer: _first(config.model_type)} if takes else {}


def _readers(model: Any, body: Any) -> list[Any]:
    """What reads the last layer: a pooler, or else the classifier; DistilBERT's model does it itself."""
    if getattr(body, "pooler", None) is not None:
        return [body.pooler]
    return [] if model.config.model_type == "distilbert" else [model.classifier]


@contextmanager
def only(model: nn.Module) -> Iterator[None]:
    """Meanwhile the last layer of a classifier returns its first token alone, (batch, 1, width).

    Other models, and classifiers that are asked for hidden states or attentions, stay as they are. Of several threads
    the first to come changes the layer; it is itself again when that one goes, and the logits are the same either way.
    """
    with own_forwards(lambda: _last_layer(model)):
        yield
