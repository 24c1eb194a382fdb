import numpy as np
import pytest

from fleeting.errors import UsageError
from fleeting.faces import Alignment, cut_region, eye_angle, fill_eyes, region_box


@pytest.mark.parametrize("corners", [False, True])
def test_eye_angle_follows_a_turn(portrait_landmarks, corners):
    before = eye_angle(portrait_landmarks, corners=corners)
    c, s = np.cos(0.3), np.sin(0.3)
    turned = portrait_landmarks @ np.array([[c, -s], [s, c]]).T
    assert eye_angle(turned, corners=corners) - before == pytest.approx(0.3, abs=1e-9)


def test_shut_lids_do_not_turn_the_corners(portrait_landmarks):
    winking = portrait_landmarks.copy()
    winking[[37, 38]] = winking[[41, 40]]
    assert eye_angle(winking, corners=True) == eye_angle(portrait_landmarks, corners=True)
    assert eye_angle(winking) != eye_angle(portrait_landmarks)


def test_a_levelled_frame_keeps_every_pixel_of_the_frame():
    level = Alignment.levelled(0.4, (80, 50))
    corners = np.array([[0, 0], [79, 0], [79, 49], [0, 49]], dtype=float)
    moved = level.points(corners)
    assert (moved > -2).all() and (moved[:, 0] < level.width + 1).all() and (moved[:, 1] < level.height + 1).all()
    assert level.back(moved) == pytest.approx(corners)
    image = np.arange(80 * 50, dtype=np.uint8).reshape(50, 80)
    assert np.array_equal(Alignment.levelled(0.0, (80, 50)).apply(image), image)


def test_regions_hold_their_landmarks_and_lie_inside(portrait, portrait_landmarks):
    shape = portrait.shape[:2]
    for name, own in (("right-eye", [*range(17, 22), *range(36, 42)]), ("left-eye", [*range(22, 27), *range(42, 48)]),
                      ("mouth", range(48, 68)), ("eyes", [*range(17, 27), *range(36, 48)])):  # fmt: skip
        box = region_box(portrait_landmarks, name, shape)
        points = portrait_landmarks[list(own)]
        assert (points >= [box.left, box.top]).all() and (points <= [box.right, box.bottom]).all()
        assert 0 <= box.left < box.right < shape[1] and 0 <= box.top < box.bottom < shape[0]
        assert region_box(portrait_landmarks, name, shape, margin=0.4).area > box.area
    right, left = (region_box(portrait_landmarks, name, shape, margin=0) for name in ("right-eye", "left-eye"))
    assert right.right <= left.left  # the person's right eye is on the image's left
    wide = region_box(portrait_landmarks, "mouth", shape, aspect=3.0)
    assert (wide.right - wide.left) / (wide.bottom - wide.top) == pytest.approx(3, rel=0.05)


def test_regions_outside_the_image_are_an_error(portrait_landmarks):
    with pytest.raises(UsageError, match="unknown region 'nose'"):
        region_box(portrait_landmarks, "nose", (100, 100))
    with pytest.raises(UsageError, match="outside an image of 20x20"):
        region_box(portrait_landmarks, "mouth", (20, 20))


def test_eyes_are_filled_in_a_copy(portrait, portrait_landmarks):
    covered = fill_eyes(portrait, portrait_landmarks, level=7)
    assert not np.array_equal(covered, portrait)
    for eye in (slice(36, 42), slice(42, 48)):
        x, y = portrait_landmarks[eye].mean(0).round().astype(int)
        assert (covered[y, x] == 7).all() and not (portrait[y, x] == 7).all()
    mouth = portrait_landmarks[48:].mean(0).round().astype(int)
    assert np.array_equal(covered[mouth[1]], portrait[mouth[1]])
    assert fill_eyes(portrait[..., 0], portrait_landmarks).shape == portrait.shape[:2]


def test_cutting_a_region_gives_the_size_asked_for(portrait, portrait_landmarks):
    box = region_box(portrait_landmarks, "mouth", portrait.shape[:2])
    for size in ((8, 8), (64, 128), (500, 700)):
        assert cut_region(portrait, box, size).shape == (*size, 3)
    same = cut_region(portrait, box, (box.bottom - box.top + 1, box.right - box.left + 1))
    assert np.array_equal(same, portrait[box.top : box.bottom + 1, box.left : box.right + 1])
