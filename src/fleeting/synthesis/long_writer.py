"""Write long synthetic recordings to disk, each as a video or a folder of frames, with everything that is true of them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fleeting._version import __version__
from fleeting.clips import events_table
from fleeting.errors import FleetingError, UsageError, unknown_choice
from fleeting.files import write_csv, write_json
from fleeting.parallel import map_jobs
from fleeting.synthesis.identities import list_identities
from fleeting.synthesis.long import LongRecording, make_recording
from fleeting.synthesis.long_plan import LongSettings
from fleeting.synthesis.writer import CAUTION, JPEG_QUALITY

__all__ = ["RECORDING_FORMATS", "RecordingsSummary", "write_recordings"]

#: Raised whenever the same parameters give other recordings than before.
GENERATOR = 1
MANIFEST = "recordings.json"
#: ``mp4`` is MPEG-4 (small, lossy), ``avi`` Motion JPEG; the others are folders of frames.
RECORDING_FORMATS = ("mp4", "avi", "jpg", "png")
_CODEC = {"mp4": "mp4v", "avi": "MJPG"}


@dataclass(frozen=True)
class RecordingsSummary:
    """The recordings that :func:`write_recordings` left on disk.

    Attributes
    ----------
    path : pathlib.Path
        The root folder.
    n_recordings, n_frames : int
        All of them, those of an earlier, interrupted call included.
    n_written : int
        Recordings written by this call.
    events : dict of str to int
        Number of expressions of each kind.
    """

    path: Path
    n_recordings: int
    n_frames: int
    n_written: int
    events: dict[str, int]


@dataclass(frozen=True)
class _Job:
    root: str
    person: int
    take: int
    seed: int
    settings: LongSettings
    form: str


def write_recordings(
    out: str | os.PathLike[str],
    settings: LongSettings | None = None,
    *,
    subjects: int = 4,
    recordings_per_subject: int = 1,
    seed: int = 0,
    form: str = "mp4",
    first_subject: int = 0,
    jobs: int | None = 1,
    progress: Callable[[int, int], None] | None = None,
    **changes: Any,
) -> RecordingsSummary:
    """Write long recordings with exact truth.

    Writes ``OUT/<subject>/<recording>.mp4`` (or a folder of frames), and for all of them ``recordings.csv``,
    ``events.csv`` (onset, apex and offset of each expression, as 0-based frames), ``distractors.csv`` (blinks, speech,
    turns of the head, absences, cuts) and ``recordings.json`` (all parameters). A recording appears whole or not at
    all: after a kill, the same call goes on where it stopped.

    Parameters
    ----------
    out : str or os.PathLike
        Folder; made if missing. A folder with other content is refused.
    settings : LongSettings or None, optional
        Settings of the recordings; see :class:`LongSettings`.
    subjects, recordings_per_subject : int, optional
        Number of subjects, and of recordings of each.
    seed : int, optional
        Recording ``k`` of subject ``i`` depends on ``(seed, i, k)`` alone.
    form : str, optional
        ``mp4``, ``avi``, ``jpg`` or ``png``.
    first_subject : int, optional
        Leave out this many identities, for a set of other people.
    jobs : int or None, optional
        Processes; 0 or None for one per core.
    progress : callable or None, optional
        Called with the number of recordings done and of all.
    changes : object
        Fields of ``settings`` with other values.

    Raises
    ------
    UsageError
        If an argument cannot be right, or ``out`` holds something else.
    FleetingError
        If the folder cannot be written to.
    """
    settings = replace(settings or LongSettings(), **changes)
    if form not in RECORDING_FORMATS:
        raise unknown_choice("format of recordings", form, RECORDING_FORMATS)
    everyone = list_identities(variants=True)
    if subjects < 1 or recordings_per_subject < 1 or first_subject < 0 or seed < 0:
        raise UsageError(
            "expected at least one subject and one recording each, and first_subject and seed of 0 or more; found "
            f"subjects={subjects}, recordings_per_subject={recordings_per_subject}, first_subject={first_subject}, "
            f"seed={seed}"
        )
    if first_subject + subjects > len(everyone):
        raise UsageError(
            f"subjects {first_subject} to {first_subject + subjects - 1}: there are {len(everyone)} people (shipped heads "
            "and their variants); ask for fewer"
        )
    root = Path(out)
    parameters = {
        "settings": json.loads(json.dumps(asdict(settings))),
        "subjects": subjects,
        "recordings_per_subject": recordings_per_subject,
        "seed": seed,
        "form": form,
        "first_subject": first_subject,
    }
    todo = [
        _Job(str(root), person, take, seed, settings, form)
        for person in range(first_subject, first_subject + subjects)
        for take in range(recordings_per_subject)
    ]
    # What does not fit into a recording should fail before the first file.
    made = [_scripted(job) for job in todo]
    _claim(root, parameters)
    left = [job for job in todo if not _finished(job)]
    done = len(todo) - len(left)

    def report(count: int, _: int) -> None:
        if progress is not None:
            progress(done + count, len(todo))

    for _ in map_jobs(_write_recording, left, jobs=jobs, progress=report, initializer=_one_thread):
        pass
    _write_tables(root, todo, made)
    shutil.rmtree(root / ".unfinished", ignore_errors=True)
    write_json(root / MANIFEST, _manifest(parameters, complete=True))
    kinds = [event.kind for recording in made for event in recording.events]
    counts = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    return RecordingsSummary(root, len(todo), len(todo) * settings.n_frames, len(left), counts)


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)


def _name(job: _Job) -> tuple[str, str]:
    return f"s{job.person + 1:02d}", f"s{job.person + 1:02d}_{job.take + 1:02d}"


def _scripted(job: _Job) -> LongRecording:
    identity = list_identities(variants=True)[job.person]
    return make_recording(identity, job.settings, seed=(job.seed, job.person, job.take))


def _place(job: _Job) -> Path:
    subject, name = _name(job)
    return Path(job.root) / subject / (f"{name}.{job.form}" if job.form in _CODEC else name)


def _finished(job: _Job) -> bool:
    return _place(job).exists()


def _write_recording(job: _Job) -> None:
    place = _place(job)
    working = Path(job.root) / ".unfinished" / place.name
    made = _scripted(job)
    try:
        shutil.rmtree(working, ignore_errors=True)
        working.parent.mkdir(parents=True, exist_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        (_write_video if job.form in _CODEC else _write_frames)(working, made, job.form)
        working.replace(place)
    except OSError as exc:
        raise FleetingError(f"{place}: cannot be written ({exc.strerror or exc})") from exc


def _write_video(path: Path, made: LongRecording, form: str) -> None:
    import cv2

    codec = cv2.VideoWriter_fourcc(*_CODEC[form])
    settings = made.settings
    options = [cv2.VIDEOWRITER_PROP_QUALITY, JPEG_QUALITY] if form == "avi" else []
    # OpenCV's own writer of Motion JPEG takes a quality, FFmpeg's does not.
    backend = cv2.CAP_OPENCV_MJPEG if form == "avi" else cv2.CAP_FFMPEG
    writer = cv2.VideoWriter(str(path), backend, codec, settings.fps, settings.size, options)
    if not writer.isOpened():
        raise FleetingError(f"{path}: this OpenCV cannot write {form} videos; choose jpg or png")
    try:
        for frame in made.frames:
            writer.write(np.ascontiguousarray(frame[..., ::-1]))
    finally:
        writer.release()


def _write_frames(path: Path, made: LongRecording, form: str) -> None:
    import cv2

    path.mkdir(parents=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if form == "jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 1]
    for k, frame in enumerate(made.frames):
        encoded = cv2.imencode(f".{form}", np.ascontiguousarray(frame[..., ::-1]), options)[1]
        encoded.tofile(path / f"img_{k + 1:06d}.{form}")


def _write_tables(root: Path, todo: list[_Job], made: list[LongRecording]) -> None:
    import pandas as pd

    recordings, rows, others = [], [], []
    for job, one in zip(todo, made, strict=True):
        subject, name = _name(job)
        recordings.append(one.to_recording(subject=subject, name=name))
        file = _place(job).relative_to(root).as_posix()
        rows.append((subject, name, file, one.settings.fps, len(one.frames), one.identity))
        others += [(subject, name, d.what, d.first, d.last, d.strength) for d in one.plan.distractors]
    events = events_table(recordings).drop(columns="dataset")
    events["amplitude"] = [event.amplitude for one in made for event in one.events]
    header = ["subject", "recording", "file", "fps", "n_frames", "identity"]
    write_csv(root / "recordings.csv", pd.DataFrame(rows, columns=header))
    write_csv(root / "events.csv", events)
    header = ["subject", "recording", "what", "first", "last", "strength"]
    write_csv(root / "distractors.csv", pd.DataFrame(others, columns=header))


def _manifest(parameters: dict[str, Any], *, complete: bool) -> dict[str, Any]:
    return {
        "caution": CAUTION,
        "generator": GENERATOR,
        "version": __version__,
        "complete": complete,
        "parameters": parameters,
    }


def _claim(root: Path, parameters: dict[str, Any]) -> None:
    """Make the folder ours, or see that it already is."""
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root} is a file; expected a new or empty folder")
    path = root / MANIFEST
    if not path.is_file():
        if root.is_dir() and any(not entry.name.startswith(".") for entry in root.iterdir()):
            raise UsageError(f"{root} is not empty and holds no {MANIFEST}; expected a new or empty folder")
        write_json(path, _manifest(parameters, complete=False))
        return
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        before = {**stored["parameters"], "generator": stored["generator"]}
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise UsageError(f"{path} is damaged ({exc}); delete the folder {root} or choose another") from exc
    now = {**parameters, "generator": GENERATOR}
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if changed:
        raise UsageError(
            f"{root} holds other recordings (different: {', '.join(sorted(changed))}); choose another folder, or delete it"
        )
