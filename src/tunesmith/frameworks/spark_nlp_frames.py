"""Frames of annotations, as Spark NLP's own reader of CoNLL makes them; and its annotations as predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

from ..metrics.tagging import entities
from ..tasks.base import Example, Prediction, Span
from ..tasks.text_classification import by_scores
from ..tasks.word_tags import types_of
from .worker_words import Place, word_tags

ROW = "row"  # the place of a row: a frame has no order of its own

Annotation = tuple[str, int, int, str, dict[str, str], list[float]]
"""(type, first character, last character, result, metadata, embeddings), in Java's characters."""


def text_rows(examples: Iterable[Example]) -> list[tuple[int, str]]:
    """(row, text) of each example."""
    return [(row, example.text) for row, example in enumerate(examples)]


def word_rows(texts: Sequence[str], places: Sequence[Sequence[Place]], tags: Sequence[Sequence[str]] = ()) -> list[Any]:
    """(row, text, document, token) of each text with its words, and label where there are tags.

    A text without a word is left out: Spark NLP has nothing to say of it.
    """
    rows: list[Any] = []
    for row, (text, words) in enumerate(zip(texts, places, strict=True)):
        if not words:
            continue
        java = _java_places(text)
        document: Annotation = ("document", 0, java[len(text)] - 1, text, {"sentence": "0"}, [])
        spots = [(java[start], java[end] - 1, text[start:end]) for start, end in words]
        tokens: list[Annotation] = [("token", start, end, word, {"sentence": "0"}, []) for start, end, word in spots]
        cells: tuple[Any, ...] = (row, text, [document], tokens)
        if tags:
            about = [{"word": word, "sentence": "0"} for _, _, word in spots]
            given = zip(spots, tags[row], about, strict=True)
            cells += ([("named_entity", start, end, tag, told, []) for (start, end, _), tag, told in given],)
        rows.append(cells)
    return rows


def _java_places(text: str) -> list[int]:
    """Where each character stands in Java's text, in which one beyond U+FFFF takes two places; and the end."""
    places = [0]
    for character in text:
        places.append(places[-1] + (2 if ord(character) > 0xFFFF else 1))
    return places


def text_frame(session: Any, rows: Sequence[Any], labels: str = "") -> Any:
    """A frame of `text_rows`, with a `label` where `labels` is 'single', and `labels` where it is 'multi'."""
    from pyspark.sql import types

    fields = [types.StructField(ROW, types.LongType(), False), types.StructField("text", types.StringType(), False)]
    if labels == "single":
        fields.append(types.StructField("label", types.StringType(), False))
    elif labels == "multi":
        fields.append(types.StructField("labels", types.ArrayType(types.StringType()), False))
    return session.createDataFrame(list(rows), types.StructType(fields), verifySchema=False)


def word_frame(session: Any, rows: Sequence[Any], *, tagged: bool) -> Any:
    """A frame of `word_rows`: columns of annotations, which name their type as Spark NLP asks for it."""
    from pyspark.sql import types

    plain = [types.StructField(ROW, types.LongType(), False), types.StructField("text", types.StringType(), False)]
    columns = {"document": "document", "token": "token"} | ({"label": "named_entity"} if tagged else {})
    kind = types.ArrayType(_annotation(types))
    about = [types.StructField(name, kind, False, {"annotatorType": of}) for name, of in columns.items()]
    return session.createDataFrame(list(rows), types.StructType([*plain, *about]), verifySchema=False)


def _annotation(types: Any) -> Any:
    text, number = types.StringType(), types.IntegerType()
    return types.StructType(
        [
            types.StructField("annotatorType", text, False),
            types.StructField("begin", number, False),
            types.StructField("end", number, False),
            types.StructField("result", text, False),
            types.StructField("metadata", types.MapType(text, text), False),
            types.StructField("embeddings", types.ArrayType(types.FloatType()), False),
        ]
    )


def collected(frame: Any, column: str) -> dict[int, Sequence[Any]]:
    """Row -> its annotations in a column."""
    return {found[ROW]: found[column] or [] for found in frame.select(ROW, column).collect()}


def category(example: Example, found: Sequence[Any], names: Sequence[str], threshold: float | None) -> Prediction:
    """A text's annotations of classes, whose metadata has the score of each. threshold: of several labels, or None.

    A class that no training row has scores 0. Where Spark NLP says nothing, as of an empty text, all score alike.
    """
    told: Mapping[str, str] = found[0]["metadata"] if found else {}
    if threshold is not None:
        scores = {name: float(told.get(name, 0)) for name in names}
        return by_scores(example.id, scores, several=True, threshold=threshold)
    scores = {name: float(told.get(name, 0)) if found else 1 / len(names) for name in names}
    return by_scores(example.id, scores, several=False)


def entities_of(example: Example, found: Sequence[Any], places: Sequence[Place], names: Sequence[str]) -> Prediction:
    """A text's annotations of words, one each, as spans in the text's own characters.

    A span's score is the product of those of its words.
    """
    told = [each["result"] for each in found] or ["O"] * len(places)
    chances = [_confidence(each) for each in found] or [1.0] * len(places)
    known = {f"{mark}-{kind}" for kind in types_of(names) for mark in "BI"}
    groups = entities([tag if tag in known else "O" for tag in told])
    spans = [Span(kind, places[first][0], places[end - 1][1], prod(chances[first:end])) for kind, first, end in groups]
    tags = None if example.tokens is None else word_tags(groups, len(places), names)
    return Prediction(example.id, spans=tuple(spans), tags=tags)


def _confidence(annotation: Any) -> float:
    told = annotation["metadata"]
    return float(told.get("confidence") or told.get(annotation["result"]) or 1)
