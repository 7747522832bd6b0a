"""What `ArgillaTrainer.update_config` takes: the documented keys of Argilla 1.29, by the settings they are now."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from .argilla_keys import GONE, IDLE, KEYS, OWN, REFERENCES, Key
from .config import Settings, arguments, settings
from .errors import ConfigError, UnknownSetting

_log = logging.getLogger("tunesmith")
_FIXED = ("train", "task", "framework", "output_dir", "validation", "test", "training")  # the trainer's own words


def documented(framework: str) -> dict[str, Any]:
    """The settings that a trainer of this framework begins with: what the documentation says of each key."""
    said: dict[str, Any] = {}
    for key in KEYS.get(framework, ()):
        if key.default is OWN:
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
    keys = {key.name: key for key in KEYS.get(framework, ())}
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
        if _is_idle(name, value, place, key):
            _log.warning("%s=%r is left out: %s", name, value, _gone(name, key) or f"it asks nothing of {framework}")
            continue
        if place is None:
            raise _unknown(name, framework)
        value = value.__name__ if isinstance(value, type) else value  # a class stands for its name
        if key is not None and isinstance(value, str):
            value = key.called.get(value, value)
        outer, _, inner = place.partition(".")
        if outer == "lora" and not inner and isinstance(value, Mapping):
            value = {**_parts(outer, made.get(outer)), **value}
        made[outer] = {**_parts(outer, made.get(outer)), inner: value} if inner else value
    Settings.make(framework=framework, **made)
    return made


def _parts(name: str, held: Any) -> Mapping[str, Any]:
    """The arguments that a setting holds, for others to stand beside: true, false and None hold none.

    Raises:
        ConfigError: an object, such as a `LoraConfig`.
    """
    if held is None or isinstance(held, bool | Mapping):
        return held if isinstance(held, Mapping) else {}
    raise ConfigError(name, held, f"a mapping where one of its arguments is changed: {name}=True first, or the object")


def _gone(name: str, key: Key | None) -> str:
    return (key.gone if key else "") or GONE.get(name, "")


def _is_idle(name: str, value: Any, place: str | None, key: Key | None) -> bool:
    """Whether a documented key asks for nothing: its value is the documented one, of what the framework has not."""
    if name in REFERENCES and value in REFERENCES[name]:
        return True
    idle = (*IDLE.get(name, ()), *(key.idle if key else ()))
    return place is None and any(value == each and type(value) is type(each) for each in idle)


def _spread(name: str, value: Any) -> Mapping[str, Any]:
    """The settings within a value: a mapping, or a list of one; None has none.

    Raises:
        ConfigError: anything else; a second mapping would be of a second model.
    """
    parts = value if isinstance(value, list | tuple) else [{} if value is None else value]
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
    keys = {key.name: key for key in KEYS.get(framework, ())}
    has = {key: _has(framework, each) for key, each in keys.items()}
    error = UnknownSetting(name, (*_settings(framework), *(key for key, there in has.items() if there)))
    told = _gone(name, keys.get(name))
    if not told and name in keys:
        told = f"{framework} has none of this name; `tunesmith train --framework {framework} --help` lists its own"
    if told:
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
