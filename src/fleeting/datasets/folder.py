"""Any folder of clips with a table: the way to bring one's own data.

Format
    ``ROOT/<subject>/<clip>/`` holds the frames of a clip (jpg, png or bmp, ordered by the last integer in the name), or
    ``ROOT/<subject>/<clip>.mp4`` (or another video format) is the clip. ``ROOT/clips.csv`` has a row per clip with
    the columns ``subject,clip,onset,apex,offset,emotion`` and, if known, ``fps,action_units``; further columns are
    passed over. Subject and clip are names, not paths: a table cannot lead out of its folder, a link that was put into
    the folder can.
    Onset, apex and offset are 0-based indexes into the clip's own frames and may be empty.
Classes
    Whatever the ``emotion`` column says.
"""

from __future__ import annotations

import math
from pathlib import Path

from fleeting.clips import VIDEO_SUFFIXES, Clip, FrameFolder, VideoFile
from fleeting.clips.clip import MOST_FRAMES
from fleeting.clips.frames import is_file, is_folder
from fleeting.datasets.base import Dataset
from fleeting.datasets.exploring import list_folder
from fleeting.datasets.problems import Problem
from fleeting.datasets.registry import register_dataset
from fleeting.datasets.text_tables import SheetError, named_rows, read_text_table
from fleeting.errors import ClipReadError, UsageError

__all__ = ["Folder"]

REQUIRED = ("subject", "clip")
COLUMNS = "subject,clip,onset,apex,offset,emotion[,fps,action_units]"
INDEXES = ("onset", "apex", "offset")


@register_dataset("folder")
class Folder(Dataset):
    """A folder of clips with a CSV.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder.
    table : str or pathlib.Path or None, optional
        The CSV; by default ``clips.csv`` in ``root``, or the only CSV there. Commas, semicolons and tabs separate.
    name : str or None, optional
        Name of the data set in keys and results.

    Raises
    ------
    UsageError
        If the folder or the CSV is missing, or the CSV lacks the columns ``subject`` and ``clip``.
    """

    name = "folder"

    def __init__(self, root: str | Path, *, table: str | Path | None = None, name: str | None = None) -> None:
        super().__init__(root)
        if name is not None:
            self.name = name
        found = list_folder(self.root, "a folder of clips with a clips.csv")
        self.csv = self._find_table(found) if table is None else Path(table)
        if not is_file(self.csv):
            raise UsageError(f"{self.csv}: no such file; expected a CSV with the columns {COLUMNS}")

    def _find_table(self, found: list[Path]) -> Path:
        usual = self.root / "clips.csv"
        if is_file(usual):
            return usual
        tables = [p for p in found if p.suffix == ".csv" and not p.name.startswith(".") and is_file(p)]
        if len(tables) == 1:
            return tables[0]
        shown = f"{len(tables)} CSV files ({', '.join(p.name for p in tables[:4])})" if tables else "no CSV file"
        raise UsageError(f"{self.root}: {shown}; expected one named clips.csv with the columns {COLUMNS}")

    def read_clips(self) -> tuple[list[Clip], list[Problem]]:
        """Read the table: all usable clips, and what is wrong with its rows and on disk.

        Raises
        ------
        UsageError
            If the table cannot be read, or lacks a column.
        """
        try:
            rows = list(named_rows(read_text_table(self.csv), REQUIRED, COLUMNS))
        except SheetError as exc:
            raise UsageError(str(exc)) from exc
        clips: list[Clip] = []
        problems: list[Problem] = []
        seen: dict[tuple[str, str], int] = {}
        for row in rows:
            subject, clip = row.cells.get("subject", ""), row.cells.get("clip", "")
            where = f"line {row.line} of {self.csv.name}"
            if not row.usable:
                problems.append(Problem(self.name, "", "", f"{where} {row.odd}"))
                continue
            if not subject or not clip:
                problems.append(Problem(self.name, subject, clip, f"{where} names no subject or no clip"))
                continue
            if (subject, clip) in seen:
                first = seen[subject, clip]
                problems.append(Problem(self.name, subject, clip, f"{where} repeats the clip of line {first}"))
                continue
            seen[subject, clip] = row.line
            try:
                found = self._clip(subject, clip, row.cells)
            except (_RowError, ClipReadError, UsageError) as exc:
                problems.append(Problem(self.name, subject, clip, f"{where}: {exc}"))
                continue
            clips.append(found)
            if row.odd:
                reason = f"{where} {row.odd}; what is missing is taken as empty"
                problems.append(Problem(self.name, subject, clip, reason, skipped=False))
            last = len(found) - 1
            outside = [f"{k} {getattr(found, k)}" for k in INDEXES if (getattr(found, k) or 0) > last]
            if outside:
                reason = f"{where}: {', '.join(outside)} outside the clip's frames 0 to {last}"
                problems.append(Problem(self.name, subject, clip, reason, skipped=False))
        problems += self._unlisted(set(seen))
        return clips, problems

    def _clip(self, subject: str, clip: str, row: dict[str, str]) -> Clip:
        fps = _number(row.get("fps", ""), "fps")
        if fps is not None and fps <= 0:
            raise _RowError(f"fps {fps:g} is not positive")
        onset, apex, offset = (_index(row.get(k, ""), k) for k in INDEXES)
        known = [v for v in (onset, apex, offset) if v is not None]
        if known != sorted(known):
            raise _RowError(f"onset {onset}, apex {apex}, offset {offset} are not in this order")
        frames = self._frames(subject, clip, fps)
        return Clip(
            dataset=self.name,
            subject=subject,
            name=clip,
            frames=frames,
            fps=fps if fps is not None else frames.fps,
            emotion=row.get("emotion") or None,
            action_units=row.get("action_units", ""),
            onset=onset,
            apex=apex,
            offset=offset,
        )

    def _frames(self, subject: str, clip: str, fps: float | None) -> FrameFolder | VideoFile:
        for name in (subject, clip):
            # A table must not lead out of its folder; a link that somebody put into the folder may.
            if not _is_name(name):
                raise _RowError(f"{name!r} is no name of a folder below {self.root}")
        folder = self.root / subject / clip
        if is_folder(folder):
            return FrameFolder(folder, fps=fps)
        for path in [folder, *(folder.with_name(clip + suffix) for suffix in VIDEO_SUFFIXES)]:
            if is_file(path):
                return VideoFile(path)
        raise _RowError(
            f"no folder {subject}/{clip} and no video {subject}/{clip}.mp4 (or {', '.join(VIDEO_SUFFIXES[1:4])}, ...)"
        )

    def _unlisted(self, listed: set[tuple[str, str]]) -> list[Problem]:
        problems = []
        for subject in sorted({s for s, _ in listed if _is_name(s)}):
            if not is_folder(self.root / subject):
                continue
            try:
                there = sorted((self.root / subject).iterdir())
            except OSError as exc:
                reason = f"its folder cannot be listed ({exc.strerror or exc})"
                remedy = "see that the folder may be read"
                problems.append(Problem(self.name, subject, "", reason, False, remedy, "unreadable folder"))
                continue
            reason = f"a folder that {self.csv.name} does not list"
            remedy = f"add a row for it to {self.csv.name}, or nothing if it is not wanted"
            problems += [
                Problem(self.name, subject, folder.name, reason, remedy=remedy, kind="unknown folder")
                for folder in there
                if is_folder(folder) and not folder.name.startswith(".") and (subject, folder.name) not in listed
            ]
        return problems


def _is_name(name: str) -> bool:
    return name not in (".", "..") and not {"/", "\\", "\0"} & set(name)


class _RowError(Exception):
    """A row that cannot be used; the message says why."""


def _number(text: str, name: str) -> float | None:
    if text == "":
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _RowError(f"{name} is {text!r}, not a number")
    return value


def _index(text: str, name: str) -> int | None:
    value = _number(text, name)
    if value is None:
        return None
    if value != int(value) or not 0 <= value <= MOST_FRAMES:
        raise _RowError(f"{name} is {text!r}; expected a 0-based frame index or nothing")
    return int(value)
