"""The settings of a run, one field each with its help text: as keywords, as a YAML file, as a JSON schema."""

# ruff: noqa: RUF009 (`setting` returns a `field`, which no default of a dataclass shares)
from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any

from . import values
from .declaring import setting
from .errors import UnknownSetting
from .registry import frameworks, tasks
from .run_file import checked, parse
from .training_arguments import INSTEAD, Argument, training_arguments

_PART: Any = {"type": "float | str | tuple | None", "group": "Data", "read": values.read_data}
_PART["expected"] = "a fraction between 0 and 1, a path, a list of paths, a split name, or data"
_BASE: Any = {"type": "str | None", "kind": "json", "read": values.read_model}
_BASE["expected"] = "an alias, a hub id, a folder, or a pair (model, tokenizer)"
_SWITCH: Any = {"group": "Adapter", "type": "bool | object | None"}


TRANSFORMERS = "transformers"
_NEUTRAL = ("base", "task", "framework", "device", "output_dir", "seed")  # beside those of group "Data"


@dataclass(frozen=True)
class Settings:
    """Every setting of a run. `training` holds the arguments of the framework that the user named, and no others."""

    train: str | list[str] | None = setting(
        None,
        "Training data: a path, a glob or a data set of the hub.",
        type="str | tuple | None",
        kind="json",
        group="Data",
        read=values.read_source,
        expected="a path, a list of paths, a data set of the hub, or data",
    )
    base: Any = setting(None, "Model to start from: an alias, a hub id or a folder.", **_BASE)
    task: str = setting("text-classification", "What to learn; `tunesmith tasks` lists the tasks.")
    framework: str = setting("transformers", "Library that trains; `tunesmith frameworks` lists them.")
    from_scratch: Any = setting(
        None,
        "Train a new tokenizer and a new model of this size, such as bert-tiny; a mapping sets vocab_size and more.",
        type="str | object | None",
        read=values.read_scratch,
        expected="the name of a size, such as bert-tiny, or a mapping with the key 'size'",
    )
    model_args: Mapping[str, Any] = setting(
        {},
        "Arguments of from_pretrained: revision, dtype, attn_implementation, trust_remote_code.",
        type="object",
        read=values.read_mapping,
        expected="a mapping",
    )
    columns: Any = setting(
        None,
        "Columns by place (text,label) or by role (text=review,label=stars); found when omitted.",
        type="list | object | str | None",
        kind="columns",
        group="Data",
        read=values.read_columns,
        expected="column names: a tuple, a mapping of role to column, or one name",
    )
    validation: float | str | list[str] | None = setting(
        None, "Rows that choose the model: a fraction, a path or a split.", **_PART
    )
    test: float | str | list[str] | None = setting(
        None, "Rows held out for the scores: a fraction, a path or a split.", **_PART
    )
    group: str | None = setting(
        None, "Column whose equal values stay on one side of a split.", type="str | None", group="Data"
    )
    limit: int | None = setting(None, "Read only this many rows.", type="int | None", group="Data", lowest=1)
    label_kind: str | None = setting(
        None,
        "How labels are read where their values leave it open.",
        type="str | None",
        group="Data",
        choices=("single", "multi", "regression"),
    )
    bad_rows: str = setting(
        "error",
        "A row that cannot be used stops the run, or is left out and counted.",
        group="Data",
        choices=("error", "drop"),
    )
    cache: bool = setting(True, "Keep token features for the next run.", type="bool", group="Data")
    maxlength: int | None = setting(
        None, "Tokens of a feature, at most what the model reads.", type="int | None", group="Features", lowest=1
    )
    stride: int = setting(
        128, "Tokens that neighbouring chunks of a long context share.", type="int", group="Features", lowest=0
    )
    prefix: str | None = setting(
        None, "Text put before each source of a sequence-sequence model.", type="str | None", group="Features"
    )
    merge: str | None = setting(
        "concat",
        "How language tasks join rows: concat cuts one stream, pack keeps rows whole, none joins nothing.",
        type="str | None",
        group="Features",
        choices=("concat", "pack"),
    )
    mlm_probability: float = setting(
        0.15, "Share of the tokens that is masked.", type="float", group="Features", read=values.read_share
    )
    tokenizers: bool | int | None = setting(
        None,
        "Processes that tokenize: a number, or true for one a core.",
        type="bool | int | None",
        group="Features",
        read=values.read_count(True, False, 0),
        expected="true, false, or a number of processes",
    )
    tokenizebatch: int = setting(1000, "Rows tokenized at a time.", type="int", group="Features", lowest=1)
    lora: Any = setting(
        None,
        "Train a LoRA adapter: true, or arguments of LoraConfig.",
        **_SWITCH,
        read=values.read_switch(True, False),
        expected="true, false, or LoraConfig's arguments",
    )
    quantize: Any = setting(
        None,
        "Load the base in 4 bits: true (with a GPU), always, or arguments of BitsAndBytesConfig.",
        **_SWITCH,
        read=values.read_switch(True, False, "always"),
        expected="true, false, 'always', or BitsAndBytesConfig's arguments",
    )
    teacher: Any = setting(None, "Trained model to distil from.", **_BASE)
    distillation: tuple[float, float] = setting(
        (1.0, 0.5),
        "Temperature of the distillation, and the teacher's share of the loss.",
        type="list",
        read=values.read_distillation,
        expected="a temperature above 0 and a share from 0 to 1",
    )
    checkpoint: bool | str | None = setting(
        None,
        "Resume: true for the newest checkpoint of the same training rows and base, or the path of one.",
        type="bool | str | None",
        group="Run",
        read=values.read_checkpoint,
        expected="true, false, or the path of a checkpoint",
    )
    early_stopping: int | bool | None = setting(
        None,
        "Evaluations without progress before training stops; false never stops early.",
        type="int | bool | None",
        group="Run",
        read=values.read_count(False),
        expected="a number of evaluations from 1, or false",
    )
    defaults: str = setting(
        "tuned",
        "Arguments that are not named: tuned to model and data, or transformers' own.",
        group="Run",
        choices=("tuned", "transformers"),
    )
    layer_decay: float | None = setting(
        None,
        "Each layer learns at this share of the rate of the one above it; 1 gives all layers one rate.",
        type="float | None",
        group="Run",
        read=values.read_rate_share,
        expected="a number above 0, at most 1",
    )
    precision: str = setting(
        "auto",
        "Arithmetic of training; auto takes what the hardware is fast in, with cheap dropout on a CPU. Weights are "
        "kept and saved as they are read.",
        group="Run",
        choices=("auto", "fp32", "bf16"),
    )
    device: str | int = setting(
        "auto",
        "Where to compute: auto or -1 (the fastest that is there), cpu, or the number of a GPU.",
        type="str | int",
        kind="json",
        group="Run",
        read=values.read_device,
        expected="auto, -1, cpu, or the number of a GPU",
    )
    output_dir: str = setting("", "Folder of the run; empty writes nothing.", group="Run")
    seed: int = setting(42, "Seed of every random choice.", type="int", group="Run", lowest=0)
    training: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, **given: Any) -> Settings:
        """Settings from keywords: each goes to a setting or, by its name, to the arguments of the framework.

        None for a setting that cannot be None stands for its default. What the name of a task or a framework implies
        is set where it is left open: label_kind for 'regression', lora for 'peft'.

        Raises:
            UnknownName: no such framework.
            UnknownSetting: a keyword is neither; the message names the nearest, or what replaced it.
            ConfigError: a value has the wrong type or is out of range.
        """
        framework = str(given.get("framework") or TRANSFORMERS)
        sound = {name: check(name, value, framework) for name, value in given.items()}
        own = {name: value for name, value in sound.items() if name in settings()}
        implied = {**tasks.settings_of(own.get("task", "")), **frameworks.settings_of(framework)}
        for name, value in implied.items():
            own[name] = value if own.get(name) is None else own[name]
        return cls(**own, training={name: value for name, value in sound.items() if name not in own})

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str]) -> Settings:
        """Settings from a run file; see `read_yaml`."""
        return cls.make(**read_yaml(path))

    def to_dict(self) -> dict[str, Any]:
        """Settings and named training arguments side by side, in JSON values: objects described, no tokens."""
        own = {name: getattr(self, name) for name in arguments(self.framework) if name in settings()}
        return {
            name: values.plain(value) for name, value in {**own, **self.training}.items() if name not in values.SECRET
        }

    def to_yaml(self) -> str:
        """The text of a run file that `from_yaml` reads."""
        import yaml

        return str(yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True))


@cache
def settings() -> Mapping[str, Argument]:
    """Every setting by name, in the order of `Settings`."""
    return {
        each.name: Argument(each.name, default={} if each.default is MISSING else each.default, **each.metadata)
        for each in fields(Settings)
        if each.metadata
    }


@cache
def arguments(framework: str = TRANSFORMERS) -> Mapping[str, Argument]:
    """Everything a run of a framework can be told: settings, then its own arguments (a setting of that name wins).

    Raises:
        UnknownName: no such framework.
    """
    name = frameworks.resolve(framework)
    if name == TRANSFORMERS:  # told without importing it
        own, heeded = training_arguments(), settings()
    else:
        member = frameworks.get(name)  # one that only prepares data has neither
        own, wanted = getattr(member, "arguments", {}), (*_NEUTRAL, *getattr(member, "heeds", ()))
        heeded = {name: each for name, each in settings().items() if each.group == "Data" or name in wanted}
    return {**heeded, **{name: each for name, each in own.items() if name not in heeded}}


def check(name: str, value: Any, framework: str = TRANSFORMERS) -> Any:
    """The value to keep for `name`.

    Raises:
        UnknownName, UnknownSetting, ConfigError: see `Settings.make`.
    """
    if name not in arguments(framework):
        raise _unknown(name, framework)
    argument = arguments(framework)[name]
    if value is None and name in settings() and not argument.nullable:
        return argument.default
    if value is None and name == "report_to":  # upstream takes None for the name of a tracker
        return "none"
    return argument.check(value)


def read_yaml(path: str | os.PathLike[str], framework: str | None = None) -> dict[str, Any]:
    """The keywords in a run file: settings and the framework's arguments side by side, '-' and '_' the same, checked.

    framework: what decides which names are known, in the place of the file's own word.

    Raises:
        UnknownName: no such framework.
        ConfigError: the file cannot be read, or a key or value cannot be used; the message names file and line.
    """
    given, lines = parse(path)
    framework = framework or str(given.get("framework") or TRANSFORMERS)
    return checked(path, given, lines, arguments(framework), lambda name, value: check(name, value, framework))


def _unknown(name: str, framework: str) -> UnknownSetting:
    error = UnknownSetting(name, arguments(framework))
    if frameworks.resolve(framework) == TRANSFORMERS:
        if name in INSTEAD:
            error.args = (f"unknown setting {name!r}: {INSTEAD[name]}.",)
    elif name in arguments():
        own = ", ".join(each for each in arguments(framework) if each not in settings()) or "none"
        error.args = (f"setting {name!r} says nothing to {framework}. Its own settings: {own}.",)
    return error
