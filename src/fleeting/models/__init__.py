"""The zoo: networks by name, one file per paper.

>>> model = create_model("model_a", n_classes=3, n_frames=36, height=128, width=128)
>>> count_parameters(model)
1613587
"""

from fleeting.models import gan2019 as gan2019
from fleeting.models import irawan2023 as irawan2023
from fleeting.models import liong2018 as liong2018
from fleeting.models import liong2019 as liong2019
from fleeting.models import mirror_ensemble as mirror_ensemble
from fleeting.models import pca_logistic as pca_logistic
from fleeting.models import reddy2019 as reddy2019
from fleeting.models import talluri2022 as talluri2022
from fleeting.models import xia2020 as xia2020
from fleeting.models import zhao2007 as zhao2007
from fleeting.models.direct import DirectModel
from fleeting.models.registry import (
    ModelInfo,
    Score,
    create_model,
    list_models,
    model_info,
    register_model,
    weight_shapes,
)
from fleeting.models.spec import InputShape, ModelSpec, check_seed, count_parameters

__all__ = [
    "DirectModel",
    "InputShape",
    "ModelInfo",
    "ModelSpec",
    "Score",
    "check_seed",
    "count_parameters",
    "create_model",
    "list_models",
    "model_info",
    "register_model",
    "weight_shapes",
]
