"""SMIC: spontaneous micro-expressions, filmed at 100 frames per second (HS) and at 25 (VIS in colour, NIR near infrared).

Format
    HS: ``HS/s01/micro/{negative,positive,surprise}/s01_ne_01/image559740.bmp``, 640×480 pixels, 164 clips of 16
    subjects (1 to 20 without 7, 10, 16, 17); cropped: ``SMIC_all_cropped/HS/.../reg_image559740.bmp``. No table and no
    apex: a clip begins at its onset and ends at its offset. Single frames can be missing in a run.
    VIS and NIR: the same layout, 71 clips of 8 subjects each (11 to 15, 18 to 20); image names may hold a blank before
    the number.
    HS-E (longer clips around the same expressions): ``HS_long/SMIC_HS_E/s03/s3_ne_01/image######.jpg`` or ``SMIC-E_raw
    image/HS_long/SMIC-HS-E/HS/s03/s3_ne_01/...`` with ``SMIC-HS-E_annotation.xlsx``: Subject, Filename, OnsetF,
    OffsetF, Onset2F, Offset2F (edited copies: Onset3F, Offset3F), FirstF, LastF, TotalMF1, TotalMF2, TotalVL, Emotion.
    The longer clips of VIS are on its sheet VIS, those of NIR have a file of their own.
Please cite
    Li, X., Pfister, T., Huang, X., Zhao, G., Pietikäinen, M.: A Spontaneous Micro-expression Database: Inducement,
    Collection and Baseline. IEEE FG 2013.
Licence
    For academic research, under a release agreement. Not to be passed on.
Access
    Ask the Center for Machine Vision and Signal Analysis of the University of Oulu: https://www.oulu.fi, "SMIC".
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from fleeting.clips import Clip, Event, FrameFolder, Recording
from fleeting.datasets.disk import ReleasedDataset, Row
from fleeting.datasets.exploring import Place
from fleeting.datasets.facts import documented
from fleeting.datasets.problems import Problem, WrongFolderError
from fleeting.datasets.registry import register_dataset
from fleeting.datasets.sheets import Sheet, SheetError, frame_number, read_sheets
from fleeting.errors import unknown_choice

__all__ = ["Smic"]

SUBSETS = ("HS", "HS-E", "VIS", "NIR")
_EMOTIONS = {"ne": "negative", "po": "positive", "su": "surprise", "sur": "surprise"}
_CLIP = re.compile(r"s(\d{1,2})_(ne|po|sur|su)_(\d{1,9})", re.I)
_COLUMNS = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("OnsetF", "Onset1F"),
    "offset": ("OffsetF", "Offset1F"),
    "onset2": ("Onset2F",),
    "offset2": ("Offset2F",),
    "onset3": ("Onset3F",),
    "offset3": ("Offset3F",),
    "apex": ("ApexF",),
    "first": ("FirstF",),
    "last": ("LastF",),
    "emotion": ("Emotion",),
}
_OPTIONAL = ("onset2", "offset2", "onset3", "offset3", "apex", "first", "last", "emotion")
_HS_SUBJECTS = tuple(f"s{i:02d}" for i in range(1, 21) if i not in (7, 10, 16, 17))
_FEW_SUBJECTS = tuple(f"s{i:02d}" for i in (11, 12, 13, 14, 15, 18, 19, 20))


@register_dataset("smic")
@documented
class Smic(ReleasedDataset):
    """SMIC, one of its four subsets.

    The complete HS has {counts:smic}; HS-E {counts:smic-hs-e}; VIS and NIR {counts:smic-vis}. Clips are named by subject
    and folder, as in ``smic/s01/s01_ne_01``; the data set's name is ``smic`` for HS, ``smic-hs-e``, ``smic-vis`` and
    ``smic-nir`` for the others.

    A clip of HS is an expression, so onset and offset are its first and last frame. A video of HS-E is longer and holds
    up to three expressions of one class. It is *one* clip here, whose onset and offset are those of the first
    expression, since one label per video is what recognition counts; :meth:`expressions` gives all of them, for spotting.
    If only the longer clips of VIS or NIR are there, they are read in the same way.

    The subsets show the same people: a composite of two of them is not subject-independent, whatever the protocol.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder that holds it; one a few levels above or below will do.
    subset : str, optional
        ``HS``, ``HS-E``, ``VIS`` or ``NIR``.
    variant : str or None, optional
        ``raw`` (the default where it is there) or ``cropped``; for VIS and NIR also ``long`` (the longer clips).

    Raises
    ------
    WrongFolderError
        If nothing of the subset is below the folder.
    UsageError
        If there is no such folder, subset or variant.
    """

    title = "SMIC"

    def __init__(self, root: str | Path, subset: str = "HS", *, variant: str | None = None) -> None:
        if subset.upper() not in SUBSETS:
            raise unknown_choice("subset of SMIC", subset, SUBSETS)
        self.subset = subset.upper()
        self.name = self.kind = "smic" if self.subset == "HS" else f"smic-{self.subset.lower()}"
        self.title = f"SMIC {self.subset}"
        self.camera = self.subset.partition("-")[0]
        self.fps = 100.0 if self.camera == "HS" else 25.0
        self.known_subjects = _HS_SUBJECTS if self.camera == "HS" else _FEW_SUBJECTS
        self.variants = ("raw", "cropped") if self.camera == "HS" else ("raw", "cropped", "long")
        if self.subset == "HS-E":
            self.expected = "HS_long/SMIC_HS_E/s03/s3_ne_01/image######.jpg and SMIC-HS-E_annotation.xlsx"
        else:
            self.expected = f"{self.subset}/s11/micro/negative/s11_ne_01/image######.bmp"
        self._expressions: dict[str, list[tuple[int, int]]] = {}
        super().__init__(root, variant=variant)

    def __repr__(self) -> str:
        return f"Smic({str(self.root)!r}, subset={self.subset!r})"

    @property
    def annotated(self) -> bool:
        """True if the clips are the longer ones, which a table annotates."""
        return self.subset == "HS-E" or self.variant == "long"

    def expressions(self, clip: Clip) -> list[tuple[int, int]]:
        """List all annotated expressions of one of its clips, as ``(onset, offset)``; 0-based, the offset included."""
        self.clips()
        return list(self._expressions.get(clip.key, []))

    def recordings(self) -> list[Recording]:
        """List the longer clips with all their expressions, for spotting; none for the clips that are cut to one.

        All of them are micro-expressions, however long: SMIC was coded so.
        """
        if not self.annotated:
            return []
        return [
            Recording(
                clip.dataset,
                clip.subject,
                clip.name,
                clip.frames,
                self.fps,
                tuple(Event(onset, None, offset, "micro", clip.emotion) for onset, offset in self.expressions(clip)),
            )
            for clip in self.clips()
        ]

    def find_clip(self, place: Place) -> tuple[str, str, str] | None:
        """Tell variant, key and subject of a clip's folder; ``None`` for other folders."""
        match = _CLIP.fullmatch(place.name)
        if match is None:
            return None
        camera, long = _camera_and_length(place)
        # A folder that no name assigns to a camera, or to the longer clips, is whatever was asked for.
        if camera != self.camera and (camera is not None or self._cameras_are_named):
            return None
        if self.camera == "HS" and long is not None and long != (self.subset == "HS-E"):
            return None
        cropped = place.cropped or any("crop" in name.lower() for name in place.above)
        variant = "long" if long and self.camera != "HS" else "cropped" if cropped else "raw"
        return variant, _key(place.name), f"s{int(match.group(1)):02d}"

    @cached_property
    def _cameras_are_named(self) -> bool:
        clips = (place for place in self.tree.places if _CLIP.fullmatch(place.name))
        return any(_camera_and_length(place)[0] == self.camera for place in clips)

    def is_annotation(self, path: Path) -> bool:
        """Tell by its name whether a spreadsheet is of this data set."""
        name = path.name.lower()
        return (self.subset == "HS-E" or "long" in self.found) and "smic" in name

    def row_key(self, row: Row) -> str:
        """Give the key that a row and its folder have in common."""
        return _key(row.clip)

    def layout(self) -> dict[str, str]:
        """Say in which places the frames and, for longer clips, the annotation were found."""
        sheet = self._sheet([]) if self.annotated else None
        return super().layout() | ({"table": f"{sheet.path} [{sheet.name}]"} if sheet else {})

    def read_rows(self, problems: list[Problem]) -> list[Row] | None:
        """Read the annotated clips; ``None`` where the annotation is missing."""
        if self.annotated:
            return self._annotated_rows(problems)
        rows = []
        for place in sorted(self.folders().values(), key=lambda place: _order(place.name)):
            match = _CLIP.fullmatch(place.name)
            assert match is not None
            subject = f"s{int(match.group(1)):02d}"
            coded, above = _EMOTIONS[match.group(2).lower()], place.above[0].lower()
            emotion = above if above in _EMOTIONS.values() else coded
            row = Row("its folder", subject, place.name, emotion)
            if emotion != coded:
                reason = f"its name says {coded}, its folder {emotion}; the folder is followed"
                remedy = "move the folder to its class, if it was misplaced"
                problems.append(self.problem(row, reason, "annotation", remedy))
            rows.append(row)
        return rows

    def _annotated_rows(self, problems: list[Problem]) -> list[Row] | None:
        sheet = self._sheet(problems)
        if sheet is None:
            problems.append(self.no_annotation(f"SMIC-{self.camera}-E_annotation.xlsx"))
            return None
        rows = []
        for number, cells in sheet.rows:
            where = f"row {number} of {sheet.path.name}"
            match = _CLIP.fullmatch(cells["clip"])
            if match is None:
                if cells["clip"] or cells["onset"].isdigit():
                    reason = f"{where} has the file name {cells['clip']!r}; expected one such as s3_ne_01"
                    remedy = "fill in the cell from the release's own spreadsheet, or delete the row"
                    problems.append(Problem(self.name, cells["subject"], cells["clip"], reason, True, remedy, "row"))
                continue
            subject, coded = f"s{int(match.group(1)):02d}", _EMOTIONS[match.group(2).lower()]
            clip = cells["clip"]
            emotion = self.known_emotion(cells.get("emotion", ""), where, subject, clip, problems) or coded
            frames = {name: text for name, text in cells.items() if name not in ("subject", "clip", "emotion")}
            rows.append(Row(where, subject, clip, emotion, "", frames))
        return rows

    def _sheet(self, problems: list[Problem]) -> Sheet | None:
        """The sheet of this camera: by the name of the sheet, else by that of the file."""
        fitting: list[tuple[int, str, Sheet]] = []
        for path in self.tables:
            try:
                sheets = read_sheets(path, _COLUMNS, optional=_OPTIONAL)
            except SheetError as exc:
                remedy = f"copy SMIC-{self.camera}-E_annotation.xlsx again from the release"
                if not self.guessing:
                    problems.append(Problem(self.name, "", "", str(exc), False, remedy, "spreadsheet"))
                continue
            for sheet in sheets:
                by_sheet, by_file = _cameras(sheet.name), _cameras(path.name)
                if self.camera in by_sheet:
                    fitting.append((0, path.name, sheet))
                elif not by_sheet and self.camera in by_file:
                    fitting.append((1, path.name, sheet))
                elif not by_sheet and not by_file:
                    fitting.append((2, path.name, sheet))
        if not fitting:
            return None
        return min(fitting, key=lambda item: item[:2])[2]

    def make_clip(self, row: Row, place: Place, frames: FrameFolder, problems: list[Problem]) -> Clip:
        """Make a clip of a row and its folder."""
        if not self.annotated:
            times: dict[str, int | None] = dict.fromkeys(("onset", "apex", "offset"))
            self.frame_indexes(row, frames, times, problems)
            clip = Clip(self.name, row.subject, row.clip, frames, self.fps, row.emotion, "", 0, None, len(frames) - 1)
            self._expressions[clip.key] = [(0, len(frames) - 1)]
            return clip
        row = self._renumbered(row, frames, problems)
        clip = super().make_clip(row, place, frames, problems)
        found = []
        for first, last in (("onset", "offset"), ("onset2", "offset2"), ("onset3", "offset3")):
            try:
                onset, offset = (frame_number(row.frames.get(name, "")) for name in (first, last))
            except ValueError:
                continue
            if onset is not None and offset is not None and onset <= offset:
                found.append((frames.index_of(onset), frames.index_of(offset)))
        self._expressions[clip.key] = found
        return clip

    def _renumbered(self, row: Row, frames: FrameFolder, problems: list[Problem]) -> Row:
        """The row in the numbers of the files, which some copies count anew from 0 or 1."""
        try:
            first = frame_number(row.frames.get("first", ""))
            last = frame_number(row.frames.get("last", ""))
            offset = frame_number(row.frames.get("offset", ""))
        except ValueError:
            return row
        if first is None:
            return row
        shift = int(frames.numbers[0]) - first
        if shift < 0 and int(frames.numbers[0]) in (0, 1) and int(frames.numbers[-1]) < first:
            moved = {}
            for name, text in row.frames.items():
                try:
                    number = frame_number(text)
                except ValueError:
                    number = None
                moved[name] = text if number is None else str(max(0, number + shift))
            reason = f"its frames are numbered anew from {int(frames.numbers[0])}; FirstF {first} was subtracted"
            remedy = "nothing, if no frame is missing at its beginning"
            problems.append(self.problem(row, reason, "numbering", remedy))
            return Row(row.where, row.subject, row.clip, row.emotion, row.action_units, moved)
        if last is not None and offset is not None and offset > last:
            reason = f"the offset {offset} comes after the last frame {last} in {row.where}"
            remedy = "compare with the release's own spreadsheet; the clip is used up to its last frame"
            problems.append(self.problem(row, reason, "annotation", remedy))
        ends = [
            f"{what} frame is {int(there)}, the table says {said}"
            for what, there, said in (("first", frames.numbers[0], first), ("last", frames.numbers[-1], last))
            if said is not None and int(there) != said
        ]
        if ends:
            remedy = "unpack the clip again, if frames are missing"
            problems.append(self.problem(row, f"its {' and its '.join(ends)}", "numbering", remedy))
        return row

    def wrong_folder(self) -> WrongFolderError:
        """Explain what the folder seems to hold instead."""
        error = super().wrong_folder()
        there = set()
        for place in self.tree.places:
            if _CLIP.fullmatch(place.name):
                camera, long = _camera_and_length(place)
                there.add("smic-hs-e" if long and camera in (None, "HS") else _kind(camera or "HS"))
        there.discard(self.kind)
        if not there:
            return error
        hints = ", or ".join(f"{kind}:{self.root}" for kind in sorted(there))
        looks = sorted(there | set(error.looks_like))
        return WrongFolderError(f"{str(error).partition('. It looks like')[0]}. It looks like {hints}", looks)


def _kind(camera: str) -> str:
    return "smic" if camera == "HS" else f"smic-{camera.lower()}"


def _cameras(name: str) -> set[str]:
    return {"HS", "VIS", "NIR"} & set(re.split(r"[^A-Z0-9]+", name.upper()))


def _camera_and_length(place: Place) -> tuple[str | None, bool | None]:
    """Which camera a clip is of, by the nearest folder that names one, and whether it is one of the longer clips.

    ``None`` where no folder's name says so.
    """
    camera = next((min(found) for found in map(_cameras, place.above) if found), None)
    # Only the shorter clips are sorted into classes.
    if place.above and place.above[0].lower() in {*_EMOTIONS.values(), "micro"}:
        return camera, False
    tokens = [set(re.split(r"[^a-z0-9]+", name.lower())) for name in place.above]
    return camera, True if any("long" in t or {"smic", "e"} <= t or {"hs", "e"} <= t for t in tokens) else None


def _key(name: str) -> str:
    match = _CLIP.fullmatch(name)
    assert match is not None
    return f"{int(match.group(1))}/{match.group(2).lower()[:2]}/{int(match.group(3))}"


def _order(name: str) -> tuple[int, str, int]:
    match = _CLIP.fullmatch(name)
    assert match is not None
    return int(match.group(1)), match.group(2).lower(), int(match.group(3))


@register_dataset("smic-hs-e")
def open_smic_hs_e(root: str | Path) -> Smic:
    """Open the HS-E subset of SMIC."""
    return Smic(root, "HS-E")


@register_dataset("smic-vis")
def open_smic_vis(root: str | Path) -> Smic:
    """Open the VIS subset of SMIC."""
    return Smic(root, "VIS")


@register_dataset("smic-nir")
def open_smic_nir(root: str | Path) -> Smic:
    """Open the NIR subset of SMIC."""
    return Smic(root, "NIR")
