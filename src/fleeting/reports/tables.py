"""Tables of a study: from columns and rows of text to heads and cells as the page prints them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from fleeting.reports import wording
from fleeting.reports.reading import as_dict, as_list, as_number

__all__ = ["KINDS", "Cell", "Column", "Head", "Row", "Table", "build_table", "decimals", "points", "read_columns"]

KINDS = ("text", "percent", "number", "integer", "interval", "published", "status")
_NUMERIC = ("percent", "number", "integer", "interval", "published")
_MAX_ROWS = 400
_SHORT = 18  # characters that a cell keeps on one line
_NOTHING = ("", "nan", "none", "null")
_NOT_DONE = re.compile(r"(not |missing|skipped|unknown|failed)", re.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """One column of a table: ``low`` and ``high`` are the CSV columns of its interval's ends.

    ``published`` columns hold what the paper printed, ``strong`` ones are emphasised, and a group of columns ``opens``
    with its first.
    """

    key: str
    label: str
    kind: str = "text"
    low: str = ""
    high: str = ""
    group: str = ""
    published: bool = False
    strong: bool = False
    opens: bool = False

    @property
    def style(self) -> str:
        """CSS classes that head and cells share."""
        names = ["n"] if self.kind in _NUMERIC else []
        names += ["pub"] if self.published else []
        names += ["strong"] if self.strong else []
        names += ["nowrap"] if self.kind == "status" else []
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
    """A table as the page prints it."""

    columns: list[Column]
    heads: list[list[Head]]
    rows: list[Row]
    more: int = 0
    problems: list[str] = field(default_factory=list)


def read_columns(listed: Any, emphasis: Any = ()) -> tuple[list[Column], list[str]]:
    """Columns from ``study.json``, and what could not be understood in them."""
    columns: list[Column] = []
    problems = []
    strong = {str(key) for key in as_list(emphasis)}
    for number, item in enumerate(map(as_dict, as_list(listed))):
        text = {name: str(item.get(name) or "") for name in ("key", "label", "kind", "low", "high", "group")}
        kind = text["kind"] or "text"
        if kind not in KINDS:
            problems.append(f"Column {text['key'] or number + 1} has the unknown kind {kind!r} and is shown as text.")
            kind = "text"
        before = columns[-1].group if columns else ""
        columns.append(
            Column(
                text["key"],
                str(item["label"]) if item.get("label") is not None else text["key"].replace("_", " "),
                kind,
                text["low"],
                text["high"],
                text["group"],
                published=kind == "published" or item.get("published") is True or text["label"].lower() == "published",
                strong=bool(text["key"]) and text["key"] in strong,
                opens=bool(columns) and text["group"] != before,
            )
        )
    return columns, problems


def build_table(columns: Sequence[Column], rows: Sequence[dict[str, str]]) -> Table:
    """Lay out a table.

    Parameters
    ----------
    columns : sequence
        What to show, in this order; columns that the rows lack are shown as dashes and named in ``problems``.
    rows : sequence
        The file's rows, as text.
    """
    problems = []
    if rows:
        needed = dict.fromkeys(name for one in columns for name in _needs(one))
        lacking = [name for name in needed if name not in rows[0] and not _never_run(name, rows)]
        if lacking:
            problems.append(f"The file lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking)}.")
    shown = rows[:_MAX_ROWS]
    states = [one.key for one in columns if one.kind == "status"]
    # A table may leave out the states that its file holds.
    states = states or [name for name in (rows[0] if rows else ()) if name == "status" or name.endswith("_status")]
    columns = [one for one in columns if not _says_nothing(one, rows)]
    texts = {one.key: [row.get(one.key, "") for row in rows] for one in columns}
    digits = {one.key: decimals(texts[one.key], one.kind) for one in columns}
    scales = {one.key: points(texts[one.key]) if one.kind == "published" else 1.0 for one in columns}
    body = []
    for row in shown:
        said = [row.get(key, "").strip() for key in states]
        off = said[0] if said and all(map(_NOT_DONE.match, said)) else ""
        cells = [
            _cell(one, row, digits[one.key], scales[one.key], columns[at - 1].kind if at else "")
            for at, one in enumerate(columns)
        ]
        body.append(Row(cells, off))
    return Table(list(columns), _heads(columns), body, len(rows) - len(shown), problems)


def _says_nothing(column: Column, rows: Sequence[dict[str, str]]) -> bool:
    """A state without a heading, of which all is well: it would only take room."""
    return (
        column.kind == "status"
        and not column.label
        and bool(rows)
        and all(row.get(column.key, "").strip() == "ok" for row in rows)
    )


def _never_run(name: str, rows: Sequence[dict[str, str]]) -> bool:
    """Whether the states beside a missing column say why it is missing: nothing that would fill it was run."""
    states = [state for state in (name.rpartition("_")[0] + "_status", "status") if state in rows[0]]
    return bool(states) and all(not (said := row[states[0]].strip()) or _NOT_DONE.match(said) for row in rows)


def _needs(column: Column) -> list[str]:
    ends = [name for name in (column.low, column.high) if name]
    return ends if column.kind == "interval" and ends else [column.key, *ends]


def _heads(columns: Sequence[Column]) -> list[list[Head]]:
    if not any(one.group for one in columns):
        return [[Head(one.label, one.style) for one in columns]]
    above: list[Head] = []
    for group, members in groupby(columns, key=lambda one: one.group):
        own = list(members)
        if group:
            above.append(Head(group, "opens" if own[0].opens else "", len(own), group=True))
        else:
            above += [Head(one.label, one.style, rows=2) for one in own]
    return [above, [Head(one.label, one.style) for one in columns if one.group]]


def points(texts: Sequence[str]) -> float:
    """What makes percent points of a published column: 100 where it holds shares, 1 where it holds points."""
    numbers = [abs(as_number(text)) for text in texts if math.isfinite(as_number(text))]
    return 100.0 if numbers and max(numbers) <= 1 else 1.0


def decimals(texts: Sequence[str], kind: str) -> int:
    """Digits after the point that a column shows in every row; -1 for as short as each number allows."""
    if kind == "percent":
        return 1
    written = [text.strip() for text in texts if math.isfinite(as_number(text))]
    digits = [len(text.partition(".")[2]) if re.fullmatch(r"-?\d*\.?\d*", text) else 9 for text in written]
    if kind == "published":
        scaled = [f"{as_number(text) * 100:.2f}".rstrip("0") for text in written] if points(texts) > 1 else written
        return min(2, max((len(text.partition(".")[2]) for text in scaled), default=0))
    sizes = [abs(as_number(text)) for text in written if as_number(text)]
    # Learning rates of 0.01 and 0.0001 read best as they stand; measured values as columns of equal length.
    as_they_stand = max(digits, default=0) <= 4 and max(sizes, default=1.0) >= 10 * min(sizes, default=1.0)
    return -1 if as_they_stand else min(3, max(digits, default=0))


def _cell(column: Column, row: dict[str, str], digits: int, scale: float, kind_before: str) -> Cell:
    text = " ".join(row.get(column.key, "").split())
    ends = ""
    if column.low or column.high:
        ends_scale = (
            100.0 if column.kind == "percent" or (column.kind == "interval" and kind_before == "percent") else 1.0
        )
        low, high = (as_number(row.get(name)) * ends_scale for name in (column.low, column.high))
        ends = wording.interval(low, high, digits=1 if ends_scale > 1 else 2)
    if column.kind == "interval" and (ends or column.low):
        return Cell(ends or wording.NONE, f"{column.style} {'ends-only' if ends else 'off'}".strip())
    if text.lower() in _NOTHING[: 2 if column.kind == "text" else None]:
        return Cell(wording.NONE, f"{column.style} off".strip())
    if column.kind == "text":
        words = [column.style, "flag" if _collapsed(column, text) else "", "nowrap" if len(text) <= _SHORT else ""]
        return Cell(text, " ".join(filter(None, words)))
    if column.kind == "status":
        off = "off" if _NOT_DONE.match(text) else "flag" if _collapsed(column, text) or text.lower() == "no" else ""
        return Cell(text, f"{column.style} {off}".strip())
    number = as_number(text)
    if not math.isfinite(number):
        # Words in place of a figure, such as "not run", are said as they are.
        infinite = math.isinf(number)
        return Cell(wording.NONE if infinite else text, f"{column.style} off".strip())
    style = column.style
    if column.kind == "integer" and _collapsed(column, text):
        style += " flag"
    return Cell(_figure(number * scale, column.kind, digits), style, ends)


def _figure(number: float, kind: str, digits: int) -> str:
    if kind == "percent":
        return f"{number * 100:.1f} %"
    if kind == "published":
        return f"{number:.{digits}f} %"
    if kind == "integer" and number.is_integer():
        return f"{int(number):,}"
    if digits < 0 or (number != 0 and abs(number) < 5e-4):
        return f"{number:,.4g}" if abs(number) < 1e4 else f"{number:,g}"
    return f"{number:,.{digits}f}"


def _collapsed(column: Column, text: str) -> bool:
    """Whether a cell tells of a collapse: ``2 of 5 collapsed``, or ``yes`` or ``2 of 5`` in a column of that name."""
    if "collapsed" not in text.lower() and "collapsed" not in column.key:
        return False
    return not re.match(r"(0(\.0)?\b|no\b|none\b|-|–)", text.lower())
