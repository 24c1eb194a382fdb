"""Clips: one annotated sample each, with its frames read lazily from a folder, a video file or an array."""

from fleeting.clips.clip import Clip, clips_table
from fleeting.clips.flow import FlowImage
from fleeting.clips.frame_folder import IMAGE_SUFFIXES, FrameFolder
from fleeting.clips.frames import FrameSource, IndexedFrames, read_each
from fleeting.clips.memory import ArrayFrames, FrameSlice
from fleeting.clips.recording import KINDS, LONGEST_MICRO, Event, Recording, events_table, kind_of
from fleeting.clips.sources import open_clip, open_frames
from fleeting.clips.video_file import VIDEO_SUFFIXES, VideoFile

__all__ = [
    "IMAGE_SUFFIXES",
    "KINDS",
    "LONGEST_MICRO",
    "VIDEO_SUFFIXES",
    "ArrayFrames",
    "Clip",
    "Event",
    "FlowImage",
    "FrameFolder",
    "FrameSlice",
    "FrameSource",
    "IndexedFrames",
    "Recording",
    "VideoFile",
    "clips_table",
    "events_table",
    "kind_of",
    "open_clip",
    "open_frames",
    "read_each",
]
