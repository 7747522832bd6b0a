"""JSON files as Arrow tables: rows, columns, lines, and the SQuAD form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..errors import DataError
from .files import lines
from .rows import columns_table, named_rows, tables


def json_lines(path: Path, names: Sequence[str] | None) -> Iterator[pa.Table]:
    """One row a line; blank lines are no rows."""
    return tables(named_rows(_values(path), names, str(path)), str(path))


def _values(path: Path) -> Iterator[Any]:
    for number, line in enumerate(lines(path), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}, line {number}: not JSON ({error.msg}, column {error.colno}).") from error


def json_file(path: Path, names: Sequence[str] | None) -> Iterator[pa.Table]:
    """A list of rows, a mapping of columns, the SQuAD form, or, in spite of its name, one JSON value a line."""
    text = "".join(lines(path))
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        first, _, rest = text.lstrip().partition("\n")
        if error.msg == "Extra data" and rest and _is_json(first):
            yield from json_lines(path, names)
            return
        where = f"line {error.lineno}, column {error.colno}"
        raise DataError(f"{path}, {where}: not JSON ({error.msg}).") from error
    if isinstance(value, dict) and _wraps(value):
        value = value["data"]
    if isinstance(value, list) and value and all(isinstance(part, dict) and "paragraphs" in part for part in value):
        value = _squad(value, path)
    if isinstance(value, dict):
        yield columns_table(value, str(path))
    elif isinstance(value, Iterable) and not isinstance(value, str):
        yield from tables(named_rows(value, names, str(path)), str(path))
    else:
        raise DataError(f"{path}: it holds one {type(value).__name__}; rows, columns or the SQuAD form are expected.")


def _wraps(value: Mapping[str, Any]) -> bool:
    """Whether the rows stand under 'data', which is else the name of a column."""
    rows = value.get("data")
    return isinstance(rows, list) and (
        set(value) <= {"data", "version"} or all(isinstance(row, Mapping) for row in rows)
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def _squad(articles: Sequence[Mapping[str, Any]], path: Path) -> Iterator[dict[str, Any]]:
    """One row a question: id, title, context, question, answers {text, answer_start} (empty lists: no answer)."""
    for article in articles:
        try:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    answers = asked.get("answers") or []
                    yield {
                        "id": str(asked["id"]) if asked.get("id") is not None else None,
                        "title": article.get("title"),
                        "context": paragraph["context"],
                        "question": asked["question"],
                        "answers": {
                            "text": [answer["text"] for answer in answers],
                            "answer_start": [answer["answer_start"] for answer in answers],
                        },
                    }
        except (KeyError, TypeError, AttributeError) as error:
            title = article.get("title")
            raise DataError(f"{path}: article {title!r} is not in the SQuAD form: {error!r} is missing.") from error
