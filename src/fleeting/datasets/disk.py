"""The base of the loaders of released data sets: bringing rows and folders together, and frame numbers to indexes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fleeting.clips import Clip, FrameFolder
from fleeting.clips.frames import is_file
from fleeting.datasets.base import Dataset
from fleeting.datasets.exploring import Place, Tree, explore, list_folder, recognise
from fleeting.datasets.facts import errata, known_counts, known_remarks
from fleeting.datasets.problems import SYNTHETIC, Problem, WrongFolderError
from fleeting.datasets.sheets import frame_number
from fleeting.errors import ClipReadError, EmptyClipError, UsageError
from fleeting.renamed import adopt_renamed_methods

__all__ = ["Place", "ReleasedDataset", "Row", "Tree", "explore"]

MOST_TABLES = 20

UNPACK = "unpack the clip again from the release; if the release lacks the frames too, there is nothing to do"


@dataclass(frozen=True)
class Row:
    """A row of the annotation; numbers are those in the frames' names, all fields are text until they are used.

    Attributes
    ----------
    where : str
        For messages, as in ``row 17 of CASME2-coding-20140508.xlsx``.
    subject, clip, emotion, action_units : str and str or None
        The clip and its labels in the words of the data set's loader.
    frames : dict of str to str
        ``onset``, ``apex``, ``offset``, ``first``, ``last`` and further fields, as the cells have them.
    """

    where: str
    subject: str
    clip: str
    emotion: str | None
    action_units: str = ""
    frames: dict[str, str] = field(default_factory=dict)


class ReleasedDataset(Dataset):
    """A data set as its authors released it: folders of frames, and mostly a spreadsheet.

    A subclass finds the folders (:meth:`find_clip`) and reads the rows (:meth:`read_rows`); this class brings the two
    together.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder that holds it; one a few levels above or below will do.
    variant : str or None, optional
        Which copy of the frames to use where several are there; by default the first of ``variants``.

    Raises
    ------
    WrongFolderError
        If nothing of the data set is below the folder.
    UsageError
        If there is no such folder, or no such variant.
    """

    #: the kind in ``KIND:PATH``
    kind = ""
    expected = ""
    fps: float = 200.0
    variants: Sequence[str] = ("raw", "cropped")
    #: folders of clips by variant and key
    found: dict[str, dict[str, Place]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        names = {"_find": "find_clip", "_is_annotation": "is_annotation", "_key": "row_key", "_rows": "read_rows"}
        adopt_renamed_methods(cls, {**names, "_clip": "make_clip", "_wrong_folder": "wrong_folder"})

    def __init__(self, root: str | Path, *, variant: str | None = None) -> None:
        super().__init__(root)
        self.tree = explore(self.root)
        self._repeated: list[Place] = []
        self.found = {}
        self.subject_of: dict[Path, str] = {}
        for place in self.tree.places:
            found = self.find_clip(place)
            if found is not None:
                name, key, self.subject_of[place.path] = found
                if key in self.found.setdefault(name, {}):
                    self._repeated.append(place)
                else:
                    self.found[name][key] = place
        self.tables = [path for path in self.tree.tables if self.is_annotation(path)]
        if not self.found and not self.tables:
            raise self.wrong_folder()
        # Whoever names the folder of the frames has the spreadsheet beside or above it.
        self.tables = self.tables or [path for path in self.tree.tables_above if self.is_annotation(path)]
        #: True if the spreadsheets were taken for want of one with a fitting name; then unfit ones are no problem
        self.guessing = not self.tables
        self.tables = self.tables or list(self.tree.tables[:MOST_TABLES])
        if variant is not None and variant not in self.found:
            there = ", ".join(n for n in self.variants if n in self.found) or "none"
            raise UsageError(
                f"{self.root}: no frames of the variant {variant!r} of {self.title}; found {there}. "
                f"The variants are {', '.join(self.variants)}"
            )
        self.variant = variant or next((n for n in self.variants if n in self.found), None)

    # What a subclass says.

    def find_clip(self, place: Place) -> tuple[str, str, str] | None:
        """Tell variant, key and subject of a clip's folder; ``None`` for other folders.

        The key is the one that :meth:`row_key` gives for the clip's row.
        """
        raise NotImplementedError

    def is_annotation(self, path: Path) -> bool:
        """Tell by its name whether a spreadsheet is of this data set."""
        raise NotImplementedError

    def row_key(self, row: Row) -> str:
        """Give the key that a row and its folder have in common."""
        raise NotImplementedError

    def read_rows(self, problems: list[Problem]) -> list[Row] | None:
        """Read the annotated clips.

        Parameters
        ----------
        problems : list of Problem
            Faults of the annotation are added here.

        Returns
        -------
        list of Row or None
            ``None`` where the annotation is missing.
        """
        raise NotImplementedError

    # What they share.

    def layout(self) -> dict[str, str]:
        """Say in which places frames and annotation were found."""
        folders = sorted({str(place.path.parent.parent) for place in self.folders().values()})
        shown = folders[0] if len(folders) == 1 else os.path.commonpath(folders) if folders else "none found"
        others = [name for name in self.found if name != self.variant]
        also = f" (also there: {', '.join(others)})" if others else ""
        found = {"root": str(self.root), "frames": f"{shown} [{self.variant or 'none'}]{also}"}
        if is_file(self.root / SYNTHETIC):
            found["note"] = f"synthetic clips in the layout of {self.title}, not the data set itself"
        return found

    def folders(self) -> dict[str, Place]:
        """Give the folders of clips of the chosen variant, by key."""
        return self.found.get(self.variant or "", {})

    def problem(self, row: Row | Clip | None, reason: str, kind: str, remedy: str, skipped: bool = False) -> Problem:
        """Describe what is wrong with a row or a clip, with the remark that is known of the release, if there is one."""
        subject = row.subject if row is not None else ""
        clip = row.name if isinstance(row, Clip) else row.clip if row is not None else ""
        remark = known_remarks(self.name).get((subject, clip, kind))
        if remark is not None:
            reason, remedy = f"{reason} ({remark})", "nothing: this is known of the release"
        return Problem(self.name, subject, clip, reason, skipped, remedy, kind)

    def read_clips(self) -> tuple[list[Clip], list[Problem]]:
        """Read the annotations: all usable clips, and what is wrong on disk."""
        problems: list[Problem] = []
        rows = self.read_rows(problems)
        folders = self.folders()
        if rows is None:
            return [], problems
        if not folders:
            reason = f"the annotation lists {len(rows)} clips, but none of their folders is there"
            remedy = f"unpack the frames below {self.root}, so that there is for instance {self.expected}"
            problems.append(Problem(self.name, "", "", reason, True, remedy, "no frames"))
            return [], problems
        clips: list[Clip] = []
        seen: dict[str, Row] = {}
        for row in rows:
            key = self.row_key(row)
            if key in seen:
                reason = f"{row.where} repeats the clip of {seen[key].where}"
                remedy = "delete one of the two rows, or use the spreadsheet of the release"
                problems.append(self.problem(row, reason, "repeated row", remedy, skipped=True))
                continue
            seen[key] = row
            place = folders.get(key)
            if place is None:
                other = next((name for name, there in self.found.items() if key in there), None)
                hint = f", or use variant={other!r}, which has it" if other else ""
                reason = f"{row.where} lists it, but its folder is missing"
                remedy = f"unpack the missing clips again from the release{hint}"
                problems.append(self.problem(row, reason, "missing clip", remedy, skipped=True))
                continue
            try:
                frames = FrameFolder(place.path, fps=self.fps)
                clip = self.make_clip(self._corrected(row, frames, problems), place, frames, problems)
            except ClipReadError as exc:
                reason = f"its folder {place.path} holds no images" if isinstance(exc, EmptyClipError) else str(exc)
                problems.append(self.problem(row, reason, "missing clip", UNPACK, skipped=True))
                continue
            clips.append(clip)
        problems += self.unlisted_folders(folders, seen)
        return clips, problems

    def unlisted_folders(self, folders: dict[str, Place], listed: Iterable[str]) -> list[Problem]:
        """Describe folders that the annotation does not list, that are there twice, or that may not be listed."""
        found = []
        for key in folders.keys() - set(listed):
            place = folders[key]
            subject = self.subject_of[place.path]
            reason = f"the annotation does not list this folder of {place.n_images} images ({place.path})"
            remedy = "nothing, if it is not of the release; otherwise use the release's own spreadsheet"
            found.append(Problem(self.name, subject, place.name, reason, True, remedy, "unknown folder"))
        for place in self._repeated:
            reason = f"the clip is on disk more than once; {place.path} is passed over"
            remedy = "delete the copy that is not wanted"
            found.append(
                Problem(self.name, self.subject_of[place.path], place.name, reason, False, remedy, "repeated folder")
            )
        if self.tree.cut or self.tree.unreadable:
            reason = f"not every folder was looked into: {'; '.join(self.tree.unreadable[:3]) or 'there are too many'}"
            remedy = "name the folder of the data set itself, and see that it may be read"
            found.append(Problem(self.name, "", "", reason, False, remedy, "unreadable folder"))
        return sorted(found, key=lambda problem: (problem.subject, problem.clip))

    def _corrected(self, row: Row, frames: FrameFolder, problems: list[Problem]) -> Row:
        """The row with the errata applied that match what it says, and fit the frames on disk."""
        for item in errata(self.name).get((row.subject, row.clip), ()):
            name, found, corrected = item["field"], row.frames.get(item["field"], ""), item["corrected"]
            matches = found not in ("", corrected) if item["found"] == "*" else found == item["found"]
            # Another recording of that name, or frames numbered anew, have nothing to correct.
            timed = corrected and name in ("onset", "apex", "offset")
            fits = not timed or int(frames.numbers[0]) <= int(corrected) <= int(frames.numbers[-1])
            if not matches or not fits:
                continue
            row = replace(row, frames={**row.frames, name: corrected})
            reason = f"{row.where} says {name} {found!r}; corrected to {corrected or 'none'} ({item['source']})"
            problems.append(self.problem(row, reason, "erratum", "nothing: the correction was applied"))
        return row

    def make_clip(self, row: Row, place: Place, frames: FrameFolder, problems: list[Problem]) -> Clip:
        """Make a clip of a row and its folder."""
        if row.emotion is None:
            remedy = "fill in the cell from the release's own spreadsheet; no study uses a clip without a label"
            problems.append(self.problem(row, f"{row.where} gives no label", "label", remedy))
        times = {name: self._number(row, name, problems) for name in ("onset", "apex", "offset")}
        at = self.frame_indexes(row, frames, times, problems)
        # An apex that was left out has been told of already.
        self._check_order(row, {**times, "apex": None if at["apex"] is None else times["apex"]}, problems)
        return Clip(
            dataset=self.name,
            subject=row.subject,
            name=row.clip,
            frames=frames,
            fps=self.fps,
            emotion=row.emotion,
            action_units=row.action_units,
            onset=at["onset"],
            apex=at["apex"],
            offset=at["offset"],
        )

    def _number(self, row: Row, name: str, problems: list[Problem]) -> int | None:
        text = row.frames.get(name, "")
        try:
            return frame_number(text)
        except ValueError:
            reason = f"{row.where} says {name} {text!r}, which is no frame number; the clip goes without"
            problems.append(self.problem(row, reason, "annotation", "correct the cell, if the release has a number"))
            return None

    def _check_order(self, row: Row, times: dict[str, int | None], problems: list[Problem]) -> None:
        onset, apex, offset = times["onset"], times["apex"], times["offset"]
        if onset is not None and offset is not None and onset > offset:
            reason = f"the onset {onset} comes after the offset {offset} in {row.where}"
        elif apex is not None and ((onset is not None and apex < onset) or (offset is not None and apex > offset)):
            reason = f"the apex {apex} is not between the onset {onset} and the offset {offset} in {row.where}"
        elif apex is not None and apex in (onset, offset):
            reason = f"the apex is the {'onset' if apex == onset else 'offset'}, frame {apex}, in {row.where}"
        else:
            return
        remedy = "compare with the release's own spreadsheet; the clip is used as it is"
        problems.append(self.problem(row, reason, "annotation", remedy))

    def frame_indexes(
        self, row: Row, frames: FrameFolder, times: dict[str, int | None], problems: list[Problem]
    ) -> dict[str, int | None]:
        """Turn numbers in file names into indexes; what is missing on disk is reported and replaced by what is there.

        An onset or offset beyond the frames becomes the first or last frame. An apex beyond them becomes ``None``: a
        frame that does not show the peak is worse than none, since an apex can be spotted.
        """
        first, last = int(frames.numbers[0]), int(frames.numbers[-1])
        there = set(frames.numbers.tolist())
        known = {name: number for name, number in times.items() if number is not None}
        found: dict[str, int | None] = dict.fromkeys(times)
        if len(there) < len(frames):
            reason = f"{len(frames) - len(there)} of its frames share a number with another"
            remedy = "delete the copies, so that each number occurs once"
            problems.append(self.problem(row, reason, "repeated frames", remedy))
        if known and all(not first <= number <= last for number in known.values()) and len(known) > 1:
            values = list(known.values())
            # Frames that lie wholly inside the annotated interval are a truncated copy; others were numbered anew.
            if not (min(values) < first and max(values) > last):
                said = ", ".join(f"{name} {number}" for name, number in known.items())
                reason = (
                    f"its frames are numbered {first} to {last}, the annotation speaks of {said}; it is passed over"
                )
                remedy = "use the frames with the release's own numbers in their names"
                problems.append(self.problem(row, reason, "missing frames", remedy))
                return found
        missing = []
        for name, number in known.items():
            inside = first <= number <= last
            if number in there or inside:
                found[name] = frames.index_of(number)
            elif name != "apex":
                found[name] = 0 if number < first else len(frames) - 1
            if number not in there:
                index = found[name]
                taken = "is left out" if index is None else f"becomes frame {int(frames.numbers[index])}"
                missing.append((name, f"the {name} {number} is not among the frames {first} to {last} and {taken}"))
        gaps = [f"{a}" if a == b else f"{a}-{b}" for a, b in frames.gaps]
        if gaps:
            more = f" and {len(gaps) - 6} more runs" if len(gaps) > 6 else ""
            missing.append(("", f"missing between the first frame and the last: {', '.join(gaps[:6])}{more}"))
        # The apex alone is known to be wrong in places; the rest is one sentence.
        alone = [text for name, text in missing if name == "apex" and found["apex"] is None]
        rest = [text for name, text in missing if text not in alone]
        if alone:
            remedy = "nothing, if your release says so: an apex is spotted instead"
            problems.append(self.problem(row, alone[0], "apex", remedy))
        if rest:
            problems.append(self.problem(row, "; ".join(rest), "missing frames", UNPACK))
        return found

    def known_emotion(self, text: str, row: str, subject: str, clip: str, problems: list[Problem]) -> str | None:
        """Spell a label as the data set does; one that it does not have is a problem, and stays."""
        word = text.strip()
        known = {name.lower().rstrip("s"): name for name in known_counts(self.name)}
        if not word:
            return None
        label = known.get(word.lower().rstrip("s"))
        if label is None:
            reason = f"{row} has the label {word!r}, which the release does not have"
            remedy = f"correct it, if it is a slip; the release has {', '.join(known_counts(self.name))}"
            problems.append(Problem(self.name, subject, clip, reason, False, remedy, "label"))
        return label or word

    def no_annotation(self, name: str) -> Problem:
        """Describe the annotation that is missing."""
        n = len(self.folders())
        reason = f"{n} clip folders are there, but not {name}, which says what they show"
        remedy = f"copy {name} from the release into {self.root}"
        return Problem(self.name, "", "", reason, True, remedy, "no annotation")

    def wrong_folder(self) -> WrongFolderError:
        """Explain what the folder seems to hold instead."""
        looks = [kind for kind in recognise(self.tree) if kind != self.kind]
        entries = [path.name for path in list_folder(self.root, f"the folder of {self.title}")]
        shown = ", ".join(entries[:5]) + (", ..." if len(entries) > 5 else "") if entries else "nothing"
        hints = [f"{kind}:{self.root}" if ":" not in kind else kind.partition(":")[2] for kind in looks]
        hint = f". It looks like {', or '.join(hints)}" if hints else ""
        return WrongFolderError(
            f"{self.root}: no {self.title} here; expected {self.expected} in it or a few levels below, found "
            f"{shown}{hint}",
            [kind for kind in looks if ":" not in kind],
        )
