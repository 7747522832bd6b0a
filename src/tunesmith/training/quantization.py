"""Loading a base in 4 or 8 bits with bitsandbytes."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .. import model_file
from ..config import Settings
from ..errors import ConfigError, NotInstalled, UnknownSetting
from ..hooks import Hooks
from .bases import ADAPTER_FILE

DEFAULTS = {
    "load_in_4bit": True,
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_use_double_quant": True,
    "bnb_4bit_compute_dtype": "bfloat16",
}

_log = logging.getLogger(__name__)


@contextmanager
def unheard() -> Iterator[None]:
    """Keep back one warning of bitsandbytes, about a faster 4-bit kernel: peft imports it, wanted or not."""
    logger = logging.getLogger("bitsandbytes.backends.cpu.ops")

    def another(record: logging.LogRecord) -> bool:
        return "gemm_4bit_forward" not in record.getMessage()

    logger.addFilter(another)
    try:
        yield
    finally:
        logger.removeFilter(another)


def config(quantize: Any) -> Any:
    """The `BitsAndBytesConfig` of a setting, whatever the machine: True and 'always' are the defaults.

    The caller's mapping stays as it is. None where `quantize` is falsy: None, False or an empty mapping.

    Raises:
        ConfigError: neither True, 'always', a mapping nor a `BitsAndBytesConfig`.
        UnknownSetting: a key of the mapping that bitsandbytes does not know.
    """
    if not quantize:
        return None
    from transformers import BitsAndBytesConfig
    from transformers.utils.quantization_config import QuantizationConfigMixin

    if isinstance(quantize, QuantizationConfigMixin):
        return quantize
    if quantize is not True and quantize != "always" and not isinstance(quantize, Mapping):
        raise ConfigError("quantize", quantize, "True, 'always', a mapping of BitsAndBytesConfig's arguments, or one")
    chosen = dict(quantize) if isinstance(quantize, Mapping) else dict(DEFAULTS)
    chosen.pop("always", None)
    unknown = set(chosen) - set(BitsAndBytesConfig().to_dict()) - {"load_in_4bit", "load_in_8bit"}
    if unknown:
        raise UnknownSetting(sorted(unknown)[0], BitsAndBytesConfig().to_dict())
    return BitsAndBytesConfig(**chosen)


def for_this_machine(quantize: Any) -> Any:
    """As `config`, but None with a warning where there is no GPU, unless the setting is 'always'.

    In a mapping, the key 'always' says the same.

    Raises:
        NotInstalled: bitsandbytes is missing and would be used.
    """
    made = config(quantize)
    if made is None:
        return None
    if not _is_used(quantize):
        _log.warning("no GPU: the base is not quantized. quantize='always' quantizes it here too, at some speed.")
        return None
    _require("quantize")
    return made


def _is_used(quantize: Any) -> bool:
    """Whether this machine quantizes where the setting asks for it."""
    import torch

    always = quantize == "always" or (isinstance(quantize, Mapping) and bool(quantize.get("always")))
    return always or torch.cuda.is_available()


def _require(purpose: str) -> None:
    if find_spec("bitsandbytes") is None:
        raise NotInstalled("bitsandbytes", "quant", purpose)


def check(task: str, settings: Settings, hooks: Hooks) -> None:
    """Refuse `quantize` and `lora` beside what they do not go with; on any machine, but where nothing is quantized
    here, all weights may be trained.

    Raises:
        ConfigError: naming what they need.
    """
    quantize = hooks.quantize if hooks.quantize is not None else settings.quantize
    lora = hooks.lora if hooks.lora is not None else settings.lora
    base = hooks.base if hooks.base is not None else settings.base
    if lora and settings.from_scratch is not None:
        raise ConfigError("lora", lora, "a base to adapt; with from_scratch there is none, all weights are trained")
    if not quantize:
        return
    if settings.from_scratch is not None:
        raise ConfigError("quantize", quantize, "a base to quantize; with from_scratch there is none")
    if isinstance(base, tuple | list) and not isinstance(base[0], str | os.PathLike):
        told = "a name or a path as base: a model that is loaded already is not quantized any more"
        raise ConfigError("quantize", quantize, told)
    if task == "token-detection":
        raise ConfigError("quantize", quantize, "another task: token-detection trains both halves in full precision")
    if (
        _is_used(quantize)
        and not lora
        and not (isinstance(base, str | os.PathLike) and Path(base, ADAPTER_FILE).is_file())
    ):
        raise ConfigError("quantize", quantize, "lora=True beside it: quantized weights themselves cannot be trained")


def sparing(made: Any, modules: Sequence[str]) -> Any:
    """The configuration, those modules left in floating point: what is trained whole needs gradients."""
    if not hasattr(made, "llm_int8_skip_modules"):  # of another tool than bitsandbytes
        return made
    made = deepcopy(made)
    made.llm_int8_skip_modules = sorted({*(made.llm_int8_skip_modules or ()), *modules})
    return made


def told(model: Any) -> dict[str, Any] | None:
    """How a model was quantized when it was loaded, as JSON has it; None where it was not, or its files are."""
    quantizer = getattr(model, "hf_quantizer", None)
    if not getattr(model, "is_quantized", False) or quantizer is None or quantizer.pre_quantized:
        return None
    kept: dict[str, Any] = model.config.quantization_config.to_dict()
    return kept


def in_file(folder: str | Path) -> Any:
    """The `BitsAndBytesConfig` that the base of a saved adapter was trained with, or None.

    Raises:
        NotInstalled: bitsandbytes is missing.
    """

    kept = (model_file.read(Path(folder)) or {}).get("quantization")
    if kept is None:
        return None
    from transformers import BitsAndBytesConfig

    _require("this adapter's base")
    return BitsAndBytesConfig.from_dict(kept)


def unquantized(config: Any) -> Any:
    """A copy of a model's configuration without what it says of quantization."""
    config = deepcopy(config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    return config
