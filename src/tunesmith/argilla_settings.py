"""What `ArgillaTrainer.update_config` takes: the documented keys of Argilla 1.29, by the settings they are now."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .config import Settings, arguments, settings
from .errors import ConfigError, UnknownSetting

_log = logging.getLogger("tunesmith")
_OWN = object()  # the library's own default: none is documented, or what is documented is in error


@dataclass(frozen=True)
class Key:
    """A documented key. now: settings it may be called today, "lora.r" inside one; the first that is known is taken.

    default: the documented one. A `spread` key holds further keys, or a list of one mapping of them. called: documented
    values, by what they are called today.
    """

    name: str
    now: tuple[str, ...] = ()
    default: Any = _OWN
    spread: bool = False
    called: Mapping[str, str] = field(default_factory=dict)


def _keys(names: str) -> tuple[Key, ...]:
    return tuple(Key(name, (name,)) for name in names.split())


def _defaults(**values: Any) -> tuple[Key, ...]:
    return tuple(Key(name, (name,), value) for name, value in values.items())


_LOADING = (
    Key("pretrained_model_name_or_path", ("base",)),
    *(Key(name, (f"model_args.{name}",)) for name in "force_download proxies token cache_dir local_files_only".split()),
)
# adam_beta2 (0.9), max_steps (0), hub_model_id and hub_token are documented in error, or by a placeholder.
_TRAINING = (
    *_defaults(per_device_train_batch_size=8, per_device_eval_batch_size=8, gradient_accumulation_steps=1),
    *_defaults(learning_rate=5e-5, weight_decay=0.0, adam_beta1=0.9, adam_epsilon=1e-8, max_grad_norm=1.0),
    *_defaults(num_train_epochs=3, log_level="passive", logging_strategy="steps", save_strategy="steps"),
    *_defaults(save_steps=500, push_to_hub=False, hub_strategy="every_save", hub_private_repo=False),
    *_keys("adam_beta2 max_steps hub_model_id hub_token"),
    Key("evaluation_strategy", ("eval_strategy",)),
)
_LORA: dict[str, Any] = {"r": 8, "target_modules": None, "lora_alpha": 16, "lora_dropout": 0.1}
_LORA |= {"fan_in_fan_out": False, "bias": "none", "inference_mode": False, "init_lora_weights": True}
_LORA |= {"modules_to_save": None}

KEYS: Mapping[str, tuple[Key, ...]] = {
    "transformers": (*_LOADING, *_TRAINING, Key("defaults", ("defaults",), "transformers")),
    "peft": (
        *(Key(name, (f"lora.{name}",), value) for name, value in _LORA.items()),
        Key("task_type", ("lora.task_type",)),
        *_LOADING,
        *_TRAINING,
        Key("defaults", ("defaults",), "transformers"),
    ),
    "setfit": (
        *_LOADING,
        *_defaults(metric="accuracy", num_iterations=20, num_epochs=1, batch_size=16, warmup_proportion=0.1),
        *_defaults(distance_metric="cosine_distance", margin=0.25, samples_per_label=2),
        Key("learning_rate", ("learning_rate", "body_learning_rate"), 2e-5),
        Key("multi_target_strategy", ("multi_target_strategy",)),
        Key("loss_class", ("loss",)),
    ),
    "spacy": (
        *_defaults(dropout=0.1, accumulate_gradient=1, patience=1600, max_epochs=0, max_steps=20_000),
        *_defaults(eval_frequency=200),
        Key("language", ("lang",)),
    ),
    "span-marker": (
        *_LOADING,
        *_defaults(model_max_length=256, marker_max_length=128, entity_max_length=8),
        *_TRAINING,
    ),
    "openai": (
        Key("model", ("base",)),
        Key("hyperparameters", ("hyperparameters",), {"n_epochs": 1}, spread=True),
        *_keys("n_epochs batch_size learning_rate_multiplier suffix"),
    ),
    "autotrain": (
        *(Key(name, ("base",), called={"autotrain": "minilm"}) for name in ("model", "base")),
        Key("autotrain", (), spread=True),
        Key("hub_model", (), spread=True),
        Key("learning_rate", ("lr",)),  # 0.001 is documented: no rate to fine-tune at
        Key("optimizer", ("optimizer",), called={"adam": "adamw_torch"}),
        Key("scheduler", ("scheduler",), "linear"),
        Key("train_batch_size", ("batch_size",), 8),
        Key("epochs", ("epochs",), 10),
        Key("percentage_warmup", ("warmup_ratio",), 0.1),
        Key("gradient_accumulation_steps", ("gradient_accumulation",), 1),
        Key("weight_decay", ("weight_decay",), 0.1),
    ),
}
# Documented keys that nothing stands for any more: what to say of each.
_GONE = {
    "resume_download": "downloads are resumed without being told",
    "metric": "every score of the task is computed",
    "column_mapping": "the columns are those of the records",
    "train_corpus": "it is the data set",
    "dev_corpus": "it is the data set",
    "gpu_allocator": "gpu_id says where to compute",
    "task": "it is that of the data set",
    "output_dir": "it is said when training begins",
    "source_language": "the local AutoTrain asks for none",
    "num_models": "one model is trained",
    "training_file": "it is made of the data set",
    "validation_file": "it is made of the data set",
    **dict.fromkeys(
        "prompt_loss_weight compute_classification_metrics classification_n_classes classification_positive_class "
        "classification_betas".split(),
        "the service has no such setting any more",
    ),
}
# Values of documented keys that ask for nothing: they pass where the framework has no such setting.
_IDLE: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(
        "resume_download force_download local_files_only push_to_hub hub_private_repo".split(), (False, None)
    ),
    **dict.fromkeys("proxies token cache_dir hub_model_id hub_token column_mapping gpu_allocator".split(), (None,)),
    **dict.fromkeys("training_file validation_file before_to_disk before_update".split(), (None,)),
    **dict.fromkeys("frozen_components annotating_components".split(), ([], None)),
    "metric": ("accuracy",),
    "log_level": ("passive",),
    "logging_strategy": ("steps",),
    "save_strategy": ("steps", "no"),
    "save_steps": (500,),
    "hub_strategy": ("every_save",),
    "evaluation_strategy": ("no",),
    "train_corpus": ("corpora.train",),
    "dev_corpus": ("corpora.dev",),
    "prompt_loss_weight": (0.1, None),
    "compute_classification_metrics": (False, None),
    **dict.fromkeys("classification_n_classes classification_positive_class classification_betas".split(), (None,)),
}
# Documented values of spaCy's config for what the trainer says already.
_REFERENCES = {"gpu_allocator": ("${system.gpu_allocator}", 0), "seed": ("${system.seed}",)}
_FIXED = ("train", "task", "framework", "output_dir", "validation", "test", "training")  # the trainer's own words


def _documented_for(framework: str) -> tuple[Key, ...]:
    return KEYS.get("spacy" if framework == "spacy-transformers" else framework, ())


def documented(framework: str) -> dict[str, Any]:
    """The settings that a trainer of this framework begins with: what the documentation says of each key."""
    said: dict[str, Any] = {}
    for key in _documented_for(framework):
        if key.default is _OWN:
            continue
        if _place(framework, key.now):
            said[key.name] = key.default
        elif key.spread:
            said |= {name: value for name, value in key.default.items() if _place(framework, (name,))}
    return changed(framework, {}, said)


def changed(framework: str, given: Mapping[str, Any], updates: Mapping[str, Any]) -> dict[str, Any]:
    """`given` with the updates, each under the name of the framework's own setting; both stay as they are.

    Raises:
        UnknownSetting: neither a documented key nor a setting of the framework; the nearest is named.
        ConfigError: a value that cannot be used.
    """
    made = {name: dict(value) if isinstance(value, Mapping) else value for name, value in given.items()}
    keys = {key.name: key for key in _documented_for(framework)}
    known = _settings(framework)
    for name, value in updates.items():
        key = keys.get(name)
        place = None if key is None else _place(framework, key.now)
        if key is not None and key.spread and place is None:
            made = changed(framework, made, _spread(name, value))
            continue
        if place is None and name in known:
            place = name
        if place is None and framework == "peft" and name in _lora_fields():
            place = f"lora.{name}"
        if _is_idle(name, value, place):
            _log.warning("%s=%r is left out: %s", name, value, _GONE.get(name, f"it asks nothing of {framework}"))
            continue
        if place is None:
            raise _unknown(name, framework)
        value = value.__name__ if isinstance(value, type) else value  # a class stands for its name
        if key is not None and isinstance(value, str):
            value = key.called.get(value, value)
        outer, _, inner = place.partition(".")
        if outer == "lora" and not inner and isinstance(value, Mapping):
            value = {**(made.get("lora") or {}), **value}
        if inner:
            made[outer] = {**(made.get(outer) or {}), inner: value}
        else:
            made[outer] = value
    Settings.make(framework=framework, **made)
    return made


def _is_idle(name: str, value: Any, place: str | None) -> bool:
    """Whether a documented key asks for nothing: its value is the documented one, of what the framework has not."""
    if name in _REFERENCES and value in _REFERENCES[name]:
        return True
    return place is None and any(value == idle and type(value) is type(idle) for idle in _IDLE.get(name, ()))


def _spread(name: str, value: Any) -> Mapping[str, Any]:
    """The settings within a value: a mapping, or a list of one.

    Raises:
        ConfigError: anything else; a second mapping would be of a second model.
    """
    parts = value if isinstance(value, list | tuple) else [value]
    if len(parts) != 1 or not isinstance(parts[0], Mapping):
        raise ConfigError(name, value, "a mapping of settings, or a list of one: one model is trained")
    return parts[0]


def parted(framework: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(settings of the model, settings of its training)"""
    of_model = {name for name, each in settings().items() if each.group in ("Model", "Features", "Adapter")}
    model = {name: value for name, value in given.items() if name in of_model and name in arguments(framework)}
    return model, {name: value for name, value in given.items() if name not in model}


def said(run: Settings) -> dict[str, Any]:
    """The settings of a run that are worth telling: not the defaults, nor from which data they read."""
    return {name: value for name, value in run.to_dict().items() if _is_said(name, value)}


def _is_said(name: str, value: Any) -> bool:
    known = settings().get(name)
    if known is None or name in ("task", "framework", "output_dir"):
        return known is None
    return known.group != "Data" and value != known.default


def code_of(lang: Any) -> Any:
    """The code of a blank spaCy `Language`; anything else as it is.

    Raises:
        ConfigError: a pipeline with components, which is a model.
    """
    if not hasattr(lang, "make_doc"):
        return lang
    if lang.pipe_names:
        raise ConfigError(
            "lang", lang, "a language's code, or a blank pipeline; one with components is given as model="
        )
    return lang.lang


def _unknown(name: str, framework: str) -> UnknownSetting:
    has = {key.name: _has(framework, key) for key in _documented_for(framework)}
    error = UnknownSetting(name, (*_settings(framework), *(key for key, there in has.items() if there)))
    told = _GONE.get(name)
    if told is None and name in has:
        told = f"{framework} has none of this name; `tunesmith train --framework {framework} --help` lists its own"
    if told is not None:
        error.args = (f"unknown setting {name!r}: {told}.",)
    return error


def _settings(framework: str) -> tuple[str, ...]:
    return tuple(name for name in arguments(framework) if name not in _FIXED)


def _lora_fields() -> Iterable[str]:
    from .training.adapters import lora_fields

    return lora_fields()


def _has(framework: str, key: Key) -> bool:
    return key.spread or _place(framework, key.now) is not None


def _place(framework: str, names: Iterable[str]) -> str | None:
    """The first of these that the framework has; of "lora.r" it is the part before the dot that it must have."""
    known = _settings(framework)
    return next((name for name in names if name.partition(".")[0] in known), None)
