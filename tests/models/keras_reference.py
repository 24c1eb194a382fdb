"""Model-A written in Keras, layer for layer as in Talluri et al. 2022, sec. 5.1."""

from __future__ import annotations

import keras
import numpy as np
import torch
from keras import layers

torch.set_num_threads(1)


def keras_model_a(frames: int, height: int, width: int, channels: int, dropout: float = 0.0) -> keras.Model:
    def block() -> list[keras.Layer]:
        return [
            layers.Conv3D(16, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
            layers.BatchNormalization(),
            layers.MaxPooling3D(3),
            layers.Dropout(dropout),
        ]

    return keras.Sequential(
        [
            keras.Input((frames, height, width, channels)),
            *block(),
            *block(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(3),
        ]
    )


def to_torch(value: np.ndarray) -> torch.Tensor:
    """A Keras kernel (T, H, W, in, out) or (in, out) in PyTorch's order."""
    order = {5: (4, 3, 0, 1, 2), 2: (1, 0), 1: (0,)}[value.ndim]
    return torch.from_numpy(np.ascontiguousarray(value.transpose(order)))


def pairs(reference: keras.Model) -> dict[str, keras.Variable]:
    """Our names of parameters and buffers, and Keras' variables."""
    convs = [layer for layer in reference.layers if isinstance(layer, layers.Conv3D)]
    norms = [layer for layer in reference.layers if isinstance(layer, layers.BatchNormalization)]
    hidden, output = (layer for layer in reference.layers if isinstance(layer, layers.Dense))
    named = {}
    for number, (conv, norm) in enumerate(zip(convs, norms, strict=True)):
        named |= {
            f"blocks.{number}.conv.weight": conv.kernel,
            f"blocks.{number}.conv.bias": conv.bias,
            f"blocks.{number}.norm.weight": norm.gamma,
            f"blocks.{number}.norm.bias": norm.beta,
            f"blocks.{number}.norm.running_mean": norm.moving_mean,
            f"blocks.{number}.norm.running_var": norm.moving_variance,
        }
    for name, dense in (("hidden", hidden), ("output", output)):
        named |= {f"{name}.weight": dense.kernel, f"{name}.bias": dense.bias}
    return named


def copy_weights(reference: keras.Model, model: torch.nn.Module) -> None:
    """From Keras to ours."""
    state = model.state_dict()
    for name, variable in pairs(reference).items():
        state[name] = to_torch(keras.ops.convert_to_numpy(variable))
    model.load_state_dict(state)


def copy_back(model: torch.nn.Module, reference: keras.Model) -> None:
    """From ours to Keras."""
    state = model.state_dict()
    for name, variable in pairs(reference).items():
        value = state[name].numpy()
        order = {5: (2, 3, 4, 1, 0), 2: (1, 0), 1: (0,)}[value.ndim]
        variable.assign(value.transpose(order))
