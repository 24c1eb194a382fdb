import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.errors import UsageError
from fleeting.motion import optical_strain
from fleeting.motion.bi_woof import bi_woof_features


def some_flow(shape=(13, 11), seed=0):
    return np.random.default_rng(seed).normal(0, 1, (*shape, 2)).astype(np.float32)


def slow_features(flow, grid, bins):
    """Pixel by pixel, as the authors' published code sums it up."""
    height, width = flow.shape[:2]
    strain = optical_strain(flow)
    histograms = np.zeros((*grid, bins))
    stretched, pixels = np.zeros(grid), np.zeros(grid)
    for y in range(height):
        for x in range(width):
            place = y * grid[0] // height, x * grid[1] // width
            u, v = (float(value) for value in flow[y, x])
            degrees = math.degrees(math.atan2(v, u))
            direction = min(k for k in range(bins) if degrees < -180 + 360 / bins * (k + 1) or k == bins - 1)
            histograms[(*place, direction)] += math.hypot(u, v)
            stretched[place] += float(strain[y, x])
            pixels[place] += 1
    for row in range(grid[0]):
        for column in range(grid[1]):
            histograms[row, column] /= histograms[row, column].sum()
            histograms[row, column] *= stretched[row, column] / pixels[row, column]
    return histograms.ravel() / np.sqrt(np.square(histograms).sum())


@pytest.mark.parametrize(("grid", "bins"), [((5, 5), 8), ((2, 3), 6), ((1, 1), 2), ((13, 11), 8)])
def test_as_a_slow_reference(grid, bins):
    flow = some_flow()
    found = bi_woof_features(flow, grid=grid, bins=bins)
    assert found.dtype == np.float32 and found.shape == (grid[0] * grid[1] * bins,)
    np.testing.assert_allclose(found, slow_features(flow, grid, bins), atol=1e-6)


@pytest.mark.parametrize(
    ("u", "v", "direction"),
    [(-1, -0.1, 0), (-0.1, -1, 1), (0.1, -1, 2), (1, -0.1, 3), (1, 0.1, 4), (0.1, 1, 5), (-0.1, 1, 6), (-1, 0.1, 7)],
)
def test_directions_begin_at_the_left_and_go_over_the_top(u, v, direction):
    flow = np.linspace(1, 2, 8)[:, None, None] * np.broadcast_to(np.array([u, v], np.float32), (8, 8, 2))
    assert np.flatnonzero(bi_woof_features(flow, grid=(1, 1))).tolist() == [direction]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_length_one_whatever_the_intensity(seed, factor):
    flow = some_flow(seed=seed)
    found = bi_woof_features(flow, grid=(3, 2))
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(found, bi_woof_features(flow * np.float32(factor), grid=(3, 2)), atol=1e-4)


def test_blocks_that_are_moved_but_not_stretched_say_nothing():
    flow = np.ones((20, 20, 2), np.float32)
    assert not bi_woof_features(flow, grid=(2, 2)).any()
    flow[:8, :8] = some_flow((8, 8))
    found = bi_woof_features(flow, grid=(2, 2)).reshape(4, 8)
    assert found[0].any() and not found[1:].any()
    assert not bi_woof_features(np.zeros((9, 9, 2), np.float32)).any()


@pytest.mark.parametrize(
    ("flow", "options"),
    [
        (np.zeros((9, 9), np.float32), {}),
        (np.zeros((9, 9, 3), np.float32), {}),
        (np.zeros((4, 9, 2), np.float32), {}),
        (np.zeros((0, 0, 2), np.float32), {}),
        (np.zeros((9, 9, 2), np.float32), {"bins": 1}),
        (np.zeros((9, 9, 2), np.float32), {"grid": (0, 1)}),
    ],
)
def test_what_is_no_flow(flow, options):
    with pytest.raises(UsageError, match="needs a flow"):
        bi_woof_features(flow, **options)
