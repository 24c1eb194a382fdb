"""One synthetic clip on disk: a folder of frames and a file of its truth, there as a whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.errors import FleetingError
from fleeting.files import write_atomic
from fleeting.records import read_regular
from fleeting.synthesis.clip import SyntheticClip, make_clip
from fleeting.synthesis.identities import Identity, load_identity
from fleeting.synthesis.layouts import ClipPlan, ClipRow, Layout, layout_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "JPEG_QUALITY",
    "UNFINISHED",
    "ClipJob",
    "encode",
    "is_finished",
    "put_in_place",
    "read_row",
    "set_cast",
    "write_clip",
]

JPEG_QUALITY = 95
CLIP_SECONDS = (0.32, 0.38)
UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class ClipJob:
    """A clip to be filmed and written.

    Attributes
    ----------
    root : str
        Folder of the set.
    layout : str
        Name of its layout.
    plan : ClipPlan
        The clip.
    identity : int
        Place of its person among those of :func:`set_cast`.
    settings : dict of str to object
        Arguments that all clips share.
    """

    root: str
    layout: str
    plan: ClipPlan
    identity: int
    settings: dict[str, Any]


# The people of the job, set once per process: sending pictures with every clip would cost more than filming it.
_cast: list[Identity] = []


def set_cast(cast: Sequence[Identity | str]) -> None:
    """Prepare a process for filming these people."""
    import cv2

    cv2.setNumThreads(1)
    _cast[:] = [load_identity(c) if isinstance(c, str) else c for c in cast]


def _truth_path(root: Path, plan: ClipPlan) -> Path:
    return root / "truth" / f"{plan.key}.npz"


def is_finished(root: Path, plan: ClipPlan) -> bool:
    """Tell whether a clip is there: a readable truth and as many frames as it speaks of."""
    try:
        with np.load(BytesIO(read_regular(_truth_path(root, plan))), allow_pickle=False) as z:
            expected = len(z["profile"])
        frames = [entry.stat().st_size for entry in os.scandir(root / plan.folder) if entry.is_file()]
        # After a loss of power a name may stand for an empty file.
        return len(frames) >= expected and min(frames) > 0
    except Exception:  # whatever is wrong with it, it will be made anew
        return False


def write_clip(job: ClipJob) -> None:
    """Film one clip and put it in place: truth first, the folder of frames last.

    Raises
    ------
    FleetingError
        If it cannot be written.
    """
    form, plan, suffix, root = layout_of(job.layout), job.plan, job.settings["suffix"], Path(job.root)
    if is_finished(root, plan):  # another process was faster
        return
    clip = _film(form, job)
    start, stop = 0, len(clip)
    if form.trimmed and clip.onset is not None and clip.offset is not None:
        start, stop = clip.onset, clip.offset + 1
    folder = root / plan.folder
    draft = root / UNFINISHED / f"{os.getpid()}-{plan.key}"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for t in range(start, stop):
            data = encode(clip.frames[t], suffix, grey=form.grey)
            (draft / form.frame_name(plan, t - start, suffix)).write_bytes(data)
        _write_truth(_truth_path(root, plan), clip, start, stop)
        if not is_finished(root, plan):  # by another process in the meantime: what is whole is never touched
            put_in_place(draft, folder)
    except (OSError, FleetingError) as exc:
        if is_finished(root, plan):
            return
        raise FleetingError(
            f"{folder}: cannot be written ({getattr(exc, 'strerror', None) or exc}); free some space or choose another "
            "folder, then run the same command again: finished clips are kept"
        ) from exc
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def put_in_place(draft: Path, place: Path) -> None:
    """Move a finished file or folder to its name; what was there, and is not whole, goes.

    Raises
    ------
    OSError
        If it cannot be moved.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        # A folder is replaced only where it is empty, and emptying it in its place could be seen.
        torn = draft.with_name(f"{draft.name}-torn")
        place.replace(torn)
        shutil.rmtree(torn, ignore_errors=True)
    draft.replace(place)


def _film(form: Layout, job: ClipJob) -> SyntheticClip:
    plan, s = job.plan, job.settings
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
    return make_clip(
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


def encode(image: NDArray[np.uint8], suffix: str, *, grey: bool = False) -> bytes:
    """Encode an RGB frame as the bytes of an image file."""
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


def read_row(root: Path, plan: ClipPlan) -> ClipRow:
    """Read from the truth of a finished clip what annotation files say of it.

    Raises
    ------
    FleetingError
        If it cannot be read.
    """
    path = _truth_path(root, plan)
    try:
        with np.load(BytesIO(read_regular(path)), allow_pickle=False) as z:
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
