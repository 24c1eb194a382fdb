"""Tables on disk: CSV that is read row by row into records, and written so that a spreadsheet runs nothing in it."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import model_validator

from fleeting.files import write_csv, write_text
from fleeting.records.base import Record, RecordError, read_regular

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Row", "defuse", "format_table", "read_table", "undo_defuse", "write_frame", "write_table"]

# A spreadsheet takes a cell that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def defuse(text: str) -> str:
    """Give text that a spreadsheet shows instead of running it: an apostrophe is put before what looks like a formula.

    Examples
    --------
    >>> defuse("=1+1"), defuse("-0.5"), defuse("smile")
    ("'=1+1", '-0.5', 'smile')
    """
    if text.startswith(_FORMULA) and not _is_number(text):
        return "'" + text
    return text


def undo_defuse(text: str) -> str:
    """Give back the text that :func:`defuse` was given."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(_FORMULA) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_table(
    path: str | os.PathLike[str], *, columns: Sequence[str] = (), remedy: str = "", content: bytes | None = None
) -> list[dict[str, str]]:
    """Read a CSV file of ours as text.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    columns : sequence of str, optional
        Columns that it must have.
    remedy : str, optional
        Advice if it cannot be read; ends the message.
    content : bytes or None, optional
        Its content, if it was read already.

    Returns
    -------
    list of dict of str to str
        The rows; a table without rows is an empty list.

    Raises
    ------
    RecordError
        If it cannot be read, is not UTF-8, lacks a column, has a row of another length, or holds a quote that is not
        closed where it should be, which would swallow rows without a word.
    """
    raw = read_regular(path, remedy=remedy) if content is None else content
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise RecordError(path, f"is not UTF-8 text (byte {exc.start})", remedy) from exc
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    rows: list[dict[str, str]] = []
    try:
        for number, cells in enumerate(reader):
            if number == 0:
                header = cells
                continue
            if not cells:
                continue
            if len(cells) != len(header):
                raise RecordError(
                    path, f"line {reader.line_num} has {len(cells)} fields; expected {len(header)}", remedy
                )
            if any("\n" in cell or "\r" in cell for cell in cells):
                raise RecordError(path, f"a quote before line {reader.line_num} swallows the end of its line", remedy)
            rows.append(dict(zip(header, map(undo_defuse, cells), strict=True)))
    except csv.Error as exc:
        raise RecordError(path, f"line {reader.line_num} is not CSV ({exc})", remedy) from exc
    absent = [name for name in columns if name not in header]
    if absent or not header:
        shown = ", ".join(header)[:120] or "nothing"
        raise RecordError(path, f"has no column {', '.join(absent) or 'at all'}; found {shown}", remedy)
    if len(set(header)) < len(header):
        raise RecordError(path, "names a column twice", remedy)
    return rows


def write_table(path: str | os.PathLike[str], header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write a CSV file atomically; text that a spreadsheet would run is defused, line breaks in text become spaces.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    header : sequence of str
        Names of the columns.
    rows : iterable of sequence
        Values; ``None`` is an empty cell.

    Raises
    ------
    FleetingError
        If the file cannot be written.
    """
    return write_text(path, format_table(header, rows))


def format_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Give the text that :func:`write_table` writes."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow(["" if v is None else _cell(v) for v in row])
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    return defuse(" ".join(value.splitlines())) if isinstance(value, str) else value


def write_frame(path: str | os.PathLike[str], table: pd.DataFrame) -> Path:
    """Write a table of pandas as :func:`write_table` writes rows.

    Raises
    ------
    FleetingError
        If the file cannot be written.
    """
    import pandas as pd

    safe = table.copy()
    for name, column in table.items():
        if any(isinstance(value, str) for value in column):
            safe[name] = pd.Series([_cell(value) for value in column], dtype=column.dtype).array
    return write_csv(path, safe)


class Row(Record):
    """A record that is a row of a table. An empty cell is a field that was left out."""

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: cell for name, cell in value.items() if cell != ""}
        return value

    @classmethod
    def read_all(cls, path: str | os.PathLike[str]) -> list[Self]:
        """Read every row of a table.

        Raises
        ------
        RecordError
            If the table cannot be read, or a row has another form; names the row.
        """
        required = [name for name, field in cls.model_fields.items() if field.is_required()]
        rows = read_table(path, columns=required, remedy=cls.remedy)
        return [cls.parse(row, f"{path}, row {number}") for number, row in enumerate(rows, start=1)]

    @classmethod
    def write_all(cls, path: str | os.PathLike[str], rows: Sequence[Self]) -> None:
        """Write a table, a column per field.

        Raises
        ------
        FleetingError
            If the file cannot be written.
        """
        write_table(path, list(cls.model_fields), [list(row.model_dump().values()) for row in rows])
