"""Every network on the kernels: the same function as on plain PyTorch, and trainings that end alike."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from fleeting.errors import UsageError
from fleeting.models import create_model, list_models, model_info
from fleeting.training import TrainingConfig, train

OF_CONVOLUTIONS, ELSEWHERE = 1e-4, 1e-5


def error(found, expected):
    """Norm of the difference, against the norm of what was expected."""
    found, expected = found.detach().double(), expected.detach().double()
    assert torch.isfinite(found).all()
    return float((found - expected).norm() / expected.norm().clamp_min(1e-30))


def gradients(model, x, y):
    model.zero_grad()
    outputs = model(x)
    F.cross_entropy(outputs, y).backward()
    return outputs.detach(), {name: weight.grad.clone() for name, weight in model.named_parameters()}


def build(name, frames, height, width, channels, seed):
    try:
        model = create_model(
            name, n_frames=frames, height=height, width=width, in_channels=channels, n_classes=3, seed=seed, dropout=0.0
        )
    except UsageError:
        assume(False)
    torch.manual_seed(seed)
    with torch.no_grad():
        for layer, weight in model.named_parameters():
            if layer.endswith("bias"):
                weight.normal_(0, 0.2)
            elif "norm" in layer:
                weight.copy_(torch.randn_like(weight))
    return model


def steady(exact, x, y, expected):
    """Whether the gradient exists here: it jumps where ReLU's zero or a tie in the pooling lies within rounding."""
    statistics = deepcopy(exact.state_dict())

    def jumps(seed):
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype)
        _, found = gradients(exact, x * (1 + 1e-6 * noise), y)
        return any(error(found[layer], gradient) > 1e-5 for layer, gradient in expected.items())

    # The more a sum is rounded, the more often it lies there; that of 3 by 3 is taken apart most.
    kernels = {layer.kernel_size[1:] for layer in exact.modules() if isinstance(layer, nn.Conv3d)}
    found = any(jumps(seed) for seed in range(12 if (3, 3) in kernels else 3))
    exact.load_state_dict(statistics)
    return not found


# What is fitted at once has no gradients.
@pytest.mark.parametrize("name", [n for n in list_models() if model_info(n).training.get("optimizer") != "none"])
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    # A smaller example says no more here, and looking for one takes minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    frames=st.sampled_from([10, 18, 26, 30, 36]), height=st.integers(9, 29), width=st.integers(9, 29),
    channels=st.sampled_from([1, 3]), samples=st.sampled_from([1, 2, 4, 8, 20]), seed=st.integers(0, 99)
)  # fmt: skip
def test_same_outputs_and_gradients(
    name, all_kernels, poisoned, monkeypatch, frames, height, width, channels, samples, seed
):
    if "fusenet" in name:
        height += height % 2
    if name in ("micro_exp_stcnn", "model_b") or "fusenet" in name:
        frames = max(frames, 18)
    if name == "split_model":
        frames, height, width, samples = max(frames, 30), max(height, 27), max(width, 27), min(samples, 4)
    model = build(name, frames, height, width, channels, seed)
    x = torch.randn(samples, channels, frames, height, width)
    y = torch.arange(samples) % 3
    exact = deepcopy(model).double().train()
    expected_outputs, expected = gradients(exact, x.double(), y)
    assume(steady(exact, x.double(), y, expected))
    with monkeypatch.context() as patch:
        patch.setattr("fleeting.models.fused.library", lambda: None)
        plain_outputs, plain = gradients(deepcopy(model).train(), x, y)
    with torch.no_grad():
        answers = exact.eval()(x.double())
    for kind, using in all_kernels.items():
        with using():
            mine = deepcopy(model).train()
            outputs, found = gradients(mine, x, y)
            with torch.no_grad():
                told = mine.eval()(x)
        assert error(outputs, expected_outputs) <= ELSEWHERE, kind
        assert error(outputs, plain_outputs) <= 2 * ELSEWHERE, kind
        for layer, gradient in expected.items():
            allowed = OF_CONVOLUTIONS if gradient.dim() == 5 else ELSEWHERE
            if gradient.norm() > 1e-9:
                # Where large terms cancel, PyTorch in single precision is as far off.
                rounding = error(plain[layer], gradient)
                assert error(found[layer], gradient) <= max(allowed, 3 * rounding), (kind, layer)
                assert error(found[layer], plain[layer]) <= 2 * max(allowed, 3 * rounding), (kind, layer)
        assert error(told, answers) <= ELSEWHERE, kind
        torch.testing.assert_close(
            told, answers.float(), rtol=1e-4, atol=1e-5, msg=lambda text, kind=kind: f"{kind}: {text}"
        )


def clips(count, seed, size=(10, 30, 29)):
    """Dark clips in which a bright square moves down, right, or stays, under noise."""
    rng = np.random.default_rng(seed)
    frames = size[0]
    X = rng.normal(100, 12, (count, *size, 1))
    y = np.arange(count) % 3
    for sample, label in zip(X, y, strict=True):
        top, left = rng.integers(2, 8, 2)
        for t in range(frames):
            down, right = (t, 0) if label == 0 else (0, t) if label == 1 else (0, 0)
            sample[t, top + down : top + down + 7, left + right : left + right + 7] += 40
    return np.clip(X, 0, 255).astype(np.uint8), y


CONFIG = {"model_a": {"learning_rate": 0.002}, "modified_micro_exp_stcnn": {"learning_rate": 0.001, "batch_size": 8}}


def trained(name, seed, dropout, epochs, X, y):
    frames, height, width, channels = X.shape[1:]
    model = create_model(
        name, n_frames=frames, height=height, width=width, in_channels=channels, n_classes=3, seed=seed, dropout=dropout
    )
    return train(model, X, y, TrainingConfig.for_model(name, epochs=epochs, **CONFIG[name]), seed=seed)


@pytest.mark.parametrize("name", CONFIG)
@pytest.mark.filterwarnings("ignore::fleeting.errors.CollapseWarning")
def test_without_dropout_a_training_takes_the_same_steps(name, any_kernels, monkeypatch):
    X, y = clips(12, 0)
    ours = trained(name, 0, 0.0, 3, X, y)
    with monkeypatch.context() as patch:
        patch.setattr("fleeting.models.fused.library", lambda: None)
        theirs = trained(name, 0, 0.0, 3, X, y)
    np.testing.assert_allclose(ours.history.loss, theirs.history.loss, rtol=1e-3)
    for (layer, one), other in zip(ours.model.named_parameters(), theirs.model.parameters(), strict=True):
        assert error(one, other) < 2e-3, layer


@pytest.mark.filterwarnings("ignore::fleeting.errors.CollapseWarning")
def test_with_dropout_trainings_end_within_what_another_seed_makes_of_them(any_kernels, monkeypatch):
    """Held-out log loss of both ways over the same seeds: their means differ by less than seeds do."""
    X, y = clips(24, 0)
    held_out, truth = clips(30, 1)
    losses = {"kernels": [], "plain": []}
    for way, values in losses.items():
        with monkeypatch.context() as patch:
            if way == "plain":
                patch.setattr("fleeting.models.fused.library", lambda: None)
                patch.setattr("fleeting.models.dropout.library", lambda: None)
            for seed in range(5):
                probabilities = trained("model_a", seed, 0.4, 12, X, y).predict_proba(held_out)
                values.append(-np.log(probabilities[np.arange(30), truth].clip(1e-9)).mean())
    ours, theirs = (np.array(values) for values in losses.values())
    spread = np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / len(ours))
    assert abs(ours.mean() - theirs.mean()) < 3 * spread
    assert len({round(value, 6) for value in ours}) > 1  # seeds matter here, or nothing was shown
