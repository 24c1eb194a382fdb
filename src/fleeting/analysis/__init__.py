"""Analysis: a person's own recording, from video to verdict."""

from fleeting.analysis.figure import draw_verdict, motion_overlay
from fleeting.analysis.predict import Verdict, predict
from fleeting.analysis.stretch import Stretch, face_stretches

__all__ = ["Stretch", "Verdict", "draw_verdict", "face_stretches", "motion_overlay", "predict"]
