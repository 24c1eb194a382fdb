"""The layout of each data set on disk: folder and file names, numbering, vocabulary, spreadsheets.

A layout turns the plan of a clip (whose, which emotion, which number) into names, and the finished clips into the
data set's own annotation files. The facts are those of the published releases: CASME II (Yan et al. 2014), SMIC (Li et
al. 2013), SAMM (Davison et al. 2018).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fleeting.errors import FleetingError, unknown_choice
from fleeting.files import write_atomic, write_text
from fleeting.synthesis.facs import EMOTIONS

__all__ = ["LAYOUTS", "ClipPlan", "ClipRow", "Layout", "layout_of"]

_EPOCH = datetime(2022, 11, 7, tzinfo=UTC).replace(tzinfo=None)

PLAIN_COLUMNS = ("subject", "clip", "onset", "apex", "offset", "emotion", "fps", "action_units", "amplitude")


@dataclass(frozen=True)
class ClipPlan:
    """One clip before it is filmed.

    Attributes
    ----------
    person : int
        0-based subject index; with ``index`` and the seed it determines the clip.
    index : int
        0-based clip index within the subject.
    subject : str
        The subject's name in the data set, e.g. ``"01"``.
    name : str
        The clip's name, e.g. ``"EP02_01f"``.
    folder : str
        Folder of the frames, relative to the root.
    emotion : str
        One of the eight, or ``"neutral"``.
    first : int
        Number in the name of the first frame.
    """

    person: int
    index: int
    subject: str
    name: str
    folder: str
    emotion: str
    first: int

    @property
    def key(self) -> str:
        """Name of the clip's truth file, without suffix."""
        return f"{self.subject}_{self.name}"


@dataclass(frozen=True)
class ClipRow:
    """The row of a finished clip in annotation files; indexes count within the frames that were written."""

    plan: ClipPlan
    onset: int | None
    apex: int | None
    offset: int | None
    action_units: str
    fps: float
    amplitude: float
    n_frames: int


class Layout:
    """A plain folder with a CSV; the other layouts override what differs."""

    name = "plain"
    fps = 200.0
    suffix = "jpg"
    grey = False
    #: whether only the frames from onset to offset are written
    trimmed = False
    #: emotion -> the data set's own word
    vocabulary: Mapping[str, str] = {**{e: e for e in EMOTIONS}, "neutral": "neutral"}
    #: names of the data set's subjects; empty: as many as there are identities
    subjects: Sequence[str] = ()
    #: where in the list of identities this layout begins, so that a composite does not show one face in two data sets
    first_identity = 0
    #: sets apart the random streams of the layouts
    stream = 0

    def label(self, emotion: str) -> str:
        """The data set's word for an emotion."""
        return self.vocabulary[emotion]

    def subject(self, person: int) -> str:
        """Name of a subject."""
        return self.subjects[person] if self.subjects else f"s{person + 1:02d}"

    def plan(self, person: int, emotions: Sequence[str], rng: np.random.Generator) -> list[ClipPlan]:
        """Names for the clips of one subject."""
        subject = self.subject(person)
        names = [f"c{i + 1:02d}" for i in range(len(emotions))]
        return [
            ClipPlan(person, i, subject, n, f"{subject}/{n}", e, 1) for i, (n, e) in enumerate(zip(names, emotions))
        ]

    def frame_name(self, plan: ClipPlan, index: int, suffix: str) -> str:
        """File name of a frame."""
        return f"img_{plan.first + index:05d}.{suffix}"

    def annotate(self, root: Path, rows: Sequence[ClipRow]) -> None:
        """Write the data set's own annotation files."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(PLAIN_COLUMNS)
        for r in rows:
            times = ["" if v is None else v for v in (r.onset, r.apex, r.offset)]
            label = self.label(r.plan.emotion)
            amplitude = f"{r.amplitude:.4f}" if r.apex is not None else ""
            writer.writerow([r.plan.subject, r.plan.name, *times, label, f"{r.fps:g}", r.action_units, amplitude])
        write_text(root / "clips.csv", text.getvalue())


class Casme2Layout(Layout):
    """``CASME2_RAW_selected/sub01/EP02_01f/img46.jpg`` with absolute, unpadded numbers; two spreadsheets."""

    name = "casme2"
    stream = 1
    vocabulary: Mapping[str, str] = {e: e for e in EMOTIONS if e not in ("anger", "contempt")}
    subjects: Sequence[str] = tuple(f"{i:02d}" for i in range(1, 27))

    def plan(self, person: int, emotions: Sequence[str], rng: np.random.Generator) -> list[ClipPlan]:
        subject = self.subject(person)
        used: dict[int, int] = {}
        plans = []
        for i, emotion in enumerate(emotions):
            episode = int(rng.integers(1, 20))
            used[episode] = used.get(episode, 0) + 1
            name = f"EP{episode:02d}_{used[episode]:02d}{'f' if rng.random() < 0.6 else ''}"
            first = int(rng.integers(1, 400))
            plans.append(ClipPlan(person, i, subject, name, f"CASME2_RAW_selected/sub{subject}/{name}", emotion, first))
        return plans

    def frame_name(self, plan: ClipPlan, index: int, suffix: str) -> str:
        return f"img{plan.first + index}.{suffix}"

    def annotate(self, root: Path, rows: Sequence[ClipRow]) -> None:
        coding: list[list[object]] = [
            [
                "Subject",
                "Filename",
                "",
                "OnsetFrame",
                "ApexFrame",
                "OffsetFrame",
                "",
                "Action Units",
                "Estimated Emotion",
            ]
        ]
        objective: list[list[object]] = [["Subject", "Filename", "Objective Class"]]
        for r in rows:
            p = r.plan
            coding.append([p.subject, p.name, "", *_absolute(r), "", r.action_units, self.label(p.emotion)])
            objective.append([p.subject, p.name, objective_class(r.action_units)])
        write_table(root / "CASME2-coding-20140508.xlsx", "Sheet1", coding)
        write_table(root / "CASME2-ObjectiveClasses.xlsx", "Sheet1", objective)


class SmicLayout(Layout):
    """``HS/s01/micro/negative/s01_ne_01/image559740.bmp``: no table, no apex, frames from onset to offset only."""

    name = "smic"
    stream = 2
    fps = 100.0
    suffix = "bmp"
    trimmed = True
    vocabulary: Mapping[str, str] = {
        "happiness": "positive",
        "disgust": "negative",
        "sadness": "negative",
        "fear": "negative",
        "surprise": "surprise",
    }
    subjects: Sequence[str] = tuple(f"{i:02d}" for i in range(1, 21) if i not in (7, 10, 16, 17))
    first_identity = 26

    def plan(self, person: int, emotions: Sequence[str], rng: np.random.Generator) -> list[ClipPlan]:
        subject = self.subject(person)
        short = {"positive": "po", "negative": "ne", "surprise": "sur"}
        used: dict[str, int] = {}
        plans = []
        for i, emotion in enumerate(emotions):
            label = self.label(emotion)
            used[label] = used.get(label, 0) + 1
            name = f"s{subject}_{short[label]}_{used[label]:02d}"
            folder = f"HS/s{subject}/micro/{label}/{name}"
            plans.append(ClipPlan(person, i, f"s{subject}", name, folder, emotion, int(rng.integers(100_000, 990_000))))
        return plans

    def frame_name(self, plan: ClipPlan, index: int, suffix: str) -> str:
        return f"image{plan.first + index:06d}.{suffix}"

    def annotate(self, root: Path, rows: Sequence[ClipRow]) -> None:
        """SMIC-HS has no table: the folders say it all."""


class SammLayout(Layout):
    """``SAMM/006/006_1_2/006_05562.jpg``, grey, absolute numbers whose digits vary by clip; header in Excel row 14."""

    name = "samm"
    stream = 3
    grey = True
    vocabulary: Mapping[str, str] = {
        e: e.capitalize() for e in ("happiness", "surprise", "anger", "contempt", "disgust", "fear", "sadness")
    }
    subjects: Sequence[str] = tuple(f"{i:03d}" for i in range(6, 38) if i not in (8, 27, 29))
    first_identity = 42
    columns = (
        "Subject",
        "Filename",
        "Inducement Code",
        "Onset Frame",
        "Apex Frame",
        "Offset Frame",
        "Duration",
        "Micro",
        "Action Units",
        "Estimated Emotion",
        "Objective Classes",
        "Notes",
    )

    def plan(self, person: int, emotions: Sequence[str], rng: np.random.Generator) -> list[ClipPlan]:
        subject = self.subject(person)
        used: dict[int, int] = {}
        plans = []
        for i, emotion in enumerate(emotions):
            code = int(rng.integers(1, 8))
            used[code] = used.get(code, 0) + 1
            name = f"{subject}_{code}_{used[code]}"
            first = int(rng.integers(120, 9_000))
            plans.append(ClipPlan(person, i, subject, name, f"SAMM/{subject}/{name}", emotion, first))
        return plans

    def frame_name(self, plan: ClipPlan, index: int, suffix: str) -> str:
        digits = 4 + plan.first % 2
        return f"{plan.subject}_{plan.first + index:0{digits}d}.{suffix}"

    def annotate(self, root: Path, rows: Sequence[ClipRow]) -> None:
        table: list[list[object]] = [["Micro-expressions, FACS coded (synthetic clips; see synthetic.json)"]]
        table += [[] for _ in range(12)]
        table.append(list(self.columns))
        for r in rows:
            p = r.plan
            duration = r.offset - r.onset + 1 if r.onset is not None and r.offset is not None else ""
            code = int(p.name.split("_")[1])
            table.append(
                [p.subject, p.name, code, *_absolute(r), duration, "Micro - 1/2", r.action_units, self.label(p.emotion)]
                + [objective_class(r.action_units), ""]
            )
        write_table(root / "SAMM_Micro_FACS_Codes_v2.xlsx", "MICRO_ONLY", table)


LAYOUTS: Mapping[str, Layout] = {x.name: x for x in (Layout(), Casme2Layout(), SmicLayout(), SammLayout())}


def layout_of(name: str) -> Layout:
    """A layout by name; an unknown one is a :class:`~fleeting.errors.UsageError` that lists them."""
    if name not in LAYOUTS:
        raise unknown_choice("layout", name, LAYOUTS)
    return LAYOUTS[name]


def _absolute(row: ClipRow) -> list[object]:
    return ["" if v is None else row.plan.first + v for v in (row.onset, row.apex, row.offset)]


# Davison, Merghani & Yap 2018, "Objective Classes for Micro-Facial Expression Recognition", table 1.
_OBJECTIVE = {
    1: ("6", "12", "6+12", "6+7+12", "7+12"),
    2: ("1+2", "5", "25", "1+2+25", "25+26", "5+24"),
    3: ("23", "4", "4+7", "4+5", "4+5+7", "17+24", "4+6+7", "4+38"),
    4: ("10", "9", "4+9", "4+40", "4+5+40", "4+7+9", "4+9+17", "4+7+10", "4+5+7+9", "7+10"),
    5: ("1", "15", "1+4", "6+15", "15+17"),
    6: ("1+2+4", "20"),
}


def objective_class(action_units: str) -> int:
    """Objective class 1 to 7 of an action-unit text (Davison et al. 2018, table 1); what is not in the table is 7.

    >>> objective_class("6+12"), objective_class("R14")
    (1, 7)
    """
    plain = "+".join(part.lstrip("LR") for part in action_units.split("+"))
    return next((number for number, texts in _OBJECTIVE.items() if plain in texts), 7)


def write_table(path: Path, sheet: str, rows: Sequence[Sequence[object]]) -> None:
    """Write one sheet; text stays text (``01`` is not turned into a number), empty strings stay blank cells."""
    import xlsxwriter
    import xlsxwriter.exceptions

    buffer = io.BytesIO()
    # A fixed date keeps the file the same from run to run.
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_numbers": False})
    book.set_properties({"created": _EPOCH})
    page = book.add_worksheet(sheet)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if value == "":
                continue
            if isinstance(value, str):
                page.write_string(i, j, value)
            elif isinstance(value, (int, float, np.integer)):
                page.write_number(i, j, float(value))
    try:
        book.close()
    except (OSError, xlsxwriter.exceptions.XlsxWriterException) as exc:
        raise FleetingError(f"{path}: the spreadsheet cannot be written ({exc})") from exc
    write_atomic(path, lambda file: file.write(buffer.getvalue()))
