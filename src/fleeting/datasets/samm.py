"""SAMM: spontaneous micro-movements at 200 frames per second, in grey.

Format
    ``SAMM/006/006_1_2/006_05562.jpg``; the number of digits varies by clip. 29 subjects (006 to 037 without 008, 027 and
    029), 159 clips, 2040×1088 pixels. ``SAMM_Micro_FACS_Codes_v2.xlsx``, sheet MICRO_ONLY, has its header in row 14 (in
    some copies in row 1): Subject, Filename, Inducement Code, Onset Frame, Apex Frame, Offset Frame, Duration, Micro,
    Action Units, Estimated Emotion, Objective Classes, Notes.
Please cite
    Davison, A. K., Lansley, C., Costen, N., Tan, K., Yap, M. H.: SAMM: A Spontaneous Micro-Facial Movement Dataset. IEEE
    Transactions on Affective Computing 9(1), 116-129, 2018.
Licence
    For academic research, under a release agreement. Not to be passed on.
Access
    Ask the authors at Manchester Metropolitan University: http://www2.docm.mmu.ac.uk/STAFF/m.yap/dataset.php.
"""

from __future__ import annotations

import re
from pathlib import Path

from fleeting.datasets.disk import ReleasedDataset, Row
from fleeting.datasets.exploring import Place
from fleeting.datasets.facts import documented
from fleeting.datasets.problems import Problem
from fleeting.datasets.registry import register_dataset
from fleeting.datasets.sheets import Sheet, SheetError, is_whole, read_sheets

__all__ = ["Samm"]

CODES = "SAMM_Micro_FACS_Codes_v2.xlsx"
_COLUMNS = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("Onset Frame",),
    "apex": ("Apex Frame",),
    "offset": ("Offset Frame",),
    "action_units": ("Action Units",),
    "emotion": ("Estimated Emotion",),
    "objective": ("Objective Classes", "Objective Class"),
}


@register_dataset("samm")
@documented
class Samm(ReleasedDataset):
    """SAMM.

    The complete set has {counts:samm}. Clips are named by subject and folder, as in ``samm/006/006_1_2``. Talluri et
    al. 2022, table 1, swap disgust and surprise: see :func:`fleeting.datasets.scheme_discrepancies`.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder that holds it; one a few levels above or below will do.
    variant : str or None, optional
        ``raw`` (the default where it is there) or ``cropped``.

    Raises
    ------
    WrongFolderError
        If neither frames nor the table of codes are below the folder.
    UsageError
        If there is no such folder, or no frames of that variant.
    """

    name = kind = "samm"
    title = "SAMM"
    fps = 200.0
    known_subjects = tuple(f"{i:03d}" for i in range(6, 38) if i not in (8, 27, 29))
    expected = f"SAMM/006/006_1_2/006_05562.jpg and {CODES}"

    def find_clip(self, place: Place) -> tuple[str, str, str] | None:
        """Tell variant, key and subject of a clip's folder; ``None`` for other folders."""
        if re.fullmatch(r"\d{1,3}_\d+_\d+", place.name) is None:
            return None
        cropped = place.cropped or any("crop" in name.lower() for name in place.above)
        return ("cropped" if cropped else "raw"), _clip_name(place.name), _clip_name(place.name)[:3]

    def is_annotation(self, path: Path) -> bool:
        """Tell by its name whether a spreadsheet is of this data set."""
        name = path.name.lower()
        return "samm" in name and "long" not in name

    def row_key(self, row: Row) -> str:
        """Give the key that a row and its folder have in common."""
        return row.clip

    def layout(self) -> dict[str, str]:
        """Say in which places the frames and the table were found."""
        sheet = self._sheet([])
        return {**super().layout(), "table": f"{sheet.path} [{sheet.name}]" if sheet else "none found"}

    def _sheet(self, problems: list[Problem]) -> Sheet | None:
        faults: list[Problem] = []
        for path in sorted(self.tables, key=lambda p: ("micro" not in p.name.lower(), p.name)):
            try:
                sheets = read_sheets(path, _COLUMNS, optional=("action_units", "objective"))
            except SheetError as exc:
                remedy = f"copy {CODES} again from the release"
                faults.append(Problem(self.name, "", "", str(exc), False, remedy, "spreadsheet"))
                continue
            return next((sheet for sheet in sheets if "micro" in sheet.name.lower()), sheets[0])
        problems += [] if self.guessing else faults
        return None

    def read_rows(self, problems: list[Problem]) -> list[Row] | None:
        """Read the annotated clips; ``None`` where the annotation is missing."""
        sheet = self._sheet(problems)
        if sheet is None:
            problems.append(self.no_annotation(CODES))
            return None
        rows = []
        for number, cells in sheet.rows:
            where = f"row {number} of {sheet.path.name}"
            if re.fullmatch(r"\d{1,3}_\d+_\d+", cells["clip"]) is None:
                # Notes and sums under the table are no rows of it.
                if re.fullmatch(r"\d{1,3}", cells["subject"]) or cells["onset"].isdigit():
                    reason = f"{where} has the file name {cells['clip']!r}; expected one such as 006_1_2"
                    remedy = "fill in the cell from the release's own spreadsheet, or delete the row"
                    problems.append(Problem(self.name, cells["subject"], cells["clip"], reason, True, remedy, "row"))
                continue
            clip = _clip_name(cells["clip"])
            subject = clip[:3]
            if is_whole(cells["subject"]) and int(cells["subject"]) != int(subject):
                reason = f"{where} has subject {cells['subject']} and file name {clip}; the file name is followed"
                remedy = "correct the cell from the release's own spreadsheet"
                problems.append(Problem(self.name, subject, clip, reason, False, remedy, "annotation"))
            emotion = self.known_emotion(cells["emotion"], where, subject, clip, problems)
            times = {name: cells[name] for name in ("onset", "apex", "offset")}
            rows.append(Row(where, subject, clip, emotion, cells.get("action_units", ""), times))
        return rows

    def objective_classes(self) -> dict[str, int]:
        """Look up the objective class (Davison et al. 2018) by each clip's key; empty where the table has no such column."""
        sheet = self._sheet([])
        found: dict[str, int] = {}
        for _, cells in sheet.rows if sheet else ():
            if re.fullmatch(r"\d{1,3}_\d+_\d+", cells["clip"]) and is_whole(cells.get("objective", "")):
                clip = _clip_name(cells["clip"])
                found[f"{self.name}/{clip[:3]}/{clip}"] = int(cells["objective"])
        return found


def _clip_name(name: str) -> str:
    """The name with the subject in three digits: ``6_1_2`` of a re-saved table is ``006_1_2``."""
    subject, rest = name.split("_", 1)
    return f"{int(subject):03d}_{rest}"
