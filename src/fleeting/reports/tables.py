"""Tables of a study: from declared columns and rows of text to heads and cells as the page prints them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from fleeting.records import NOT_RUN, StudyColumn, tells_collapse
from fleeting.reports import wording
from fleeting.reports.reading import as_number

__all__ = ["Cell", "Column", "Head", "Row", "Table", "as_printed", "build_table", "plain_columns"]

_MAX_ROWS = 400
_SHORT = 18  # characters that a cell keeps on one line
_NOTHING = ("", "nan", "none", "null")
_IN_PERCENT = ("share", "percent")


@dataclass(frozen=True)
class Column:
    """A column as the page prints it.

    Attributes
    ----------
    shown : StudyColumn
        The column as the study declares it.
    digits : int
        Digits after the point in every row; -1 for as few as each number allows.
    opens : bool
        If True, a group of columns begins with it.
    """

    shown: StudyColumn
    digits: int = -1
    opens: bool = False

    @property
    def style(self) -> str:
        """CSS classes that head and cells share."""
        shown = self.shown
        names = ["n"] if shown.unit not in ("text", "state") else []
        names += ["pub"] if shown.role == "published" else []
        names += ["strong"] if shown.strong else []
        names += ["nowrap"] if shown.unit == "state" else []
        names += ["opens"] if self.opens else []
        return " ".join(names)


@dataclass(frozen=True)
class Head:
    """A cell of the heading rows."""

    text: str
    style: str = ""
    columns: int = 1
    rows: int = 1
    group: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell: its text, its interval below it, and its CSS classes."""

    text: str
    style: str = ""
    ends: str = ""


@dataclass(frozen=True)
class Row:
    """A row; ``off`` says in words that it was not run."""

    cells: list[Cell]
    off: str = ""


@dataclass(frozen=True)
class Table:
    """A table as the page prints it.

    Attributes
    ----------
    columns : list of Column
        Columns that are shown.
    heads : list of list of Head
        One or two heading rows.
    rows : list of Row
        Rows that are shown.
    more : int
        Rows that are not.
    problems : list of str
        Sentences on what the file lacks.
    """

    columns: list[Column]
    heads: list[list[Head]]
    rows: list[Row]
    more: int = 0
    problems: list[str] = field(default_factory=list)


def plain_columns(rows: Sequence[dict[str, str]]) -> list[StudyColumn]:
    """Give the columns of a file that nothing is declared of; they are shown as text."""
    return [StudyColumn(key=key, label=key.replace("_", " ")) for key in (rows[0] if rows else ()) if key]


def build_table(declared: Sequence[StudyColumn], rows: Sequence[dict[str, str]]) -> Table:
    """Lay out a table.

    Parameters
    ----------
    declared : sequence of StudyColumn
        Columns to show, in this order; those that the rows lack are shown as dashes and named in ``problems``.
    rows : sequence of dict of str to str
        The file's rows, as text.
    """
    problems = []
    if rows:
        needed = dict.fromkeys((name, one.state) for one in declared for name in _needs(one))
        absent = [name for name, state in needed if name not in rows[0] and not _never_run(state, rows)]
        if lacking := list(dict.fromkeys(absent)):
            problems.append(f"The file lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking)}.")
    shown = rows[:_MAX_ROWS]
    # A table may leave out the states that its file holds.
    states = dict.fromkeys(one.key if one.unit == "state" else one.state for one in declared)
    present = [key for key in states if key and rows and key in rows[0]]
    columns: list[Column] = []
    for one in declared:
        if not _says_nothing(one, rows):
            opens = bool(columns) and one.group != columns[-1].shown.group
            columns.append(Column(one, _digits(one, [row.get(one.key, "") for row in rows]), opens))
    body = []
    for row in shown:
        said = [row[key].strip() for key in present]
        off = said[0] if said and all(state in NOT_RUN for state in said) else ""
        body.append(Row([_cell(column, row) for column in columns], off))
    return Table(columns, _heads(columns), body, len(rows) - len(shown), problems)


def _says_nothing(column: StudyColumn, rows: Sequence[dict[str, str]]) -> bool:
    """A state without a heading, of which all is well: it would only take room."""
    return (
        column.unit == "state"
        and not column.label
        and bool(rows)
        and all(row.get(column.key, "").strip() == "ok" for row in rows)
    )


def _never_run(state: str, rows: Sequence[dict[str, str]]) -> bool:
    """Whether the states of a missing column say why it is missing: nothing that would fill it was run."""
    return bool(state) and state in rows[0] and all(row[state].strip() in ("", *NOT_RUN) for row in rows)


def _needs(column: StudyColumn) -> list[str]:
    ends = [column.low, column.high] if column.low else []
    return ends if column.role == "interval" else [column.key, *ends]


def _heads(columns: Sequence[Column]) -> list[list[Head]]:
    if not any(one.shown.group for one in columns):
        return [[Head(one.shown.label, one.style) for one in columns]]
    above: list[Head] = []
    for group, members in groupby(columns, key=lambda one: one.shown.group):
        own = list(members)
        if group:
            above.append(Head(group, "opens" if own[0].opens else "", len(own), group=True))
        else:
            above += [Head(one.shown.label, one.style, rows=2) for one in own]
    return [above, [Head(one.shown.label, one.style) for one in columns if one.shown.group]]


def as_printed(texts: Sequence[str], scale: float) -> int:
    """Count the digits after the point, at most two, with which a paper printed its percentages.

    Parameters
    ----------
    texts : sequence of str
        Cells of the column.
    scale : float
        Factor that makes percent of them.
    """
    written = [text.strip() for text in texts if math.isfinite(as_number(text))]
    scaled = [f"{as_number(text) * scale:.2f}".rstrip("0") for text in written] if scale != 1 else written
    return min(2, max((len(text.partition(".")[2]) for text in scaled), default=0))


def _digits(column: StudyColumn, texts: Sequence[str]) -> int:
    if column.unit in _IN_PERCENT:
        return as_printed(texts, _scale(column)) if column.role == "published" else 1
    written = [text.strip() for text in texts if math.isfinite(as_number(text))]
    digits = [len(text.partition(".")[2]) if re.fullmatch(r"-?\d*\.?\d*", text) else 9 for text in written]
    sizes = [abs(as_number(text)) for text in written if as_number(text)]
    # Learning rates of 0.01 and 0.0001 read best as they stand; measured values as columns of equal length.
    as_they_stand = max(digits, default=0) <= 4 and max(sizes, default=1.0) >= 10 * min(sizes, default=1.0)
    return -1 if as_they_stand else min(3, max(digits, default=0))


def _scale(column: StudyColumn) -> float:
    return 100.0 if column.unit == "share" else 1.0


def _cell(column: Column, row: dict[str, str]) -> Cell:
    shown, style = column.shown, column.style
    text = " ".join(row.get(shown.key, "").split())
    ends = _ends(shown, row)
    if shown.role == "interval":
        return Cell(ends or wording.NONE, f"{style} {'ends-only' if ends else 'off'}".strip())
    if text.lower() in _NOTHING[: 2 if shown.unit == "text" else None]:
        return Cell(wording.NONE, f"{style} off".strip())
    if shown.unit in ("text", "state"):
        return Cell(text, _worded(column, text))
    number = as_number(text)
    if not math.isfinite(number):
        # Words in place of a figure, such as "not run", are said as they are.
        infinite = math.isinf(number)
        return Cell(wording.NONE if infinite else text, f"{style} off".strip())
    if shown.role == "collapsed" and tells_collapse(text):
        style += " flag"
    return Cell(_figure(number, column), style, ends)


def _ends(shown: StudyColumn, row: dict[str, str]) -> str:
    if not shown.low:
        return ""
    low, high = (as_number(row.get(name)) * _scale(shown) for name in (shown.low, shown.high))
    return wording.interval(low, high, digits=1 if shown.unit in _IN_PERCENT else 2)


def _worded(column: Column, text: str) -> str:
    """CSS classes of a cell of words."""
    flagged = column.shown.role == "collapsed" and tells_collapse(text)
    if column.shown.unit == "state":
        mark = "off" if text in NOT_RUN else "flag" if flagged or text == "no" else ""
        return f"{column.style} {mark}".strip()
    return " ".join(filter(None, [column.style, "flag" if flagged else "", "nowrap" if len(text) <= _SHORT else ""]))


def _figure(number: float, column: Column) -> str:
    unit, digits = column.shown.unit, column.digits
    if unit in _IN_PERCENT:
        return f"{number * _scale(column.shown):.{digits}f} %"
    if unit == "count" and number.is_integer():
        return f"{int(number):,}"
    if digits < 0 or (number != 0 and abs(number) < 5e-4):
        return f"{number:,.4g}" if abs(number) < 1e4 else f"{number:,g}"
    return f"{number:,.{digits}f}"
