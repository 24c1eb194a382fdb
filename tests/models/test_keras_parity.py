"""Model-A against the same network in Keras, an independent implementation."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import torch

from fleeting.models import create_model

sys.path.insert(0, str(Path(__file__).parent))
from keras_reference import copy_back, copy_weights, keras_model_a, pairs, to_torch

# (frames, height, width, channels): with what is left over by the poolings, and not square.
SIZES = [(11, 20, 29, 1), (9, 18, 12, 3)]


def both(size, seed=0):
    frames, height, width, channels = size
    keras.utils.set_random_seed(seed)
    reference = keras_model_a(*size)
    rng = np.random.default_rng(seed)
    for name, variable in pairs(reference).items():
        # Nothing may hide behind zeros and ones; negative gammas included.
        if name.endswith(("bias", "running_mean")):
            variable.assign(rng.normal(0, 0.3, variable.shape))
        elif name.endswith("running_var"):
            variable.assign(rng.uniform(0.5, 2, variable.shape))
        elif "norm.weight" in name:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape) * rng.choice([-1, 1], variable.shape))
    model = create_model(
        "model_a", n_frames=frames, height=height, width=width, in_channels=channels, dropout=0.0, seed=seed
    )
    copy_weights(reference, model)
    return reference, model


def batch(size, n=3, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, *size)).astype(np.float32)
    # What the training engine hands over: a view that counts as channels last too.
    return x, torch.from_numpy(x).permute(0, 4, 1, 2, 3)


def close(ours, theirs, tolerance=1e-4):
    ours, theirs = (np.asarray(v.detach() if isinstance(v, torch.Tensor) else v, np.float64) for v in (ours, theirs))
    assert ours.shape == theirs.shape
    scale = np.abs(theirs).max()
    assert scale > 0
    assert np.abs(ours - theirs).max() <= tolerance * scale


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("training", [False, True])
def test_same_weights_same_output(size, training):
    reference, model = both(size)
    x, ours = batch(size)
    model.train(training)
    close(model(ours), reference(x, training=training).detach(), 1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_same_gradient_of_every_parameter(size):
    reference, model = both(size)
    x, ours = batch(size)
    target = torch.tensor([0, 2, 1])
    loss = torch.nn.functional.cross_entropy(model.train()(ours), target)
    loss.backward()
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(target, reference(x, training=True))
    theirs.backward()
    assert loss.item() == pytest.approx(theirs.item(), rel=1e-5)
    named = pairs(reference)
    for name, parameter in model.named_parameters():
        close(parameter.grad, to_torch(named[name].value.grad.numpy()))


def test_same_weights_and_running_statistics_after_training_steps():
    from fleeting.training import SGD

    size = (9, 18, 18, 1)
    reference, model = both(size)
    copy_back(model, reference)
    reference.compile(
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    optimizer = SGD(model.parameters(), lr=0.01, momentum=0.9)
    model.train()
    for step in range(6):
        x, ours = batch(size, n=4, seed=step)
        target = np.array([0, 1, 2, step % 3])
        reference.train_on_batch(x, target)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(ours), torch.from_numpy(target)).backward()
        optimizer.step()
    named, state = pairs(reference), model.state_dict()
    for name, variable in named.items():
        close(state[name], to_torch(keras.ops.convert_to_numpy(variable)))
    x, ours = batch(size, seed=9)
    close(model.eval()(ours), reference(x, training=False).detach())


def test_same_output_at_the_size_of_table_2():
    size = (36, 128, 128, 1)
    reference, model = both(size)
    x, ours = batch(size, n=1)
    with torch.no_grad():
        close(model.eval()(ours), reference(x, training=False))


def test_first_weights_are_drawn_as_keras_draws_them():
    """Same distribution: variance, bounds, and the shape of the middle, of many draws."""
    from fleeting.models.layers import glorot_uniform_, he_normal_

    generator = torch.Generator().manual_seed(0)
    shape = (64, 32, 3, 3, 3)
    he = he_normal_(torch.empty(shape), generator).numpy()
    theirs = np.asarray(keras.initializers.HeNormal(seed=0)((3, 3, 3, 32, 64)).detach())
    assert he.std() == pytest.approx(theirs.std(), rel=0.01)
    assert he.std() == pytest.approx((2 / (32 * 27)) ** 0.5, rel=0.01)
    # Cut at two deviations of the normal; Keras' torch backend lets one draw in 200,000 through, TensorFlow none.
    np.testing.assert_allclose(np.abs(he).max(), 2 * (2 / (32 * 27)) ** 0.5 / 0.87962566, rtol=1e-3)
    np.testing.assert_allclose(np.quantile(he, [0.1, 0.3, 0.7]), np.quantile(theirs, [0.1, 0.3, 0.7]), rtol=0.05)
    uniform = glorot_uniform_(torch.empty(128, 400), generator).numpy()
    theirs = np.asarray(keras.initializers.GlorotUniform(seed=0)((400, 128)).detach())
    assert np.abs(uniform).max() == pytest.approx(np.abs(theirs).max(), rel=1e-3)
    assert uniform.std() == pytest.approx(theirs.std(), rel=0.01)
