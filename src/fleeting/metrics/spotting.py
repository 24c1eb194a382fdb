"""The score of the Facial Micro-Expressions Grand Challenge (MEGC) for spotting in long videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fleeting.clips import KINDS, Event
from fleeting.errors import UsageError
from fleeting.metrics.scores import confusion_matrix

__all__ = ["SpottingCount", "SpottingScore", "interval_iou", "match_intervals", "score_spotting"]

LEAST_IOU = 0.5
Events = Mapping[str, Sequence[Event]]


@dataclass(frozen=True)
class SpottingCount:
    """True positives, false positives and false negatives, pooled over all videos.

    >>> count = SpottingCount(tp=3, fp=1, fn=2)
    >>> count.precision, count.recall, round(count.f1, 3)
    (0.75, 0.6, 0.667)
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: SpottingCount) -> SpottingCount:
        return SpottingCount(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        """Share of the spotted intervals that are right; 0 if nothing was spotted."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def recall(self) -> float:
        """Share of the annotated intervals that were spotted; 0 if nothing is annotated."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else 0.0

    @property
    def f1(self) -> float:
        """``2 TP / (2 TP + FP + FN)``; 0 if there is neither annotation nor prediction."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else 0.0


@dataclass(frozen=True)
class SpottingScore:
    """The result of :func:`score_spotting`.

    Attributes
    ----------
    micro, macro : SpottingCount
        Pooled counts of each kind.
    matches : tuple of tuple of (str, Event, Event)
        ``(video, annotated, spotted)`` of each true positive.
    """

    micro: SpottingCount
    macro: SpottingCount
    matches: tuple[tuple[str, Event, Event], ...] = ()

    @property
    def overall(self) -> SpottingCount:
        """Both kinds pooled."""
        return self.micro + self.macro

    @property
    def analysis_f1(self) -> float:
        """F1 of the emotions of the true positives: harmonic mean of macro-averaged precision and recall.

        Over the classes that are annotated or answered in them; an event without an annotated emotion is left out, one
        without an answered emotion is wrong. NaN if no annotated emotion is left.
        """
        pairs = [(truth.emotion, found.emotion or "") for _, truth, found in self.matches if truth.emotion is not None]
        if not pairs:
            return float("nan")
        counts = confusion_matrix([truth for truth, _ in pairs], [found for _, found in pairs])
        hits, answered, true = np.diagonal(counts), counts.sum(0), counts.sum(1)
        precision = float(np.mean(hits / np.maximum(answered, 1)))
        recall = float(np.mean(hits / np.maximum(true, 1)))
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    @property
    def strs(self) -> float:
        """Spot-then-recognise score (MEGC 2022): F1 of spotting, overall, times F1 of analysis.

        NaN if no true positive has an annotated emotion, except that nothing spotted scores 0.
        """
        return 0.0 if not self.overall.tp else self.overall.f1 * self.analysis_f1

    def to_dict(self) -> dict[str, Any]:
        """Give counts, precision, recall and F1 of ``micro``, ``macro`` and ``overall``, and ``strs``."""
        return {
            name: {
                "tp": count.tp,
                "fp": count.fp,
                "fn": count.fn,
                "precision": count.precision,
                "recall": count.recall,
                "f1": count.f1,
            }
            for name, count in (("micro", self.micro), ("macro", self.macro), ("overall", self.overall))
        } | {"analysis_f1": self.analysis_f1, "strs": self.strs}


def interval_iou(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Divide the frames in both by the frames in either; both ends of an interval belong to it.

    >>> interval_iou((0, 9), (5, 14))
    0.3333333333333333
    """
    for first, last in (a, b):
        if first > last:
            raise UsageError(f"an interval needs its first frame before its last; found {first} to {last}")
    common = min(a[1], b[1]) - max(a[0], b[0]) + 1
    if common <= 0:
        return 0.0
    return common / ((a[1] - a[0] + 1) + (b[1] - b[0] + 1) - common)


def match_intervals(
    annotated: Sequence[tuple[int, int]], spotted: Sequence[tuple[int, int]], least: float = LEAST_IOU
) -> list[tuple[int, int]]:
    """Pair annotated with spotted intervals, each at most once: as many pairs as possible, then the best fitting.

    Parameters
    ----------
    annotated, spotted : sequence of tuple of (int, int)
        ``(first, last)`` frames of one video.
    least : float, optional
        The overlap that a pair needs, in ``(0, 1]``.

    Returns
    -------
    list of tuple of (int, int)
        ``(position in annotated, position in spotted)``, in order of the annotated ones.
    """
    from scipy.optimize import linear_sum_assignment

    if not 0 < least <= 1:
        raise UsageError(f"the least overlap lies above 0 and at most at 1; found {least}")
    if not annotated or not spotted:
        return []
    iou = np.array([[interval_iou(a, s) for s in spotted] for a in annotated])
    allowed = iou >= least
    # One more pair outweighs any gain in overlap.
    value = np.where(allowed, 1.0 + iou / (1 + min(iou.shape)), 0.0)
    rows, columns = linear_sum_assignment(value, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns) if allowed[i, j]]


def score_spotting(annotated: Events, spotted: Events, least: float = LEAST_IOU) -> SpottingScore:
    """Score spotted events as MEGC does: counts pooled over all videos, for micro- and macro-expressions.

    A spotted interval is a true positive if it overlaps an annotated one of its kind by ``least``, each annotation
    being matched once. A video that only one of the two mappings names counts as well: its annotations are missed, its
    spotted intervals wrong.

    Parameters
    ----------
    annotated, spotted : Events
        Video -> its events.
    least : float, optional
        Intersection over union that a match needs.

    Examples
    --------
    >>> truth = {"a": [Event(10, 15, 20)], "b": [Event(0, 5, 10)]}
    >>> found = {"a": [Event(12, 15, 22)], "c": [Event(0, 5, 10)]}
    >>> score_spotting(truth, found).micro
    SpottingCount(tp=1, fp=1, fn=1)
    """
    counts = dict.fromkeys(KINDS, SpottingCount())
    matches: list[tuple[str, Event, Event]] = []
    for video in sorted({*annotated, *spotted}):
        for kind in KINDS:
            true = [event for event in annotated.get(video, ()) if event.kind == kind]
            found = [event for event in spotted.get(video, ()) if event.kind == kind]
            pairs = match_intervals([e.interval for e in true], [e.interval for e in found], least)
            counts[kind] += SpottingCount(len(pairs), len(found) - len(pairs), len(true) - len(pairs))
            matches += [(video, true[i], found[j]) for i, j in pairs]
    return SpottingScore(counts["micro"], counts["macro"], tuple(matches))
