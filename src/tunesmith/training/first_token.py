"""A classifier whose head reads the first token alone needs no other one from its last layer.

Keys and values of that layer are those of all tokens; its queries, feed-forward and all that comes after attention are
of one token a row. The logits and their gradients are the same to rounding, a seventh of the work of six layers is not
done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import torch
from torch import nn
from transformers import AttentionInterface, PreTrainedModel

from .dropout import ATTENTION

_HEAD = "ForSequenceClassification"
_MARK = "_tunesmith_first_token"
_FORMS = ("sdpa", ATTENTION)  # those whose mask is None or (batch, 1, queries, keys)


def _attended(attention: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any) -> torch.Tensor:
    """What the first token attends to, (batch, 1, width); query: (batch, 1, width), key and value: of all tokens."""
    attend = AttentionInterface()[attention.config._attn_implementation]
    heads = (-1, attention.attention_head_size)
    wide = (each.view(*each.shape[:2], *heads).transpose(1, 2) for each in (query, key, value))
    dropped = attention.dropout.p if attention.training else 0.0
    mask = mask if mask is None else mask[:, :, :1]
    found, _ = attend(attention, *wide, mask, dropout=dropped, scaling=attention.scaling)
    return torch.flatten(found, 2)


def _bert(layer: Any, hidden: torch.Tensor, mask: Any) -> torch.Tensor:
    attention, first = layer.attention.self, hidden[:, :1]
    found = _attended(attention, attention.query(first), attention.key(hidden), attention.value(hidden), mask)
    whole: torch.Tensor = layer.feed_forward_chunk(layer.attention.output(found, first))
    return whole


def _distilbert(layer: Any, hidden: torch.Tensor, mask: Any) -> torch.Tensor:
    attention, first = layer.attention, hidden[:, :1]
    found = _attended(attention, attention.q_lin(first), attention.k_lin(hidden), attention.v_lin(hidden), mask)
    between = layer.sa_layer_norm(attention.out_lin(found) + first)
    whole: torch.Tensor = layer.output_layer_norm(layer.ffn(between) + between)
    return whole


_LIKE_BERT = ("bert", "camembert", "data2vec-text", "electra", "ernie", "roberta", "xlm-roberta")
LAYERS: Mapping[str, Callable[[Any, torch.Tensor, Any], torch.Tensor]] = {
    **dict.fromkeys(_LIKE_BERT, _bert),
    "distilbert": _distilbert,
}


def _empty(kind: type[nn.Module]) -> nn.Module:
    return kind.__new__(kind)


@cache
def _narrowed(kind: type[nn.Module], model_type: str) -> type[nn.Module]:
    """The layer's class with our `forward`; copies and pickles of such a layer are plain ones."""
    through = LAYERS[model_type]

    def forward(self: Any, hidden_states: torch.Tensor, attention_mask: Any = None, *_: Any, **__: Any) -> torch.Tensor:
        return through(self, hidden_states, attention_mask)

    def reduced(self: Any, protocol: Any) -> Any:
        _, _, *state = cast("tuple[Any, ...]", kind.__reduce_ex__(self, protocol))
        return _empty, (kind,), *state

    own = {"forward": forward, "__reduce_ex__": reduced, "__module__": kind.__module__, _MARK: True}
    return type(kind.__name__, (kind,), own)


def _last_layer(model: nn.Module) -> tuple[Any, str] | None:
    """The last layer of the classifier in `model`, and its model type; None where all of its tokens may be read."""
    for each in model.modules():
        if isinstance(each, PreTrainedModel) and type(each).__name__.endswith(_HEAD):
            break
    else:
        return None
    config: Any = each.config
    read = config.output_hidden_states or config.output_attentions or getattr(config, "is_decoder", False)
    ours = type(each).__module__.startswith("transformers.models.") and config.model_type in LAYERS
    if read or not ours or config._attn_implementation not in _FORMS:
        return None
    body: Any = each.base_model
    stack: Any = getattr(body, "encoder", None) or body.transformer
    layer = stack.layer[-1]
    wrapped = type(layer).__module__ != type(each).__module__ or "forward" in vars(layer)  # sharded, offloaded
    return None if wrapped or hasattr(layer, _MARK) else (layer, config.model_type)


@contextmanager
def only(model: nn.Module) -> Iterator[None]:
    """Meanwhile the last layer of a classifier returns its first token alone, (batch, 1, width).

    Other models, and classifiers that are asked for hidden states or attentions, stay as they are. Of several threads
    the first to come changes the layer; it is itself again when that one goes, and the logits are the same either way.
    """
    found = _last_layer(model)
    if found is None:
        yield
        return
    layer, model_type = found
    kind: Any = type(layer)
    layer.__class__ = _narrowed(kind, model_type)
    try:
        yield
    finally:
        layer.__class__ = kind
