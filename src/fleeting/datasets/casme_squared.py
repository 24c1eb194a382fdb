"""CAS(ME)²: long videos with macro- and micro-expressions, at 30 frames per second.

Format
    ``rawpic/s15/15_0101disgustingteeth/img001.jpg``. ``CAS(ME)^2code_final.xlsx`` has no header rows. Sheet 1: subject,
    video (``anger1_1``: the film that was watched, and which of its events this is), onset, apex, offset, action units,
    emotion, type, self-report. Sheet 2: its third column is the number of a subject in sheet 1, its second the subject's
    code in the folders (15). Sheet 3: its second column is the name of a film (``anger1``), its first the film's code
    (``0101``), to be read as text.
Please cite
    Qu, F., Wang, S.-J., Yan, W.-J., Li, H., Wu, S., Fu, X.: CAS(ME)²: A Database for Spontaneous Macro-expression and
    Micro-expression Spotting and Recognition. IEEE Transactions on Affective Computing 9(4), 424-436, 2018.
Licence
    For academic research, under a release agreement. Not to be passed on.
Access
    Ask the Institute of Psychology, Chinese Academy of Sciences: http://casme.psych.ac.cn/casme/e3.
"""

from __future__ import annotations

import re
from pathlib import Path

from fleeting.datasets.disk import Place, Row
from fleeting.datasets.long import EventRow, LongDataset
from fleeting.datasets.problems import Problem
from fleeting.datasets.registry import register_dataset
from fleeting.datasets.sheets import SheetError, read_cells

__all__ = ["CasmeSquared"]

CODES = "CAS(ME)^2code_final.xlsx"
_FOLDER = re.compile(r"s?(\d{1,2})_(\d{4})\D.*|s?(\d{1,2})_(\d{4})")
_NAME = re.compile(r"([a-z]+\d*)_(\d+)", re.I)


@register_dataset("casme-squared")
class CasmeSquared(LongDataset):
    """CAS(ME)², part A, as MEGC uses it: the 98 videos that show an expression.

    The complete set has 300 macro- and 57 micro-expressions of 22 subjects. An offset of 0 means that it is not known;
    such an interval ends at the apex.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder that holds it; one a few levels above or below will do.
    unannotated : bool, optional
        Take the other videos too, in which the coders found nothing.

    Raises
    ------
    WrongFolderError
        If neither frames nor the table are below the folder.
    UsageError
        If there is no such folder.
    """

    name = kind = "casme-squared"
    title = "CAS(ME)²"
    fps = 30.0
    known_events = {"macro": 300, "micro": 57}  # noqa: RUF012 - never changed
    unannotated = False
    expected = f"rawpic/s15/15_0101disgustingteeth/img001.jpg and {CODES}"

    def __init__(self, root: str | Path, *, unannotated: bool = False) -> None:
        super().__init__(root)
        self.unannotated = unannotated

    def find_clip(self, place: Place) -> tuple[str, str, str] | None:
        """Tell variant, key and subject of a clip's folder; ``None`` for other folders."""
        match = _FOLDER.fullmatch(place.name)
        if match is None or not place.n_images:
            return None
        subject, film = match.group(1) or match.group(3), match.group(2) or match.group(4)
        key = f"{int(subject)}_{film}"
        return "raw", key, f"s{int(subject):02d}"

    def is_annotation(self, path: Path) -> bool:
        """Tell by its name whether a spreadsheet is of this data set."""
        name = re.sub(r"[^a-z0-9]", "", path.name.lower())
        return name.startswith("casme2code")

    def row_key(self, row: Row) -> str:
        """Give the key that a row and its folder have in common."""
        return row.clip

    def read_events(self, problems: list[Problem]) -> list[EventRow] | None:
        """Read the annotated events; ``None`` where the annotation is missing."""
        faults: list[Problem] = []
        for path in self.tables:
            try:
                pages = read_cells(path)
                films, subjects = _codes(pages)
            except (SheetError, ValueError) as exc:
                reason = str(exc) if isinstance(exc, SheetError) else f"{path}: {exc}"
                remedy = f"copy {CODES} again from the release"
                faults.append(Problem(self.name, "", "", reason, False, remedy, "spreadsheet"))
                continue
            return self._coded(path, pages[0][1], films, subjects, problems)
        problems += [] if self.guessing else faults
        problems.append(self.no_annotation(CODES))
        return None

    def _coded(
        self,
        path: Path,
        cells: list[list[str]],
        films: dict[str, str],
        subjects: dict[str, str],
        problems: list[Problem],
    ) -> list[EventRow]:
        rows = []
        for number, row in enumerate(cells, start=1):
            padded = [*row, *[""] * 9]
            subject, video, onset, apex, offset, units, emotion, kind = padded[:8]
            match = _NAME.fullmatch(video)
            where = f"row {number} of {path.name}"
            if match is None or kind[:3].lower() not in ("mac", "mic"):
                # A re-saved copy may have a header row.
                if video and onset.isdigit():
                    reason = f"{where} has the video {video!r} and the type {kind!r}"
                    remedy = "expected one such as anger1_1, and macro- or micro-expression; correct the row"
                    problems.append(Problem(self.name, subject, video, reason, True, remedy, "row"))
                continue
            film, person = films.get(match.group(1).lower()), subjects.get(subject)
            if film is None or person is None:
                unknown = f"the film {match.group(1)!r}" if film is None else f"the subject {subject!r}"
                reason = f"{where} speaks of {unknown}, which the sheets of codes do not have"
                remedy = "use the spreadsheet as it was released, with its three sheets"
                problems.append(Problem(self.name, subject, video, reason, True, remedy, "row"))
                continue
            times = {"onset": onset, "apex": apex, "offset": offset}
            label = emotion.strip().lower() or None
            what = "macro" if kind[:3].lower() == "mac" else "micro"
            rows.append(EventRow(where, f"s{int(person):02d}", f"{int(person)}_{film}", what, label, units, times))
        return rows


def _codes(pages: list[tuple[str, list[list[str]]]]) -> tuple[dict[str, str], dict[str, str]]:
    """Film -> its code in four digits, and subject of the first sheet -> its code in the folders."""
    if len(pages) < 3:
        raise ValueError(f"{len(pages)} sheets; expected three: events, subjects, films")
    subjects: dict[str, str] = {}
    for row in pages[1][1]:
        digits = re.sub(r"\D", "", row[1]) if len(row) > 2 else ""
        if digits and row[2].isdigit():
            subjects[row[2]] = digits
    films: dict[str, str] = {}
    for row in pages[2][1]:
        # Read as a number, 0101 has lost its first digit.
        if len(row) > 1 and row[0].isdigit() and row[1]:
            films[row[1].lower()] = row[0].zfill(4)
    if not subjects or not films:
        raise ValueError("no codes of subjects and films on its second and third sheet")
    return films, subjects
