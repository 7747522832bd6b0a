"""The settings of training by Spark NLP: names and defaults are those of its own annotators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..declaring import argument, table
from ..errors import ConfigError

SINGLE, SEVERAL, WORDS = "ClassifierDLApproach", "MultiClassifierDLApproach", "NerDLApproach"

_ALL = ("maxEpochs", "lr", "batchSize", "validationSplit", "evaluationLogExtended", "verbose")
TAKES: Mapping[str, tuple[str, ...]] = {
    SINGLE: (*_ALL, "dropout"),
    SEVERAL: (*_ALL, "threshold", "shufflePerEpoch"),
    WORDS: (
        *_ALL,
        "dropout",
        "po",
        "minEpochs",
        "graphFolder",
        "useContrib",
        "useBestModel",
        "bestModelMetric",
        "enableMemoryOptimizer",
        "prefetchBatches",
        "optimizePartitioning",
    ),
}
"""The annotator that learns -> the settings that are its own parameters. The others are of the session and the base."""


def _share(value: Any) -> float:
    if isinstance(value, bool) or not 0 <= float(value) <= 1:
        raise ValueError
    return float(value)


_SHARE: Mapping[str, Any] = {"type": "float | None", "read": _share, "expected": "a number from 0 to 1"}

ARGUMENTS = table(
    [
        argument(
            "jar",
            None,
            "The jar of Spark NLP, with all that it needs in it; TUNESMITH_SPARK_NLP_JAR names it as well.",
            type="str | None",
        ),
        argument("memory", "16G", "Memory of the Java virtual machine, where this run starts it."),
        argument(
            "maxEpochs", None, "Epochs: 30 for one label, 10 for several, 50 for tags.", type="int | None", lowest=1
        ),
        argument("minEpochs", None, "Epochs at least, of tags: 0.", type="int | None", lowest=0),
        argument(
            "lr",
            None,
            "Learning rate: 0.005 for one label, 0.001 for several and for tags.",
            type="float | None",
            lowest=0,
        ),
        argument(
            "po", None, "Decay of the rate, of tags: lr / (1 + po * epoch); 0.005.", type="float | None", lowest=0
        ),
        argument("batchSize", None, "Rows of a batch: 64 texts, 8 for tags.", type="int | None", lowest=1),
        argument("dropout", None, "Dropout: 0.5 for one label and for tags.", **_SHARE),
        argument("threshold", None, "Score from which on a label of several is told: 0.5.", **_SHARE),
        argument(
            "shufflePerEpoch", None, "Shuffle the rows of several labels in each epoch: false.", type="bool | None"
        ),
        argument("validationSplit", None, "Share of the training rows that is scored in the log: 0.", **_SHARE),
        argument("evaluationLogExtended", None, "Log time and scores of each label: false.", type="bool | None"),
        argument("verbose", None, "How much is logged, from 0, all, to 3, nothing.", type="int | None", lowest=0),
        argument("graphFolder", None, "Folder of TensorFlow graphs of your own, for tags.", type="str | None"),
        argument("useContrib", None, "LSTM cells of TensorFlow's contrib, for tags: true.", type="bool | None"),
        argument(
            "useBestModel", None, "Keep the best epoch of tags, by validation rows if any: false.", type="bool | None"
        ),
        argument(
            "bestModelMetric",
            None,
            "What useBestModel goes by: f1_micro.",
            type="str | None",
            choices=("f1_micro", "f1_macro", "loss"),
        ),
        argument(
            "enableMemoryOptimizer", None, "Read tagged rows batch by batch: slower, smaller.", type="bool | None"
        ),
        argument(
            "prefetchBatches", None, "Batches that enableMemoryOptimizer reads ahead: 0.", type="int | None", lowest=0
        ),
        argument(
            "optimizePartitioning", None, "Divide the rows anew for enableMemoryOptimizer: true.", type="bool | None"
        ),
        argument(
            "poolingStrategy",
            "AVERAGE",
            "How embeddings of words become one of a text.",
            choices=("AVERAGE", "SUM"),
        ),
    ]
)


def named(settings: Mapping[str, Any], learners: Iterable[str]) -> dict[str, Any]:
    """The parameters that were given to an annotator that learns; one of `learners` is going to.

    Raises:
        ConfigError: a parameter of another annotator.
    """
    known = {name for learner in learners for name in TAKES[learner]}
    every = {name for names in TAKES.values() for name in names}
    found = {name: value for name, value in settings.items() if name in every and value is not None}
    for name, value in found.items():
        if name not in known:
            owners = " and ".join(learner for learner, names in TAKES.items() if name in names)
            raise ConfigError(name, value, f"nothing: it is a setting of {owners}, which is not trained here")
    return found
