"""Line charts as inline SVG, drawn with the page's own CSS variables so that they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

__all__ = ["Reference", "Series", "line_chart", "nice_ticks"]

_WIDTH, _HEIGHT = 440, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 14, 14, 42


@dataclass(frozen=True)
class Series:
    """One line: ``style`` is its CSS class; points that are not finite are left out."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    style: str = ""


@dataclass(frozen=True)
class Reference:
    """A horizontal dashed line with a label."""

    name: str
    y: float


def nice_ticks(low: float, high: float, count: int = 5, integer: bool = False) -> list[float]:
    """Round values that span ``[low, high]``: steps of 1, 2, 2.5 or 5 times a power of ten.

    Parameters
    ----------
    low, high : finite ends; equal ends are widened.
    count : about how many ticks.
    integer : whether steps must be whole.

    Examples
    --------
    >>> nice_ticks(0, 0.93)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    >>> nice_ticks(1, 10, integer=True)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    if not high > low:
        low, high = low - (0.5 if not integer else 0), low + (0.5 if not integer else 1)
    raw = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * (1 - 1e-9))
    if integer:
        step = max(1.0, float(math.ceil(step)))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _number(value: float, step: float) -> str:
    if abs(value) >= 1e5 or 0 < step < 1e-4:
        return f"{value:.1e}"
    digits = next(d for d in range(7) if math.isclose(step * 10**d, round(step * 10**d), rel_tol=1e-6))
    return f"{value:.{digits}f}"


def line_chart(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    references: Sequence[Reference] = (),
    y_limits: tuple[float, float] | None = None,
) -> Markup | None:
    """Draw lines over a common axis.

    Parameters
    ----------
    title : what the chart shows; read out by screen readers.
    series : the lines, drawn in this order.
    x_label, y_label : axis titles.
    references : dashed horizontal lines.
    y_limits : ends of the y axis; by default from 0 to beyond the largest value.

    Returns
    -------
    An ``<svg>`` element, or ``None`` if there is no finite point.
    """
    lines = []
    for one in series:
        points = [(x, y) for x, y in zip(one.x, one.y) if math.isfinite(x) and math.isfinite(y)]
        if points:
            lines.append((one, points))
    if not lines:
        return None
    marks = [reference for reference in references if math.isfinite(reference.y)]
    xs = [x for _, points in lines for x, _ in points]
    ys = [y for _, points in lines for _, y in points] + [mark.y for mark in marks]
    x_low, x_high = min(xs), max(xs)
    if x_high == x_low:
        x_low, x_high = x_low - 1, x_high + 1
    low, high = y_limits or (min(0.0, min(ys)), max(ys) if max(ys) > min(0.0, min(ys)) else 1.0)
    y_ticks = nice_ticks(low, high)
    low, high = y_ticks[0], y_ticks[-1]

    def at_x(x: float) -> float:
        return _LEFT + (x - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)

    def at_y(y: float) -> float:
        return _HEIGHT - _BOTTOM - (y - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">',
        '<g class="grid">',
    ]
    y_step = y_ticks[1] - y_ticks[0]
    parts += [f'<path d="M{_LEFT} {at_y(tick):.1f}H{right}"/>' for tick in y_ticks]
    parts.append('</g><g class="ticks">')
    parts += [
        f'<text x="{_LEFT - 8}" y="{at_y(tick) + 4:.1f}" text-anchor="end">{_number(tick, y_step)}</text>'
        for tick in y_ticks
    ]
    x_ticks = [tick for tick in nice_ticks(x_low, x_high, 6, integer=True) if x_low <= tick <= x_high]
    if not x_ticks or at_x(x_ticks[0]) - at_x(x_low) > 24:
        x_ticks.insert(0, x_low)
    parts += [
        f'<path d="M{at_x(tick):.1f} {bottom}v5"/>'
        f'<text x="{at_x(tick):.1f}" y="{bottom + 19}" text-anchor="middle">{tick:.0f}</text>'
        for tick in x_ticks
    ]
    parts.append(
        f'</g><g class="axis"><path d="M{_LEFT} {bottom}H{right}"/>'
        f'<text x="{(_LEFT + right) / 2:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>'
        f'<text transform="translate(12 {(_TOP + bottom) / 2:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text></g>"
    )
    parts += [f'<path class="reference" d="M{_LEFT} {at_y(mark.y):.1f}H{right}"/>' for mark in marks]
    for one, points in lines:
        path = "M" + "L".join(f"{at_x(x):.1f} {at_y(y):.1f}" for x, y in points)
        parts.append(f'<g class="line {escape(one.style)}"><title>{escape(one.name)}</title><path d="{path}"/>')
        if len(points) == 1:
            parts.append(f'<circle cx="{at_x(points[0][0]):.1f}" cy="{at_y(points[0][1]):.1f}" r="3"/>')
        parts.append("</g>")
    for mark in marks:
        y = at_y(mark.y)
        # Above its line, or below where there is no room.
        text_y = y - 7 if y - 18 > _TOP else y + 16
        parts.append(f'<text class="name" x="{right}" y="{text_y:.1f}" text-anchor="end">{escape(mark.name)}</text>')
    parts.append("</svg>")
    return Markup("".join(parts))  # every text in it is escaped above
