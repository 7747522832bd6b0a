"""Spreadsheets, written by another library than the one that reads them."""

from __future__ import annotations

import gzip
import zipfile
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tunesmith.data.sources import read
from tunesmith.errors import DataError

ROWS: list[list[Any]] = [
    ["text", "label", "stars"],
    ["a good film,\nand long", "good", 5],
    ["=not a formula, a text", "bad", 0.5],
    ["42", "good", True],
]
NAMES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "table", "text", "manifest")
)


def opendocument(path: Path, *rows: list[tuple[str, str]]) -> Path:
    """A sheet of rows of (type, value)."""

    def element(name: str, inside: str, marks: str = "") -> str:
        return f"<{name} {marks}>{inside}</{name}>"

    def cell(kind: str, value: str) -> str:
        marks = f'office:value-type="{kind}"' + (f' office:value="{value}"' if kind == "float" else "")
        return element("table:table-cell", element("text:p", value), marks)

    lines = "".join(element("table:table-row", "".join(cell(*each) for each in row)) for row in rows)
    body = element("office:spreadsheet", element("table:table", lines, 'table:name="Rows"'))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        file.writestr("META-INF/manifest.xml", f"<manifest:manifest {NAMES}/>")
        file.writestr("content.xml", element("office:document-content", element("office:body", body), NAMES))
    return path


def book(path: Path, **sheets: list[list[Any]]) -> Path:
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
            for cell in sheet[sheet.max_row]:
                if isinstance(cell.value, str):
                    cell.data_type = "s"  # a text that begins with = is no formula
    made.save(path)
    return path


def cells(source: Any) -> list[dict[str, Any]]:
    return [row for _, row in read(source)]


def test_a_sheet_gives_the_rows_of_the_same_table_as_csv(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        'text,label,stars\n"a good film,\nand long",good,5\n"=not a formula, a text",bad,0.5\n42,good,TRUE\n'
    )
    found, expected = read(book(tmp_path / "rows.xlsx", Rows=ROWS)), read(tmp_path / "rows.csv")
    assert list(found) == list(expected)
    assert found.untyped
    assert found.table.features == expected.table.features


def test_dates_and_times_are_written_as_iso_8601_says(tmp_path: Path) -> None:
    days = [date(2024, 1, 31), datetime(2024, 1, 31, 12, 30), time(12, 30)]
    path = book(tmp_path / "a.xlsx", Rows=[["when"], *([day] for day in days)])
    assert [row["when"] for row in cells(path)] == ["2024-01-31", "2024-01-31 12:30:00", "12:30:00"]


def test_empty_rows_and_columns_are_none_and_an_empty_cell_is_none(tmp_path: Path) -> None:
    rows = [[None], [None, "text", None, "label"], [None] * 4, [None, "a", None, None], [None, "b", None, "x"]]
    expected = [{"text": "a", "label": None}, {"text": "b", "label": "x"}]
    assert cells(book(tmp_path / "a.xlsx", Rows=rows)) == expected


def test_the_first_visible_sheet_with_cells_is_read_and_others_are_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = book(tmp_path / "a.xlsx", Hidden=[["no"]], Empty=[], Rows=[["text"], ["a"]], Notes=[["by me"]])
    made = openpyxl.load_workbook(path)
    made["Hidden"].sheet_state = "hidden"
    made.save(path)
    assert cells(path) == [{"text": "a"}]
    assert "the sheet 'Rows' is read; 'Notes' is not: to use another, save it as a file of its own" in caplog.text
    assert "Hidden" not in caplog.text


def test_a_packed_spreadsheet_and_one_of_another_program_are_read(tmp_path: Path) -> None:
    packed = tmp_path / "rows.xlsx.gz"
    packed.write_bytes(gzip.compress(book(tmp_path / "rows.xlsx", Rows=ROWS).read_bytes()))
    assert cells(packed) == cells(tmp_path / "rows.xlsx")
    texts = [("string", "text"), ("string", "label")], [("string", "a good film"), ("float", "5")]
    other = opendocument(tmp_path / "rows.ods", *texts)
    assert cells(other) == [{"text": "a good film", "label": "5"}]
    old = Path(__file__).parent / "old.xls"  # of Excel 97
    assert cells(old) == [{"text": "a good film", "label": "5"}, {"text": "grün", "label": "2"}]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"text,label\n", "cannot be read as a spreadsheet: "),
        (b"", "cannot be read as a spreadsheet: "),
    ],
)
def test_what_is_no_spreadsheet_is_one_error(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "rows.xlsx").write_bytes(content)
    with pytest.raises(DataError, match=rf"rows\.xlsx {told}"):
        read(tmp_path / "rows.xlsx")


def test_a_sheet_without_a_header_or_with_a_name_twice_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"empty\.xlsx is empty: a header line with the column names is expected"):
        read(book(tmp_path / "empty.xlsx", Rows=[]))
    with pytest.raises(DataError, match=r"twice\.xlsx: two columns have the name 'text'"):
        read(book(tmp_path / "twice.xlsx", Rows=[["text", "text"], ["a", "b"]]))
