"""Line and bar charts as inline SVG, drawn with the page's own CSS variables so that they follow light and dark."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

__all__ = ["Bars", "Reference", "Series", "bar_chart", "line_chart", "nice_ticks"]

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
    """Give round values that span ``[low, high]``: steps of 1, 2, 2.5 or 5 times a power of ten.

    Parameters
    ----------
    low, high : float
        Finite ends; equal ends are widened.
    count : int, optional
        About how many ticks.
    integer : bool, optional
        If True, steps are whole.

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
    # Rounding must not cost a step, nor may it hide values that are small beside one.
    slack = 1e-9 * min(1.0, raw / step)
    first, last = math.floor(low / step + slack), math.ceil(high / step - slack)
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
    title : str
        Title of the chart; read out by screen readers.
    series : sequence
        The lines, drawn in this order.
    x_label, y_label : str
        Axis titles.
    references : sequence, optional
        Dashed horizontal lines.
    y_limits : tuple of (float, float) or None, optional
        Ends of the y axis, moved out for values beyond them; by default from 0 to beyond the largest value.

    Returns
    -------
    Markup or None
        An ``<svg>`` element, or ``None`` if there is no finite point.
    """
    lines = _finite(series)
    if not lines:
        return None
    marks = [reference for reference in references if math.isfinite(reference.y)]
    axes = _axes(lines, marks, y_limits)
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">',
        *_frame(axes, x_label, y_label),
        *(f'<path class="reference" d="M{_LEFT} {axes.at_y(mark.y):.1f}H{_WIDTH - _RIGHT}"/>' for mark in marks),
    ]
    for one, points in lines:
        parts += _line(axes, one, points)
    parts += _names(axes, marks)
    parts.append("</svg>")
    return Markup("".join(parts))  # every text in it is escaped above


Points = list[tuple[float, float]]


def _finite(series: Sequence[Series]) -> list[tuple[Series, Points]]:
    """The lines with their finite points; lines without any are left out."""
    found = []
    for one in series:
        points = [(x, y) for x, y in zip(one.x, one.y) if math.isfinite(x) and math.isfinite(y)]
        if points:
            found.append((one, points))
    return found


@dataclass(frozen=True)
class _Axes:
    """Both axes of a line chart: the ends of x, the ticks of both, and whether x is a scale of powers of ten."""

    x_low: float
    x_high: float
    x_ticks: list[float]
    x_texts: list[str]
    y_ticks: list[float]
    powers: bool

    def at_x(self, x: float) -> float:
        low, high, x = (math.log10(v) if self.powers else v for v in (self.x_low, self.x_high, x))
        return _LEFT + (x - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def at_y(self, y: float) -> float:
        low, high = self.y_ticks[0], self.y_ticks[-1]
        return _HEIGHT - _BOTTOM - (y - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)


def _axes(
    lines: Sequence[tuple[Series, Points]], marks: Sequence[Reference], y_limits: tuple[float, float] | None
) -> _Axes:
    xs = [x for _, points in lines for x, _ in points]
    ys = [y for _, points in lines for _, y in points] + [mark.y for mark in marks]
    x_low, x_high = min(xs), max(xs)
    if x_high == x_low:
        x_low, x_high = x_low - 1, x_high + 1
    low, high = y_limits or (min(0.0, min(ys)), max(ys) if max(ys) > min(0.0, min(ys)) else 1.0)
    low, high = min(low, *ys, high), max(high, *ys)
    # Steps of a sweep, such as learning rates, lie powers of ten apart.
    powers = x_low > 0 and x_high / x_low >= 50 and not all(float(x).is_integer() for x in xs)
    x_ticks, x_texts = _x_ticks(xs, x_low, x_high, powers)
    axes = _Axes(x_low, x_high, x_ticks, x_texts, nice_ticks(low, high), powers)
    if not x_ticks or axes.at_x(x_ticks[0]) - axes.at_x(x_low) > 24:
        x_ticks.insert(0, x_low)
        x_texts.insert(0, f"{x_low:g}")
    return axes


def _frame(axes: _Axes, x_label: str, y_label: str) -> Iterator[str]:
    """The grid, the ticks with their numbers, and the titles of both axes."""
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    y_step = axes.y_ticks[1] - axes.y_ticks[0]
    yield '<g class="grid">'
    for tick in axes.y_ticks:
        yield f'<path d="M{_LEFT} {axes.at_y(tick):.1f}H{right}"/>'
    yield '</g><g class="ticks">'
    for tick in axes.y_ticks:
        yield f'<text x="{_LEFT - 8}" y="{axes.at_y(tick) + 4:.1f}" text-anchor="end">{_number(tick, y_step)}</text>'
    for tick, text in zip(axes.x_ticks, axes.x_texts):
        yield (
            f'<path d="M{axes.at_x(tick):.1f} {bottom}v5"/>'
            f'<text x="{axes.at_x(tick):.1f}" y="{bottom + 19}" text-anchor="middle">{text}</text>'
        )
    yield (
        f'</g><g class="axis"><path d="M{_LEFT} {bottom}H{right}"/>'
        f'<text x="{(_LEFT + right) / 2:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>'
        f'<text transform="translate(12 {(_TOP + bottom) / 2:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text></g>"
    )


def _line(axes: _Axes, one: Series, points: Points) -> Iterator[str]:
    path = "M" + "L".join(f"{axes.at_x(x):.1f} {axes.at_y(y):.1f}" for x, y in points)
    yield f'<g class="line {escape(one.style)}"><title>{escape(one.name)}</title><path d="{path}"/>'
    if len(points) == 1 or axes.powers:
        for x, y in points:
            yield f'<circle cx="{axes.at_x(x):.1f}" cy="{axes.at_y(y):.1f}" r="3"/>'
    yield "</g>"


def _names(axes: _Axes, marks: Sequence[Reference]) -> Iterator[str]:
    """The names of the dashed lines, none upon another."""
    taken: list[float] = []
    for mark in sorted(marks, key=lambda one: -one.y):
        y = axes.at_y(mark.y)
        # Above its line, or below where there is no room.
        places = [y - 7, y + 16] if y - 18 > _TOP else [y + 16]
        text_y = next((place for place in places if all(abs(place - other) > 15 for other in taken)), places[-1])
        taken.append(text_y)
        right = _WIDTH - _RIGHT
        yield f'<text class="name" x="{right}" y="{text_y:.1f}" text-anchor="end">{escape(mark.name)}</text>'


def _x_ticks(xs: Sequence[float], low: float, high: float, powers: bool) -> tuple[list[float], list[str]]:
    if powers:
        whole = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
        ticks = [tick for tick in whole if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        return ticks, [f"{tick:g}" for tick in ticks]
    spaced = nice_ticks(low, high, 6, integer=all(float(x).is_integer() for x in xs))
    ticks = [tick for tick in spaced if low <= tick <= high]
    return ticks, [_number(tick, spaced[1] - spaced[0]) for tick in ticks]


@dataclass(frozen=True)
class Bars:
    """One bar per category: ``low`` and ``high`` end its interval; what is not finite is left out.

    ``style`` is a CSS class, ``digits`` how many follow the point in the values written beside the bars.
    """

    name: str
    values: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    style: str = ""
    digits: int = 2


_BAR, _GAP, _LINE, _CHARACTER = 14, 12, 15, 6.8


def bar_chart(
    title: str,
    categories: Sequence[str],
    series: Sequence[Bars],
    *,
    value_label: str,
    limits: tuple[float, float] | None = None,
    references: Sequence[Reference] = (),
) -> Markup | None:
    """Draw groups of horizontal bars, one group per category, with each value written at its bar's end.

    Parameters
    ----------
    title : str
        Title of the chart; read out by screen readers.
    categories : sequence
        Names, one per group; long ones run over several lines.
    series : sequence
        The bars of each group, from above; as many values as categories.
    value_label : str
        Title of the value axis.
    limits : tuple of (float, float) or None, optional
        Ends of the value axis, moved out for values beyond them; by default from 0 to beyond the largest.
    references : sequence, optional
        Dashed vertical lines.

    Returns
    -------
    Markup or None
        An ``<svg>`` element, or ``None`` if there is no finite value.
    """
    marks = [mark for mark in references if math.isfinite(mark.y)]
    found = [value for one in series for value in (*one.values, *one.low, *one.high) if math.isfinite(value)]
    if not any(math.isfinite(value) for one in series for value in one.values):
        return None
    found += [mark.y for mark in marks] + list(limits or (0.0,))
    ticks = nice_ticks(min(0.0, *found), max(found))
    low, high = ticks[0], ticks[-1]
    names = [_wrapped(name) for name in categories]
    left = min(180.0, 14 + _CHARACTER * max((len(line) for lines in names for line in lines), default=0))
    right, top = _WIDTH - 52, _TOP + (16 if marks else 0)
    heights = [max(_BAR * len(series), _LINE * len(lines)) + _GAP for lines in names]
    bottom = top + sum(heights)

    def at(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    step = ticks[1] - ticks[0]
    parts = [
        f'<svg class="chart bars" viewBox="0 0 {_WIDTH} {bottom + 44}" role="img" aria-label="{escape(title)}">',
        '<g class="grid">',
        *(f'<path d="M{at(tick):.1f} {top}V{bottom}"/>' for tick in ticks),
        '</g><g class="ticks">',
        *(
            f'<text x="{at(tick):.1f}" y="{bottom + 18}" text-anchor="middle">{_number(tick, step)}</text>'
            for tick in ticks
        ),
        f'</g><g class="axis"><path d="M{at(max(low, 0.0)):.1f} {top}V{bottom}"/>'
        f'<text x="{(left + right) / 2:.0f}" y="{bottom + 38}" text-anchor="middle">{escape(value_label)}</text></g>',
    ]
    y: float = top
    for place, (lines, height) in enumerate(zip(names, heights)):
        middle = y + height / 2
        first = middle - _LINE * (len(lines) - 1) / 2 + 4
        parts += [
            f'<text class="category" x="{left - 8:.1f}" y="{first + _LINE * number:.1f}" text-anchor="end">'
            f"{escape(line)}</text>"
            for number, line in enumerate(lines)
        ]
        bar_y = middle - _BAR * len(series) / 2
        for one in series:
            parts += _one_bar(one, place, str(categories[place]), bar_y, at)
            bar_y += _BAR
        y += height
    for mark in marks:
        side = "end" if at(mark.y) > (left + right) / 2 else "start"
        parts.append(
            f'<path class="reference" d="M{at(mark.y):.1f} {top - 4}V{bottom}"/>'
            f'<text class="name" x="{at(mark.y):.1f}" y="{top - 9}" text-anchor="{side}">{escape(mark.name)}</text>'
        )
    parts.append("</svg>")
    return Markup("".join(parts))  # every text in it is escaped above


def _one_bar(one: Bars, place: int, category: str, y: float, at: Callable[[float], float]) -> Iterator[str]:
    value = one.values[place]
    middle = y + _BAR / 2
    if not math.isfinite(value):
        yield f'<text class="value" x="{at(0) + 5:.1f}" y="{middle + 4:.1f}">–</text>'
        return
    start, end = sorted((at(0.0), at(value)))
    yield (
        f'<g class="bar {escape(one.style)}"><title>{escape(category)}, {escape(one.name)}: {value:.{one.digits}f}</title>'
        f'<rect x="{start:.1f}" y="{y + 1:.1f}" width="{end - start:.1f}" height="{_BAR - 2}"/></g>'
    )
    ends = (one.low[place], one.high[place]) if place < min(len(one.low), len(one.high)) else (math.nan, math.nan)
    if all(map(math.isfinite, ends)):
        yield (
            f'<path class="whisker" d="M{at(ends[0]):.1f} {middle:.1f}H{at(ends[1]):.1f}'
            f'M{at(ends[0]):.1f} {middle - 3:.1f}v6M{at(ends[1]):.1f} {middle - 3:.1f}v6"/>'
        )
        end = max(end, at(ends[1]))
    yield f'<text class="value" x="{end + 5:.1f}" y="{middle + 4:.1f}">{value:.{one.digits}f}</text>'


def _wrapped(name: str) -> list[str]:
    """A name in at most three lines of about 22 characters."""
    lines = textwrap.wrap(" ".join(str(name).split()), 22) or [""]
    return lines if len(lines) <= 3 else [*lines[:2], lines[2][:21] + "…"]
