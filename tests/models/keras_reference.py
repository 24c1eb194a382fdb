"""The papers' networks written in Keras, layer for layer; a layer's name is ours, with - for the dots."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import torch
from keras import layers

torch.set_num_threads(1)

Size = tuple[int, int, int, int]


def _talluri_block(number: int) -> list[keras.Layer]:
    return [
        layers.Conv3D(
            16, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=f"blocks-{number}-conv"
        ),
        layers.BatchNormalization(name=f"blocks-{number}-norm"),
        layers.MaxPooling3D(3),
    ]


def _dense(units: int = 128) -> list[keras.Layer]:
    return [
        layers.Flatten(),
        layers.Dense(units, activation="relu", name="hidden-0"),
        layers.Dense(3, name="output"),
    ]


def keras_block_net(size: Size, blocks: int) -> keras.Model:
    head = [layers.Flatten(), layers.Dense(128, activation="relu", name="hidden"), layers.Dense(3, name="output")]
    parts = [layer for number in range(blocks) for layer in _talluri_block(number)]
    return keras.Sequential([keras.Input(size), *parts, *head])


def keras_model_c(size: Size, padding: str = "same") -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(size),
            layers.Conv3D(32, 3, padding=padding, activation="relu", name="block-conv"),
            layers.BatchNormalization(name="block-norm"),
            layers.MaxPooling3D(3),
            layers.MaxPooling3D(3),
            *_dense(),
        ]
    )


def keras_stcnn(size: Size) -> keras.Model:
    convolution = layers.Conv3D(32, (15, 3, 3), activation="relu", name="block-conv")
    return keras.Sequential([keras.Input(size), convolution, layers.MaxPooling3D(3), *_dense()])


def keras_modified_stcnn(size: Size) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(size),
            layers.Conv3D(32, 3, activation="relu", name="block-conv"),
            layers.MaxPooling3D(3),
            layers.MaxPooling3D(2),
            *_dense(32),
        ]
    )


def _streams(size: Size) -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
    both = keras.Input(size)
    half = size[1] // 2
    ends = []
    for name, crop in (("eyes", (0, half)), ("mouth", (half, 0))):
        x = layers.Cropping3D(((0, 0), crop, (0, 0)))(both)
        x = layers.Conv3D(32, (15, 3, 3), activation="relu", name=f"{name}-0-conv")(x)
        ends.append(layers.Flatten()(layers.MaxPooling3D(3)(x)))
    return both, *ends


def keras_fusenet_intermediate(size: Size, activation: str | None = None) -> keras.Model:
    both, eyes, mouth = _streams(size)
    x = layers.Concatenate()([eyes, mouth])
    x = layers.Dense(1024, activation=activation, name="hidden-0")(x)
    x = layers.Dense(128, activation=activation, name="hidden-3")(x)
    return keras.Model(both, layers.Dense(3, name="output")(x))


def keras_fusenet_late(size: Size, activation: str | None = None) -> keras.Model:
    both, *ends = _streams(size)
    for number, name in enumerate(("eyes", "mouth")):
        x = layers.Dense(1024, activation=activation, name=f"{name}_hidden-0")(ends[number])
        ends[number] = layers.Dense(128, activation=activation, name=f"{name}_hidden-3")(x)
    return keras.Model(both, layers.Dense(3, name="output")(layers.Concatenate()(ends)))


KERAS: dict[str, Callable[..., keras.Model]] = {
    "model_a": lambda size: keras_block_net(size, 2),
    "split_model": lambda size: keras_block_net(size, 3),
    "model_b": keras_stcnn,
    "model_c": keras_model_c,
    "micro_exp_stcnn": keras_stcnn,
    "micro_exp_fusenet_intermediate": keras_fusenet_intermediate,
    "micro_exp_fusenet_late": keras_fusenet_late,
    "modified_micro_exp_stcnn": keras_modified_stcnn,
}


def to_torch(value: np.ndarray) -> torch.Tensor:
    """A Keras kernel (T, H, W, in, out) or (in, out) in PyTorch's order."""
    order = {5: (4, 3, 0, 1, 2), 2: (1, 0), 1: (0,)}[value.ndim]
    return torch.from_numpy(np.ascontiguousarray(value.transpose(order)))


def pairs(reference: keras.Model) -> dict[str, keras.Variable]:
    """Our names of parameters and buffers, and Keras' variables."""
    named = {}
    for layer in reference.layers:
        prefix = layer.name.replace("-", ".")
        if isinstance(layer, layers.BatchNormalization):
            named |= {
                f"{prefix}.weight": layer.gamma,
                f"{prefix}.bias": layer.beta,
                f"{prefix}.running_mean": layer.moving_mean,
                f"{prefix}.running_var": layer.moving_variance,
            }
        elif isinstance(layer, layers.Conv3D | layers.Dense):
            named |= {f"{prefix}.weight": layer.kernel, f"{prefix}.bias": layer.bias}
    return named


def copy_weights(reference: keras.Model, model: torch.nn.Module) -> None:
    """From Keras to ours; every parameter and statistic of ours must have its counterpart."""
    state = model.state_dict()
    named = pairs(reference)
    assert {name for name in state if not name.endswith("num_batches_tracked")} == set(named)
    for name, variable in named.items():
        state[name] = to_torch(keras.ops.convert_to_numpy(variable))
    model.load_state_dict(state)


def copy_back(model: torch.nn.Module, reference: keras.Model) -> None:
    """From ours to Keras."""
    state = model.state_dict()
    for name, variable in pairs(reference).items():
        value = state[name].numpy()
        order = {5: (2, 3, 4, 1, 0), 2: (1, 0), 1: (0,)}[value.ndim]
        variable.assign(value.transpose(order))
