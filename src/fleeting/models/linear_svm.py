"""Linear support vector machines, one for each pair of classes, as the field's hand-made features are classified.

Chang and Lin, *LIBSVM: a library for support vector machines*, ACM TIST 2(3), 2011, which scikit-learn wraps.
"""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional as F

from fleeting.models.direct import DirectModel, positive
from fleeting.models.spec import InputShape

__all__ = ["LinearSVM"]


class LinearSVM(DirectModel):
    """Base of the linear machines: each pair of classes votes, the class with most votes wins.

    Features come standardised as a whole (one mean and one deviation for all, see
    :class:`fleeting.training.Standardisation`), not each by itself: among the bins of a histogram the large ones keep
    their weight.

    A logit is the class' number of votes plus, to break ties, a third at most of how clear they are, as scikit-learn's
    ``SVC(break_ties=True)`` has it, whose answers these are. Softmax of it ranks classes; it is no calibrated
    probability.

    Parameters
    ----------
    shape : InputShape
        Any; values are flattened.
    name : str
        In errors.
    C : float
        Cost of a sample on the wrong side.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, shape: InputShape, *, name: str, C: float) -> None:
        super().__init__()
        self.C = positive(name, "C", C)
        channels, frames, height, width = shape.input
        self.n_classes = shape.n_classes
        self.pairs = tuple(combinations(range(shape.n_classes), 2))
        self.register_buffer("weight", torch.zeros(len(self.pairs), channels * frames * height * width))
        self.register_buffer("bias", torch.zeros(len(self.pairs)))
        # A pair's decision is for its first class where it is positive.
        sides = torch.zeros(len(self.pairs), shape.n_classes)
        first, second = torch.tensor(self.pairs).T
        rows = torch.arange(len(self.pairs))
        sides[rows, first], sides[rows, second] = 1.0, -1.0
        self.register_buffer("sides", sides, persistent=False)

    def fit_direct(self, x: Tensor, y: Tensor, *, weights: Tensor, seed: int) -> None:
        """Fill the buffers; see :class:`DirectModel`. Nothing is random."""
        from sklearn.svm import SVC

        machine = SVC(kernel="linear", C=self.C, cache_size=50)
        machine.fit(x.flatten(1).double().numpy(), y.numpy(), sample_weight=weights.double()[y].numpy())
        rows, bias = torch.tensor(machine.coef_), torch.tensor(machine.intercept_)
        present = machine.classes_.tolist()
        # Two classes alone are the other way round in scikit-learn.
        sign = -1.0 if len(present) == 2 else 1.0
        found = {pair: row for row, pair in enumerate(combinations(present, 2))}
        self.weight.zero_()
        for row, (first, second) in enumerate(self.pairs):
            if (first, second) in found:
                self.weight[row] = sign * rows[found[first, second]].to(self.weight)
                self.bias[row] = sign * bias[found[first, second]]
            else:
                # A class that no sample had wins against none that one had.
                self.bias[row] = 1.0 if first in present or second not in present else -1.0

    def forward(self, x: Tensor) -> Tensor:
        """Map ``float32`` ``(N, C, T, H, W)`` to logits ``(N, n_classes)``."""
        decisions = F.linear(x.flatten(1), self.weight, self.bias)
        sides = self.sides
        assert isinstance(sides, Tensor)
        first = (decisions > 0).to(decisions.dtype)
        votes = first @ sides.clamp(min=0) - (1 - first) @ sides.clamp(max=0)
        clear = decisions @ sides
        return votes + clear / (3 * (clear.abs() + 1))
