"""What a tuned model answers, read strictly back: a label, labels, spans of the text, or the text itself."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..data.labels import Labels
from ..metrics.tagging import is_prefixed, split_tag
from ..tasks.base import Example, Prediction, Span
from ..tasks.token_classification import is_by_word
from .base import TARGET, TEXT
from .openai_calls import whole


@dataclass(frozen=True)
class Token:
    """A token of an answer. start: the first of its bytes in the answer. others: what else could stand there."""

    start: int
    text: bytes
    logprob: float
    others: tuple[tuple[bytes, float], ...] = ()

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(frozen=True)
class Answer:
    """text: what was written. tokens: its tokens, none where the service gives no probabilities. cut: why it ends."""

    text: str
    tokens: tuple[Token, ...] = ()
    cut: str = ""

    def chance(self, start: int, end: int) -> float:
        """The probability of the characters from `start` to `end`, given those before; 1 where none are known."""
        first, last = len(self.text[:start].encode()), len(self.text[:end].encode())
        return math.exp(sum(min(t.logprob, 0.0) for t in self.tokens if t.start < last and t.end > first))


Read = Callable[[Example, Answer, Labels | None], tuple[Prediction, str]]
"""(example, answer, labels) -> the prediction, and what is wrong with the answer ('': nothing)."""


def reader(task: str, kind: str) -> Read:
    """How answers are read."""
    if task == TEXT:
        return read_labels if kind == "multi" else read_label
    return read_text if task == TARGET else read_spans


def answer_of(completion: Any) -> Answer:
    """The answer in a chat completion of the service.

    Raises:
        LookupError, AttributeError, TypeError: what came is no completion; see `openai_calls.whole`.
    """
    choice = whole(whole(completion, "choices").choices[0], "message")
    logprobs = getattr(choice, "logprobs", None)
    listed = (logprobs.content or ()) if logprobs is not None else ()
    tokens, start = [], 0
    for each in listed:
        others = tuple((_bytes(other), other.logprob) for other in each.top_logprobs or ())
        tokens.append(Token(start, _bytes(each), each.logprob, others))
        start = tokens[-1].end
    text = choice.message.content or ""
    said = b"".join(token.text for token in tokens) == text.encode()
    cut = "" if choice.finish_reason in ("stop", None) else str(choice.finish_reason)
    return Answer(text, tuple(tokens) if said else (), "refused" if choice.message.refusal else cut)


def _bytes(token: Any) -> bytes:
    return bytes(token.bytes) if token.bytes is not None else token.token.encode()


def system_prompt(task: str, kind: str, names: Sequence[str]) -> str | None:
    """What opens each chat, in training as in predicting; None where the data says all (text to text)."""
    listed = json.dumps(list(names), ensure_ascii=False)
    if task == TARGET:
        return None
    if task == TEXT and kind == "multi":
        return (
            "Which of these labels hold for the text? Answer with a JSON list of them, in the order given here, "
            f"[] where none holds, and nothing else. Labels: {listed}"
        )
    if task == TEXT:
        return f"Which label does the text have? Answer with one of these labels and nothing else. Labels: {listed}"
    return (
        'Which parts of the text have a label? Answer with a JSON list of {"label": ..., "text": ...} in the order of '
        f"the text, each copied letter by letter, [] where there is none, and nothing else. Labels: {listed}"
    )


def names_of(task: str, labels: Labels | None) -> tuple[str, ...]:
    """The labels that answers hold: of tags their types, as spans have them."""
    if labels is None:
        return ()
    if task == TEXT or is_by_word(labels.names):
        return labels.names
    return tuple(dict.fromkeys(kind for name in labels.names if (kind := split_tag(name)[1])))


def read_label(example: Example, answer: Answer, labels: Labels | None) -> tuple[Prediction, str]:
    """One label with the scores of all; what is no label is predicted as None, with scores of 0."""
    assert labels is not None
    said = answer.text.strip()
    if said not in labels.ids:
        return Prediction(example.id, score=0.0, scores=dict.fromkeys(labels.names, 0.0)), "is no label"
    scores = scores_of(answer, said, labels.names)
    return Prediction(example.id, label=said, score=scores[said], scores=scores), ""


def scores_of(answer: Answer, said: str, names: Sequence[str]) -> dict[str, float]:
    """A probability for each label, 1 together.

    That of the answer is its tokens'. Where another token could have stood, its probability goes to the labels that go
    on with it, in equal parts, and none gets more than the answer. Without probabilities the answer has 1.
    """
    mass = dict.fromkeys(names, 0.0)
    if not answer.tokens:
        return {**mass, said: 1.0}
    sofar = 0.0
    for token in answer.tokens:
        before = answer.text.encode()[: token.start]
        for other, logprob in token.others:
            begun = (before + other).strip() if other != token.text else b""
            likely = [name for name in names if name != said and begun and name.encode().startswith(begun)]
            for name in likely:
                mass[name] += math.exp(sofar + logprob) / len(likely)
        sofar += min(token.logprob, 0.0)
    top = math.exp(sofar)
    mass = {name: min(value, top) for name, value in mass.items()} | {said: top}
    whole = sum(mass.values())
    return {name: value / whole for name, value in mass.items()} if whole > 0 else {**mass, said: 1.0}


def read_labels(example: Example, answer: Answer, labels: Labels | None) -> tuple[Prediction, str]:
    """Several labels; those said have their tokens' probability, the others 0. What is no label is left out."""
    assert labels is not None
    items = _items(answer.text, str)
    scores = dict.fromkeys(labels.names, 0.0)
    for text, start, end in items or ():
        if text in scores:
            scores[text] = answer.chance(start, end)
    said = {text for text, _, _ in items or ()}
    chosen = tuple(name for name in labels.names if name in said)
    prediction = Prediction(example.id, labels=chosen, scores=scores)
    if items is None:
        return prediction, "is no list of labels"
    return prediction, "" if len(chosen) == len(said) else "holds what is no label"


def read_text(example: Example, answer: Answer, labels: Labels | None) -> tuple[Prediction, str]:
    """The text itself; '' where the model wrote none."""
    wrong = f"ends early ({answer.cut})" if answer.cut else ""
    return Prediction(example.id, text=answer.text), wrong or ("" if answer.text else "is empty")


def read_spans(example: Example, answer: Answer, labels: Labels | None) -> tuple[Prediction, str]:
    """Spans located in the text; of an example with words, whole words, and a tag for each.

    An item with another label, or whose text is not in the text, is left out; no list gives no span.
    """
    assert labels is not None
    types, items = set(names_of("", labels)), _items(answer.text, dict)
    found: list[Span] = []
    for item, start, end in items or ():
        label, said = item.get("label"), item.get("text")
        if label in types and isinstance(said, str) and (place := _place(example.text, label, said, found)):
            found.append(Span(label, *place, answer.chance(start, end)))
    lost = len(items or ()) - len(found)
    wrong = "is no list of spans" if items is None else f"holds {lost} that the text has not" if lost else ""
    if example.tokens is None:
        return Prediction(example.id, spans=tuple(found)), wrong
    spans, tags = _by_word(example.tokens, found, labels.names)
    return Prediction(example.id, spans=spans, tags=tags), wrong


def _items(text: str, kind: type) -> list[tuple[Any, int, int]] | None:
    """(item, start, end) of a JSON list of one kind of value; None where the text is something else."""
    decoder = json.JSONDecoder()
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(listed, list) or not all(isinstance(item, kind) for item in listed):
        return None
    places, at = [], text.index("[") + 1
    for item in listed:
        while text[at] in ", \t\r\n":
            at += 1
        _, end = decoder.raw_decode(text, at)
        places.append((item, at, end))
        at = end
    return places


def _place(text: str, label: str, said: str, found: Sequence[Span]) -> tuple[int, int] | None:
    """Where the text has what was said: after the span before, else within it, else anywhere; whole words first.

    Any run of blanks stands for any other. A place that has the label already is not taken again.
    """
    words = said.split()
    if not words:
        return None
    taken = {(span.start, span.end) for span in found if span.label == label}
    pattern = r"\s+".join(map(re.escape, words))
    last = found[-1] if found else Span("", 0, 0)
    for form in (rf"(?<!\w)({pattern})(?!\w)", f"({pattern})"):
        places = [hit.span(1) for hit in re.finditer(f"(?={form})", text)]
        free = [place for place in places if place not in taken]
        for begin in (last.end, last.start, 0):
            if place := next((place for place in free if place[0] >= begin), None):
                return place
    return None


def _by_word(
    tokens: Sequence[str], found: Sequence[Span], names: Sequence[str]
) -> tuple[tuple[Span, ...], tuple[str, ...]]:
    """Spans of whole words, and a tag for each word; where two spans meet in a word, the first has it."""
    starts, start = [], 0
    for token in tokens:
        starts.append(start)
        start += len(token) + 1
    prefixed = is_prefixed(names)
    tags, spans = ["O"] * len(tokens), []
    for span in sorted(found, key=lambda span: (span.start, -span.end)):
        first, last = bisect_right(starts, span.start) - 1, bisect_right(starts, span.end - 1)
        if any(tag != "O" for tag in tags[first:last]):
            continue
        head, rest = (f"B-{span.label}", f"I-{span.label}") if prefixed else (span.label, span.label)
        tags[first:last] = [head, *[rest] * (last - first - 1)]
        spans.append(replace(span, start=starts[first], end=starts[last - 1] + len(tokens[last - 1])))
    return tuple(spans), tuple(tags)


def told(problems: Mapping[Any, tuple[str, str]], total: int, becomes: str) -> str:
    """One sentence on answers that could not be read. problems: row -> (what is wrong, the answer)."""
    row, (wrong, text) = next(iter(problems.items()))
    shown = text if len(text) <= 60 else text[:59] + "…"
    first = f"that of row {row} {wrong}: {shown!r}"
    return f"{len(problems)} of {total} answers cannot be read as asked ({becomes}): {first}"
