"""Spreadsheets by column name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import write_book

from fleeting.datasets.sheets import SheetError, frame_number, is_table, read_sheets

COLUMNS = {"subject": ("Subject",), "onset": ("Onset Frame", "OnsetFrame"), "note": ("Notes",)}


def test_the_header_is_searched_and_blank_columns_do_not_count(tmp_path):
    path = tmp_path / "ä.xlsx"
    rows = [["A title"], [], [None, "onset frame", None, "SUBJECT "], [None, 46, None, 1], [], [None, "/", None, "02"]]
    write_book(path, {"Read me": [["nothing"]], "Data": rows, "Copy": rows[2:]})
    first, second = read_sheets(path, COLUMNS, optional=("note",))
    assert (first.name, second.name) == ("Data", "Copy")
    assert first.rows == ((4, {"subject": "1", "onset": "46"}), (6, {"subject": "02", "onset": "/"}))
    assert [number for number, _ in second.rows] == [2, 4]
    with pytest.raises(SheetError, match=r"no sheet with the column Notes; expected a table with Subject, Onset Frame"):
        read_sheets(path, COLUMNS)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_exports_as_text(tmp_path, separator, encoding):
    path = tmp_path / "a.csv"
    lines = [["Subject", "OnsetFrame", "Notes"], ["01", "46.0", "Müller"]]
    path.write_text("\n".join(separator.join(line) for line in lines), encoding=encoding)
    (sheet,) = read_sheets(path, COLUMNS)
    assert sheet.rows == ((2, {"subject": "01", "onset": "46", "note": "Müller"}),)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"not a workbook"])
def test_what_is_no_spreadsheet_says_so(tmp_path, content):
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    with pytest.raises(SheetError, match=r"a\.xlsx: cannot be read as a spreadsheet .*copy it again"):
        read_sheets(path, COLUMNS)
    with pytest.raises(SheetError):
        read_sheets(tmp_path / "none.csv", COLUMNS)
    (tmp_path / "e.csv").write_text("")
    with pytest.raises(SheetError, match="no sheet with the columns Subject, Onset Frame, Notes"):
        read_sheets(tmp_path / "e.csv", COLUMNS)


def test_lock_files_are_no_tables():
    assert [n for n in ("a.xlsx", "~$a.xlsx", "._a.xlsx", "b.CSV", "c.txt") if is_table(n)] == ["a.xlsx", "b.CSV"]


@pytest.mark.parametrize("text", ["", " ", "/", "-", "?", "NaN", "none"])
def test_no_number(text):
    assert frame_number(text) is None


@pytest.mark.parametrize("text", ["x", "1.5", "-3", "inf", "MISSING <-426679"])
def test_odd_numbers(text):
    with pytest.raises(ValueError):
        frame_number(text)


@given(st.integers(0, 10**9))
def test_numbers(number):
    assert frame_number(str(number)) == frame_number(f" {number}.0 ") == number
