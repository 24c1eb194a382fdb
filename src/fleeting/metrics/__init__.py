"""Figures of merit for recognition, with intervals: NumPy in, numbers out.

>>> truth = ["happiness", "disgust", "disgust", "surprise"]
>>> found = ["happiness", "disgust", "surprise", "surprise"]
>>> accuracy(truth, found), round(uf1(truth, found), 3), round(uar(truth, found), 3)
(0.75, 0.778, 0.833)
"""

from __future__ import annotations

from fleeting.metrics.bootstrap import Interval, bootstrap_interval
from fleeting.metrics.challenge_log import challenge_classes, read_challenge_log, write_challenge_log
from fleeting.metrics.comparison import compare_methods
from fleeting.metrics.composite import composite_scores, fold_means
from fleeting.metrics.paired import PairedTest, paired_permutation_test
from fleeting.metrics.scores import (
    METRICS,
    Majority,
    accuracy,
    confusion_matrix,
    majority_accuracy,
    uar,
    uf1,
)
from fleeting.metrics.spotting import (
    SpottingCount,
    SpottingScore,
    interval_iou,
    match_intervals,
    score_spotting,
)
from fleeting.metrics.summary import score_all, scores_by

__all__ = [
    "METRICS",
    "Interval",
    "Majority",
    "PairedTest",
    "SpottingCount",
    "SpottingScore",
    "accuracy",
    "bootstrap_interval",
    "challenge_classes",
    "compare_methods",
    "composite_scores",
    "confusion_matrix",
    "fold_means",
    "interval_iou",
    "majority_accuracy",
    "match_intervals",
    "paired_permutation_test",
    "read_challenge_log",
    "score_all",
    "score_spotting",
    "scores_by",
    "uar",
    "uf1",
    "write_challenge_log",
]
