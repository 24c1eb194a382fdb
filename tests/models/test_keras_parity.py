"""Every network against the same one in Keras, an independent implementation."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import torch

from fleeting.models import create_model
from fleeting.training import TrainingConfig
from fleeting.training.optim import build_optimizer

sys.path.insert(0, str(Path(__file__).parent))
from keras_reference import KERAS, copy_back, copy_weights, pairs, to_torch

# Name, (frames, height, width, channels), options: with what is left over by the poolings, and not square.
CASES = [
    ("model_a", (11, 20, 29, 1), {}),
    ("model_a", (9, 18, 12, 3), {}),
    ("split_model", (29, 28, 54, 1), {}),
    ("split_model", (27, 29, 27, 3), {}),
    ("model_b", (24, 13, 17, 1), {}),
    ("model_b", (17, 9, 5, 3), {}),
    ("model_c", (10, 20, 29, 1), {}),
    ("model_c", (18, 9, 11, 3), {}),
    ("model_c", (11, 21, 31, 1), {"padding": "valid"}),
    ("micro_exp_stcnn", (20, 17, 14, 1), {}),
    ("micro_exp_stcnn", (18, 9, 8, 3), {}),
    ("micro_exp_fusenet_intermediate", (18, 20, 14, 1), {}),
    ("micro_exp_fusenet_intermediate", (20, 16, 9, 3), {"activation": "relu"}),
    ("micro_exp_fusenet_late", (18, 20, 14, 1), {}),
    ("micro_exp_fusenet_late", (20, 16, 9, 3), {"activation": "relu"}),
    ("modified_micro_exp_stcnn", (10, 22, 27, 1), {}),
    ("modified_micro_exp_stcnn", (15, 8, 20, 3), {}),
]
IDS = ["-".join([name, "x".join(map(str, size)), *options.values()]) for name, size, options in CASES]


def both(name, size, options=None, seed=0):
    frames, height, width, channels = size
    options = options or {}
    keras.utils.set_random_seed(seed)
    reference = KERAS[name](size, **options)
    rng = np.random.default_rng(seed)
    for part, variable in pairs(reference).items():
        # Nothing may hide behind zeros and ones; negative gammas included.
        if part.endswith(("bias", "running_mean")):
            variable.assign(rng.normal(0, 0.3, variable.shape))
        elif part.endswith("running_var"):
            variable.assign(rng.uniform(0.5, 2, variable.shape))
        elif "norm.weight" in part:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape) * rng.choice([-1, 1], variable.shape))
    sizes = {"n_frames": frames, "height": height, "width": width, "in_channels": channels}
    model = create_model(name, **sizes, dropout=0.0, seed=seed, **options)
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


@pytest.mark.parametrize(("name", "size", "options"), CASES, ids=IDS)
class TestSameFunction:
    def test_same_weights_same_output(self, name, size, options):
        reference, model = both(name, size, options)
        x, ours = batch(size)
        with torch.no_grad():
            for training in (False, True):
                close(model.train(training)(ours), reference(x, training=training), 1e-5)

    def test_same_gradient_of_every_parameter(self, name, size, options):
        reference, model = both(name, size, options)
        x, ours = batch(size)
        target = torch.tensor([0, 2, 1])
        loss = torch.nn.functional.cross_entropy(model.train()(ours), target)
        loss.backward()
        theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(target, reference(x, training=True))
        theirs.backward()
        assert loss.item() == pytest.approx(theirs.item(), rel=1e-5)
        named = pairs(reference)
        for part, parameter in model.named_parameters():
            close(parameter.grad, to_torch(named[part].value.grad.numpy()))


def keras_optimizer(config):
    """What the paper's authors would have written."""
    rate = keras.optimizers.schedules.InverseTimeDecay(config.learning_rate, decay_steps=1, decay_rate=config.decay)
    if config.optimizer == "adam":
        return keras.optimizers.Adam(rate)
    return keras.optimizers.SGD(rate, momentum=config.momentum, nesterov=config.nesterov)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("model_a", (9, 18, 18, 1)),
        ("split_model", (27, 27, 27, 1)),
        ("model_b", (17, 8, 8, 1)),
        ("model_c", (9, 18, 18, 1)),
        ("micro_exp_stcnn", (18, 8, 8, 1)),
        ("micro_exp_fusenet_intermediate", (17, 16, 8, 1)),
        ("micro_exp_fusenet_late", (17, 16, 8, 1)),
        ("modified_micro_exp_stcnn", (10, 20, 14, 1)),
    ],
)
def test_same_weights_and_running_statistics_after_steps_of_the_papers_training(name, size):
    config = TrainingConfig.for_model(name)
    reference, model = both(name, size)
    copy_back(model, reference)
    reference.compile(
        optimizer=keras_optimizer(config), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    optimizer = build_optimizer(model.parameters(), config)
    model.train()
    first = {part: value.clone() for part, value in model.state_dict().items()}
    for step in range(6):
        x, ours = batch(size, n=4, seed=step)
        target = np.array([0, 1, 2, step % 3])
        reference.train_on_batch(x, target)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(ours), torch.from_numpy(target)).backward()
        optimizer.step()
    named, state = pairs(reference), model.state_dict()
    for part, variable in named.items():
        close(state[part], to_torch(keras.ops.convert_to_numpy(variable)))
        assert not torch.equal(state[part], first[part]), part
    x, ours = batch(size, seed=9)
    with torch.no_grad():
        close(model.eval()(ours), reference(x, training=False))


@pytest.mark.parametrize("name", ["model_a", "modified_micro_exp_stcnn"])
def test_same_output_at_the_size_of_the_published_table(name):
    size = {"model_a": (36, 128, 128, 1), "modified_micro_exp_stcnn": (10, 128, 128, 1)}[name]
    reference, model = both(name, size)
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
