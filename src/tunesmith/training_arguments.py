"""What can be set and how a value is checked: `Argument`, and the table of transformers' training arguments.

The table is training_arguments.json, written by scripts/training_arguments.py and held against the installed class by
a test, so that help and nearest names need no import of transformers.
"""

from __future__ import annotations

import enum
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from .errors import ConfigError

# The smallest value that means anything; upstream fails on these late or not at all.
_LOWEST: dict[str, float] = {
    "per_device_train_batch_size": 1,
    "per_device_eval_batch_size": 1,
    "gradient_accumulation_steps": 1,
    "num_train_epochs": 0,
    "learning_rate": 0,
    "warmup_steps": 0,
    "weight_decay": 0,
    "max_grad_norm": 0,
    "logging_steps": 0,
    "eval_steps": 0,
    "save_steps": 0,
    "dataloader_num_workers": 0,
    "max_steps": -1,
}
NONE = ("none", "null")  # how None is spelled
_A = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "a string"}


_HOOK = "it is a live object: in Python, tunesmith.train({}=…) takes it"
# What to say of names that transformers 4 had, and of other names that people try.
INSTEAD = {
    "evaluation_strategy": "transformers 5 calls it `eval_strategy`",
    "warmup_ratio": "use warmup_steps: a value below 1, such as warmup_steps=0.1, is the ratio",
    "no_cuda": "transformers 5 calls it `use_cpu`",
    "use_mps_device": "a device is found by itself; use_cpu=True keeps to the CPU",
    "group_by_length": 'use train_sampling_strategy="group_by_length"',
    "overwrite_output_dir": "transformers 5 dropped it; use checkpoint=True to resume, or another output_dir",
    "tokenizer": "give the pair base=(model, tokenizer)",
    "processing_class": "give the pair base=(model, tokenizer)",
    "logging_dir": "transformers 5 reads the environment variable TENSORBOARD_LOGGING_DIR",
    "save_safetensors": "transformers 5 dropped it; weights are always safetensors",
    "include_inputs_for_metrics": 'use include_for_metrics=["inputs"]',
    "include_tokens_per_second": "use `include_num_input_tokens_seen`",
    "adafactor": 'use optim="adafactor"',
    "per_gpu_train_batch_size": "use `per_device_train_batch_size`",
    "per_gpu_eval_batch_size": "use `per_device_eval_batch_size`",
    "push_to_hub_token": "use `hub_token`",
    "push_to_hub_model_id": "use `hub_model_id`",
    "push_to_hub_organization": 'use hub_model_id="organization/name"',
    "half_precision_backend": "transformers 5 dropped it; use fp16 or bf16",
    "fp16_opt_level": "transformers 5 dropped it; use fp16 or bf16",
    "use_ipex": "transformers 5 dropped it",
    "jit_mode_eval": "transformers 5 dropped it; see torch_compile",
    "torchdynamo": "use `torch_compile_backend`",
    "ray_scope": "transformers 5 dropped it",
    "past_index": "transformers 5 dropped it",
    "mp_parameters": "transformers 5 dropped it",
    "tpu_num_cores": "transformers 5 dropped it",
    "fsdp_min_num_params": "use `fsdp_config`",
    "fsdp_transformer_layer_cls_to_wrap": "use `fsdp_config`",
    "dispatch_batches": "use `accelerator_config`",
    "split_batches": "use `accelerator_config`",
    "model": "the model to start from is `base`",
    "model_name": "the model to start from is `base`",
    "model_name_or_path": "the model to start from is `base`",
    "epochs": "it is `num_train_epochs`",
    "lr": "it is `learning_rate`",
    "batch_size": "it is `per_device_train_batch_size`",
    "max_length": "it is `maxlength`",
    "max_seq_length": "it is `maxlength`",
    "training": "write training arguments beside the settings",
    **{hook: _HOOK.format(hook) for hook in ("metrics", "callbacks", "optimizers", "loss")},
}


@dataclass(frozen=True)
class Argument:
    """One thing that can be set: what `--help`, the JSON schema and the checks read.

    kind: bool, int, float, str, choice, or json (free: `read` checks it).
    read: takes a value that is not None, gives the one to keep, raises ValueError when it cannot be used.
    expected: the end of the sentence "expected …" where `read` says no.
    """

    name: str
    group: str
    type: str
    kind: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    nullable: bool = False
    lowest: float | None = None
    read: Callable[[Any], Any] | None = None
    expected: str = ""

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    def is_none(self, text: str) -> bool:
        """Whether a text, of a flag or a run file, stands for None."""
        return text.lower() in NONE and self.nullable and self.default != "none"

    def check(self, value: Any) -> Any:
        """The value to keep: an enum member as its value, a number spelled out as a number, a path as a string.

        Raises:
            ConfigError: the value has the wrong type, or is out of range.
        """
        if value is None and (self.nullable or self.default is None):
            return None
        try:
            return self.read(value) if self.read is not None else _READERS[self.kind](self, value)
        except (ValueError, TypeError) as error:
            raise ConfigError(self.name, value, self._told()) from error

    def _told(self) -> str:
        if self.expected:
            return self.expected
        told = "one of " + ", ".join(map(repr, self.choices)) if self.choices else _A.get(self.kind, self.type)
        if self.lowest is not None:
            told += f", {self.lowest:g} or more"
        return told + (", or None" if self.nullable else "")


def _bool(_: Argument, value: Any) -> bool:
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):  # numpy's bool is no Python bool
        return bool(value)
    raise ValueError


def _number(argument: Argument, value: Any) -> Any:
    # YAML reads 5e-5 as text, for want of a dot.
    number = float(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, Real) or not math.isfinite(number):
        raise ValueError
    number = int(number) if isinstance(number, Integral) else float(number)
    if argument.lowest is not None and number < argument.lowest:
        raise ValueError
    return number


def _int(argument: Argument, value: Any) -> int:
    number = _number(argument, value)
    if number != int(number):
        raise ValueError
    return int(number)


def _str(_: Argument, value: Any) -> str:
    if isinstance(value, str | os.PathLike):
        return str(os.fspath(value))
    raise ValueError


def _choice(argument: Argument, value: Any) -> str:
    if isinstance(value, enum.Enum):
        value = value.value
    if value is False and "no" in argument.choices:  # YAML reads a bare `no` as false
        value = "no"
    if value is True and argument.name == "include_num_input_tokens_seen":  # upstream: True is "all"
        value = "all"
    if isinstance(value, str) and value in argument.choices:
        return value
    raise ValueError


def _json(_: Argument, value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value  # the caller's mapping stays the caller's


_READERS: dict[str, Callable[[Argument, Any], Any]] = {
    "bool": _bool,
    "int": _int,
    "float": _number,
    "str": _str,
    "choice": _choice,
    "json": _json,
}


@cache
def training_arguments() -> Mapping[str, Argument]:
    """Every field of transformers' `Seq2SeqTrainingArguments` by name, in the order of the class."""
    rows = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return {
        row["name"]: Argument(**{**row, "choices": tuple(row["choices"])}, lowest=_LOWEST.get(row["name"]))
        for row in rows
    }
