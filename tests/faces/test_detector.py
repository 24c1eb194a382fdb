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


def _placed(portrait, landmarks, scale, angle, shift):
    """A frame of 640 x 480 with the portrait in it, and the map to it."""
    import cv2

    c, s = np.cos(angle), np.sin(angle)
    turn = scale * np.array([[c, -s], [s, c]])
    start = np.array([320, 250]) + shift - turn @ landmarks.mean(0)
    calm = cv2.GaussianBlur(portrait, (0, 0), 0.4 / scale)
    matrix = np.hstack([turn, start[:, None]])
    return cv2.warpAffine(calm, matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE), turn, start


def test_landmarks_hardly_depend_on_the_box_that_was_found(monkeypatch):
    """The same head at sizes and places between the detector's steps, from either search."""
    from fleeting.synthesis import load_identity

    portrait = load_identity("03").source
    landmarks = detect_landmarks(portrait)
    detector, side = FaceDetector(), np.ptp(landmarks, axis=0).max()
    rng = np.random.default_rng(1)
    frames = [
        _placed(portrait, landmarks, size / side, rng.uniform(-0.1, 0.1), rng.uniform(-30, 30, 2))
        for size in np.linspace(185, 300, 8)
    ]

    def in_face_pixels(find):
        return np.array([(find(f) - start) @ np.linalg.inv(turn).T / side * 128 for f, turn, start in frames])

    def disagreement():
        one = in_face_pixels(detector.landmarks)
        other = in_face_pixels(lambda f: detector.landmarks(f, detector.detect(f)[0]))
        spread = np.linalg.norm(one - one.mean(0), axis=2).mean()
        return np.linalg.norm(one - other, axis=2).mean(), spread, np.ptp(one, axis=1).max(1).std()

    settled = disagreement()
    monkeypatch.setattr("fleeting.faces.detector.settled_box", lambda box, _: box)
    loose = disagreement()
    # Between the searches, between the frames, and of the crop's side, in pixels of a 128-pixel face.
    assert settled[0] < 0.5 and settled[1] < 0.5 and settled[2] < 0.5
    assert all(now < before for now, before in zip(settled, loose)) and settled[2] < 0.6 * loose[2]


def test_a_box_that_is_far_off_is_put_right(portrait, portrait_landmarks):
    detector = FaceDetector()
    left, top, right, bottom = detector.largest(portrait)
    reach = (right - left) // 8
    for box in (
        Box(left - reach, top, right - reach, bottom),
        Box(left - reach // 2, top - reach // 2, right + reach // 2, bottom + reach // 2),
    ):
        apart = np.linalg.norm(detector.landmarks(portrait, box) - portrait_landmarks, axis=1)
        # The hair hides one side of her jaw.
        assert np.median(apart) < 1.0 and apart[17:].max() < 3.0
    nowhere = Box(0, 0, 80, 80)
    assert np.isfinite(detector.landmarks(portrait, nowhere)).all()


def test_faces_too_small_for_the_first_glance_are_found(portrait, portrait_landmarks):
    side = np.ptp(portrait_landmarks, axis=0).max()
    frame, turn, start = _placed(portrait, portrait_landmarks, 88 / side, 0.0, np.array([60, 20]))
    detector = FaceDetector()
    assert detector._search_at(frame.mean(2).astype(np.uint8), 320) == []
    assert detector.largest(frame) == detector.detect(frame)[0]
    back = (detector.landmarks(frame) - start) @ np.linalg.inv(turn).T
    assert np.linalg.norm(back - portrait_landmarks, axis=1).mean() < 0.03 * side


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
