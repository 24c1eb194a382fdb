"""Accuracy, UF1, UAR and the confusion matrix that all of them come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from fleeting.errors import UsageError

__all__ = ["METRICS", "Majority", "accuracy", "confusion_matrix", "majority_accuracy", "uar", "uf1"]

Labels: TypeAlias = Sequence[Any] | npt.NDArray[Any]
"""Labels of clips: a list, an array or a pandas column of text (anything else is turned into text)."""


class Majority(NamedTuple):
    """The class that training shows most often, and the accuracy of always answering it."""

    label: str
    accuracy: float


def as_labels(what: str, labels: Labels) -> npt.NDArray[np.str_]:
    """Give labels as a one-dimensional array of text; :class:`UsageError` if there are none or one is missing."""
    values = np.asarray(labels, dtype=object)
    if values.ndim != 1 or values.size == 0:
        raise UsageError(f"{what} has the shape {values.shape}; expected at least one label, in one dimension")
    if any(value is None or value != value for value in values):
        raise UsageError(f"{what} has a missing label; expected the name of a class for each clip")
    return np.array([str(value) for value in values], dtype=np.str_)


def _pair(y_true: Labels, y_pred: Labels) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.str_]]:
    truth, found = as_labels("y_true", y_true), as_labels("y_pred", y_pred)
    if len(truth) != len(found):
        raise UsageError(f"{len(truth)} true labels but {len(found)} predictions; expected one prediction per clip")
    return truth, found


def class_names(classes: Sequence[str] | None, *labels: npt.NDArray[np.str_]) -> list[str]:
    """List the classes to score, in order: those given, or all that occur, sorted."""
    occurring = sorted({str(name) for array in labels for name in array})
    if classes is None:
        return occurring
    names = [str(name) for name in classes]
    if len(set(names)) != len(names) or not names:
        raise UsageError(f"classes are {names}; expected at least one name, each once")
    unknown = [name for name in occurring if name not in names]
    if unknown:
        raise UsageError(f"the labels hold {', '.join(map(repr, unknown))}, not among the classes: {', '.join(names)}")
    return names


def codes_of(labels: npt.NDArray[np.str_], names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Give the position of each label in ``names``."""
    number = {name: code for code, name in enumerate(names)}
    return np.array([number[str(label)] for label in labels], dtype=np.int64)


def confusion_matrix(y_true: Labels, y_pred: Labels, classes: Sequence[str] | None = None) -> npt.NDArray[np.int64]:
    """Count the clips of each class (row) that were called each class (column).

    Parameters
    ----------
    y_true, y_pred : Labels
        Labels, one per clip.
    classes : sequence of str or None, optional
        Names in the order of rows and columns; by default all that occur, sorted.

    Returns
    -------
    numpy.ndarray of int64
        Counts, ``(n_classes, n_classes)``.

    Raises
    ------
    UsageError
        If lengths differ, there are no labels, or a label is not among ``classes``.

    Examples
    --------
    >>> confusion_matrix(["a", "a", "b"], ["a", "b", "b"])
    array([[1, 1],
           [0, 1]])
    """
    truth, found = _pair(y_true, y_pred)
    names = class_names(classes, truth, found)
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (codes_of(truth, names), codes_of(found, names)), 1)
    return counts


def accuracy_of(confusion: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Give the accuracy of confusion matrices ``(..., C, C)``; NaN without clips."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1)), dtype=np.float64)


def uf1_of(confusion: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Give the UF1 of confusion matrices ``(..., C, C)``; NaN without clips."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    # Row sum + column sum = 2 TP + FP + FN.
    return _mean_of_defined(2.0 * hits, confusion.sum(axis=-1) + confusion.sum(axis=-2))


def uar_of(confusion: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Give the UAR of confusion matrices ``(..., C, C)``; NaN without clips."""
    return _mean_of_defined(np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64), confusion.sum(axis=-1))


def _mean_of_defined(upper: npt.NDArray[np.float64], lower: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    defined = lower > 0
    values = np.divide(upper, lower, out=np.zeros_like(upper), where=defined)
    with np.errstate(invalid="ignore"):
        return np.asarray(values.sum(axis=-1) / defined.sum(axis=-1), dtype=np.float64)


METRICS: dict[str, Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]] = {
    "accuracy": accuracy_of,
    "uf1": uf1_of,
    "uar": uar_of,
}
"""Each metric as a function of confusion matrices ``(..., C, C)``."""


def accuracy(y_true: Labels, y_pred: Labels) -> float:
    """Give the share of clips that were called by their name, in ``[0, 1]``.

    Never print it without :func:`majority_accuracy` beside it.
    """
    return float(accuracy_of(confusion_matrix(y_true, y_pred)))


def uf1(y_true: Labels, y_pred: Labels, classes: Sequence[str] | None = None) -> float:
    """Compute the unweighted F1: ``F1_c = 2 TP / (2 TP + FP + FN)``, averaged over classes (MEGC 2019).

    Pool the clips of all folds first: F1 is not linear, so the mean over folds is another number.

    Parameters
    ----------
    y_true, y_pred : Labels
        Labels, one per clip.
    classes : sequence of str or None, optional
        Classes to average over; by default all that occur in truth or prediction.

    Returns
    -------
    float
        Value in ``[0, 1]``. A class that no clip shows but that was answered scores 0. A class that was neither shown
        nor answered has no F1 (0/0) and is left out of the mean, so a fold without it is not punished.

    Examples
    --------
    >>> uf1(["a", "a", "b"], ["a", "a", "c"], classes=["a", "b", "c", "d"])
    0.3333333333333333
    """
    return float(uf1_of(confusion_matrix(y_true, y_pred, classes)))


def uar(y_true: Labels, y_pred: Labels, classes: Sequence[str] | None = None) -> float:
    """Compute the unweighted average recall: the mean of ``TP_c / n_c`` over the classes that occur in truth (MEGC 2019).

    Parameters
    ----------
    y_true, y_pred : Labels
        Labels, one per clip.
    classes : sequence of str or None, optional
        Known classes; one that no clip shows has no recall and is left out of the mean.

    Returns
    -------
    float
        Value in ``[0, 1]``; chance is one over the number of classes, whatever their sizes.

    Examples
    --------
    >>> uar(["a", "a", "b"], ["a", "b", "b"], classes=["a", "b", "c"])
    0.75
    """
    return float(uar_of(confusion_matrix(y_true, y_pred, classes)))


def majority_accuracy(y_train: Labels, y_test: Labels) -> Majority:
    """Score the constant answer of the commonest training class on the test clips.

    A network that has collapsed to a constant scores this, and published figures often lie near it.

    Parameters
    ----------
    y_train : Labels
        Labels to learn the commonest class from; of several, the first in the alphabet.
    y_test : Labels
        Labels to score it on.

    Examples
    --------
    >>> majority_accuracy(["b", "b", "a"], ["a", "b", "b", "b"])
    Majority(label='b', accuracy=0.75)
    """
    names, counts = np.unique(as_labels("y_train", y_train), return_counts=True)
    label = str(names[int(counts.argmax())])
    return Majority(label, float(np.mean(as_labels("y_test", y_test) == label)))
