"""Loading a base in 4 or 8 bits with bitsandbytes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from ..errors import ConfigError, NotInstalled, UnknownSetting

DEFAULTS = {
    "load_in_4bit": True,
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_use_double_quant": True,
    "bnb_4bit_compute_dtype": "bfloat16",
}
HEADS = ["classifier", "score", "qa_outputs", "lm_head", "pooler"]  # trained whole: gradients need floating point

_log = logging.getLogger(__name__)


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
    chosen.setdefault("llm_int8_skip_modules", list(HEADS))
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
    import torch

    always = quantize == "always" or (isinstance(quantize, Mapping) and bool(quantize.get("always")))
    if not torch.cuda.is_available() and not always:
        _log.warning("no GPU: the base is not quantized. quantize='always' quantizes it here too, at some speed.")
        return None
    if find_spec("bitsandbytes") is None:
        raise NotInstalled("bitsandbytes", "quant", "quantize")
    return made
