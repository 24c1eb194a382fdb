"""Reading a study folder as it is found: whole, partial, or damaged in places.

A study folder holds ``study.json``, which lists sections, their tables and figures, and the runs; each table is a CSV
file. Only ``study.json`` must be there and whole.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from fleeting.records import RecordError, StudyFile, StudyPage, read_regular, read_table
from fleeting.reports.reading import NotARunError, read_head

if TYPE_CHECKING:
    import os

__all__ = ["StudyData", "TableFile", "is_study", "read_study"]

_MAX_TABLE_BYTES = 8_000_000


@dataclass(frozen=True)
class TableFile:
    """A CSV file that a section names.

    Attributes
    ----------
    name : str
        The file, below the study's folder.
    rows : list of dict of str to str
        Its rows, as text; none if it cannot be read.
    problems : list of str
        Sentences on what is wrong with it.
    missing : bool
        If True, it is not there yet.
    """

    name: str
    rows: list[dict[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    missing: bool = False


@dataclass(frozen=True)
class StudyData:
    """Everything that a study folder holds.

    Attributes
    ----------
    path : pathlib.Path
        The folder.
    page : StudyPage
        Its ``study.json``.
    tables : dict of str to TableFile
        By name, the files that its tables and figures show.
    problems : list of str
        Sentences on what could not be read.
    """

    path: Path
    page: StudyPage
    tables: dict[str, TableFile]
    problems: list[str] = field(default_factory=list)

    def link(self, name: str) -> str:
        """Give a file of this folder as a relative address; empty for what is not there or lies outside."""
        return quote(name) if _inside(self.path, name) and _is_file(self.path / name) else ""


def is_study(folder: str | os.PathLike[str]) -> bool:
    """Tell whether a folder holds a study or a sweep rather than one run."""
    try:
        return (Path(folder) / "study.json").exists()
    except (OSError, ValueError):
        return False


def read_study(folder: str | os.PathLike[str]) -> StudyData:
    """Read a study folder.

    Parameters
    ----------
    folder : str or os.PathLike
        The ``--out`` folder of a study or a sweep, finished or not.

    Raises
    ------
    NotARunError
        If there is no ``study.json``, or it is damaged or of another format; names the field.
    """
    path = Path(folder)
    try:
        page = StudyPage.parse(read_head(path, "study.json", formats=(1, 2)), path / "study.json")
    except RecordError as error:
        raise NotARunError(str(error)) from error
    tables = {name: _read_table(path, name, page.files.get(name)) for name in page.shown_files()}
    problems = [problem for table in tables.values() if not table.missing for problem in table.problems]
    missing = [table.name for table in tables.values() if table.missing]
    if missing and not page.partial:
        problems.append(f"Missing: {', '.join(missing)}.")
    return StudyData(path, page, tables, problems)


def _inside(path: Path, name: str) -> bool:
    """Whether ``name`` is a plain relative path that stays below ``path``, links included."""
    if not name or "\\" in name or "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts:
        return False
    try:
        return (path / name).resolve().is_relative_to(path.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _read_table(path: Path, name: str, written: StudyFile | None) -> TableFile:
    if not _inside(path, name):
        return TableFile(name, problems=[f"study.json names {name!r}, which is not a file of its folder."])
    file = path / name
    try:
        if not file.exists():
            return TableFile(name, missing=True)
        content = read_regular(file, most=_MAX_TABLE_BYTES)
        rows = read_table(file, content=content)
    except RecordError as error:
        return TableFile(name, problems=[f"{name} {error.found}."])
    except OSError as error:
        return TableFile(name, problems=[f"{name} cannot be read ({error.strerror or error})."])
    return TableFile(name, rows, _changes(name, content, rows, written))


def _changes(name: str, content: bytes, rows: list[dict[str, str]], written: StudyFile | None) -> list[str]:
    """Sentences on a table that is not the one that the study wrote."""
    if written is None or hashlib.sha256(content).hexdigest() == written.sha256:
        return []
    if len(rows) != written.rows:
        return [f"{name} holds {len(rows)} rows; the study wrote {written.rows}. Run the same command again."]
    return [f"{name} was changed after the study wrote it. Run the same command again to write it anew."]
