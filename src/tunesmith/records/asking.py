"""Which records to label next: those that a model is unsure of, that differ most, or on which there is no agreement."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ..errors import DataError, UnknownName
from .feeding import input_of
from .holder import Holder
from .opened import placed
from .store.history import Event

STRATEGIES = ("uncertainty", "diverse", "disagreement")
_BLOCK = 256  # annotated records compared with all others at a time

History = Callable[[str | int], Iterable[Event]]
"""The history of a record, by its id."""


@dataclass(frozen=True)
class Asked:
    """A record to label next. score: from 0 to 1, the higher the sooner; of a strategy, and comparable within it."""

    record: Any
    score: float
    why: str


def next_to_label(
    name: str,
    strategy: str = "uncertainty",
    limit: int = 50,
    workspace: str | None = None,
    query: str | None = None,
) -> list[Asked]:
    """The records of a stored data set to label next, the most useful first.

    strategy: 'uncertainty' takes those without annotation whose stored prediction is the least sure. 'diverse' takes
        those without annotation that are the farthest from what is annotated and from each other, by their vectors, or
        by their words where not all have a vector. 'disagreement' takes those whose agents predicted different things,
        or whose prediction says another thing than the annotation.
    query: only records that match.

    Raises:
        UnknownName: no such strategy. DataError: an unknown data set, or no record that the strategy can order.
    """
    holder, place = placed(workspace)
    return next_of(holder, name, place, strategy, limit=limit, query=query)


def next_of(
    holder: Holder, name: str, workspace: str, strategy: str, *, limit: int = 50, query: str | None = None
) -> list[Asked]:
    """`next_to_label` of a store or a server that is at hand."""
    if strategy not in STRATEGIES:
        raise UnknownName("strategy", strategy, STRATEGIES)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise DataError(f"limit is {limit!r}: expected a whole number from 1.")
    records = holder.load(name, workspace, query=query, with_vectors=strategy == "diverse")
    kept = [record for record in records if record.status != "Discarded"]
    if not kept:
        raise DataError(f"all of {len(records)} records are discarded." if records else "no record matches.")
    if strategy == "diverse":
        return _diverse(kept, limit)
    if strategy == "uncertainty":
        found = _uncertain(kept)
    else:
        found = _disputed(kept, lambda record: holder.history(name, workspace, record))
    return sorted(found, key=lambda each: -each.score)[:limit]  # equal ones keep their order


def _uncertain(records: Sequence[Any]) -> list[Asked]:
    found = [
        Asked(record, *_doubt(record))
        for record in records
        if record.annotation is None and record.prediction is not None
    ]
    if not found:
        open_ones = sum(record.annotation is None for record in records)
        if not open_ones:
            raise _all_labelled()
        raise DataError(
            f"none of the {open_ones} records without annotation has a prediction: log what a model predicts of them, "
            "or take the strategy 'diverse'."
        )
    return found


def _all_labelled() -> DataError:
    return DataError("every record has an annotation: there is none left to label.")


def _doubt(record: Any) -> tuple[float, str]:
    """How unsure a prediction is, and in words."""
    scores = [part[-1] for part in record.prediction]
    if record.task != "TextClassification":
        least = min(scores, default=1.0)
        what = "span" if record.task == "TokenClassification" else "text"
        return 1 - least, f"the least sure {what} has {least:.2f}" if scores else f"no {what} was predicted"
    if record.multi_label:
        label, nearest = min(record.prediction, key=lambda part: abs(part[1] - 0.5), default=("", 1.0))
        return 1 - abs(2 * nearest - 1), f"{label} {nearest:.2f}"
    first, second = ([*sorted(record.prediction, key=lambda part: -part[1]), ("", 0.0), ("", 0.0)])[:2]
    margin = 1 - (first[1] - second[1])
    told = f"{first[0]} {first[1]:.2f}" + (f", {second[0]} {second[1]:.2f}" if second[0] else "")
    return margin * (1 - 1e-6) + _entropy(scores) * 1e-6, told  # of equal margins the flatter one


def _entropy(scores: Sequence[float]) -> float:
    """From 0 to 1."""
    if len(scores) < 2:
        return 0.0
    return -sum(score * math.log(score) for score in scores if score > 0) / math.log(len(scores))


def _disputed(records: Sequence[Any], history: History) -> list[Asked]:
    found = []
    for record in records:
        if record.prediction is None:
            continue
        if record.annotation is not None:
            gap, told = _gap(record, record.prediction, record.annotation), "the annotation"
        else:
            said = _by_agent(history(record.id))
            pairs = [(_gap(record, said[a], said[b]), f"{a} and {b}") for a, b in combinations(said, 2)]
            gap, told = max(pairs, default=(0.0, ""))
        if round(gap, 6) > 0:  # less is what rounding makes of one model in two batches
            why = f"{record.prediction_agent or 'the prediction'} against {told}"
            found.append(Asked(record, gap, why if record.annotation is not None else told))
    return found


def _by_agent(events: Iterable[Event]) -> dict[str, list[Any]]:
    """The last prediction of each agent, and the one before where the agent has changed its mind."""
    found: dict[str, list[Any]] = {}
    agent, prediction = "", None
    for event in events:
        if event.kind == "used":
            continue
        agent = event.set.get("prediction_agent", agent) or ""
        prediction = event.set.get("prediction", prediction)
        if prediction is not None and {"prediction", "prediction_agent"} & set(event.set):
            if found.get(agent, prediction) != prediction:  # trained anew into the same folder
                found[f"{agent} before"] = found[agent]
            found[agent] = prediction
    return found


def _gap(record: Any, one: Sequence[Any], other: Any) -> float:
    """How far two predictions, or a prediction and an annotation, are apart: 0 to 1."""
    if record.task == "TokenClassification":
        first, second = ({tuple(span[:3]) for span in part} for part in (one, other))
        return 1 - len(first & second) / max(len(first | second), 1) if first | second else 0.0
    if record.task == "Text2Text":
        return float(one[0][0] != (other if isinstance(other, str) else other[0][0])) if one and other else 0.0
    scores, others = dict(one), _scores_of(other)
    gaps = [abs(scores.get(label, 0.0) - others.get(label, 0.0)) for label in {*scores, *others}]
    return max(gaps, default=0.0) if record.multi_label else min(sum(gaps) / 2, 1.0)


def _scores_of(said: Any) -> Mapping[str, float]:
    if isinstance(said, str):
        return {said: 1.0}
    return dict.fromkeys(said, 1.0) if all(isinstance(part, str) for part in said) else dict(said)


def _diverse(records: Sequence[Any], limit: int) -> list[Asked]:
    """Farthest points first: Gonzalez, Clustering to minimize the maximum intercluster distance (1985)."""
    import numpy as np

    candidates = [place for place, record in enumerate(records) if record.annotation is None]
    if not candidates:
        raise _all_labelled()
    rows, by = _placed(records)
    open_rows = rows[candidates]
    nearest = np.full(len(candidates), -1.0)  # cosine to the nearest that is annotated or taken
    done = [place for place, record in enumerate(records) if record.annotation is not None]
    for start in range(0, len(done), _BLOCK):
        nearest = np.maximum(nearest, _cosines(open_rows, rows[done[start : start + _BLOCK]]))
    found: list[Asked] = []
    if len(candidates) == len(records):  # nothing is annotated: what is nearest to the middle comes first
        nearest = 1 - _cosines(open_rows, np.asarray(open_rows.mean(axis=0)).reshape(1, -1))
    taken = np.zeros(len(candidates), dtype=bool)
    for _ in range(min(limit, len(candidates))):
        place = int(np.argmin(np.where(taken, np.inf, nearest)))
        gap = float(np.clip((1 - nearest[place]) / 2, 0, 1)) if found or len(candidates) < len(records) else 1.0
        found.append(Asked(records[candidates[place]], gap, f"by {by}"))
        if len(found) == 1 and len(candidates) == len(records):
            nearest = np.full(len(candidates), -1.0)
        taken[place] = True
        nearest = np.maximum(nearest, _cosines(open_rows, open_rows[[place]]))
    return found


def _placed(records: Sequence[Any]) -> tuple[Any, str]:
    """(a row of length 1 for each record, where they are from): a vector that all have, or TF-IDF of the words.

    Raises:
        DataError: no vector and no word.
    """
    import numpy as np

    names = set.intersection(*(set(record.vectors or ()) for record in records))
    if names:
        name = min(names)
        rows = np.asarray([record.vectors[name] for record in records], dtype=np.float32)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), f"vector {name!r}"
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [input_of(record) for record in records]
    if not any(text.strip() for text in texts):
        raise DataError(f"all texts of {len(texts)} records are blank: give records a vector, or discard them.")
    return TfidfVectorizer(token_pattern=r"\w+|[^\w\s]").fit_transform(texts), "words"


def _cosines(rows: Any, others: Any) -> Any:
    """The cosine of each row to the nearest of the others; all of length 1, dense or sparse."""
    import numpy as np

    found = rows @ others.T
    return np.asarray(found.toarray() if hasattr(found, "toarray") else found, dtype=np.float64).max(axis=1)
