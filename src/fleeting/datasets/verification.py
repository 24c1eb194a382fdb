"""A data set on disk, compared with what is known of the complete one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fleeting.clips import Clip, FrameFolder
from fleeting.datasets.facts import known_counts
from fleeting.datasets.problems import Problem

if TYPE_CHECKING:
    from fleeting.datasets.base import Dataset

__all__ = ["Count", "Verification", "verify"]


INCOMPLETE = (
    "unpack the rest of the release; if your release itself differs, nothing: studies use and report what is here"
)


@dataclass(frozen=True)
class Count:
    """Clips of one class, or of one subject.

    Attributes
    ----------
    name : str
        Name of the class or the subject.
    found : int
        Clips that can be used.
    known : int or None
        Clips in the complete set; ``None`` where nobody has published it.
    """

    name: str
    found: int
    known: int | None = None


@dataclass(frozen=True)
class Verification:
    """A data set's folder, compared with what is known of the complete set.

    Attributes
    ----------
    dataset, title : str
        The data set.
    layout : dict of str to str
        Places in which its parts were found.
    n_clips, n_known : int and int or None
        Usable clips; clips of the complete set, or ``None``.
    emotions : tuple of Count
        Clips by class, the known classes first.
    subjects : tuple of Count
        Clips by subject.
    absent_subjects : tuple of str
        Known subjects without a usable clip.
    missing_clips, missing_frames, unknown_folders : tuple of str
        Names of the clips and folders; the problems say more.
    discrepancies : tuple of str
        Sentences on what differs from the known counts.
    problems : tuple of Problem
        Everything that was noticed, each with its remedy.
    """

    dataset: str
    title: str
    layout: dict[str, str]
    n_clips: int
    n_known: int | None
    emotions: tuple[Count, ...]
    subjects: tuple[Count, ...]
    absent_subjects: tuple[str, ...]
    missing_clips: tuple[str, ...]
    missing_frames: tuple[str, ...]
    unknown_folders: tuple[str, ...]
    discrepancies: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def usable(self) -> bool:
        """True if there is at least one clip to work with."""
        return self.n_clips > 0

    @property
    def complete(self) -> bool:
        """True if every known clip is there; for a set without published counts, if nothing was left out."""
        if self.n_known is None:
            return self.usable and not any(problem.skipped for problem in self.problems)
        return self.usable and not self.discrepancies and not self.missing_clips

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain values, for JSON."""
        return {"usable": self.usable, "complete": self.complete, **asdict(self)}

    def lines(self) -> Iterator[str]:
        """Give the report as text, line by line."""
        state = "complete" if self.complete else "usable, with the problems below" if self.usable else "not usable"
        of = "" if self.n_known is None else f" of {self.n_known}"
        yield f"{self.title}: {self.n_clips}{of} clips, {len(self.subjects)} subjects: {state}"
        for name, value in self.layout.items():
            yield f"  {name:<9} {value}"
        yield ""
        yield f"{'class':<14}{'found':>6}{'known':>7}"
        for count in self.emotions:
            yield f"{count.name:<14}{count.found:>6}{'-' if count.known is None else count.known:>7}"
        yield ""
        yield "clips by subject"
        cells = [f"{count.name} {count.found}" for count in self.subjects]
        for start in range(0, len(cells), 10):
            yield "  " + "   ".join(cells[start : start + 10])
        if self.discrepancies:
            yield ""
            yield f"- differs from what is known: {'; '.join(self.discrepancies)}"
            yield f"  To do: {INCOMPLETE}"
        for remedy, group in self._by_remedy().items():
            yield ""
            yield from (f"- {problem}" for problem in group)
            if remedy:
                yield f"  To do: {remedy}"

    def _by_remedy(self) -> dict[str, list[Problem]]:
        groups: dict[str, list[Problem]] = {}
        for problem in self.problems:
            groups.setdefault(problem.remedy, []).append(problem)
        return groups

    def __str__(self) -> str:
        return "\n".join(self.lines())


def _empty_frames(clips: Iterable[Clip]) -> list[Problem]:
    """Files of no bytes, which a full disk or a broken download leaves behind."""
    found = []
    for clip in clips:
        if not isinstance(clip.frames, FrameFolder):
            continue
        empty, gone = [], []
        for name in clip.frames.names:
            try:
                if (clip.frames.path / name).stat().st_size == 0:
                    empty.append(name)
            except OSError as exc:
                gone.append(f"{name} ({exc.strerror or exc})")
        if gone:
            reason = (
                f"{len(gone)} of its files cannot be looked at: {', '.join(gone[:3])}{', ...' if len(gone) > 3 else ''}"
            )
            remedy = "see that the folder may be read, or unpack the clip again"
            found.append(Problem(clip.dataset, clip.subject, clip.name, reason, False, remedy, "unreadable frames"))
        if empty:
            more = ", ..." if len(empty) > 3 else ""
            verb = "is" if len(empty) == 1 else "are"
            reason = f"{len(empty)} of its files {verb} empty: {', '.join(empty[:3])}{more}"
            remedy = "unpack the clip again; see that the disk is not full"
            found.append(Problem(clip.dataset, clip.subject, clip.name, reason, False, remedy, "empty frames"))
    return found


def verify(dataset: Dataset) -> Verification:
    """Count what a data set holds and compare it with ``counts.csv``."""
    clips = dataset.clips()
    problems = dataset.problems + _empty_frames(clips)
    known = known_counts(dataset.name)
    by_emotion = Counter(clip.emotion or "(no label)" for clip in clips)
    by_subject = Counter(clip.subject for clip in clips)
    emotions = [Count(name, by_emotion.get(name, 0), number) for name, number in known.items()]
    emotions += [Count(n, c, 0 if known else None) for n, c in sorted(by_emotion.items()) if n not in known]
    absent = tuple(s for s in dataset.known_subjects if s not in by_subject)
    differs = [
        f"{c.found} {c.name}, known are {c.known}" for c in emotions if c.known is not None and c.found != c.known
    ]
    if absent and by_subject:
        differs.append(f"no clip of subject{'s' * (len(absent) > 1)} {', '.join(absent)}")
    strangers = sorted(s for s in by_subject if s not in dataset.known_subjects) if dataset.known_subjects else []
    if strangers:
        differs.append(f"subjects that the release does not have: {', '.join(strangers)}")

    def named(kind: str) -> tuple[str, ...]:
        found = ("/".join(part for part in (p.subject, p.clip) if part) for p in problems if p.kind == kind)
        return tuple(dict.fromkeys(found))

    return Verification(
        dataset=dataset.name,
        title=dataset.title or dataset.name,
        layout=dataset.layout(),
        n_clips=len(clips),
        n_known=sum(known.values()) if known else None,
        emotions=tuple(emotions),
        subjects=tuple(Count(name, number) for name, number in sorted(by_subject.items())),
        absent_subjects=absent,
        missing_clips=named("missing clip"),
        missing_frames=named("missing frames"),
        unknown_folders=named("unknown folder"),
        discrepancies=tuple(differs),
        problems=tuple(problems),
    )
