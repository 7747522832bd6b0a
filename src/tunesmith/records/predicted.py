"""Predictions as records: every label with its score, spans on the text's own tokens, and who predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..data.labels import Labels
from ..errors import ConfigError, DataError
from ..tasks.base import Prediction
from ..tasks.word_tags import types_of
from .feeding import input_of
from .holder import Holder
from .preparing import TASKS
from .record import Record
from .spans import places
from .types import Text2TextRecord, TextClassificationRecord, TokenClassificationRecord

RECORDS = {task: name for name, task in TASKS.items()}
"""The task that trains -> the records' task."""


def as_input(value: Any, task: str, *, whole: bool) -> Any:
    """What a model reads of a record, or of the named inputs of one; anything else as it is.

    whole: the model was trained on records, and reads all inputs, where another reads the one called text.
    """
    if isinstance(value, Record):
        return input_of(value)
    if task == TASKS["TextClassification"] and isinstance(value, Mapping) and (whole or "text" not in value):
        return input_of(TextClassificationRecord(inputs=value))
    return value


def check_texts(values: Sequence[Any], task: str) -> None:
    """Raises: DataError, where a text to tag has no character: a record of tokens needs one."""
    if task != TASKS["TokenClassification"]:
        return
    for place, value in enumerate(values):
        text = value.get("tokens", value.get("text")) if isinstance(value, Mapping) else value
        if isinstance(text, str) and not text.strip():
            wanted = "a record of tokens needs a word; as_argilla_records=False gives predictions of any text"
            raise DataError(f"text {place} is empty: {wanted}.")


def as_record(prediction: Prediction, value: Any, task: str, agent: str) -> Any:
    """The record of one prediction. `value`: what was predicted; a record is copied, and keeps all but the prediction.

    task: the one that was trained. Labels stand with the best first, spans in the order of the text.

    Raises:
        ConfigError: predictions of this task are no records.
    """
    if task not in RECORDS or prediction.value is not None:
        wanted = "False: a record holds labels, spans or texts"
        raise ConfigError("as_argilla_records", True, wanted)
    if task == "token-classification":
        record: Any = _tagged(value, prediction)
    else:
        several = prediction.labels is not None
        record = _copied(value) if isinstance(value, Record) else _made(value, task, several)
        record.prediction = _written(prediction) if task == "sequence-sequence" else _scored(prediction)
    record.prediction_agent = agent
    return record


def check_kind(labels: Labels | None, found: Sequence[Any]) -> None:
    """Raises: DataError, where a record holds one label and a run of `labels` predicts several, or the other way."""
    several = labels is not None and labels.kind == "multi"
    said = ("one label", "several labels")
    for record in found:
        if isinstance(record, TextClassificationRecord) and record.multi_label != several:
            raise DataError(f"record {record.id!r} holds {said[not several]}, the run predicts {said[several]}.")


def check_fits(trained: str, labels: Labels | None, task: str, settings: Any) -> None:
    """Before any record is read. trained: the task of a run, with its labels. task: of the records of a data set.

    Raises:
        DataError: the tasks are not the same, or the run knows labels that the settings of the data set do not name.
    """
    if TASKS[task] != trained:
        raise DataError(f"the run is trained for {trained}, the data set holds records of {TASKS[task]}.")
    schema = getattr(settings, "label_schema", None)
    if labels is None or schema is None:
        return
    names = types_of(labels.names) if trained == TASKS["TokenClassification"] else labels.names
    if strange := [str(name) for name in names if name not in schema]:
        raise DataError(f"the run knows {', '.join(strange)}: not among the labels that the data set's settings name.")


def store(holder: Holder, name: str, workspace: str, read: Sequence[Any], made: Sequence[Any]) -> int:
    """Write the predictions of `made` to the records of a data set that were `read` for them; how many got one.

    Only the prediction and its agent change: what others write meanwhile stays, and a record that is gone or has other
    inputs now gets none.
    """
    before = {record.id: input_of(record) for record in read}
    said = {record.id: record for record in made}
    now = holder.load(name, workspace, ids=list(said))
    found = [record for record in now if input_of(record) == before[record.id]]
    for record in found:
        record.prediction, record.prediction_agent = said[record.id].prediction, said[record.id].prediction_agent
    if found:
        holder.log(found, name, workspace)
    return len(found)


def _scored(prediction: Prediction) -> list[tuple[str, float]]:
    scores = prediction.scores or {}
    return [(name, _share(score)) for name, score in sorted(scores.items(), key=lambda item: -item[1])]


def _written(prediction: Prediction) -> list[tuple[str, float]]:
    return [(prediction.text or "", 1.0 if prediction.score is None else _share(prediction.score))]


def _copied(record: Record) -> Any:
    return type(record).from_dict(record.to_dict())


def _made(value: Any, task: str, several: bool) -> Any:
    if task == "sequence-sequence":
        return Text2TextRecord(value.get("text", value.get("source")) if isinstance(value, Mapping) else value)
    if isinstance(value, Mapping):
        inputs = {str(name): part if isinstance(part, list) else str(part) for name, part in value.items()}
        return TextClassificationRecord(inputs=inputs, multi_label=several)
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = dict(zip(("text", "pair"), map(str, value), strict=False))
        return TextClassificationRecord(inputs=value, multi_label=several)
    return TextClassificationRecord(value, multi_label=several)


def _tagged(value: Any, prediction: Prediction) -> TokenClassificationRecord:
    """A text alone is cut at the ends of the spans; of tokens that are given, a span has those that it touches."""
    spans = [(each.label, each.start, each.end, _share(each.score)) for each in prediction.spans or ()]
    spans.sort(key=lambda span: span[1:3])
    if isinstance(value, Mapping):
        value = value.get("tokens", value.get("text"))
    if isinstance(value, str):
        return TokenClassificationRecord(value, prediction=spans)
    record = _copied(value) if isinstance(value, Record) else TokenClassificationRecord(tokens=list(value))
    where = places(record.text, record.tokens)
    found = []
    for label, start, end, score in spans:
        touched = [place for place in where if place[0] < end and start < place[1]]
        if touched:
            found.append((label, touched[0][0], touched[-1][1], score))
    record.prediction = found
    return record


def _share(score: float) -> float:
    """A score from 0 to 1, which a sum of rounded ones may leave by a hair."""
    return min(max(float(score), 0.0), 1.0)
