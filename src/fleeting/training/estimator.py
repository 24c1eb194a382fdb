"""The training engine with scikit-learn's contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fleeting.errors import FleetingError, UsageError, unknown_choice
from fleeting.models import create_model, model_info
from fleeting.training.config import TrainingConfig
from fleeting.training.data import Labels, Sequences
from fleeting.training.engine import train

__all__ = ["MicroExpressionClassifier"]

# What scikit-learn puts between the name of a part and the name of its parameter.
_NESTED = "model__"


class MicroExpressionClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A model of the zoo as a scikit-learn classifier over sequences.

    Sizes are taken from the data. ``None`` for a training parameter takes the value of the network's paper; of a model
    that is fitted at once, such as ``"pca_logistic"``, only ``motion`` and ``class_weights`` can be chosen.

    The network's own options are parameters too, with ``model__`` in front, as in skorch:
    ``set_params(model__dropout=0.3)``, or ``GridSearchCV(MicroExpressionClassifier(), {"model__dropout": [0.3, 0.5]})``.

    Parameters
    ----------
    model : str, optional
        One of :func:`fleeting.models.list_models`.
    model_options : dict of str to object or None, optional
        The network's own options, see ``fleeting.models.model_info(model).options``.
    optimizer : {"sgd", "adam"} or None, optional
        Rule by which weights change.
    learning_rate : float or None, optional
        Rate of the first step.
    momentum : float or None, optional
        Momentum of SGD, in ``[0, 1)``.
    nesterov : bool or None, optional
        If True, SGD has Nesterov's momentum.
    decay : float or None, optional
        The rate of step ``k`` (from 0) is ``learning_rate / (1 + decay * k)``.
    batch_size : int or None, optional
        Samples per step.
    epochs : int or None, optional
        Passes over the training samples.
    clip_norm : float or None, optional
        Largest norm of a gradient over all weights; a larger one is scaled down to it.
    motion : {"none", "difference"} or None, optional
        ``"difference"`` if the first frame of each sequence is a reference to subtract from all that follow.
    class_weights : {"none", "balanced"} or None, optional
        ``"balanced"`` weighs each sample by ``n_samples / (n_classes * n_of_its_class)``.
    precision : {"float32", "tf32", "bfloat16"} or None, optional
        Precision of the arithmetic in training; others than ``"float32"`` on CUDA only.
    layout : {"channels_first", "channels_last"} or None, optional
        Order of a convolution's weights in memory; ``"channels_last"`` on CUDA only.
    device : str, optional
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    random_state : int or numpy.random.RandomState or None, optional
        Random seed of the first weights, the order of samples, and dropout, from 0 to 2**32 - 1; or the generator that it
        is drawn from. ``None`` for another one each time.

    Attributes
    ----------
    classes_ : numpy.ndarray
        The classes, sorted.
    result_ : TrainingResult
        Outcome of the training, which :func:`save_model` takes.
    model_ : torch.nn.Module
        The network.
    history_ : pandas.DataFrame
        Loss and accuracy, one row per epoch.
    collapse_ : CollapseReport
        Whether it stopped learning, and why.

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

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Give all parameters by name.

        Parameters
        ----------
        deep : bool, optional
            If True, with the network's own options, as ``model__NAME``.
        """
        params: dict[str, Any] = super().get_params(deep=False)
        if deep:
            given = self.model_options if isinstance(self.model_options, Mapping) else {}
            params |= {f"{_NESTED}{name}": value for name, value in {**self._known_options(), **given}.items()}
        return params

    def set_params(self, **params: Any) -> MicroExpressionClassifier:
        """Set parameters by name, the network's own options as ``model__NAME``.

        Raises
        ------
        UsageError
            If the network has no such option.
        ValueError
            If there is no such parameter.
        """
        super().set_params(**{name: value for name, value in params.items() if not name.startswith(_NESTED)})
        options = {name.removeprefix(_NESTED): v for name, v in params.items() if name.startswith(_NESTED)}
        known = self._known_options()
        for name in options:
            if known and name not in known:
                raise unknown_choice(f"option of {self.model}", name, known)
        if options:
            # A new dictionary: a clone may hold the old one.
            self.model_options = {**(self.model_options or {}), **options}
        return self

    def _known_options(self) -> dict[str, Any]:
        """The options of the network with their defaults; none of a network that is not known, which fit() will say."""
        try:
            return model_info(self.model).options
        except FleetingError:
            return {}

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
            seed=(seed := _draw_seed(self.random_state)),
            **(self.model_options or {}),
        )
        self.result_ = train(model, X, labels, config, classes=classes.tolist(), seed=seed, device=self.device)
        self.classes_ = classes
        self.model_ = self.result_.model
        self.history_ = self.result_.history
        self.collapse_ = self.result_.collapse
        return self

    def predict_proba(self, X: Sequences) -> NDArray[np.float64]:
        """Give the probabilities ``(N, n_classes)`` in the order of ``classes_``."""
        check_is_fitted(self)
        return self.result_.predict_proba(X)

    def predict(self, X: Sequences) -> NDArray[Any]:
        """Give the likeliest class of each sequence."""
        check_is_fitted(self)
        predicted: NDArray[Any] = self.classes_[self.result_.predict_proba(X).argmax(axis=1)]
        return predicted


def _draw_seed(random_state: int | np.random.RandomState | None) -> int:
    try:
        return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    except ValueError as exc:
        raise UsageError(
            f"random_state: {exc}; expected a whole number from 0 to 2**32 - 1, a RandomState or None"
        ) from exc


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
