"""A base's weights read: in few bits where asked, its adapter on top, what they lack told or refused; and merging."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from torch.nn.functional import one_hot

from ..data.labels import Labels
from ..errors import ArtifactError, ConfigError
from . import adapters, heads
from .bases import Base
from .quantization import in_file, sparing, unheard, unquantized

UNITS = 512  # unit vectors that go through a layer at once


def load(
    base: Base,
    auto: str,
    labels: Labels | None,
    *,
    classifies_text: bool,
    quantization: Any = None,
    dtype: Any = None,
    trainable: bool = False,
    whole: bool = False,
    start: float | None = None,
) -> tuple[Any, tuple[str, ...]]:
    """The model of `base` under its adapter, with a head for `labels`; and the names of its modules that start anew.

    A given model is fitted in place and returned itself. An earlier head is kept only where it was for the same
    labels; otherwise it starts anew. A base under an adapter is quantized as it was when the adapter was trained.

    trainable: whether the base's adapter is trained on. whole: refuse weights that lack any that the task uses.
    start: what a new head of regression answers before it has learned; None leaves it as its class draws it.

    Raises:
        ArtifactError: the weights cannot be read, or lack some of the model's body (with `whole`: any).
        ConfigError: a given model whose head cannot be changed.
    """
    kept = True
    if base.model is not None:
        if labels is not None and isinstance(base.model, nn.Module) and hasattr(base.model, "base_model_prefix"):
            heads.fit_head(base.model, labels, classifies_text=classifies_text, start=start)
        return base.model, ()
    if base.adapter is not None:  # its head is read as it was saved, and fitted after
        earlier = in_file(base.adapter)
        quantization = quantization if quantization is not None else earlier
        base = base if earlier is None else replace(base, config=unquantized(base.config))
    elif labels is not None:
        kept = heads.relabel(base.config, labels, classifies_text=classifies_text)
    model, missing = _read(base, auto, quantization, dtype, trainable)
    whole = whole or base.adapter is not None  # what an adapter does not hold would neither be read nor trained
    refuse_lacking(base.name, auto, _needed(model, missing, whole=whole, classifies_text=classifies_text))
    if base.adapter is not None and labels is not None:
        heads.fit_head(model, labels, classifies_text=classifies_text, start=start)
    elif not kept:
        heads.renew_head(model, new=missing, start=start)
    elif start is not None and heads.last_layer(model)[0] in _modules(missing):
        heads.start_at(model, start)
    return model, _modules(missing)


def refuse_lacking(name: str, wanted: str, lacking: Iterable[str]) -> None:
    """Raises:
    ArtifactError: the weights saved at `name` lack these of what `wanted` needs.
    """
    found = list(lacking)
    if found:
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        told = f"its weights lack {', '.join(found[:4])}{more}, which {wanted} needs"
        raise ArtifactError(name, f"{told}: it was not trained for this, or its files are not whole")


def _modules(names: Iterable[str]) -> tuple[str, ...]:
    """The modules that hold the named weights."""
    return tuple(dict.fromkeys(name.rpartition(".")[0] for name in names))


def _needed(model: Any, names: Iterable[str], *, whole: bool, classifies_text: bool) -> list[str]:
    """The weights without which a model is refused: with `whole` all, but a pooler only where texts are classified."""
    if whole:
        return [name for name in names if classifies_text or not _pools(name)]
    return _of_body(model, names)


def _of_body(model: Any, names: Iterable[str]) -> list[str]:
    """Those of the weights that a base must hold to be trained: none of the head, none of a pooler."""
    new = {"", *heads.head_modules(model)}
    return [name for name in names if not _pools(name) and name.rpartition(".")[0] not in new]


def _pools(name: str) -> bool:
    return "pooler" in name.split(".")


def _read(base: Base, auto: str, quantization: Any, dtype: Any, trainable: bool) -> tuple[Any, list[str]]:
    """The model, under its adapter; and the names of its weights that no file had, or had in another shape."""
    model, missing = _read_base(base, auto, quantization, dtype)
    if base.adapter is None:
        return model, missing
    model = adapters.reopen(model, base.adapter, trainable=trainable)
    return model, [name for name in missing if not adapters.holds(model, name)]


def _read_base(base: Base, auto: str, quantization: Any, dtype: Any) -> tuple[Any, list[str]]:
    import transformers

    loader = getattr(transformers, auto)
    arguments: dict[str, Any] = {"config": base.config, **base.options}
    if dtype is not None:
        arguments.setdefault("dtype", dtype)
    try:
        if quantization is not None:
            arguments["quantization_config"] = sparing(quantization, _float_modules(loader, base))
        return _from_pretrained(loader, base.path, arguments)
    except TypeError as error:  # an argument that the model's class does not know
        raise ConfigError("model_args", base.options, f"arguments that {auto} takes; it says: {error}") from error
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(base.name, f"its weights cannot be loaded for {auto}: {error}") from error


def _from_pretrained(loader: Any, path: Any, arguments: dict[str, Any]) -> tuple[Any, list[str]]:
    with _quietly(), unheard():
        model, report = loader.from_pretrained(
            path, output_loading_info=True, ignore_mismatched_sizes=True, **arguments
        )
    known = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    return model, sorted(known & {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])})


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep back the loader's report: a head that starts anew is what was asked for, and is said in our own words."""
    from transformers.utils import logging

    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()


def _float_modules(loader: Any, base: Base) -> list[str]:
    """The modules that quantization leaves alone, because they may be trained whole: the head and poolers."""
    trusted = {key: value for key, value in base.options.items() if key == "trust_remote_code"}
    with torch.device("meta"):  # names are wanted, no memory
        model = loader.from_config(deepcopy(unquantized(base.config)), **trusted)
    return [*heads.head_modules(model), *(name for name, _ in model.named_modules() if _pools(name))]


def unsaved(model: Any, *, must_reopen: bool) -> tuple[str, ...]:
    """The modules of a live base that the path it came from does not hold as they are: an adapter must save them.

    Where that is no path, or one that holds another body, the model loses its name: an adapter cannot point to it.

    Raises:
        ConfigError: so it is, and `must_reopen`.
    """
    if adapters.adapted(model) or getattr(model, "is_quantized", False):  # the adapter saves its own; other numbers
        return ()
    path = getattr(model, "name_or_path", "")
    others = _differing(model, path) if path else None
    if others is not None and not _of_body(model, others):
        return _modules(others)
    if must_reopen:
        told = "a model whose weights are those of a saved one, or lora=None: save it to a folder first and give that"
        raise ConfigError("base", type(model).__name__, f"{told} folder (an adapter is saved without its base)")
    model.name_or_path = ""
    return ()


def _differing(model: Any, path: str) -> list[str] | None:
    """The weights that `path` holds otherwise or not at all; None where no such model can be read there."""
    arguments = {"config": deepcopy(model.config), "dtype": model.dtype}
    try:
        with torch.random.fork_rng(devices=[]):
            stored, missing = _from_pretrained(type(model), path, arguments)
    except (OSError, ValueError, RuntimeError):
        return None
    theirs = dict(stored.named_parameters(remove_duplicate=False))
    ours = {name: value.detach().cpu() for name, value in model.named_parameters(remove_duplicate=False)}
    return [name for name in ours if name in missing or name not in theirs or not torch.equal(ours[name], theirs[name])]


def has_adapter(model: Any) -> bool:
    """Whether a model, or a part of one that has several, is a base under an adapter."""
    return any(map(adapters.adapted, model.base_models() if hasattr(model, "base_models") else (model,)))


def merged(model: Any) -> Any:
    """The adapter's weights added into a copy of the base, an ordinary model; one without an adapter as it is.

    A quantized base is read again, and its layers of 4 or 8 bits take the numbers that these stood for, as floats:
    the adapter was trained on them, and cannot be added to the bits themselves without loss.

    Raises:
        ArtifactError: the base of a quantized model cannot be read again.
        ConfigError: it exists in few bits only.
    """
    if hasattr(model, "base_models"):  # a model of several parts merges each of them
        return model.merge_and_unload()
    if not adapters.adapted(model):
        return model
    base = adapters.inner(model)
    if not getattr(base, "is_quantized", False):
        return adapters.merged(deepcopy(model))
    if base.hf_quantizer.pre_quantized:
        raise ConfigError("base", base.name_or_path, "a base in full precision: this one exists in few bits only")
    config = unquantized(base.config)
    source = Base(base.name_or_path, config, None, path=base.name_or_path)
    try:
        revision = model.peft_config[model.active_adapter].revision or "main"
        plain, _ = _from_pretrained(type(base), source.path, {"config": config, "revision": revision})
    except (OSError, ValueError, RuntimeError) as error:
        raise ArtifactError(source.name, f"the base cannot be read again, to merge into: {error}") from error
    _dequantize(base, plain.to(base.device))
    aside = deepcopy(model)  # on a CPU bitsandbytes changes the layers whose state it tells
    return adapters.merged(adapters.onto(plain, aside)).train(model.training)


def _dequantize(base: Any, plain: Any) -> None:
    """Give the layers of `plain` the numbers by which those of `base` multiply that bitsandbytes quantized.

    They are what a layer makes of unit vectors: its bits may be packed in an order that only the layer itself reads.
    """
    for name, layer in base.named_modules():
        if isinstance(layer, nn.Linear) and type(layer.weight).__name__ in ("Params4bit", "Int8Params"):
            target = plain.get_submodule(name.removesuffix(".base_layer"))
            weight = target.weight.data if isinstance(target, nn.Linear) else target.weight.data.T  # GPT-2's is turned
            alone: Any = deepcopy(layer)
            alone.bias = None  # it would be added in few bits
            for start in range(0, layer.in_features, UNITS):
                places = torch.arange(start, min(start + UNITS, layer.in_features), device=weight.device)
                with torch.no_grad():
                    weight[:, places] = alone(one_hot(places, layer.in_features).float()).T.to(weight.dtype)
