import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleeting.errors import UsageError
from fleeting.sequences import apex_window, initial_window


@pytest.mark.parametrize(("length", "first", "last"), [(36, -18, 17), (26, -13, 12), (30, -15, 14)])
def test_the_papers_windows(length, first, last):
    """36 frames take 18 before the apex and 18 from it on (Talluri et al. 2022, sec. 4.4)."""
    window = apex_window(200, 100, length)
    assert window.tolist() == list(range(100 + first, 100 + last + 1))


def test_short_clips_repeat_first_and_last():
    assert apex_window(4, 1, 8).tolist() == [0, 0, 0, 0, 1, 2, 3, 3]
    assert initial_window(3, 5).tolist() == [0, 1, 2, 2, 2]
    assert apex_window(10, 9, 6, step=3).tolist() == [0, 3, 6, 9, 9, 9]


@given(st.data(), st.integers(1, 80), st.integers(1, 60), st.integers(1, 4), st.sampled_from(["repeat", "shift"]))
def test_windows_stay_inside_and_rise(data, n_frames, length, step, fill):
    apex = data.draw(st.integers(0, n_frames - 1))
    window = apex_window(n_frames, apex, length, step=step, fill=fill)
    assert window.shape == (length,) and window.dtype == np.int64
    assert window.min() >= 0 and window.max() < n_frames
    steps = np.diff(window)
    assert (steps >= 0).all() and (steps <= step).all()
    if fill == "repeat":
        assert window[length // 2] == apex
    elif (length - 1) * step < n_frames:
        assert len(set(window.tolist())) == length


@given(st.integers(1, 80), st.integers(1, 60), st.integers(1, 4))
def test_initial_windows_start_at_the_start(n_frames, length, step):
    window = initial_window(n_frames, length, step=step)
    assert window[0] == 0
    assert window.tolist() == [min(k * step, n_frames - 1) for k in range(length)]


@pytest.mark.parametrize("call", [
    lambda: apex_window(5, 5, 3), lambda: apex_window(5, -1, 3), lambda: apex_window(5, 1, 0),
    lambda: apex_window(0, 0, 3), lambda: initial_window(5, 3, step=0), lambda: apex_window(5, 1, 3, fill="wrap"),
])  # fmt: skip
def test_impossible_windows(call):
    with pytest.raises(UsageError):
        call()
