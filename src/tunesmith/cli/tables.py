"""Plain text tables for standard output, and tables with separators for files."""

from __future__ import annotations

import csv
import json
import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import IO, Any

CLASSES = 12  # scores of single classes that a table shows; all are in metrics.json
PREDICTED = ("label", "labels", "value", "text", "answer", "spans", "tags", "score")  # columns, in this order
_FIRST = 1_000  # rows that tell which columns there are

Scores = Mapping[str, Mapping[str, Any]]


def scores(by_split: Scores, holding: str = "--validation 0.1 or --test 0.1") -> str:
    """A row a metric, a column a split; scores of single classes (`f1_<class>`) last, at most `CLASSES` of them.

    holding: the flags that hold rows out, where none were.
    """
    if not by_split:
        return f"no held-out rows, so no scores: {holding} holds some out"
    names = list(dict.fromkeys(name for values in by_split.values() for name in values))
    classes = [name for name in names if name.startswith("f1_")]
    shown = [name for name in names if name not in classes] + classes[:CLASSES]
    rows = [[name, *(_number(values.get(name)) for values in by_split.values())] for name in shown]
    told = grid(["", *by_split], rows)
    left = len(classes) - CLASSES
    return told + (f"\n(and {left} classes more)" if left > 0 else "")


def scores_json(by_split: Scores) -> str:
    """The scores by split, as JSON."""
    return json.dumps({split: dict(values) for split, values in by_split.items()}, indent=2, ensure_ascii=False)


def grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the first to the left, the others to the right."""
    widths = [max(len(row[place]) for row in (header, *rows)) for place in range(len(header))]
    lines = [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width) for place, (cell, width) in enumerate(pairs)
        ).rstrip()
        for pairs in (list(zip(row, widths, strict=True)) for row in (header, *rows))
    ]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([lines[0], rule, *lines[1:]])


def separated(file: IO[str], rows: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]], mark: str) -> None:
    """Write inputs by role and their predictions with `mark` between the cells, under a header.

    The columns are id, the roles, and what the first rows' predictions hold of `PREDICTED`; what is predicted under
    the name of a role is `predicted_<name>`. Lists are JSON.
    """
    left = iter(rows)
    first = list(islice(left, _FIRST))
    roles = list(dict.fromkeys(role for inputs, _ in first for role in inputs))
    predicted = [name for name in PREDICTED if any(name in prediction for _, prediction in first)]
    writer = csv.writer(file, delimiter=mark, lineterminator="\n")
    writer.writerow(["id", *roles, *(f"predicted_{name}" if name in roles else name for name in predicted)])
    for inputs, prediction in chain(first, left):
        cells = [prediction.get("id"), *map(inputs.get, roles), *map(prediction.get, predicted)]
        writer.writerow(
            [json.dumps(cell, ensure_ascii=False) if isinstance(cell, (list, tuple)) else cell for cell in cells]
        )


def blocks(rows: Sequence[Mapping[str, Any]]) -> str:
    """One block an entry: its first value, then the others by name, wrapped to the terminal."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    lines: list[str] = []
    for row in rows:
        (_, title), *others = row.items()
        lines.append(title)
        for name, value in others:
            told = ", ".join(value) if isinstance(value, list) else str(value)
            lines += textwrap.wrap(
                f"{name:<9}{told}",
                width - 2,
                initial_indent="  ",
                subsequent_indent=" " * 11,
                break_on_hyphens=False,
            )
    return "\n".join(lines)


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
