"""What is exported answers as the network does, and says what it is."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch

from fleeting.errors import FleetingError, MissingExtraError, UsageError
from fleeting.models import DirectModel, create_model, list_models
from fleeting.training import TrainingConfig, export_onnx, load_model, save_model
from fleeting.training.collapse import CollapseReport
from fleeting.training.data import Standardisation
from fleeting.training.result import TrainingResult

onnx = pytest.importorskip("onnx", reason="needs pip install 'fleeting[export]'")
ort = pytest.importorskip("onnxruntime", reason="needs pip install 'fleeting[export]'")

# The least that each network's poolings leave something of.
SIZES = {
    "split_model": (27, 27, 27),
    "model_b": (18, 30, 30),
    "micro_exp_stcnn": (18, 30, 30),
    "mirror_ensemble": (1, 20, 23),
}
OPTIONS = {"mirror_ensemble": {"epochs": 2}}
# What a network must be shown, where not every number of channels will do.
CHANNELS = {"off_apexnet": (2, 3), "mirror_ensemble": (3,)}


def untrained(name: str, motion: str, channels: int = 1, seed: int = 0) -> TrainingResult:
    """A network with first weights, statistics that are not trivial, and a standardisation."""
    frames, height, width = SIZES.get(name, (18, 64, 32) if "fusenet" in name else (12, 20, 23))
    shape = {"n_frames": frames, "height": height, "width": width}
    model = create_model(name, **shape, in_channels=channels, seed=seed, **OPTIONS.get(name, {})).eval()
    generator = torch.Generator().manual_seed(seed)
    for key, value in model.named_buffers():
        if "running" in key:
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    if isinstance(model, DirectModel):
        x = torch.randn((12, *model.spec.shape.input), generator=generator)
        model.fit_direct(x, torch.arange(12) % 3, weights=torch.ones(3), seed=seed)
    return TrainingResult(
        model=model,
        classes=("happy", "disgust", "surprise"),
        config=TrainingConfig.for_model(name, motion=motion),
        standardisation=Standardisation(
            tuple(3.0 + c for c in range(channels)), tuple(17.0 + c for c in range(channels))
        ),
        records=(),
        collapse=CollapseReport(collapsed=False, epoch=None, reasons=()),
        seed=0,
        device="cpu",
        n_train=4,
    )


def sequences(trained: TrainingResult, n: int, motion: str) -> np.ndarray:
    c, t, h, w = trained.model.spec.shape.input
    rng = np.random.default_rng(n)
    return rng.integers(0, 256, (n, t + (motion == "difference"), h, w, c), dtype=np.uint8)


def run(path, x: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"sequences": x})[0]


@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize(("motion", "channels"), [("difference", 1), ("none", 3)])
def test_every_network_answers_the_same_under_onnxruntime(tmp_path, name, motion, channels):
    if channels not in CHANNELS.get(name, (channels,)):
        channels = min(CHANNELS[name])
    trained = untrained(name, motion, channels)
    path = export_onnx(trained, tmp_path / "größe.onnx")
    for n in (1, 3):
        x = sequences(trained, n, motion)
        expected = trained.predict_proba(x)
        assert np.ptp(expected) > 0
        assert np.abs(run(path, x) - expected).max() < 1e-4


def test_a_trained_network_that_was_saved(tmp_path, trained, clips):
    folder = save_model(tmp_path / "m", trained, recipe={"name": "talluri2022"}, extra={"fps": 200.0}).parent
    path = export_onnx(load_model(folder), tmp_path / "m.onnx")
    x = clips[0]
    assert np.abs(run(path, x) - trained.predict_proba(x)).max() < 1e-4
    made = onnx.load(path)
    said = {item.key: json.loads(item.value) for item in made.metadata_props}
    assert said["classes"] == ["disgust", "happy", "surprise"]
    assert said["recipe"] == {"name": "talluri2022"}
    assert said["fps"] == 200.0
    assert said["motion"] == "difference"
    assert made.producer_name == "fleeting"
    (given,), (gives,) = made.graph.input, made.graph.output
    dims = given.type.tensor_type.shape.dim
    assert dims[0].dim_param == "N"
    assert [d.dim_value for d in dims[1:]] == [10, 18, 18, 1]
    assert given.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert gives.type.tensor_type.shape.dim[0].dim_param == "N"


def test_several_networks_give_their_mean(tmp_path):
    both = [untrained("model_a", "difference", seed=seed) for seed in (0, 1)]
    x = sequences(both[0], 2, "difference")
    path = export_onnx(both, tmp_path / "m.onnx")
    assert np.abs(run(path, x) - np.mean([one.predict_proba(x) for one in both], axis=0)).max() < 1e-4


def test_networks_that_differ_have_no_mean(tmp_path):
    with pytest.raises(UsageError, match="differ"):
        export_onnx([untrained("model_a", "difference"), untrained("model_a", "none")], tmp_path / "m.onnx")
    with pytest.raises(UsageError, match="at least one"):
        export_onnx([], tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_exporting_changes_nothing(tmp_path):
    trained = untrained("model_a", "difference")
    x = sequences(trained, 2, "difference")
    before = trained.predict_proba(x)
    export_onnx(trained, tmp_path / "m.onnx")
    assert np.array_equal(trained.predict_proba(x), before)


def test_without_the_extra_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fleeting\[export\]'"):
        export_onnx(untrained("model_a", "none"), tmp_path / "m.onnx")


def test_what_onnx_does_not_have_is_a_typed_error(tmp_path, monkeypatch):
    trained = untrained("model_a", "none")
    monkeypatch.setattr(type(trained.model), "forward", lambda self, x: torch.special.airy_ai(x.flatten(1))[:, :3])
    with pytest.raises(FleetingError, match="model_a: cannot be written as ONNX"):
        export_onnx(trained, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_sequences_of_numbers_go_in_as_numbers(tmp_path):
    """Flow in pixels is below zero in places, and between whole numbers."""
    trained = untrained("model_a", "none", channels=3)
    x = np.random.default_rng(0).normal(0, 2, (2, *sequences(trained, 1, "none").shape[1:])).astype(np.float32)
    path = export_onnx(trained, tmp_path / "flow.onnx", dtype="float32")
    np.testing.assert_allclose(run(path, x), trained.predict_proba(x), atol=1e-5)
    assert ort.InferenceSession(str(path)).get_inputs()[0].type == "tensor(float)"
