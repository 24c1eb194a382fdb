"""Micro- and macro-expressions in long videos, without training: main-direction flow and an adaptive threshold.

A bump is looked for: skin that leaves its place and comes back. As in main directional maximal difference analysis (Wang
et al. 2017), each frame is compared with those half a micro-expression before and after it, and the direction in which
the face moves most is what counts; the threshold follows the activity around, as in Moilanen et al. 2014. Along that
direction the course is followed to both sides, down to its feet, which are onset and offset.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from fleeting.clips import Event, kind_of
from fleeting.spotting.face_regions import EYES, REGION_NAMES, REGION_UNITS, SKIN
from fleeting.spotting.intervals_motion import MotionTable
from fleeting.spotting.registry import register_interval_spotter

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "IntervalSettings",
    "SpottedEvent",
    "describe_event",
    "spot_intervals",
]


@dataclass(frozen=True)
class IntervalSettings:
    """Settings of the spotter. Motion is in pixels of a 128-pixel face, time in seconds.

    Parameters
    ----------
    lag : float, optional
        Half a micro-expression: how far before and after a frame it is compared.
    smoothing : float, optional
        Standard deviation of the Gaussian that takes the noise of single frames away.
    macro_lag : float, optional
        The same for macro-expressions.
    floor : float, optional
        The least motion of the skin that counts; three times that for macro-expressions.
    contrast : float, optional
        The least height of an expression, as a multiple of the usual motion of the seconds around it.
    around : float, optional
        Length of the seconds around, to each side.
    macro_limit : float, optional
        The longest time that a macro-expression may take to come or to go.
    return_share : float, optional
        The least way back of the face, as a share of the way that it went.
    head_share : float, optional
        Motion of the skin that is laid to the head, for each pixel that the head turns meanwhile.
    residual_share : float, optional
        The least height of an expression, as a multiple of the flow that no motion of the head explains.
    residual_limit : float, optional
        With more than that unexplained a frame does not show the face well enough to be used ...
    residual_time : float, optional
        ... unless it is for less than this: teeth that show in a smile are explained by no motion either.
    busy : int, optional
        So many other turning points within 1.2 s in the same part of the face mean speech or the like, no expression.
    busy_share : float, optional
        The least height of these, as a share of the expression's height.
    busy_floor : float, optional
        And how high at least; noise turns all the time.
    """

    lag: float = 0.18
    smoothing: float = 0.02
    macro_lag: float = 0.5
    floor: float = 0.08
    contrast: float = 3.0
    around: float = 2.5
    macro_limit: float = 3.5
    return_share: float = 0.5
    head_share: float = 0.12
    residual_share: float = 0.7
    residual_limit: float = 1.0
    residual_time: float = 0.25
    busy: int = 3
    busy_share: float = 0.2
    busy_floor: float = 0.14


@dataclass(frozen=True)
class SpottedEvent(Event):
    """An expression that was found.

    Attributes
    ----------
    strength : float
        Distance of the region that moves most from its rest at the apex, in pixels of a 128-pixel face. A
        mean over the region, so below the largest motion of any point.
    confidence : float
        0 to 1: 0.5 at the threshold; no probability.
    regions : tuple of str
        The parts of the face that take part, most moved first; names of ``REGION_NAMES``.
    direction : float
        In which direction the first of them moves, in degrees: 0 to the image's right, 90 up.
    """

    strength: float = 0.0
    confidence: float = 0.0
    regions: tuple[str, ...] = ()
    direction: float = 0.0

    @property
    def likely_units(self) -> tuple[str, ...]:
        """Action units that show where the skin moves most: a hint, not a coding."""
        return REGION_UNITS[self.regions[0]] if self.regions else ()


@dataclass(frozen=True)
class _Bump:
    onset: int
    apex: int
    offset: int
    height: float
    rank: float
    regions: tuple[str, ...]
    direction: float
    strength: float
    slow: bool


@register_interval_spotter("motion", paper="Fleeting; after Wang et al. 2017 and Moilanen et al. 2014")
def spot_intervals(table: MotionTable, settings: IntervalSettings | None = None) -> list[SpottedEvent]:
    """Spot the expressions of a whole recording.

    Parameters
    ----------
    table : MotionTable
        Its measurements, from :func:`~fleeting.spotting.measure_motion`.
    settings : IntervalSettings or None, optional
        The spotter's settings.

    Returns
    -------
    list of SpottedEvent
        Events in order of time; ``onset``, ``apex`` and ``offset`` are the frames of the table.
    """
    settings = settings or IntervalSettings()
    events: list[SpottedEvent] = []
    # A frame without a face, a cut or a gap in the numbers ends a run: positions cannot be compared across it.
    good = table.valid & ~_long_runs(
        table.residual > settings.residual_limit, round(settings.residual_time * table.fps)
    )
    breaks = np.flatnonzero((np.diff(table.stretch) != 0) | (np.diff(good) != 0) | (np.diff(table.frame) != 1))
    edges = [0, *(int(b) + 1 for b in breaks), len(table)]
    for first, last in pairwise(edges):
        if good[first]:
            found = _spot_run(table, first, last, settings)
            events += [_event(table, first, bump, table.fps, settings) for bump in found]
    return sorted(events, key=lambda e: e.interval)


def _long_runs(true: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """The same without runs that are shorter than ``least``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], true.astype(np.int8), [0]])))
    kept = np.zeros_like(true)
    for first, last in edges.reshape(-1, 2):
        kept[first:last] = last - first >= least
    return kept


def _event(table: MotionTable, first: int, bump: _Bump, fps: float, settings: IntervalSettings) -> SpottedEvent:
    onset, apex, offset = (int(table.frame[first + k]) for k in (bump.onset, bump.apex, bump.offset))
    return SpottedEvent(
        onset=onset,
        apex=apex,
        offset=offset,
        kind=kind_of(onset, offset, fps),
        strength=bump.strength,
        confidence=float(1 - 0.5 ** max(bump.rank, 0.0)),
        regions=bump.regions,
        direction=bump.direction,
    )


def describe_event(table: MotionTable, onset: int, offset: int, kind: str, confidence: float) -> SpottedEvent:
    """Describe what moved in an interval that was found in another way: apex, strength, regions and main direction.

    Parameters
    ----------
    onset, offset : int
        Rows of the table.
    """
    skin = _smooth(table.position[onset : offset + 1, SKIN].astype(np.float64), 0.01 * table.fps)
    away = skin - (skin[0] + skin[-1]) / 2
    apex = int(np.argmax(_strongest(away)))
    length = np.linalg.norm(away[apex], axis=1)
    order = np.argsort(-length)
    first = away[apex, order[0]]
    return SpottedEvent(
        onset=int(table.frame[onset]),
        apex=int(table.frame[onset + apex]),
        offset=int(table.frame[offset]),
        kind=kind,
        strength=float(length[order[0]]),
        confidence=confidence,
        regions=tuple(REGION_NAMES[SKIN][i] for i in order if length[i] >= 0.35 * length[order[0]]),
        direction=float(np.degrees(np.arctan2(-first[1], first[0]))),
    )


def _smooth(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, sigma, axis=0, mode="nearest")) if sigma > 0.3 else values


def _bend(position: NDArray[np.float64], lag: int) -> NDArray[np.float64]:
    """``p(t) - (p(t - lag) + p(t + lag)) / 2``: 0 for rest and for even motion; ends repeat."""
    n = len(position)
    at = np.arange(n)
    before, after = position[np.maximum(at - lag, 0)], position[np.minimum(at + lag, n - 1)]
    return np.asarray(position - (before + after) / 2)


def _strongest(bend: NDArray[np.float64], count: int = 3) -> NDArray[np.float64]:
    """Mean magnitude of the regions that move most, ``(T,)``."""
    size = np.hypot(bend[..., 0], bend[..., 1])
    return np.asarray(np.partition(size, size.shape[1] - count, axis=1)[:, -count:].mean(1))


def _spot_run(table: MotionTable, first: int, last: int, s: IntervalSettings) -> list[_Bump]:
    from scipy.ndimage import percentile_filter
    from scipy.signal import find_peaks

    fps, n = table.fps, last - first
    lag = max(1, round(s.lag * fps))
    if n < 2 * lag + 1:
        return []
    position = _smooth(table.position[first:last].astype(np.float64), s.smoothing * fps)
    skin, head = position[:, SKIN], table.head[first:last].astype(np.float64)
    residual = table.residual[first:last]
    blinks = _blinks(table.open[first:last].astype(np.float64), fps, int(table.frame[first]))
    found: list[_Bump] = []
    for seconds in (s.lag, s.macro_lag):
        reach = max(1, round(seconds * fps))
        if n < 2 * reach + 1:
            continue
        bend = _bend(skin, reach)
        size = _strongest(bend)
        slow = seconds > s.lag
        window = min(n, 2 * round(s.around * fps * (3 if slow else 1)) + 1)
        # The usual is what most of the seconds around stay below; an expression is short against them.
        step = max(1, round(0.05 * fps))
        # Every so many frames of the recording, not of the run: a stream must see the same.
        at = np.arange(-int(table.frame[first]) % step, n, step)
        usual = percentile_filter(size[at], 30 if slow else 50, size=max(3, window // step), mode="nearest")
        usual = np.interp(np.arange(n), at, usual)
        threshold = np.maximum(s.floor * (3 if slow else 1), s.contrast * usual)
        peaks, _ = find_peaks(size, height=threshold, distance=max(1, lag // 2))
        for apex in peaks:
            bump = _follow(skin, bend, head, residual, int(apex), float(threshold[apex]), size, fps, s, slow)
            if bump is not None and not _is_blink(bump, blinks, position, fps):
                found.append(bump)
    return _choose(found)


def _follow(
    skin: NDArray[np.float64],
    bend: NDArray[np.float64],
    head: NDArray[np.float64],
    residual: NDArray[np.float32],
    peak: int,
    threshold: float,
    size: NDArray[np.float64],
    fps: float,
    s: IntervalSettings,
    slow: bool,
) -> _Bump | None:
    """The bump about a peak, from foot to foot along its main direction; ``None`` if it is none."""
    main = bend[peak]
    length = np.hypot(main[:, 0], main[:, 1])
    part = length >= 0.35 * length.max()
    weights = (main * part[:, None]).reshape(-1)
    # Along the main direction, in the pixels that the threshold is in.
    course = skin.reshape(len(skin), -1) @ weights * (float(size[peak]) / float((weights**2).sum()))
    for limit in (0.55, s.macro_limit):
        if slow and limit < 1:
            continue
        reach = max(2, round(limit * fps))
        # A peak of the slow difference may lie anywhere on a plateau.
        near = max(1, round((0.06 if not slow else 0.3) * fps))
        low, high = max(0, peak - near), min(len(course), peak + near + 1)
        apex = low + int(np.argmax(course[low:high]))
        left, right = (_foot(course, apex, step, reach, 0.3 * float(size[peak])) for step in (-1, 1))
        if left is None or right is None:
            continue
        (onset, went), (offset, back) = left, right
        # The middle of the top: at the very top the course is flat, and noise says where it is highest.
        top = np.flatnonzero(course[onset : offset + 1] >= course[apex] - 0.1 * min(went, back)) + onset
        apex = round((int(top[0]) + int(top[-1])) / 2)
        height = min(went, back)
        if height < s.return_share * max(went, back):
            continue
        if limit < 1 and (offset - onset) / fps > 0.62:
            continue
        turned = np.ptp(head[onset : offset + 1, 4:6], axis=0).max() if offset > onset else 0.0
        unexplained = float(residual[onset : offset + 1].max())
        needed = max(threshold, s.head_share * float(turned), s.residual_share * unexplained)
        if height < needed:
            return None
        most = skin[:, np.argsort(-length)[:2]].reshape(len(skin), -1)
        if _is_busy(np.column_stack([course, most]), onset, offset, height, fps, s):
            return None
        order = np.argsort(-length)
        names = [REGION_NAMES[SKIN][i] for i in order if part[i]]
        first = main[order[0]]
        strength = float(np.linalg.norm(skin[apex, order[0]] - (skin[onset, order[0]] + skin[offset, order[0]]) / 2))
        angle = float(np.degrees(np.arctan2(-first[1], first[0])))
        return _Bump(onset, apex, offset, height, height / needed, tuple(names), angle, strength, limit > 1)
    return None


def _foot(course: NDArray[np.float64], apex: int, step: int, reach: int, ripple: float) -> tuple[int, float] | None:
    """Find where the course has come down on one side of the apex, and how far; ``None`` if it never does."""
    end = max(-1, apex - reach - 1) if step < 0 else min(len(course), apex + reach + 1)
    side = course[apex:end:step] if end >= 0 else course[apex::step]
    if len(side) < 2:
        return None
    # Down to the lowest place before it climbs again by a quarter of the way; a plateau may ripple.
    lowest = np.minimum.accumulate(side)
    climbs = np.flatnonzero(side - lowest > np.maximum(0.25 * (side[0] - lowest), ripple))
    stop = int(climbs[0]) if len(climbs) else len(side)
    base = float(side[:stop].min())
    height = float(side[0]) - base
    if height <= 0:
        return None
    half = int(np.argmax(side <= base + 0.5 * height))
    low = int(np.argmax(side <= base + 0.15 * height))
    # The last stretch to rest is too flat to see: it is as long as the steep part suggests.
    far = min(low + round(0.45 * (low - half)), len(side) - 1)
    return apex + step * max(far, 1), height


def _is_busy(
    courses: NDArray[np.float64], onset: int, offset: int, height: float, fps: float, s: IntervalSettings
) -> bool:
    """Tell whether the same part of the face goes to and fro before or after, in whatever direction, as in speech."""
    from scipy.signal import find_peaks

    margin, reach = round(0.08 * fps), round(1.2 * fps)
    # A long expression is high against noise, and speech has to be told from it by little.
    least = max(s.busy_share * height, s.busy_floor * (0.5 if (offset - onset) / fps > 0.6 else 1.0))
    sides = ((onset - margin - reach, onset - margin), (offset + margin, offset + margin + reach))
    for course in courses.T:
        turns = 0
        for low, high in sides:
            side = course[max(0, low) : max(0, high)]
            for sign in (1, -1):
                turns += len(find_peaks(sign * side, prominence=least)[0]) if len(side) > 2 else 0
        if turns >= s.busy:
            return True
    return False


def _blinks(opened: NDArray[np.float64], fps: float, start: int) -> list[tuple[int, int]]:
    """Frames in which the lids are down: short dips of the contrast within both eyes."""
    from scipy.ndimage import median_filter

    step = max(1, round(0.02 * fps))
    at = np.arange(-start % step, len(opened), step)
    coarse = opened[at].mean(1)
    usual = median_filter(coarse, size=max(3, round(1.5 * fps / step) | 1), mode="nearest")
    usual = np.interp(np.arange(len(opened)), at, usual)
    shut = (opened < 0.85 * usual[:, None]).all(1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], shut.astype(np.int8), [0]])))
    runs = [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]
    return [(a, b) for a, b in runs if (b - a) / fps <= 0.6]


def _is_blink(bump: _Bump, blinks: list[tuple[int, int]], position: NDArray[np.float64], fps: float) -> bool:
    """Tell whether what moved is next to eyes that shut at that time, and little else did."""
    margin = round(0.1 * fps)
    meanwhile = [(a, b) for a, b in blinks if a - margin <= bump.apex <= b + margin]
    beside = not any("mouth" in name or "lip" in name or name == "chin" for name in bump.regions)
    if not meanwhile or not beside:
        return False
    eyes = position[:, EYES]
    rest = (eyes[bump.onset] + eyes[bump.offset]) / 2
    lids = float(np.linalg.norm(eyes[bump.apex] - rest, axis=1).mean())
    # What the flow carries over from the lids begins and ends with the blink.
    within = any(a - margin <= bump.onset and bump.offset <= b + margin for a, b in meanwhile)
    return bump.strength < (1.0 if within else 0.5) * max(lids, 0.4 if within else 0.0)


def _choose(found: list[_Bump]) -> list[_Bump]:
    """Choose the highest of bumps that overlap; a short one before a long one that is little higher."""
    kept: list[_Bump] = []
    for bump in sorted(found, key=lambda b: -b.height * (1 if b.slow else 1.6)):
        if all(bump.offset < other.onset or bump.onset > other.offset for other in kept):
            kept.append(bump)
    return sorted(kept, key=lambda b: b.onset)
