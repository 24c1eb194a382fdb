"""What the loaders of the released data sets share: looking for their parts on disk, and frame numbers to indexes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fleeting.clips import IMAGE_SUFFIXES, Clip, FrameFolder
from fleeting.datasets.base import Dataset, Problem, WrongFolderError
from fleeting.datasets.facts import errata, known_counts, known_remarks
from fleeting.datasets.sheets import frame_number, is_table
from fleeting.errors import ClipReadError, UsageError

__all__ = ["Place", "ReleasedDataset", "Row", "Tree", "explore"]

DEPTH = 8
MOST_FOLDERS = 30_000
MOST_TABLES = 20
PARENTS = 3
_PASSED_OVER = ("__MACOSX", "$RECYCLE.BIN", "System Volume Information")

UNPACK = "unpack the clip again from the release; if the release lacks the frames too, there is nothing to do"


@dataclass(frozen=True)
class Place:
    """A folder that was seen.

    Attributes
    ----------
    path : pathlib.Path
        The folder.
    above : tuple of str
        Names of the folders above it, nearest first, up to a few levels above the root that was given.
    n_images : int
        Images directly in it.
    cropped : bool
        Whether their names begin with ``reg_``, as those of the cropped releases do.
    """

    path: Path
    above: tuple[str, ...]
    n_images: int
    cropped: bool

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name


@dataclass(frozen=True)
class Tree:
    """Folders and spreadsheets below a root, and the spreadsheets in the folders just above it."""

    root: Path
    places: tuple[Place, ...]
    tables: tuple[Path, ...]
    tables_above: tuple[Path, ...] = ()
    unreadable: tuple[str, ...] = ()
    cut: bool = False


def explore(root: Path) -> Tree:
    """Look through a folder, eight levels deep; hidden folders and what archivers leave behind are passed over.

    Raises
    ------
    UsageError
        If there is no such folder.
    """
    if not root.is_dir():
        found = "is a file" if root.exists() else "no such folder"
        raise UsageError(f"{root}: {found}; expected the folder that the data set was unpacked to")
    start = Path(os.path.abspath(root))  # noqa: PTH100 - a link keeps the name that the user knows
    outer: tuple[str, ...] = tuple(parent.name for parent in start.parents[:PARENTS] if parent.name)
    places: list[Place] = []
    tables: list[Path] = []
    unreadable: list[str] = []
    seen: set[tuple[int, int]] = set()
    waiting = [(start, outer, 0)]
    while waiting and len(places) < MOST_FOLDERS:
        path, names_above, depth = waiting.pop()
        try:
            status = path.stat()
            # A link that leads back up must not be followed for ever.
            if (status.st_dev, status.st_ino) in seen and status.st_ino:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                names = sorted((entry.name, entry.is_dir()) for entry in entries)
        except OSError as exc:
            unreadable.append(f"{path}: {exc.strerror or exc}")
            continue
        images = [n for n, folder in names if not folder and n.lower().endswith(IMAGE_SUFFIXES) and n[0] != "."]
        places.append(Place(path, names_above, len(images), bool(images) and images[0].lower().startswith("reg_")))
        tables += [path / n for n, folder in names if not folder and is_table(n)]
        if depth < DEPTH:
            inner = [n for n, folder in names if folder and n[0] != "." and n not in _PASSED_OVER]
            waiting += [(path / n, (path.name, *names_above), depth + 1) for n in reversed(inner)]
    above: list[Path] = []
    for parent in start.parents[:PARENTS]:
        try:
            above += sorted(p for p in parent.iterdir() if is_table(p.name) and p.is_file())
        except OSError:
            continue
    return Tree(root, tuple(places), tuple(tables), tuple(above), tuple(unreadable), bool(waiting))


@dataclass(frozen=True)
class Row:
    """What the annotation says of a clip; numbers are those in the frames' names, all fields as text until used.

    Attributes
    ----------
    where : str
        For messages, as in ``row 17 of CASME2-coding-20140508.xlsx``.
    subject, clip, emotion, action_units : str and str or None
        As the data set's loader writes them.
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

    A subclass finds the folders (``_find``) and reads the rows (``_rows``); this class brings the two together.

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
    _places: dict[str, dict[str, Place]]

    def __init__(self, root: str | Path, *, variant: str | None = None) -> None:
        super().__init__(root)
        self.tree = explore(self.root)
        self._repeated: list[Place] = []
        self._places = {}
        self._subjects: dict[Path, str] = {}
        for place in self.tree.places:
            found = self._find(place)
            if found is not None:
                name, key, self._subjects[place.path] = found
                if key in self._places.setdefault(name, {}):
                    self._repeated.append(place)
                else:
                    self._places[name][key] = place
        self.tables = [path for path in self.tree.tables if self._is_annotation(path)]
        if not self._places and not self.tables:
            raise self._wrong_folder()
        # Whoever names the folder of the frames has the spreadsheet beside or above it.
        self.tables = self.tables or [path for path in self.tree.tables_above if self._is_annotation(path)]
        #: whether the spreadsheets were taken for want of one with a fitting name; then unfit ones are no problem
        self._guessing = not self.tables
        self.tables = self.tables or list(self.tree.tables[:MOST_TABLES])
        if variant is not None and variant not in self._places:
            there = ", ".join(n for n in self.variants if n in self._places) or "none"
            raise UsageError(
                f"{self.root}: no frames of the variant {variant!r} of {self.title}; found {there}. "
                f"The variants are {', '.join(self.variants)}"
            )
        self.variant = variant or next((n for n in self.variants if n in self._places), None)

    # What a subclass says.

    def _find(self, place: Place) -> tuple[str, str, str] | None:
        """Variant, key and subject of a clip's folder; ``None`` for others. The key is as :meth:`_key` makes it."""
        raise NotImplementedError

    def _is_annotation(self, path: Path) -> bool:
        """Whether a spreadsheet is of this data set, by its name."""
        raise NotImplementedError

    def _key(self, row: Row) -> str:
        """What a row and its folder have in common."""
        raise NotImplementedError

    def _rows(self, problems: list[Problem]) -> list[Row] | None:
        """The annotated clips, or ``None`` where the annotation is missing; adds what is wrong to ``problems``."""
        raise NotImplementedError

    # What they share.

    def layout(self) -> dict[str, str]:
        """Where the frames and the annotation were found."""
        folders = sorted({str(place.path.parent.parent) for place in self._folders().values()})
        shown = folders[0] if len(folders) == 1 else os.path.commonpath(folders) if folders else "none found"
        others = [name for name in self._places if name != self.variant]
        also = f" (also there: {', '.join(others)})" if others else ""
        found = {"root": str(self.root), "frames": f"{shown} [{self.variant or 'none'}]{also}"}
        if (self.root / "synthetic.json").is_file():
            found["note"] = f"synthetic clips in the layout of {self.title}, not the data set itself"
        return found

    def _folders(self) -> dict[str, Place]:
        return self._places.get(self.variant or "", {})

    def _problem(self, row: Row | Clip | None, reason: str, kind: str, remedy: str, skipped: bool = False) -> Problem:
        subject = row.subject if row is not None else ""
        clip = row.name if isinstance(row, Clip) else row.clip if row is not None else ""
        remark = known_remarks(self.name).get((subject, clip, kind))
        if remark is not None:
            reason, remedy = f"{reason} ({remark})", "nothing: this is known of the release"
        return Problem(self.name, subject, clip, reason, skipped, remedy, kind)

    def _read(self) -> tuple[list[Clip], list[Problem]]:
        problems: list[Problem] = []
        rows = self._rows(problems)
        folders = self._folders()
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
            key = self._key(row)
            if key in seen:
                reason = f"{row.where} repeats the clip of {seen[key].where}"
                remedy = "delete one of the two rows, or use the spreadsheet of the release"
                problems.append(self._problem(row, reason, "repeated row", remedy, skipped=True))
                continue
            seen[key] = row
            place = folders.get(key)
            if place is None:
                other = next((name for name, there in self._places.items() if key in there), None)
                hint = f", or use variant={other!r}, which has it" if other else ""
                reason = f"{row.where} lists it, but its folder is missing"
                remedy = f"unpack the missing clips again from the release{hint}"
                problems.append(self._problem(row, reason, "missing clip", remedy, skipped=True))
                continue
            try:
                frames = FrameFolder(place.path, fps=self.fps)
                clip = self._clip(self._corrected(row, frames, problems), place, frames, problems)
            except ClipReadError:
                reason = f"its folder {place.path} holds no images"
                problems.append(self._problem(row, reason, "missing clip", UNPACK, skipped=True))
                continue
            clips.append(clip)
        problems += self._strangers(folders, seen)
        return clips, problems

    def _strangers(self, folders: dict[str, Place], listed: Iterable[str]) -> list[Problem]:
        found = []
        for key in folders.keys() - set(listed):
            place = folders[key]
            subject = self._subjects[place.path]
            reason = f"the annotation does not list this folder of {place.n_images} images ({place.path})"
            remedy = "nothing, if it is not of the release; otherwise use the release's own spreadsheet"
            found.append(Problem(self.name, subject, place.name, reason, True, remedy, "unknown folder"))
        for place in self._repeated:
            reason = f"the clip is on disk more than once; {place.path} is passed over"
            remedy = "delete the copy that is not wanted"
            found.append(
                Problem(self.name, self._subjects[place.path], place.name, reason, False, remedy, "repeated folder")
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
            problems.append(self._problem(row, reason, "erratum", "nothing: the correction was applied"))
        return row

    def _clip(self, row: Row, place: Place, frames: FrameFolder, problems: list[Problem]) -> Clip:
        if row.emotion is None:
            remedy = "fill in the cell from the release's own spreadsheet; no study uses a clip without a label"
            problems.append(self._problem(row, f"{row.where} gives no label", "label", remedy))
        times = {name: self._number(row, name, problems) for name in ("onset", "apex", "offset")}
        at = self._indexes(row, frames, times, problems)
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
            problems.append(self._problem(row, reason, "annotation", "correct the cell, if the release has a number"))
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
        problems.append(self._problem(row, reason, "annotation", remedy))

    def _indexes(
        self, row: Row, frames: FrameFolder, times: dict[str, int | None], problems: list[Problem]
    ) -> dict[str, int | None]:
        """Numbers in file names to indexes; what is missing on disk is reported and replaced by what is there.

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
            problems.append(self._problem(row, reason, "repeated frames", remedy))
        if known and all(not first <= number <= last for number in known.values()) and len(known) > 1:
            values = list(known.values())
            # Frames that lie wholly inside the annotated interval are a truncated copy; others were numbered anew.
            if not (min(values) < first and max(values) > last):
                said = ", ".join(f"{name} {number}" for name, number in known.items())
                reason = (
                    f"its frames are numbered {first} to {last}, the annotation speaks of {said}; it is passed over"
                )
                remedy = "use the frames with the release's own numbers in their names"
                problems.append(self._problem(row, reason, "missing frames", remedy))
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
            problems.append(self._problem(row, alone[0], "apex", remedy))
        if rest:
            problems.append(self._problem(row, "; ".join(rest), "missing frames", UNPACK))
        return found

    def _emotion(self, text: str, row: str, subject: str, clip: str, problems: list[Problem]) -> str | None:
        """A label in the data set's own spelling."""
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

    def _no_annotation(self, name: str) -> Problem:
        n = len(self._folders())
        reason = f"{n} clip folders are there, but not {name}, which says what they show"
        remedy = f"copy {name} from the release into {self.root}"
        return Problem(self.name, "", "", reason, True, remedy, "no annotation")

    def _wrong_folder(self) -> WrongFolderError:
        looks = [kind for kind in recognise(self.tree) if kind != self.kind]
        entries = sorted(p.name for p in self.root.iterdir())
        shown = ", ".join(entries[:5]) + (", ..." if len(entries) > 5 else "") if entries else "nothing"
        hints = [f"{kind}:{self.root}" if ":" not in kind else kind.partition(":")[2] for kind in looks]
        hint = f". It looks like {', or '.join(hints)}" if hints else ""
        return WrongFolderError(
            f"{self.root}: no {self.title} here; expected {self.expected} in it or a few levels below, found "
            f"{shown}{hint}",
            [kind for kind in looks if ":" not in kind],
        )


def recognise(tree: Tree) -> list[str]:
    """Kinds of data sets that a folder seems to hold; ``:TEXT`` for one that no loader reads."""
    found: list[str] = []
    try:
        made = json.loads((tree.root / "synthetic.json").read_text(encoding="utf-8"))
        layout = str(made["parameters"]["layout"])
        found.append("synthetic" if layout == "plain" else layout)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    signs: list[tuple[str, Callable[[Place], bool]]] = [
        ("casme2", lambda p: bool(p.above) and re.fullmatch(r"sub ?\d{1,2}", p.above[0], re.I) is not None),
        ("smic", lambda p: re.fullmatch(r"s\d{1,2}_(ne|po|su|sur)_\d+", p.name, re.I) is not None),
        ("samm", lambda p: re.fullmatch(r"\d{3}_\d+_\d+", p.name) is not None),
        ("samm-long", lambda p: re.fullmatch(r"\d{3}_\d+", p.name) is not None),
        ("casme-squared", lambda p: re.fullmatch(r"\d{1,2}_\d{4}\D.*", p.name) is not None),
    ]
    found += [kind for kind, sign in signs if any(p.n_images and sign(p) for p in tree.places)]
    if (tree.root / "clips.csv").is_file():
        found.append("folder")
    return list(dict.fromkeys(found))
