"""The exception tree. Each class writes its own message: what is wrong, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any


class TunesmithError(Exception):
    """Everything tunesmith raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:  # constructors take more than a message: an error crosses processes whole
        return _restored, (type(self), self.args, dict(self.__dict__))


def _restored(kind: type[TunesmithError], args: tuple[Any, ...], known: dict[str, Any]) -> TunesmithError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(known)
    return error


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to `name`, or None when nothing is close."""
    names = list(known)
    folded = {str(n).lower().replace("_", "-"): n for n in names}
    hits = get_close_matches(name.lower().replace("_", "-"), folded, n=1, cutoff=0.5)
    return folded[hits[0]] if hits else None


def _shown(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


class UnknownName(TunesmithError, ValueError):
    """A name that is in no table: a task, a framework, a column role, a size to train from scratch, a command."""

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        close = nearest(str(name), self.known)
        hint = f" Did you mean {close!r}?" if close else ""
        super().__init__(f"unknown {kind} {_shown(name)}.{hint} Known: {', '.join(self.known)}.")


class ConfigError(TunesmithError, ValueError):
    """A setting whose value cannot be used."""

    def __init__(self, key: str, value: Any, expected: str) -> None:
        self.key, self.value, self.expected = key, value, expected
        super().__init__(f"setting {key!r} is {_shown(value)}: expected {expected}.")


class UnknownSetting(ConfigError, TypeError):
    """A keyword that is no setting; also a `TypeError`, as Python's own unknown keyword is."""

    def __init__(self, key: str, known: Iterable[str]) -> None:
        self.key = key
        close = nearest(key, known)
        hint = f" Did you mean {close!r}?" if close else " See `tunesmith train --help`."
        Exception.__init__(self, f"unknown setting {key!r}.{hint}")


class DataError(TunesmithError, ValueError):
    """The data cannot be used as it is."""


class RowError(DataError):
    """One cell is wrong. `row` is the row's id: its place in the source, from 0, unless the source names it."""

    def __init__(self, row: int | str, column: str, reason: str, *, source: str | None = None) -> None:
        self.row, self.column, self.reason, self.source = row, column, reason, source
        where = f"{source}: " if source else ""
        super().__init__(f"{where}row {row}, column {column!r}: {reason}")


class QueryError(DataError):
    """A query of records that cannot be read. `place` is where, in characters from its beginning."""

    def __init__(self, query: str, place: int, reason: str) -> None:
        self.query, self.place, self.reason = query, place, reason
        begin = max(place - 60, 0)
        shown = "".join(sign if sign.isprintable() else " " for sign in query[begin : begin + 100])
        super().__init__(f"query, at {place}: {reason}\n  {shown}\n  {' ' * (place - begin)}^")


class NothingToTrain(DataError):
    """No row is left. `left_out` maps each reason to the number of rows it took."""

    def __init__(self, what: str, left_out: Mapping[str, int] | None = None) -> None:
        self.left_out = dict(left_out or {})
        told = "; ".join(f"{count} left out: {reason}" for reason, count in self.left_out.items())
        super().__init__(f"{what} has no usable row" + (f" ({told})." if told else ": it is empty."))


class UnknownField(DataError, TypeError):
    """A keyword that is no field of a record; also a `TypeError`, as Python's own unknown keyword is."""

    def __init__(self, key: str, record: str, known: Iterable[str]) -> None:
        self.key, self.record, self.known = key, record, tuple(known)
        close = nearest(key, self.known)
        hint = f" Did you mean {close!r}?" if close else ""
        super().__init__(f"{record} has no field {key!r}.{hint} Fields: {', '.join(self.known)}.")


class WrongRecordType(DataError):
    """A record of another type than the data set's. `found` are the names of the types that came."""

    def __init__(self, dataset: str, expected: str, found: Iterable[str]) -> None:
        self.dataset, self.expected, self.found = dataset, expected, tuple(found)
        named = ", ".join(self.found)
        told = f"you provided {named}" if len(self.found) == 1 else f"you provided various types: {named}"
        super().__init__(f"A {dataset} must only contain {expected}s, but {told}.")


class FrameworkError(TunesmithError):
    """A framework cannot do what it was asked."""


class NotInstalled(FrameworkError, ImportError):
    """An optional package is missing."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"{purpose} needs {package}, which is not installed: pip install 'tunesmith[{extra}]'")


class NoEnvironment(NotInstalled):
    """A framework that runs in an environment of its own, which is not there. `problem` says what is in its place."""

    def __init__(self, framework: str, problem: str = "") -> None:
        self.package = self.extra = self.framework = framework
        told = f"{framework} runs in an environment of its own, which {problem or 'is not installed'}"
        ImportError.__init__(self, f"{told}: tunesmith frameworks install {framework}")


class NoJvmPackage(NotInstalled):
    """A framework whose package for the Java virtual machine is not there. `problem` says why, and what to do."""

    def __init__(self, framework: str, problem: str) -> None:
        self.package = self.extra = self.framework = framework
        ImportError.__init__(self, f"{framework} trains in a Java virtual machine, and {problem}.")


class UnsupportedTask(FrameworkError, ValueError):
    """A framework that cannot carry a task, refused before data is loaded."""

    def __init__(
        self, framework: str, task: str, why: str, alternatives: Sequence[str] = (), *, verb: str = "train"
    ) -> None:
        self.framework, self.task, self.why = framework, task, why
        offer = f" Frameworks that can: {', '.join(alternatives)}." if alternatives else ""
        super().__init__(f"{framework} cannot {verb} {task}: {why}.{offer}")


class MissingCredential(FrameworkError):
    """A gated model or a service without a key."""

    def __init__(self, what: str, variable: str, other: str) -> None:
        self.variable = variable
        super().__init__(f"{what} needs a credential: set {variable}, or {other}.")


class TrainingFailed(FrameworkError):
    """Training stopped on an error."""


class OutOfMemory(TrainingFailed):
    """The device or the host has no memory left."""


class Diverged(TrainingFailed):
    """A loss that is not finite, caught before the optimizer step. `rows` are the row ids of the batch."""

    def __init__(self, step: int, value: float, rows: Sequence[int | str], kept: str) -> None:
        self.step, self.value, self.rows = step, value, tuple(rows)
        shown = ", ".join(map(str, self.rows[:16])) + (" …" if len(self.rows) > 16 else "")
        super().__init__(
            f"the loss is {value} at step {step}, in the batch of rows {shown or 'unknown'}; {kept} "
            "Look at those rows, or lower the learning rate."
        )


class ArtifactError(TunesmithError):
    """A saved model or run that cannot be used."""

    def __init__(self, folder: object, problem: str) -> None:
        self.folder, self.problem = str(folder), problem
        super().__init__(f"{folder}: {problem}")


class StoreError(TunesmithError):
    """The record store cannot be read or written."""

    def __init__(self, where: object, problem: str) -> None:
        self.where, self.problem = str(where), problem
        super().__init__(f"{where}: {problem}")


class ServerError(TunesmithError):
    """A server answered with an error. `retryable` says whether the same call may succeed later."""

    def __init__(self, url: str, status: int | None, problem: str, *, retryable: bool) -> None:
        self.url, self.status, self.retryable = url, status, retryable
        super().__init__(f"{url} answered {status if status is not None else 'nothing'}: {problem}")


class RequestRefused(ServerError, DataError):
    """A server understood the call and refuses it: what a store on this machine says with a `DataError`."""
