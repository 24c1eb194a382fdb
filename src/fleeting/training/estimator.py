"""The training engine with scikit-learn's contract."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fleeting.errors import UsageError
from fleeting.models import create_model
from fleeting.training.config import TrainingConfig
from fleeting.training.data import Labels, Sequences
from fleeting.training.engine import train

__all__ = ["MicroExpressionClassifier"]


class MicroExpressionClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A model of the zoo as a scikit-learn classifier over sequences.

    Sizes are taken from the data. ``None`` for a training parameter takes the value of the network's paper; of a model
    that is fitted at once, such as ``"pca_logistic"``, only ``motion`` and ``class_weights`` can be chosen.

    Parameters
    ----------
    model : str, optional
        One of :func:`fleeting.models.list_models`.
    model_options : dict of str to object or None, optional
        The network's own options.
    optimizer, learning_rate, momentum, nesterov, decay, batch_size, epochs, clip_norm, motion, class_weights,
    precision, layout :
        see :class:`TrainingConfig`. With ``motion="difference"`` the first frame of each sequence is the reference.
    device : str, optional
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    random_state : int or numpy.random.RandomState or None, optional
        Whole number, ``RandomState`` or ``None``, for the first weights, the order of samples, and dropout.

    Attributes
    ----------
    classes_ : object
        The classes, sorted.
    result_ : object
        The :class:`TrainingResult`, which :func:`save_model` takes.
    model_, history_, collapse_ : object
        The network, the table of epochs, and whether it collapsed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.integers(0, 256, (8, 9, 9, 9, 1), dtype=np.uint8)
    >>> y = ["happy", "surprise"] * 4
    >>> classifier = MicroExpressionClassifier(epochs=1, random_state=0).fit(X, y)
    >>> classifier.predict_proba(X).shape
    (8, 2)
    """

    def __init__(
        self,
        model: str = "model_a",
        *,
        model_options: dict[str, Any] | None = None,
        optimizer: str | None = None,
        learning_rate: float | None = None,
        momentum: float | None = None,
        nesterov: bool | None = None,
        decay: float | None = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        clip_norm: float | None = None,
        motion: str | None = None,
        class_weights: str | None = None,
        precision: str | None = None,
        layout: str | None = None,
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.model = model
        self.model_options = model_options
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.nesterov = nesterov
        self.decay = decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.clip_norm = clip_norm
        self.motion = motion
        self.class_weights = class_weights
        self.precision = precision
        self.layout = layout
        self.device = device
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.non_deterministic = False
        return tags

    def fit(self, X: Sequences, y: Labels) -> MicroExpressionClassifier:
        """Train a new network.

        Parameters
        ----------
        X : Sequences
            ``uint8`` ``(N, T, H, W, C)``, or a list of ``(T, H, W, C)``.
        y : Labels
            One label per sample, text or whole numbers, of at least two classes.

        Raises
        ------
        UsageError
            If parameters, data or labels do not fit.
        """
        given = {name: getattr(self, name) for name in TrainingConfig.model_fields}
        config = TrainingConfig.for_model(self.model, **{k: v for k, v in given.items() if v is not None})
        if len(X) == 0:
            raise UsageError("sequences: found none; expected at least one of each of two classes")
        first = np.asarray(X[0])
        if first.ndim != 4:
            raise UsageError(f"sequences: found samples of shape {first.shape}; expected (T, H, W, C)")
        frames, height, width, channels = first.shape
        labels = np.asarray(y)
        classes = _classes(labels)
        model = create_model(
            self.model,
            n_classes=len(classes),
            n_frames=frames - (config.motion == "difference"),
            height=height,
            width=width,
            in_channels=channels,
            seed=(seed := int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))),
            **(self.model_options or {}),
        )
        self.result_ = train(model, X, labels, config, classes=classes.tolist(), seed=seed, device=self.device)
        self.classes_ = classes
        self.model_ = self.result_.model
        self.history_ = self.result_.history
        self.collapse_ = self.result_.collapse
        return self

    def predict_proba(self, X: Sequences) -> NDArray[np.float64]:
        """Probabilities ``(N, n_classes)`` in the order of ``classes_``."""
        check_is_fitted(self)
        return self.result_.predict_proba(X)

    def predict(self, X: Sequences) -> NDArray[Any]:
        """The likeliest class of each sequence."""
        check_is_fitted(self)
        predicted: NDArray[Any] = self.classes_[self.result_.predict_proba(X).argmax(axis=1)]
        return predicted


def _classes(labels: NDArray[Any]) -> NDArray[Any]:
    missing = [i for i, value in enumerate(labels.tolist()) if value is None or value != value]
    if missing:
        raise UsageError(f"label {missing[0]} is missing; leave out clips without a label")
    try:
        classes: NDArray[Any] = np.unique(labels)
    except TypeError as exc:
        raise UsageError(f"labels: found text and numbers mixed ({exc}); expected one kind") from exc
    if len(classes) < 2:
        raise UsageError(f"labels: found one class only ({', '.join(map(str, classes))}); expected two or more")
    return classes
