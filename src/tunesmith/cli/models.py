"""`tunesmith predict` and `tunesmith evaluate`: a trained model at work."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import IO, Any

from ..errors import ArtifactError, DataError, RowError
from . import flags, quiet, tables

_MARKS = {".csv": ",", ".tsv": "\t"}  # output that is a table
_UNWRITTEN = (".xlsx", ".xlsm", ".xls", ".ods", ".parquet", ".gz")  # other data that we read
_OUTPUT_HELP = "write to this file, whole or not at all, in place of printing; .csv and .tsv are tables with the inputs"
_DATA_ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".txt", ".xlsx", ".xls", ".ods", ".conll", ".gz")


def predict(argv: Sequence[str]) -> int:
    """Print one JSON line a row or text, or write a table: its id and the prediction; the exit code.

    Of files no more than a window of rows is held, and its lines are out before the next is read.
    """
    parser = flags.Parser("predict", "Predictions of a trained model, one JSON line a row, in order.")
    parser.add_argument("run", metavar="RUN", help="folder of a run")
    parser.add_argument("inputs", nargs="+", metavar="TEXT|FILE", help="files of rows, or texts; a JSON object by role")
    parser.add_argument("--columns", metavar="A,B", help="columns of FILE, as for train")
    parser.add_argument("--limit", metavar="N", help="only the first rows of FILE")
    parser.add_argument("--batch-size", metavar="N", help="rows in a batch [32, fewer of long texts on a CPU]")
    parser.add_argument("--precision", metavar="fp32|bf16", default="fp32", help="arithmetic, bf16 on request [fp32]")
    parser.add_argument("--output", metavar="F", help=_OUTPUT_HELP)
    given = parser.read(argv)
    limit, batch_size = _count("--limit", given.limit), _count("--batch-size", given.batch_size)
    columns = flags.read_columns(given.columns) if given.columns else None
    if given.precision not in ("fp32", "bf16"):
        raise flags.usage_error(f"--precision is {given.precision!r}: expected fp32 or bf16.")
    ending = Path(given.output or "").suffix.lower()
    if ending in _UNWRITTEN:
        told = "predictions are written as a table to .csv or .tsv, as JSON lines to .jsonl"
        raise flags.usage_error(f"--output is {given.output!r}: {told}.")
    are_files = _are_files(given.inputs)
    quiet.hush()
    from .. import api

    run = api.load(given.run)
    if are_files:
        parts = _of_files(run, given.inputs, columns, limit)
    else:
        parts = iter([run.inputs([_text(text) for text in given.inputs])])
    found = _predictions(run, parts, batch_size, given.precision)
    mark = _MARKS.get(ending)
    with _sink(given.output) as file:
        if mark:
            rows = chain.from_iterable(found)
            tables.separated(file, ((_inputs(run.task, example), told) for example, told in rows), mark)
        else:
            for part in found:
                file.writelines(json.dumps(told, ensure_ascii=False) + "\n" for _, told in part)
                file.flush()
    return 0


def evaluate(argv: Sequence[str]) -> int:
    """Print the scores of a run on labelled rows; the exit code."""
    parser = flags.Parser("evaluate", "Scores of a trained model on labelled rows.")
    parser.add_argument("run", metavar="RUN", help="folder of a run")
    parser.add_argument("file", metavar="FILE", help="labelled rows: a path, a glob or a data set of the hub")
    parser.add_argument("--columns", metavar="A,B", help="columns of FILE, as for train")
    parser.add_argument("--limit", metavar="N", help="only the first rows of FILE")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.read(argv)
    limit = _count("--limit", given.limit)
    columns = flags.read_columns(given.columns) if given.columns else None
    quiet.hush()
    from .. import api

    scores = api.load(given.run).evaluate(given.file, columns=columns, limit=limit)
    print(json.dumps(scores, indent=2, ensure_ascii=False) if given.json else tables.scores({"score": scores}))
    return 0


def _count(flag: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdigit() or int(text) < 1:
        raise flags.usage_error(f"{flag} is {text!r}: expected a whole number, 1 or more.")
    return int(text)


def _are_files(words: Sequence[str]) -> bool:
    """Whether the inputs are files, or else texts.

    Raises:
        ConfigError: they are both, or one is empty or stands for standard input.
    """
    if "-" in words:
        raise flags.usage_error("'-' is no input: standard input is not read. Give texts, or files of rows.")
    if not all(map(str.strip, words)):
        raise flags.usage_error("an input is empty: give texts, or files of rows.")
    found = {word: _is_file(word) for word in words}
    files, texts = ([word for word in words if found[word] is kind] for kind in (True, False))
    if files and texts:
        raise flags.usage_error(f"files and texts are mixed: {files[0]} is a file, {texts[0]!r} is not.")
    return bool(files)


def _is_file(word: str) -> bool:
    """Raises: DataError, for what looks like the name of a data file and is none."""
    try:
        if Path(word).is_file():
            return True
    except (OSError, ValueError):  # a text longer than a file name can be
        return False
    ending = Path(word).suffix.lower()
    if get_close_matches(ending, _DATA_ENDINGS, n=1, cutoff=0.75) and not any(map(str.isspace, word)):  # .cvs is .csv
        raise DataError(f"no file {word!r}")
    return False


def _text(text: str) -> Any:
    """A JSON object is an input by its roles; anything else is a text."""
    if text.startswith("{") and text.endswith("}"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _of_files(run: Any, paths: Sequence[str], columns: Any, limit: int | None) -> Iterator[Sequence[Any]]:
    """The examples of the files' rows, read one after the other as one data set, a window of rows at a time.

    Raises:
        RowError: a row that cannot be read; the examples before it have been given.
    """
    from ..data.windows import windows

    found = windows([Path(path) for path in paths], name=", ".join(paths), limit=limit, names=run.task.roles)
    for window in found:
        try:
            yield run.examples(window, columns=columns, gold=False)
        except RowError as error:
            before = window.head((window.ids or range(0)).index(error.row))
            if len(before):
                yield run.examples(before, columns=columns, gold=False)
            raise


def _predictions(
    run: Any, parts: Iterable[Sequence[Any]], batch_size: int | None, precision: str
) -> Iterator[list[tuple[Any, dict[str, Any]]]]:
    """Each example with what is predicted of it, in the same parts."""
    for part in parts:
        predictions = run.predictions(part, batch_size=batch_size, precision=precision)
        yield [(each, {**told.to_dict(), "id": each.id}) for each, told in zip(part, predictions, strict=True)]


def _inputs(task: Any, example: Any) -> dict[str, Any]:
    """What an example was read from, by role."""
    from ..data.columns import gold_role

    roles = [role for role in task.roles if role != gold_role(task.roles, task.optional)]
    cells = [example.text if example.tokens is None else example.tokens, example.pair]
    return {role: cell for role, cell in zip(roles, cells, strict=False) if cell is not None}


@contextmanager
def _sink(path: str | None) -> Iterator[IO[str]]:
    """Where lines go: standard output, or a file that appears when the last line is in it.

    Raises:
        ArtifactError: the file cannot be written.
    """
    if path is None:
        yield sys.stdout
        return
    target = Path(path)
    staged = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with staged.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, target)
    except OSError as error:
        raise ArtifactError(target, f"cannot be written: {error.strerror or error}") from error
    finally:
        staged.unlink(missing_ok=True)
