import numpy as np
import pytest

from fleeting.errors import FleetingError, UsageError
from fleeting.faces import Box, FaceDetector, detect_landmarks, landmark_file
from fleeting.faces.detector import LANDMARKS_VARIABLE, _check_once


def test_landmarks_lie_where_a_face_has_them(portrait, portrait_landmarks):
    points = portrait_landmarks
    assert points.shape == (68, 2)
    height, width = portrait.shape[:2]
    assert (points >= 0).all() and (points < [width, height]).all()
    brow, eye, nose, mouth, chin = points[19, 1], points[36:42, 1].mean(), points[33, 1], points[62, 1], points[8, 1]
    assert brow < eye < nose < mouth < chin
    assert points[36:42, 0].mean() < points[42:48, 0].mean()


def test_the_same_frame_gives_the_same_landmarks(portrait, portrait_landmarks):
    assert np.array_equal(FaceDetector().landmarks(portrait), portrait_landmarks)


def test_averaging_over_boxes_calms_the_jitter(portrait):
    rng = np.random.default_rng(0)
    copies = [np.clip(portrait + rng.normal(0, 2, portrait.shape), 0, 255).round().astype(np.uint8) for _ in range(8)]
    spread = {}
    for boxes in (1, 20):
        detector = FaceDetector(boxes=boxes)
        spread[boxes] = np.std([detector.landmarks(copy) for copy in copies], axis=0).mean()
    assert spread[20] < 0.6 * spread[1]


def test_the_largest_face_is_taken(portrait):
    import cv2

    small = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    both = np.zeros((portrait.shape[0], portrait.shape[1] + small.shape[1], 3), np.uint8)
    both[: small.shape[0], : small.shape[1]] = small
    both[:, small.shape[1] :] = portrait
    faces = FaceDetector().detect(both)
    assert len(faces) == 2 and faces[0].area > faces[1].area
    assert detect_landmarks(both)[:, 0].min() > small.shape[1]


def test_small_and_huge_frames(portrait):
    import cv2

    for scale in (0.25, 4.0):
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        found = detect_landmarks(cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=how))
        reference = detect_landmarks(portrait) * scale
        distance = np.linalg.norm(reference[36] - reference[45])
        assert np.linalg.norm(found - reference, axis=1).mean() < 0.06 * distance


def test_no_face():
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    assert detect_landmarks(noise) is None
    assert FaceDetector().detect(np.zeros((5, 5), np.uint8)) == []


def test_landmark_file_can_be_replaced_and_is_checked(monkeypatch, tmp_path):
    assert landmark_file().name.endswith("68_face_landmarks.dat")
    monkeypatch.setenv(LANDMARKS_VARIABLE, str(tmp_path / "absent.dat"))
    with pytest.raises(FleetingError, match=r"absent\.dat"):
        landmark_file()
    bad = tmp_path / "bad.dat"
    bad.write_bytes(b"nonsense")
    with pytest.raises(FleetingError, match="not a dlib shape predictor"):
        FaceDetector(landmarks=bad).landmarks(np.zeros((9, 9, 3), np.uint8), box=Box(0, 0, 8, 8))
    with pytest.raises(FleetingError, match="SHA-256"):
        _check_once(bad)


def test_nonsense_boxes():
    with pytest.raises(UsageError):
        FaceDetector(boxes=0)
