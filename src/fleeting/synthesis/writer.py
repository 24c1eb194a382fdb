"""Write a synthetic data set to disk: in parallel, resumable, the same bytes for the same parameters."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting._version import __version__
from fleeting.datasets.base import SYNTHETIC
from fleeting.errors import FleetingError, UsageError, unknown_choice
from fleeting.files import write_atomic, write_json
from fleeting.parallel import map_jobs, resolve_jobs
from fleeting.synthesis.clip import MAXIMUM_AMPLITUDE, SyntheticClip, make_clip
from fleeting.synthesis.dealing import deal_counts
from fleeting.synthesis.identities import FRAME_SIZE, Identity, list_identities, load_identity
from fleeting.synthesis.layouts import ClipPlan, ClipRow, Layout, layout_of
from fleeting.synthesis.timing import FALL, RISE

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DatasetSummary", "write_dataset"]

#: Raised whenever the same parameters give other clips than before.
GENERATOR = 2
CLIPS_PER_SUBJECT = 6
DEFAULT_EMOTIONS = ("happiness", "disgust", "surprise")
JPEG_QUALITY = 95
CLIP_SECONDS = (0.32, 0.38)
UNFINISHED = ".unfinished"
MANIFEST = SYNTHETIC
CAUTION = (
    "These clips are synthetic: people who do not exist make expressions that were computed. A score on them tests a "
    "method and its code; it says nothing about real people."
)


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


@dataclass(frozen=True)
class _Job:
    root: str
    layout: str
    plan: ClipPlan
    identity: int
    settings: dict[str, Any]


# The people of the job, set once per process: sending pictures with every clip would cost more than filming it.
_cast: list[Identity] = []


def _set_cast(cast: Sequence[Identity | str]) -> None:
    import cv2

    cv2.setNumThreads(1)
    _cast[:] = [load_identity(c) if isinstance(c, str) else c for c in cast]


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
    if counts is None:
        chosen = _emotions(form, emotions)
        each = CLIPS_PER_SUBJECT if clips_per_subject is None else clips_per_subject
    else:
        if emotions is not None or clips_per_subject is not None:
            raise UsageError("counts say how many clips of which emotion; leave out emotions and clips_per_subject")
        chosen, each = _counted(form, counts), None
    rate = form.fps if fps is None else float(fps)
    suffix = form.suffix if image_format is None else image_format
    _check(subjects, each, seed, amplitude, rate, suffix, first_subject, blinks, size)
    _check_seconds(form, seconds, rate)
    resolve_jobs(jobs)
    cast = _people(form, identities, first_subject, subjects)
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
    _claim(root, parameters)

    shared = ("seed", "amplitude", "fps", "seconds", "size", "pose", "jitter", "flicker", "noise")
    settings = {k: parameters[k] for k in shared} | {"blinks": blinks, "suffix": suffix}
    jobs_, done = [], 0
    for plan in plans:
        if _finished(root, plan):
            done += 1
        else:
            jobs_.append(_Job(str(root), layout, plan, plan.person - first_subject, settings))
    total = len(plans)

    def report(count: int, _: int) -> None:
        if progress is not None:
            progress(done + count, total)

    if progress is not None and done:
        progress(done, total)
    for _ in map_jobs(_write_clip, jobs_, jobs=jobs, progress=report, initializer=_set_cast, initargs=(cast,)):
        pass
    rows = [_read_row(root, plan) for plan in plans]
    form.annotate(root, rows)
    labels = dict(Counter(form.label(p.emotion) for p in plans))
    n_frames = sum(r.n_frames for r in rows)
    shutil.rmtree(root / UNFINISHED, ignore_errors=True)
    _write_manifest(root, parameters, {"n_clips": total, "n_frames": n_frames, "emotions": labels})
    return DatasetSummary(root, layout, total, n_frames, len(jobs_), labels)


def _emotions(form: Layout, emotions: Sequence[str] | str | None) -> tuple[str, ...]:
    every = tuple(e for e in form.vocabulary if e != "neutral")
    if emotions is None:
        return DEFAULT_EMOTIONS
    if isinstance(emotions, str):
        if emotions == "all":
            return every
        emotions = [e.strip() for e in emotions.split(",") if e.strip()]
    for emotion in emotions:
        if emotion not in form.vocabulary:
            raise unknown_choice(f"emotion for the {form.name} layout", emotion, form.vocabulary)
    chosen = tuple(dict.fromkeys(emotions))
    if not chosen:
        raise UsageError(f"no emotions given; choose some of {', '.join(every)}, or 'all'")
    return chosen


def _counted(form: Layout, counts: Mapping[str, int]) -> tuple[str, ...]:
    for emotion, count in counts.items():
        if emotion not in form.vocabulary:
            raise unknown_choice(f"emotion for the {form.name} layout", emotion, form.vocabulary)
        if isinstance(count, bool) or int(count) != count or count < 1:
            raise UsageError(f"counts: {count!r} clips of {emotion}; expected a whole number of at least 1")
    if not counts:
        raise UsageError("counts are empty; expected emotion -> clips, for instance {'happiness': 32, 'disgust': 63}")
    return tuple(counts)


def _check_seconds(form: Layout, seconds: tuple[float, float] | None, fps: float) -> None:
    if seconds is None:
        return
    shortest = 3 if form.trimmed else 1 + max(1, round(RISE[1] * fps)) + max(1, round(FALL[1] * fps))
    if len(seconds) != 2 or not 0 < seconds[0] <= seconds[1] <= 60:
        raise UsageError(f"seconds {tuple(seconds)}: expected the shortest, then the longest clip, at most 60 s")
    if round(seconds[0] * fps) < shortest:
        raise UsageError(
            f"seconds {seconds[0]:g}: {round(seconds[0] * fps)} frames at {fps:g} frames per second do not hold a "
            f"micro-expression; expected at least {shortest / fps:.3f}"
        )


def _check(
    subjects: int,
    clips_per_subject: int | None,
    seed: int,
    amplitude: tuple[float, float],
    fps: float,
    suffix: str,
    first_subject: int,
    blinks: float,
    size: tuple[int, int],
) -> None:
    if subjects < 1 or (clips_per_subject is not None and clips_per_subject < 1) or first_subject < 0 or seed < 0:
        raise UsageError(
            "expected at least one subject and one clip a subject, and first_subject and seed of 0 or more; found "
            f"subjects={subjects}, clips_per_subject={clips_per_subject}, first_subject={first_subject}, seed={seed}"
        )
    if len(amplitude) != 2 or not 0 < amplitude[0] <= amplitude[1] <= MAXIMUM_AMPLITUDE:
        raise UsageError(
            f"amplitude {tuple(amplitude)}: expected the lowest, then the highest, in pixels of a 128-pixel face, "
            f"above 0 and at most {MAXIMUM_AMPLITUDE:g}; for instance 1 3"
        )
    if not 0 < fps <= 10_000:
        raise UsageError(f"fps {fps:g}: expected frames per second, above 0 and at most 10000")
    if suffix not in ("jpg", "png", "bmp"):
        raise unknown_choice("image format", suffix, ("jpg", "png", "bmp"))
    if not 0 <= blinks <= 1:
        raise UsageError(f"blinks {blinks}: expected a share of the clips, 0 to 1")
    if len(size) != 2:
        raise UsageError(f"size {tuple(size)}: expected width and height, for instance 280 340")


def _people(form: Layout, identities: Sequence[Identity | str] | None, first: int, count: int) -> list[Identity | str]:
    if form.subjects and first + count > len(form.subjects):
        raise UsageError(
            f"subjects {first} to {first + count - 1}: the {form.name} layout has {len(form.subjects)} subjects "
            f"(0 to {len(form.subjects) - 1}); ask for fewer, or use the plain layout"
        )
    if identities is None:
        names = list_identities(variants=True)
        everyone: list[Identity | str] = [*names[form.first_identity :], *names[: form.first_identity]]
    else:
        everyone = list(identities)
        for name in everyone:
            if isinstance(name, str):
                load_identity(name)
    if first + count > len(everyone):
        kind = "shipped heads and their variants" if identities is None else "given identities"
        raise UsageError(
            f"subjects {first} to {first + count - 1}: there are {len(everyone)} people ({kind}), 0 to "
            f"{len(everyone) - 1}; ask for fewer subjects, or give more portraits"
        )
    return everyone[first : first + count]


def _claim(root: Path, parameters: dict[str, Any]) -> None:
    """Make the folder ours, or see that it already is."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Hidden files are no content: .DS_Store, or the half-written manifest of another process.
        entries = sorted(p.name for p in root.iterdir() if not p.name.startswith("."))
    except FileExistsError as exc:
        raise UsageError(f"{root} is a file; expected a new or empty folder") from exc
    except OSError as exc:
        raise FleetingError(f"{root}: cannot be written to ({exc.strerror or exc}); choose another folder") from exc
    path = root / MANIFEST
    if path.is_file():
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            before, generator = dict(stored["parameters"]), stored["generator"]
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise UsageError(f"{path} is damaged ({exc}); delete the folder {root} or choose another") from exc
        changed = [k for k in {**before, **parameters} if before.get(k) != parameters.get(k)]
        if generator != GENERATOR:
            changed.append("generator")
        if changed:
            values = {**parameters, "generator": GENERATOR}
            then = {**before, "generator": generator}
            detail = "; ".join(f"{k} was {_short(then.get(k))}, now {_short(values.get(k))}" for k in changed[:4])
            raise UsageError(
                f"{root} holds a synthetic set with other parameters ({detail}); use the same ones to complete "
                "it, choose another folder, or delete this one"
            )
        return
    if entries:
        shown = ", ".join(entries[:3]) + (", ..." if len(entries) > 3 else "")
        raise UsageError(f"{root} is not empty and no synthetic set ({shown}); choose a new or an empty folder")
    _write_manifest(root, parameters, None)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _write_manifest(root: Path, parameters: dict[str, Any], content: dict[str, Any] | None) -> None:
    write_json(
        root / MANIFEST,
        {
            "format": 1,
            "caution": CAUTION,
            "generator": GENERATOR,
            "fleeting": __version__,
            "complete": content is not None,
            "parameters": parameters,
            "content": content,
        },
    )


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


def _truth_path(root: Path, plan: ClipPlan) -> Path:
    return root / "truth" / f"{plan.key}.npz"


def _finished(root: Path, plan: ClipPlan) -> bool:
    """Whether a clip is there: a readable truth and as many frames as it speaks of."""
    try:
        with np.load(_truth_path(root, plan), allow_pickle=False) as z:
            expected = len(z["profile"])
        return sum(1 for entry in os.scandir(root / plan.folder) if entry.is_file()) >= expected
    except Exception:  # whatever is wrong with it, it will be made anew
        return False


def _write_clip(job: _Job) -> None:
    """Film one clip and put it in place: truth first, the folder of frames last."""
    form, plan, s, root = layout_of(job.layout), job.plan, job.settings, Path(job.root)
    if _finished(root, plan):  # another process was faster
        return
    rng = np.random.default_rng(np.random.SeedSequence([s["seed"], form.stream, plan.person, plan.index, 1]))
    amplitude = float(rng.uniform(*s["amplitude"]))
    seconds = rng.uniform(*(s["seconds"] or CLIP_SECONDS))
    blink = bool(rng.random() < s["blinks"])
    timing: tuple[int, int, int] | None = None
    # At low rates rounding can leave a drawn length too short; 0.34 s then gives way to what the expression needs.
    length = max(1, round(seconds * s["fps"])) if s["fps"] >= 100 or s["seconds"] else None
    if s["seconds"] and form.trimmed:
        shown = max(3, round(seconds * s["fps"]))
        apex = 1 + int(np.clip(round((shown - 1) * rng.uniform(0.40, 0.53)), 1, shown - 2))
        timing, length = (1, apex, shown), shown + 2
    clip = make_clip(
        _cast[job.identity],
        plan.emotion,
        amplitude=amplitude,
        fps=s["fps"],
        n_frames=length,
        size=tuple(s["size"]),
        seed=[s["seed"], form.stream, plan.person, plan.index],
        pose=s["pose"],
        jitter=s["jitter"],
        flicker=s["flicker"],
        noise=s["noise"],
        blink=blink,
        timing=timing,
    )
    start, stop = 0, len(clip)
    if form.trimmed and clip.onset is not None and clip.offset is not None:
        start, stop = clip.onset, clip.offset + 1
    folder = root / plan.folder
    draft = root / UNFINISHED / f"{os.getpid()}-{plan.key}"
    try:
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(parents=True)
        for t in range(start, stop):
            data = encode(clip.frames[t], s["suffix"], grey=form.grey)
            (draft / form.frame_name(plan, t - start, s["suffix"])).write_bytes(data)
        _write_truth(_truth_path(root, plan), clip, start, stop)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if _finished(root, plan):  # by another process in the meantime: what is whole is never touched
            shutil.rmtree(draft, ignore_errors=True)
            return
        if folder.exists():
            shutil.rmtree(folder)
        draft.replace(folder)
    except OSError as exc:
        if _finished(root, plan):
            return
        raise FleetingError(
            f"{folder}: cannot be written ({exc.strerror or exc}); free some space or choose another folder, then "
            "run the same command again: finished clips are kept"
        ) from exc


def encode(image: NDArray[np.uint8], suffix: str, *, grey: bool = False) -> bytes:
    """An RGB frame as the bytes of an image file."""
    import cv2

    picture = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY if grey else cv2.COLOR_RGB2BGR)
    options = {"jpg": [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY], "png": [cv2.IMWRITE_PNG_COMPRESSION, 3]}
    ok, data = cv2.imencode(f".{suffix}", picture, options.get(suffix, []))
    if not ok:
        raise FleetingError(f"a frame of shape {image.shape} cannot be encoded as {suffix}")
    return bytes(data.tobytes())


def _write_truth(path: Path, clip: SyntheticClip, start: int, stop: int) -> None:
    """All that is known of a clip, for the frames that are on disk; indexes of -1 mean none."""

    def index(value: int | None) -> np.int64:
        return np.int64(-1 if value is None or not start <= value < stop else value - start)

    values: dict[str, Any] = {
        "landmarks": clip.landmarks[start:stop].astype(np.float32),
        "profile": clip.profile[start:stop],
        "field": clip.field.astype(np.float16),
        "head": clip.head[start:stop],
        "centre": clip.centre,
        "onset": index(clip.onset),
        "apex": index(clip.apex),
        "offset": index(clip.offset),
        "blink": index(clip.blink),
        "fps": np.float64(clip.fps),
        "amplitude": np.float64(clip.amplitude),
        "amplitude_pixels": np.float64(clip.amplitude_pixels),
        "emotion": np.array(clip.emotion),
        "action_units": np.array(clip.action_units),
        "identity": np.array(clip.identity),
    }
    write_atomic(path, lambda file: np.savez_compressed(file, **values))


def _read_row(root: Path, plan: ClipPlan) -> ClipRow:
    path = _truth_path(root, plan)
    try:
        with np.load(path, allow_pickle=False) as z:
            onset, apex, offset = (None if int(z[k]) < 0 else int(z[k]) for k in ("onset", "apex", "offset"))
            return ClipRow(
                plan,
                onset,
                apex,
                offset,
                str(z["action_units"]),
                float(z["fps"]),
                float(z["amplitude"]),
                len(z["profile"]),
            )
    except Exception as exc:  # numpy and zipfile raise many kinds for a damaged file
        raise FleetingError(
            f"{path}: cannot be read ({exc}); delete it and run the same command again to make the clip anew"
        ) from exc
