"""scikit-learn's own checks of an estimator.

They send tables, of which scikit-learn says itself that it cannot test an estimator of other input. So the classifier is
given a door for tables: a row is a sequence of one frame, one pixel high. Everything behind the door is the classifier
as it is: parameters, copies, labels, states, repetition.
"""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

pytest.importorskip("sklearn", minversion="1.6")
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from fleeting.models import register_model
from fleeting.models.registry import MODELS
from fleeting.training import MicroExpressionClassifier


class OnTables(MicroExpressionClassifier):
    """The classifier with a door for tables."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags

    def fit(self, X, y):
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        return super().fit(X[:, None, None, :, None], y)

    def predict_proba(self, X):
        check_is_fitted(self)
        return super().predict_proba(validate_data(self, X, reset=False, dtype=np.float32)[:, None, None, :, None])

    def predict(self, X):
        return (
            self.classes_[self.predict_proba(X).argmax(axis=1)] if hasattr(self, "classes_") else check_is_fitted(self)
        )


@pytest.fixture(autouse=True)
def small_network():
    """A network that learns tables of any width in moments."""
    with MODELS.forgetful():

        @register_model("perceptron", paper="none: a test", training={"optimizer": "adam", "learning_rate": 0.05})
        def perceptron(shape, *, hidden=16):
            return nn.Sequential(
                nn.Flatten(), nn.Linear(shape.width, hidden), nn.ReLU(), nn.Linear(hidden, shape.n_classes)
            )

        yield


# What scikit-learn expects and the classifier does not do, with the reason.
EXCEPTIONS: dict[str, dict[str, str]] = {"pca_logistic": {}, "perceptron": {}}
ESTIMATORS = [
    OnTables("pca_logistic", random_state=0),
    OnTables("perceptron", epochs=20, batch_size=16, random_state=0),
]


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda estimator: EXCEPTIONS[estimator.model])
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)
