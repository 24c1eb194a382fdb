"""Reading a study folder as it is found: whole, partial, or damaged in places.

A study folder holds ``study.json``, which lists sections, their tables and figures, and the runs; each table is a CSV
file. Only ``study.json`` must be there and whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fleeting.reports.reading import FolderReader, as_dict, as_list, read_head

if TYPE_CHECKING:
    import os

__all__ = ["StudyData", "TableFile", "is_study", "read_study"]

_MAX_TABLE_BYTES = 8_000_000


@dataclass(frozen=True)
class TableFile:
    """A CSV file that a section names; ``missing`` tells one not there yet from one that cannot be read."""

    name: str
    rows: list[dict[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    missing: bool = False


@dataclass(frozen=True)
class StudyData:
    """What a study folder holds, in plain values."""

    path: Path
    study: dict[str, Any]
    tables: dict[str, TableFile]
    problems: list[str] = field(default_factory=list)

    def link(self, name: Any) -> str:
        """A file of this folder as a relative address; empty for what is not there or lies outside."""
        return quote(str(name)) if _inside(self.path, name) and (self.path / str(name)).is_file() else ""


def is_study(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a study or a sweep rather than one run."""
    return (Path(folder) / "study.json").exists()


def read_study(folder: str | os.PathLike[str]) -> StudyData:
    """Read a study folder.

    Parameters
    ----------
    folder : str or os.PathLike
        The ``--out`` folder of a study or a sweep, finished or not.

    Raises
    ------
    NotARunError
        If there is no ``study.json``, or it is damaged or of another format.
    """
    path = Path(folder)
    study = read_head(path, "study.json")
    tables: dict[str, TableFile] = {}
    for section in map(as_dict, as_list(study.get("sections"))):
        for item in as_list(section.get("tables")) + as_list(section.get("figures")):
            name = str(as_dict(item).get("file") or "")
            if name not in tables:
                tables[name] = _read_table(path, name)
    problems = [problem for table in tables.values() if not table.missing for problem in table.problems]
    missing = [table.name for table in tables.values() if table.missing and table.name]
    if missing and study.get("partial") is not True:
        problems.append(f"Missing: {', '.join(missing)}.")
    return StudyData(path, study, tables, problems)


def _inside(path: Path, name: Any) -> bool:
    """Whether ``name`` is a plain relative path that stays below ``path``, links included."""
    text = str(name or "")
    if not text or "\\" in text or "\0" in text or Path(text).is_absolute() or ".." in Path(text).parts:
        return False
    try:
        return (path / text).resolve().is_relative_to(path.resolve())
    except (OSError, RuntimeError):
        return False


def _read_table(path: Path, name: str) -> TableFile:
    if not name:
        return TableFile(name, problems=["study.json lists a table or figure without a file."])
    if not _inside(path, name):
        return TableFile(name, problems=[f"study.json names {name!r}, which is not a file of its folder."])
    try:
        size = (path / name).stat().st_size
    except FileNotFoundError:
        return TableFile(name, missing=True)
    except OSError as error:
        return TableFile(name, problems=[f"{name} cannot be read ({error.strerror or error})."])
    if size > _MAX_TABLE_BYTES:
        return TableFile(name, problems=[f"{name} is larger than 8 MB and left out."])
    problems: list[str] = []
    rows = FolderReader(path, problems).table(name, [])
    return TableFile(name, rows, problems)
