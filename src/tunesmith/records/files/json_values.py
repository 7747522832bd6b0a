"""The values in a JSON file one by one, however large it is: those of a list, or one a line."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...data.files import BROKEN, lines, open_packed
from ...errors import DataError

_BLOCK = 1 << 16  # bytes
_BLANK = " \t\r\n"


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """(place from 0, value) of each line; blank lines are none.

    Raises:
        DataError: with the line that is no JSON.
    """
    place = 0
    for number, line in enumerate(lines(path), start=1):
        if line.strip():
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}, line {number}: not JSON ({error.msg}, column {error.colno}).") from error
            except RecursionError as error:
                raise DataError(f"{path}, line {number}: nested too deep.") from error
            yield place, value
            place += 1


def is_list(path: Path) -> bool:
    """Whether the file holds one list, by its first character."""
    return next((text.lstrip()[:1] for text in _texts(path) if text.strip()), "") == "["


def json_list(path: Path) -> Iterator[tuple[int, Any]]:
    """(place, value) of a list's values, of which one at a time is in memory.

    Raises:
        DataError: with the place of the value that is no JSON.
    """
    decode = json.JSONDecoder().raw_decode
    texts = _texts(path)
    held, at, place, opened = next(texts, ""), 0, 0, False
    while True:
        while at < len(held) and (held[at] in _BLANK or (held[at] == "," and opened and place) or not opened):
            opened = opened or held[at] == "["
            at += 1
        if at < len(held) and held[at] == "]":
            if held[at + 1 :].strip() or any(map(str.strip, texts)):
                raise DataError(f"{path}: something follows the list of {place} values: one value a line is 'jsonl'.")
            return
        try:
            value, end = decode(held, at)
            whole = end < len(held)  # else a number could go on
        except json.JSONDecodeError as error:
            value, end, whole, problem = None, at, False, error.msg
        except RecursionError as error:
            raise DataError(f"{path}: value {place} of the list is nested too deep.") from error
        else:
            problem = "the list does not end"
        if whole:
            yield place, value
            place, at = place + 1, end
            continue
        held, at = held[at:], 0
        more = "".join(part for _, part in zip(range(1 + len(held) // _BLOCK), texts, strict=False))
        if not more:
            raise DataError(f"{path}: value {place} of the list is not JSON ({problem}).")
        held += more


def first(path: Path) -> Any:
    """The first value, or None where it cannot be told: it may stand on several lines."""
    try:
        if is_list(path):
            return next((value for _, value in json_list(path)), None)
        return next((value for _, value in json_lines(path)), None)
    except DataError:
        return None


def _texts(path: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        with open_packed(path) as file:
            while block := file.read(_BLOCK):
                yield decoder.decode(block)
            yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error.reason}). Save the file as UTF-8.") from error
    except BROKEN as error:
        raise DataError(f"{path} cannot be read: {error}") from error
