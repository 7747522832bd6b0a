"""A small task of each kind, of real texts where the project ships them, and what each framework needs to learn it."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import tiny
import tunesmith
from tunesmith import samples

TEXT, TOKENS, ALIKE = "text-classification", "token-classification", "sentence-similarity"
ASKED, WRITTEN = "question-answering", "sequence-sequence"
GENERATED, FILLED, DETECTED = "language-generation", "language-modeling", "token-detection"
LABELLED, UNLABELLED = (TEXT, TOKENS), (GENERATED, FILLED, DETECTED)

VECTORS, WRITER = "word-vectors.txt", "writer"
"""Stand for the file that `word_vectors` writes and for the folder of `writer`; a task, for that of its `reader`."""

GPT = "gpt-4.1-mini-2025-04-14"

SETTINGS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("baseline", TEXT): {},
    ("baseline", TOKENS): {},
    ("sentence-transformers", ALIKE): {"max_steps": 8, "learning_rate": 3e-4, "max_seq_length": 32},
    ("setfit", TEXT): {"max_steps": 4, "batch_size": 8, "body_learning_rate": 3e-4, "max_length": 32},
    ("spacy", TEXT): {"max_epochs": 5},
    ("spacy", TOKENS): {"max_epochs": 7},
    ("spark-nlp", TEXT): {"base": VECTORS, "maxEpochs": 40, "batchSize": 8, "memory": "4G"},
    ("spark-nlp", TOKENS): {"base": VECTORS, "maxEpochs": 30, "lr": 3e-3, "memory": "4G"},
    ("openai", TEXT): {"base": GPT, "yes": True, "poll_interval": 0.05},
    ("openai", TOKENS): {"base": GPT, "yes": True, "poll_interval": 0.05},
    ("openai", WRITTEN): {"base": GPT, "yes": True, "poll_interval": 0.05},
    ("transformers", TEXT): {"base": "minilm", "num_train_epochs": 1, "learning_rate": 1e-3, "maxlength": 32},
    ("transformers", TOKENS): {"base": "minilm", "num_train_epochs": 3, "learning_rate": 2e-3, "maxlength": 32},
    ("transformers", ASKED): {"base": "minilm", "num_train_epochs": 2, "learning_rate": 1e-3, "maxlength": 32},
    ("transformers", WRITTEN): {"base": WRITER, "num_train_epochs": 10, "learning_rate": 1e-2},
    ("peft", TEXT): {"base": "minilm", "num_train_epochs": 1, "learning_rate": 4e-3, "maxlength": 32},
    ("peft", TOKENS): {"base": "minilm", "num_train_epochs": 3, "learning_rate": 8e-3, "maxlength": 32},
    ("peft", ASKED): {"base": "minilm", "num_train_epochs": 2, "learning_rate": 4e-3, "maxlength": 32},
    ("peft", WRITTEN): {"base": WRITER, "num_train_epochs": 15, "learning_rate": 1e-2},
    **{
        (framework, task): {"base": task, "num_train_epochs": 10, "learning_rate": 1e-2, "maxlength": 32}
        for framework in ("transformers", "peft")
        for task in UNLABELLED
    },
    ("autotrain", TEXT): {"base": "minilm", "epochs": 2, "lr": 1e-3, "max_seq_length": 32, "logging_steps": 10},
    ("autotrain", TOKENS): {"base": "minilm", "epochs": 3, "lr": 2e-3, "max_seq_length": 24, "logging_steps": 10},
    ("spacy-transformers", TEXT): {
        "base": "minilm",
        "max_epochs": 1,
        "accumulate_gradient": 1,
        "optimizer": {"learn_rate": 3e-4},
        "batcher": {"size": 250},
    },
    ("spacy-transformers", TOKENS): {
        "base": "minilm",
        "max_epochs": 3,
        "accumulate_gradient": 1,
        "optimizer": {"learn_rate": 5e-4},
        "batcher": {"size": 100},
    },
    ("span-marker", TOKENS): {
        "base": "minilm",
        "num_train_epochs": 3,
        "per_device_train_batch_size": 4,
        "learning_rate": 5e-4,
        "model_max_length": 24,
        "marker_max_length": 24,
        "entity_max_length": 2,
    },
}
"""(framework, task) -> the settings that make it learn the small task in seconds: every pair that is accepted."""

REMOTE = frozenset({"openai"})
"""Frameworks whose models a service keeps. The conformance suite asks them neither for equal results of equal seeds,
which are the service's own, nor for a reload in a new process; `openai_service` stands for the service.
"""

FLOOR = {TEXT: 0.8, TOKENS: 0.8, ALIKE: 0.8, ASKED: 0.8, WRITTEN: 80}
"""The primary metric on held-out rows that a framework reaches with these settings; others lower the base's loss."""

Rows = list[dict[str, Any]]


@cache
def _messages() -> Sequence[tuple[str, str]]:
    """(text, label): 80 spam messages and 80 others, in turn."""
    with samples.path("sms_spam").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    found = {name: [row for row in rows if row[1] == name][:80] for name in ("spam", "ham")}
    return [row for pair in zip(*found.values(), strict=True) for row in pair]


def classes() -> tuple[Rows, Rows]:
    """(train, held out) of messages that are spam or ham."""
    rows = [{"text": text, "label": label} for text, label in _messages()]
    return rows[:120], rows[120:]


def several() -> tuple[Rows, Rows]:
    """(train, held out) of messages with any of the labels spam, figures and question."""
    rows = []
    for text, label in _messages():
        marks = {"spam": label == "spam", "figures": any(map(str.isdigit, text)), "question": "?" in text}
        rows.append({"text": text, "label": [name for name, holds in marks.items() if holds]})
    return rows[:120], rows[120:]


_PEOPLE = ("Maria Lopez", "John Smith", "Anna Weber", "Li Wei", "Omar Haddad")
_PLACES = ("Berlin", "New York", "Nairobi", "Lima", "San Marino")
_FORMS = (
    "{person} lives in {place} .",
    "Yesterday {person} flew to {place} with two friends .",
    "In {place} we met {person} at the station .",
    "The mayor of {place} thanked {person} for the help .",
)


def tagged() -> tuple[Rows, Rows]:
    """(train, held out) of sentences with people and places: held out are pairs that training has apart."""
    train, held = [], []
    for place, (form, person, town) in enumerate(product(_FORMS, _PEOPLE, _PLACES)):
        tokens: list[str] = []
        tags: list[str] = []
        for word in form.split():
            name = {"{person}": (person, "PER"), "{place}": (town, "LOC")}.get(word)
            parts = name[0].split() if name else [word]
            tokens += parts
            tags += [f"{'I' if at else 'B'}-{name[1]}" if name else "O" for at in range(len(parts))]
        (held if place % 6 == 5 else train).append({"tokens": tokens, "tags": tags})
    return train, held


def alike() -> tuple[Rows, Rows]:
    """(train, held out) of pairs of such sentences: 5 where person and place are the same, 2 where one is, else 0."""
    rows = []
    for at, (person, place) in enumerate(product(_PEOPLE, _PLACES)):
        for step, score in ((0, 5), (1, 2), (6, 0)):
            other = (at + step) % (len(_PEOPLE) * len(_PLACES))
            second, there = _PEOPLE[other // len(_PLACES)], _PLACES[other % len(_PLACES)]
            found = 5 if score == 5 else 2 if person == second or place == there else 0
            one, two = _FORMS[at % 4], _FORMS[(at + 1 + step) % 4]
            first = one.format(person=person, place=place)
            rows.append({"sentence1": first, "sentence2": two.format(person=second, place=there), "score": found})
    return rows[:60], rows[60:]


def _met() -> Iterator[tuple[str, str, str, bool]]:
    """(sentence, person, place, whether it is held out): a pair that is held out stands in other sentences too."""
    for at, (person, place, form) in enumerate(product(_PEOPLE, _PLACES, _FORMS)):
        yield form.format(person=person, place=place), person, place, at % 6 == 5


def asked() -> tuple[Rows, Rows]:
    """(train, held out) of sentences with a place to find."""
    found: tuple[Rows, Rows] = [], []
    for context, _, place, held in _met():
        found[held].append({"question": "Which place is it?", "context": context, "answers": place})
    return found


def written(form: str = "It was in {place} .") -> tuple[Rows, Rows]:
    """(train, held out) of sentences with another one to write."""
    found: tuple[Rows, Rows] = [], []
    for source, _, place, held in _met():
        found[held].append({"source": source, "target": form.format(place=place)})
    return found


def writer(folder: Path) -> str:
    """A T5 that has learned to name these places in another form."""
    train, _ = written("{place} had somebody .")
    base = tiny.t5(folder / "base", [" ".join(row.values()) for row in (*train, *written()[0])])
    settings: dict[str, Any] = {"num_train_epochs": 15, "learning_rate": 1e-2, "seed": 1}
    run = tunesmith.train(train, task=WRITTEN, base=base, output_dir=folder / "run", **settings)
    return str(run.folder.path)


def read_aloud() -> tuple[Rows, Rows]:
    """(train, held out) of sentences alone."""
    found: tuple[Rows, Rows] = [], []
    for text, _, _, held in _met():
        found[held].append({"text": text})
    return found


def reader(task: str, folder: Path) -> str:
    """A model of the task that has read these people and places in another form."""
    texts = [row["text"] for part in read_aloud() for row in part]
    make = {GENERATED: tiny.gpt2, FILLED: tiny.bert, DETECTED: tiny.electra}[task]
    rows = [{"text": f"{person} was at the station in {place} ."} for person, place in product(_PEOPLE, _PLACES)]
    settings: dict[str, Any] = {"num_train_epochs": 15, "learning_rate": 1e-2, "seed": 1, "maxlength": 32}
    run = tunesmith.train(rows, task=task, base=make(folder / "base", texts), output_dir=folder / "run", **settings)
    return str(run.folder.path)


def word_vectors(file: Path, width: int = 100) -> Path:
    """A vector for each word of the small tasks, in lower case: the sum of those of its pieces of three letters."""
    texts = [text for text, _ in _messages()] + [" ".join(row["tokens"]) for part in tagged() for row in part]
    words = sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]", text.lower())})
    lines = []
    for word in words:
        pieces = [f"<{word}>"[at : at + 3] for at in range(len(word))]
        vector = [sum(random.Random(f"{piece} {at}").uniform(-1, 1) for piece in pieces) for at in range(width)]
        lines.append(" ".join([word, *(f"{value:.4f}" for value in vector)]))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


DATA = {
    TEXT: classes,
    TOKENS: tagged,
    ALIKE: alike,
    ASKED: asked,
    WRITTEN: written,
    **dict.fromkeys(UNLABELLED, read_aloud),
}
