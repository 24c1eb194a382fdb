"""Analysis: a person's own recording, from video to verdict."""

from fleeting.analysis.analyze import Analysis, AnalysisObserver, analyze
from fleeting.analysis.apex import SpottedRecording, spot_recording
from fleeting.analysis.events import AnalyzedEvent
from fleeting.analysis.explain import Explanation, draw_explanation, explain_sequence
from fleeting.analysis.figure import draw_verdict, motion_overlay
from fleeting.analysis.interval_learning import (
    LearnedSpotter,
    MeasuredRecording,
    leave_one_subject_out,
    load_spotter,
    save_spotter,
    train_spotter,
)
from fleeting.analysis.predict import Verdict, predict
from fleeting.analysis.recogniser import Recogniser
from fleeting.analysis.stretch import Stretch, face_stretches
from fleeting.analysis.weights import about_weights, default_model
from fleeting.renamed import renamed_names

__all__ = [
    "Analysis",
    "AnalysisObserver",
    "AnalyzedEvent",
    "Explanation",
    "LearnedSpotter",
    "MeasuredRecording",
    "Recogniser",
    "SpottedRecording",
    "Stretch",
    "Verdict",
    "about_weights",
    "analyze",
    "default_model",
    "draw_explanation",
    "draw_verdict",
    "explain_sequence",
    "face_stretches",
    "leave_one_subject_out",
    "load_spotter",
    "motion_overlay",
    "predict",
    "save_spotter",
    "spot_recording",
    "train_spotter",
]

__getattr__ = renamed_names(
    __name__,
    {
        "AnalysedEvent": "AnalyzedEvent",
    },
)
