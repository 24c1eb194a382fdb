"""The timeline of an analyzed recording: small enough to embed, fine enough to zoom into."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from fleeting.reports.analysis_folder import AnalysisData, Course, EventRow

__all__ = ["Row", "overview", "timeline_data", "timeline_rows"]

#: Values of the course that are embedded, over all faces; 15 a second for an hour, every frame of five minutes.
MOST_VALUES = 60_000
MOST_FACES = 8
_MOST_GAPS = 2000
_OVERVIEW = 1000
_NOTHING = 255  # stands for a time without a score
_WIDTH, _ROW = 1000, 40


@dataclass(frozen=True)
class Row:
    """One face on the timeline.

    Attributes
    ----------
    face : str
        Its number, as text.
    values : numpy.ndarray of uint8
        ``uint8`` ``(n,)``: the highest score of each of ``n`` equal parts of the recording, 0 to 254 of ``top``; 255
        where there is none.
    top : float
        The score that is drawn at full height; what lies above is cut off.
    gaps : list of tuple of (float, float)
        Seconds from and to between which the face was looked for and not found.
    """

    face: str
    values: NDArray[np.uint8]
    top: float
    gaps: list[tuple[float, float]]


def timeline_rows(found: AnalysisData) -> list[Row]:
    """The faces of a recording, those with the most frames first, at most eight."""
    duration = found.duration
    if not math.isfinite(duration):
        return []
    by_face = {course.face: course for course in found.courses}
    for event in found.events:
        by_face.setdefault(event.face, Course(event.face))
    if not by_face:
        by_face["0"] = Course("0")
    chosen = sorted(by_face.values(), key=lambda course: -len(course.time))[:MOST_FACES]
    return [_row(course, found.events, duration, MOST_VALUES // len(chosen)) for course in chosen]


def _row(course: Course, events: Sequence[EventRow], duration: float, most: int) -> Row:
    time = np.frombuffer(course.time, np.float64) if len(course.time) else np.empty(0)
    score = np.frombuffer(course.score, np.float32) if len(course.score) else np.empty(0, np.float32)
    seen = np.frombuffer(course.seen, np.int8).astype(bool) if len(course.seen) else np.empty(0, bool)
    n = max(1, min(most, len(time)))
    values = np.full(n, _NOTHING, np.uint8)
    good = seen & np.isfinite(score)
    top = 1.0
    if good.any():
        inside = np.zeros(len(time), bool)
        for event in events:
            if event.face == course.face:
                first, last = np.searchsorted(time, [event.onset_s, event.offset_s])
                inside[first : last + 1] = True
        inside &= good
        # A turn of the head must not press everything else flat.
        top = float(np.quantile(score[good], 0.995))
        top = max(top, float(score[inside].max()) if inside.any() else 0.0, 1e-9)
        highest = np.full(n, -np.inf)
        place = np.clip((time[good] / duration * n).astype(np.int64), 0, n - 1)
        np.maximum.at(highest, place, score[good])
        # Where a frame falls a little beside its place, the one next to it stands in.
        empty = np.flatnonzero(~np.isfinite(highest))
        centre = (empty + 0.5) * duration / n
        nearest = np.clip(np.searchsorted(time, centre), 1, max(1, len(time) - 1))
        nearest -= (centre - time[nearest - 1]) < (time[nearest % len(time)] - centre)
        close = good[nearest] & (np.abs(time[nearest] - centre) <= 1.5 * _pace(time))
        highest[empty[close]] = score[nearest[close]]
        filled = np.isfinite(highest)
        values[filled] = np.clip(np.rint(highest[filled] / top * 254), 0, 254).astype(np.uint8)
    return Row(course.face, values, top, _gaps(time, seen, duration))


def _pace(time: NDArray[np.float64]) -> float:
    """Seconds from a frame to the next, as a rule."""
    return float(np.median(np.diff(time))) if len(time) > 1 else 0.0


def _gaps(time: NDArray[np.float64], seen: NDArray[np.bool_], duration: float) -> list[tuple[float, float]]:
    if not len(time):
        return []
    turns = np.flatnonzero(np.diff(seen.astype(np.int8))) + 1
    edges = [0, *turns.tolist(), len(seen)]
    step = _pace(time)
    gaps: list[tuple[float, float]] = []
    for first, last in pairwise(edges):
        if seen[first]:
            continue
        begin, end = float(time[first]), float(time[last - 1]) + step
        if gaps and begin - gaps[-1][1] < duration / _MOST_GAPS:
            gaps[-1] = (gaps[-1][0], end)
        else:
            gaps.append((begin, end))
    return gaps


def timeline_data(rows: Sequence[Row], events: Sequence[EventRow], shown: set[int], duration: float) -> dict[str, Any]:
    """Give what the page's script draws from, as plain values.

    Parameters
    ----------
    shown : set of int
        Numbers of the events that have a part of the page to jump to.
    """
    place = {row.face: number for number, row in enumerate(rows)}
    return {
        "duration": round(duration, 4),
        "faces": [
            {
                "name": row.face,
                "values": base64.b64encode(row.values.tobytes()).decode(),
                "top": float(f"{row.top:.3g}"),
                "gaps": [[round(begin, 3), round(end, 3)] for begin, end in row.gaps],
            }
            for row in rows
        ],
        "events": [
            {
                "n": event.number,
                "f": place[event.face],
                "k": event.kind,
                "t": [round(at, 4) for at in (event.onset_s, event.apex_s, event.offset_s)],
                "c": None if math.isnan(event.confidence) else round(event.confidence, 3),
                "e": event.emotion,
                "s": event.number in shown,
            }
            for event in events
            if event.face in place
        ],
    }


def overview(rows: Sequence[Row], events: Sequence[EventRow], duration: float) -> Markup:
    """The whole recording as an ``<svg>`` of fixed height, stretched to the page's width; it needs no script."""
    height = _ROW * len(rows)
    parts = []
    for number, row in enumerate(rows):
        base = _ROW * (number + 1) - 2
        tall = _ROW - 8
        for begin, end in row.gaps:
            left, wide = begin / duration * _WIDTH, max(0.5, (end - begin) / duration * _WIDTH)
            parts.append(f'<rect class="gap" x="{left:.2f}" y="{base - tall}" width="{wide:.2f}" height="{tall}"/>')
        for event in events:
            if event.face != row.face:
                continue
            left = event.onset_s / duration * _WIDTH
            wide = max(1.5, event.duration / duration * _WIDTH)
            kind = event.kind if event.kind in ("micro", "macro") else "other"
            parts.append(
                f'<rect class="{kind}" x="{left:.2f}" y="{base - tall}" width="{wide:.2f}" height="{tall}">'
                f"<title>{escape(f'event {event.number}, {event.kind}, {clock(event.apex_s)}')}</title></rect>"
            )
        path = _outline(row.values, base, tall)
        parts.append(f'<path class="course" d="{path}"/><path class="base" d="M0 {base}H{_WIDTH}"/>')
    title = f"The whole recording, {clock(duration)}, with {len(events)} events"
    return Markup(
        f'<svg class="overview" viewBox="0 0 {_WIDTH} {height}" preserveAspectRatio="none" role="img" '
        f'style="height:{height}px"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def _outline(values: NDArray[np.uint8], base: float, tall: float) -> str:
    if not len(values):
        return ""
    edges = np.linspace(0, len(values), min(_OVERVIEW, len(values)) + 1).astype(int)
    heights = []
    for first, last in pairwise(edges):
        part = values[first:last]
        part = part[part != _NOTHING]
        heights.append(float(part.max()) / 254 if len(part) else 0.0)
    wide = _WIDTH / len(heights)
    steps = "".join(f"L{(k + 0.5) * wide:.1f} {base - tall * h:.1f}" for k, h in enumerate(heights))
    return f"M0 {base}{steps}L{_WIDTH} {base}Z"


def clock(seconds: float, digits: int = 2) -> str:
    """A time in a recording: minutes, or hours and minutes, and seconds.

    >>> clock(13.4167), clock(3723.5, 0), clock(float("nan"))
    ('0:13.42', '1:02:04', '–')
    """
    if not math.isfinite(seconds):
        return "–"
    scale = 10**digits
    whole = round(seconds * scale)
    minutes, rest = divmod(whole, 60 * scale)
    text = f"{rest // scale:02d}" + (f".{rest % scale:0{digits}d}" if digits else "")
    return f"{minutes // 60}:{minutes % 60:02d}:{text}" if minutes >= 60 else f"{minutes}:{text}"
