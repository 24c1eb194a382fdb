"""Spreadsheets by the names of their columns, wherever the header row has gone."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from fleeting.datasets.text_tables import SheetError, read_text_table
from fleeting.records import RecordError, read_regular

__all__ = ["Sheet", "SheetError", "frame_number", "is_table", "is_whole", "read_cells", "read_sheets"]

TABLE_SUFFIXES = (".xlsx", ".xls", ".xlsm", ".ods", ".csv")
HEADER_WITHIN = 60
# No camera runs so long; text with more digits is no number of a frame.
MOST_NUMBER = 10**15
# A spreadsheet is read as a rectangle: one cell far out would take the memory of the machine.
MOST_CELLS = 5_000_000
MOST_SHEET_BYTES = 200 << 20
_NO_NUMBER = {"", "/", "-", "?", "nan", "none", "n/a", "null"}


@dataclass(frozen=True)
class Sheet:
    """One sheet whose header row was found.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    name : str
        Name of the sheet; the file's stem for a CSV.
    rows : tuple of tuple of (int, dict of str to str)
        For each row its number, as the spreadsheet program shows it, and its cells by column. Cells are stripped text,
        whole numbers without a decimal point; blank rows are left out.
    damaged : tuple of tuple of (int, str)
        For each line of a CSV that cannot be read its number, and why.
    """

    path: Path
    name: str
    rows: tuple[tuple[int, dict[str, str]], ...]
    damaged: tuple[tuple[int, str], ...] = ()


def is_table(name: str) -> bool:
    """Tell whether a file name is that of a spreadsheet; the lock files of an open one are not.

    >>> is_table("CASME2-coding-20140508.xlsx"), is_table("~$CASME2-coding-20140508.xlsx")
    (True, False)
    """
    return name.lower().endswith(TABLE_SUFFIXES) and not name.startswith(("~$", "."))


def read_sheets(
    path: Path, columns: Mapping[str, Sequence[str]], optional: Iterable[str] = (), *, skip_damaged: bool = False
) -> list[Sheet]:
    """Read all sheets of a spreadsheet that have the wanted columns.

    The header is the first row, of the first 60, that holds every required name; case, blanks and punctuation do not
    count, and neither do further or blank columns.

    Parameters
    ----------
    path : pathlib.Path
        ``.xlsx``, ``.xls``, ``.ods`` or ``.csv``.
    columns : mapping of str to sequence of str
        For each column of the result, the names that it may have.
    optional : iterable of str, optional
        Columns of the result that may be missing.
    skip_damaged : bool, optional
        If True, lines of a CSV that cannot be read are left out and named in :attr:`Sheet.damaged`.

    Returns
    -------
    list of Sheet
        At least one.

    Raises
    ------
    SheetError
        If the file, or a line of it, cannot be read, or no sheet has the columns; the message says what the best sheet
        lacks.
    """
    required = {name: columns[name] for name in columns if name not in set(optional)}
    found: list[Sheet] = []
    lacking: list[str] | None = None
    for page in _pages(path) if skip_damaged else _whole(path):
        cells = page.grid()
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
        damaged = tuple((line, reason) for line, reason in page.damaged if line > start + 1)
        found.append(Sheet(path, page.name, tuple(_rows(cells, start, places)), damaged))
    if found:
        return found
    missing = f"no sheet with the column{'s' * (len(lacking) > 1)} {', '.join(lacking)}" if lacking else "no rows"
    raise SheetError(f"{path}: {missing}; expected a table with {', '.join(n[0] for n in required.values())}")


def read_cells(path: Path) -> list[tuple[str, list[list[str]]]]:
    """Read all sheets of a spreadsheet without headers: name and rows of stripped text.

    Raises
    ------
    SheetError
        If the file, or a line of it, cannot be read.
    """
    return [(page.name, page.grid()) for page in _whole(path)]


def frame_number(text: str) -> int | None:
    """Read a frame number out of a cell: ``46``, ``46.0``; ``None`` for a blank, ``/`` and the like.

    Raises
    ------
    ValueError
        If the text is something else, or a number beyond every recording.

    Examples
    --------
    >>> frame_number("46"), frame_number("/")
    (46, None)
    """
    if text.strip().lower() in _NO_NUMBER:
        return None
    value = float(text)
    if not value.is_integer() or not 0 <= value <= MOST_NUMBER:
        raise ValueError(f"{text!r} is no frame number")
    return int(value)


@dataclass(frozen=True)
class _Page:
    """A sheet as it lies on disk: rows by their numbers, from 1."""

    name: str
    rows: Sequence[tuple[int, Sequence[Any]]]
    damaged: tuple[tuple[int, str], ...] = ()

    def grid(self) -> list[list[str]]:
        """The rows in their places; rows that are blank, or cannot be read, are empty."""
        cells: list[list[str]] = [[] for _ in range(self.rows[-1][0])] if self.rows else []
        for number, row in self.rows:
            cells[number - 1] = [_text(cell) for cell in row]
        return cells


def _whole(path: Path) -> Iterator[_Page]:
    for page in _pages(path):
        if page.damaged:
            line, reason = page.damaged[0]
            raise SheetError(f"{path}: cannot be read as a table (line {line} {reason}); correct it, or copy it again")
        yield page


def _pages(path: Path) -> Iterator[_Page]:
    if path.suffix.lower() == ".csv":
        table = read_text_table(path, header_lines=HEADER_WITHIN)
        yield _Page(path.stem, table.rows, table.damaged)
        return
    import python_calamine as calamine

    try:
        content = read_regular(path)
        _check_extent(path, content)
        book = calamine.CalamineWorkbook.from_filelike(BytesIO(content))
        for name in book.sheet_names:
            rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            yield _Page(name, list(enumerate(rows, start=1)))
    except RecordError as exc:
        raise SheetError(f"{path}: {exc.found}; expected a spreadsheet") from exc
    except SheetError:
        raise
    # The reader is written in Rust: where it gives up, it raises what is no Exception.
    except BaseException as exc:
        if not isinstance(exc, Exception) and type(exc).__name__ != "PanicException":
            raise
        raise SheetError(
            f"{path}: cannot be read as a spreadsheet ({str(exc)[:200] or type(exc).__name__}); copy it again from the "
            "release, or open it in a spreadsheet program and save it as .xlsx"
        ) from exc


def _check_extent(path: Path, content: bytes) -> None:
    """See that no cell of an .xlsx lies so far out that the rectangle of all cells would not fit into memory."""
    if not content.startswith(b"PK"):
        return
    with zipfile.ZipFile(BytesIO(content)) as book:
        for part in book.infolist():
            if not re.match(r"xl/worksheets/.*\.xml", part.filename):
                continue
            if part.file_size > MOST_SHEET_BYTES:
                raise SheetError(f"{path}: its sheet takes {part.file_size >> 20} MB; expected a table of clips")
            rows = columns = 0
            # Cells without content, which formats leave behind, do not count.
            for match in re.finditer(rb'<c [^>]*?r="([A-Z]{1,3})([0-9]{1,7})"[^>/]*>', book.read(part)):
                rows, columns = max(rows, int(match[2])), max(columns, _column(match[1]))
            if rows * columns > MOST_CELLS:
                raise SheetError(
                    f"{path}: its cells reach to row {rows:,} and column {columns:,}; expected a table of clips. Delete the "
                    "stray cell far out, and save it again"
                )


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


def is_whole(text: str) -> bool:
    """Tell whether a cell holds a whole number of up to nine digits.

    Examples
    --------
    >>> is_whole("046"), is_whole("4²"), is_whole("4.5")
    (True, False, False)
    """
    return re.fullmatch("[0-9]{1,9}", text) is not None


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = str(cell).replace("\u00a0", " ").strip()
    return text[:-2] if re.fullmatch(r"\d+\.0", text) else text


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _header(cells: Sequence[Sequence[str]], required: Mapping[str, Sequence[str]]) -> tuple[int, list[str]]:
    """The place of the header, and what the best candidate lacks (nothing, if it was found)."""
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
