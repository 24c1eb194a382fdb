"""Facial micro-expression recognition, from video to verdict.

The rooms of the house are imported when they are first used, so ``import fleeting`` costs next to nothing:

>>> import fleeting
>>> fleeting.models.list_models("model_a")
['model_a']
"""

from __future__ import annotations

import importlib
from types import ModuleType

from fleeting._version import __version__

_ROOMS = (
    "analysis",
    "clips",
    "datasets",
    "errors",
    "experiments",
    "faces",
    "kernels",
    "metrics",
    "models",
    "motion",
    "protocols",
    "reports",
    "sequences",
    "spotting",
    "studies",
    "synthesis",
    "training",
)

__all__ = ["__version__", *_ROOMS]


def __getattr__(name: str) -> ModuleType:
    if name in _ROOMS:
        return importlib.import_module(f"fleeting.{name}")
    raise AttributeError(f"module 'fleeting' has no attribute {name!r}; it has: {', '.join(_ROOMS)}")


def __dir__() -> list[str]:
    return sorted(__all__)
