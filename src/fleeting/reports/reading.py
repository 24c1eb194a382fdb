"""Files of a run or study folder as they are found: whole, missing, or damaged in places."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Collection, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

from fleeting.errors import FleetingError
from fleeting.records import Record, RecordError, Row, read_json, read_regular, undo_defuse

__all__ = ["FolderReader", "NotARunError", "as_number", "read_head"]

R = TypeVar("R", bound=Record)
T = TypeVar("T", bound=Row)

FORMAT = 1
_WROTE = {
    "run.json": "fleeting evaluate --out",
    "study.json": "fleeting study --out",
    "analysis.json": "fleeting analyze --out",
}


class NotARunError(FleetingError):
    """The folder holds no run, study or analysis, or one that cannot be read."""


def as_number(value: Any) -> float:
    """A float; NaN for what is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def read_head(path: Path, name: str, *, formats: Collection[int] = (FORMAT,)) -> dict[str, Any]:
    """The file that says what a folder holds: ``run.json``, ``study.json`` or ``analysis.json``.

    Parameters
    ----------
    path : pathlib.Path
        The folder.
    name : str
        The file's name.
    formats : collection of int, optional
        Numbers of the formats that the caller knows.

    Raises
    ------
    NotARunError
        If it is not there, cannot be read or is of another format.
    """
    # Of odd paths, such as one that is too long, os.path says that there is nothing; pathlib raises.
    if not os.path.isdir(path):  # noqa: PTH112
        found = "is a file" if os.path.exists(path) else "does not exist"  # noqa: PTH110
        raise NotARunError(f"{path} {found}; expected the run folder that `{_WROTE[name]}` wrote")
    file = path / name
    if not os.path.lexists(file):
        inside = sorted(item.name for item in path.iterdir())
        found = ", ".join(inside[:5]) + (" …" if len(inside) > 5 else "") if inside else "nothing"
        raise NotARunError(
            f"{path} is not a run folder: it has none of {', '.join(_WROTE)} (found: {found}); expected the folder that "
            f"{', '.join(f'`{command}`' for command in _WROTE.values())} wrote"
        )
    try:
        head = read_json(file)
    except RecordError as error:
        raise NotARunError(
            f"{file} cannot be read ({error.found}); expected JSON. Run the same again into a new folder"
        ) from error
    if not isinstance(head, dict) or head.get("format") not in formats:
        stated = head.get("format") if isinstance(head, dict) else type(head).__name__
        kind = file.stem
        raise NotARunError(
            f"{file} states {kind} format {repr(stated)[:40]}; this version reads "
            f"{' and '.join(map(str, formats))}: use the one that wrote it"
        )
    return head


class FolderReader:
    """Reads files below one folder; what cannot be read is written down in ``problems`` instead of raised."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self.path = path
        self.problems = problems

    def text(self, name: str, optional: bool) -> str | None:
        """Read a file as text; ``None`` if there is none or it cannot be read."""
        if not os.path.lexists(self.path / name):
            if not optional:
                self.problems.append(f"{name} is missing.")
            return None
        try:
            return read_regular(self.path / name).decode("utf-8-sig")
        except RecordError as error:
            self.say(error)
        except UnicodeDecodeError as error:
            self.problems.append(f"{name} cannot be read ({error}).")
        return None

    def table(self, name: str, required: Sequence[str], optional: bool = False) -> list[dict[str, str]]:
        """Read the rows of a CSV file that are whole; none if it lacks a column of ``required``."""
        text = self.text(name, optional)
        if text is None:
            return []
        rows: list[dict[str, str]] = []
        broken = 0
        try:
            parsed = csv.DictReader(StringIO(text, newline=""))
            missing = [column for column in required if column not in (parsed.fieldnames or [])]
            if missing:
                self.problems.append(f"{name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}.")
                return []
            for row in parsed:
                # No cell of ours holds a line's end: there a quote has swallowed the rows that follow.
                whole = None not in row and all(value is not None and "\n" not in value for value in row.values())
                if whole:
                    rows.append({name: undo_defuse(value) for name, value in row.items()})
                else:
                    broken += 1
        except csv.Error as error:
            self.problems.append(f"{name} is damaged after {len(rows)} rows ({error}).")
        if broken:
            self.problems.append(
                f"{name} is damaged: {broken} of {broken + len(rows)} rows are not whole and left out."
            )
        return rows

    def record(self, name: str, kind: type[R], *, optional: bool = False) -> R | None:
        """Read the record that a file holds; ``None`` if it is absent or of another form."""
        if not os.path.lexists(self.path / name):
            if not optional:
                self.problems.append(f"{name} is missing.")
            return None
        try:
            return kind.read(self.path / name)
        except RecordError as error:
            self.say(error)
            return None

    def rows(self, name: str, kind: type[T], *, optional: bool = False) -> list[T]:
        """Read the rows of a table; none if it is absent or any row is of another form."""
        if not os.path.lexists(self.path / name):
            if not optional:
                self.problems.append(f"{name} is missing.")
            return []
        try:
            return kind.read_all(self.path / name)
        except RecordError as error:
            self.say(error)
            return []

    def say(self, error: RecordError) -> None:
        """Write down what is wrong with a file, by its name below the folder."""
        self.problems.append(f"{str(error).removeprefix(f'{self.path}{os.sep}')}.")
