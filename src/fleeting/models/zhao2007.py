"""LBP-TOP with a linear support vector machine.

Zhao and Pietikäinen, *Dynamic texture recognition using local binary patterns with an application to facial
expressions*, IEEE TPAMI 29(6), 2007. The field's oldest baseline: of CASME II (Yan et al. 2014), of SMIC (Li et al.
2013), and of the challenges from 2018 on.
"""

from __future__ import annotations

from typing import Any

from fleeting.models.linear_svm import LinearSVM
from fleeting.models.registry import register_model
from fleeting.models.spec import InputShape

__all__ = ["LBPTOPSVM"]

TRAINING: dict[str, Any] = {"class_weights": "none"}


@register_model(
    "lbp_top_svm",
    paper="Zhao & Pietikäinen 2007; with the linear SVM of the challenge's baseline",
    training=TRAINING,
    sizes=(1, 1, 5 * 5 * 3 * 59),
    recipe="lbp_top",
)
class LBPTOPSVM(LinearSVM):
    """LBP-TOP and a linear SVM: histograms of texture in space and time, the field's oldest baseline.

    Takes the features of the recipe ``lbp_top``, which see. Published on the composite of the 2019 challenge, leave one
    subject out: UF1 0.588, UAR 0.579.

    Parameters
    ----------
    shape : InputShape
        Any.
    C : float, optional
        Cost of a sample on the wrong side. Papers rarely say; 1 is LIBSVM's default. Features come with unit
        variance over all bins, at which 442 samples of 4,425 values can be told apart: a larger C changes little.
    """

    def __init__(self, shape: InputShape, *, C: float = 1.0) -> None:
        super().__init__(shape, name="lbp_top_svm", C=C)
