"""Spreadsheets as rows of text: those that the same sheet, saved as csv, would have."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from itertools import compress
from pathlib import Path
from typing import Any

from ..errors import DataError
from .files import BROKEN, open_packed

log = logging.getLogger(__name__)

SUFFIXES = (".xlsx", ".xlsm", ".xls", ".ods")


def sheet_rows(path: Path) -> Iterator[list[str]]:
    """The rows of the first visible sheet that has cells; rows and columns without a cell are none.

    A cell is its value, not its format: 5 for five, 0.5, TRUE, 2024-01-31; a formula is its result; an empty cell and
    a formula's error are "". Other sheets that have cells are named in a warning.

    Raises:
        DataError: a damaged or locked file, or one that is no spreadsheet.
    """
    rows = _first_sheet(path)
    filled = [any(row[place] != "" for row in rows) for place in range(len(rows[0]))] if rows else []
    for row in rows:
        cells = [_text(cell) for cell in compress(row, filled)]
        if any(cells):
            yield cells


def _first_sheet(path: Path) -> list[list[Any]]:
    from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    try:
        with open_packed(path) as file:
            book = CalamineWorkbook.from_filelike(io.BytesIO(file.read()))
        shown = [
            book.get_sheet_by_name(sheet.name)
            for sheet in book.sheets_metadata
            if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
        ]
    except (CalamineError, *BROKEN) as error:
        raise DataError(f"{path} cannot be read as a spreadsheet: {error}") from error
    used = [sheet for sheet in shown if sheet.start is not None]
    if len(used) > 1:
        others = ", ".join(repr(sheet.name) for sheet in used[1:])
        told = "%s: the sheet %r is read; %s is not: to use another, save it as a file of its own"
        log.warning(told, path, used[0].name, others)
    return used[0].to_python() if used else []


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
