import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.errors import UsageError
from fleeting.motion.lbp import histogram_distance, lbp_codes, lbp_histogram, uniform_labels


def _slow_codes(image, radius):
    """Ojala et al. 2002, pixel by pixel and neighbour by neighbour."""
    height, width = image.shape

    def at(y, x):
        return float(image[min(max(y, 0), height - 1), min(max(x, 0), width - 1)])

    codes = np.zeros(image.shape, np.uint8)
    for y in range(height):
        for x in range(width):
            for p in range(8):
                py = y - radius * math.sin(2 * math.pi * p / 8)
                px = x + radius * math.cos(2 * math.pi * p / 8)
                y0, x0 = math.floor(py + 1e-9), math.floor(px + 1e-9)
                fy, fx = py - y0, px - x0
                top = at(y0, x0) * (1 - fx) + at(y0, x0 + 1) * fx
                bottom = at(y0 + 1, x0) * (1 - fx) + at(y0 + 1, x0 + 1) * fx
                if top * (1 - fy) + bottom * fy >= at(y, x) - 1e-3:
                    codes[y, x] |= 1 << p
    return codes


@pytest.mark.parametrize("radius", [1, 2, 3])
@pytest.mark.parametrize("shape", [(17, 13), (1, 5), (4, 1), (3, 3)])
def test_codes_are_those_of_a_slow_reference(radius, shape):
    image = np.random.default_rng(radius).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(lbp_codes(image, radius), _slow_codes(image, radius))
    ramp = np.add.outer(np.arange(shape[0]), np.arange(shape[1])).astype(np.uint8)
    assert np.array_equal(lbp_codes(ramp, radius), _slow_codes(ramp, radius))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(0, 60), st.sampled_from([1, 2, 3]))
def test_brighter_light_and_more_contrast_change_no_code(seed, gain, offset, radius):
    image = np.random.default_rng(seed).integers(0, 64, (9, 11), dtype=np.uint8)
    assert np.array_equal(lbp_codes(image, radius), lbp_codes((image * gain + offset).astype(np.uint8), radius))


def test_flat_skin_has_one_code_and_a_lone_bright_pixel_none():
    assert (lbp_codes(np.full((6, 7), 93, np.uint8), 2) == 255).all()
    lone = np.zeros((5, 5), np.uint8)
    lone[2, 2] = 9
    assert lbp_codes(lone)[2, 2] == 0


def test_there_are_58_uniform_patterns():
    labels = uniform_labels()
    changes = [sum((code >> p & 1) != (code >> (p + 1) % 8 & 1) for p in range(8)) for code in range(256)]
    assert [label < 58 for label in labels] == [n <= 2 for n in changes]
    assert sorted({int(label) for label in labels}) == list(range(59))


def test_histograms_are_shares_and_their_distance_is_that_of_yan_et_al():
    codes = np.array([[0, 255, 255], [5, 5, 255]], np.uint8)
    histogram = lbp_histogram(codes)
    assert histogram.sum() == pytest.approx(1)
    assert histogram[uniform_labels()[255]] == pytest.approx(0.5)
    assert histogram[58] == pytest.approx(2 / 6)  # 5 = 00000101 is not uniform
    assert lbp_histogram(codes, uniform=False).shape == (256,)
    a, b = np.array([3.0, 4, 0]), np.array([4.0, 3, 0])
    assert histogram_distance(a, b) == pytest.approx(1 - 24 / 25)
    assert histogram_distance(a, 7 * a) == pytest.approx(0)
    assert histogram_distance(a, np.array([0, 0, 1.0])) == 1
    assert histogram_distance(np.stack([a, b]), np.stack([b, b])) == pytest.approx([1 - 24 / 25, 0])


@pytest.mark.parametrize(
    ("image", "radius"),
    [
        (np.zeros((4, 4)), 1),
        (np.zeros((4, 4, 3), np.uint8), 1),
        (np.zeros((0, 4), np.uint8), 1),
        (np.zeros((4, 4), np.uint8), 0),
    ],
)
def test_what_has_no_patterns_is_refused(image, radius):
    with pytest.raises(UsageError, match="grey uint8"):
        lbp_codes(image, radius)
