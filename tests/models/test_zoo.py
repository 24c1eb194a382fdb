"""One set of tests for every network in the register."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.errors import UsageError
from fleeting.models import (
    InputShape,
    ModelSpec,
    count_parameters,
    create_model,
    list_models,
    model_info,
    register_model,
)
from fleeting.models.layers import BatchNorm, Conv3d, FlattenTHWC, as_ncdhw, pooled

SMALL = {"n_frames": 10, "height": 19, "width": 21}


@pytest.mark.parametrize("name", list_models())
class TestEveryModel:
    def test_takes_ncthw_and_returns_logits(self, name):
        model = create_model(name, n_classes=5, in_channels=3, **SMALL)
        out = model.eval()(torch.randn(2, 3, 10, 19, 21))
        assert out.shape == (2, 5)
        assert out.dtype == torch.float32
        assert (out.sum(1) - 1).abs().max() > 1e-3, "logits, not probabilities"

    def test_every_parameter_gets_a_gradient(self, name):
        model = create_model(name, **SMALL).train()
        model(torch.randn(4, 1, 10, 19, 21)).square().sum().backward()
        for parameter_name, parameter in model.named_parameters():
            assert parameter.grad is not None, parameter_name
            assert parameter.grad.abs().sum() > 0, parameter_name

    def test_spec_goes_through_json_and_builds_the_same(self, name):
        model = create_model(name, **SMALL)
        spec = ModelSpec.from_dict(json.loads(json.dumps(model.spec.to_dict())))
        assert spec == model.spec
        again = create_model(spec.name, **spec.to_dict()["shape"], **spec.options)
        assert {k: v.shape for k, v in again.state_dict().items()} == {
            k: v.shape for k, v in model.state_dict().items()
        }

    def test_seed_decides_the_weights_and_leaves_the_global_generator_alone(self, name):
        torch.manual_seed(5)
        before = torch.random.get_rng_state()
        one, same, other = (create_model(name, seed=seed, **SMALL).state_dict() for seed in (3, 3, 4))
        assert torch.equal(before, torch.random.get_rng_state())
        assert all(torch.equal(one[key], same[key]) for key in one)
        assert any(not torch.equal(one[key], other[key]) for key in one)
        generator = torch.Generator().manual_seed(3)
        drawn = create_model(name, seed=generator, **SMALL).state_dict()
        assert all(torch.equal(one[key], drawn[key]) for key in one)

    def test_paper_training_is_one_that_the_engine_knows(self, name):
        from fleeting.training import TrainingConfig

        info = model_info(name)
        assert info.paper and info.summary
        config = TrainingConfig.for_model(name)
        assert all(getattr(config, key) == value for key, value in info.training.items())

    def test_too_small_says_what_it_can_take(self, name):
        with pytest.raises(UsageError, match=r"at least \d+ frames"):
            create_model(name, n_frames=1)

    def test_unknown_option_lists_the_known(self, name):
        with pytest.raises(UsageError, match="Choose one of"):
            create_model(name, no_such_option=1)


def test_model_a_has_the_shapes_of_table_2():
    model = create_model("model_a")
    assert count_parameters(model) == 1_613_587
    shapes = []
    hooks = [m.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[1:]))) for m in model.modules()]
    with torch.no_grad():
        model.eval()(torch.zeros(1, 1, 36, 128, 128))
    for hook in hooks:
        hook.remove()
    for expected in [(16, 36, 128, 128), (16, 12, 42, 42), (16, 4, 14, 14), (12544,), (128,), (3,)]:
        assert expected in shapes
    assert model_info("model_a").training == {
        "optimizer": "sgd",
        "learning_rate": 0.001,
        "momentum": 0.9,
        "batch_size": 4,
        "epochs": 100,
    }


def test_least_and_one_less():
    create_model("model_a", n_frames=9, height=9, width=9)
    for sizes in [(8, 9, 9), (9, 8, 9), (9, 9, 8)]:
        with pytest.raises(UsageError, match="at least 9 frames of 9x9"):
            create_model("model_a", **dict(zip(("n_frames", "height", "width"), sizes, strict=True)))


@pytest.mark.parametrize("wrong", [{"n_classes": 1}, {"n_frames": 36.0}, {"height": -4}, {"in_channels": True}])
def test_impossible_sizes(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        create_model("model_a", **wrong)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_impossible_dropout(dropout):
    with pytest.raises(UsageError, match="dropout"):
        create_model("model_a", dropout=dropout)


def test_unknown_name_suggests():
    with pytest.raises(UsageError, match="did you mean 'model_a'"):
        create_model("model_aa")
    with pytest.raises(UsageError, match="model_a"):
        model_info("nothing")


def test_wildcards():
    assert "model_a" in list_models("model_*")
    assert list_models("no such*") == []


def test_a_name_can_be_taken_once():
    with pytest.raises(UsageError, match="registered already"):
        register_model("model_a", paper="", training={})(lambda shape: torch.nn.Identity())
    with pytest.raises(UsageError, match="default"):
        register_model("without_default", paper="", training={})(lambda shape, width: torch.nn.Identity())
    assert "without_default" not in list_models()


def test_what_model_info_returns_can_be_changed_without_harm():
    model_info("model_a").training["epochs"] = -1
    assert model_info("model_a").training["epochs"] == 100


@pytest.mark.parametrize(
    "content", [{}, {"name": "model_a"}, {"name": "model_a", "shape": {"n_classes": 3}}, {"name": "x", "shape": 3}]
)
def test_broken_specs_are_refused(content):
    with pytest.raises(UsageError, match="description of a model"):
        ModelSpec.from_dict(content)


@given(st.integers(2, 5), st.integers(1, 4), st.integers(2, 5), st.integers(2, 5), st.sampled_from([1, 2, 3]))
@settings(max_examples=25, deadline=None)
def test_memory_is_channels_first_whatever_comes_in(n, frames, height, width, channels):
    x = torch.randn(n, frames, height, width, channels).permute(0, 4, 1, 2, 3)
    ours = as_ncdhw(x)
    assert torch.equal(ours, x)
    # The strides decide which kernel PyTorch takes, and its output keeps the same order.
    out = Conv3d(channels, 4, 3, padding=1)(ours)
    assert out.stride() == torch.empty(out.shape).stride()


def test_grey_frames_would_count_as_channels_last_otherwise():
    """The trap itself; if PyTorch stops setting it, ``as_ncdhw`` may go."""
    x = torch.randn(2, 4, 5, 6, 1).permute(0, 4, 1, 2, 3)
    out = Conv3d(1, 4, 3, padding=1)(x)
    assert out.stride() != torch.empty(out.shape).stride()


def test_batch_norm_keeps_the_biased_variance_and_tells_the_batches():
    norm = BatchNorm(2)
    x = torch.randn(2, 2, 1, 1, 3, dtype=torch.float32) * 3 + 1
    norm.train()(x)
    values = x.transpose(0, 1).reshape(2, -1).double()
    torch.testing.assert_close(norm.running_mean.double(), 0.01 * values.mean(1))
    torch.testing.assert_close(norm.running_var.double(), 0.99 + 0.01 * values.var(1, correction=0))
    assert int(norm.num_batches_tracked) == 1
    before = norm.running_var.clone()
    norm.eval()(x)
    assert torch.equal(before, norm.running_var)


def test_batch_norm_of_a_single_value_answers_beta():
    norm = BatchNorm(2)
    with torch.no_grad():
        norm.bias.copy_(torch.tensor([0.5, -2.0]))
    x = torch.randn(1, 2, 1, 1, 1, requires_grad=True)
    out = norm.train()(x)
    assert out.flatten().tolist() == [0.5, -2.0]
    out.sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))
    torch.testing.assert_close(norm.running_var, torch.tensor([0.99, 0.99]))


def test_flatten_runs_over_time_height_width_then_channels():
    x = torch.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6)
    flat = FlattenTHWC()(x)
    assert flat.shape == (2, 360)
    assert flat[1, 1] == x[1, 1, 0, 0, 0]
    assert flat[1, 3] == x[1, 0, 0, 0, 1]
    assert flat[1, -1] == x[1, -1, -1, -1, -1]


@given(st.integers(1, 200), st.integers(0, 3))
def test_pooled_is_what_pooling_leaves(size, pools):
    x = torch.zeros(1, 1, size)
    for _ in range(pools):
        if x.shape[-1] < 3:
            assert pooled(size, pools=pools) == 0
            return
        x = torch.nn.functional.max_pool1d(x, 3)
    assert pooled(size, pools=pools) == x.shape[-1]


def test_input_shape_says_channels_first():
    assert InputShape(3, 36, 128, 64).input == (1, 36, 128, 64)


def test_fleeting_itself_does_not_import_torch():
    code = "import sys, fleeting; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("channels", [1, 2])
def test_one_step_block_is_the_same_function_with_the_same_gradients(channels):
    """In float64, against the layers one after the other, with leftovers at the edges and negative gammas."""
    from copy import deepcopy

    from fleeting.models.talluri2022 import ConvBlock

    torch.manual_seed(0)
    block = ConvBlock(channels, 6, dropout=0.0).double().train()
    with torch.no_grad():
        block.norm.weight.copy_(torch.tensor([1.0, -1.0, 0.5, -2.0, 1e-3, 3.0]))
        block.norm.bias.normal_()
        block.conv.bias.copy_(torch.tensor([0.1, 0.2, -0.1, 0.0, 0.3, -100.0]))  # the last never fires
    plain = deepcopy(block)
    x = torch.randn(2, channels, 7, 8, 10, dtype=torch.float64, requires_grad=True)
    twin = x.detach().clone().requires_grad_()
    ours = block(x)
    theirs = plain.pool(plain.norm(plain.relu(plain.conv(twin))))
    torch.testing.assert_close(ours, theirs)
    direction = torch.randn_like(ours)
    ours.backward(direction)
    theirs.backward(direction)
    torch.testing.assert_close(x.grad, twin.grad)
    for (name, one), other in zip(block.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, msg=name)
    for one, other in zip(block.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(one, other)
    assert torch.isfinite(ours).all()


def test_one_step_block_agrees_with_finite_differences():
    from fleeting.models.blocks import conv_relu_norm_pool

    torch.manual_seed(1)
    conv, norm = Conv3d(1, 2, 3, padding=1).double(), BatchNorm(2).double()
    x = torch.randn(2, 1, 3, 3, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda value: conv_relu_norm_pool(value, conv, norm, 3), (x,))
