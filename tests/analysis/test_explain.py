"""An explanation points at what the answer depends on, and at nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from fleeting.analysis.explain import Explanation, draw_explanation, explain_sequence
from fleeting.analysis.recogniser import Recognised, Recogniser
from fleeting.errors import MissingExtraError, UsageError
from fleeting.models import InputShape, ModelSpec, create_model
from fleeting.sequences import Flow
from fleeting.training import Standardisation, TrainedModel, TrainingConfig, load_model, save_model, train

T, H, W = 9, 24, 32
PATCH = slice(3, 6), slice(6, 12), slice(12, 20)
METHODS = ["integrated gradients", "occlusion"]


class Watcher(nn.Module):
    """Says ``moved`` by what it sees in one patch, and is blind elsewhere."""

    def __init__(self, shape: InputShape) -> None:
        super().__init__()
        self.spec = ModelSpec("watcher", shape, {})

    def forward(self, x):
        t, y, w = PATCH
        part = x[:, :, t, y, w]
        seen = (part - part.mean(2, keepdim=True)).abs().mean((1, 2, 3, 4))
        return torch.stack([4 * seen - 1, torch.zeros_like(seen)], dim=1)


def watcher(motion: str = "difference", channels: int = 1) -> TrainedModel:
    shape = InputShape(2, T, H, W, channels)
    network = Watcher(shape).eval()
    scale = Standardisation((0.0,) * channels, (20.0,) * channels)
    config = TrainingConfig.for_model("model_a", motion=motion)
    return TrainedModel(network, ("moved", "still"), None, {}, config, scale, Path("nowhere"))


def moving(motion: str = "difference", channels: int = 1, size=(T, H, W)) -> np.ndarray:
    """A face of noise all of which changes from frame to frame."""
    rng = np.random.default_rng(5)
    frames = size[0] + (motion == "difference")
    face = rng.integers(60, 160, (*size[1:], channels))
    change = rng.normal(0, 25, (frames, *face.shape))
    change[0] = 0
    return np.clip(face + change, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("motion", "channels"), [("difference", 1), ("none", 1), ("difference", 3)])
def test_only_the_patch_that_is_looked_at_counts(method, motion, channels):
    if method == METHODS[0]:
        pytest.importorskip("captum", reason="needs pip install 'fleeting[explain]'")
    found = explain_sequence(watcher(motion, channels), moving(motion, channels), "moved", method=method)
    assert found.map.shape == (T, H, W)
    assert found.method == method
    evidence = np.clip(found.map, 0, None)
    # Blocks of the occlusion are not cut where the patch is.
    margin = 0 if method == METHODS[0] else 4
    t, y, x = (slice(max(0, part.start - margin // 2), part.stop + margin) for part in PATCH)
    inside = evidence[t, y, x].sum()
    assert evidence.sum() > 0.05
    assert inside > 0.95 * evidence.sum()
    assert found.by_frame().sum() == pytest.approx(1)
    against = explain_sequence(watcher(motion, channels), moving(motion, channels), "still", method=method)
    assert np.allclose(against.map, -found.map, atol=1e-6)


def test_integrated_gradients_add_up_to_what_the_motion_changed():
    pytest.importorskip("captum", reason="needs pip install 'fleeting[explain]'")
    model, sequence = watcher(), moving()
    still = np.repeat(sequence[:1], len(sequence), axis=0)
    changed = model.predict_proba(sequence[None])[0, 0] - model.predict_proba(still[None])[0, 0]
    found = explain_sequence(model, sequence, "moved", method="integrated gradients")
    assert found.map.sum() == pytest.approx(changed, rel=0.05)


def banded(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces of noise in which one of three bands brightens and fades, behind a still reference frame."""
    rng = np.random.default_rng(seed)
    sequences = np.empty((n, 10, 18, 18, 1), np.uint8)
    labels = np.arange(n) % 3
    for sample, label in zip(sequences, labels):
        face = rng.integers(60, 180, (18, 18)).astype(float)
        for t in range(10):
            frame = face.copy()
            frame[label * 6 : label * 6 + 6] += 40 * np.sin(np.pi * t / 10)
            sample[t, :, :, 0] = np.clip(frame + rng.normal(0, 3, frame.shape), 0, 255)
    return sequences, np.array(["top", "middle", "bottom"])[labels]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    torch.set_num_threads(1)
    config = TrainingConfig.for_model("model_a", motion="difference", optimizer="adam", epochs=12)
    result = train(create_model("model_a", n_frames=9, height=18, width=18), *banded(36, 0), config, seed=1)
    return load_model(save_model(tmp_path_factory.mktemp("m"), result))


@pytest.mark.parametrize("method", METHODS)
def test_a_trained_network_rests_on_the_band_that_moves(learned, method):
    if method == METHODS[0]:
        pytest.importorskip("captum", reason="needs pip install 'fleeting[explain]'")
    sequences, labels = banded(6, 1)
    bands = {"top": 0, "middle": 1, "bottom": 2}
    for sequence, label in zip(sequences, labels):
        found = explain_sequence(learned, sequence, method=method)
        assert found.target == label
        evidence = np.clip(found.map, 0, None).sum((0, 2)).reshape(3, 6).sum(1)
        assert evidence[bands[label]] > 0.5 * evidence.sum()
        assert evidence.argmax() == bands[label]


def test_several_networks_are_explained_by_their_mean(learned):
    sequence = banded(1, 2)[0][0]
    one = explain_sequence(learned, sequence, "top", method="occlusion")
    two = explain_sequence([learned, learned], sequence, "top", method="occlusion")
    assert np.allclose(one.map, two.map)
    assert two.probability == pytest.approx(one.probability)


def test_without_captum_occlusion_stands_in(learned, monkeypatch):
    monkeypatch.setattr("fleeting.analysis.explain.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "captum", None)
    sequence = banded(1, 2)[0][0]
    assert explain_sequence(learned, sequence).method == "occlusion"
    with pytest.raises(MissingExtraError, match=r"pip install 'fleeting\[explain\]'"):
        explain_sequence(learned, sequence, method="integrated gradients")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [({"target": "anger"}, "unknown class 'anger'"), ({"method": "guess"}, "unknown method of explanation")],
)
def test_what_cannot_be_explained(learned, arguments, says):
    with pytest.raises(UsageError, match=says):
        explain_sequence(learned, banded(1, 2)[0][0], **arguments)
    with pytest.raises(UsageError, match="was built for"):
        explain_sequence(learned, np.zeros((4, 18, 18, 1), np.uint8))
    with pytest.raises(UsageError, match="at least one"):
        explain_sequence([], banded(1, 2)[0][0])


@pytest.mark.parametrize("channels", [1, 3])
def test_the_strip_is_bright_where_the_evidence_is(tmp_path, channels):
    sequence = np.full((T + 1, H, W, channels), 90, np.uint8)
    where = np.zeros((T, H, W))
    where[4, 3:9, 20:28] = 1.0
    path = draw_explanation(Explanation(where, "moved", 0.9, "occlusion"), sequence, tmp_path / "Erklärung.png")
    strip = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR).astype(int)
    high, wide = 160, round(160 * W / H)
    assert strip.shape == (high + 22, 7 * (wide + 4) - 4, 3)
    colourful = np.ptp(strip[22:], axis=2)
    columns = colourful.sum(0)
    group = next(k for k, part in enumerate(np.array_split(np.arange(T), 7)) if 4 in part)
    at = int(columns.argmax())
    assert group * (wide + 4) <= at < (group + 1) * (wide + 4)
    assert colourful[: high // 2].sum() > colourful[high // 2 :].sum()


def test_a_strip_without_evidence_or_of_another_sequence(tmp_path):
    empty = Explanation(np.zeros((T, H, W)), "moved", 0.5, "occlusion")
    assert empty.by_frame().tolist() == [0.0] * T
    assert draw_explanation(empty, np.zeros((T + 1, H, W, 1), np.uint8), tmp_path / "a.png").exists()
    with pytest.raises(UsageError, match="give the one that was explained"):
        draw_explanation(empty, np.zeros((T + 1, H, H, 1), np.uint8), tmp_path / "b.png")
    with pytest.raises(UsageError, match="png"):
        draw_explanation(empty, np.zeros((T + 1, H, W, 1), np.uint8), tmp_path / "b.jpg")


@pytest.mark.parametrize("method", ["auto", *METHODS])
def test_models_that_are_fitted_at_once_are_explained_as_networks(method):
    if method == METHODS[0]:
        pytest.importorskip("captum", reason="needs pip install 'fleeting[explain]'")
    rng = np.random.default_rng(0)
    y = np.arange(12) % 2
    X = rng.integers(100, 140, (12, 4, 8, 8, 1), dtype=np.uint8)
    X[y == 1, 2:, 2:4, 4:6] += 80
    model = create_model("pca_logistic", n_classes=2, n_frames=4, height=8, width=8, in_channels=1)
    result = train(model, X, y, TrainingConfig.for_model("pca_logistic"))
    trained = TrainedModel(result.model, (0, 1), None, {}, result.config, result.standardisation, Path("nowhere"))
    found = explain_sequence(trained, X[1], 1, method=method)
    assert found.map.shape == (4, 8, 8)
    assert found.map[2:, 2:4, 4:6].sum() > 0.5 * np.abs(found.map).sum()


def test_one_frame_of_flow_has_no_still_face_to_compare_with(tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (6, 1, 8, 8, 3), dtype=np.uint8)
    result = train(
        create_model("pca_logistic", height=8, width=8), X, [0, 1, 2] * 2, TrainingConfig.for_model("pca_logistic")
    )
    save_model(tmp_path, result, recipe=Flow(size=8).model_dump())
    trained = load_model(tmp_path)
    with pytest.raises(UsageError, match="pca_logistic is shown one frame"):
        explain_sequence(trained, X[0])
    # An analysis goes on without.
    picture = tmp_path / "event.png"
    Recogniser(trained).draw_explanation(Recognised(("a", "b", "c"), (1.0, 0.0, 0.0), (), X[0]), picture)
    assert not picture.exists()
