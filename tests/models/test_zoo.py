"""One set of tests for every network in the register."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fleeting.errors import UsageError
from fleeting.models import (
    InputShape,
    ModelSpec,
    count_parameters,
    create_model,
    irawan2023,
    list_models,
    model_info,
    reddy2019,
    register_model,
    talluri2022,
    weight_shapes,
)
from fleeting.models.blocks import ConvPool, PlaneMeanPool
from fleeting.models.layers import BatchNorm, Conv3d, Dense, FlattenTHWC, HiddenReLU, as_ncdhw, as_ndhwc, pooled
from fleeting.models.registry import MODELS

SGD_A = {"optimizer": "sgd", "learning_rate": 0.001, "momentum": 0.9, "batch_size": 4, "epochs": 100}
SGD_KERAS = {"optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.0, "batch_size": 8, "epochs": 100}
ADAM = {"optimizer": "adam", "learning_rate": 0.001, "batch_size": 20, "epochs": 100}
ADAM_FLOW = {"optimizer": "adam", "learning_rate": 5e-5, "batch_size": 256, "epochs": 800}
SGD_FLOW = {"optimizer": "sgd", "learning_rate": 5e-4, "momentum": 0.9, "batch_size": 64, "epochs": 100}


@dataclass(frozen=True)
class Row:
    """What is known of a network: (frames, height, width) of the paper, of small tests and the least; the paper's
    training; trainable parameters with the paper's channels and three classes; each layer's output as ``TxHxWxC``."""

    paper: tuple[int, int, int]
    small: tuple[int, int, int]
    least: tuple[int, int, int]
    training: dict
    parameters: int
    layers: list[str]


ZOO = {
    # Talluri et al. 2022, table 2, as printed.
    "model_a": Row(
        (36, 128, 128),
        (10, 19, 21),
        (9, 9, 9),
        SGD_A,
        1_613_587,
        [
            "Conv3D 36x128x128x16",
            "BatchNorm 36x128x128x16",
            "MaxPooling 12x42x42x16",
            "Dropout 12x42x42x16",
            "Conv3D 12x42x42x16",
            "BatchNorm 12x42x42x16",
            "MaxPooling 4x14x14x16",
            "Dropout 4x14x14x16",
            "Flatten 12544",
            "Dense 128",
            "Dropout 128",
            "Dense 3",
        ],
    ),
    "split_model": Row(
        (36, 128, 128),
        (28, 29, 30),
        (27, 27, 27),
        SGD_A,
        47_683,
        [
            "Conv3D 36x128x128x16",
            "BatchNorm 36x128x128x16",
            "MaxPooling 12x42x42x16",
            "Dropout 12x42x42x16",
            "Conv3D 12x42x42x16",
            "BatchNorm 12x42x42x16",
            "MaxPooling 4x14x14x16",
            "Dropout 4x14x14x16",
            "Conv3D 4x14x14x16",
            "BatchNorm 4x14x14x16",
            "MaxPooling 1x4x4x16",
            "Dropout 1x4x4x16",
            "Flatten 256",
            "Dense 128",
            "Dropout 128",
            "Dense 3",
        ],
    ),
    "model_b": Row(
        (36, 64, 64),
        (18, 10, 13),
        (17, 5, 5),
        SGD_KERAS,
        11_473_667,
        [
            "Conv3D 22x62x62x32",
            "MaxPooling 7x20x20x32",
            "Dropout 7x20x20x32",
            "Flatten 89600",
            "Dense 128",
            "Dropout 128",
            "Dense 3",
        ],
    ),
    "model_c": Row(
        (36, 128, 128),
        (10, 19, 21),
        (9, 9, 9),
        {**SGD_A, "nesterov": True, "decay": 1e-6},
        3_212_739,
        [
            "Conv3D 36x128x128x32",
            "BatchNorm 36x128x128x32",
            "MaxPooling 12x42x42x32",
            "MaxPooling 4x14x14x32",
            "Dropout 4x14x14x32",
            "Flatten 25088",
            "Dense 128",
            "Dropout 128",
            "Dense 3",
        ],
    ),
    "micro_exp_stcnn": Row(
        (18, 64, 64),
        (18, 10, 13),
        (17, 5, 5),
        SGD_KERAS,
        1_643_267,
        [
            "Conv3D 4x62x62x32",
            "MaxPooling 1x20x20x32",
            "Dropout 1x20x20x32",
            "Flatten 12800",
            "Dense 128",
            "Dropout 128",
            "Dense 3",
        ],
    ),
    "micro_exp_fusenet_intermediate": Row(
        (18, 64, 32),
        (18, 20, 9),
        (17, 10, 5),
        SGD_KERAS,
        6_694_915,
        ["Conv3D 4x30x30x32", "MaxPooling 1x10x10x32", "Dropout 1x10x10x32", "Flatten 3200"] * 2
        + ["Dense 1024", "Dropout 1024", "Dense 128", "Dropout 128", "Dense 3"],
    ),
    "micro_exp_fusenet_late": Row(
        (18, 64, 32),
        (18, 20, 9),
        (17, 10, 5),
        SGD_KERAS,
        6_827_523,
        [
            "Conv3D 4x30x30x32",
            "MaxPooling 1x10x10x32",
            "Dropout 1x10x10x32",
            "Flatten 3200",
            "Dense 1024",
            "Dropout 1024",
            "Dense 128",
            "Dropout 128",
        ]
        * 2
        + ["Dense 3"],
    ),
    # Irawan et al. 2023, table II, which prints 32x126x126x8 for 8x126x126x32.
    "modified_micro_exp_stcnn": Row(
        (10, 128, 128),
        (10, 19, 21),
        (8, 8, 8),
        ADAM,
        452_611,
        [
            "Conv3D 8x126x126x32",
            "MaxPooling 2x42x42x32",
            "Dropout 2x42x42x32",
            "MaxPooling 1x21x21x32",
            "Dropout 1x21x21x32",
            "Flatten 14112",
            "Dropout 14112",
            "Dense 32",
            "Dropout 32",
            "Dense 3",
        ],
    ),
    # 3 * 9 * 16 + 16 of the convolution, 2 * 16 of the normalisation, 400 * 3 + 3.
    "ststnet": Row(
        (1, 28, 28),
        (1, 13, 14),
        (1, 4, 4),
        ADAM_FLOW,
        1_683,
        [
            "Conv3D 1x28x28x16",
            "BatchNorm 1x28x28x16",
            "MaxPooling 1x10x10x16",
            "Dropout 1x10x10x16",
            "MeanPooling 1x5x5x16",
            "Flatten 400",
            "Dense 3",
        ],
    ),
    # 2.66 million are what others count (Zhang et al. 2021).
    "off_apexnet": Row(
        (1, 28, 28),
        (1, 9, 10),
        (1, 4, 4),
        ADAM_FLOW,
        2_664_475,
        [
            "Conv3D 1x28x28x6",
            "MaxPooling 1x14x14x6",
            "Conv3D 1x14x14x16",
            "MaxPooling 1x7x7x16",
            "Flatten 784",
        ]
        * 2
        + ["Dense 1024", "Dropout 1024", "Dense 1024", "Dropout 1024", "Dense 3"],
    ),
    # 3 * 25 * 32, 32 * 32, 32 * 32 * 9, 3 * 64 of the normalisations, 800 * 3 + 3.
    "rcn": Row(
        (1, 28, 28),
        (1, 13, 14),
        (1, 8, 8),
        SGD_FLOW,
        15_235,
        [
            "Conv3D 1x24x24x32",
            "BatchNorm 1x24x24x32",
            "MaxPooling 1x12x12x32",
            "Dropout 1x12x12x32",
            *["Conv3D 1x12x12x32", "BatchNorm 1x12x12x32"] * 3,
            "MaxPooling 1x6x6x32",
            "Dropout 1x6x6x32",
            "Flatten 800",
            "Dense 3",
        ],
    ),
}


def sizes(found):
    return dict(zip(("n_frames", "height", "width"), found, strict=True))


def small(name, **more):
    return create_model(name, **{**sizes(ZOO[name].small), **more})


def batch(name, n=4, channels=None, seed=0):
    channels = channels or model_info(name).channels
    return torch.randn(n, channels, *ZOO[name].small, generator=torch.Generator().manual_seed(seed))


def layer_outputs(model, x):
    """Kind and size of every layer's output, in the order in which they run."""
    kinds = {
        Conv3d: "Conv3D",
        BatchNorm: "BatchNorm",
        nn.MaxPool3d: "MaxPooling",
        PlaneMeanPool: "MeanPooling",
        nn.Dropout: "Dropout",
        FlattenTHWC: "Flatten",
        Dense: "Dense",
    }
    rows, hooks = [], []

    def note(module, _inputs, out):
        kind = next(name for cls, name in kinds.items() if isinstance(module, cls))
        size = out.shape[1:] if out.ndim == 2 else (*out.shape[2:], out.shape[1])
        rows.append(f"{kind} {'x'.join(map(str, size))}")

    for module in model.modules():
        idle = isinstance(module, nn.Dropout) and module.p == 0
        if isinstance(module, tuple(kinds)) and not idle:
            hooks.append(module.register_forward_hook(note))
    with torch.no_grad():
        model.eval()(x)
    for hook in hooks:
        hook.remove()
    return rows


@pytest.mark.parametrize("name", list_models())
def test_shapes_of_weights_are_known_without_building_it(name):
    model = create_model(name)
    state = torch.random.get_rng_state()
    assert weight_shapes(model.spec) == {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert torch.equal(state, torch.random.get_rng_state())


def test_no_network_is_left_out():
    ours = [name for name in list_models() if MODELS.find(name).builder.__module__.startswith("fleeting.models")]
    # Those that are fitted at once have a test file of their own.
    assert sorted(ZOO) == [name for name in ours if model_info(name).training.get("optimizer") != "none"]


@pytest.mark.parametrize("name", ZOO)
class TestEveryModel:
    def test_sizes_layers_and_parameters_are_the_papers(self, name):
        row = ZOO[name]
        model, channels = create_model(name), model_info(name).channels
        assert model.spec.shape == InputShape(3, *row.paper, in_channels=channels)
        assert count_parameters(model) == row.parameters
        assert layer_outputs(model, torch.zeros(1, channels, *row.paper)) == row.layers

    def test_docstring_gives_its_figures(self, name):
        text = " ".join(MODELS.find(name).builder.__doc__.split())
        assert f"{ZOO[name].parameters:,} trainable parameters" in text
        frames, height, width = ZOO[name].least
        assert re.search(f"[Aa]t least {frames} frames of {height}x{width} pixels", text)

    def test_paper_training_is_one_that_the_engine_knows(self, name):
        from fleeting.training import TrainingConfig

        info = model_info(name)
        assert info.paper and info.summary
        assert info.training == ZOO[name].training
        assert info.sizes == sizes(ZOO[name].paper)
        config = TrainingConfig.for_model(name)
        assert all(getattr(config, key) == value for key, value in info.training.items())

    def test_takes_ncthw_and_returns_logits(self, name):
        model = small(name, n_classes=5, in_channels=3)
        out = model.eval()(batch(name, 2, channels=3))
        assert out.shape == (2, 5)
        assert out.dtype == torch.float32
        assert (out.sum(1) - 1).abs().max() > 1e-3, "logits, not probabilities"

    def test_every_parameter_gets_a_gradient(self, name):
        model = small(name).train()
        model(batch(name)).square().sum().backward()
        for parameter_name, parameter in model.named_parameters():
            assert parameter.grad is not None, parameter_name
            assert parameter.grad.abs().sum() > 0, parameter_name

    def test_one_step_of_the_papers_training_lowers_the_loss(self, name):
        from fleeting.training import TrainingConfig
        from fleeting.training.optim import build_optimizer

        model = small(name, dropout=0.0).train()
        optimizer = build_optimizer(model.parameters(), TrainingConfig.for_model(name))
        x, target = batch(name, 6), torch.arange(6) % 3
        before = nn.functional.cross_entropy(model(x), target)
        before.backward()
        optimizer.step()
        assert nn.functional.cross_entropy(model(x), target) < before

    def test_trained_saved_and_loaded_it_says_the_same(self, name, tmp_path):
        from fleeting.training import TrainingConfig, load_model, save_model, train

        rng = np.random.default_rng(0)
        frames, height, width = ZOO[name].small
        X = rng.integers(0, 256, (6, frames, height, width, model_info(name).channels), dtype=np.uint8)
        model = small(name, n_classes=2)
        result = train(model, X, ["a", "b"] * 3, TrainingConfig.for_model(name, epochs=1))
        save_model(tmp_path, result)
        again = load_model(tmp_path)
        assert again.spec == model.spec
        np.testing.assert_array_equal(again.predict_proba(X), result.predict_proba(X))

    def test_dropout_is_at_work_in_training_only(self, name):
        model = small(name, dropout=0.5)
        x = batch(name)
        torch.manual_seed(0)
        model.train()
        with torch.no_grad():
            assert not torch.equal(model(x), model(x))
            model.eval()
            assert torch.equal(model(x), model(x))

    def test_the_collapse_watch_sees_its_hidden_layers(self, name):
        from fleeting.training.collapse import probe

        model = small(name, **({"activation": "relu"} if "activation" in model_info(name).options else {}))
        hidden = [m for m in model.modules() if isinstance(m, Dense) and m.out_features != 3]
        assert len([m for m in model.modules() if isinstance(m, HiddenReLU)]) == len(hidden)
        assert probe(model, [batch(name)]).dead < 1
        for layer in hidden:
            nn.init.constant_(layer.bias, -1e6)
        assert probe(model, [batch(name)]).dead == (1 if hidden else 0)

    def test_spec_goes_through_json_and_builds_the_same(self, name):
        model = small(name)
        spec = ModelSpec.from_dict(json.loads(json.dumps(model.spec.to_dict())))
        assert spec == model.spec
        again = create_model(spec.name, **spec.to_dict()["shape"], **spec.options)
        assert {k: v.shape for k, v in again.state_dict().items()} == {
            k: v.shape for k, v in model.state_dict().items()
        }

    def test_seed_decides_the_weights_and_leaves_the_global_generator_alone(self, name):
        torch.manual_seed(5)
        before = torch.random.get_rng_state()
        one, same, other = (small(name, seed=seed).state_dict() for seed in (3, 3, 4))
        assert torch.equal(before, torch.random.get_rng_state())
        assert all(torch.equal(one[key], same[key]) for key in one)
        assert any(not torch.equal(one[key], other[key]) for key in one)
        drawn = small(name, seed=torch.Generator().manual_seed(3)).state_dict()
        assert all(torch.equal(one[key], drawn[key]) for key in one)

    def test_least_and_one_less(self, name):
        least = ZOO[name].least
        model = create_model(name, **sizes(least)).eval()
        with torch.no_grad():
            assert model(torch.zeros(2, model_info(name).channels, *least)).shape == (2, 3)
        frames, height, width = least
        for axis, lacking in enumerate(("frames", "pixels", "pixels")):
            if least[axis] == 1:  # none at all is what no network takes
                continue
            found = tuple(size - (position == axis) for position, size in enumerate(least))
            with pytest.raises(UsageError) as caught:
                create_model(name, **sizes(found))
            text = str(caught.value)
            assert text.startswith(f"{name}: found {found[0]} frames of {found[1]}x{found[2]} pixels; ")
            assert f"takes at least {frames} frames of {height}x{width} pixels" in text
            assert text.endswith(f"Choose a recipe with more {lacking}")

    def test_unknown_option_lists_the_known(self, name):
        with pytest.raises(UsageError, match=r"Choose one of: .*dropout"):
            create_model(name, no_such_option=1)

    @pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan"), "0.5", True, None])
    def test_impossible_dropout(self, name, dropout):
        with pytest.raises(UsageError, match=rf"{name}: found dropout .*expected a share in \[0, 1\)"):
            small(name, dropout=dropout)


@pytest.mark.parametrize(
    ("build", "shape", "parameters"),
    [
        (talluri2022.model_a, (26, 128, 128), 810_771),
        (talluri2022.model_b, (26, 64, 64), 6_558_467),
        (talluri2022.model_b, (30, 64, 64), 8_196_867),
        (reddy2019.micro_exp_stcnn, (96, 64, 64), 44_241_667),
        (reddy2019.micro_exp_fusenet_intermediate, (96, 64, 32), 177_088_515),
        (reddy2019.micro_exp_fusenet_late, (96, 64, 32), 177_221_123),
        (irawan2023.modified_micro_exp_stcnn, (10, 128, 128), 452_611),
    ],
)
def test_parameters_at_the_papers_other_depths(build, shape, parameters):
    with torch.device("meta"):
        assert count_parameters(build(InputShape(3, *shape))) == parameters


def test_sizes_that_are_not_given_are_the_papers():
    assert create_model("model_b", n_frames=20).spec.shape == InputShape(3, 20, 64, 64)
    assert create_model("modified_micro_exp_stcnn", height=20, width=30).spec.shape == InputShape(3, 10, 20, 30)
    model_info("model_b").sizes["height"] = 1
    assert model_info("model_b").sizes["height"] == 64


def test_smic_is_too_short_for_the_split_model_and_sixteen_frames_for_model_b():
    with pytest.raises(UsageError, match=r"found 26 frames of 128x128.*pools 3 times by 3.*at least 27 frames"):
        create_model("split_model", n_frames=26)
    with pytest.raises(UsageError, match=r"found 16 frames of 64x64.*15 frames at a time.*at least 17 frames"):
        create_model("model_b", n_frames=16)
    with pytest.raises(UsageError, match="more frames and pixels"):
        create_model("modified_micro_exp_stcnn", n_frames=7, height=7, width=70)


def test_two_streams_see_the_eyes_above_the_mouth():
    for name in ("micro_exp_fusenet_intermediate", "micro_exp_fusenet_late"):
        model, x = small(name).eval(), batch(name)
        seen = []
        for stream in (model.eyes, model.mouth):
            stream.register_forward_hook(lambda _module, inputs, _out, seen=seen: seen.append(inputs[0]))
        model(x)
        eyes, mouth = seen
        assert torch.equal(eyes, x[:, :, :, :10])
        assert torch.equal(mouth, x[:, :, :, 10:])
        with pytest.raises(UsageError, match=r"height of 21; expected an even one.*eyes.*mouth.*64x32"):
            create_model(name, n_frames=18, height=21, width=9)


def test_named_choices_of_the_papers_gaps():
    for option in ({"padding": "full"}, {"initialiser": "zeros"}):
        with pytest.raises(UsageError, match=r"of model_c .*Choose one of"):
            small("model_c", **option)
    with pytest.raises(UsageError, match="Choose one of: glorot_uniform, normal"):
        small("micro_exp_stcnn", dense_initialiser="he")
    with pytest.raises(UsageError, match="Choose one of: linear, relu"):
        small("micro_exp_fusenet_late", activation="tanh")
    with pytest.raises(UsageError, match=r"without padding.* at least 11 frames of 11x11 pixels"):
        create_model("model_c", n_frames=10, padding="valid")
    create_model("model_c", n_frames=11, height=11, width=11, padding="valid")


def test_first_weights_follow_the_named_initialiser():
    def weights(name, layer, **options):
        return small(name, seed=1, **options).get_submodule(layer).weight

    fan_in, fan_out = 27, 27 * 32
    he = weights("model_c", "block.conv")
    assert he.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.1)
    glorot = weights("model_c", "block.conv", initialiser="glorot_uniform")
    assert glorot.abs().max().item() == pytest.approx((6 / (fan_in + fan_out)) ** 0.5, rel=0.02)
    normal = weights("micro_exp_stcnn", "hidden.0", dense_initialiser="normal")
    assert normal.std().item() == pytest.approx(0.05, rel=0.02)
    assert normal.abs().max() > 0.15
    uniform = weights("micro_exp_stcnn", "hidden.0")
    assert uniform.abs().max().item() == pytest.approx((6 / sum(uniform.shape)) ** 0.5, rel=0.01)
    for name in ("model_b", "micro_exp_stcnn", "modified_micro_exp_stcnn"):
        kernel = weights(name, "block.conv")
        bound = (6 / (kernel[0].numel() + kernel[:, 0].numel())) ** 0.5
        assert kernel.abs().max().item() == pytest.approx(bound, rel=0.02)


@pytest.mark.parametrize("wrong", [{"n_classes": 1}, {"n_frames": 36.0}, {"height": -4}, {"in_channels": True}])
def test_impossible_sizes(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        create_model("model_a", **wrong)


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


@pytest.mark.parametrize(("channels", "padding"), [(1, 1), (2, 1), (2, 0)])
def test_one_step_block_is_the_same_function_with_the_same_gradients(channels, padding):
    """In float64, against the layers one after the other, with leftovers at the edges and negative gammas."""
    from copy import deepcopy

    from fleeting.models.talluri2022 import ConvBlock

    torch.manual_seed(0)
    block = ConvBlock(channels, 6, dropout=0.0, padding=padding).double().train()
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
    layers = conv, torch.nn.ReLU(), norm, torch.nn.MaxPool3d(3)
    x = torch.randn(2, 1, 3, 3, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda value: conv_relu_norm_pool(value, *layers), (x,))


@given(st.integers(1, 4), st.integers(1, 5), st.integers(2, 5), st.integers(2, 5), st.sampled_from([1, 2, 3]))
@settings(max_examples=25, deadline=None)
def test_memory_is_channels_last_whatever_comes_in(n, frames, height, width, channels):
    for x in (
        torch.randn(n, channels, frames, height, width),
        torch.randn(n, frames, height, width, channels).permute(0, 4, 1, 2, 3),
        torch.randn(n, channels, frames, 2 * height, width)[:, :, :, height:],
    ):
        ours = as_ndhwc(x)
        assert torch.equal(ours, x)
        assert ours.stride()[1] == 1
        assert ours.is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("channels", [1, 3])
def test_pooling_before_relu_is_the_same_function_with_the_same_gradients(channels):
    """In float64 and with whole numbers, so that values tie, and tie at zero."""
    torch.manual_seed(0)
    block = ConvPool(channels, 5, (4, 3, 2), 2).double()
    plain = Conv3d(channels, 5, (4, 3, 2)).double()
    with torch.no_grad():
        for layer in (block.conv, plain):
            torch.manual_seed(1)
            layer.weight.copy_(torch.randint(-1, 2, layer.weight.shape))
            layer.bias.copy_(torch.tensor([0.0, 1.0, -1.0, -100.0, 100.0]))
    x = torch.randint(-2, 3, (2, channels, 9, 8, 7)).double().requires_grad_()
    twin = x.detach().clone().requires_grad_()
    ours, theirs = block(x), nn.functional.max_pool3d(plain(twin).relu(), 2)
    assert torch.equal(ours, theirs)
    assert (ours == 0).any() and (ours > 0).any()
    direction = torch.randn_like(ours)
    ours.backward(direction)
    theirs.backward(direction)
    torch.testing.assert_close(block.conv.weight.grad, plain.weight.grad)
    torch.testing.assert_close(block.conv.bias.grad, plain.bias.grad)
    torch.testing.assert_close(x.grad, twin.grad)


def test_the_quick_order_in_memory_is_kept_up_to_the_dense_layer():
    """Input and weights decide it together; if one is forgotten, the convolution falls back without a word."""
    block = ConvPool(1, 4, (3, 3, 3), 3)
    out = block(torch.randn(2, 1, 8, 9, 10))
    assert out.is_contiguous(memory_format=torch.channels_last_3d)
