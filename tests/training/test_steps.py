"""A step that is captured and replayed is the step that is launched; all but the capture can be seen on a CPU."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from torch import nn

from fleeting.errors import UsageError
from fleeting.models import create_model, list_models
from fleeting.training import TrainingConfig, train
from fleeting.training.data import HostBatches, ResidentBatches, Samples, Standardisation, measure
from fleeting.training.device import repeatable
from fleeting.training.optim import build_optimizer
from fleeting.training.steps import EagerSteps, GraphedSteps, Step, cuda_graph, make_steps

# Frames, height, width; small, but odd where a network allows it.
SIZES = {
    "model_a": (10, 19, 17),
    "split_model": (27, 28, 27),
    "model_b": (18, 9, 8),
    "model_c": (9, 18, 19),
    "micro_exp_stcnn": (18, 8, 9),
    "micro_exp_fusenet_intermediate": (17, 16, 8),
    "micro_exp_fusenet_late": (17, 16, 8),
    "modified_micro_exp_stcnn": (10, 20, 14),
    "ststnet": (1, 13, 14),
    "rcn": (1, 13, 14),
}
CPU = torch.device("cpu")


def build(name, channels=1, **options):
    frames, height, width = SIZES[name]
    sizes = {"n_frames": frames, "height": height, "width": width, "in_channels": channels}
    return create_model(name, seed=0, **sizes, **options)


def pictures(name, n=10, channels=1):
    return np.random.default_rng(1).integers(0, 256, (n, *SIZES[name], channels), dtype=np.uint8)


def make_step(model, X, config, device=CPU, *, resident=False):
    samples = Samples(X, model.spec, "none")
    standardisation = measure(samples)
    batches = HostBatches(samples, standardisation)
    if resident or device.type != "cpu":
        batches = ResidentBatches(samples.resident(device), "none", standardisation)
    optimizer = build_optimizer(model.to(device).train().parameters(), config)
    optimizer.count_on_device()
    labels = torch.arange(len(X), device=device) % 3
    weights = torch.tensor([0.5, 1.0, 1.5], device=device)
    return Step(model, batches, labels, weights, optimizer, config)


class Replayed:
    """Stands for a graph: tries the step out as a capture does, then insists on finding every tensor where it was."""

    def __init__(self, step):
        self.step = step
        self.captured = 0

    def __call__(self, call):
        self.captured += 1
        for _ in range(3):
            call()
        places = [tensor.data_ptr() for tensor in self.step.tensors()]

        def replay():
            assert [tensor.data_ptr() for tensor in self.step.tensors()] == places
            call()
            assert [tensor.data_ptr() for tensor in self.step.tensors()] == places

        return replay


def epochs(step, steps, n, batch_size=4, device=CPU):
    """Two passes in a changing order; losses, hits and all that was learned."""
    torch.manual_seed(5)
    found = []
    for order in (torch.arange(n), torch.arange(n).flip(0)):
        step.start()
        steps.take(torch.split(order.to(device), batch_size))
        found += [step.loss.clone(), step.hits.clone()]
    return found + [tensor.clone() for tensor in step.tensors()]


def test_all_networks_are_here():
    assert set(SIZES) <= set(list_models())


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("changes", [{}, {"optimizer": "adam", "decay": 0.1, "clip_norm": 0.5}])
def test_replays_are_the_steps_bit_for_bit(name, changes):
    config = TrainingConfig.for_model(name, **{"learning_rate": 0.01, **changes})
    X = pictures(name)
    one, other = (make_step(build(name), X, config, resident=resident) for resident in (False, True))
    capture = Replayed(other)
    steps = GraphedSteps(other, capture)
    # Ten samples in fours: a graph for four and one for two. Dropout is on, so trying out must leave its stream alone.
    expected, found = epochs(one, EagerSteps(one), 10), epochs(other, steps, 10)
    assert capture.captured == 2 and steps.how == "CUDA graph"
    for a, b in zip(expected, found, strict=True):
        assert torch.equal(a, b)


def test_a_capture_that_fails_is_logged_and_changes_nothing(caplog):
    config = TrainingConfig.for_model("model_b", momentum=0.9)
    one, other = (make_step(build("model_b"), pictures("model_b"), config) for _ in range(2))
    tried = []

    def broken(call):
        tried.append(call())
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    steps = GraphedSteps(other, broken)
    with caplog.at_level(logging.WARNING, "fleeting"):
        found = epochs(other, steps, 10)
    for a, b in zip(epochs(one, EagerSteps(one), 10), found, strict=True):
        assert torch.equal(a, b)
    assert len(tried) == 1, "tried for one size of batch, given up for all"
    assert steps.how.startswith("eager") and steps.how.endswith("when stream is capturing")
    assert "when stream is capturing" in caplog.text


def test_what_is_no_failure_of_the_capture_is_not_hidden():
    def broken(call):
        raise AssertionError("a mistake of ours")

    step = make_step(build("model_b"), pictures("model_b"), TrainingConfig())
    with pytest.raises(AssertionError, match="ours"):
        GraphedSteps(step, broken).take([torch.arange(2)])


def test_on_a_cpu_steps_are_eager(clips):
    step = make_step(build("model_b"), pictures("model_b"), TrainingConfig())
    assert isinstance(make_steps(step, CPU), EagerSteps)
    assert train(build("model_b"), pictures("model_b"), [0, 1] * 5, TrainingConfig(epochs=1)).steps == "eager"


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("changes", [{}, {"optimizer": "adam", "decay": 0.1, "clip_norm": 0.5}])
def test_a_step_off_the_cpu_waits_for_no_value_and_mixes_no_devices(name, changes):
    """On the device "meta" tensors have no values, so whatever asks for one fails, as it would in a capture."""
    meta = torch.device("meta")
    config = TrainingConfig.for_model(name, **changes)
    model = build(name).to(meta).train()
    optimizer = build_optimizer(model.parameters(), config)
    optimizer.count_on_device()
    resident = torch.empty((10, 1, *SIZES[name]), dtype=torch.uint8, device=meta)
    batches = ResidentBatches(resident, "none", Standardisation((1.0,), (2.0,)))
    step = Step(model, batches, torch.zeros(10, dtype=torch.int64, device=meta), torch.ones(3, device=meta),
                optimizer, config)  # fmt: skip
    step.start()
    step(torch.zeros(4, dtype=torch.int64, device=meta))
    assert all(tensor.device == meta for tensor in step.tensors())
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_bfloat16_keeps_weights_and_sums_in_float32():
    X, exact = pictures("model_b"), TrainingConfig()
    rough = TrainingConfig(precision="bfloat16")
    losses = []
    for config in (exact, rough):
        step = make_step(build("model_b", dropout=0.0), X, config)
        step(torch.arange(10))
        losses.append(float(step.loss))
        assert all(tensor.dtype != torch.bfloat16 for tensor in step.tensors())
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("change", [{"precision": "tf32"}, {"precision": "bfloat16"}, {"layout": "channels_last"}])
def test_what_only_a_gpu_has_is_refused_on_a_cpu(change):
    with pytest.raises(UsageError, match="needs device 'cuda'"):
        train(build("model_b"), pictures("model_b"), [0, 1] * 5, TrainingConfig(**change), device="auto")


# What follows needs a card.

CUDA = torch.device("cuda", 0)


@pytest.mark.gpu
def test_settings_of_precision_are_made_and_come_back():
    def settings():
        return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    before = settings(), torch.are_deterministic_algorithms_enabled()
    for precision in ("tf32", "float32"):
        with repeatable(0, CUDA, precision):
            assert settings() == (precision == "tf32",) * 2
            assert torch.are_deterministic_algorithms_enabled()
        assert (settings(), torch.are_deterministic_algorithms_enabled()) == before


@pytest.mark.gpu
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", SIZES)
def test_outputs_and_gradients_on_cuda_are_those_of_float64(name, channels):
    reference = build(name, channels, dropout=0.0).double().train()
    model = build(name, channels, dropout=0.0).to(CUDA).train()
    rng = np.random.default_rng(2)
    x = torch.from_numpy(rng.normal(size=(5, channels, *SIZES[name])))
    with repeatable(0, CUDA):
        for network, batch in ((reference, x), (model, x.float().to(CUDA))):
            nn.functional.cross_entropy(network(batch), torch.arange(5, device=batch.device) % 3).backward()
        for training in (True, False):
            with torch.no_grad():
                exact = reference.train(training)(x)
                found = model.train(training)(x.float().to(CUDA)).cpu().double()
            assert (found - exact).norm() <= 1e-5 * exact.norm()
    for (part, one), other in zip(reference.named_parameters(), model.parameters(), strict=True):
        error = (other.grad.cpu().double() - one.grad).norm() / one.grad.norm().clamp_min(1e-8)
        assert error <= (1e-4 if "conv" in part else 1e-5), part


@pytest.mark.gpu
@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("changes", [{}, {"optimizer": "adam", "decay": 0.1, "clip_norm": 0.5}])
def test_a_graph_is_the_eager_steps_also_with_dropout(name, changes):
    config = TrainingConfig.for_model(name, **changes)
    one, other = (make_step(build(name), pictures(name), config, CUDA) for _ in range(2))
    steps = GraphedSteps(other, cuda_graph)
    with repeatable(0, CUDA):
        expected = epochs(one, EagerSteps(one), 10, device=CUDA)
        found = epochs(other, steps, 10, device=CUDA)
    assert steps.how == "CUDA graph"
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("graphs", ["0", "1"])
@pytest.mark.parametrize("name", SIZES)
def test_training_on_cuda_is_training_on_the_cpu(name, graphs, monkeypatch):
    monkeypatch.setenv("FLEETING_CUDA_GRAPHS", graphs)
    config = TrainingConfig.for_model(name, epochs=2, batch_size=4)
    X, y = pictures(name), [k % 3 for k in range(10)]
    on_cpu = train(build(name, dropout=0.0), X, y, config)
    on_cuda = train(build(name, dropout=0.0), X, y, config, device="cuda")
    assert on_cuda.steps == ("eager" if graphs == "0" else "CUDA graph")
    np.testing.assert_allclose(on_cuda.history.loss, on_cpu.history.loss, rtol=1e-3)
    again = train(build(name, dropout=0.0), X, y, config, device="cuda")
    for a, b in zip(on_cuda.model.state_dict().values(), again.model.state_dict().values(), strict=True):
        assert torch.equal(a, b), "the same seed, the same weights"


@pytest.mark.gpu
@pytest.mark.parametrize("change", [{"precision": "tf32"}, {"precision": "bfloat16"}, {"layout": "channels_last"}])
def test_precision_and_layout_on_cuda(change):
    X, y = pictures("model_a"), [k % 3 for k in range(10)]
    exact = train(build("model_a", dropout=0.0), X, y, TrainingConfig(epochs=1), device="cuda")
    other = train(build("model_a", dropout=0.0), X, y, TrainingConfig(epochs=1, **change), device="cuda")
    assert other.steps == "CUDA graph"
    assert other.history.loss[0] == pytest.approx(exact.history.loss[0], rel=0.05)
    assert all(weight.is_contiguous() for weight in other.model.state_dict().values())
