"""The page of a study or a sweep, ``study.json``: sections, tables, figures, banners and runs, with nothing left to guess.

Format 1, of earlier versions, is brought to this form by :mod:`fleeting.records.study_format1` as it is read.
"""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from fleeting.records.base import Record, RecordError
from fleeting.records.kinds import Count
from fleeting.records.open import WasDict
from fleeting.records.study_format1 import from_format_1

__all__ = [
    "NOT_RUN",
    "StudyBanner",
    "StudyColumn",
    "StudyFigure",
    "StudyFile",
    "StudyPage",
    "StudyReference",
    "StudyRun",
    "StudySection",
    "StudyTable",
    "tells_collapse",
]

STUDY_FORMAT: Final = 2

#: States of a row or a figure that nothing was run for.
NOT_RUN: Final = ("not run", "not asked for", "failed")

Unit = Literal["text", "share", "percent", "points", "score", "count", "number", "seconds", "state"]
Role = Literal["plain", "published", "measured", "majority", "interval", "collapsed"]


def tells_collapse(cell: str) -> bool:
    """Tell whether a cell of a column of collapsed trainings counts any: ``yes``, ``3``, ``2 of 5``.

    Examples
    --------
    >>> tells_collapse("2 of 5"), tells_collapse("0 of 5"), tells_collapse("no"), tells_collapse("")
    (True, False, False, False)
    """
    return not re.match(r"(0(\.0)?\b|no\b|none\b|-|–|$)", cell.strip().lower())


class StudyColumn(Record):
    """A column of a table or a figure: which cells of the CSV file it shows, and their meaning.

    Attributes
    ----------
    key : str
        Name of the column in the CSV file.
    label : str
        Heading.
    unit : str
        ``"share"``: part of a whole from 0 to 1, shown in percent. ``"percent"``: from 0 to 100. ``"points"``: a difference
        in percent points. ``"score"``: from 0 to 1, shown as it stands, as is usual of UF1. ``"count"``, ``"number"``,
        ``"seconds"``, ``"text"``. ``"state"``: ``ok``, ``partial``, ``yes``, ``no`` or one of :data:`NOT_RUN`.
    role : str
        ``"published"``: printed in a paper. ``"measured"``: computed here. ``"majority"``: what always answering the
        commonest class reaches. ``"interval"``: nothing but the interval from ``low`` to ``high``. ``"collapsed"``: how many
        trainings stopped learning. ``"plain"``: names or describes the row.
    low, high : str
        CSV columns with the ends of its 95 % interval, in the same unit; empty if it has none.
    group : str
        Heading that it shares with the columns beside it.
    state : str
        CSV column that says whether its figure was run; empty if there is none.
    strong : bool
        If True, it is emphasized.
    """

    key: Annotated[str, Field(min_length=1)]
    label: str = ""
    unit: Unit = "text"
    role: Role = "plain"
    low: str = ""
    high: str = ""
    group: str = ""
    state: str = ""
    strong: bool = False

    @model_validator(mode="after")
    def _has_both_ends(self) -> Self:
        if bool(self.low) != bool(self.high) or (self.role == "interval" and not self.low):
            raise ValueError("expected low and high, the columns of both ends of the interval")
        return self

    @property
    def title(self) -> str:
        """The heading with that of its group."""
        return f"{self.group}, {self.label}" if self.group else self.label


class StudyTable(Record):
    """A table of the page.

    Attributes
    ----------
    file : str
        The CSV file, below the study's folder.
    caption : str
        Sentence above it.
    columns : tuple of StudyColumn
        Columns in order; if there are none, those of the file are shown as text.
    """

    file: Annotated[str, Field(min_length=1)]
    caption: str = ""
    columns: tuple[StudyColumn, ...] = ()


class StudyReference(Record):
    """A dashed line across a figure.

    Attributes
    ----------
    label : str
        Its name.
    value : float
        Its place, in the unit of the figure's axis.
    """

    label: str
    value: float


class StudyFigure(Record):
    """A figure of the page. Shares are drawn in percent.

    Attributes
    ----------
    file : str
        The CSV file, below the study's folder.
    type : {"lines", "bars"}
        Lines over ``x``, or a group of bars per row.
    x : StudyColumn
        Column along the axis, or the rows' names.
    y : tuple of StudyColumn
        Columns that are drawn, all of one unit, but for shares and percent, which may be mixed.
    series : str
        CSV column whose values tell lines apart; empty for a line per column.
    title, x_label, y_label : str
        Words beside the figure; the unit percent is added to ``y_label``.
    y_limits : tuple of (float, float) or None
        Ends of the axis of the drawn values, in its unit: percent for shares.
    references : tuple of StudyReference
        Dashed lines, in the same unit.
    """

    file: Annotated[str, Field(min_length=1)]
    type: Literal["lines", "bars"]
    x: StudyColumn
    y: Annotated[tuple[StudyColumn, ...], Field(min_length=1)]
    series: str = ""
    title: str = ""
    x_label: str = ""
    y_label: str = ""
    y_limits: tuple[float, float] | None = None
    references: tuple[StudyReference, ...] = ()

    @model_validator(mode="after")
    def _fits_one_axis(self) -> Self:
        units = {column.unit for column in self.y}
        if len(units) > 1 and not self.percent:
            raise ValueError(f"expected columns of one unit on the axis, found {', '.join(sorted(units))}")
        if self.y_limits is not None and not self.y_limits[0] < self.y_limits[1]:
            raise ValueError("expected y_limits with the lower end first")
        return self

    @property
    def percent(self) -> bool:
        """True if its axis is in percent."""
        return all(column.unit in ("share", "percent") for column in self.y)


class StudySection(Record):
    """A part of the page.

    Attributes
    ----------
    id : str
        Its address within the page.
    title : str
        Heading.
    text : tuple of str
        Sentences below it.
    tables, figures : tuple
        Its tables and figures, in order.
    """

    id: str = ""
    title: str = ""
    text: tuple[str, ...] = ()
    tables: tuple[StudyTable, ...] = ()
    figures: tuple[StudyFigure, ...] = ()


class StudyBanner(Record):
    """A notice at the top of the page.

    Attributes
    ----------
    kind : str
        ``"look-alike"``: the clips are not those of the real data sets; stands first. ``"partial"``: trainings are
        missing. ``"alert"``, ``"caution"``, ``"note"``: everything else, by weight.
    title : str
        Heading.
    text : tuple of str
        Sentences.
    """

    kind: Literal["look-alike", "partial", "alert", "caution", "note"]
    title: str = ""
    text: tuple[str, ...] = ()


class StudyRun(WasDict):
    """A run of the study, as the page lists it.

    Attributes
    ----------
    name, folder : str
        Its name, and its folder below the study's.
    what : str
        One sentence about it.
    finished, expected, collapsed : int
        Trainings that are finished, that were planned, and that stopped learning.
    failed : tuple of str
        Reasons of trainings that failed.
    """

    name: str = ""
    folder: str = ""
    what: str = ""
    finished: Count = 0
    expected: Count = 0
    collapsed: Count = 0
    failed: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """True if all its trainings are finished."""
        return self.finished == self.expected


class StudyFile(Record):
    """A table as it was written, to notice that it is another one now.

    Attributes
    ----------
    rows : int
        Rows without the heading.
    sha256 : str
        Digest of the file.
    """

    rows: Count
    sha256: str


class StudyPage(Record):
    """Everything that the page of a study or a sweep shows, ``study.json``.

    Attributes
    ----------
    format : int
        Number of the format.
    created : str
        The time, ISO 8601.
    kind : {"study", "sweep"}
        A study of a paper or a method, or one experiment that was varied.
    name, title, paper : str
        Its name; the heading; the paper that is studied.
    partial : bool
        If True, trainings are missing.
    look_alike : bool
        If True, the clips are synthetic.
    summary : tuple of str
        The outcome, in sentences.
    banners : tuple of StudyBanner
        Notices.
    sections : tuple of StudySection
        Parts, in order.
    assumptions, notes : tuple of str
        Choices where the paper is silent; remarks.
    runs : tuple of StudyRun
        All runs.
    files : dict of str to StudyFile
        By file below the study's folder, the tables as they were written; folders of earlier versions have none.
    versions, machine : dict of str to object
        Software and hardware that computed it.
    """

    remedy: ClassVar[str] = "run the same command again, which keeps what is finished and writes the page anew"

    format: Literal[2] = STUDY_FORMAT
    created: str = ""
    kind: Literal["study", "sweep"] = "study"
    name: str = ""
    title: str = ""
    paper: str = ""
    partial: bool = False
    look_alike: bool = False
    summary: tuple[str, ...] = ()
    banners: tuple[StudyBanner, ...] = ()
    sections: tuple[StudySection, ...] = ()
    assumptions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    runs: tuple[StudyRun, ...] = ()
    files: dict[str, StudyFile] = Field(default_factory=dict)
    versions: dict[str, str | int | float | None] = Field(default_factory=dict)
    machine: dict[str, str | int | float | None] = Field(default_factory=dict)

    @classmethod
    def parse(cls, value: Any, path: str | os.PathLike[str]) -> Self:
        """Check a value that was read from a file; that of an earlier version is brought to this form.

        Raises
        ------
        RecordError
            If it is of another format or form.
        """
        found = value.get("format") if isinstance(value, dict) else type(value).__name__
        if isinstance(found, bool) or found not in (1, STUDY_FORMAT):
            shown = repr(found)[:40]
            raise RecordError(
                path, f"study format {shown}, this version reads 1 and {STUDY_FORMAT}", "use the version that wrote it"
            )
        return super().parse(from_format_1(value) if found == 1 else value, path)

    def shown_files(self) -> list[str]:
        """List the files that its tables and figures show, each once."""
        files: dict[str, None] = {}
        for section in self.sections:
            files |= dict.fromkeys([*(part.file for part in section.tables), *(part.file for part in section.figures)])
        return list(files)
