"""Write a synthetic data set to disk: in parallel, resumable, the same bytes for the same parameters."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fleeting._version import __version__
from fleeting.datasets.base import SYNTHETIC
from fleeting.errors import UsageError
from fleeting.parallel import map_jobs, resolve_jobs
from fleeting.records import SyntheticHead, claim_folder, make_folder, work_alone
from fleeting.synthesis.choices import check_numbers, check_seconds, choose_people, wanted_emotions
from fleeting.synthesis.clip import make_clip
from fleeting.synthesis.clip_files import UNFINISHED, ClipJob, is_finished, read_row, set_cast, write_clip
from fleeting.synthesis.dealing import deal_counts
from fleeting.synthesis.identities import FRAME_SIZE, Identity
from fleeting.synthesis.layouts import ClipPlan, Layout, layout_of

__all__ = ["CAUTION", "REMEDY", "DatasetSummary", "write_dataset"]

#: Raised whenever the same parameters give other clips than before.
GENERATOR = 2
CAUTION = (
    "These clips are synthetic: people who do not exist make expressions that were computed. A score on them tests a "
    "method and its code; it says nothing about real people."
)
REMEDY = "choose another folder"
# Arguments that all clips share.
_SHARED = ("seed", "amplitude", "fps", "seconds", "size", "pose", "jitter", "flicker", "noise", "blinks")


@dataclass(frozen=True)
class DatasetSummary:
    """The data set that :func:`write_dataset` left on disk.

    Attributes
    ----------
    path : pathlib.Path
        The root folder.
    layout : str
        Its layout.
    n_clips, n_frames : int
        All clips and frames, those of an earlier, interrupted call included.
    n_written : int
        Clips written by this call.
    emotions : dict of str to int
        Number of clips of each label, in the layout's own words.
    """

    path: Path
    layout: str
    n_clips: int
    n_frames: int
    n_written: int
    emotions: dict[str, int] = field(default_factory=dict)


def write_dataset(
    out: str | os.PathLike[str],
    *,
    layout: str = "plain",
    subjects: int = 12,
    clips_per_subject: int | None = None,
    counts: Mapping[str, int] | None = None,
    seed: int = 0,
    amplitude: tuple[float, float] = (1.0, 3.0),
    fps: float | None = None,
    seconds: tuple[float, float] | None = None,
    emotions: Sequence[str] | str | None = None,
    identities: Sequence[Identity | str] | None = None,
    size: tuple[int, int] = FRAME_SIZE,
    image_format: str | None = None,
    jobs: int | None = 1,
    first_subject: int = 0,
    pose: float = 1.0,
    jitter: float = 0.5,
    flicker: float = 0.006,
    noise: float = 1.5,
    blinks: float = 0.1,
    progress: Callable[[int, int], None] | None = None,
) -> DatasetSummary:
    """Write a synthetic data set in a plain folder or in the layout of a real one.

    ``plain`` writes ``OUT/<subject>/<clip>/img_00001.jpg`` and ``OUT/clips.csv``; ``casme2``, ``smic`` and ``samm``
    write frames and annotations with the real names, numbers and spreadsheets. Every layout also gets
    ``OUT/truth/*.npz`` (exact onset, apex, offset, profile, landmark track and displacement field of each clip) and
    ``OUT/synthetic.json`` (all parameters). Clips appear whole or not at all: after a kill, the same call goes on where
    it stopped.

    A subject is one identity. Subjects beyond the shipped heads are variants of them (mirrored, of another width, tone
    and light). The layouts begin at different heads, so that a composite of them shows few faces twice.

    Parameters
    ----------
    out : str or os.PathLike
        Folder; made if missing. A folder with other content is refused.
    layout : str, optional
        ``plain``, ``casme2``, ``smic`` or ``samm``.
    subjects, clips_per_subject : int and int or None, optional
        Number of subjects, and of clips of each; 6 clips each by default, and the real layouts have 26, 16 and 29
        subjects at most.
    counts : mapping or None, optional
        Emotion -> clips in the whole set, in place of ``clips_per_subject`` and ``emotions``: they fall to the subjects
        unevenly, as in real sets, at least one to each.
    seed : int, optional
        Clip ``k`` of subject ``i`` depends on ``(seed, layout, i, k)`` alone.
    amplitude : tuple of (float, float), optional
        Lowest and highest amplitude in pixels of a 128-pixel face; each clip draws one evenly.
    fps : float or None, optional
        Frames per second; by default the real set's (200, 100 or 200), and 200 for ``plain``.
    seconds : tuple of (float, float) or None, optional
        Shortest and longest clip, drawn evenly; by default 0.32 to 0.38. In the layout of SMIC, which holds frames from
        onset to offset alone, the length of the expression; by default as in the other layouts.
    emotions : sequence or str or None, optional
        Names of :data:`EMOTIONS`, or ``"all"``; by default happiness, disgust and surprise. They are balanced within
        each subject.
    identities : sequence or None, optional
        People of your own, for instance :func:`portraits` of a folder, or names of shipped heads.
    size : tuple of (int, int), optional
        Width and height of the frames.
    image_format : str or None, optional
        ``jpg``, ``png`` or ``bmp``; by default the real set's.
    jobs : int or None, optional
        Processes; 0 or None for one per core.
    first_subject : int, optional
        Index of the first subject: two calls with disjoint ranges share nobody.
    pose, jitter, flicker, noise : float, optional
        See :func:`make_clip`.
    blinks : float, optional
        Share of clips with a blink at a random time, a distractor.
    progress : callable or None, optional
        Called with the number of clips done and of all.

    Raises
    ------
    UsageError
        If an argument cannot be right, or ``out`` holds something else than this data set.
    FleetingError
        If the folder cannot be written to.
    """
    form = layout_of(layout)
    chosen, each = wanted_emotions(form, emotions, clips_per_subject, counts)
    rate = form.fps if fps is None else float(fps)
    suffix = form.suffix if image_format is None else image_format
    check_numbers(subjects, each, seed, amplitude, rate, suffix, first_subject, blinks, size)
    check_seconds(form, seconds, rate)
    resolve_jobs(jobs)
    cast = choose_people(form, identities, first_subject, subjects)
    parameters: dict[str, Any] = {
        "layout": layout,
        "subjects": subjects,
        "clips_per_subject": each,
        "counts": None if counts is None else {e: int(counts[e]) for e in chosen},
        "seed": seed,
        "amplitude": [float(a) for a in amplitude],
        "fps": rate,
        "seconds": None if seconds is None else [float(s) for s in seconds],
        "emotions": list(chosen),
        "identities": [c if isinstance(c, str) else f"{c.name}:{c.digest()}" for c in cast],
        "size": [int(n) for n in size],
        "image_format": suffix,
        "first_subject": first_subject,
        "pose": pose,
        "jitter": jitter,
        "flicker": flicker,
        "noise": noise,
        "blinks": blinks,
    }
    # Wrong strengths should fail before the first file, not in a worker.
    make_clip("01", None, fps=rate, n_frames=1, size=size, pose=pose, jitter=jitter, flicker=flicker, noise=noise)
    plans = _plans(form, chosen, seed, first_subject, subjects, each, parameters["counts"])
    root = Path(out)
    make_folder(root, remedy=REMEDY)
    with work_alone(root):
        _claim(root, parameters)
        return _write(root, plans, cast, parameters, jobs, progress)


def _write(
    root: Path,
    plans: Sequence[ClipPlan],
    cast: Sequence[Identity | str],
    parameters: dict[str, Any],
    jobs: int | None,
    progress: Callable[[int, int], None] | None,
) -> DatasetSummary:
    """Write what is missing in a folder that is ours."""
    form = layout_of(parameters["layout"])
    settings = {name: parameters[name] for name in _SHARED} | {"suffix": parameters["image_format"]}
    todo = [
        ClipJob(str(root), form.name, plan, plan.person - parameters["first_subject"], settings)
        for plan in plans
        if not is_finished(root, plan)
    ]
    total, done = len(plans), len(plans) - len(todo)

    def report(count: int, _: int) -> None:
        if progress is not None:
            progress(done + count, total)

    if done:
        report(0, total)
    for _ in map_jobs(write_clip, todo, jobs=jobs, progress=report, initializer=set_cast, initargs=(cast,)):
        pass
    rows = [read_row(root, plan) for plan in plans]
    form.annotate(root, rows)
    labels = dict(Counter(form.label(p.emotion) for p in plans))
    n_frames = sum(r.n_frames for r in rows)
    shutil.rmtree(root / UNFINISHED, ignore_errors=True)
    _write_head(root, parameters, {"n_clips": total, "n_frames": n_frames, "emotions": labels})
    return DatasetSummary(root, form.name, total, n_frames, len(todo), labels)


def _claim(root: Path, parameters: dict[str, Any]) -> None:
    """Make the folder ours, or see that it already is."""
    if not claim_folder(root, SYNTHETIC, remedy=REMEDY):
        _write_head(root, parameters, None)
        return
    changes = SyntheticHead.read(root / SYNTHETIC).changes(parameters, GENERATOR)
    if changes:
        detail = "; ".join(
            f"{name} was {_short(then)}, now {_short(now)}" for name, (then, now) in list(changes.items())[:4]
        )
        raise UsageError(
            f"{root} holds a synthetic set with other parameters ({detail}); use the same ones to complete "
            "it, choose another folder, or delete this one"
        )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _write_head(root: Path, parameters: dict[str, Any], content: dict[str, Any] | None) -> None:
    path = root / SYNTHETIC
    SyntheticHead.parse(
        {
            "format": 1,
            "caution": CAUTION,
            "generator": GENERATOR,
            "fleeting": __version__,
            "complete": content is not None,
            "parameters": parameters,
            "content": content,
        },
        path,
    ).write(path)


def _plans(
    form: Layout,
    emotions: Sequence[str],
    seed: int,
    first: int,
    subjects: int,
    clips: int | None,
    counts: Mapping[str, int] | None,
) -> list[ClipPlan]:
    dealt = None
    if counts is not None:
        # Six numbers, so that no clip and no subject shares the stream.
        dealt = deal_counts(
            counts, subjects, np.random.default_rng(np.random.SeedSequence([seed, form.stream, first, subjects, 0, 2]))
        )
    plans = []
    for person in range(first, first + subjects):
        # Shuffled within the subject; where the classes do not divide the clips, the odd ones go round from
        # subject to subject.
        rng = np.random.default_rng(np.random.SeedSequence([seed, form.stream, person]))
        labels = (
            dealt[person - first]
            if dealt is not None
            else [emotions[(person + k) % len(emotions)] for k in range(clips or 0)]
        )
        order = rng.permutation(len(labels))
        plans += form.plan(person, [labels[i] for i in order], rng)
    return plans
