"""Clips: one annotated sample each, with its frames read lazily from a folder, a video file or an array."""

from fleeting.clips.clip import Clip, clips_table
from fleeting.clips.sources import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    ArrayFrames,
    FrameFolder,
    FrameSlice,
    FrameSource,
    VideoFile,
    open_clip,
    open_frames,
)

__all__ = [
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "ArrayFrames",
    "Clip",
    "FrameFolder",
    "FrameSlice",
    "FrameSource",
    "VideoFile",
    "clips_table",
    "open_clip",
    "open_frames",
]
