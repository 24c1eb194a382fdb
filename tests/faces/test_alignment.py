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
    # Levelling by the eyes undoes any rotation; what is left is rounding of the crop to pixels.
    assert np.abs(straight.points(portrait_landmarks) - turned.points(other)).max() < 1.0
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
