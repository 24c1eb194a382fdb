"""The networks of optical flow, layer by layer against plain PyTorch as their papers' authors would write it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fleeting.errors import UsageError
from fleeting.models import create_model, model_info
from fleeting.models.liong2019 import STREAMS
from fleeting.models.registry import MODELS
from fleeting.models.xia2020 import MODULES, MeanTo, attention

FLOW = ("ststnet", "off_apexnet", "rcn")


def flow(n=4, height=28, width=28, channels=3, seed=0):
    return torch.randn(n, channels, 1, height, width, generator=torch.Generator().manual_seed(seed))


def shaken(model, seed=0):
    """Biases and normalisations as drawn are zeros and ones, which hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.endswith(("bias", "running_mean")):
                value.normal_(0, 0.3, generator=generator)
            elif value.dim() == 1 and name.endswith(("weight", "running_var")):
                value.uniform_(0.5, 1.5, generator=generator)
                if name.endswith("weight"):
                    value[::3] *= -1
    return model


def to_channels_first(weight, rows, columns):
    """A dense layer's weights over (H, W, C) as PyTorch's flatten has them, over (C, H, W)."""
    return weight.view(len(weight), rows, columns, -1).permute(0, 3, 1, 2).flatten(1)


class ThreeStreams(nn.Module):
    """STSTNet with its three streams apart."""

    def __init__(self, channels, padding, rows, columns):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels, f, 3, padding=padding) for f in STREAMS)
        self.norms = nn.ModuleList(nn.BatchNorm2d(f) for f in STREAMS)
        self.pool, self.mean = nn.MaxPool2d(3, 3, 1), nn.AvgPool2d(2)
        self.fc = nn.Linear(rows * columns * 16, 3)

    def forward(self, x):
        streams = [self.pool(norm(F.relu(conv(x)))) for conv, norm in zip(self.convs, self.norms, strict=True)]
        return self.fc(self.mean(torch.cat(streams, 1)).flatten(1))

    @torch.no_grad()
    def take(self, model, rows, columns):
        first = 0
        for conv, norm, filters in zip(self.convs, self.norms, STREAMS, strict=True):
            mine = slice(first, first + filters)
            conv.weight.copy_(model.conv.weight[mine, :, 0])
            conv.bias.copy_(model.conv.bias[mine])
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(model.norm, name)[mine])
            first += filters
        self.fc.weight.copy_(to_channels_first(model.output.weight, rows, columns))
        self.fc.bias.copy_(model.output.bias)
        return self


@pytest.mark.parametrize("kernels", ["1", "0"])
@pytest.mark.parametrize(("height", "width", "padding"), [(28, 28, 1), (28, 28, 2), (13, 18, 1), (5, 4, 0)])
def test_ststnet_is_three_streams(monkeypatch, kernels, height, width, padding):
    monkeypatch.setenv("FLEETING_KERNELS", kernels)
    height, width = height + 2 - 2 * padding, width + 2 - 2 * padding
    model = shaken(create_model("ststnet", height=height, width=width, padding=padding, dropout=0.0))
    rows, columns = (((edge + 2 * padding) // 3) // 2 for edge in (height, width))
    twin = ThreeStreams(3, padding, rows, columns).take(model, rows, columns).double()
    x, y = flow(5, height, width), torch.arange(5) % 3
    outputs, expected = model.train()(x), twin.train()(x[:, :, 0].double())
    torch.testing.assert_close(outputs.double(), expected, rtol=1e-5, atol=1e-5)
    F.cross_entropy(outputs, y).backward()
    F.cross_entropy(expected, y).backward()
    first = 0
    for conv, norm, filters in zip(twin.convs, twin.norms, STREAMS, strict=True):
        mine = slice(first, first + filters)
        first += filters
        for ours, theirs in (
            (model.conv.weight.grad[mine, :, 0], conv.weight.grad),
            (model.conv.bias.grad[mine], conv.bias.grad),
            (model.norm.weight.grad[mine], norm.weight.grad),
            (model.norm.bias.grad[mine], norm.bias.grad),
            (model.norm.running_mean[mine], norm.running_mean),
        ):
            torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-6)
        # Ours keeps the biased variance.
        count = 5 * (height + 2 * padding - 2) * (width + 2 * padding - 2)
        moved = 0.9 * shaken_variance(model, mine)
        torch.testing.assert_close(
            model.norm.running_var[mine].double() - moved, (norm.running_var - moved) * (count - 1) / count
        )
    theirs = to_channels_first(model.output.weight.grad.double(), rows, columns)
    torch.testing.assert_close(theirs, twin.fc.weight.grad, rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        twin.take(model, rows, columns)
        torch.testing.assert_close(model.eval()(x).double(), twin.eval()(x[:, :, 0].double()), rtol=1e-5, atol=1e-5)


def shaken_variance(model, mine):
    """The moving variance before training, which is drawn the same again."""
    shape = model.spec.shape
    fresh = create_model("ststnet", height=shape.height, width=shape.width, **model.spec.options)
    return shaken(fresh).norm.running_var[mine].double()


@pytest.mark.parametrize("hidden", [0, 7])
def test_first_weights_of_a_stream_do_not_depend_on_its_filters(hidden):
    model = create_model("ststnet", height=100, width=100, hidden=hidden)
    bound = 27**-0.5
    first = 0
    for filters in STREAMS:
        weights = model.conv.weight[first : first + filters]
        first += filters
        assert 0.8 * bound < weights.abs().max() <= bound
    assert 0 < model.conv.bias.abs().max() <= bound
    layer = model.hidden[0] if hidden else model.output
    assert layer.weight.abs().max().item() == pytest.approx(layer.in_features**-0.5, rel=0.01)


def test_off_apexnet_is_two_streams_that_do_not_see_the_strain():
    model = shaken(create_model("off_apexnet")).eval()
    x = flow()

    def stream(layers, plane):
        for conv in (layers[0], layers[3]):
            plane = F.max_pool2d(F.relu(F.conv2d(plane, conv.weight[:, :, 0], conv.bias, padding=2)), 2)
        return plane.permute(0, 2, 3, 1).flatten(1)

    with torch.no_grad():
        both = torch.cat([stream(model.u, x[:, 0:1, 0]), stream(model.v, x[:, 1:2, 0])], 1)
        for layer in (model.hidden[0], model.hidden[3]):
            both = F.relu(F.linear(both, layer.weight, layer.bias))
        expected = F.linear(both, model.output.weight, model.output.bias)
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)
        without = x.clone()
        without[:, 2] = 0
        assert torch.equal(model(without), model(x))
        without[:, 1] = 0
        assert not torch.equal(model(without), model(x))
    with pytest.raises(UsageError, match=r"found 1 channel;.*recipe 'flow'"):
        create_model("off_apexnet", in_channels=1)


def conv_norm_relu(block, x, padding):
    conv, norm = block[0], block[1]
    x = F.conv2d(x, conv.weight[:, :, 0], padding=padding)
    return F.relu(F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-5))


@pytest.mark.parametrize("modules", MODULES)
def test_rcn_is_its_layers_one_after_the_other(modules):
    model = shaken(create_model("rcn", modules=modules)).eval()
    with torch.no_grad():
        model.output.weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    x = flow()
    plane, block = x[:, :, 0], model.recurrent
    with torch.no_grad():
        if modules == "wide":
            streams = []
            for apart, stream in enumerate(model.input.streams, start=1):
                conv, norm = stream[0], stream[2]
                out = F.relu(F.conv2d(plane, conv.weight[:, :, 0], conv.bias, stride=3, padding=apart, dilation=apart))
                streams.append(F.batch_norm(out, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-5))
            first = torch.cat(streams, 1)
        else:
            first = F.max_pool2d(conv_norm_relu(model.input, plane, 0), 2)
        y = conv_norm_relu(block.forward_conv, first, 0)
        if modules == "shortcut":
            z = conv_norm_relu(block.recurrent_conv, first + y, 1)
            e = conv_norm_relu(block.recurrent_conv, first + y + z, 1)
            y = conv_norm_relu(block.recurrent_conv, first + y + z + e, 1)
        else:
            for _ in range(2):
                y = conv_norm_relu(block.recurrent_conv, first + y, 1)
        out = F.adaptive_avg_pool2d(F.max_pool2d(y, 2), 5)
        if modules == "attention":
            small, whole = F.adaptive_avg_pool2d(first, 5), torch.zeros(len(x), 1, 5, 5)
            for weight in model.output.weight:
                looked = (weight.view(5, 5, 32).permute(2, 0, 1) * small).mean(1, keepdim=True)
                looked = looked - looked.flatten(1).min(1).values.view(-1, 1, 1, 1)
                whole += looked / looked.flatten(1).max(1).values.view(-1, 1, 1, 1) / 3
            out = out * whole
        expected = F.linear(out.permute(0, 2, 3, 1).flatten(1), model.output.weight, model.output.bias)
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)


def test_modules_add_no_parameters_and_shared_weights_are_one():
    counts = {name: sum(p.numel() for p in create_model("rcn", modules=name).parameters()) for name in MODULES}
    assert counts["attention"] == counts["shortcut"] == counts["none"] > counts["wide"]
    assert {name for name, _ in create_model("rcn").recurrent.named_children()} == {"forward_conv", "recurrent_conv"}


@pytest.mark.parametrize(("height", "width", "size"), [(12, 12, 5), (1, 3, 5), (10, 15, 5), (7, 4, 3)])
def test_means_over_parts_are_those_of_pytorch(height, width, size):
    x = torch.randn(2, 3, 1, height, width)
    expected = F.adaptive_avg_pool2d(x[:, :, 0], size).unsqueeze(2)
    torch.testing.assert_close(MeanTo(height, width, size)(x), expected)


def test_attention_of_a_frame_in_which_nothing_differs_is_no_nan():
    x = torch.zeros(2, 4, 1, 5, 5, requires_grad=True)
    weight = torch.randn(3, 100, requires_grad=True)
    looked = attention(x, weight)
    looked.sum().backward()
    assert torch.equal(looked, torch.zeros(2, 1, 1, 5, 5))
    assert torch.isfinite(weight.grad).all() and torch.isfinite(x.grad).all()


@pytest.mark.parametrize("name", FLOW)
def test_flow_is_what_they_are_made_for(name):
    info = model_info(name)
    assert (info.recipe, info.channels) == ("flow", 3)
    assert create_model(name)(flow(2)).shape == (2, 3)
    assert info.published and info.published[0].data == "full"
    said = " ".join(MODELS.find(name).builder.__doc__.split())
    assert f"UF1 {info.published[0].uf1:.3f}, UAR {info.published[0].uar:.3f}" in said


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ststnet", {"padding": 3}),
        ("ststnet", {"padding": -1}),
        ("ststnet", {"hidden": 2.5}),
        ("rcn", {"filters": 3}),
        ("rcn", {"size": 0}),
        ("rcn", {"filters": True}),
    ],
)
def test_impossible_options(name, options):
    option, value = next(iter(options.items()))
    with pytest.raises(UsageError, match=rf"{name}: found {option} {value}; expected a whole number"):
        create_model(name, **options)


def test_unknown_modules_are_told_the_known():
    with pytest.raises(UsageError, match="Choose one of: attention, none, shortcut, wide"):
        create_model("rcn", modules="hybrid")
    with pytest.raises(UsageError, match=r"rcn: found 1 frames of 7x9 pixels.*at least 1 frames of 8x8"):
        create_model("rcn", height=7, width=9)
    create_model("rcn", modules="wide", height=4, width=4)
