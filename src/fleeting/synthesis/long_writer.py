"""Write long synthetic recordings to disk, each as a video or a folder of frames, with everything that is true of them."""

from __future__ import annotations

import errno
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
from fleeting.files import write_csv
from fleeting.parallel import map_jobs
from fleeting.records import RecordingsHead, claim_folder, make_folder, work_alone
from fleeting.synthesis.clip_files import JPEG_QUALITY, UNFINISHED, put_in_place
from fleeting.synthesis.identities import list_identities
from fleeting.synthesis.long import LongRecording, make_recording
from fleeting.synthesis.long_plan import LongSettings
from fleeting.synthesis.writer import CAUTION, REMEDY

__all__ = ["RECORDING_FORMATS", "RecordingsSummary", "write_recordings"]

#: Raised whenever the same parameters give other recordings than before.
GENERATOR = 1
MANIFEST = "recordings.json"
#: ``mp4`` is MPEG-4 (small, lossy), ``avi`` Motion JPEG; the others are folders of frames.
RECORDING_FORMATS = ("mp4", "avi", "jpg", "png")
# Frames after which a video is looked at, and bytes on a disk below which it is full.
_LOOK, _LEAST_FREE = 100, 1 << 16
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
    make_folder(root, remedy=REMEDY)
    with work_alone(root):
        _claim(root, parameters)
        left = [job for job in todo if not _is_finished(job)]
        done = len(todo) - len(left)

        def report(count: int, _: int) -> None:
            if progress is not None:
                progress(done + count, len(todo))

        for _ in map_jobs(_write_recording, left, jobs=jobs, progress=report, initializer=_one_thread):
            pass
        _write_tables(root, todo, made)
        shutil.rmtree(root / UNFINISHED, ignore_errors=True)
        _write_head(root, parameters, complete=True)
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


def _is_finished(job: _Job) -> bool:
    """Tell whether a recording is there with all its frames; of a video the last one is read, and none before it."""
    place = _place(job)
    if job.form in _CODEC:
        return _count_frames(place) == job.settings.n_frames
    return place.is_dir() and sum(1 for entry in place.iterdir() if entry.is_file()) == job.settings.n_frames


def _count_frames(path: Path, *, read: bool = False) -> int:
    """Count the frames of a video, as it says itself or by reading them all; 0 if it is none, or its last is missing."""
    import cv2

    if not path.is_file() or _is_cut_off(path):
        return 0
    video = cv2.VideoCapture(str(path))
    try:
        count = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
        if not read:
            video.set(cv2.CAP_PROP_POS_FRAMES, count - 1)
            return count if count and video.grab() else 0
        count = 0
        while video.grab():
            count += 1
        return count
    finally:
        video.release()


def _is_cut_off(path: Path) -> bool:
    """Tell whether the end of an AVI is missing, which its readers do not mind."""
    with path.open("rb") as file:
        head = file.read(8)
    return head[:4] == b"RIFF" and path.stat().st_size < int.from_bytes(head[4:], "little") + 8


def _write_recording(job: _Job) -> None:
    place = _place(job)
    # Aside and of this process's own, so that neither a kill nor a neighbour leaves half of one under its name.
    working = Path(job.root) / UNFINISHED / f"{os.getpid()}-{place.name}"
    made = _scripted(job)
    try:
        _clear(working)
        working.parent.mkdir(parents=True, exist_ok=True)
        if job.form in _CODEC:
            _write_video(working, made, job.form)
            _check_video(working, place, job.settings.n_frames)
        else:
            _write_frames(working, made, job.form)
        put_in_place(working, place)
    except OSError as exc:
        raise FleetingError(
            f"{place}: cannot be written ({exc.strerror or exc}); free some space or choose another folder, then run the "
            "same command again: finished recordings are kept"
        ) from exc
    finally:
        _clear(working)


def _clear(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _check_video(path: Path, place: Path, n_frames: int) -> None:
    """See that a video holds what was given to its writer, which says nothing of a disk that is full."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())
    # It may say how many it should hold.
    count = min(_count_frames(path), _count_frames(path, read=True))
    if count != n_frames:
        raise FleetingError(
            f"{place}: {count} of {n_frames} frames could be written; is the disk full? Free some space or choose another "
            "folder, then run the same command again: finished recordings are kept"
        )


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
        size = 0
        for k, frame in enumerate(made.frames):
            writer.write(np.ascontiguousarray(frame[..., ::-1]))
            if k % _LOOK == _LOOK - 1:
                # The writer goes on without a word when the disk is full, to the end of the recording.
                before, size = size, path.stat().st_size
                if size == before and shutil.disk_usage(path.parent).free < _LEAST_FREE:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        writer.release()


def _write_frames(path: Path, made: LongRecording, form: str) -> None:
    import cv2

    path.mkdir(parents=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if form == "jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 1]
    for k, frame in enumerate(made.frames):
        encoded = cv2.imencode(f".{form}", np.ascontiguousarray(frame[..., ::-1]), options)[1]
        (path / f"img_{k + 1:06d}.{form}").write_bytes(encoded.tobytes())


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


def _write_head(root: Path, parameters: dict[str, Any], *, complete: bool) -> None:
    path = root / MANIFEST
    RecordingsHead.parse(
        {
            "caution": CAUTION,
            "generator": GENERATOR,
            "version": __version__,
            "complete": complete,
            "parameters": parameters,
        },
        path,
    ).write(path)


def _claim(root: Path, parameters: dict[str, Any]) -> None:
    """Make the folder ours, or see that it already is."""
    if not claim_folder(root, MANIFEST, remedy=REMEDY):
        _write_head(root, parameters, complete=False)
        return
    changes = RecordingsHead.read(root / MANIFEST).changes(parameters, GENERATOR)
    if changes:
        raise UsageError(
            f"{root} holds other recordings (different: {', '.join(sorted(changes))}); choose another folder, or delete it"
        )
