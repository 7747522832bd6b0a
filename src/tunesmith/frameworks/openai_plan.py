"""What an upload is: rows, bytes, tokens, the cost where a price is given; and the user's consent to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError

FEWEST = 10  # rows of a training file that the service takes
A_MESSAGE = 4  # tokens that each message costs beside its content

Row = Mapping[str, Any]


@dataclass(frozen=True)
class File:
    """A file to upload. sha256: of its bytes. tokens: an estimate."""

    path: Path
    rows: int
    size: int
    sha256: str
    tokens: int

    def told(self) -> str:
        return f"{self.rows} rows ({self.size:,} bytes)"


@dataclass(frozen=True)
class Plan:
    """What is sent where. epochs: a number, or 'auto' where the service decides. counted: how tokens were.

    scored: rows whose texts are sent after the job, to be predicted and scored. scored_size: the bytes of those texts.
    """

    host: str
    base: str
    files: Mapping[str, File]
    counted: str
    epochs: int | str = "auto"
    price: float | None = None
    scored: int = 0
    scored_size: int = 0

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {file.told()}" for name, file in self.files.items())
        tokens = self.files["train"].tokens
        times = self.epochs if isinstance(self.epochs, int) else 1
        each = f" in {times} epochs" if times > 1 else " in 1 epoch" if self.epochs == 1 else " in each epoch"
        told = f"{parts} go to {self.host} to tune {self.base}: about {tokens * times:,} tokens{each} ({self.counted})"
        if self.price is not None:
            told += f", about {tokens * times * self.price / 1e6:,.2f} at {self.price:g} per million tokens"
        told += f"; then {self._held()}, to be scored" if self.scored else ""
        return told if self.price is not None else f"{told}; price_per_million_tokens tells the cost"

    def scoring(self) -> str:
        """What is sent where the job is there already; '': nothing."""
        return f"{self._held()} go to {self.host}, to be scored" if self.scored else ""

    def _held(self) -> str:
        return f"the texts of {self.scored} held-out rows ({self.scored_size:,} bytes)"


def consent(told: str, yes: bool, ask: Callable[[str], bool] | None) -> None:
    """Raises: ConfigError, where the user did not agree to the upload that is `told`."""
    if yes:
        return
    if ask is None:
        raise ConfigError("yes", False, f"yes=True, as consent to this upload: {told}")
    if not ask(f"{told}."):
        raise ConfigError("yes", False, "a yes; nothing was uploaded")


def check(rows: Mapping[str, int]) -> None:
    """Raises: DataError, for fewer rows than the service takes."""
    if rows["train"] < FEWEST:
        raise DataError(f"{rows['train']} training rows: the service takes {FEWEST} or more.")


def counter(base: str) -> tuple[Callable[[str], int], str]:
    """(tokens of a text, how they are counted): by tiktoken where it is installed and knows the model, else by bytes.

    A quarter of the bytes is OpenAI's own rule of thumb for English; other languages have more tokens than that.
    """
    try:
        encoding = import_module("tiktoken").encoding_for_model(base)
        return lambda text: len(encoding.encode(text, disallowed_special=())), "counted by tiktoken"
    except Exception:  # absent, a model that it does not know, or its vocabulary cannot be fetched
        return lambda text: -(-len(text.encode()) // 4), "an estimate: bytes / 4"


def file(path: Path, rows: Iterable[Row], count: Callable[[str], int]) -> File:
    """What stands in a written file of chat rows."""
    size, digest = 0, hashlib.sha256()
    with path.open("rb") as opened:
        while part := opened.read(1 << 20):
            size += len(part)
            digest.update(part)
    messages = [row["messages"] for row in rows]
    tokens = sum(count(turn["content"]) + A_MESSAGE for turns in messages for turn in turns)
    return File(path, len(messages), size, digest.hexdigest(), tokens)
