"""Opening what a user names: a folder of frames or a video file, whichever it is."""

from __future__ import annotations

import os
from pathlib import Path

from fleeting.clips.clip import Clip
from fleeting.clips.frame_folder import FrameFolder
from fleeting.clips.frames import is_folder
from fleeting.clips.video_file import VideoFile
from fleeting.renamed import renamed_names

__getattr__ = renamed_names(
    __name__,
    {
        **{
            name: f"fleeting.clips.{name}"
            for name in ("IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "ArrayFrames", "FrameSlice", "FrameSource", "read_each")
        },
        "file_stamp": "fleeting.clips.frames.file_stamp",
        "read_image": "fleeting.clips.frame_folder.read_image",
    },
)

__all__ = ["open_clip", "open_frames"]


def open_frames(path: str | os.PathLike[str], fps: float | None = None) -> FrameFolder | VideoFile:
    """Open a folder of frames or a video file, whichever ``path`` is.

    Parameters
    ----------
    path : str or os.PathLike
        A video file, or a folder of frames.
    fps : float or None, optional
        Frames per second of a folder; a video knows its own.

    Raises
    ------
    ClipReadError
        A subclass that says what is wrong with ``path``.
    """
    return FrameFolder(path, fps=fps) if is_folder(Path(path)) else VideoFile(path)


def open_clip(path: str | os.PathLike[str], fps: float | None = None) -> Clip:
    """Open a person's own recording as an unannotated :class:`Clip`.

    Parameters
    ----------
    path : str or os.PathLike
        A video file, or a folder of frames.
    fps : float or None, optional
        Frames per second; overrides what a video says, and is the only way to know it for a folder.

    Raises
    ------
    ClipReadError
        A subclass that says what is wrong with ``path``.
    """
    frames = open_frames(path, fps=fps)
    resolved = frames.path.resolve()
    return Clip(
        dataset="own",
        subject=resolved.parent.name or "unknown",
        name=resolved.stem or resolved.name or "clip",
        frames=frames,
        fps=fps if fps is not None else frames.fps,
    )
