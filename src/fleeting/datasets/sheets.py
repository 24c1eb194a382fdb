"""Spreadsheets by the names of their columns, wherever the header row has gone."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleeting.errors import FleetingError

__all__ = ["Sheet", "SheetError", "frame_number", "is_table", "read_cells", "read_sheets"]

TABLE_SUFFIXES = (".xlsx", ".xls", ".xlsm", ".ods", ".csv")
HEADER_WITHIN = 60
_NO_NUMBER = {"", "/", "-", "?", "nan", "none", "n/a", "null"}


class SheetError(FleetingError):
    """A spreadsheet that cannot be read, or lacks the columns that were looked for."""


@dataclass(frozen=True)
class Sheet:
    """One sheet whose header row was found.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    name : str
        Of the sheet; the file's stem for a CSV.
    rows : tuple of tuple of (int, dict of str to str)
        ``(row number as the spreadsheet program shows it, cells by column)``. Cells are stripped text, whole numbers
        without a decimal point; blank rows are left out.
    """

    path: Path
    name: str
    rows: tuple[tuple[int, dict[str, str]], ...]


def is_table(name: str) -> bool:
    """Whether a file name is that of a spreadsheet; the lock files of an open one are not.

    >>> is_table("CASME2-coding-20140508.xlsx"), is_table("~$CASME2-coding-20140508.xlsx")
    (True, False)
    """
    return name.lower().endswith(TABLE_SUFFIXES) and not name.startswith(("~$", "."))


def read_sheets(path: Path, columns: Mapping[str, Sequence[str]], optional: Iterable[str] = ()) -> list[Sheet]:
    """All sheets of a spreadsheet that have the wanted columns.

    The header is the first row, of the first 60, that holds every required name; case, blanks and punctuation do not
    count, and neither do further or blank columns.

    Parameters
    ----------
    path : pathlib.Path
        ``.xlsx``, ``.xls``, ``.ods`` or ``.csv``.
    columns : mapping
        For each column of the result, the names that it may have.
    optional : iterable of str, optional
        Columns of the result that may be missing.

    Raises
    ------
    SheetError
        If the file cannot be read, or no sheet has the columns; the message says what the best sheet lacks.
    """
    required = {name: columns[name] for name in columns if name not in set(optional)}
    found: list[Sheet] = []
    lacking: list[str] | None = None
    for name, cells in _pages(path):
        start, lacks = _header(cells, required)
        if lacks:
            lacking = lacks if lacking is None or len(lacks) < len(lacking) else lacking
            continue
        header = [_plain(cell) for cell in cells[start]]
        places: dict[str, int] = {}
        for column, names in columns.items():
            place = next((header.index(_plain(n)) for n in names if _plain(n) in header), None)
            if place is not None:
                places[column] = place
        found.append(Sheet(path, name, tuple(_rows(cells, start, places))))
    if found:
        return found
    missing = f"no sheet with the column{'s' * (len(lacking) > 1)} {', '.join(lacking)}" if lacking else "no rows"
    raise SheetError(f"{path}: {missing}; expected a table with {', '.join(n[0] for n in required.values())}")


def read_cells(path: Path) -> list[tuple[str, list[list[str]]]]:
    """All sheets of a spreadsheet without headers: name and rows of stripped text.

    Raises
    ------
    SheetError
        If the file cannot be read.
    """
    return list(_pages(path))


def frame_number(text: str) -> int | None:
    """A frame number out of a cell: ``46``, ``46.0``; ``None`` for a blank, ``/`` and the like.

    Raises
    ------
    ValueError
        If the text is something else.

    >>> frame_number("46"), frame_number("/")
    (46, None)
    """
    if text.strip().lower() in _NO_NUMBER:
        return None
    value = float(text)
    if not value.is_integer() or value < 0:
        raise ValueError(f"{text!r} is no frame number")
    return int(value)


def _pages(path: Path) -> Iterator[tuple[str, list[list[str]]]]:
    if path.suffix.lower() == ".csv":
        yield path.stem, _csv(path)
        return
    import python_calamine as calamine

    try:
        book = calamine.CalamineWorkbook.from_path(str(path))
        for name in book.sheet_names:
            rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            yield name, [[_text(cell) for cell in row] for row in rows]
    except (calamine.CalamineError, OSError, ValueError) as exc:
        raise SheetError(
            f"{path}: cannot be read as a spreadsheet ({exc or type(exc).__name__}); copy it again from the release, or "
            "open it in a spreadsheet program and save it as .xlsx"
        ) from exc


def _csv(path: Path) -> list[list[str]]:
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise SheetError(f"{path}: cannot be read ({exc.strerror or exc})") from exc
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # older spreadsheet programs
    lines = text.splitlines()
    separator = max(",;\t", key=lambda c: sum(line.count(c) for line in lines[:HEADER_WITHIN]))
    try:
        return [[_text(cell) for cell in row] for row in csv.reader(lines, delimiter=separator)]
    except csv.Error as exc:  # mostly a quotation mark that is never closed
        raise SheetError(f"{path}: cannot be read as a table ({exc}); look for a stray quotation mark") from exc


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = str(cell).replace("\u00a0", " ").strip()
    return text[:-2] if re.fullmatch(r"\d+\.0", text) else text


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _header(cells: Sequence[Sequence[str]], required: Mapping[str, Sequence[str]]) -> tuple[int, list[str]]:
    """Where the header is, and what the best candidate lacks (nothing, if it was found)."""
    best = [names[0] for names in required.values()]
    for number, row in enumerate(cells[:HEADER_WITHIN]):
        present = {_plain(cell) for cell in row}
        lacks = [names[0] for names in required.values() if not any(_plain(n) in present for n in names)]
        if not lacks:
            return number, []
        if len(lacks) < len(best):
            best = lacks
    return 0, best


def _rows(
    cells: Sequence[Sequence[str]], start: int, places: Mapping[str, int]
) -> Iterator[tuple[int, dict[str, str]]]:
    for number in range(start + 1, len(cells)):
        row = cells[number]
        values = {column: row[place] if place < len(row) else "" for column, place in places.items()}
        if any(values.values()):
            yield number + 1, values
