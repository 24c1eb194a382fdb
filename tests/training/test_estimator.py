from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline

from fleeting.errors import UsageError
from fleeting.training import MicroExpressionClassifier, load_model, save_model


def classifier(**fields):
    return MicroExpressionClassifier(**{"motion": "difference", "epochs": 2, "random_state": 0, **fields})


@pytest.fixture(scope="module")
def fitted(clips):
    return classifier(epochs=12).fit(*clips)


def test_parameters_can_be_read_set_and_cloned():
    one = classifier(model_options={"dropout": 0.2}, learning_rate=0.01)
    copied = clone(one)
    assert copied.get_params() == one.get_params()
    assert copied.set_params(epochs=9).epochs == 9
    assert one.epochs == 2
    with pytest.raises(ValueError, match="Invalid parameter"):
        one.set_params(no_such=1)
    assert is_classifier(one)
    assert "learning_rate=0.01" in repr(one)


def test_constructor_checks_nothing_and_fit_checks_all(clips):
    odd = MicroExpressionClassifier(model="no_model", epochs=-1)
    assert odd.epochs == -1
    with pytest.raises(UsageError, match="model_a"):
        odd.fit(*clips)
    with pytest.raises(UsageError, match="epochs"):
        classifier(epochs=-1).fit(*clips)
    with pytest.raises(UsageError, match="option of model_a"):
        classifier(model_options={"depth": 3}).fit(*clips)


def test_not_fitted(clips):
    with pytest.raises(NotFittedError):
        classifier().predict(clips[0])
    with pytest.raises(NotFittedError):
        classifier().predict_proba(clips[0])


def test_predictions(fitted, clips):
    X, y = clips
    assert fitted.classes_.tolist() == ["disgust", "happy", "surprise"]
    p = fitted.predict_proba(X)
    assert (fitted.predict(X) == fitted.classes_[p.argmax(1)]).all()
    assert fitted.score(X, y) == (fitted.predict(X) == y).mean() >= 0.9
    assert len(fitted.history_) == 12 and not fitted.collapse_.collapsed


def test_fit_returns_itself_starts_anew_and_leaves_parameters_alone(clips):
    one = classifier()
    before = one.get_params()
    assert one.fit(*clips) is one
    assert one.get_params() == before
    first = one.predict_proba(clips[0])
    np.testing.assert_array_equal(one.fit(*clips).predict_proba(clips[0]), first)
    np.testing.assert_array_equal(clone(one).fit(*clips).predict_proba(clips[0]), first)
    other = classifier(random_state=1).fit(*clips).predict_proba(clips[0])
    assert not np.array_equal(other, first)


def test_random_state_object_moves_on(clips):
    state = np.random.RandomState(0)
    one = classifier(epochs=1, random_state=state)
    assert not np.array_equal(one.fit(*clips).predict_proba(clips[0]), one.fit(*clips).predict_proba(clips[0]))


@pytest.mark.parametrize("labels", [[10, 20, 30], [True, False, True], [0, 1, 2], ["c", "b", "a"]])
def test_any_kind_of_label(clips, labels):
    y = np.array(labels)[np.arange(len(clips[1])) % 3]
    one = classifier(epochs=1).fit(clips[0], y)
    np.testing.assert_array_equal(one.classes_, np.unique(y))
    assert set(one.predict(clips[0]).tolist()) <= set(y.tolist())
    assert 0 <= one.score(clips[0], y) <= 1


def test_works_in_scikit_learn_with_its_splitters(clips):
    X, y = clips
    scores = cross_val_score(classifier(), X, y, cv=StratifiedKFold(2), error_score="raise")
    assert scores.shape == (2,)
    groups = np.arange(len(y)) // 6
    by_subject = cross_val_score(classifier(epochs=1), list(X), y, groups=groups, cv=GroupKFold(2), error_score="raise")
    assert by_subject.shape == (2,)
    search = GridSearchCV(classifier(epochs=1), {"learning_rate": [1e-3, 1e-4]}, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_["learning_rate"] in (1e-3, 1e-4)


class TestNestedParameters:
    def test_options_of_the_network_are_read_and_set(self):
        one = classifier()
        assert one.get_params()["model__dropout"] == 0.4
        assert "model__dropout" not in one.get_params(deep=False)
        assert one.set_params(model__dropout=0.3, epochs=5) is one
        assert (one.get_params()["model__dropout"], one.model_options, one.epochs) == (0.3, {"dropout": 0.3}, 5)
        copied = clone(one)
        copied.set_params(model__dropout=0.1)
        assert (one.model_options, copied.model_options) == ({"dropout": 0.3}, {"dropout": 0.1})

    def test_network_and_options_may_change_together(self):
        one = classifier().set_params(model__padding="same", model="model_c")
        assert one.get_params()["model__padding"] == "same"
        with pytest.raises(UsageError, match="unknown option of model_c 'padings'; did you mean 'padding'"):
            one.set_params(model__padings="valid")

    def test_a_network_that_is_not_known_keeps_what_it_is_given(self):
        one = MicroExpressionClassifier(model="no_model").set_params(model__width=3)
        assert one.get_params()["model__width"] == 3

    def test_what_is_set_is_what_is_trained(self, clips):
        one = classifier(epochs=1).set_params(model__dropout=0.0).fit(*clips)
        assert one.model_.spec.options["dropout"] == 0.0

    def test_a_grid_search_over_them(self, clips):
        grid = {"model__dropout": [0.0, 0.6], "learning_rate": [1e-3]}
        search = GridSearchCV(classifier(epochs=1), grid, cv=2, error_score="raise").fit(*clips)
        assert search.cv_results_["param_model__dropout"].tolist() == [0.0, 0.6]
        assert search.best_estimator_.model_.spec.options["dropout"] == search.best_params_["model__dropout"]

    def test_inside_a_pipeline(self, clips):
        line = Pipeline([("classify", classifier(epochs=1))])
        assert line.set_params(classify__model__dropout=0.2).get_params()["classify__model__dropout"] == 0.2
        assert line.fit(*clips)["classify"].model_.spec.options["dropout"] == 0.2


@pytest.mark.parametrize("state", [10**23, -1, "x", 1.5])
def test_a_seed_out_of_range(clips, state):
    with pytest.raises(UsageError, match="random_state"):
        classifier(random_state=state).fit(*clips)


def test_can_be_saved(fitted, clips, tmp_path):
    save_model(tmp_path, fitted.result_)
    np.testing.assert_array_equal(load_model(tmp_path).predict(clips[0]), fitted.predict(clips[0]))


@pytest.mark.parametrize(
    ("X", "y", "says"),
    [
        (np.zeros((0, 10, 18, 18, 1), np.uint8), [], "found none"),
        (np.zeros((4, 100)), [0, 1, 0, 1], "expected \\(T, H, W, C\\)"),
        (np.zeros((4, 10, 18, 18, 1)), [0, 1, 0, 1], "uint8"),
        (np.zeros((4, 10, 18, 18, 1), np.uint8), [0, 1, 0], "each of 4"),
        (np.zeros((4, 10, 18, 18, 1), np.uint8), ["a"] * 4, "one class only"),
        (np.zeros((4, 10, 18, 18, 1), np.uint8), [0.0, 1.0, np.nan, 1.0], "label 2 is missing"),
        (np.zeros((4, 10, 18, 18, 1), np.uint8), np.array(["a", None, "b", "a"], object), "label 1 is missing"),
        (np.zeros((4, 10, 18, 18, 1), np.uint8), np.array(["a", 1, "b", 2], object), "mixed"),
        (np.zeros((4, 5, 18, 18, 1), np.uint8), [0, 1, 0, 1], "at least 9 frames"),
    ],
)
def test_wrong_input(X, y, says):
    with pytest.raises(UsageError, match=says):
        classifier().fit(X, y)
