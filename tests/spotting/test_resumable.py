"""Stopped anywhere and gone on with by another object, the parts that work on a stream give the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.errors import FleetingError
from fleeting.spotting import FrameMotion, IntervalSpotter
from fleeting.spotting.intervals_motion import MAP_SIDE, N_REGIONS


def rows(n=900, fps=100.0):
    """Measurements of a face that lifts its brows twice."""
    rng = np.random.default_rng(0)
    times = np.arange(n) / fps
    made = []
    for k, t in enumerate(times):
        position = rng.normal(0, 0.01, (N_REGIONS, 2))
        position[:5, 1] -= 2 * sum(np.exp(-0.5 * ((t - at) / 0.06) ** 2) for at in (2.0, 6.0))
        f = np.float32
        zeros = np.zeros((MAP_SIDE, MAP_SIDE, 2), f)
        made.append(FrameMotion(k, True, 0, position.astype(f), np.zeros(6, f), 0.0, np.ones(2, f), zeros))
    return made


ROWS = rows()


def spotted(spotter, part):
    return [event for row in part for event in spotter.push(row)]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, len(ROWS)))
def test_a_spotter_goes_on_from_its_state(at):
    first, second, whole = (IntervalSpotter(100.0, wait=1.5) for _ in range(3))
    expected = spotted(whole, ROWS) + whole.finish()
    found = spotted(first, ROWS[:at])
    second.restore(first.state())
    found += spotted(second, ROWS[at:]) + second.finish()
    assert found == expected and len(expected) == 2


def test_the_state_of_something_else_is_refused():
    spotter = IntervalSpotter(100.0)
    state = spotter.state()
    state["older"] = state.pop("_told")
    with pytest.raises(FleetingError, match=r"another version.*_told, older"):
        spotter.restore(state)
    assert "settings" not in state
