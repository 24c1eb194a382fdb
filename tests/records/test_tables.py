"""Tables come back as they went, nothing in them runs in a spreadsheet, and no row is swallowed without a word."""

import csv
from typing import Annotated

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from fleeting.records import RecordError, Row, defuse, read_table, undo_defuse, write_frame, write_table

# What a cell can hold: no line breaks, which become spaces, and no apostrophe in front of a sign, which defusing puts there.
CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"])).filter(
    lambda text: undo_defuse(text) == text
)


class Line(Row):
    name: str
    number: Annotated[int, Field(ge=0)] = 7
    note: str = ""


@given(st.lists(st.tuples(CELLS, CELLS)))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_text_comes_back_as_it_went(tmp_path, rows):
    path = write_table(tmp_path / "table.csv", ["a", "b"], rows)
    assert read_table(path) == [{"a": a, "b": b} for a, b in rows]


@given(CELLS)
@settings(deadline=None)
def test_no_cell_begins_like_a_formula(text):
    safe = defuse(text)
    assert undo_defuse(safe) == text
    if safe[:1] in ("=", "@", "\t", "\r"):
        pytest.fail(safe)
    if safe[:1] in ("+", "-"):
        float(safe)


def test_rows_are_records(tmp_path):
    rows = [Line(name="=1+1", number=0, note="über, alles"), Line(name="001"), Line(name="NA", note='say "a"')]
    Line.write_all(tmp_path / "table.csv", rows)
    assert Line.read_all(tmp_path / "table.csv") == rows
    assert (tmp_path / "table.csv").read_text(encoding="utf-8").startswith("name,number,note\n'=1+1,0,")


def test_an_empty_cell_is_a_field_that_was_left_out(tmp_path):
    (tmp_path / "table.csv").write_text("name,number\na,\n")
    assert Line.read_all(tmp_path / "table.csv") == [Line(name="a", number=7)]
    (tmp_path / "table.csv").write_text("name,number\n,3\n")
    with pytest.raises(RecordError, match=r"table\.csv, row 1: name: field required"):
        Line.read_all(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has no column name; found nothing"),
        (b"number\n1\n", "has no column name; found number"),
        (b"name;number\na;1\n", "has no column name; found name;number"),
        (b"name,name\na,b\n", "names a column twice"),
        (b"name,number\na,1\nb\n", "line 3 has 1 fields; expected 2"),
        (b"name,number\na,1,2\n", "line 2 has 3 fields; expected 2"),
        (b"name,number\na,1\n\xff,2\n", "is not UTF-8 text"),
        (b'name,number\na,1\n"b,2\nc,3\n', r"line \d is not CSV"),
        (b'name,number\na,1\n"b,2\nc",3\n', "a quote before line 4 swallows the end of its line"),
        (b'name,number\n"a"b,1\n', r"line \d is not CSV"),
        (b"name,number\na," + b"1" * 200_000 + b"\n", "line 2 is not CSV .*field limit"),
        (b"name,number\na,two\n", "row 1: number: .*integer.*, found 'two'"),
        (b"name,number\na,1\nb,-1\n", "row 2: number: .*greater than or equal to 0, found '-1'"),
        (b"name,number\na,inf\n", "row 1: number: .*integer"),
        (b"name,number\na,1e300\n", "row 1: number: .*integer"),
    ],
)
def test_damage_is_named_with_file_and_line(tmp_path, content, says):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(RecordError, match=rf"table\.csv[:,] {says}"):
        Line.read_all(tmp_path / "table.csv")


@given(st.binary(max_size=80))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_rows_or_an_error_of_ours(tmp_path, content):
    (tmp_path / "table.csv").write_bytes(b"name,number\na,1\n" + content)
    try:
        rows = Line.read_all(tmp_path / "table.csv")
    except RecordError:
        return
    # Nothing was swallowed: every line that is not empty is a row.
    lines = [line for line in content.decode().splitlines() if line.strip("\ufeff")]
    assert 1 <= len(rows) <= 1 + len(lines)


def test_line_breaks_in_text_become_spaces(tmp_path):
    path = write_table(tmp_path / "table.csv", ["a"], [["one\ntwo\r\nthree"], [0.25]])
    assert read_table(path) == [{"a": "one two three"}, {"a": "0.25"}]


def test_a_frame_is_written_like_rows_and_its_numbers_as_they_are(tmp_path):
    frame = pd.DataFrame(
        {"who": ["=a", "-1", "b\nc"], "n": pd.array([1, None, 3], dtype="Int64"), "x": [0.5, np.nan, 2]}
    )
    path = write_frame(tmp_path / "table.csv", frame)
    assert path.read_text() == "who,n,x\n'=a,1,0.5\n-1,,\nb c,3,2.0\n"
    assert frame.loc[0, "who"] == "=a"
    with path.open(newline="") as file:
        assert len(list(csv.reader(file))) == 4
