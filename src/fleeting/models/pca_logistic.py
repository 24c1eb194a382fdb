"""Principal components and logistic regression: the floor that deep models must beat.

No paper's. Jolliffe, *Principal Component Analysis*, 2nd ed., Springer 2002; King and Zeng, *Logistic regression in rare
events data*, Political Analysis 9(2), 2001, for weights against imbalance.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor
from torch.nn import functional as F

from fleeting.errors import UsageError
from fleeting.models.direct import DirectModel, absent_last, positive
from fleeting.models.registry import register_model
from fleeting.models.spec import InputShape

__all__ = ["PCALogistic", "principal_components"]

# Squares of singular values below this share of the largest are rounding.
_NOTHING = 1e-10


def principal_components(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give the mean, the axes and the variances of the samples' spread, widest axis first.

    From the smaller one of the samples' and the values' products, so that 441 samples of 2,352 values take tens of
    milliseconds. The value of an axis that is furthest from 0 is positive, so that signs do not depend on the machine.

    Parameters
    ----------
    x : torch.Tensor
        ``float64`` ``(N, D)``.

    Returns
    -------
    tuple of (torch.Tensor, torch.Tensor, torch.Tensor)
        ``(D,)``, orthonormal rows ``(K, D)`` with ``K`` at most ``min(N - 1, D)``, and the unbiased variances ``(K,)``.
    """
    mean = x.mean(0)
    centred = x - mean
    wide = len(x) < x.shape[1]
    squares, vectors = torch.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    squares, vectors = squares.flip(0), vectors.flip(1)
    kept = int((squares > _NOTHING * squares[0]).sum()) if squares[0] > 0 else 0
    squares, vectors = squares[: min(kept, len(x) - 1)], vectors[:, : min(kept, len(x) - 1)]
    axes = (centred.T @ vectors / squares.sqrt()).T if wide else vectors.T
    if len(axes):
        axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
    return mean, axes, squares / (len(x) - 1)


@register_model(
    "pca_logistic",
    paper="none; the floor that deep models must beat",
    training={"class_weights": "balanced"},
    sizes=(1, 28, 28),
    channels=3,
    recipe="flow",
)
class PCALogistic(DirectModel):
    """PCA and balanced logistic regression: the floor that deep models must beat.

    The input is flattened, as it comes standardised a channel; its principal components are those of the training
    samples, and a multinomial logistic regression with a quadratic penalty tells the classes apart, each sample weighted
    by ``class_weights`` (``"balanced"`` by default). It has no trainable parameters in the sense of networks: it is
    fitted at once, in some tenths of a second for 441 samples of optical flow, and takes any size.

    UF1 and UAR on the composite of the 2019 challenge: none are published.

    Parameters
    ----------
    shape : InputShape
        Any.
    components : int, optional
        The most principal components that are kept.
    variance : float, optional
        The share of the variance that is enough, in (0, 1]; as few components as reach it are kept.
    whiten : bool, optional
        Scale every component to unit variance, which makes the penalty the same for all.
    C : float, optional
        Inverse strength of the penalty, scikit-learn's default.
    """

    mean: Tensor
    components: Tensor
    coefficients: Tensor
    intercept: Tensor

    def __init__(
        self,
        shape: InputShape,
        *,
        components: int = 100,
        variance: float = 0.95,
        whiten: bool = False,
        C: float = 1.0,
    ) -> None:
        super().__init__()
        if isinstance(components, bool) or not isinstance(components, int) or components < 1:
            raise UsageError(f"pca_logistic: found components {components!r}; expected a whole number of at least 1")
        if isinstance(variance, bool) or not isinstance(variance, int | float) or not 0 < variance <= 1:
            raise UsageError(f"pca_logistic: found variance {variance!r}; expected a share in (0, 1]")
        if not isinstance(whiten, bool):
            raise UsageError(f"pca_logistic: found whiten {whiten!r}; expected true or false")
        self.variance, self.whiten, self.C = variance, whiten, positive("pca_logistic", "C", C)
        channels, frames, height, width = shape.input
        values = channels * frames * height * width
        kept = min(components, values)
        self.register_buffer("mean", torch.zeros(values))
        # Rows that no component takes stay 0, so that the shape follows from the options alone.
        self.register_buffer("components", torch.zeros(kept, values))
        self.register_buffer("coefficients", torch.zeros(shape.n_classes, kept))
        self.register_buffer("intercept", torch.zeros(shape.n_classes))

    def fit_direct(self, x: Tensor, y: Tensor, *, weights: Tensor, seed: int) -> None:
        """Fill the buffers; see :class:`DirectModel`. Nothing is random."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        flat = x.flatten(1).double()
        mean, axes, variances = principal_components(flat)
        shares = variances.cumsum(0) / variances.sum()
        # Rounding may leave the last share a little below the whole.
        enough = int((shares < self.variance - 1e-12).sum()) + 1
        axes, variances = axes[: len(self.components)][:enough], variances[: len(self.components)][:enough]
        if self.whiten:
            axes = axes / variances.sqrt()[:, None]
        for buffer in self.buffers():
            buffer.zero_()
        scores = (flat - mean) @ axes.T if len(axes) else flat.new_zeros((len(flat), 1))
        regression = LogisticRegression(C=self.C, max_iter=10_000)
        with warnings.catch_warnings():
            # Ten thousand steps are far past where answers stop to change.
            warnings.simplefilter("ignore", ConvergenceWarning)
            regression.fit(scores.numpy(), y.numpy(), sample_weight=weights.double()[y].numpy())
        rows, intercept = torch.from_numpy(regression.coef_), torch.from_numpy(regression.intercept_)
        if len(rows) == 1:
            # Two classes have one row, the logit of the second; halves keep softmax what it is.
            rows, intercept = torch.cat([-rows, rows]) / 2, torch.cat([-intercept, intercept]) / 2
        present = torch.from_numpy(regression.classes_)
        self.mean.copy_(mean)
        self.components[: len(axes)] = axes.to(self.components)
        if len(axes):
            self.coefficients[present, : len(axes)] = rows.to(self.coefficients)
        self.intercept.copy_(absent_last(intercept, present, len(self.intercept)))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``float32`` ``(N, C, T, H, W)`` to logits ``(N, n_classes)``."""
        scores = F.linear(x.flatten(1) - self.mean, self.components)
        return F.linear(scores, self.coefficients, self.intercept)
