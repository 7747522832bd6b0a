"""Token classification: a tag for each word, or labelled stretches of a text; parts of speech too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..data.columns import resolve
from ..data.labels import Labels
from ..errors import DataError, RowError
from ..metrics import tagging
from .base import Example, Examples, Prediction, Reading, RowId, Span
from .reading import Reread, check_pairs, collect, text_cell
from .tagged_cells import Tags, no_text, read_spans, read_tags, read_words

WORDS = ("tokens", "words", "token", "word")
TEXT = ("text", "sentence", "document", "content", "body")
TAGS = ("tags", "ner_tags", "ner", "tag", "bio", "labels", "label", "pos_tags", "upos", "pos")
SPANS = ("spans", "entities", "ents", "annotations")


@dataclass(frozen=True)
class TokenClassification:
    """Which words, or stretches of text, are of which type.

    Two forms of data: words with one tag each (kind 'tags'), or a text with character spans (kind 'spans'). Either way
    an example is character based: words are joined by one space, and `spans` are places in that text.
    """

    name: str = "token-classification"
    summary: str = "a tag for each word, or the labelled stretches of a text: entities, parts of speech"
    primary_metric: str = "f1"
    greater_is_better: bool = True
    roles: tuple[str, ...] = ("tokens", "tags")
    optional: tuple[str, ...] = ()

    def examples(self, dataset: Any, reading: Reading) -> Examples:
        """Columns `tokens` and `tags`, in a mapping also `text` and `spans`; the cells tell which form it is.

        Labels: see `label_names`; a `ClassLabel` column's names are kept in their order.
        """
        columns = _columns(self, dataset, reading)
        tokens, gold = columns["tokens"], columns.get("tags")
        declared = None if gold is None else dataset.declared.get(gold)
        known = reading.labels.names if reading.labels else None
        tags = Tags(declared, known)
        forms: set[bool] = set()  # of the first row that could be read: whether it holds words

        def read(row: RowId, values: Mapping[str, Any]) -> Example:
            example = _example(row, (values.get(tokens), tokens), (values.get(gold), gold) if gold else None, tags)
            has_words = example.tokens is not None
            if forms and has_words not in forms:
                held = ("words", "text") if has_words else ("text", "words")
                raise RowError(row, tokens, f"holds {held[0]} where the rows before hold {held[1]}")
            forms.add(has_words)
            return example

        found = collect(dataset, read, columns=columns, bad_rows=reading.bad_rows)
        kind = "tags" if True in forms else "spans"
        if gold is None:
            return replace(found, labels=reading.labels, kind=kind)
        labels = reading.labels or Labels("single", tuple(declared or _names(found, kind)))
        return replace(found, items=_spanned(found.items, labels.names, kind), labels=labels, kind=kind)

    def inputs(self, values: Sequence[Any]) -> list[Example]:
        """Texts, lists of words, or mappings with `text` or `tokens`."""
        if isinstance(values, str | bytes | Mapping):
            raise DataError(f"expected a list of inputs, found one {type(values).__name__}: put it in a list.")
        return [_input(place, value) for place, value in enumerate(values)]

    def score(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, float]:
        """Entity-level precision, recall, F1 (micro; `macro_f1`; `f1_<type>`), and `accuracy` where words have tags."""
        check_pairs(examples, predictions)
        pairs = list(zip(examples, predictions, strict=True))
        if pairs and all(e.tags is not None and p.tags is not None for e, p in pairs):
            gold, predicted = [e.tags or () for e in examples], [p.tags or () for p in predictions]
            labels = examples.labels if isinstance(examples, Examples) else None
            names = labels.names if labels else [tag for row in gold for tag in row]
            return tagging.tag_scores(gold, predicted, by_word=is_by_word(names))
        if any(p.spans is None for p in predictions):
            raise DataError("a prediction without spans: token classification is scored by spans, or by a tag a word.")
        return tagging.entity_scores([_entities(e.spans) for e in examples], [_entities(p.spans) for p in predictions])


def label_names(tags: Iterable[str]) -> tuple[str, ...]:
    """The label names for the tags found, in an order that does not depend on that of the rows.

    'O' first, then by type in alphabetical order 'B-X' and 'I-X', both even where only one was found
    (and 'E-X', 'S-X' … where any type has it). Tags without prefixes: 'O' where it is found, then
    the others, numbers by size.
    """
    found = set(tags)
    if not tagging.is_prefixed(found):
        rest = sorted(found - {"O"}, key=lambda tag: (0, int(tag), "") if tag.isdecimal() else (1, 0, tag))
        return ("O",) * ("O" in found) + tuple(rest)
    parts = {tagging.split_tag(tag) for tag in found} - {("O", "")}
    prefixes = ["B", "I", *sorted({prefix for prefix, _ in parts} - {"B", "I"})]
    plain = {"B", "I", "E", "S", "L", "U"} & found  # prefixes alone: one nameless type
    types = sorted({kind for _, kind in parts} - ({"_"} if plain else set()))
    nameless = tuple(prefixes) if plain else ()
    return ("O", *nameless, *(f"{prefix}-{kind}" for kind in types for prefix in prefixes))


def is_by_word(names: Iterable[str]) -> bool:
    """Whether tags of these names speak of each word alone, as parts of speech do: no prefix, and no 'O'."""
    names = set(names)
    return "O" not in names and not tagging.is_prefixed(names)


def spans_of(tokens: Sequence[str], tags: Sequence[str], names: Iterable[str]) -> tuple[Span, ...]:
    """The entities of tagged words, in characters of the words joined by one space. `names`: all tags of the task."""
    starts = [0]
    for token in tokens:
        starts.append(starts[-1] + len(token) + 1)
    by_word = is_by_word(names)
    return tuple(
        Span(kind, starts[first], starts[end] - 1) for kind, first, end in tagging.entities(tags, by_word=by_word)
    )


def with_spans(example: Example, names: Iterable[str]) -> Example:
    """The example of tagged words with its spans."""
    return replace(example, spans=spans_of(example.tokens or (), example.tags or (), names))


def _spanned(items: Sequence[Example], names: Sequence[str], kind: str) -> Sequence[Example]:
    if kind != "tags":
        return items
    if isinstance(items, Reread):
        return items.changed(lambda example: with_spans(example, names))
    return [with_spans(example, names) for example in items]


def _columns(task: TokenClassification, dataset: Any, reading: Reading) -> dict[str, str]:
    given = reading.columns
    if isinstance(given, Mapping):
        other = {"text": "tokens", "spans": "tags"}
        given = {other.get(role, role): column for role, column in given.items()}
    present = {str(column).lower() for column in dataset.columns}
    is_text = bool(present & set(SPANS)) and not present & set(TAGS)
    hints = {"tokens": TEXT + WORDS if is_text else WORDS + TEXT, "tags": SPANS + TAGS if is_text else TAGS + SPANS}
    optional = task.optional if reading.need_labels else (*task.optional, "tags")
    return resolve(dataset.columns, roles=task.roles, optional=optional, hints=hints, given=given, task=task.name)


def _example(row: RowId, tokens: tuple[Any, str], gold: tuple[Any, str] | None, tags: Tags) -> Example:
    """An example of one row; `tokens` and `gold` are cell and column."""
    cell, column = tokens
    if gold is None:
        if isinstance(cell, str):
            return Example(row, text_cell(cell, row, column))
        words = read_words(cell, row, column)
        return Example(row, text_cell(" ".join(words), row, column), tokens=words)
    if no_text(cell, gold[0]):
        words = read_words(cell, row, column)
        return Example(row, " ".join(words), tokens=words, tags=read_tags(gold[0], len(words), row, gold[1], tags=tags))
    text = text_cell(cell, row, column)
    return Example(row, text, spans=read_spans(gold[0], text, row, gold[1], tags=tags))


def _names(examples: Iterable[Example], kind: str) -> tuple[str, ...]:
    if kind == "tags":
        return label_names(tag for example in examples for tag in example.tags or ())
    types = sorted({span.label for example in examples for span in example.spans or ()})
    return ("O", *(f"{prefix}-{label}" for label in types for prefix in "BI"))


def _entities(spans: Iterable[Span] | None) -> list[tagging.Entity]:
    return [(span.label, span.start, span.end) for span in spans or ()]


def _input(place: int, value: Any) -> Example:
    if isinstance(value, Mapping):
        found = next((name for name in WORDS + TEXT if name in value), None)
        if found is None:
            keys = ", ".join(map(str, value))
            raise RowError(place, "tokens", f"is missing: expected the key 'text' or 'tokens', found {keys or 'none'}")
        value = value[found]
    return _example(place, (value, "tokens"), None, Tags(None, None))


TASK = TokenClassification()
