"""Files as lines of text, packed or not; what is wrong in one is told with file and line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from ..errors import DataError

BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, pa.ArrowException)  # what a damaged or absent file raises


def lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file with their ends; a byte order mark is dropped.

    Raises:
        DataError: with the line that is not UTF-8, or the last one that could be unpacked.
    """
    number = 0
    try:
        with open_packed(path) as file:
            for number, raw in enumerate(file, start=1):
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 ({error.reason} at byte {error.start} of the line). Save the file as UTF-8."
        raise DataError(f"{path}, line {number}: {reason}") from error
    except BROKEN as error:
        after = f" after line {number}" if number else ""
        raise DataError(f"{path} cannot be read{after}: {error}") from error


def _zstd(path: Path) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")))


COMPRESSIONS: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _zstd,
}


def open_packed(path: Path) -> Any:
    """The bytes of a file, unpacked as its suffix says."""
    unpack = COMPRESSIONS.get(path.suffix.lower())
    return unpack(path) if unpack else path.open("rb")
