"""Spotting: where in a sequence of aligned frames the apex is, and where in a long video expressions are."""

from fleeting.spotting.apex import aligned_faces, motion_scores, spot_apex, spot_clip
from fleeting.spotting.benchmark import SpottingBenchmark, benchmark_spotters, published_errors
from fleeting.spotting.course import ApexSpot, smooth, spot_in
from fleeting.spotting.face_regions import REGION_NAMES, REGION_UNITS
from fleeting.spotting.figure import draw_course, draw_spot
from fleeting.spotting.interval_spotter import IntervalSpotter, spot_stream
from fleeting.spotting.intervals import IntervalSettings, SpottedEvent, spot_intervals
from fleeting.spotting.intervals_crops import FaceCrop, FaceFollower, measure_motion
from fleeting.spotting.intervals_motion import FaceMotion, FrameMotion, KeyFrame, MotionTable
from fleeting.spotting.liong2015 import divide_and_conquer, liong2015
from fleeting.spotting.ma2017 import ma2017
from fleeting.spotting.registry import (
    SpotterInfo,
    find_apex,
    find_interval_spotter,
    list_interval_spotters,
    list_spotters,
    register_interval_spotter,
    register_spotter,
    spotter_info,
)
from fleeting.spotting.resumable import Resumable
from fleeting.spotting.yan2018 import yan2018

__all__ = [
    "REGION_NAMES",
    "REGION_UNITS",
    "ApexSpot",
    "FaceCrop",
    "FaceFollower",
    "FaceMotion",
    "FrameMotion",
    "IntervalSettings",
    "IntervalSpotter",
    "KeyFrame",
    "MotionTable",
    "Resumable",
    "SpottedEvent",
    "SpotterInfo",
    "SpottingBenchmark",
    "aligned_faces",
    "benchmark_spotters",
    "divide_and_conquer",
    "draw_course",
    "draw_spot",
    "find_apex",
    "find_interval_spotter",
    "liong2015",
    "list_interval_spotters",
    "list_spotters",
    "ma2017",
    "measure_motion",
    "motion_scores",
    "published_errors",
    "register_interval_spotter",
    "register_spotter",
    "smooth",
    "spot_apex",
    "spot_clip",
    "spot_in",
    "spot_intervals",
    "spot_stream",
    "spotter_info",
    "yan2018",
]
