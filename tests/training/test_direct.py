"""Models that are fitted at once go through training, files, prediction and scikit-learn as networks do."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from fleeting.errors import CollapseWarning, UsageError
from fleeting.models import DirectModel, create_model
from fleeting.training import (
    DivergedError,
    MicroExpressionClassifier,
    TrainingConfig,
    load_model,
    save_model,
    train,
)

NAMES = ["bi_woof_svm", "lbp_top_svm", "pca_logistic"]
CLASSES = ["negative", "positive", "surprise"]


def flows(n=30, dtype=np.uint8, seed=0):
    """Flow images with a patch a class that is brighter in one channel, and their labels."""
    rng = np.random.default_rng(seed)
    X = rng.integers(90, 160, (n, 1, 8, 8, 3)).astype(np.float32)
    labels = np.arange(n) % 3
    for sample, label in zip(X, labels, strict=True):
        sample[0, 2:5, 2:5, label] += 60
    return (X.astype(dtype) if dtype == np.uint8 else (X - 128) / 40).astype(dtype), np.array(CLASSES)[labels]


def fit(name, X, y, **fields):
    channels = X.shape[-1]
    model = create_model(name, n_frames=1, height=8, width=8, in_channels=channels)
    options = {key: fields.pop(key) for key in ("seed", "validation", "on_epoch") if key in fields}
    return train(model, X, y, TrainingConfig.for_model(name, **fields), classes=CLASSES, **options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_one_record_and_the_same_from_a_file(name, dtype, tmp_path):
    X, y = flows(dtype=dtype)
    seen = []
    result = fit(name, X, y, on_epoch=seen.append, validation=flows(9, dtype, seed=1))
    (record,) = result.records
    assert seen == [record] and len(result.history) == 1 and result.steps == "direct"
    assert list(record) == [
        "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "dead_fraction", "learning_rate", "seconds"
    ]  # fmt: skip
    assert (record["epoch"], record["dead_fraction"], record["learning_rate"]) == (1, 0.0, 0.0)
    json.dumps(record)
    p = result.predict_proba(X)
    truth = p[np.arange(len(y)), [CLASSES.index(label) for label in y]]
    assert record["loss"] == pytest.approx(-np.log(truth).mean(), rel=1e-5)
    assert record["accuracy"] == (result.predict(X) == y).mean() >= 0.9
    unseen, theirs = flows(9, dtype, seed=1)
    assert record["val_accuracy"] == (result.predict(unseen) == theirs).mean()
    assert not result.collapse.collapsed and not result.model.training
    save_model(tmp_path / "größe", result)
    again = load_model(tmp_path / "größe")
    assert isinstance(again.model, DirectModel)
    np.testing.assert_array_equal(again.predict_proba(X), p)
    assert again.training == result.config


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_and_what_is_watched_decide_nothing(name):
    X, y = flows()
    one = fit(name, X, y, seed=0).predict_proba(X)
    other = fit(name, X, y, seed=9, validation=flows(6, seed=4)).predict_proba(X)
    np.testing.assert_array_equal(one, other)


def test_class_weights_are_the_configurations():
    X, y = flows(40)
    keep = np.r_[np.flatnonzero(y != "surprise"), np.flatnonzero(y == "surprise")[:2]]
    found = [fit("pca_logistic", X[keep], y[keep], class_weights=w).predict_proba(X) for w in ("none", "balanced")]
    assert found[1][:, 2].mean() > found[0][:, 2].mean()
    assert TrainingConfig.for_model("pca_logistic").class_weights == "balanced"
    assert TrainingConfig.for_model("lbp_top_svm").class_weights == "none"


def test_motion_is_subtracted_first():
    X, y = flows()
    with_reference = np.concatenate([np.zeros_like(X), X], axis=1)
    plain = fit("pca_logistic", X, y).predict_proba(X)
    moved = fit("pca_logistic", with_reference, y, motion="difference").predict_proba(with_reference)
    np.testing.assert_allclose(moved, plain, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"epochs": 3}, "has no epochs; leave them out"),
        ({"epochs": 1}, "has no epochs"),
        ({"learning_rate": 0.1, "batch_size": 4}, "has no learning_rate, batch_size"),
        ({"clip_norm": 1.0}, "class_weights, motion, and the model's own options"),
        ({"precision": "tf32"}, "has no precision"),
        ({"optimizer": "sgd"}, "pca_logistic is fitted in one go and has no optimizer"),
    ],
)
def test_options_that_mean_nothing_are_refused(fields, says):
    with pytest.raises(UsageError, match=says):
        TrainingConfig.for_model("pca_logistic", **fields)


def test_the_configuration_goes_through_json_without_what_means_nothing():
    config = TrainingConfig.for_model("pca_logistic")
    written = json.loads(json.dumps(config.model_dump(mode="json")))
    assert written == {"optimizer": "none", "motion": "none", "class_weights": "balanced"}
    assert TrainingConfig(**written) == config and config.epochs == 1


def test_a_configuration_of_the_other_kind_is_refused():
    X, y = flows()
    with pytest.raises(UsageError, match=r"pca_logistic is fitted in one go; found optimizer 'sgd', expected 'none'"):
        train(create_model("pca_logistic", height=8, width=8), X, y, TrainingConfig())
    network = create_model("model_a", n_frames=9, height=18, width=18)
    with pytest.raises(UsageError, match="trained step by step; found optimizer 'none', expected sgd or adam"):
        train(network, np.zeros((2, 9, 18, 18, 1), np.uint8), [0, 1], TrainingConfig.for_model("pca_logistic"))


def test_a_constant_answer_is_a_collapse():
    X, y = flows()
    with pytest.warns(CollapseWarning, match=r"it answers \w+ for every sample.*another regularisation"):
        result = fit("pca_logistic", np.full_like(X, 7), y, class_weights="none")
    assert result.collapse.collapsed and result.collapse.epoch == 1


def test_what_is_not_finite_is_no_result(monkeypatch):
    model = create_model("pca_logistic", height=8, width=8)
    monkeypatch.setattr(
        type(model), "fit_direct", lambda self, x, y, *, weights, seed: self.intercept.fill_(float("nan"))
    )
    with pytest.raises(DivergedError, match="PCALogistic is not finite"):
        train(model, *flows(), TrainingConfig.for_model("pca_logistic"))


@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
def test_on_cuda_the_answers_are_the_same(name):
    X, y = flows()
    on_cpu = fit(name, X, y)
    model = create_model(name, n_frames=1, height=8, width=8, in_channels=3)
    on_cuda = train(model, X, y, TrainingConfig.for_model(name), classes=CLASSES, device="cuda")
    assert on_cuda.device == "cuda"
    np.testing.assert_allclose(on_cuda.predict_proba(X), on_cpu.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(on_cuda.predict_proba(X, device="cpu"), on_cpu.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_in_scikit_learn_as_a_network(name):
    X, y = flows()
    one = MicroExpressionClassifier(name, random_state=0)
    fitted = clone(one).fit(X, y)
    assert fitted.score(X, y) >= 0.9 and len(fitted.history_) == 1 and not fitted.collapse_.collapsed
    assert fitted.classes_.tolist() == CLASSES
    groups = np.arange(len(y)) // 6
    scores = cross_val_score(one, X, y, groups=groups, cv=GroupKFold(3), error_score="raise")
    assert scores.shape == (3,)
    search = GridSearchCV(one, {"model_options": [{"C": 1e-3}, {"C": 1.0}]}, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_["model_options"]["C"] in (1e-3, 1.0)
    pipeline = make_pipeline(FunctionTransformer(lambda X: X[:, :, ::-1].copy(), validate=False), one)
    assert cross_val_score(pipeline, X, y, cv=3, error_score="raise").shape == (3,)
    with pytest.raises(UsageError, match="has no epochs"):
        MicroExpressionClassifier(name, epochs=3).fit(X, y)
