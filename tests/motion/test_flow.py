import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.errors import UsageError
from fleeting.motion import (
    FLOW_METHODS,
    dense_flow,
    fit_similarity,
    has_tvl1,
    main_direction,
    optical_strain,
    oriented_histogram,
    remove_head_motion,
    skin_flow,
)

SIDE = 96


def _texture(seed=0):
    rng = np.random.default_rng(seed)
    image = sum(s * cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE)), (0, 0), s) for s in (1.5, 3, 6))
    return np.clip(128 + 60 * image / image.std() / 1.5, 0, 255).astype(np.uint8)


def _moved(image, flow):
    yy, xx = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    return cv2.remap(image, xx - flow[..., 0], yy - flow[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def _bump(dx, dy, centre=(48, 60), sigma=9.0):
    yy, xx = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    weight = np.exp(-((xx - centre[0]) ** 2 + (yy - centre[1]) ** 2) / (2 * sigma**2))
    return np.stack([dx * weight, dy * weight], axis=2).astype(np.float32)


@pytest.mark.parametrize("method", FLOW_METHODS)
def test_flow_follows_a_known_subpixel_motion(method):
    if method == "tvl1" and not has_tvl1():
        pytest.skip("this OpenCV lacks the contributed modules")
    image, truth = _texture(), _bump(0.9, -0.6)
    flow = dense_flow(image, _moved(image, truth), method)
    assert flow.shape == (SIDE, SIDE, 2) and flow.dtype == np.float32
    where = np.hypot(truth[..., 0], truth[..., 1]) > 0.3
    assert flow[where][:, 0].mean() == pytest.approx(truth[where][:, 0].mean(), abs=0.15)
    assert flow[where][:, 1].mean() == pytest.approx(truth[where][:, 1].mean(), abs=0.15)


def test_still_images_do_not_move():
    image = _texture()
    assert np.abs(dense_flow(image, image)).max() < 0.05


def test_wrong_images_are_refused():
    image = _texture()
    with pytest.raises(UsageError, match="float64"):
        dense_flow(image.astype(float), image)
    with pytest.raises(UsageError, match="one shape"):
        dense_flow(image, image[:-1])
    with pytest.raises(UsageError, match="dis, farneback, tvl1"):
        dense_flow(image, image, "tvl2")


@settings(deadline=None, max_examples=30)
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-0.03, 0.03), st.floats(-0.03, 0.03))
def test_a_similarity_is_found_under_a_local_expression(a, b, turn, grow):
    yy, xx = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    x, y = xx - SIDE / 2, yy - SIDE / 2
    head = np.stack([a + grow * x - turn * y, b + turn * x + grow * y], axis=2).astype(np.float32)
    mask = np.ones((SIDE, SIDE), bool)
    expression = _bump(2.0, 1.0)
    assert np.abs(fit_similarity(head + expression, mask) - head).max() < 0.12
    rest = remove_head_motion(head + expression, mask)
    assert np.abs(rest - expression).max() < 0.12


def test_skin_flow_sees_a_small_expression_through_a_large_head_motion():
    image, expression = _texture(), _bump(1.2, -0.8)
    head = np.full((SIDE, SIDE, 2), [4.0, -3.0], np.float32)
    moved = _moved(_moved(image, expression), head)
    inner = np.zeros((SIDE, SIDE), bool)
    inner[10:-10, 10:-10] = True
    still = dense_flow(image, _moved(image, expression))
    found = skin_flow(image, moved, inner)
    assert np.abs(found - still)[inner].mean() < 0.08
    assert found[60, 48] == pytest.approx(still[60, 48], abs=0.2)


def test_skin_that_left_the_picture_has_no_motion():
    image = _texture()
    moved = _moved(image, np.full((SIDE, SIDE, 2), [0.0, -9.0], np.float32))
    found = skin_flow(image, moved, np.ones((SIDE, SIDE), bool))
    assert np.abs(found[:9]).max() == 0
    assert np.hypot(found[..., 0], found[..., 1]).max() < 0.6


def test_tvl1_without_the_contributed_modules_says_what_to_install(monkeypatch):
    monkeypatch.delattr(cv2, "optflow", raising=False)
    assert not has_tvl1()
    with pytest.raises(UsageError, match="opencv-contrib-python-headless"):
        dense_flow(_texture(), _texture(), "tvl1")


def test_an_empty_mask_removes_nothing():
    flow = _bump(1, 1)
    assert np.array_equal(remove_head_motion(flow, np.zeros((SIDE, SIDE), bool)), flow)


def test_strain_ignores_translation_and_measures_stretch():
    assert np.abs(optical_strain(np.full((20, 20, 2), 3.0, np.float32))).max() == 0
    yy, xx = np.mgrid[0:20, 0:20].astype(np.float32)
    stretch = np.stack([0.1 * xx, np.zeros_like(xx)], axis=2)
    assert optical_strain(stretch) == pytest.approx(np.full((20, 20), 0.1), abs=1e-6)
    # A rotation strains nothing; a shear of 0.1 strains by 0.05 in both off-diagonal terms.
    assert np.abs(optical_strain(np.stack([-0.1 * yy, 0.1 * xx], axis=2))).max() < 1e-6
    shear = optical_strain(np.stack([0.1 * yy, np.zeros_like(xx)], axis=2))
    assert shear == pytest.approx(np.full((20, 20), np.sqrt(2) * 0.05), abs=1e-6)


def test_histograms_of_oriented_flow_tell_directions_apart():
    flow = np.zeros((10, 10, 2), np.float32)
    flow[:5] = [2, 0.1]
    flow[5:8] = [0, -1]
    histogram = oriented_histogram(flow, 4)
    assert histogram == pytest.approx([0.5 * np.hypot(2, 0.1), 0, 0, 0.3], abs=1e-6)
    assert histogram.sum() == pytest.approx(np.hypot(flow[..., 0], flow[..., 1]).mean())
    direction, distance = main_direction(flow, 4)
    assert direction == pytest.approx(np.arctan2(0.1, 2), abs=1e-5)
    assert distance == pytest.approx(histogram.max())
    # Opposite ways do not cancel out, and nothing moves nowhere.
    flow[:5, :, 0] *= np.where(np.arange(10) % 2, 1, -1)
    assert main_direction(flow, 8)[1] == pytest.approx(0.25 * np.hypot(2, 0.1), abs=1e-6)
    assert main_direction(np.zeros((3, 3, 2), np.float32)) == (0.0, 0.0)
    with pytest.raises(UsageError, match="2 directions"):
        oriented_histogram(flow, 1)
    with pytest.raises(UsageError, match="a flow"):
        main_direction(flow[..., 0])


@given(st.integers(0, 10_000), st.floats(-2, 2), st.floats(-0.02, 0.02))
@settings(max_examples=20)
def test_the_similarity_is_that_of_weighted_least_squares(seed, shift, turn):
    """Against the design matrix and numpy's solver, round by round."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    flow = (
        np.stack([shift - turn * yy, -shift + turn * xx], axis=2)
        + _bump(2, -1)
        + 0.2 * rng.standard_normal((SIDE, SIDE, 2))
    )
    flow = flow.astype(np.float32)
    mask = (xx - 50) ** 2 + (yy - 45) ** 2 < 35**2
    ys, xs = np.nonzero(mask & (xx % 2 == 0) & (yy % 2 == 0))
    x, y = xs - SIDE / 2, ys - SIDE / 2
    one, none = np.ones(len(x)), np.zeros(len(x))
    design = np.vstack([np.stack([one, none, x, -y], 1), np.stack([none, one, y, x], 1)])
    target, weights = np.concatenate([flow[ys, xs, 0], flow[ys, xs, 1]]).astype(float), one
    for _ in range(8):
        w = np.sqrt(np.tile(weights, 2))
        a, b, c, d = np.linalg.lstsq(design * w[:, None], target * w, rcond=None)[0]
        distance = np.hypot(*(target - design @ [a, b, c, d]).reshape(2, -1))
        weights = np.clip(1 - (distance / (4 * max(np.median(distance), 0.01))) ** 2, 0, 1) ** 2
    x, y = xx - SIDE / 2, yy - SIDE / 2
    expected = np.stack([a + c * x - d * y, b + d * x + c * y], axis=2)
    assert np.abs(fit_similarity(flow, mask) - expected).max() < 1e-4
