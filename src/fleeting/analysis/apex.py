"""The apex of one expression in a short recording: find the face, follow it, ask a spotter."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleeting.analysis.stretch import face_stretches
from fleeting.clips import open_clip
from fleeting.faces import find_reference
from fleeting.spotting import ApexSpot, spot_clip

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LEAST_STRENGTH", "LONGEST_SECONDS", "SpottedRecording", "spot_recording"]

#: Flow of a still face under sensor noise stays below this many pixels of a 128-pixel face.
LEAST_STRENGTH = 0.25
#: A recording longer than this is hardly one expression, and the head will have moved.
LONGEST_SECONDS = 10.0


@dataclass(frozen=True)
class SpottedRecording:
    """The apex that was found in a recording.

    Attributes
    ----------
    path : pathlib.Path
        The recording.
    method : str
        Name of the spotter.
    spot : ApexSpot
        Apex, onset and score of each frame, by 0-based frames of the recording.
    n_frames : int
        Frames of the recording.
    fps : float or None
        Frames per second.
    in_pixels : bool
        If True, scores are motion in pixels of a 128-pixel face.
    warnings : tuple of str
        Reasons why the apex may mean little, in plain sentences.
    """

    path: Path
    method: str
    spot: ApexSpot
    n_frames: int
    fps: float | None
    in_pixels: bool
    warnings: tuple[str, ...] = field(default=())

    @property
    def apex_seconds(self) -> float | None:
        """Time of the apex from the start of the recording; ``None`` if the frame rate is unknown."""
        return None if self.fps is None else self.spot.apex / self.fps

    def table(self) -> pd.DataFrame:
        """Give the score of each frame, as a table with the columns ``frame, seconds, score``."""
        import pandas as pd

        table = pd.DataFrame({"frame": self.spot.indexes, "seconds": None, "score": self.spot.scores.round(6)})
        if self.fps is not None:
            table["seconds"] = (self.spot.indexes / self.fps).round(6)
        return table


def spot_recording(
    recording: str | os.PathLike[str], *, fps: float | None = None, method: str = "motion", **options: Any
) -> SpottedRecording:
    """Find the apex of one expression in a short video of one face, or a folder of frames.

    The longest stretch that shows the face in one place is searched; each frame is compared with the first of it.

    Parameters
    ----------
    recording : str or os.PathLike
        Video file, or folder of frames.
    fps : float or None, optional
        Frames per second, for a folder or to overrule the video.
    method, options : str, optional and object
        Spotter and its options; see :func:`fleeting.spotting.find_apex`.

    Raises
    ------
    NoFaceError
        If there is no face in the recording.
    ClipReadError
        If the recording cannot be read.
    UsageError
        For an unknown method or option.
    """
    path = Path(recording)
    clip = open_clip(path, fps=fps)
    total = len(clip.frames)
    stretch = max(face_stretches(clip.frames, clip.fps, name=path), key=len)
    stop = min(stretch.stop, total)
    reference = find_reference(clip.frames, stretch.start, name=path)
    start = reference.index if stretch.start <= reference.index < stop else stretch.start
    bare = replace(clip, onset=None, apex=None, offset=None)
    spot = spot_clip(bare, reference.landmarks, start=start, stop=stop, method=method, **options)
    in_pixels = method == "motion" and options.get("by", "flow") == "flow"
    told = []
    if stop - start < total:
        told.append(f"the face was found in frames {start} to {stop - 1} of {total}; the rest was left out")
    missing = stop - start - len(spot.indexes)
    if missing:
        told.append(f"{missing} frames could not be read and were passed over")
    if clip.fps is None:
        told.append("the frame rate is unknown, so no times are given; pass --fps")
    elif (stop - start) / clip.fps > LONGEST_SECONDS:
        told.append(
            f"{(stop - start) / clip.fps:.0f} seconds are more than one expression: only the largest motion is found"
        )
    if in_pixels and spot.strength < LEAST_STRENGTH:
        told.append(f"the face hardly moves ({spot.strength:.2f} px of a 128-px face): the apex means little")
    return SpottedRecording(path, method, spot, total, clip.fps, in_pixels, tuple(told))
