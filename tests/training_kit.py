"""A Trainer over a tiny BERT, real recipe and task included, for the tests of the training loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForSequenceClassification

from tiny import TEXTS, bert, bert_tokenizer
from tunesmith.data.labels import Labels
from tunesmith.tasks.base import Account, Example, Examples
from tunesmith.tasks.text_classification import TASK
from tunesmith.training import arguments
from tunesmith.training.classification import RECIPE
from tunesmith.training.recipe import Encoding
from tunesmith.training.trainer import Trainer

NAMES = ("good", "bad", "plain")


def examples(count: int, *, start: int = 100) -> Examples:
    """Texts of unequal length with three labels; row ids start at `start`, so that no id is a place."""
    words = " ".join(TEXTS).split()
    rows = [
        Example(start + n, text=" ".join(words[n % 7 : n % 7 + 2 + (n * 5) % 11]), label=NAMES[n % 3])
        for n in range(count)
    ]
    return Examples(rows, Labels("single", NAMES), Account(count), f"kit-{count}", "single")


def encoding(kind: str = "single", labels: Labels | None = None, **settings: Any) -> Encoding:
    return Encoding(bert_tokenizer(), labels or Labels("single", NAMES), kind, 32, **settings)


def features(rows: Sequence[Example], how: Encoding) -> Dataset:
    return Dataset.from_list(RECIPE.encode(rows, how, True))


def classifier(folder: Path, *, dropout: float = 0.0, labels: int = 3, **config: Any) -> Any:
    """A classifier whose weights depend on nothing but the arguments."""
    torch.manual_seed(0)
    base = bert(folder / "base")
    rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    return AutoModelForSequenceClassification.from_pretrained(base, num_labels=labels, **rates, **config)


def trainer(place: Path, *, train: Examples | None = None, model: Any = None, **settings: Any) -> Trainer:
    """A Trainer that writes to `place`/out; keywords that are no training arguments go to the Trainer."""
    known = arguments.training_arguments()
    named = {name: value for name, value in settings.items() if name in known}
    others = {name: value for name, value in settings.items() if name not in known}
    rows, how = train or examples(12), others.pop("encoding", encoding())
    valid = others.pop("valid", None)
    if valid is not None:
        others |= {"eval_dataset": features(valid, how), "eval_examples": valid}
    given: dict[str, Any] = {"per_device_train_batch_size": 2, "disable_tqdm": True, "logging_steps": 1} | named
    seed = given.pop("seed", 7)
    return Trainer(
        model=model if model is not None else classifier(place),
        args=arguments.build(given, output_dir=str(place / "out"), seed=seed),
        train_dataset=others.pop("train_dataset", None) or features(rows, how),
        recipe=others.pop("recipe", RECIPE),
        encoding=how,
        task=TASK,
        processing_class=how.tokenizer,
        row_ids=[row.id for row in rows],
        **others,
    )


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Bit for bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
