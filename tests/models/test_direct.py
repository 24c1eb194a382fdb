"""Models that are fitted at once: PCA with logistic regression, and the linear machines of LBP-TOP and Bi-WOOF."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from fleeting.errors import UsageError
from fleeting.models import (
    DirectModel,
    InputShape,
    ModelSpec,
    create_model,
    list_models,
    model_info,
    register_model,
    registry,
)
from fleeting.models.linear_svm import LinearSVM
from fleeting.models.pca_logistic import principal_components
from fleeting.models.registry import MODELS

NAMES = ["bi_woof_svm", "lbp_top_svm", "pca_logistic"]
SIZES = {"n_frames": 1, "height": 5, "width": 6}


def samples(n=40, classes=3, seed=0, channels=2):
    """Noise around one pattern a class, and labels of unequal number."""
    rng = np.random.default_rng(seed)
    y = np.sort(np.minimum(rng.geometric(0.5, n) - 1, classes - 1))
    y[:classes] = range(classes)
    x = rng.normal(0, 1, (n, channels, 1, 5, 6)) + rng.normal(0, 0.5, (classes, channels, 1, 5, 6))[y]
    return torch.from_numpy(x).float(), torch.from_numpy(y)


def fitted(name, x, y, weights=None, classes=3, **options):
    model = create_model(name, n_classes=classes, in_channels=x.shape[1], **SIZES, **options).eval()
    model.fit_direct(x, y, weights=torch.ones(classes) if weights is None else weights, seed=0)
    return model


def balanced(y, classes=3):
    counts = torch.bincount(y, minlength=classes)
    present = int((counts > 0).sum())
    return torch.where(counts > 0, len(y) / (present * counts.clamp(min=1)), 0.0).float()


def test_all_that_are_registered_are_here():
    ours = [name for name in list_models() if MODELS.find(name).builder.__module__.startswith("fleeting.models")]
    direct = [name for name in ours if model_info(name).training.get("optimizer") == "none"]
    # Our own ensemble has a file of tests to itself.
    assert direct == sorted([*NAMES, "mirror_ensemble"])


@pytest.mark.parametrize("name", NAMES)
class TestEveryModel:
    def test_at_the_papers_sizes(self, name):
        info, model = model_info(name), create_model(name)
        assert isinstance(model, DirectModel)
        assert model.spec.shape == InputShape(3, *info.sizes.values(), in_channels=info.channels)
        x = torch.randn(12, *model.spec.shape.input, generator=torch.Generator().manual_seed(0))
        model.fit_direct(x, torch.arange(12) % 3, weights=torch.ones(3), seed=0)
        assert model(x).shape == (12, 3) and model(x).dtype == torch.float32
        assert (model(x).argmax(1) == torch.arange(12) % 3).all()
        assert info.summary and info.paper

    def test_nothing_is_left_of_an_earlier_fit_and_nothing_is_random(self, name):
        x, y = samples()
        model = fitted(name, x, y)
        first = {key: value.clone() for key, value in model.state_dict().items()}
        model.fit_direct(*samples(seed=1), weights=torch.ones(3), seed=0)
        assert any(not torch.equal(first[key], value) for key, value in model.state_dict().items())
        model.fit_direct(x, y, weights=torch.ones(3), seed=5)
        assert all(torch.equal(first[key], value) for key, value in model.state_dict().items())

    def test_state_and_spec_build_it_again(self, name):
        x, y = samples()
        model = fitted(name, x, y, C=0.5)
        spec = ModelSpec.from_dict(json.loads(json.dumps(model.spec.to_dict())))
        again = create_model(spec.name, **spec.to_dict()["shape"], **spec.options).eval()
        again.load_state_dict(model.state_dict())
        assert torch.equal(again(x), model(x)) and spec.options["C"] == 0.5

    @pytest.mark.parametrize("absent", [0, 1, 2])
    def test_a_class_without_samples_is_never_answered(self, name, absent):
        x, y = samples()
        keep = y != absent
        model = fitted(name, x[keep], y[keep])
        answers = model(10 * x).argmax(1)
        assert absent not in answers.tolist() and len(answers.unique()) == 2
        assert (model(x).softmax(1)[:, absent] < 0.2).all()
        present = torch.tensor([c for c in range(3) if c != absent])
        two = fitted(name, x[keep], torch.searchsorted(present, y[keep]), classes=2)
        assert torch.equal(answers, present[two(10 * x).argmax(1)])

    def test_weights_of_classes_count(self, name):
        x, y = samples(60, seed=3)
        light, heavy = (fitted(name, x, y, torch.tensor([1.0, 1.0, w]), C=1e-3) for w in (0.01, 100.0))
        assert (light(x).argmax(1) == 2).sum() < (heavy(x).argmax(1) == 2).sum()

    def test_samples_that_are_all_alike(self, name):
        x = torch.zeros(6, 2, 1, 5, 6)
        model = fitted(name, x, torch.arange(6) % 3)
        assert model(x).isfinite().all()

    def test_two_samples(self, name):
        x, _ = samples(2, 2)
        model = fitted(name, x, torch.tensor([1, 0]), classes=2, C=100.0)
        assert model(x).argmax(1).tolist() == [1, 0]

    @pytest.mark.parametrize("C", [0, -1, float("nan"), float("inf"), "1", True, None])
    def test_impossible_penalty(self, name, C):
        with pytest.raises(UsageError, match=f"{name}: found C .*expected a number above 0"):
            create_model(name, C=C)

    def test_unknown_option_lists_the_known(self, name):
        with pytest.raises(UsageError, match=r"Choose one of: .*C"):
            create_model(name, kernel="rbf")

    def test_docstring_has_the_published_figures(self, name):
        text = " ".join(MODELS.find(name).builder.__doc__.split())
        for score in model_info(name).published:
            assert f"UF1 {score.uf1:.3f}, UAR {score.uar:.3f}" in text
        assert model_info(name).published or "none are published" in text


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize(
    ("n", "components", "variance"), [(20, 100, 0.9), (90, 100, 0.8), (90, 7, 1.0), (15, 100, 1.0)]
)
@pytest.mark.parametrize("classes", [2, 3])
def test_pca_logistic_is_scikit_learns(n, components, variance, whiten, classes):
    x, y = samples(n, classes, seed=n)
    model = fitted("pca_logistic", x, y, balanced(y, classes), classes, components=components, variance=variance,
                   whiten=whiten, C=0.3)  # fmt: skip
    flat = x.flatten(1).double().numpy()
    full = PCA(svd_solver="full").fit(flat)
    enough = min(n - 1, 60) if variance == 1 else PCA(variance, svd_solver="full").fit(flat).n_components_
    kept = min(components, enough)
    pca = PCA(kept, svd_solver="full", whiten=whiten)
    logistic = LogisticRegression(C=0.3, class_weight="balanced", max_iter=10_000, tol=1e-8)
    pipeline = make_pipeline(pca, logistic).fit(flat, y.numpy())
    unseen = samples(30, classes, seed=99)[0]
    np.testing.assert_allclose(
        model(unseen).double().softmax(1).numpy(),
        pipeline.predict_proba(unseen.flatten(1).double().numpy()),
        atol=2e-3,
    )
    rows = model.components[model.components.abs().sum(1) > 0]
    assert len(rows) == kept
    scale = np.sqrt(full.explained_variance_[:kept, None]) if whiten else 1
    np.testing.assert_allclose(rows.numpy() * scale, full.components_[:kept], atol=1e-4)
    np.testing.assert_allclose(model.mean.numpy(), flat.mean(0), atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_principal_components_are_orthonormal_and_explain_all(n, d, seed, copies):
    rng = np.random.default_rng(seed)
    rows = rng.normal(0, 1, (n, d))
    x = torch.from_numpy(np.concatenate([rows, rows[:copies]]))
    mean, axes, variances = principal_components(x)
    assert len(axes) == len(variances) <= min(len(x) - 1, d)
    torch.testing.assert_close(axes @ axes.T, torch.eye(len(axes), dtype=torch.float64), atol=1e-5, rtol=0)
    assert (variances.diff() <= 1e-12).all()
    centred = x - mean
    torch.testing.assert_close((centred @ axes.T) @ axes, centred, atol=1e-4, rtol=0)
    assert float(variances.sum()) == pytest.approx(float(centred.square().sum() / (len(x) - 1)), rel=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_linear_machines_are_scikit_learns(classes, C):
    x, y = samples(60, classes, seed=classes)
    model = fitted("lbp_top_svm", x, y, classes=classes, C=C)
    flat = x.flatten(1).double().numpy()
    machine = SVC(kernel="linear", C=C, break_ties=classes > 2).fit(flat, y.numpy())
    unseen = samples(200, classes, seed=77)[0]
    theirs = unseen.flatten(1).double().numpy()
    assert (model(unseen).argmax(1).numpy() == machine.predict(theirs)).all()
    if classes > 2:
        np.testing.assert_allclose(model(unseen).numpy(), machine.decision_function(theirs), atol=1e-4)
    else:
        margins = torch.nn.functional.linear(unseen.flatten(1), model.weight, model.bias)[:, 0]
        np.testing.assert_allclose(-margins.numpy(), machine.decision_function(theirs), atol=1e-4)


def test_votes_come_first_and_ties_go_to_the_clearer():
    model = LinearSVM(InputShape(3, 1, 1, 3), name="test", C=1.0)
    model.weight.copy_(torch.eye(3))
    # Decisions of 0 against 1, 0 against 2, 1 against 2.
    cases = {(0.1, 0.1, 9.0): 0, (-9.0, 1.0, 0.1): 1, (9.0, -0.1, -0.1): 2, (1.0, -5.0, 2.0): 2, (5.0, -1.0, 2.0): 0}
    x = torch.tensor(list(cases)).view(-1, 1, 1, 1, 3)
    assert model(x).argmax(1).tolist() == list(cases.values())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"components": 0}, "components 0; expected a whole number"),
        ({"components": 2.5}, "components 2.5"),
        ({"components": True}, "components True"),
        ({"variance": 0}, r"variance 0; expected a share in \(0, 1\]"),
        ({"variance": 1.1}, "variance 1.1"),
        ({"variance": "all"}, "variance 'all'"),
        ({"whiten": 1}, "whiten 1; expected true or false"),
    ],
)
def test_impossible_options_of_pca_logistic(options, says):
    with pytest.raises(UsageError, match=f"pca_logistic: found {says}"):
        create_model("pca_logistic", **options)


def test_published_and_measured_figures_come_from_the_packages_tables(monkeypatch):
    assert [(s.data, s.uf1, s.uar) for s in model_info("lbp_top_svm").published] == [("full", 0.588, 0.579)]
    assert [(s.data, s.uf1, s.uar) for s in model_info("bi_woof_svm").published] == [("full", 0.630, 0.623)]
    assert model_info("model_a").published == model_info("pca_logistic").published == ()
    published = registry.read_rows("fleeting.models", "published_megc2019.csv")
    measured = registry.read_rows("fleeting.models", "measured_megc2019.csv")
    for row in published + measured:
        assert 0 < float(row["uf1"]) < 1 and 0 < float(row["uar"]) < 1
    assert all(row["source"] for row in published) and all(row["command"] for row in measured)
    row = {"model": "pca_logistic", "data": "synthetic, 442 clips", "uf1": "0.5", "uar": "0.25", "command": "make it"}
    monkeypatch.setattr(registry, "read_rows", lambda package, name: (row,) if name.startswith("measured") else ())
    assert model_info("pca_logistic").measured == (registry.Score("synthetic, 442 clips", 0.5, 0.25, "make it"),)
    assert model_info("lbp_top_svm").measured == ()


def test_a_model_has_its_recipe_and_channels():
    from fleeting.app.specs import parse_spec
    from fleeting.sequences import create_recipe

    for name in list_models():
        info = model_info(name)
        recipe_name, fields = parse_spec(info.recipe)
        recipe = create_recipe(recipe_name, **fields)
        if info.recipe != "talluri2022":
            assert (recipe.channels, recipe.frames, recipe.height, recipe.width) == (
                info.channels,
                *info.sizes.values(),
            )
    assert create_model("pca_logistic").spec.shape.in_channels == 3
    assert create_model("pca_logistic", in_channels=1).spec.shape.in_channels == 1
    assert create_model("model_a", n_frames=9, height=18, width=18).spec.shape.in_channels == 1


def test_a_direct_model_of_ones_own_is_known_as_one():
    from fleeting.training import TrainingConfig

    class Nearest(DirectModel):
        """Nearest mean."""

        def __init__(self, shape):
            super().__init__()

    with MODELS.forgetful():
        register_model("nearest_of_test", paper="none", training={"class_weights": "balanced"})(Nearest)
        assert TrainingConfig.for_model("nearest_of_test").optimizer == "none"
        model = create_model("nearest_of_test")
        with pytest.raises(NotImplementedError):
            model.fit_direct(torch.zeros(1), torch.zeros(1), weights=torch.ones(1), seed=0)
        with pytest.raises(NotImplementedError):
            model(torch.zeros(1))


def test_the_command_line_shows_published_beside_ours(capsys):
    from fleeting.app.cli import main

    assert main(["models", "lbp_top*"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert re.search(r"published, real composite \(full\): UF1 0.588 UAR 0.579", out)
    assert "can never be compared" in out
    assert main(["models", "model_a"]) == 0
    assert "UF1" not in capsys.readouterr().out
    assert main(["models", "bi_woof*", "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert said["recipe"] == "bi_woof" and said["channels"] == 1
    assert said["published"][0]["uf1"] == 0.63 and isinstance(said["measured"], list)
