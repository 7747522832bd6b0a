"""What the frameworks share where they prepare data: the contract, the refusals, and how a row's label reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from ..errors import DataError, RowError, UnknownName
from ..tasks.base import Example, Examples, RowId
from ..tasks.word_tags import Misfit, bio_of

SHOWN = 20  # rows that one error names

TEXT, TOKENS, TARGET = "text-classification", "token-classification", "sequence-sequence"


class Preparer(Protocol):
    """The part of a framework that turns examples into its own training data."""

    name: str

    def why_not_prepare(self, task: str) -> str | None:
        """None: the task's data can be prepared. Else the reason."""
        ...

    def misfits(self, task: str, examples: Iterable[Example], *, lang: Any = None) -> dict[RowId, Misfit]:
        """The rows that `prepare` would refuse for their spans, by id."""
        ...

    def prepare(
        self, task: str, splits: Mapping[str, Examples], *, labels: Sequence[str], lang: Any = None, **options: Any
    ) -> Any:
        """`splits` has "train", and "test" where asked for. `labels` are all names, in label id order.

        Raises:
            DataError: a label that is not among `labels`, or spans that do not fit; it names the rows.
            UnknownName: an option that the framework does not have.
        """
        ...


def why_not_prepare(name: str, task: str, able: Iterable[str]) -> str | None:
    """None where the task is among those that the framework takes, else the reason."""
    able = tuple(able)
    return None if task in able else f"{name} takes data of {' and '.join(able)} alone"


def check_options(name: str, options: Mapping[str, Any], known: Iterable[str] = ()) -> None:
    """Raises: UnknownName, for an option that is not known."""
    for option in options:
        if option not in (allowed := ("lang", "misaligned", *known)):
            raise UnknownName(f"option of preparing for {name}", option, allowed)


def one_or_both(splits: Mapping[str, Examples], convert: Callable[[Examples], Any]) -> Any:
    """The train part converted, or (train, test) where there is a test part."""
    made = tuple(convert(splits[name]) for name in ("train", "test") if name in splits)
    return made[0] if len(made) == 1 else made


def names_of(example: Example, known: Mapping[str, int]) -> tuple[str, ...]:
    """The labels of an example in label id order; one, unless it is multi-label.

    Raises:
        RowError: no label, or one that is not known.
    """
    label = example.label
    if label is None or isinstance(label, float):
        raise RowError(example.id, "label", f"is {label!r}: expected a label's name")
    names = (label,) if isinstance(label, str) else label
    for name in names:
        if name not in known:
            raise RowError(example.id, "label", f"label {name!r} is not one of {', '.join(known)}")
    return tuple(sorted(set(names), key=known.__getitem__))


def tag_misfits(task: str, examples: Iterable[Example]) -> dict[RowId, Misfit]:
    """The rows whose spans cannot be written as one BIO tag a token."""
    if task != TOKENS:
        return {}
    tagged = ((example.id, bio_of(example)) for example in examples)
    return {row: tags for row, tags in tagged if isinstance(tags, Misfit)}


def tags_of(examples: Iterable[Example], known: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The BIO tags of each example. `known`: all label names.

    Raises:
        DataError: a label that is not known, or spans that give no tags; it names the rows.
    """
    tags, misfits = [], {}
    for example in examples:
        check_spans(example, known)
        made = bio_of(example)
        if isinstance(made, Misfit):
            misfits[example.id] = made
        else:
            tags.append(made)
    refuse(misfits)
    return tags


def check_spans(example: Example, known: Mapping[str, Any]) -> None:
    """Raises: RowError, where a span's label is not known."""
    for span in example.spans or ():
        if span.label not in known:
            raise RowError(example.id, "label", f"label {span.label!r} is not one of {', '.join(known)}")


def refuse(misfits: Mapping[RowId, Misfit]) -> None:
    """Raises: DataError, where there are any; it names the rows."""
    if not misfits:
        return
    told = "; ".join(f"{row!r}: {misfit.reason}: {misfit.found}" for row, misfit in list(misfits.items())[:SHOWN]) + (
        f"; and {len(misfits) - SHOWN} more" if len(misfits) > SHOWN else ""
    )
    raise DataError(
        f"the spans of {len(misfits)} records cannot be written: {told}. "
        "Mend them, or leave these records out with misaligned='skip'."
    )
