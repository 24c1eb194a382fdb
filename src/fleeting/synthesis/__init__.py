"""Synthetic micro-expression clips with exact ground truth, and writers in the layouts of the real data sets.

People who do not exist make expressions whose onset, apex, offset, action units, flow and 68 landmarks are known
exactly. The set stands in for gated data in tests, demonstrations and benchmarks of a method; a score on it says
nothing about real people.
"""

from fleeting.renamed import renamed_names
from fleeting.synthesis.clip import NEUTRAL, SyntheticClip, make_clip
from fleeting.synthesis.composite import COMPOSITE, ComposedFrames, CompositeSettings, Style, composite_clips
from fleeting.synthesis.facs import ACTION_UNITS, EMOTIONS, action_units_text, emotion_names, face_units
from fleeting.synthesis.identities import FRAME_SIZE, Identity, list_identities, load_identity, portraits
from fleeting.synthesis.layouts import LAYOUTS
from fleeting.synthesis.long import LongFrames, LongRecording, make_recording
from fleeting.synthesis.long_plan import Distractor, LongSettings, Plan, SyntheticEvent
from fleeting.synthesis.long_writer import RECORDING_FORMATS, RecordingsSummary, write_recordings
from fleeting.synthesis.look_alike import LOOK_ALIKES, LookAlike, write_look_alike
from fleeting.synthesis.timing import Timing, intensity_profile
from fleeting.synthesis.writer import DatasetSummary, write_dataset

__all__ = [
    "ACTION_UNITS",
    "COMPOSITE",
    "EMOTIONS",
    "FRAME_SIZE",
    "LAYOUTS",
    "LOOK_ALIKES",
    "NEUTRAL",
    "RECORDING_FORMATS",
    "ComposedFrames",
    "CompositeSettings",
    "DatasetSummary",
    "Distractor",
    "Identity",
    "LongFrames",
    "LongRecording",
    "LongSettings",
    "LookAlike",
    "Plan",
    "RecordingsSummary",
    "Style",
    "SyntheticClip",
    "SyntheticEvent",
    "Timing",
    "action_units_text",
    "composite_clips",
    "emotion_names",
    "face_units",
    "intensity_profile",
    "list_identities",
    "load_identity",
    "make_clip",
    "make_recording",
    "portraits",
    "write_dataset",
    "write_look_alike",
    "write_recordings",
]

__getattr__ = renamed_names(
    __name__,
    {
        "Shown": "SyntheticEvent",
    },
)
