"""`tunesmith records import` and `tunesmith records export`."""

from __future__ import annotations

import logging
import re
import sys
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..errors import TunesmithError
from . import flags, quiet
from .records import QUERY_HELP, count, many, of_dataset, opened, shared

if TYPE_CHECKING:
    from ..records.holder import Holder
    from ..records.settings import Settings

log = logging.getLogger(__name__)

_ARGUMENT = re.compile(r"[Ss]ay it with columns=.*")
_SHOWN = 10  # labels in the line that an import prints
_PAUSE = 0.2  # seconds between two states of the progress line


def import_(argv: Sequence[str]) -> int:
    """Log the records of files to a data set, made where it is new; the exit code."""
    given = _importing().read(argv)
    if not given.name:
        raise flags.usage_error("--name is missing: give the data set a name, as --name reviews.")
    limit = count("--limit", given.limit)
    quiet.hush()
    from ..records.files import read

    options: dict[str, Any] = {"task": given.task, "format": given.format, "separator": given.separator}
    options |= {"side": given.side, "bad_rows": given.bad_rows, "split": given.split}
    options["columns"] = flags.read_columns(given.columns) if given.columns else None
    sources: list[Any] = []
    met: set[str] = set()
    found = _of_files((read(path, **options) for path in given.files), sources, met)
    progress = Progress("logged")
    with opened(given) as store:
        try:
            done = store.log(progress.over(islice(found, limit)), given.name, given.workspace)
        except TunesmithError as error:
            progress.end()
            told = _as_flags(str(error))
            error.args = (_with_what_stays(told, progress.done, given.name, served=store.where.startswith("http")),)
            raise
        _tell_repeated(progress.done - done.processed)
        size, task = (store.count(given.name, given.workspace), store.dataset(given.name, given.workspace).task)
        order = _order(store, given, sources, met if size == done.processed else None)
    progress.end()
    told = f"{many(done.processed)} logged to {given.name!r} ({task}, workspace {given.workspace})"
    if given.separator is None and task == "TextClassification":
        _tell_joined(met)
    print(told + ("" if size == done.processed else f", which holds {size:,}") + order)
    return 0


def _importing() -> flags.Parser:
    about = "Log the records of files to a data set. A record with a known id is replaced."
    parser = flags.Parser("records import", about)
    parser.add_argument("files", metavar="FILE", nargs="+", help="a path, a glob, a saved data set or one of the hub")
    parser.add_argument("--name", metavar="NAME", help="name of the data set")
    parser.add_argument("--task", metavar="TASK", help="TextClassification, TokenClassification or Text2Text")
    parser.add_argument("--format", metavar="F", help="format of the files [by suffix and content]")
    parser.add_argument("--columns", metavar="A,B", help="text,label or text=A,label=B; the others are metadata")
    parser.add_argument(
        "--as",
        metavar="SIDE",
        dest="side",
        default="annotation",
        help="labels are annotation or prediction [annotation]",
    )
    parser.add_argument("--separator", metavar="S", help="what stands between the labels of one cell, as ,")
    parser.add_argument("--split", metavar="NAME", help="which split, of a data set with several [all]")
    parser.add_argument("--bad-rows", metavar="B", default="error", help="error, or drop (counted and said) [error]")
    parser.add_argument("--limit", metavar="N", help="only the first N records")
    shared(parser)
    return parser


def _of_files(files: Iterable[Any], sources: list[Any], met: set[str]) -> Iterator[Any]:
    """The records of files; sources is told each file that was opened, met the labels of the annotations."""
    from ..records.settings import labels_of

    for each in files:
        sources.append(each)
        for record in each:
            met.update(labels_of(record))
            yield record


def _order(store: Holder, given: Namespace, sources: Sequence[Any], met: set[str] | None) -> str:
    """Stores the order of the labels that the files declare, where all agree and the data set has none; what to say.

    Labels that are in no declaration come after, sorted. met: the labels of the data set; None finds them. Settings
    that are there stay: an import adds nothing to them and sets none aside, and says where the files have others.
    """
    from ..records.settings import SETTINGS, labels_of

    declared = {each.labels for each in sources} - {()}
    task = store.dataset(given.name, given.workspace).task
    if not declared or task not in SETTINGS:
        return ""
    held = store.settings(given.name, given.workspace)
    if held is not None:
        _tell_other(given.name, held, declared - {held.label_schema})
        return ""
    if len(declared) > 1:
        log.warning("the files declare different label orders: %s. None is stored.", _both(sorted(declared)))
        return ""
    if met is None:
        met = {label for record in store.iterate(given.name, given.workspace) for label in labels_of(record)}
    names = list(dict.fromkeys([*declared.pop(), *sorted(met)]))
    store.configure(given.name, given.workspace, SETTINGS[task](names))
    return f"; labels in the order that the data declares: {_shown(names)}"


def _tell_other(name: str, held: Settings, others: set[tuple[str, ...]]) -> None:
    """A word on labels in the files that differ from those of the data set, which stay."""
    if others:
        told = "%r keeps its own labels: %s. The data has %s. To take these: configure_dataset_settings(%r, %s([…]))."
        log.warning(told, name, _shown(held.label_schema), _both(sorted(others)), name, type(held).__name__)


def _both(orders: Iterable[Sequence[str]]) -> str:
    return "; ".join(map(_shown, orders))


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _as_flags(message: str) -> str:
    """What a message asks to be said in Python, as it is said here."""
    return _ARGUMENT.sub("Say it with --columns, as --columns text=A,label=B.", message)


def _tell_joined(met: set[str]) -> None:
    """A word on a label that looks like several, of which one stands alone elsewhere."""
    for mark in ",;|":
        for label in sorted(name for name in met if mark in name):
            if any(part.strip() in met for part in label.split(mark)):
                told = "%r is read as one label. If such cells hold several, --separator '%s' parts them."
                log.warning(told, label, mark)
                return


def _tell_repeated(number: int) -> None:
    """A word on rows whose id another row of the same import has."""
    if number:
        rows = "1 row has" if number == 1 else f"{number:,} rows have"
        log.warning("%s the id of a row before: the last one of an id is kept, the others are in its history.", rows)


def _with_what_stays(message: str, done: int, name: str, *, served: bool) -> str:
    """The message of an import that was broken off, with how much of it is in the store."""
    from ..records.store.writing import BATCH

    if served:
        return f"{message.removesuffix('.')}. Records before may be in {name!r}; a new import replaces them."
    stays = done // BATCH * BATCH
    if not stays:
        return message
    return f"{message.removesuffix('.')}. The {stays:,} records before stay in {name!r}; a new import replaces them."


def export(argv: Sequence[str]) -> int:
    """Write the records of a data set to a file; the exit code."""
    parser = of_dataset("records export", "Write the records of a data set to a file or folder.")
    parser.add_argument("file", metavar="FILE", help="where to: the suffix tells the format; without one, a folder")
    parser.add_argument("--format", metavar="F", help="format of the file [by suffix]")
    parser.add_argument("--query", metavar="Q", help=QUERY_HELP)
    parser.add_argument("--limit", metavar="N", help="only the first N records")
    given = parser.read(argv)
    limit = count("--limit", given.limit)
    quiet.hush()
    from ..records.files import write

    progress = Progress("read")
    with opened(given) as store:
        settings = store.settings(given.name, given.workspace)
        found = islice(store.iterate(given.name, given.workspace, query=given.query), limit)
        written = write(progress.over(found), given.file, format=given.format, settings=settings)
    progress.end()
    left = progress.done - written
    print(f"{many(written)} written to {given.file}" + (f", {left:,} left out" if left else ""))
    return 0


class Progress:
    """One line on standard error that counts what goes by, at a terminal only."""

    def __init__(self, verb: str) -> None:
        self.done, self._verb, self._shown = 0, verb, 0.0
        self._live = sys.stderr.isatty()

    def over(self, found: Iterable[Any]) -> Iterator[Any]:
        for each in found:
            yield each
            self.done += 1
            if self._live and time.monotonic() - self._shown > _PAUSE:
                self._shown = time.monotonic()
                print(f"\r{self.done:,} records {self._verb}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Takes the line away."""
        if self._live and self._shown:
            print("\r" + " " * 40 + "\r", end="", file=sys.stderr, flush=True)
