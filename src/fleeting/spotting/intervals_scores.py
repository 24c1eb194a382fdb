"""From a score for each frame to intervals: what a learned spotter leaves to be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import UsageError
from fleeting.spotting.intervals import SpottedEvent, describe_event
from fleeting.spotting.intervals_motion import MotionTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["spot_by_scores"]

SHORTEST = {"micro": 0.08, "macro": 0.4}
LONGEST = {"micro": 0.7, "macro": 8.0}


def spot_by_scores(
    table: MotionTable, scores: NDArray[np.float64], threshold: tuple[float, float] = (0.5, 0.5)
) -> list[SpottedEvent]:
    """Intervals in which a score is high, from where it passes half its peak to where it falls below it.

    Parameters
    ----------
    table : MotionTable
        The measurements that the scores were made from; they tell where on the face it was.
    scores : numpy.ndarray of float64
        ``(T, 2)`` in [0, 1], for micro- and macro-expressions.
    threshold : tuple of (float, float), optional
        The least peak of an interval, for both.

    Returns
    -------
    list of SpottedEvent
        Events in order of time. An interval that two claim goes to the higher score.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != (len(table), 2):
        raise UsageError(f"expected scores of shape ({len(table)}, 2), micro and macro; found {scores.shape}")
    found: list[tuple[float, int, int, int, str]] = []
    for column, kind in enumerate(("micro", "macro")):
        score = np.where(table.valid, scores[:, column], 0.0)
        left = score.copy()
        while True:
            apex = int(np.argmax(left))
            peak = float(left[apex])
            if peak < threshold[column]:
                break
            # Within one peak the score may dip, but not below half of it.
            low = np.flatnonzero(score < 0.5 * peak)
            onset = int(low[low < apex][-1]) + 1 if (low < apex).any() else 0
            offset = int(low[low > apex][0]) - 1 if (low > apex).any() else len(score) - 1
            left[onset : offset + 1] = 0.0
            seconds = (offset - onset) / table.fps
            if SHORTEST[kind] <= seconds <= LONGEST[kind]:
                found.append((peak / threshold[column], onset, apex, offset, kind))
    kept: list[tuple[float, int, int, int, str]] = []
    for item in sorted(found, reverse=True):
        if all(item[3] < other[1] or item[1] > other[3] for other in kept):
            kept.append(item)
    kept.sort(key=lambda item: item[1])
    return [
        describe_event(table, onset, offset, kind, confidence=float(scores[onset : offset + 1].max()))
        for _, onset, _, offset, kind in kept
    ]
