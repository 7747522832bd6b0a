"""What is measured: the rows of each work load, its settings and its seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import reading
from .reading import Row, Rows

# The Trainer's defaults of transformers 5, spelled out, so that both sides get them whatever their own defaults are.
EQUAL: Mapping[str, Any] = {
    "learning_rate": 5e-5,
    "per_device_train_batch_size": 8,
    "lr_scheduler_type": "linear",
    "warmup_steps": 0,
    "weight_decay": 0.0,
}
ONE_EPOCH, TWO_EPOCHS = ({**EQUAL, "num_train_epochs": epochs} for epochs in (1, 2))


@dataclass(frozen=True)
class Workload:
    """kind: see `gold`, and answers. group: equal (same settings on both sides) or defaults.

    lengths: tokens of a feature and tokens that chunks share, where they matter. lora: settings of PEFT's `LoraConfig`,
    where an adapter is trained. Both are the same on both sides.
    """

    name: str
    group: str
    task: str
    kind: str
    read: Callable[[Path], Rows]
    settings: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    columns: tuple[str, ...] | None = None
    lengths: Mapping[str, int] = field(default_factory=dict)
    lora: Mapping[str, Any] = field(default_factory=dict)


CLASSIFICATION = "text-classification"
WORKLOADS: Mapping[str, Workload] = {
    load.name: load
    for load in (
        Workload("sst2", "equal", CLASSIFICATION, "single", reading.sst2, ONE_EPOCH, (0, 1)),
        Workload("trec6", "equal", CLASSIFICATION, "single", reading.trec6, TWO_EPOCHS, (0, 1)),
        Workload(
            "stsb",
            "equal",
            CLASSIFICATION,
            "regression",
            reading.stsb,
            ONE_EPOCH,
            (0, 1),
            columns=("sentence1", "sentence2", "score"),
        ),
        Workload(
            "conll2003",
            "equal",
            "token-classification",
            "tags",
            reading.conll2003,
            TWO_EPOCHS,
            (0, 1),
        ),
        Workload("ag_news", "equal", CLASSIFICATION, "single", reading.ag_news, ONE_EPOCH, (0, 1)),
        Workload("documents", "equal", CLASSIFICATION, "single", reading.documents, TWO_EPOCHS, (0, 1)),
        Workload(
            "go_emotions",
            "equal",
            CLASSIFICATION,
            "multi",
            reading.go_emotions,
            {**EQUAL, "learning_rate": 1e-4, "num_train_epochs": 3},
        ),
        Workload(
            "squad",
            "equal",
            "question-answering",
            "answers",
            reading.squad,
            {**EQUAL, "learning_rate": 1e-4, "num_train_epochs": 2},
            lengths={"maxlength": 384, "stride": 128},
        ),
        Workload(
            "wikitext",
            "equal",
            "language-generation",
            "causal",
            reading.sentences_of_wikipedia,
            {**EQUAL, "learning_rate": 1e-3, "num_train_epochs": 2, "per_device_train_batch_size": 32},
            (0, 1),
            lengths={"maxlength": 128},
        ),
        Workload(
            "multi30k",
            "equal",
            "sequence-sequence",
            "texts",
            reading.translations,
            {**EQUAL, "learning_rate": 1e-3, "num_train_epochs": 2, "per_device_train_batch_size": 32},
            (0, 1),
            columns=("source", "target"),
            lengths={"maxlength": 128},
        ),
        Workload(
            "sst2-lora",
            "equal",
            CLASSIFICATION,
            "single",
            reading.sst2,
            {**EQUAL, "learning_rate": 1e-3, "num_train_epochs": 1},
            (0, 1),
            lora={"r": 16, "lora_alpha": 8, "lora_dropout": 0.05, "target_modules": "all-linear"},
        ),
        Workload("banking77-defaults", "defaults", CLASSIFICATION, "single", reading.banking77),
        Workload("trec6-defaults", "defaults", CLASSIFICATION, "single", reading.trec6),
        Workload("sst2-defaults", "defaults", CLASSIFICATION, "single", reading.sst2),
        Workload("sms-defaults", "defaults", CLASSIFICATION, "single", reading.sms),
    )
}


def gold(kind: str, rows: Sequence[Row]) -> list[Any]:
    """What a scorer compares with, one value a row: a name, a list of names, a float, tags, or accepted answers."""
    column = {
        "causal": "text",
        "texts": "target",
        "single": "label",
        "multi": "labels",
        "regression": "score",
        "tags": "tags",
    }
    if kind == "answers":
        return [row["answers"]["text"] for row in rows]
    return [row[column[kind]] for row in rows]
