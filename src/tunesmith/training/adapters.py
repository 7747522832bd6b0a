"""LoRA adapters: the settings, the wrapping, what is saved with them, and merging."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import partial
from importlib import import_module, util
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map

from ..errors import ArtifactError, ConfigError, NotInstalled, UnknownSetting
from .quantization import unheard

DEFAULTS = {"r": 16, "lora_alpha": 8, "target_modules": "all-linear", "lora_dropout": 0.05, "bias": "none"}
TASK_TYPES = {
    "text-classification": "SEQ_CLS",
    "token-classification": "TOKEN_CLS",
    "question-answering": "QUESTION_ANS",
    "sequence-sequence": "SEQ_2_SEQ_LM",
    "language-generation": "CAUSAL_LM",
    "language-modeling": "FEATURE_EXTRACTION",
    "token-detection": "FEATURE_EXTRACTION",
}
PARTS = ("generator", "discriminator")  # folders of a model of two parts, inside that of the run
HEADED = ("SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS")  # tasks whose head starts anew: trained whole, saved with the adapter


def require_peft(purpose: str) -> None:
    """Import peft, without the notice of bitsandbytes that this brings.

    Raises:
        NotInstalled: peft is missing; the pip line is named.
    """
    if util.find_spec("peft") is None:
        raise NotInstalled("peft", "peft", purpose)
    with unheard():
        import_module("peft")


def lora_fields() -> tuple[str, ...]:
    """The arguments of a `LoraConfig`.

    Raises:
        NotInstalled: peft is missing.
    """
    require_peft("lora")
    from peft import LoraConfig

    return tuple(LoraConfig.__dataclass_fields__)


def task_type(task: str) -> str:
    """PEFT's name of a task."""
    return TASK_TYPES[task]


def lora_config(task: str, lora: Any) -> Any:
    """The `LoraConfig` of a setting: True is the defaults, a mapping its arguments (the caller's stays as it is).

    Returns None where `lora` is falsy: None, False or an empty mapping.

    Raises:
        NotInstalled: peft is missing.
        ConfigError: neither of these, nor a `LoraConfig`.
    """
    if not lora:
        return None
    require_peft("lora")
    from peft import LoraConfig, PeftConfig

    if isinstance(lora, PeftConfig):
        return lora
    if lora is not True and not isinstance(lora, Mapping):
        raise ConfigError("lora", lora, "True, a mapping of LoraConfig's arguments, or a LoraConfig")
    arguments = {"task_type": task_type(task), **(DEFAULTS if lora is True else lora)}
    for name in arguments:
        if name not in lora_fields():
            raise UnknownSetting(name, lora_fields())
    try:
        return LoraConfig(**arguments)
    except (TypeError, ValueError) as error:
        raise _refused(arguments, error) from error


def _refused(given: Any, error: Exception) -> ConfigError:
    said = " ".join(str(error).split())
    return ConfigError("lora", given, f"arguments that peft can use with this base; it says: {said}")


def wrap(model: Any, config: Any, *, head: Sequence[str] = (), fresh: Sequence[str] = ()) -> Any:
    """`model` under an adapter. Modules that start anew are trained whole and saved with it, so it reloads equal.

    head: names of the modules of the task's head; fresh: of modules whose weights the base did not hold.
    """
    from peft import get_peft_model

    config = deepcopy(config)
    names = sorted({name for name in (*fresh, *head) if name})
    names = [name for name in names if any(True for _ in model.get_submodule(name).parameters())]
    names = [name for name in names if not any(name.startswith(other + ".") for other in names if other != name)]
    if names:
        config.modules_to_save = sorted({*(config.modules_to_save or ()), *names})
        if config.target_modules == "all-linear":
            config.exclude_modules = _excluding(config.exclude_modules, names)
    try:
        made = get_peft_model(_prepared(model), config)
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        told = {name: getattr(config, name, None) for name in ("task_type", *DEFAULTS, "init_lora_weights")}
        raise _refused(told, error) from error
    _in_32_bits(made)
    _locate(made)
    return made


def _locate(made: Any) -> None:
    """Let an adapter name a local base by its absolute path: it is found from every working folder."""
    at = getattr(inner(made), "name_or_path", "")
    for config in made.peft_config.values():
        told = config.base_model_name_or_path
        if at and told and Path(at).is_dir() and (Path(told).is_dir() or os.path.isabs(told)):
            config.base_model_name_or_path = os.path.abspath(at)


def of_revision(config: Any, revision: str | None) -> Any:
    """A copy of a `LoraConfig` that names the base's revision, so that the same weights are found again."""
    made = deepcopy(config)
    made.revision = revision if revision is not None else made.revision
    return made


def base_beside(model: Any, folder: Path) -> str | None:
    """Where the base of an adapter lies from `folder`, if inside or beside it: both may be moved together."""
    part = model.base_models()[0] if hasattr(model, "base_models") else model
    told = part.peft_config[part.active_adapter].base_model_name_or_path if adapted(part) else None
    here = folder.resolve()
    if not told or not os.path.isabs(told) or not Path(told).resolve().is_relative_to(here.parent):
        return None
    return Path(os.path.relpath(Path(told).resolve(), here)).as_posix()


def _excluding(given: Any, names: Sequence[str]) -> Any:
    """Modules that LoRA leaves alone: those trained whole, and what is inside them."""
    if isinstance(given, str):
        return given
    return sorted({*(given or ()), *names})


def _prepared(model: Any) -> Any:
    """A quantized base with the rest of its weights in 32 bits; another one as it is."""
    from peft import prepare_model_for_kbit_training

    if getattr(model, "is_quantized", False):  # only then: it would turn a 16-bit base into a 32-bit one
        return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    return model


def _in_32_bits(model: Any) -> bool:
    """Keep modules that are trained whole in 32 bits, as PEFT does the adapter's own: small steps are lost in 16.

    The base keeps its type: what comes in is cast for them, and what goes out cast back. Returns whether any was cast.
    """
    found = False
    for original, kept in _trained_whole(model):
        narrow = next(original.parameters()).dtype
        if narrow in (torch.bfloat16, torch.float16):
            found = True
            kept.float()
            kept.register_forward_pre_hook(_cast_in, with_kwargs=True)
            kept.register_forward_hook(partial(_cast_out, narrow))
    return found


def _trained_whole(model: Any) -> list[tuple[nn.Module, nn.Module]]:
    """Each module of the base that is trained whole, with its copy that is."""
    from peft.utils import ModulesToSaveWrapper

    wrappers = [module for module in model.modules() if isinstance(module, ModulesToSaveWrapper)]
    return [(wrapper.original_module, kept) for wrapper in wrappers for kept in wrapper.modules_to_save.values()]


def _cast_in(module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any]:
    dtype = next(module.parameters()).dtype
    return tree_map(partial(_cast, dtype), args), tree_map(partial(_cast, dtype), kwargs)


def _cast_out(dtype: torch.dtype, module: nn.Module, args: Any, output: Any) -> Any:
    return tree_map(partial(_cast, dtype), output)


def _cast(dtype: torch.dtype, value: Any) -> Any:
    return value.to(dtype) if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def reopen(model: Any, folder: str | Path, *, trainable: bool = False) -> Any:
    """A base model under the adapter saved in `folder`."""
    require_peft("a saved adapter")
    from peft import PeftModel
    from peft.utils import load_peft_weights, set_peft_model_state_dict

    made = PeftModel.from_pretrained(_prepared(model), str(folder), is_trainable=trainable)
    _locate(made)
    if _in_32_bits(made):  # they were cut to the base's 16 bits
        set_peft_model_state_dict(made, load_peft_weights(str(folder), device="cpu"))
    return made


def adapted(model: Any) -> bool:
    """Whether a model is one of PEFT, a base under an adapter."""
    return hasattr(model, "peft_config") and hasattr(model, "get_base_model")


def inner(model: Any) -> Any:
    """The base model under an adapter; a model without one itself."""
    return model.get_base_model() if adapted(model) else model


def saves(name: str) -> bool:
    """Whether a module of that name is a copy that is trained and saved with an adapter."""
    return ".modules_to_save." in name


def plain_name(name: str) -> str:
    """A module's name as it is without an adapter."""
    return re.sub(r"\.(modules_to_save\.[^.]+|original_module)(?=\.|$)", "", name)


def holds(model: Any, name: str) -> bool:
    """Whether a weight is in a module that is saved with the adapter."""
    kept = {part for config in model.peft_config.values() for part in getattr(config, "modules_to_save", None) or ()}
    return any(f".{part}." in f".{name}." for part in kept)


def trained_on(lora: Any) -> None:
    """Check the setting `lora` beside a base that already has an adapter.

    Raises:
        ConfigError: it asks for another adapter.
    """
    if lora is not True:
        expected = "True, which trains its adapter on, with this base; merge it first to train a new one"
        raise ConfigError("lora", lora, expected)


def check_saved(model: Any, folder: str | Path) -> None:
    """Raises:
    ArtifactError: what would be saved in `folder` names no base, so nothing could open it again; or would replace it.
    """
    for name in _bases(model):
        if not name:
            told = "the adapter's base is in no folder, so the adapter alone could not be opened again"
            raise ArtifactError(folder, f"{told}: save the merged model (merge_adapter)")
    check_apart(model, folder)


def check_apart(model: Any, folder: str | Path) -> None:
    """Raises: ArtifactError, where `folder` holds the base of the adapter, whose files the adapter's would replace."""
    at = Path(folder).resolve()
    for name in _bases(model):
        under = Path(name).resolve()
        if name and under.is_dir() and at in (under, under.parent if under.name in PARTS else under):
            raise ArtifactError(folder, "holds the base that the adapter needs: take another output_dir")


def _bases(model: Any) -> list[str]:
    """Where the base of each adapter is; '' for one that is in no folder."""
    parts = model.base_models() if hasattr(model, "base_models") else (model,)
    configs = [config for part in parts if adapted(part) for config in part.peft_config.values()]
    return [config.base_model_name_or_path or "" for config in configs]


def onto(base: Any, model: Any) -> Any:
    """A copy of the adapter of `model` on another base of the same shape."""
    from peft import get_peft_model
    from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

    made = get_peft_model(base, deepcopy(model.peft_config[model.active_adapter]))
    _in_32_bits(made)
    set_peft_model_state_dict(made, get_peft_model_state_dict(model, save_embedding_layers=False))
    return made


def merged(model: Any) -> Any:
    """The adapter's weights added into the base, in place, and all in the base's type: an ordinary model."""
    for original, kept in _trained_whole(model):
        kept.to(next(original.parameters()).dtype)
    return model.merge_and_unload()
