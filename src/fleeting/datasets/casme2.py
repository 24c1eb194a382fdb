"""CASME II: spontaneous micro-expressions at 200 frames per second.

Format
    ``CASME2_RAW_selected/sub01/EP02_01f/img46.jpg`` (onset to offset and a little more; numbers of the whole recording),
    ``CASME2-RAW/sub01/EP02_01f/img001.jpg`` (the whole recording), ``Cropped/sub01/EP02_01f/reg_img46.jpg`` (faces,
    registered). 640×480 pixels, 26 subjects, 255 clips. ``CASME2-coding-20140508.xlsx`` (or the copy of 2019) has the
    columns Subject, Filename, OnsetFrame, ApexFrame, OffsetFrame, Action Units, Estimated Emotion;
    ``CASME2-ObjectiveClasses.xlsx`` has Subject, Filename, Objective Class.
Please cite
    Yan, W.-J., Li, X., Wang, S.-J., Zhao, G., Liu, Y.-J., Chen, Y.-H., Fu, X.: CASME II: An Improved Spontaneous
    Micro-Expression Database and the Baseline Evaluation. PLoS ONE 9(1): e86041, 2014.
Licence
    For academic research, under a release agreement. Not to be passed on; faces of some subjects may not be published.
Access
    A person with a permanent position signs the agreement and sends it to the authors:
    http://fu.psych.ac.cn/CASME/casme2-en.php (or http://casme.psych.ac.cn).
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

__all__ = ["Casme2"]

CODING = "CASME2-coding-20140508.xlsx"
_COLUMNS = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("OnsetFrame",),
    "apex": ("ApexFrame", "ApexFrame1"),
    "offset": ("OffsetFrame",),
    "action_units": ("Action Units",),
    "emotion": ("Estimated Emotion",),
}
_OBJECTIVE = {"subject": ("Subject",), "clip": ("Filename",), "objective": ("Objective Class", "Objective Classes")}


@register_dataset("casme2")
@documented
class Casme2(ReleasedDataset):
    """CASME II.

    The complete set has {counts:casme2}. Clips are named by the subject's number and the folder, as in
    ``casme2/01/EP02_01f``.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder that holds it; one a few levels above or below will do.
    variant : str or None, optional
        ``selected`` (the default where it is there), ``raw`` or ``cropped``.

    Raises
    ------
    WrongFolderError
        If neither frames nor the coding sheet are below the folder.
    UsageError
        If there is no such folder, or no frames of that variant.
    """

    name = kind = "casme2"
    title = "CASME II"
    fps = 200.0
    variants = ("selected", "raw", "cropped")
    known_subjects = tuple(f"{i:02d}" for i in range(1, 27))
    expected = f"CASME2_RAW_selected/sub01/EP02_01f/img46.jpg and {CODING}"

    def find_clip(self, place: Place) -> tuple[str, str, str] | None:
        """Tell variant, key and subject of a clip's folder; ``None`` for other folders."""
        match = re.fullmatch(r"sub ?(\d{1,2})", place.above[0], re.I) if place.above else None
        if match is None:
            return None
        variant = "cropped" if place.cropped else "raw"
        for name in (above.lower() for above in place.above[1:]):
            if "select" in name or "crop" in name or re.search(r"casme.*raw", name):
                variant = "selected" if "select" in name else "cropped" if "crop" in name else "raw"
                break
        return variant, _key(match.group(1), place.name), f"{int(match.group(1)):02d}"

    def is_annotation(self, path: Path) -> bool:
        """Tell by its name whether a spreadsheet is of this data set."""
        name = path.name.lower()
        return bool(re.search(r"casme ?_?-?(2|ii)(?!i)", name)) and "objective" not in name

    def row_key(self, row: Row) -> str:
        """Give the key that a row and its folder have in common."""
        return _key(row.subject, row.clip)

    def layout(self) -> dict[str, str]:
        """Say in which places the frames and the coding sheet were found."""
        return {**super().layout(), "table": str(self._sheet.path) if self._sheet else "none found"}

    @property
    def _sheet(self) -> Sheet | None:
        found = self._sheets([])
        return found[0] if found else None

    def _sheets(self, problems: list[Problem]) -> list[Sheet]:
        """The coding sheets, the newest copy first."""
        found: list[Sheet] = []
        for path in sorted(self.tables, key=lambda p: (_date(p), -len(p.parts)), reverse=True):
            try:
                found.append(read_sheets(path, _COLUMNS, optional=("action_units",))[0])
            except SheetError as exc:
                remedy = f"copy {CODING} again from the release"
                problems.append(Problem(self.name, "", "", str(exc), False, remedy, "spreadsheet"))
        return found

    def read_rows(self, problems: list[Problem]) -> list[Row] | None:
        """Read the annotated clips; ``None`` where the annotation is missing."""
        faults: list[Problem] = []
        sheets = self._sheets(faults)
        # Another CASME spreadsheet beside a good coding sheet is nobody's problem.
        problems += [] if sheets or self.guessing else faults
        if not sheets:
            problems.append(self.no_annotation(CODING))
            return None
        rows = self._of(sheets[0], problems)
        for other in sheets[1:]:
            self._compare(rows, self._of(other, []), sheets[0], other, problems)
        return rows

    def _of(self, sheet: Sheet, problems: list[Problem]) -> list[Row]:
        rows = []
        for number, cells in sheet.rows:
            where = f"row {number} of {sheet.path.name}"
            match = re.search(r"\d{1,9}", cells["subject"])
            if match is None or not cells["clip"]:
                reason = f"{where} names no subject or no clip ({cells['subject']!r}, {cells['clip']!r})"
                remedy = "fill in the cell from the release's own spreadsheet, or delete the row"
                problems.append(Problem(self.name, cells["subject"], cells["clip"], reason, True, remedy, "row"))
                continue
            subject, clip = f"{int(match.group()):02d}", cells["clip"]
            emotion = self.known_emotion(cells["emotion"], where, subject, clip, problems)
            times = {name: cells[name] for name in ("onset", "apex", "offset")}
            rows.append(Row(where, subject, clip, emotion, cells.get("action_units", ""), times))
        return rows

    def _compare(self, rows: list[Row], others: list[Row], ours: Sheet, theirs: Sheet, problems: list[Problem]) -> None:
        """Tell where a second copy of the coding sheet says something else."""
        there = {_key(row.subject, row.clip): row for row in others}
        differs = []
        for row in rows:
            other = there.get(_key(row.subject, row.clip))
            if other is None or (other.emotion, other.frames) != (row.emotion, row.frames):
                differs.append(f"{row.subject}/{row.clip}")
        if differs:
            more = ", ..." if len(differs) > 5 else ""
            reason = (
                f"{theirs.path.name} differs from {ours.path.name}, which is used, in {len(differs)} clips: "
                f"{', '.join(differs[:5])}{more}"
            )
            remedy = "move the copy that should not be used out of the folder"
            problems.append(Problem(self.name, "", "", reason, False, remedy, "spreadsheet"))

    def objective_classes(self) -> dict[str, int]:
        """Look up objective classes (Davison et al. 2018) by clips' keys; empty without CASME2-ObjectiveClasses.xlsx."""
        found: dict[str, int] = {}
        for path in (*self.tree.tables, *self.tree.tables_above):
            if "objective" not in path.name.lower() or "casme" not in path.name.lower():
                continue
            try:
                rows = read_sheets(path, _OBJECTIVE)[0].rows
            except SheetError:
                continue
            for _, cells in rows:
                if is_whole(cells["subject"]) and is_whole(cells["objective"]):
                    found[f"{self.name}/{int(cells['subject']):02d}/{cells['clip']}"] = int(cells["objective"])
        return found


def _key(subject: str, clip: str) -> str:
    return f"{int(subject)}/{clip.strip().lower()}"


def _date(path: Path) -> str:
    match = re.search(r"(20\d{6})", path.name)
    return match.group(1) if match else ""
