"""Frames in memory, and stretches of other sources."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import numbered

from fleeting.clips import ArrayFrames, FrameSlice
from fleeting.errors import EmptyClipError, UsageError


def test_arrays():
    grey = ArrayFrames(np.full((3, 4, 5), 7, np.uint8), fps=10)
    assert grey[0].shape == (4, 5, 3) and grey.size == (5, 4)
    with pytest.raises(UsageError, match="float64"):
        ArrayFrames(np.zeros((3, 4, 5)))
    with pytest.raises(EmptyClipError):
        ArrayFrames(np.zeros((0, 4, 5), np.uint8))


@given(st.integers(1, 9), st.data())
def test_a_slice_is_its_stretch(length, data):
    source = ArrayFrames(numbered(length))
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    part = FrameSlice(source, start, stop)
    assert len(part) == stop - start
    assert all(np.array_equal(part[i], source[start + i]) for i in range(len(part)))
    with pytest.raises(IndexError):
        part[len(part)]


def test_slices_outside_are_refused_and_have_their_own_digest():
    source = ArrayFrames(numbered(4))
    for start, stop in ((-1, 2), (2, 2), (0, 5)):
        with pytest.raises(UsageError):
            FrameSlice(source, start, stop)
    assert FrameSlice(source, 0, 2).digest() != FrameSlice(source, 1, 3).digest()
