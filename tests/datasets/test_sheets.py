"""Spreadsheets by column name."""

import os

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from tiny import write_book

from fleeting.datasets.sheets import SheetError, frame_number, is_table, read_cells, read_sheets

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


@pytest.mark.parametrize("text", ["x", "1.5", "-3", "inf", "1e300", "1e19", "9" * 400, "MISSING <-426679"])
def test_odd_numbers(text):
    with pytest.raises(ValueError):
        frame_number(text)


@given(st.integers(0, 10**9))
def test_numbers(number):
    assert frame_number(str(number)) == frame_number(f" {number}.0 ") == number


def test_a_cell_far_out_is_refused_before_it_takes_the_memory(tmp_path):
    path = tmp_path / "far.xlsx"
    book = xlsxwriter.Workbook(str(path))
    page = book.add_worksheet()
    page.write_string(0, 0, "Subject")
    page.write_string(1_048_575, 16_383, "x")
    book.close()
    with pytest.raises(SheetError, match=r"reach to row 1,048,576 and column 16,384"):
        read_cells(path)


def test_a_damaged_line_of_a_table_is_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('Subject,OnsetFrame,Notes\n01,46,x\n02,"47,x\n03,48,x\n')
    with pytest.raises(SheetError, match="line 3 has a quotation mark that is never closed"):
        read_sheets(path, COLUMNS)
    (sheet,) = read_sheets(path, COLUMNS, skip_damaged=True)
    assert [number for number, _ in sheet.rows] == [2, 4]
    assert sheet.damaged == ((3, "has a quotation mark that is never closed"),)


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_a_pipe_is_no_table(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(SheetError, match="a pipe or device"):
        read_sheets(tmp_path / name, COLUMNS)
