"""Bi-WOOF with a linear support vector machine.

Liong, See, Wong and Phan, *Less is more: micro-expression recognition from video using apex frame*, Signal Processing:
Image Communication 62, 2018. https://arxiv.org/abs/1606.01721
"""

from __future__ import annotations

from typing import Any

from fleeting.models.linear_svm import LinearSVM
from fleeting.models.registry import register_model
from fleeting.models.spec import InputShape

__all__ = ["BiWOOFSVM"]

TRAINING: dict[str, Any] = {"class_weights": "none"}


@register_model(
    "bi_woof_svm", paper="Liong et al. 2018, Bi-WOOF", training=TRAINING, sizes=(1, 1, 5 * 5 * 8), recipe="bi_woof"
)
class BiWOOFSVM(LinearSVM):
    """Bi-WOOF and a linear SVM: in which directions, and where, the face moves between onset and apex.

    Takes the features of the recipe ``bi_woof``, which see. Published on the composite of the 2019 challenge, leave one
    subject out, as run by Liong et al. 2019: UF1 0.630, UAR 0.623.

    Parameters
    ----------
    shape : InputShape
        Any.
    C : float, optional
        Cost of a sample on the wrong side. The authors' published code ends at the features; 1 is LIBSVM's
        default.
    """

    def __init__(self, shape: InputShape, *, C: float = 1.0) -> None:
        super().__init__(shape, name="bi_woof_svm", C=C)
