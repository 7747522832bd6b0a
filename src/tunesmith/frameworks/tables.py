"""Examples as the columns of a table, and as a Hugging Face data set with its types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..tasks.base import Examples
from ..tasks.word_tags import bio_names
from .base import TARGET, TEXT, TOKENS, names_of, tags_of

LABEL, TAGS = "label", "ner_tags"
Columns = dict[str, list[Any]]


def datasets_of(
    task: str, splits: Mapping[str, Examples], labels: Sequence[str], *, label: str = LABEL, tags: str = TAGS
) -> Any:
    """A `datasets.Dataset`, or a `DatasetDict` of "train" and "test", in the order of the examples.

    Columns: `id` (string), `text`, then a `ClassLabel`; or, multi-label, a list of them and `binarized_label`, one 0
    or 1 for each of `labels`; or `tokens` and a list of `ClassLabel` tags (O, then B-x and I-x of each label); or
    `target`. Then one for each input (see `input_columns`). Label ids are places in `labels`.

    label, tags: names of the label column and of the tag column.

    Raises:
        DataError: see `base.Preparer.prepare`.
    """
    from datasets import Dataset, DatasetDict, Features

    several = splits["train"].kind == "multi"
    types = _types(task, labels, label if task == TEXT else tags, several=several)
    inputs = input_columns(splits.values(), types)
    features = Features({**types, **dict.fromkeys(inputs.values(), _string())})
    made = {}
    for name, examples in splits.items():
        columns = {**_columns(task, examples, labels, several), **input_cells(examples, inputs)}
        made[name] = Dataset.from_dict(dict(zip(features, columns.values(), strict=True)), features=features)
    return DatasetDict(made) if "test" in made else made["train"]


def input_columns(splits: Iterable[Examples], taken: Iterable[str]) -> dict[str, str]:
    """The column of each input of examples that have several, in order of appearance over all splits.

    An input whose name another column has is `input_<name>`, with more underscores while that is taken too.
    """
    names = dict.fromkeys(name for examples in splits for example in examples for name, _ in example.fields)
    taken = set(taken)
    columns: dict[str, str] = {}
    for name in names:
        column = name
        if name in taken:
            column = f"input_{name}"
            while column in taken or column in names or column in columns.values():
                column += "_"
        columns[name] = column
    return columns


def input_cells(examples: Examples, columns: Mapping[str, str]) -> Columns:
    """The cells of each input's column; None where an example lacks the input."""
    rows = [dict(example.fields) for example in examples] if columns else []
    return {column: [row.get(name) for row in rows] for name, column in columns.items()}


def _string() -> Any:
    from datasets import Value

    return Value("string")


def _types(task: str, labels: Sequence[str], gold: str, *, several: bool) -> dict[str, Any]:
    from datasets import ClassLabel, Sequence, Value

    types: dict[str, Any] = {"id": _string(), "text": _string()}
    if task == TARGET:
        types["target"] = _string()
    elif task == TOKENS:
        types["tokens"] = Sequence(_string())
        types[gold] = Sequence(ClassLabel(names=list(bio_names(labels))))
    elif several:
        types[gold] = Sequence(ClassLabel(names=list(labels)))
        types["binarized_label"] = Sequence(Value("int64"), length=len(labels))
    else:
        types[gold] = ClassLabel(names=list(labels))
    return types


def _columns(task: str, examples: Examples, labels: Sequence[str], several: bool) -> Columns:
    """The cells of each column, in the order of `_types`."""
    columns: Columns = {"id": [str(example.id) for example in examples], "text": [example.text for example in examples]}
    if task == TARGET:
        columns["target"] = [example.target for example in examples]
    elif task == TOKENS:
        ids = {name: place for place, name in enumerate(bio_names(labels))}
        tags = tags_of(examples, dict.fromkeys(labels))
        columns["tokens"] = [list(example.tokens or ()) for example in examples]
        columns["tags"] = [[ids[tag] for tag in row] for row in tags]
    else:
        ids = {name: place for place, name in enumerate(labels)}
        found = [[ids[name] for name in names_of(example, ids)] for example in examples]
        columns["label"] = found if several else [row[0] for row in found]
        if several:
            columns["binarized_label"] = [[int(place in row) for place in range(len(labels))] for row in found]
    return columns
