"""The trained weights that ship with the package, each beside a card that says what it can and cannot do."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import fleeting
from fleeting.errors import ModelFileError
from fleeting.training import TrainedModel, load_model

__all__ = ["about_weights", "default_model"]

#: Of the files, so that one that was damaged or exchanged is noticed; `scripts/train_weights.py` prints it.
RECOGNISER_SHA256 = "72cdc4728e5640640e3886e184a780e58acf1a8ae217422b58ddd890511a833e"


def _folder() -> Path:
    return Path(fleeting.__file__).parent / "weights"


def _verified(path: Path, sha256: str) -> Path:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise ModelFileError(
            f"{path}: the package's own weights cannot be read ({exc.strerror or exc}); install Fleeting again"
        ) from exc
    if found != sha256:
        raise ModelFileError(
            f"{path}: the package's own weights have been changed (SHA-256 begins with {found[:12]}, expected "
            f"{sha256[:12]}); install Fleeting again"
        )
    return path


@cache
def default_model() -> TrainedModel:
    """The recogniser that ships: eight emotions, trained on synthetic clips only.

    Its recipe takes the frames from onset to offset and resamples them to twelve, so it takes recordings of any frame rate.
    What it cannot do stands in ``weights/recogniser/README.md`` and in :func:`about_weights`.

    Raises
    ------
    ModelFileError
        If the file is missing or not the one that was shipped.
    """
    return load_model(_verified(_folder() / "recogniser" / "model.safetensors", RECOGNISER_SHA256))


def about_weights() -> dict[str, dict[str, Any]]:
    """Give what a result that rests on these weights has to say of them, as plain values."""
    model = default_model()
    return {
        "recogniser": {
            "name": "the recogniser that ships with Fleeting",
            "sha256": RECOGNISER_SHA256,
            "network": model.spec.name,
            "classes": list(model.classes),
            "trained_on": "synthetic clips of people who do not exist (assets: CC0)",
            "limits": list(model.config.facts.limits),
        }
    }
