import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleeting.clips import ArrayFrames, FrameFolder
from fleeting.errors import NoFaceError, UsageError
from fleeting.faces import Alignment, face_mask, find_reference
from fleeting.faces.alignment import _search_order


def _turned(points, angle, scale, shift):
    c, s = np.cos(angle), np.sin(angle)
    return scale * points @ np.array([[c, s], [-s, c]]) + shift


def test_alignment_levels_the_eyes_and_keeps_the_face_inside(portrait_landmarks):
    tilted = _turned(portrait_landmarks, 0.4, 0.8, [50, 20])
    align = Alignment.from_landmarks(tilted, height=128, width=128, margin=0.1)
    moved = align.points(tilted)
    assert abs(moved[36:42, 1].mean() - moved[42:48, 1].mean()) < 1e-6
    assert moved.min() > 0 and moved.max() < 127
    # The margin is there on the longer side, and the crop is centred.
    extent = np.ptp(moved, axis=0).max()
    assert extent == pytest.approx(128 / 1.2, abs=1.0)
    assert (moved.min(0) + moved.max(0)) / 2 == pytest.approx([63.5, 63.5], abs=0.6)


@given(st.floats(-0.7, 0.7), st.floats(0.3, 3), st.floats(-200, 200), st.floats(0, 0.5))
def test_an_aligned_face_does_not_depend_on_the_camera(portrait_landmarks, angle, scale, shift, margin):
    straight = Alignment.from_landmarks(portrait_landmarks, height=96, width=96, margin=margin)
    other = _turned(portrait_landmarks, angle, scale, shift)
    turned = Alignment.from_landmarks(other, height=96, width=96, margin=margin)
    assert np.abs(straight.points(portrait_landmarks) - turned.points(other)).max() < 1e-6
    assert np.abs(turned.back(turned.points(other)) - other).max() < 1e-6


def test_pixels_follow_the_points(portrait, portrait_landmarks):
    """A dot painted on a landmark is found where ``points`` says."""
    tilted = Alignment.from_landmarks(portrait_landmarks, height=100, width=100)
    dots = np.zeros(portrait.shape[:2], np.uint8)
    x, y = portrait_landmarks[30].round().astype(int)
    dots[y - 3 : y + 4, x - 3 : x + 4] = 255
    found = tilted.apply(dots).astype(float)
    yy, xx = np.mgrid[0:100, 0:100]
    centre = np.array([(xx * found).sum(), (yy * found).sum()]) / found.sum()
    assert centre == pytest.approx(tilted.points(np.array([[x, y]], float))[0], abs=0.15)


def test_apply_gives_the_size_for_grey_and_colour_even_past_the_border(portrait, portrait_landmarks):
    for height, width in ((128, 128), (64, 96)):
        align = Alignment.from_landmarks(portrait_landmarks, height=height, width=width, margin=1.0)
        assert align.apply(portrait).shape == (height, width, 3)
        assert align.apply(portrait[..., 0]).shape == (height, width)


@pytest.mark.parametrize("crop", [100.0, 170.0, 300.0, 700.0])
@pytest.mark.parametrize("angle", [0.0, -0.15, 0.6])
def test_a_pixel_is_the_mean_of_what_it_covers(portrait, crop, angle):
    """Against dense sampling: 12 x 12 exact bilinear samples a pixel."""
    import cv2
    from scipy.ndimage import map_coordinates

    align = Alignment((260.0, 230.0), angle, (crop, crop), 48, 48)
    grey = cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY)
    inner = (np.arange(48 * 12) + 0.5) / 12 - 0.5
    where = align.back(np.stack(np.meshgrid(inner, inner), 2).reshape(-1, 2))
    dense = map_coordinates(grey.astype(float), [where[:, 1], where[:, 0]], order=1, mode="nearest")
    expected = dense.reshape(48, 12, 48, 12).mean((1, 3))
    found = align.apply(portrait, grey=True).astype(float)
    skipped = grey[np.clip(np.rint(where[:, 1]), 0, 599).astype(int), np.clip(np.rint(where[:, 0]), 0, 511).astype(int)]
    skipped = skipped.reshape(48, 12, 48, 12)[:, 6, :, 6]
    assert np.abs(found - expected).mean() < 1.0
    assert np.abs(found - expected).mean() < 0.35 * np.abs(skipped - expected).mean()


@given(st.floats(-400, 900), st.floats(-400, 900), st.floats(-3, 3), st.floats(4, 500))
def test_only_the_part_that_is_seen_is_touched_and_it_does_not_show(x, y, angle, crop):
    import cv2

    frame = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    align = Alignment((x / 4, y / 4), angle, (crop, crop / 2), 20, 10)
    found = align.apply(frame, grey=True)
    assert found.shape == (10, 20)
    # A frame in a wide border that repeats its edge shows the same.
    wide = cv2.copyMakeBorder(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), *[600] * 4, borderType=cv2.BORDER_REPLICATE)
    moved = Alignment((x / 4 + 600, y / 4 + 600), angle, (crop, crop / 2), 20, 10)
    # OpenCV's own coordinates are of single precision, and the pixels are noise.
    assert np.abs(found.astype(int) - moved.apply(wide)).mean() < 1.0


def test_grey_before_the_warp_is_grey_after_it(portrait, portrait_landmarks):
    import cv2

    align = Alignment.from_landmarks(portrait_landmarks, height=64, width=64)
    after = cv2.cvtColor(align.apply(portrait), cv2.COLOR_RGB2GRAY).astype(int)
    assert np.abs(align.apply(portrait, grey=True) - after).max() <= 2
    assert np.array_equal(align.apply(portrait[..., 0], grey=True), align.apply(portrait[..., 0]))


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((68, 2), np.nan)])
def test_impossible_landmarks(points):
    with pytest.raises(UsageError, match="68 finite points"):
        Alignment.from_landmarks(points, height=8, width=8)


def test_the_reference_is_looked_for_further_on_then_before(portrait):
    blank = np.zeros_like(portrait)
    late = ArrayFrames(np.stack([blank, blank, blank, portrait]))
    assert find_reference(late).index == 3
    early = ArrayFrames(np.stack([portrait, blank, blank]))
    assert find_reference(early, start=1).index == 0
    assert find_reference(early, start=0).looked_at == 1


def test_unreadable_frames_are_passed_over(portrait, write_frames):
    folder = write_frames([portrait, portrait])
    (folder / "img_00001.png").write_bytes(b"broken")
    assert find_reference(FrameFolder(folder)).index == 1


def test_no_face_at_all_is_a_typed_error_that_names_the_clip():
    with pytest.raises(NoFaceError, match=r"d/01/c: no face in the 4 frames"):
        find_reference(ArrayFrames(np.zeros((4, 120, 120, 3), np.uint8)), name="d/01/c")


@given(st.integers(1, 1200), st.integers(-5, 1300))
def test_the_search_is_bounded_and_starts_at_the_start(length, start):
    order = [i for part in _search_order(length, start) for i in part]
    assert order[0] == min(max(start, 0), length - 1)
    assert all(0 <= i < length for i in order)
    assert len(set(order)) <= 420
    if length <= 400:
        assert set(order) == set(range(length))


def test_the_mask_covers_the_face_without_the_eyes(portrait_landmarks):
    align = Alignment.from_landmarks(portrait_landmarks, height=128, width=128)
    points = align.points(portrait_landmarks)
    mask = face_mask(points, (128, 128))
    for landmark, inside in ((30, True), (62, True), (8, False)):
        x, y = (points[landmark] - [0, 0 if landmark != 8 else -6]).round().astype(int)
        assert mask[y, x] == inside
    for eye in (slice(36, 42), slice(42, 48)):
        x, y = points[eye].mean(0).round().astype(int)
        assert not mask[y, x]
        assert face_mask(points, (128, 128), eyes=True)[y, x]
    assert 0.3 < mask.mean() < 0.8
