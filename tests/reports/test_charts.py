"""Ticks are round and span the data; lines stay inside their frame."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleeting.reports.charts import Bars, Reference, Series, bar_chart, line_chart, nice_ticks
from fleeting.reports.wording import figure, interval, listed, seconds, value

finite = st.floats(-1e6, 1e6, allow_nan=False)


@given(finite, finite, st.booleans())
def test_ticks_span_the_range_with_one_round_step(a: float, b: float, integer: bool) -> None:
    low, high = min(a, b), max(a, b)
    if high - low < 1e-6 * max(1.0, abs(low), abs(high)):
        return
    ticks = nice_ticks(low, high, integer=integer)
    assert ticks[0] <= low + 1e-6 * (high - low) and ticks[-1] >= high - 1e-6 * (high - low)
    assert 2 <= len(ticks) <= 8
    step = ticks[1] - ticks[0]
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert integer or min(abs(mantissa - m) for m in (1, 2, 2.5, 5, 10)) < 1e-3
    if integer:
        assert all(float(tick).is_integer() for tick in ticks)


@pytest.mark.parametrize("at", [0.0, 3.7, -2.0])
def test_equal_ends_are_widened(at: float) -> None:
    assert nice_ticks(at, at)[0] <= at <= nice_ticks(at, at)[-1]


@given(st.lists(st.one_of(finite, st.just(math.nan), st.just(math.inf)), min_size=1, max_size=30))
def test_a_chart_is_well_formed_and_inside_its_frame(values: list[float]) -> None:
    svg = line_chart("<t>", [Series("a & b", range(1, len(values) + 1), values, "c0")], x_label="x", y_label="<y>",
                     references=[Reference("r", 0.5), Reference("none", math.nan)])  # fmt: skip
    if not any(map(math.isfinite, values)):
        assert svg is None
        return
    root = ET.fromstring(str(svg))
    line = next(g for g in root.iter("g") if (g.get("class") or "").startswith("line"))
    assert line.find("title").text == "a & b"  # type: ignore[union-attr]
    numbers = [tuple(map(float, p.split())) for p in re.split("[ML]", line.find("path").get("d"))[1:]]  # type: ignore[union-attr,arg-type]
    assert len(numbers) == sum(map(math.isfinite, values))
    assert all(0 <= x <= 440 and 0 <= y <= 280 for x, y in numbers)
    assert [t.text for t in root.iter("text") if t.get("class") == "name"] == ["r"]


def test_one_epoch_is_a_point() -> None:
    assert "<circle" in str(line_chart("t", [Series("a", [1], [0.5])], x_label="x", y_label="y"))


def test_numbers_as_text() -> None:
    assert figure("") == figure("nan") == "–"
    assert interval("", "0.5") == "" and interval(0.5, 0.75) == "[0.50, 0.75]"
    assert listed([]) == "" and listed(["a"]) == "a" and listed(["a", "b", "c"]) == "a, b and c"
    assert [seconds(s) for s in (5, 200, 7500, math.nan)] == ["5 s", "3 min 20 s", "2 h 5 min", "–"]
    texts = {"yes": True, "none": None, "0.001": 0.001, "1,613,587": 1613587, "a 1": {"a": 1}, "1, 2": [1, 2]}
    assert all(value(item) == text for text, item in texts.items())


@given(st.lists(st.one_of(finite, st.just(math.nan), st.just(math.inf)), min_size=1, max_size=12), st.booleans())
def test_bars_are_well_formed_and_inside_their_frame(values: list[float], ends: bool) -> None:
    more = {"low": [v - 1 for v in values], "high": [v + 1 for v in values]} if ends else {}
    svg = bar_chart("<t>", [f"a & {at} " * 5 for at in range(len(values))], [Bars("<b>", values, **more)],
                    value_label="<v>", references=[Reference("r", 0.5)])  # fmt: skip
    if not any(map(math.isfinite, values)):
        assert svg is None
        return
    root = ET.fromstring(str(svg))
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    bars = list(root.iter("rect"))
    assert len(bars) == sum(map(math.isfinite, values))
    for bar in bars:
        x, y, w, h = (float(bar.attrib[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0 and x + w <= width and y >= 0 and y + h <= height and w >= 0
    assert len([t for t in root.iter("text") if t.get("class") == "value"]) == len(values)


def test_values_beyond_the_limits_widen_them() -> None:
    svg = str(line_chart("t", [Series("a", [1, 2], [0.2, 1.6])], x_label="x", y_label="y", y_limits=(0, 1)))
    assert ">2.0<" in svg and not re.search(r"[ML ]-\d", svg)
