import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.errors import UsageError
from fleeting.motion.lbp import uniform_labels
from fleeting.motion.lbp_top import BINS, lbp_top_features


def noise(shape, seed=0, high=256):
    return np.random.default_rng(seed).integers(0, high, shape, dtype=np.uint8)


def slow_features(video, grid, radii):
    """Zhao and Pietikäinen 2007, pixel by pixel and neighbour by neighbour; bins are numbered as in `uniform_labels`."""
    frames, height, width = video.shape
    rx, ry, rt = radii
    bins = uniform_labels()
    inner_height, inner_width = height - 2 * ry, width - 2 * rx
    counts = np.zeros((*grid, 3, BINS))

    def at(t, y, x):
        """Trilinear; the places come with a whole coordinate at least."""
        value = 0.0
        for dt in (0, 1):
            for dy in (0, 1):
                for dx in (0, 1):
                    share = 1.0
                    place = []
                    for where, step in ((t, dt), (y, dy), (x, dx)):
                        low = math.floor(where + 1e-9)
                        part = where - low
                        share *= part if step else 1 - part
                        place.append(low + step)
                    if abs(share) > 1e-9:
                        value += share * float(video[tuple(place)])
        return value

    for t in range(rt, frames - rt):
        for y in range(ry, height - ry):
            for x in range(rx, width - rx):
                row, column = (y - ry) * grid[0] // inner_height, (x - rx) * grid[1] // inner_width
                for plane in range(3):
                    code = 0
                    for p in range(8):
                        up, right = math.sin(2 * math.pi * p / 8), math.cos(2 * math.pi * p / 8)
                        place = (
                            (t, y - ry * up, x + rx * right),
                            (t - rt * up, y, x + rx * right),
                            (t - rt * up, y + ry * right, x),
                        )[plane]
                        code |= (at(*place) >= float(video[t, y, x]) - 1e-3) << p
                    counts[row, column, plane, bins[code]] += 1
    return (counts / counts.sum(-1, keepdims=True)).ravel()


@pytest.mark.parametrize(
    ("shape", "grid", "radii"),
    [
        ((10, 9, 11), (2, 3), (1, 1, 4)),
        ((7, 10, 9), (3, 2), (2, 1, 3)),
        ((5, 9, 8), (1, 1), (1, 3, 2)),
        ((3, 7, 7), (5, 5), (1, 1, 1)),
    ],
)
def test_as_a_slow_reference(shape, grid, radii):
    video = noise(shape, seed=sum(shape))
    found = lbp_top_features(video, grid=grid, radii=radii)
    assert found.dtype == np.float32 and found.shape == (grid[0] * grid[1] * 3 * BINS,)
    np.testing.assert_allclose(found, slow_features(video, grid, radii), atol=1e-7)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(0, 60))
def test_shares_that_light_and_contrast_do_not_change(seed, gain, offset):
    video = noise((9, 8, 9), seed, high=64)
    found = lbp_top_features(video, grid=(2, 2))
    np.testing.assert_allclose(found.reshape(-1, BINS).sum(1), 1, rtol=1e-6)
    assert np.array_equal(found, lbp_top_features((video * gain + offset).astype(np.uint8), grid=(2, 2)))


def test_where_nothing_moves_nothing_changes_along_time():
    """Neighbours straight before and after are as bright as the pixel, so codes without both bits do not occur."""
    still = np.repeat(noise((1, 12, 12)), 9, axis=0)
    _, *over_time = lbp_top_features(still, grid=(1, 1)).reshape(3, BINS)
    possible = {int(uniform_labels()[code]) for code in range(256) if code >> 2 & 1 and code >> 6 & 1}
    for histogram in over_time:
        assert set(np.flatnonzero(histogram)) <= possible
    moving = lbp_top_features(noise((9, 12, 12)), grid=(1, 1)).reshape(3, BINS)
    assert not set(np.flatnonzero(moving[1])) <= possible


def test_a_video_on_its_side_swaps_the_planes_over_time():
    video = noise((9, 10, 10))
    _, xt, yt = lbp_top_features(video, grid=(1, 1)).reshape(3, BINS)
    _, xt_turned, yt_turned = lbp_top_features(video.transpose(0, 2, 1), grid=(1, 1)).reshape(3, BINS)
    assert np.array_equal(xt, yt_turned) and np.array_equal(yt, xt_turned)
    assert not np.array_equal(xt, yt)


def test_what_changes_in_one_block_changes_its_histograms_only():
    video = noise((9, 22, 22))
    other = video.copy()
    other[:, 2:6, 2:6] = noise((9, 4, 4), seed=1)
    before, after = (lbp_top_features(v, grid=(2, 2)).reshape(4, -1) for v in (video, other))
    assert not np.array_equal(before[0], after[0])
    assert np.array_equal(before[1:], after[1:])


@pytest.mark.parametrize(
    ("video", "options", "says"),
    [
        (np.zeros((9, 9, 9)), {}, "grey uint8 video"),
        (np.zeros((9, 9, 9, 1), np.uint8), {}, "grey uint8 video"),
        (np.zeros((9, 9, 9), np.uint8), {"radii": (1, 0, 4)}, "radii and blocks of at least 1"),
        (np.zeros((9, 9, 9), np.uint8), {"grid": (0, 5)}, "radii and blocks of at least 1"),
        (np.zeros((8, 9, 9), np.uint8), {}, "found 8 frames of 9x9 .*at least 9 frames of 7x7"),
        (np.zeros((9, 6, 9), np.uint8), {}, "at least 9 frames of 7x7"),
        (np.zeros((0, 9, 9), np.uint8), {}, "found 0 frames"),
    ],
)
def test_what_is_no_video_or_too_small(video, options, says):
    with pytest.raises(UsageError, match=says):
        lbp_top_features(video, **options)
