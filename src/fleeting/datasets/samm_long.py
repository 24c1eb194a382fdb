"""SAMM Long Videos: the recordings that SAMM's micro-expressions come from, with macro-expressions, 200 frames per second.

Format
    ``SAMM_longvideos/006_1/006_1_0001.jpg``, 147 videos. ``SAMM_LongVideos_V2_Release.xlsx``, sheet FACS_Movement_Only:
    Subject, Filename, Inducement Code, Onset, Apex, Offset, Duration, Type, Action Units, Notes, below ten rows of
    remarks. The file name is that of the video with the number of the event (``006_1_2``). Type is ``Macro`` or
    ``Micro - 1/2``.
Please cite
    Yap, C. H., Kendrick, C., Yap, M. H.: SAMM Long Videos: A Spontaneous Facial Micro- and Macro-Expressions Dataset.
    IEEE FG 2020.
Licence
    For academic research, under a release agreement. Not to be passed on.
Access
    Ask the authors at Manchester Metropolitan University: http://www2.docm.mmu.ac.uk/STAFF/m.yap/dataset.php.
"""

from __future__ import annotations

import re
from pathlib import Path

from fleeting.datasets.disk import Place, Row
from fleeting.datasets.long import EventRow, LongDataset
from fleeting.datasets.problems import Problem
from fleeting.datasets.registry import register_dataset
from fleeting.datasets.sheets import SheetError, read_sheets

__all__ = ["SammLong"]

CODES = "SAMM_LongVideos_V2_Release.xlsx"
_COLUMNS = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("Onset", "Onset Frame"),
    "apex": ("Apex", "Apex Frame"),
    "offset": ("Offset", "Offset Frame"),
    "kind": ("Type",),
    "action_units": ("Action Units",),
}
_VIDEO = re.compile(r"(\d{1,3})_(\d+)(?:_\d+)?")


@register_dataset("samm-long")
class SammLong(LongDataset):
    """SAMM Long Videos, as MEGC uses it: all 147 videos, those without an event included.

    The complete set has 343 macro- and 159 micro-expressions. Ten macro-expressions have the onset 0, which means that
    it is not known; their interval begins at the apex. The table has no emotions.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder that holds it; one a few levels above or below will do.

    Raises
    ------
    WrongFolderError
        If neither frames nor the table are below the folder.
    UsageError
        If there is no such folder.
    """

    name = kind = "samm-long"
    title = "SAMM Long Videos"
    fps = 200.0
    known_events = {"macro": 343, "micro": 159}  # noqa: RUF012 - never changed
    expected = f"SAMM_longvideos/006_1/006_1_0001.jpg and {CODES}"

    def find_clip(self, place: Place) -> tuple[str, str, str] | None:
        """Tell variant, key and subject of a clip's folder; ``None`` for other folders."""
        if re.fullmatch(r"\d{1,3}_\d+", place.name) is None or not place.n_images:
            return None
        key = _video(place.name)
        return "raw", key, key[:3]

    def is_annotation(self, path: Path) -> bool:
        """Tell by its name whether a spreadsheet is of this data set."""
        name = path.name.lower()
        return "samm" in name and "long" in name

    def row_key(self, row: Row) -> str:
        """Give the key that a row and its folder have in common."""
        return _video(row.clip)

    def read_events(self, problems: list[Problem]) -> list[EventRow] | None:
        """Read the annotated events; ``None`` where the annotation is missing."""
        for path in self.tables:
            try:
                sheets = read_sheets(path, _COLUMNS, optional=("action_units", "subject"))
            except SheetError as exc:
                if not self.guessing:
                    remedy = f"copy {CODES} again from the release"
                    problems.append(Problem(self.name, "", "", str(exc), False, remedy, "spreadsheet"))
                continue
            sheet = next((sheet for sheet in sheets if "movement" in sheet.name.lower()), sheets[0])
            rows = []
            for number, cells in sheet.rows:
                where = f"row {number} of {path.name}"
                kind = _kind(cells["kind"])
                if _VIDEO.fullmatch(cells["clip"]) is None or kind is None:
                    if cells["clip"] and cells["kind"]:
                        reason = f"{where} has the file name {cells['clip']!r} and the type {cells['kind']!r}"
                        remedy = "expected one such as 006_1_2, Macro or Micro; correct the row, or delete it"
                        problems.append(Problem(self.name, "", cells["clip"], reason, True, remedy, "row"))
                    continue
                video = _video(cells["clip"])
                times = {name: cells[name] for name in ("onset", "apex", "offset")}
                units = cells.get("action_units", "")
                rows.append(EventRow(where, video[:3], video, kind, None, units, times))
            return rows
        problems.append(self.no_annotation(CODES))
        return None


def _kind(text: str) -> str | None:
    word = text.strip().lower()
    return "macro" if word.startswith("macro") else "micro" if word.startswith("micro") else None


def _video(name: str) -> str:
    """``006_1`` of ``006_1_2``, ``6_1_2`` or ``006_1``."""
    match = _VIDEO.fullmatch(name)
    assert match is not None
    return f"{int(match.group(1)):03d}_{match.group(2)}"
