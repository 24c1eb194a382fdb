"""The kernels' blocks against PyTorch in double precision: values, statistics and every gradient."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from fleeting.models import fused
from fleeting.models.blocks import ConvPool, PlaneMeanPool, plane_conv_relu_norm_pool
from fleeting.models.dropout import Dropout, keep_mask
from fleeting.models.layers import BatchNorm, Conv3d, Dense
from fleeting.models.talluri2022 import ConvBlock

# What is asked for: of the weights of a convolution, and of everything else.
OF_WEIGHTS, ELSEWHERE = 1e-4, 1e-5

quickly = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def error(found, expected):
    """Largest difference, against the largest value that was expected."""
    found, expected = found.detach().double(), expected.detach().double()
    assert found.shape == expected.shape
    assert torch.isfinite(found).all()
    return float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30))


def check_gradients(block, exact, x, x_exact, where=""):
    for (name, weight), twin in zip(block.named_parameters(), exact.parameters(), strict=True):
        allowed = OF_WEIGHTS if weight.dim() == 5 else ELSEWHERE
        assert error(weight.grad, twin.grad) <= allowed, f"{where}{name}"
    if x.grad is not None:
        assert error(x.grad, x_exact.grad) <= ELSEWHERE, f"{where}input"


def in_double(block):
    # The reference is a chain of PyTorch's own layers: with a hook on one of them the block calls each.
    exact = deepcopy(block).double()
    exact.conv.register_forward_hook(lambda *_: None)
    return exact


def norm_block(channels, filters, padding, seed):
    torch.manual_seed(seed)
    block = ConvBlock(channels, filters, dropout=0.0, padding=padding).train()
    with torch.no_grad():
        block.norm.weight.copy_(torch.randn(filters))
        block.norm.bias.normal_()
        block.conv.bias.normal_(0, 0.3)
        block.conv.bias[filters // 2] = -100.0  # never fires
        # At exactly 0 all values tie, and which of them the pooling takes is anyone's choice.
        block.norm.weight[1] = -1e-3
    return block


sizes = st.tuples(st.integers(3, 12), st.integers(3, 23), st.integers(3, 30))


@quickly
@given(
    st.sampled_from([1, 3, 16]), st.sampled_from([16, 32, 48]), sizes, st.integers(1, 4), st.sampled_from([0, 1, 2]),
    st.booleans(), st.integers(0, 99)
)  # fmt: skip
def test_normalised_block(any_kernels, poisoned, channels, filters, size, samples, padding, wants_input, seed):
    size = tuple(max(edge, 5) for edge in size) if padding == 0 else size
    block = norm_block(channels, filters, padding, seed)
    exact = in_double(block)
    # Which way the kernels go backward depends on whether anyone asks for the gradient of what came in.
    x = torch.randn(samples, channels, *size).requires_grad_(wants_input)
    twin = x.detach().double().requires_grad_(wants_input)
    ours, theirs = block(x), exact(twin)
    assert error(ours, theirs) <= ELSEWHERE
    direction = torch.randn_like(ours)
    ours.backward(direction)
    theirs.backward(direction.double())
    check_gradients(block, exact, x, twin)
    for one, other in zip(block.norm.buffers(), exact.norm.buffers(), strict=True):
        assert error(one, other) <= ELSEWHERE
    with torch.no_grad():
        assert error(block.eval()(x), exact.eval()(twin)) <= ELSEWHERE


@pytest.mark.parametrize("channels", [1, 3, 16])
@pytest.mark.parametrize("kernel_frames", [1, 2, 5, 15])
def test_normalised_blocks_that_look_at_other_numbers_of_frames(any_kernels, poisoned, channels, kernel_frames):
    torch.manual_seed(kernel_frames)
    block = norm_block(channels, 16, 0, 0)
    block.conv = Conv3d(channels, 16, (kernel_frames, 3, 3))
    exact, x = in_double(block), torch.randn(2, channels, kernel_frames + 6, 11, 14)
    ours, theirs = block(x), exact(x.double())
    assert type(ours.grad_fn).__name__ == "_NormPoolBackward"
    assert error(ours, theirs) <= ELSEWHERE
    direction = torch.randn_like(ours)
    ours.backward(direction)
    theirs.backward(direction.double())
    check_gradients(block, exact, x, None)


@pytest.mark.parametrize("channels", [1, 3, 16])
@pytest.mark.parametrize("size", [(9, 4, 131), (4, 50, 50), (7, 16, 97)])
def test_frames_wider_than_a_vector(any_kernels, poisoned, channels, size):
    """Rows of tiles that fill several vectors, and end within one."""
    block = norm_block(channels, 16, 1, 0)
    exact, x = in_double(block), torch.randn(2, channels, *size)
    ours, theirs = block(x), exact(x.double())
    assert error(ours, theirs) <= ELSEWHERE
    direction = torch.randn_like(ours)
    ours.backward(direction)
    theirs.backward(direction.double())
    check_gradients(block, exact, x, None)


@quickly
@given(
    st.sampled_from([1, 3]), st.sampled_from([16, 32]), st.sampled_from([(3, 3), (15, 3), (15, 5), (1, 1)]), sizes,
    st.integers(1, 4), st.integers(0, 99)
)  # fmt: skip
def test_block_without_normalisation(any_kernels, poisoned, channels, filters, kernel, size, samples, seed):
    torch.manual_seed(seed)
    kernel = (*kernel, 3)
    size = tuple(edge + k + 1 for edge, k in zip(size, kernel, strict=True))
    block = ConvPool(channels, filters, kernel, 3)
    with torch.no_grad():
        block.conv.bias.normal_(0, 0.3)
    exact = in_double(block)
    x = torch.randn(samples, channels, *size)
    ours, theirs = block(x), exact(x.double())
    assert error(ours, theirs) <= ELSEWHERE
    direction = torch.randn_like(ours) * (torch.rand_like(ours) > 0.5)
    ours.backward(direction)
    theirs.backward(direction.double())
    check_gradients(block, exact, x, None)


class PlaneBlock(nn.Module):
    """Single frames: convolution, ReLU, normalisation, pooling with a border."""

    def __init__(self, channels, filters, height, padding, border, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = Conv3d(channels, filters, (1, height, 3), padding=(0, padding, padding))
        self.relu, self.norm = nn.ReLU(inplace=True), BatchNorm(filters)
        self.pool = nn.MaxPool3d((1, 3, 3), padding=(0, border, border))
        with torch.no_grad():
            self.norm.weight.copy_(torch.randn(filters))
            self.norm.bias.normal_()
            self.conv.bias.normal_(0, 0.3)
            self.conv.bias[filters // 2] = -100.0  # never fires
            self.norm.weight[1] = -1e-3

    def forward(self, x):
        return plane_conv_relu_norm_pool(x, self.conv, self.relu, self.norm, self.pool)


def check_planes(block, x):
    exact = in_double(block)
    ours, theirs = block.train()(x), exact.train()(x.double())
    assert error(ours, theirs) <= ELSEWHERE
    direction = torch.randn_like(ours)
    ours.backward(direction)
    theirs.backward(direction.double())
    check_gradients(block, exact, x, None)
    for one, other in zip(block.norm.buffers(), exact.norm.buffers(), strict=True):
        assert error(one, other) <= ELSEWHERE
    with torch.no_grad():
        assert error(block.eval()(x), exact.eval()(x.double())) <= ELSEWHERE
    return ours


@quickly
@given(
    st.sampled_from([1, 3, 16]), st.sampled_from([16, 32]), st.sampled_from([(1, 0), (3, 0), (3, 1), (3, 2), (5, 2)]),
    st.sampled_from([0, 1]), st.integers(1, 2), st.integers(1, 30), st.integers(1, 30), st.integers(2, 4),
    st.integers(0, 99)
)  # fmt: skip
def test_single_frames(any_kernels, poisoned, channels, filters, kernel, border, frames, height, width, samples, seed):
    """Down to frames of one pixel, of which the pooling's border makes a cell."""
    tall, padding = kernel
    least = 1 if border else 3
    height, width = (max(edge, least + k - 1 - 2 * padding) for edge, k in zip((height, width), (tall, 3)))
    block = PlaneBlock(channels, filters, tall, padding, border, seed)
    x = torch.randn(samples, channels, frames, height, width)
    out = check_planes(block, x)
    assert type(block.train()(x).grad_fn).__name__ == "_PlaneNormPoolBackward"
    assert out.permute(0, 2, 3, 4, 1).is_contiguous()


@quickly
@given(st.integers(1, 3), st.integers(3, 20), st.integers(3, 20), st.sampled_from([0, 1]), st.integers(0, 99))
def test_single_frames_without_kernels(monkeypatch, channels, height, width, border, seed):
    monkeypatch.setattr(fused, "library", lambda: None)
    block = PlaneBlock(channels, 16, 3, 1, border, seed)
    x = torch.randn(3, channels, 2, height, width)
    check_planes(block, x)
    # The gradient of what comes in, which only this way has.
    x.requires_grad_()
    twin = x.detach().double().requires_grad_()
    direction = torch.randn_like(block(x))
    block(x).backward(direction)
    in_double(block)(twin).backward(direction.double())
    assert error(x.grad, twin.grad) <= ELSEWHERE


@pytest.mark.parametrize("kind", ["all alike", "two levels"])
def test_ties_in_the_pooling_of_single_frames(any_kernels, kind):
    rng = np.random.default_rng(0)
    x = {
        "all alike": np.full((2, 3, 1, 12, 15), 0.5),
        "two levels": np.repeat(np.repeat(rng.integers(0, 2, (2, 3, 1, 4, 5)), 9, 3), 9, 4),
    }[kind]
    block = PlaneBlock(3, 16, 3, 1, 1, 0)
    exact, x = in_double(block), torch.from_numpy(x.astype(np.float32))
    ours, theirs = block.train()(x), exact.train()(x.double())
    assert error(ours, theirs) <= ELSEWHERE
    (ours * ours.detach()).sum().backward()
    (theirs * theirs.detach()).sum().backward()
    scale = max(float(p.grad.abs().max()) for p in exact.parameters())
    for (name, one), other in zip(block.named_parameters(), exact.parameters(), strict=True):
        assert (one.grad.double() - other.grad).abs().max() <= 1e-5 * scale, name


def test_what_the_kernels_of_single_frames_do_not_know_is_left_to_pytorch(any_kernels):
    x, weight = torch.randn(2, 3, 1, 9, 9), Conv3d(3, 16, (1, 3, 3)).weight
    assert fused.plane_kernels_for(x, weight, (1, 1, 1), 3) is any_kernels
    assert fused.plane_kernels_for(x.requires_grad_(), weight, (1, 1, 1), 3) is None
    with torch.no_grad():
        assert fused.plane_kernels_for(x, weight, (1, 1, 1), 3) is any_kernels
    x = x.detach()
    assert fused.plane_kernels_for(x, weight, (1, 1, 1), 2) is None
    assert fused.plane_kernels_for(x, Conv3d(3, 16, 3).weight, (1, 1, 1), 3) is None
    assert fused.plane_kernels_for(x.double(), weight, (1, 1, 1), 3) is None
    block = PlaneBlock(3, 16, 3, 1, 1, 0).eval()
    with torch.no_grad():
        before, seen = block(x), []
        for layer in (block.conv, block.relu, block.norm, block.pool):
            layer.register_forward_hook(lambda layer, *_: seen.append(type(layer).__name__))
        assert error(block(x), before) <= ELSEWHERE
    assert seen == ["Conv3d", "ReLU", "BatchNorm", "MaxPool3d"]
    with torch.no_grad():
        block.conv.weight.fill_(float("nan"))
        assert not torch.isfinite(block(x)).any()


@given(st.integers(1, 3), st.integers(2, 9), st.integers(2, 9), st.sampled_from([1, 2]), st.booleans())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_means_of_single_frames(samples, height, width, frames, channels_last):
    x = (
        torch.randn(samples, frames, height, width, 5)
        if channels_last
        else torch.randn(samples, 5, frames, height, width)
    )
    x = (x.permute(0, 4, 1, 2, 3) if channels_last else x).requires_grad_()
    out, expected = PlaneMeanPool(2)(x), nn.functional.avg_pool3d(x, (1, 2, 2))
    torch.testing.assert_close(out, expected)
    direction = torch.randn_like(out)
    ours, theirs = (torch.autograd.grad(y, x, direction)[0] for y in (out, expected))
    torch.testing.assert_close(ours, theirs)


@quickly
@given(st.integers(1, 16), st.integers(64, 120), st.integers(1, 9), st.booleans(), st.integers(0, 99))
def test_dense_layer(any_kernels, poisoned, monkeypatch, samples, blocks, outputs, wants_input, seed):
    monkeypatch.setattr(fused, "_LARGE", 0)
    torch.manual_seed(seed)
    layer = Dense(16 * blocks, outputs)
    with torch.no_grad():
        layer.bias.normal_()
    exact = nn.Linear(16 * blocks, outputs).double()
    exact.load_state_dict(layer.state_dict())
    x = torch.randn(samples, 16 * blocks).requires_grad_(wants_input)
    twin = x.detach().double().requires_grad_(wants_input)
    ours, theirs = layer(x), exact(twin)
    assert type(ours.grad_fn).__name__ == "_DenseBackward"
    assert error(ours, theirs) <= ELSEWHERE
    direction = torch.randn_like(ours)
    ours.backward(direction)
    theirs.backward(direction.double())
    for one, other in zip(layer.parameters(), exact.parameters(), strict=True):
        assert error(one.grad, other.grad) <= ELSEWHERE
    if wants_input:
        assert error(x.grad, twin.grad) <= ELSEWHERE


@pytest.mark.parametrize("kind", ["all alike", "two levels", "still frames"])
@pytest.mark.parametrize("normalised", [True, False])
def test_ties_in_the_pooling(any_kernels, kind, normalised):
    """Where several are the largest, any choice among them must give the same gradient of the weights."""
    rng = np.random.default_rng(0)
    x = {
        "all alike": np.full((2, 1, 9, 12, 15), 0.5),
        "two levels": np.repeat(np.repeat(rng.integers(0, 2, (2, 1, 3, 4, 5)), 9, 3), 9, 4).repeat(4, 2),
        "still frames": rng.normal(size=(2, 1, 1, 14, 17)).repeat(10, 2),
    }[kind]
    x = torch.from_numpy(x.astype(np.float32))
    torch.manual_seed(0)
    block = norm_block(1, 16, 1, 0) if normalised else ConvPool(1, 16, (3, 3, 3), 3)
    exact = in_double(block)
    ours, theirs = block(x), exact(x.double())
    assert error(ours, theirs) <= ELSEWHERE
    (ours * ours.detach()).sum().backward()
    (theirs * theirs.detach()).sum().backward()
    if kind == "all alike" and normalised:
        # Inside nothing varies, so nothing is left of the weights' gradient but what the padding lets in.
        for (name, one), other in zip(block.named_parameters(), exact.parameters(), strict=True):
            scale = max(float(p.grad.abs().max()) for p in exact.parameters())
            assert (one.grad.double() - other.grad).abs().max() <= 1e-5 * scale, name
    else:
        check_gradients(block, exact, x, None)


def test_the_kernels_are_what_computed(any_kernels):
    x = torch.randn(1, 1, 6, 9, 12)
    assert type(norm_block(1, 16, 1, 0)(x).grad_fn).__name__ == "_NormPoolBackward"
    assert type(ConvPool(1, 16, (3, 3, 3), 3)(x).grad_fn).__name__ == "_PoolBackward"
    out = fused.norm_pool(any_kernels, x, torch.randn(16, 1, 3, 3, 3), *torch.rand(3, 16), 1e-3, 1)[0]
    assert out.shape == (1, 16, 2, 3, 4)
    assert out.permute(0, 2, 3, 4, 1).is_contiguous()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_a_number_stays_so(any_kernels, value):
    """A training that diverges must be seen to."""
    for block in (norm_block(1, 16, 1, 0), ConvPool(1, 16, (3, 3, 3), 3)):
        with torch.no_grad():
            block.conv.weight.fill_(value)
        x = torch.randn(1, 1, 6, 9, 12)
        assert not torch.isfinite(block(x)).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda conv, x: (conv.double(), x.double(), 3),
        lambda conv, x: (conv, x.double(), 3),
        lambda conv, x: (conv, x, 2),
        lambda conv, x: (Conv3d(1, 8, 3), x, 3),
        lambda conv, x: (Conv3d(2, 16, 3), x.expand(1, 2, 6, 9, 12), 3),
        lambda conv, x: (Conv3d(1, 16, (3, 3, 5)), x, 3),
        lambda conv, x: (Conv3d(1, 16, 3, stride=2), x, 3),
        lambda conv, x: (conv, x[:0], 3),
    ],
)
def test_what_they_do_not_know_is_left_to_pytorch(any_kernels, change):
    conv, x, pool = change(Conv3d(1, 16, 3), torch.randn(1, 1, 6, 9, 12))
    assert fused.kernels_for(x, conv.weight, conv.stride, pool) is None
    assert fused.kernels_for(torch.randn(1, 1, 6, 9, 12), Conv3d(1, 16, 3).weight, (1, 1, 1), 3) is any_kernels


def test_hooks_are_called(any_kernels):
    block, seen = norm_block(1, 16, 1, 0).eval(), []
    before = block(torch.ones(1, 1, 6, 9, 12))
    for layer in (block.conv, block.relu, block.norm, block.pool):
        layer.register_forward_hook(lambda layer, *_: seen.append(type(layer).__name__))
    with torch.no_grad():
        after = block(torch.ones(1, 1, 6, 9, 12))
    assert seen == ["HeNormalConv3d", "ReLU", "BatchNorm", "MaxPool3d"]
    assert error(after, before) <= ELSEWHERE


def test_layouts_of_the_input_make_no_difference(any_kernels):
    block = norm_block(3, 16, 1, 0)
    x = torch.randn(2, 3, 6, 9, 12)
    frames_last = x.permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3)
    strided = torch.randn(2, 3, 12, 9, 24)[:, :, ::2, :, ::2]
    strided.copy_(x)
    assert torch.equal(block(x), block(frames_last))
    assert torch.equal(block(x), block(strided))


@given(st.integers(1, 300_000), st.integers(0, 2**32 - 1), st.floats(0.01, 0.99))
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_dropout_drops_the_same_values_with_and_without_kernels(any_kernels, count, seed, share):
    x = torch.rand(count) + 1
    out = torch.empty(count)
    any_kernels.dropout(x.data_ptr(), count, seed, min(int(share * 2**32), 2**32 - 1), 1 / (1 - share), out.data_ptr())
    kept = keep_mask(count, seed, share)
    np.testing.assert_array_equal(out.numpy() != 0, kept)
    np.testing.assert_allclose(out.numpy()[kept], (x / (1 - share)).numpy()[kept], rtol=1e-6)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.5, 0.9])
def test_dropout_drops_its_share_and_neighbours_know_nothing_of_each_other(share):
    count = 1_000_000
    kept = keep_mask(count, 12345, share)
    deviation = (share * (1 - share) / count) ** 0.5
    assert abs(kept.mean() - (1 - share)) < 5 * deviation
    for lag in (1, 2, 16, 128, 1764):
        both = (kept[lag:] & kept[:-lag]).mean()
        assert abs(both - (1 - share) ** 2) < 8 * deviation
    other = keep_mask(count, 12346, share)
    assert abs((kept & other).mean() - (1 - share) ** 2) < 8 * deviation


@pytest.mark.parametrize("permuted", [False, True])
def test_dropout_takes_the_gradient_where_it_took_the_value(any_kernels, permuted):
    layer = Dropout(0.4).train()
    x = torch.rand(3, 4, 5, 6, 16) + 1
    x = (x.permute(0, 4, 1, 2, 3) if permuted else x).requires_grad_()
    torch.manual_seed(3)
    out = layer(x)
    torch.manual_seed(3)
    assert torch.equal(out, layer(x))
    assert not torch.equal(out, layer(x))
    direction = torch.rand(out.shape) + 1
    out.backward(direction)
    torch.testing.assert_close(x.grad, direction * (out != 0) / 0.6)
    assert torch.equal(layer.eval()(x), x)
