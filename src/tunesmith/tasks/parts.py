"""The parts of a run, training, validation and test: data, fractions and named splits as examples."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import Settings, arguments
from ..data.columns import again, gold_role
from ..data.dataset import Dataset
from ..errors import ConfigError, DataError
from ..training_arguments import training_arguments
from .base import Examples, Reading, RowId, Task
from .reading import is_blank, with_rows
from .splitting import group_values, part

Note = Callable[[str], object]

# The names by which the splits of a source are known, in the order in which they are looked for.
_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "eval"),
    "test": ("test",),
}
_KINDS = {
    "single": "single labels, {} classes",
    "multi": "several labels a row, {} classes",
    "regression": "labels are numbers: regression",
    "tags": "a tag for each word, {} names",
    "spans": "spans in characters, {} names of tags",
    "mixed": "some contexts have no answer",
    "answerable": "every context has an answer",
    "scores": "pairs with a score",
    "pairs": "pairs that belong together",
    "triplets": "pairs that belong together, each with a text that does not",
}
_FEW = 10  # classes that are named one by one
_SENTENCES = 20  # this many rows of one word each may be a sample of sentences; more are a column of words
_IN_A_BLOCK = 32  # rows that one block of a language task takes where they are short
_MOST_JOINED = 1_000_000  # rows of a stream read on that account
_WHOLE_SENTENCES = "each is read as a sentence of its own; give a CoNLL file, or lists of words and tags"


def read_data(
    task: Task, train: Any, validation: Any, test: Any, settings: Settings, *, note: Note = lambda _: None
) -> dict[str, Examples]:
    """The examples of every part: named splits and given data read, fractions held out of the training rows.

    A source of several splits gives validation and test too where they are not asked for; such a split without labels
    is left out. `note` is told of that, of the columns found, of the kind of labels, of a part far from its size, and
    of texts of a given part that training rows have too.

    Raises:
        DataError: data that cannot be used, or a fraction that leaves rows of one class alone to train on.
    """
    from ..data.sources import read_splits

    given: dict[str, Any] = {"validation": validation, "test": test}
    fractions = {name: value for name, value in given.items() if isinstance(value, float)}
    if sum(fractions.values()) >= 1:
        raise ConfigError("validation and test", sum(fractions.values()), "fractions that leave rows to train on")
    gold = gold_role(task.roles, task.optional) is not None
    enough = _enough(settings, sum(fractions.values()), joined=not gold and settings.merge is not None)
    named = read_splits(train, names=task.roles, limit=settings.limit, cache=settings.cache, gold=gold, enough=enough)
    chosen = _training_split(named)
    source = with_rows(named[chosen])
    reading = Reading(settings.columns, None, settings.bad_rows, label_kind=settings.label_kind)
    whole = task.examples(source, reading)
    note(_found(source, whole, is_inferred=settings.columns is None))
    if _is_column_of_words(whole):
        note(f"every row has one word: {_WHOLE_SENTENCES}")
    groups = group_values(source, settings.group) if settings.group else None
    parts = _divided(whole, fractions, groups, settings.seed, by_context=task.name == "question-answering", note=note)
    others = {
        name: with_rows(_split(value, name, named, task, settings))
        for name, value in given.items()
        if value is not None and name not in fractions
    }
    others |= _adopted(task, parts["train"], chosen, named, given, note)
    parts |= {name: _examples(task, dataset, parts["train"], reading, note) for name, dataset in others.items()}
    for text in _doubts(parts):
        note(text)
    return {name: parts[name] for name in ("train", "validation", "test") if name in parts}


def _divided(
    whole: Examples,
    fractions: dict[str, float],
    groups: dict[RowId, Any] | None,
    seed: int,
    *,
    by_context: bool,
    note: Note,
) -> dict[str, Examples]:
    """The fractions held out of the training rows, and what is left of these.

    Raises:
        DataError: rows of one class alone are left.
    """
    parts = {"train": whole}
    for name, fraction in reversed(fractions.items()):
        share = fraction * len(whole) / len(parts["train"])
        parts["train"], parts[name] = part(parts["train"], share, seed=seed, by_context=by_context, groups=groups)
    together = "rows of one context" if by_context else "equal texts"
    together += " and rows of one group" if groups else ""
    for text in _sizes(parts, {name: fraction * len(whole) for name, fraction in fractions.items()}, together):
        note(text)
    _check_classes(parts, together)
    return parts


def _enough(settings: Settings, held: float, *, joined: bool) -> int | None:
    """How many rows of a stream `max_steps` steps take, the share held out included; None without `max_steps`.

    Nor where a step is not of so many rows, but of pairs of them. joined: rows are joined into blocks, each of which
    may take many.
    """
    steps = int(settings.training.get("max_steps") or -1)
    if steps <= 0 or "per_device_train_batch_size" not in arguments(settings.framework):
        return None
    rows = math.ceil(steps * rows_a_step(settings) / (1 - held))
    return max(rows, min(_IN_A_BLOCK * rows, _MOST_JOINED)) if joined else rows


def rows_a_step(settings: Settings) -> int:
    """Rows of a step of the optimizer, over all processes."""
    names = ("per_device_train_batch_size", "gradient_accumulation_steps")
    found = [int(settings.training.get(name) or training_arguments()[name].default) for name in names]
    return math.prod(found) * int(os.environ.get("WORLD_SIZE") or 1)


def _is_column_of_words(train: Examples) -> bool:
    return train.kind == "tags" and len(train) > _SENTENCES and all(len(e.tokens or ()) == 1 for e in train)


def _sizes(parts: Mapping[str, Examples], asked: Mapping[str, float], together: str) -> Iterator[str]:
    """What is to be said of each part held out that is off by more than half of the rows asked for."""
    for name, rows in asked.items():
        found, wanted = parts[name], max(round(rows), 1)
        if 2 * abs(len(found) - wanted) > wanted:
            is_short = len(found) < wanted and found.kind in ("single", "multi")
            kept = ", and every class keeps one to train on" if is_short else ""
            yield f"{name}: {len(found)} rows instead of {wanted}: {together} stay on one side{kept}"


def _doubts(parts: Mapping[str, Examples]) -> Iterator[str]:
    """What is to be said of single labels: names that are alike but for their case, and classes that no part scores."""
    train = parts["train"]
    if train.kind != "single" or train.labels is None:
        return
    folded: dict[str, list[str]] = {}
    for name in train.labels.names:
        folded.setdefault(name.casefold(), []).append(name)
    for names in folded.values():
        if len(names) > 1:
            yield f"labels that differ in case alone are classes of their own: {', '.join(map(repr, names))}"
    for where, held in parts.items():
        if where == "train" or not (missing := set(train.labels.names) - {e.label for e in held}):
            continue
        rows = Counter(e.label for e in train if e.label in missing)
        named = [f"{name!r} ({rows[name]} to train on)" for name in sorted(rows)]
        if named:
            more = f" and {len(named) - _FEW} classes more" if len(named) > _FEW else ""
            yield f"{where}: no row of {', '.join(named[:_FEW])}{more}: its scores say nothing of these"


def _check_classes(parts: Mapping[str, Examples], together: str) -> None:
    """Raises: DataError, where the parts held out took every class but one from the training rows."""
    train, held = parts["train"], {name: parts[name] for name in ("validation", "test") if name in parts}
    if train.kind != "single" or not held:
        return
    first = train[0].label
    if any(e.label != first for e in train) or all(e.label == first for part in held.values() for e in part):
        return
    rows = "the one row left to train on has" if len(train) == 1 else f"the {len(train)} rows left to train on all have"
    raise DataError(
        f"{rows} the label {first!r}: {together} stay on one side, and every row of another class was held out. "
        f"Give {' and '.join(held)} as data, or more rows that differ in each class."
    )


def _training_split(named: Mapping[str, Dataset]) -> str:
    if len(named) == 1:
        return next(iter(named))
    found = next((name for name in _NAMES["train"] if name in named), None)
    if found is None:
        raise ConfigError("train", sorted(named), "a split called 'train' among the splits, or one split alone")
    return found


def _split(value: Any, name: str, named: Mapping[str, Dataset], task: Task, settings: Settings) -> Dataset:
    if isinstance(value, str) and value in named:
        return named[value]
    if isinstance(value, str) and len(named) > 1 and not Path(value).exists():
        raise ConfigError(name, value, f"a split ({', '.join(named)}), a path, a fraction, or data")
    from ..data.sources import read

    gold = gold_role(task.roles, task.optional) is not None
    found = read(value, name=name, names=task.roles, limit=settings.limit, cache=settings.cache, gold=gold)
    assert isinstance(found, Dataset)
    return found


def _adopted(
    task: Task, train: Examples, chosen: str, named: Mapping[str, Dataset], given: Mapping[str, Any], note: Note
) -> dict[str, Dataset]:
    """The named splits that are used though nobody asked for them, by part."""
    taken = {chosen, *(value for value in given.values() if isinstance(value, str))}
    found: dict[str, Dataset] = {}
    for name, value in given.items():
        split = next((known for known in _NAMES[name] if known in named and known not in taken), None)
        if value is None and split is not None:
            taken.add(split)
            if _has_gold(named[split], train.columns.get(gold_role(task.roles, task.optional) or "")):
                found[name] = named[split]
            else:
                note(f"split {split!r} has no labels: it is not used")
    unused = [name for name in named if name not in taken]
    if unused:
        note(f"splits that are not used: {', '.join(unused)}")
    return found


def _has_gold(dataset: Dataset, column: str | None) -> bool:
    """Whether any row has something to be scored against in its gold column (None: a row is its own gold)."""
    if not column:
        return len(dataset) > 0
    return column in dataset.columns and any(not is_blank(row[column]) for _, row in dataset)


def _examples(task: Task, dataset: Dataset, train: Examples, reading: Reading, note: Note) -> Examples:
    """The rows of another part than training, read as those were."""
    columns = again(train.columns, dataset.columns, roles=task.roles, optional=task.optional)
    found = task.examples(dataset, replace(reading, labels=train.labels, columns=columns))
    if found.columns != train.columns:
        note(f"columns of {dataset.name}: {_listed(found.columns)}")
    if shared := _shared(train, found):
        told = f"{dataset.name}: {shared:,} of {len(found):,} rows have a text that training rows have too"
        note(f"{told}: their scores are not of new texts")
    return found


def _shared(train: Examples, held: Examples) -> int:
    """How many rows of `held` have the text of a training row."""
    counts = Counter((example.text, example.pair) for example in held)
    return sum(counts.pop((example.text, example.pair), 0) for example in train)


def _found(dataset: Dataset, examples: Examples, *, is_inferred: bool) -> str:
    """What was found in the training rows: "columns: text=message, label=verdict; single labels, 2 classes"."""
    unused = [column for column in dataset.columns if column not in examples.columns.values()]
    left = f" (not used: {', '.join(unused)})" if unused and is_inferred else ""
    names = examples.labels.names if examples.labels else ()
    kind = _KINDS.get(examples.kind, "").format(len(names))
    if examples.kind in ("single", "multi") and len(names) <= _FEW:
        kind += f" ({', '.join(names)})"
    if examples.kind == "single" and (mark := _joined(names)):
        kind += f"; some hold {mark!r}: say label_kind='multi' if a row has several labels"
    return f"columns: {_listed(examples.columns)}{left}" + (f"; {kind}" if kind else "")


def _joined(names: Sequence[str]) -> str | None:
    """The mark that seems to join several labels of a cell: one whose parts are labels of other cells too."""
    for mark in "|;,":
        parts = [part.strip() for name in names if mark in name for part in name.split(mark)]
        if any(part in names or parts.count(part) > 1 for part in parts):
            return mark
    return None


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{role}={column}" for role, column in columns.items())
