"""Tables as text, in whatever form a spreadsheet program or an editor left them; a damaged line costs that line alone."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleeting.errors import FleetingError
from fleeting.records import RecordError, read_regular

__all__ = ["NamedRow", "SheetError", "TextTable", "named_rows", "read_text_table"]

SEPARATORS = ",;\t"
# A cell that goes on for more lines than this is no cell: a quotation mark was left open.
MOST_LINES = 100


class SheetError(FleetingError):
    """A table that cannot be read, or lacks the columns that were looked for."""


@dataclass(frozen=True)
class TextTable:
    """The cells of a table that is kept as text.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    rows : tuple of tuple of (int, tuple of str)
        For each row that can be read the number of its line, from 1, and its cells.
    damaged : tuple of tuple of (int, str)
        For each line that cannot be read its number, and why, as in ``has a quotation mark that is never closed``.
    """

    path: Path
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    damaged: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class NamedRow:
    """A row with its cells by column.

    Attributes
    ----------
    line : int
        Number of its line, from 1.
    cells : dict of str to str
        Text by name of the column, in lower case; text without blanks at its ends. Columns that the row does not reach are
        empty.
    odd : str
        The oddity of the row, as in ``has 5 cells, the first line 8``; empty if it is as it should be.
    usable : bool
        If False, what stands in which column is anybody's guess; ``cells`` are empty.
    """

    line: int
    cells: dict[str, str]
    odd: str = ""
    usable: bool = True


def read_text_table(path: Path, *, header_lines: int = 1) -> TextTable:
    """Read a table whose cells are separated by commas, semicolons or tabs.

    UTF-8, UTF-16 with a byte order mark, and what older spreadsheet programs write (Latin-1) are understood.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    header_lines : int, optional
        Lines from the top among which the commonest separator is looked for.

    Returns
    -------
    TextTable
        Its rows, and the lines that cannot be read. A quotation mark that is never closed costs its line, and not the
        rows after it.

    Raises
    ------
    SheetError
        If the file is missing, no file, or cannot be read.
    """
    try:
        raw = read_regular(path)
    except RecordError as exc:
        raise SheetError(f"{path}: {exc.found}; expected a table") from exc
    lines = re.split(r"\r\n|\r|\n", _decoded(raw))
    separator = max(SEPARATORS, key=lambda c: sum(line.count(c) for line in lines[:header_lines]))
    rows: list[tuple[int, tuple[str, ...]]] = []
    damaged: list[tuple[int, str]] = []
    at, width = 0, None
    while at < len(lines):
        cells, used, damage = _record(lines, at, separator, width)
        if damage:
            damaged.append((at + 1, damage))
        elif cells:
            rows.append((at + 1, tuple(cells)))
            width = len(cells) if width is None else width
        at += used
    return TextTable(path, tuple(rows), tuple(damaged))


def named_rows(table: TextTable, required: Sequence[str], expected: str) -> Iterator[NamedRow]:
    """Give the rows below the first line by the names of its columns, damaged lines among them; blank rows are left out.

    Parameters
    ----------
    table : TextTable
        The table.
    required : sequence of str
        Columns that it must have, in lower case.
    expected : str
        The columns in words, for the message.

    Raises
    ------
    SheetError
        If it lacks a column, or names one twice.
    """
    first = table.rows[0][1] if table.rows and not (table.damaged and table.damaged[0][0] < table.rows[0][0]) else ()
    names = [cell.strip().lower() for cell in first]
    lacking = [name for name in required if name not in names]
    if lacking:
        shown = ",".join(first)[:80]
        raise SheetError(
            f"{table.path}: no column {' and no column '.join(lacking)} in its first line ({shown!r}); expected {expected}"
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise SheetError(f"{table.path}: its first line names the column {twice[0]} twice; delete one of the two")
    found = [NamedRow(line, {}, reason, usable=False) for line, reason in table.damaged]
    for line, cells in table.rows[1:]:
        texts = [cell.strip() for cell in cells]
        while len(texts) > len(names) and not texts[-1]:
            texts.pop()
        if not any(texts):
            continue
        odd = "" if len(texts) == len(names) else f"has {len(texts)} cells, the first line {len(names)}"
        if len(texts) > len(names):
            found.append(NamedRow(line, {}, odd, usable=False))
        else:
            found.append(NamedRow(line, dict.fromkeys(names, "") | dict(zip(names, texts)), odd))
    yield from sorted(found, key=lambda row: row.line)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _record(lines: Sequence[str], at: int, separator: str, width: int | None) -> tuple[list[str], int, str]:
    """Cells of the row that begins with a line, the number of its lines, and the damage."""
    line = lines[at]
    try:
        if '"' not in line:
            return next(csv.reader([line], delimiter=separator), []), 1, ""
        if _is_open(line, separator):
            reader = csv.reader((f"{text}\n" for text in lines[at : at + MOST_LINES]), delimiter=separator, strict=True)
            cells = _next(reader)
            # A cell may hold line breaks; then the row is as wide as the others.
            if cells is not None and width is not None and len(cells) == width:
                return cells, reader.line_num, ""
            return [], 1, "has a quotation mark that is never closed"
        return next(csv.reader([line], delimiter=separator), []), 1, ""
    except csv.Error:
        return [], 1, f"has a cell of more than {csv.field_size_limit():,} characters"


def _is_open(line: str, separator: str) -> bool:
    """Whether a line ends within a cell in quotation marks."""
    reader = csv.reader([line, ""], delimiter=separator)
    next(reader, None)
    return reader.line_num > 1


def _next(reader: Iterator[list[str]]) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error:
        return None
