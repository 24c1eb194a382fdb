import cv2
import numpy as np
import pytest

from fleeting.clips import ArrayFrames, Clip, open_clip
from fleeting.errors import UsageError
from fleeting.faces import find_reference
from fleeting.spotting import motion_scores, smooth, spot_apex, spot_clip


@pytest.fixture(scope="module")
def expression(portrait, portrait_landmarks):
    """A still photograph whose mouth corners move up to 1.5 px of a 128-px face, with a drifting head and noise."""
    height, width = portrait.shape[:2]
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
    scale = np.ptp(portrait_landmarks[:17, 0]) / 128
    field = np.zeros((height, width, 2), np.float32)
    for corner, direction in ((48, -1), (54, 1)):
        x, y = portrait_landmarks[corner]
        weight = np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * (12 * scale) ** 2))
        field += weight[..., None] * np.array([0.6 * direction, -0.8], np.float32)
    rng = np.random.default_rng(3)
    onset, apex, offset, length = 5, 17, 30, 36
    t = np.arange(length)
    rise = np.clip(np.where(t <= apex, (t - onset) / (apex - onset), (offset - t) / (offset - apex)), 0, 1)
    profile = rise**2 * (3 - 2 * rise)
    frames = []
    for k in range(length):
        move = field * np.float32(1.5 * scale * profile[k])
        drift = (2.5 * np.array([np.sin(k / 9), np.cos(k / 11) - 1]) * scale).astype(np.float32)
        source_x, source_y = xx - move[..., 0] - drift[0], yy - move[..., 1] - drift[1]
        moved = cv2.remap(portrait, source_x, source_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        frames.append(np.clip(moved + rng.normal(0, 1.5, moved.shape), 0, 255).astype(np.uint8))
    return np.stack(frames), onset, apex


def test_a_small_expression_under_head_motion_is_spotted(expression, portrait_landmarks):
    frames, onset, apex = expression
    spot = spot_clip(Clip("d", "s", "c", ArrayFrames(frames), fps=200), portrait_landmarks)
    assert abs(spot.apex - apex) <= 2
    assert abs(spot.onset - onset) <= 5 and spot.onset <= spot.apex
    assert 0.5 < spot.strength < 2.5
    part = spot_clip(Clip("d", "s", "c", ArrayFrames(frames), fps=200), portrait_landmarks, start=3, stop=25)
    assert part.indexes.tolist() == list(range(3, 25))
    assert abs(part.apex - apex) <= 2


def test_a_still_face_has_next_to_no_strength(portrait, portrait_landmarks):
    rng = np.random.default_rng(0)
    still = np.stack([np.clip(portrait + rng.normal(0, 1.5, portrait.shape), 0, 255).astype(np.uint8)] * 6)
    spot = spot_clip(Clip("d", "s", "c", ArrayFrames(still)), portrait_landmarks)
    assert spot.strength < 0.1


def test_a_real_smile_is_spotted_while_the_mouth_opens_or_is_open(video):
    clip = open_clip(video("single_face.mp4"))
    spot = spot_clip(clip, find_reference(clip.frames).landmarks)
    assert 20 <= spot.apex <= 69
    assert 10 <= spot.onset <= 20
    assert len(spot.scores) == 72


def test_one_frame_is_its_own_apex():
    mask = np.ones((32, 32), bool)
    spot = spot_apex([np.zeros((32, 32), np.uint8)], mask)
    assert (spot.apex, spot.onset, spot.strength) == (0, 0, 0.0)


def test_no_frames_and_wrong_shapes():
    with pytest.raises(UsageError, match="found none"):
        spot_apex([], np.ones((8, 8), bool))
    with pytest.raises(UsageError, match="one shape"):
        motion_scores([np.zeros((8, 9), np.uint8)], np.ones((8, 8), bool))


@pytest.mark.parametrize("length", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("width", [1, 2, 5, 99])
def test_smoothing_keeps_length_and_constants(length, width):
    assert smooth(np.full(length, 2.5), width) == pytest.approx(np.full(length, 2.5))
