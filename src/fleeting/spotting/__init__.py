"""Spotting: where in a sequence of aligned frames the apex is."""

from fleeting.spotting.apex import aligned_faces, motion_scores, spot_apex, spot_clip
from fleeting.spotting.benchmark import SpottingBenchmark, benchmark_spotters, published_errors
from fleeting.spotting.course import ApexSpot, smooth, spot_in
from fleeting.spotting.liong2015 import divide_and_conquer, liong2015
from fleeting.spotting.ma2017 import ma2017
from fleeting.spotting.registry import SpotterInfo, find_apex, list_spotters, register_spotter, spotter_info
from fleeting.spotting.yan2018 import yan2018

__all__ = [
    "ApexSpot",
    "SpotterInfo",
    "SpottingBenchmark",
    "aligned_faces",
    "benchmark_spotters",
    "divide_and_conquer",
    "find_apex",
    "liong2015",
    "list_spotters",
    "ma2017",
    "motion_scores",
    "published_errors",
    "register_spotter",
    "smooth",
    "spot_apex",
    "spot_clip",
    "spot_in",
    "spotter_info",
    "yan2018",
]
