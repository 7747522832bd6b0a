"""LoRA adapters: the settings, the wrapping, what is saved with them, and merging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError, NotInstalled, UnknownSetting

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
HEADED = ("SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS")  # tasks whose head starts anew: trained whole, saved with the adapter


def require_peft(purpose: str) -> None:
    """Raises:
    NotInstalled: peft is missing; the pip line is named.
    """
    from importlib.util import find_spec

    if find_spec("peft") is None:
        raise NotInstalled("peft", "peft", purpose)


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
        if name not in LoraConfig.__dataclass_fields__:
            raise UnknownSetting(name, LoraConfig.__dataclass_fields__)
    return LoraConfig(**arguments)


def wrap(model: Any, config: Any, *, head: Sequence[str] = (), fresh: Sequence[str] = ()) -> Any:
    """`model` under an adapter. Modules that start anew are trained whole and saved with it, so it reloads equal.

    head: names of the modules of the task's head; fresh: of modules whose weights the base did not hold.
    """
    from copy import deepcopy

    from peft import get_peft_model, prepare_model_for_kbit_training

    config = deepcopy(config)
    leaves = sorted({name.rpartition(".")[2] if name.count(".") == 0 else name for name in (*fresh, *head) if name})
    leaves = [name for name in leaves if any(True for _ in model.get_submodule(name).parameters())]
    leaves = [name for name in leaves if not any(name.startswith(other + ".") for other in leaves if other != name)]
    if leaves:
        config.modules_to_save = sorted({*(config.modules_to_save or ()), *leaves})
        if config.target_modules == "all-linear":
            config.exclude_modules = _excluding(config.exclude_modules, leaves)
    if getattr(model, "is_quantized", False):  # only then: it would turn a 16-bit base into a 32-bit one
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    return get_peft_model(model, config, autocast_adapter_dtype=False)


def _excluding(given: Any, names: Sequence[str]) -> Any:
    """Modules that LoRA leaves alone: those trained whole, and what is inside them."""
    if isinstance(given, str):
        return given
    return sorted({*(given or ()), *names})


def reopen(model: Any, folder: str | Path, *, trainable: bool = False) -> Any:
    """A base model under the adapter saved in `folder`."""
    require_peft("a saved adapter")
    from peft import PeftModel

    return PeftModel.from_pretrained(model, str(folder), is_trainable=trainable)


def merged(model: Any) -> Any:
    """The adapter's weights added into the base, as an ordinary model; a model without an adapter as it is."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
