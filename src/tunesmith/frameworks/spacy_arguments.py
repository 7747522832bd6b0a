"""What a run of spaCy can be told: its [training] block by its own names and defaults, and how the pipeline is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import values
from ..declaring import argument, table
from ..errors import ConfigError, UnknownSetting

_MADE, _FOR = "Pipeline", "Training"
_PARTS: Any = {"type": "object", "read": values.read_mapping, "expected": "a mapping"}
_CALLED: Any = {
    "type": "object | None",
    "read": values.read_mapping,
    "expected": "a mapping with '@callbacks', or None",
}
_NAMES: Any = {"type": "list", "read": lambda value: _names(value), "expected": "a list of names"}


def _names(value: Any) -> list[str]:
    if isinstance(value, str) or not all(isinstance(name, str) for name in value):
        raise ValueError
    return list(value)


def _share(value: Any) -> float:
    if isinstance(value, bool) or not 0 <= float(value) <= 1:
        raise ValueError
    return float(value)


ARGUMENTS = table(
    [
        argument("lang", "en", "Language whose tokenizer makes the words, where the base brings none.", group=_MADE),
        argument(
            "optimize",
            "efficiency",
            "What the pipeline is made for, as `spacy init config` asks it.",
            group=_MADE,
            choices=("efficiency", "accuracy"),
        ),
        argument("freeze_tok2vec", False, "Keep what the base knows of words as it is.", group=_MADE),
        argument("batch_size", 1000, "Texts of a batch of an evaluation: nlp.batch_size.", group=_MADE, lowest=1),
        argument(
            "dropout",
            0.1,
            "Share of the activations that an update leaves out.",
            read=lambda value: _share(value),
            expected="a number from 0 to 1",
        ),
        argument("accumulate_gradient", 1, "Parts that a batch is divided into.", lowest=1),
        argument("patience", 1600, "Steps without a better score before training stops; 0 never stops so.", lowest=0),
        argument(
            "max_epochs", 0, "Passes over the data; 0 sets no limit where validation rows tell when to stop.", lowest=0
        ),
        argument("max_steps", 20000, "Updates at most; 0 sets no limit.", lowest=0),
        argument("eval_frequency", 200, "Steps from one evaluation to the next.", lowest=1),
        argument("optimizer", {}, "Parts of [training.optimizer] that differ from the default, Adam.", **_PARTS),
        argument("batcher", {}, "Parts of [training.batcher] that differ from the default, batch_by_words.", **_PARTS),
        argument("logger", {}, "A [training.logger] that runs beside the run's own events.", **_PARTS),
        argument("score_weights", {}, "Weight of each score in the one that chooses the model.", **_PARTS),
        argument(
            "train_corpus",
            "corpora.train",
            "Place of the training rows in the config: those of the run stand there.",
            choices=("corpora.train",),
        ),
        argument(
            "dev_corpus",
            "corpora.dev",
            "Place of the validation rows in the config: those of the run stand there.",
            choices=("corpora.dev",),
        ),
        argument(
            "gpu_allocator",
            None,
            "Library that gives out a GPU's memory; says nothing on a CPU.",
            type="str | None",
            choices=("pytorch", "tensorflow"),
        ),
        argument("frozen_components", [], "Components of the base that are not updated.", **_NAMES),
        argument("annotating_components", [], "Components that annotate the texts of an update.", **_NAMES),
        argument("before_update", None, "Callback of each update.", **_CALLED),
        argument("before_to_disk", None, "Callback that changes the pipeline before it is kept.", **_CALLED),
    ]
)

TRAINING = tuple(name for name, each in ARGUMENTS.items() if each.group == _FOR)
BLOCKS = ("optimizer", "batcher", "logger")


def named(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Every argument with its value."""
    return {name: each.default for name, each in ARGUMENTS.items()} | dict(settings)


def training_block(settings: Mapping[str, Any], defaults: Any, scores: Mapping[str, Any]) -> Any:
    """The [training] block: `defaults` (a `Config`) with what the user named merged in, checked by spaCy.

    A part that names another function than the default's replaces it whole. scores: the known score weights.

    Raises:
        UnknownSetting: a key that the default's function does not have, or an unknown score; it names the nearest.
        ConfigError: a value that spaCy does not take, or settings by which training never ends.
    """
    from thinc.api import Config

    given = {name: settings[name] for name in TRAINING if name in settings}
    refuse_unknown(given, {block: defaults[block] for block in BLOCKS})
    for name in given.get("score_weights", {}):
        if name not in scores:
            raise UnknownSetting(f"score_weights.{name}", [f"score_weights.{each}" for each in scores])
    merged = Config({"training": defaults}).merge({"training": given})["training"]
    refuse_endless(merged)
    resolved(merged)
    return merged


def refuse_endless(settings: Mapping[str, Any]) -> None:
    """Raises: ConfigError, for settings by which training never ends."""
    if not (settings["patience"] or settings["max_epochs"] or settings["max_steps"]):
        raise ConfigError("max_steps", 0, "an end of training: patience, max_epochs or max_steps above 0")


def refuse_unknown(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raises: UnknownSetting, for a key of a block that the default's function does not have; it names the nearest."""
    for block, default in defaults.items():
        for key in _unknown(given.get(block, {}), default, block):
            raise UnknownSetting(key, _keys(default, block))


def resolved(training: Any) -> dict[str, Any]:
    """The block with its functions called: the optimizer, the batcher and so on.

    Raises:
        ConfigError: a value that spaCy does not take.
    """
    from spacy.schemas import ConfigSchemaTraining
    from spacy.util import registry
    from thinc.api import Config, ConfigValidationError

    try:
        found: dict[str, Any] = registry.resolve(Config(training), schema=ConfigSchemaTraining)
    except ConfigValidationError as error:
        raise _ours(error, training) from error
    except Exception as error:  # whatever a registered function makes of its arguments
        raise _told(_culprit(training), training, str(error)) from error
    return found


def _culprit(training: Mapping[str, Any]) -> str:
    """The part of the block that spaCy cannot resolve."""
    from spacy.util import registry
    from thinc.api import Config

    for name in training:
        try:
            registry.resolve(Config({name: training[name]}))
        except Exception:  # the one that is looked for
            return name
    return "training"


def _ours(error: Any, training: Mapping[str, Any]) -> ConfigError:
    first = next(iter(error.errors or ()), None)
    if first is None:
        return _told(_culprit(training), training, str(error.desc or error))
    place = [str(part) for part in first["loc"]]
    return _told(".".join(place), training, first["msg"])


def _told(place: str, training: Mapping[str, Any], said: str) -> ConfigError:
    """The error of a value; what spaCy says of it in one line. A place ends where the block has no such key."""
    found: list[str] = []
    value: Any = training
    for part in place.split("."):
        if not isinstance(value, Mapping) or part not in value:
            break
        found, value = [*found, part], value[part]
    first = " ".join(said.split("\n\n", maxsplit=1)[0].split())
    return ConfigError(".".join(found) or place, value, f"what spaCy takes there; it says: {first}")


def _is_other(given: Mapping[str, Any], default: Mapping[str, Any]) -> bool:
    """Whether it names another registered function than the default."""
    return any(key.startswith("@") and default.get(key) != name for key, name in given.items())


def _unknown(given: Mapping[str, Any], default: Mapping[str, Any], prefix: str) -> Iterator[str]:
    if _is_other(given, default):
        return
    for key, value in given.items():
        if key not in default:
            yield f"{prefix}.{key}"
        elif isinstance(value, Mapping) and isinstance(default[key], Mapping):
            yield from _unknown(value, default[key], f"{prefix}.{key}")


def _keys(block: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in block.items():
        yield f"{prefix}.{key}"
        if isinstance(value, Mapping):
            yield from _keys(value, f"{prefix}.{key}")
