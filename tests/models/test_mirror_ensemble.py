"""Our own method: what it takes away from a sample, its discriminant against scikit-learn, and what it learns."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from fleeting.errors import UsageError
from fleeting.models import DirectModel, create_model, model_info
from fleeting.models.mirror_ensemble import mirrored, restored

SIZES = {"height": 12, "width": 11}


def flow(n=60, seed=0, **sizes):
    """Smooth fields of three classes: a bump on both sides, above or below, or none, with noise and unequal numbers."""
    height, width = (sizes or SIZES).values()
    rng = np.random.default_rng(seed)
    y = np.minimum(rng.geometric(0.5, n) - 1, 2)
    y[:3] = range(3)
    rows, columns = np.mgrid[:height, :width]
    bump = np.exp(-((rows - height / 4) ** 2 + (columns - width / 2) ** 2) / 6)
    x = gaussian_filter(rng.normal(0, 1, (n, 3, height, width)), (0, 0, 1, 1))
    x[y == 1, 1] += 2 * bump
    x[y == 2, 1] += 2 * bump[::-1]
    return torch.from_numpy(x[:, :, None]).float(), torch.from_numpy(y)


def fitted(x, y, seed=0, classes=3, **options):
    options = {"members": 1, "epochs": 3} | options
    model = create_model("mirror_ensemble", n_classes=classes, height=x.shape[3], width=x.shape[4], **options)
    assert isinstance(model, DirectModel)
    counts = torch.bincount(y, minlength=classes)
    weights = torch.where(counts > 0, len(y) / (3.0 * counts.clamp(min=1)), 0.0)
    model.fit_direct(x, y, weights=weights, seed=seed)
    return model.eval()


@torch.no_grad()
def logits(model, x):
    return model(x)


def test_restored_is_what_numpy_says():
    x, _ = flow(8)
    a = x.numpy()[:, :, 0].astype(np.float64)
    zero = np.stack([np.median(a[:, 0], (1, 2)), np.median(a[:, 1], (1, 2)), a[:, 2].min((1, 2))], 1)
    expected = (a - zero[..., None, None]) / a.std((2, 3), keepdims=True)
    np.testing.assert_allclose(restored(x).numpy()[:, :, 0], expected, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.1, 50), min_size=3, max_size=3), st.lists(st.floats(-100, 100), min_size=3, max_size=3))
def test_restored_does_not_depend_on_how_a_channel_was_scaled(factors, shifts):
    x, _ = flow(4)
    scaled = x.double() * torch.tensor(factors).view(1, 3, 1, 1, 1) + torch.tensor(shifts).view(1, 3, 1, 1, 1)
    torch.testing.assert_close(restored(scaled), restored(x.double()), atol=1e-6, rtol=1e-6)


def test_a_channel_that_does_not_vary_is_zero_and_no_nan():
    x, y = flow(30)
    x[:, 2] = 7.0
    assert (restored(x)[:, 2] == 0).all()
    assert torch.isfinite(logits(fitted(x, y), x)).all()


def test_a_mirror_turns_u_and_nothing_else():
    x, _ = flow(3)
    twice = mirrored(mirrored(x))
    assert torch.equal(twice, x)
    assert torch.equal(mirrored(x)[:, 0], -x[:, 0].flip(3)) and torch.equal(mirrored(x)[:, 1:], x[:, 1:].flip(4))


@pytest.mark.parametrize("members", [0, 1])
def test_a_sample_and_its_mirror_image_get_the_same_answer(members):
    x, y = flow()
    model = fitted(x, y, members=members)
    torch.testing.assert_close(logits(model, restored(x)), logits(model, mirrored(restored(x))), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shrinkage", [0.1, 0.6])
def test_the_discriminant_is_scikit_learns(shrinkage):
    x, y = flow(80)
    model = fitted(x, y, members=0, discriminant=1.0, components=20, shrinkage=shrinkage)
    fields = restored(x)
    even = ((fields + mirrored(fields)) / 2).numpy()[:, :, 0].astype(np.float64)
    flat = gaussian_filter(even, (0, 0, 1, 1), mode="nearest", radius=3).reshape(len(x), -1)
    scores = PCA(20).fit_transform(flat)
    reference = LinearDiscriminantAnalysis("lsqr", shrinkage=shrinkage, priors=[1 / 3] * 3).fit(scores, y.numpy())
    expected = np.log(reference.predict_proba(scores) + 1e-3)
    # scikit-learn shrinks each class by itself, towards its own multiple of the identity: here all have one.
    found = logits(model, x).numpy()
    assert (found.argmax(1) == expected.argmax(1)).mean() > 0.97
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("options", [{"members": 0}, {"discriminant": 0.0}, {}])
def test_what_was_learnt_holds_for_others(options):
    x, y = flow(150, seed=1)
    others, truth = flow(150, seed=2)
    model = fitted(x, y, **{"epochs": 40, "members": 1} | options)
    assert (logits(model, others).argmax(1) == truth).double().mean() > 0.85


def test_one_seed_one_model_whatever_was_drawn_before():
    x, y = flow(30)
    first = logits(fitted(x, y, seed=3), x)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert torch.equal(logits(fitted(x, y, seed=3), x), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(logits(fitted(x, y, seed=4), x), first)


def test_members_differ_and_are_asked_together():
    x, y = flow(40)
    model = fitted(x, y, members=2, discriminant=0.0)
    one, two = ([value.clone() for value in member.parameters()] for member in model.members)
    assert all(not torch.equal(a, b) for a, b in zip(one, two) if a.dim() > 1)


def test_a_class_that_was_not_taught_is_never_answered():
    x, y = flow(60)
    kept = y != 1
    model = fitted(x[kept], y[kept])
    assert not (logits(model, x).argmax(1) == 1).any()


def test_a_last_batch_of_one_has_statistics_too():
    x, y = flow(33)
    assert torch.isfinite(logits(fitted(x, y, batch_size=32), x)).all()


def test_shifts_move_samples_and_lose_nothing_else():
    model = create_model("mirror_ensemble", **SIZES, shift=2)
    x = torch.zeros(64, 3, 1, *SIZES.values())
    x[:, 1, 0, 5, 5] = 1.0
    varied = model._varied(x, torch.Generator().manual_seed(0))
    places = {tuple(place) for place in varied[:, 1, 0].nonzero()[:, 1:].tolist()}
    assert places == {(5 + dy, 5 + dx) for dy in range(-2, 3) for dx in range(-2, 3)}
    assert (varied.sum((1, 2, 3, 4)) == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_channels": 1}, "takes one frame of u, v and strain.*recipe flow"),
        ({"n_frames": 2}, "found 2 frames"),
        ({"height": 3}, "4"),
        ({"members": -1}, "members"),
        ({"members": 0, "discriminant": 0.0}, "leave nobody to ask"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 1}, "batch_size"),
        ({"shrinkage": 1.5}, "shrinkage"),
        ({"smoothing": "much"}, "smoothing"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"weight_decay": float("nan")}, "weight_decay"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(UsageError, match=message):
        create_model("mirror_ensemble", **options)


def test_nothing_is_published_of_it():
    info = model_info("mirror_ensemble")
    assert info.recipe == "flow" and info.published == ()
