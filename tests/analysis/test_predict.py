import json

import cv2
import numpy as np
import pytest

from fleeting.analysis import Stretch, draw_verdict, face_stretches, predict
from fleeting.clips import ArrayFrames, Clip
from fleeting.datasets import load_clips
from fleeting.errors import FleetingError, NoFaceError, UsageError
from fleeting.experiments import load_models


@pytest.fixture(scope="module")
def models(small_run):
    return load_models(small_run.path)


def test_a_real_smile(video, models):
    verdict = predict(video("single_face.mp4"), models)
    assert 20 <= verdict.apex <= 69
    assert verdict.stretch == Stretch(0, 72)
    assert verdict.apex_seconds == pytest.approx(verdict.apex / 30, abs=0.02)
    assert sum(verdict.probabilities) == pytest.approx(1, abs=1e-6)
    assert verdict.label in verdict.classes
    assert verdict.strength > 3
    assert any("synthetic faces" in sentence for sentence in verdict.warnings)
    json.dumps(verdict.to_dict(), allow_nan=False)


def test_no_face(video, models):
    with pytest.warns(UserWarning, match="can be decoded"), pytest.raises(NoFaceError, match="no face"):
        predict(video("no_face.mp4"), models)


def test_a_face_that_goes_away_is_judged_while_it_is_there(video, models):
    verdict = predict(video("face_noface.mov"), models)
    assert verdict.stretch.start == 0
    # A face is there in 43 % of 169 frames.
    assert 65 <= verdict.stretch.stop <= 76
    assert 20 <= verdict.apex < 72
    assert any("the rest was left out" in sentence for sentence in verdict.warnings)


def test_a_run_is_asked_as_a_whole(small_set, small_run, models):
    clip = load_clips([f"synthetic:{small_set}"])[0]
    verdict = predict(clip.frames.path, small_run.path, fps=60)
    assert verdict.n_models == 2
    single = [predict(clip.frames.path, [m], fps=60).probabilities for m in models]
    assert verdict.probabilities == pytest.approx(np.mean(single, axis=0))
    assert abs(verdict.apex - clip.apex) <= 2


def test_the_recording_is_never_written_to_or_annotated_by_its_labels(small_set, models):
    """A clip's own annotation must not help: the verdict is the same without it."""
    clip = load_clips([f"synthetic:{small_set}"])[1]
    bare = Clip("x", "y", "z", clip.frames, fps=clip.fps)
    assert predict(clip, models).to_dict() == predict(bare, models).to_dict()


def test_a_still_face_is_called_still(portrait, models):
    rng = np.random.default_rng(0)
    still = [np.clip(portrait + rng.normal(0, 1, portrait.shape), 0, 255).astype(np.uint8) for _ in range(4)]
    verdict = predict(Clip("d", "s", "still", ArrayFrames(np.stack(still))), models)
    assert any("hardly moves" in sentence for sentence in verdict.warnings)
    assert any("frame rate is unknown" in sentence for sentence in verdict.warnings)
    assert verdict.apex_seconds is None


def test_one_frame_is_enough_to_answer(portrait, models):
    verdict = predict(Clip("d", "s", "one", ArrayFrames(portrait[None])), models)
    assert (verdict.apex, verdict.n_frames) == (0, 1)


def test_stretches_are_exact_to_the_frame(portrait):
    small = cv2.resize(portrait, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    blank = np.zeros_like(small)
    frames = np.stack([blank] * 7 + [small] * 12 + [blank] * 9 + [small] * 5)
    assert face_stretches(ArrayFrames(frames), fps=20) == [Stretch(7, 19), Stretch(28, 33)]


def test_a_face_that_jumps_starts_a_new_stretch(portrait):
    small = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    left = np.hstack([small, np.zeros_like(small)])
    right = np.hstack([np.zeros_like(small), small])
    stretches = face_stretches(ArrayFrames(np.stack([left] * 10 + [right] * 6)), fps=20)
    assert len(stretches) == 2
    assert stretches[0] == Stretch(0, 10)
    assert stretches[1].stop == 16


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_figure_is_drawn(small_set, models, tmp_path, suffix):
    clip = load_clips([f"synthetic:{small_set}"])[0]
    path = draw_verdict(predict(clip, models), tmp_path / f"urteil-ü{suffix}")
    content = path.read_bytes()
    if suffix == ".png":
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape[1] > 1000 and image.std() > 20
    else:
        assert b"<svg" in content


def test_figures_that_cannot_be(small_set, models, tmp_path, read_only):
    verdict = predict(load_clips([f"synthetic:{small_set}"])[0], models)
    with pytest.raises(UsageError, match=r"\.png"):
        draw_verdict(verdict, tmp_path / "figure.doc")
    with pytest.raises(FleetingError, match="cannot be written"):
        draw_verdict(verdict, read_only / "figure.png")
