"""Our optimisers against Keras' own."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest
import torch

from fleeting.errors import UsageError
from fleeting.training import SGD, Adam, TrainingConfig
from fleeting.training.optim import build_optimizer, clip_by_global_norm

DECAY = 0.1


def schedule(rate):
    return keras.optimizers.schedules.InverseTimeDecay(rate, decay_steps=1, decay_rate=DECAY)


CASES = {
    "plain": (lambda p: SGD(p, lr=0.1), lambda: keras.optimizers.SGD(0.1)),
    "momentum": (lambda p: SGD(p, lr=0.1, momentum=0.9), lambda: keras.optimizers.SGD(0.1, momentum=0.9)),
    "nesterov with decay": (
        lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True, decay=DECAY),
        lambda: keras.optimizers.SGD(schedule(0.1), momentum=0.9, nesterov=True),
    ),
    "momentum with decay": (
        lambda p: SGD(p, lr=0.1, momentum=0.9, decay=DECAY),
        lambda: keras.optimizers.SGD(schedule(0.1), momentum=0.9),
    ),
    "adam": (lambda p: Adam(p, lr=0.01), lambda: keras.optimizers.Adam(0.01)),
    "adam with decay": (lambda p: Adam(p, lr=0.01, decay=DECAY), lambda: keras.optimizers.Adam(schedule(0.01))),
}


@pytest.mark.parametrize("counting", ["on the host", "on the device"])
@pytest.mark.parametrize("case", CASES)
def test_same_steps_as_keras(case, counting):
    ours, theirs = CASES[case]
    rng = np.random.default_rng(0)
    starts = [rng.normal(size=shape).astype(np.float32) for shape in ((4, 3), (5,))]
    weights = [torch.nn.Parameter(torch.from_numpy(start.copy())) for start in starts]
    variables = [keras.Variable(start) for start in starts]
    optimizer, reference = ours(weights), theirs()
    if counting == "on the device":
        optimizer.count_on_device()
    for step in range(8):
        # Tiny gradients are where eps 1e-7 and PyTorch's 1e-8 part ways.
        gradients = [(rng.normal(size=s.shape) * (1e-7 if step % 2 else 1)).astype(np.float32) for s in starts]
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        reference.apply([torch.from_numpy(g) for g in gradients], variables)
        for weight, variable in zip(weights, variables, strict=True):
            np.testing.assert_allclose(
                weight.detach().numpy(), keras.ops.convert_to_numpy(variable), rtol=2e-6, atol=2e-7
            )


def test_adam_uses_keras_eps():
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.full((1,), 1e-9)
    Adam([weight], lr=1.0).step()
    root = (0.001) ** 0.5
    expected = -(0.1 * 1e-9) * (root / 0.1) / (root * 1e-9 + 1e-7)
    assert weight.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("clip", [0.5, 1e3])
def test_clipping_like_keras_global_clipnorm(clip):
    rng = np.random.default_rng(1)
    gradients = [rng.normal(size=shape).astype(np.float32) for shape in ((4, 3), (5,))]
    weights = [torch.nn.Parameter(torch.zeros(g.shape)) for g in gradients]
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = torch.from_numpy(gradient.copy())
    clip_by_global_norm(weights, clip)
    reference = keras.optimizers.SGD(1.0, global_clipnorm=clip)
    variables = [keras.Variable(np.zeros(g.shape, np.float32)) for g in gradients]
    reference.apply([torch.from_numpy(g) for g in gradients], variables)
    for weight, variable in zip(weights, variables, strict=True):
        np.testing.assert_allclose(-weight.grad.numpy(), keras.ops.convert_to_numpy(variable), rtol=1e-5)


def test_a_weight_without_gradient_stays():
    used, unused = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    used.grad = torch.ones(2)
    optimizer = build_optimizer([used, unused], TrainingConfig())
    optimizer.step()
    assert unused.tolist() == [1, 1]
    assert used.tolist() != [1, 1]
    clip_by_global_norm([unused], 1.0)


def test_the_configuration_reaches_the_optimizer():
    weight = torch.nn.Parameter(torch.ones(1))
    sgd = build_optimizer([weight], TrainingConfig(learning_rate=0.5, momentum=0.3, nesterov=True, decay=0.25))
    assert (sgd.lr, sgd.momentum, sgd.nesterov, sgd.decay) == (0.5, 0.3, True, 0.25)
    weight.grad = torch.zeros(1)
    sgd.step()
    assert sgd.rate == pytest.approx(0.5 / 1.25)
    assert isinstance(build_optimizer([weight], TrainingConfig(optimizer="adam")), Adam)


@pytest.mark.parametrize("case", CASES)
def test_counting_on_the_device_goes_on_from_where_it_was(case):
    start = torch.linspace(-1, 1, 7)
    ends = []
    for switch in (99, 3):
        weight = torch.nn.Parameter(start.clone())
        optimizer = CASES[case][0]([weight])
        for step in range(6):
            if step == switch:
                optimizer.count_on_device()
            weight.grad = start.sin() * (step + 1)
            optimizer.step()
        assert float(optimizer.steps) == 6
        ends.append((weight.detach(), float(optimizer.rate)))
    torch.testing.assert_close(ends[0][0], ends[1][0], rtol=1e-6, atol=1e-7)
    assert ends[0][1] == pytest.approx(ends[1][1], rel=1e-12)


def test_device_names():
    from fleeting.training.device import resolve_device

    with pytest.raises(UsageError, match="auto, cpu, cuda"):
        resolve_device("tpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="device='cpu'"):
            resolve_device("cuda")


def test_training_leaves_the_compiler_alone():
    """Importing it takes a second and 70 MB in each process that trains."""
    code = (
        "import sys, torch\n"
        "from fleeting.training.optim import SGD\n"
        "w = torch.nn.Parameter(torch.ones(2)); w.grad = torch.ones(2)\n"
        "o = SGD([w], momentum=0.9); o.step(); o.zero_grad()\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
