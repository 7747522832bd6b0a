"""What every task shares: the example, the account of rows, the prediction, and the contract of a task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

from ..data.dataset import Origin
from ..data.dataset import RowId as RowId
from ..data.labels import Labels


@dataclass(frozen=True, slots=True)
class Span:
    """A labelled stretch of text: characters `start` to `end`, end excluded."""

    label: str
    start: int
    end: int
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Example:
    """A row as a task reads it. Only the fields of the task are set; all are plain Python values.

    text: the input (question, source); pair: the second input (context, second sentence).
    label: a class's name, a tuple of names, a float, or None where the row has none.
    tokens, tags: words and one BIO tag each; or spans, in characters of `text`.
    answers: (text, start in `pair`) of each accepted answer; empty when the context has none.
    target: the text to write.
    fields: (name, value) of each input of a record that has several; `text` is all of them.
    """

    id: RowId
    text: str = ""
    pair: str | None = None
    label: str | tuple[str, ...] | float | None = None
    tokens: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    spans: tuple[Span, ...] | None = None
    answers: tuple[tuple[str, int], ...] | None = None
    target: str | None = None
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one example: plain Python, the same form for every framework.

    One class: label, score, scores. Several: labels, scores. Regression: value. Tagging: spans (characters).
    Answers: answer, score, start, end (characters of the context). Text: text.
    Language tasks, when scored: loss (mean nats a token) over `tokens` tokens; of a masked model also score, the share
    of those tokens that it fills in right; token detection: detections, (score, was replaced) of each token.
    """

    id: RowId | None = None
    label: str | None = None
    score: float | None = None
    scores: Mapping[str, float] | None = None
    labels: tuple[str, ...] | None = None
    value: float | None = None
    spans: tuple[Span, ...] | None = None
    tags: tuple[str, ...] | None = None
    answer: str | None = None
    start: int | None = None
    end: int | None = None
    text: str | None = None
    loss: float | None = None
    tokens: int | None = None
    detections: tuple[tuple[float, bool], ...] | None = None

    def __repr__(self) -> str:
        told = (f"{f.name}={value!r}" for f in fields(self) if (value := getattr(self, f.name)) is not None)
        return f"Prediction({', '.join(told)})"

    def to_dict(self) -> dict[str, Any]:
        """The fields that are set, ready for JSON."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        if self.spans is not None:
            values["spans"] = [asdict(span) for span in self.spans]
        return {name: value for name, value in values.items() if value is not None}


@dataclass
class Account:
    """Where every input row of a data set went: kept, or left out with one reason."""

    total: int = 0
    left_out: dict[str, list[RowId]] = field(default_factory=dict)
    truncated: dict[RowId, int] = field(default_factory=dict)  # row -> tokens (or characters) lost

    @property
    def kept(self) -> int:
        return self.total - sum(map(len, self.left_out.values()))

    def leave_out(self, row: RowId, reason: str) -> None:
        self.left_out.setdefault(reason, []).append(row)

    def counts(self) -> dict[str, int]:
        return {reason: len(rows) for reason, rows in self.left_out.items()}


@dataclass(frozen=True)
class Examples(Sequence[Example]):
    """The examples of one split, in source order, with their labels and the account of rows."""

    items: Sequence[Example]
    labels: Labels | None
    account: Account
    fingerprint: str  # sha256 of the examples' content and order; equal rows in any form give equal fingerprints
    kind: str = ""  # the task's form that was found: single, multi, regression; tags, spans …
    columns: Mapping[str, str] = field(default_factory=dict)  # role -> the column that was read
    origin: Origin | None = None  # who keeps the rows, and is told of their use

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __iter__(self) -> Iterator[Example]:
        return iter(self.items)


@dataclass(frozen=True)
class Reading:
    """How a task is to read a data set.

    columns: role -> column name, or None to infer. labels: the labels of the training split, for other splits.
    bad_rows: 'error' stops at the first bad cell; 'drop' leaves the row out and counts it.
    need_labels: False reads rows without gold too, to be predicted.
    label_kind: 'single', 'multi' or 'regression' where the user says it; None reads it off the labels.
    """

    columns: Mapping[str, str | None] | tuple[str | None, ...] | str | None = None
    labels: Labels | None = None
    bad_rows: str = "error"
    need_labels: bool = True
    label_kind: str | None = None


class Task(Protocol):
    """Owns meaning: which columns, what an example is, which labels, how predictions are scored. No torch."""

    name: str
    summary: str  # one sentence for `tunesmith tasks`
    primary_metric: str  # the key of `score` that model selection follows
    greater_is_better: bool
    roles: tuple[str, ...]  # column roles, in the order of a `columns` tuple
    optional: tuple[str, ...]  # roles that may be absent

    def examples(self, dataset: Any, reading: Reading) -> Examples: ...

    def inputs(self, values: Sequence[Any]) -> list[Example]:
        """A user's prediction inputs (strings, pairs, mappings by role) as examples without gold."""
        ...

    def score(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, float]: ...


LESS_IS_BETTER = ("loss", "perplexity", "mse", "mae")  # of what tasks score; all else is better the more there is


def followed(task: Task, kind: str) -> tuple[str, bool]:
    """The key of `score` that model selection follows for labels of a kind, and whether more is better."""
    if kind in ("pairs", "triplets"):
        return "accuracy", True
    return ("pearson", True) if kind == "regression" else (task.primary_metric, task.greater_is_better)
