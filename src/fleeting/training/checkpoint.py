"""Trained networks as files: ``model.safetensors`` and a ``config.json`` that suffices to run it. Never pickle."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.torch
import torch
from pydantic import ValidationError
from safetensors import SafetensorError

from fleeting._version import __version__
from fleeting.errors import ModelFileError, UsageError
from fleeting.files import write_atomic, write_json
from fleeting.models import ModelSpec, create_model
from fleeting.training.config import TrainingConfig
from fleeting.training.data import Sequences, Standardisation
from fleeting.training.engine import PREDICTED_AT_ONCE, TrainingResult, predict_proba

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CONFIG", "FORMAT", "WEIGHTS", "TrainedModel", "load_model", "save_model"]

FORMAT = 1
WEIGHTS = "model.safetensors"
CONFIG = "config.json"


@dataclass(frozen=True)
class TrainedModel:
    """A network that was trained, saved and read back.

    Attributes
    ----------
    model : torch.nn.Module
        The network in evaluation mode.
    classes : tuple of object
        What its outputs stand for, in order.
    recipe : dict of str to object or None
        How a clip becomes a sequence for it, as it was given when it was saved; ``None`` if it was not.
    config : dict of str to object
        All of ``config.json``, among it ``training``, ``seed``, ``collapse``, ``versions`` and ``extra``.
    """

    model: torch.nn.Module = field(repr=False)
    classes: tuple[Any, ...]
    recipe: dict[str, Any] | None
    config: dict[str, Any] = field(repr=False)
    training: TrainingConfig
    standardisation: Standardisation
    path: Path

    @property
    def spec(self) -> ModelSpec:
        """Name, sizes and options of the network."""
        spec = self.model.spec
        assert isinstance(spec, ModelSpec)
        return spec

    @property
    def motion(self) -> str:
        """``"difference"`` if sequences have a reference frame in front, else ``"none"``."""
        return self.training.motion

    @property
    def synthetic(self) -> bool:
        """Whether it was trained on people who do not exist, among others perhaps."""
        extra = self.config.get("extra") or {}
        # Models of before the mark was kept name their data sets only.
        return bool(extra.get("synthetic")) or any(str(spec).startswith("synthetic:") for spec in extra.get("data", []))

    def predict_proba(
        self, X: Sequences, *, batch_size: int = PREDICTED_AT_ONCE, device: str = "cpu"
    ) -> NDArray[np.float64]:
        """Probabilities ``(N, n_classes)`` of ``uint8`` sequences ``(N, T, H, W, C)``, in the order of ``classes``.

        With motion as difference from the onset frame, that frame is the first of ``T + 1``.

        Raises
        ------
        UsageError
            If the sequences are not of the size that the network was trained on, or the device is absent.
        """
        return predict_proba(
            self.model,
            X,
            motion=self.motion,
            standardisation=self.standardisation,
            batch_size=batch_size,
            device=device,
        )

    def predict(self, X: Sequences, *, batch_size: int = PREDICTED_AT_ONCE, device: str = "cpu") -> NDArray[Any]:
        """The likeliest class of each sequence."""
        probabilities = self.predict_proba(X, batch_size=batch_size, device=device)
        answer: NDArray[Any] = np.asarray(self.classes).take(probabilities.argmax(axis=1))
        return answer


def save_model(
    folder: str | os.PathLike[str],
    trained: TrainingResult | TrainedModel,
    *,
    classes: Sequence[Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write a trained network into a folder, each file whole or not at all, and ``config.json`` last.

    Parameters
    ----------
    folder : str or os.PathLike
        Made if it does not exist. A model that is there already is replaced.
    classes : sequence or None, optional
        Other names for the outputs than those that were trained with.
    recipe : mapping or None, optional
        How a clip becomes a sequence, kept as given.
    extra : mapping or None, optional
        Anything else that JSON can hold.

    Returns
    -------
    pathlib.Path
        The path of ``model.safetensors``.

    Raises
    ------
    UsageError
        If the classes do not fit the network, or ``recipe`` or ``extra`` cannot be written as JSON.
    """
    folder = Path(folder)
    again = trained.config if isinstance(trained, TrainedModel) else None
    spec = trained.model.spec
    assert isinstance(spec, ModelSpec)
    names = trained.classes if classes is None else tuple(np.asarray(list(classes)).tolist())
    if len(names) != spec.shape.n_classes or len(set(names)) != len(names):
        raise UsageError(f"classes: found {names}; expected {spec.shape.n_classes} different names, one an output")
    state = {name: value.detach().cpu().contiguous() for name, value in trained.model.state_dict().items()}
    weights = safetensors.torch.save(state)
    config: dict[str, Any] = {
        "format": FORMAT,
        "kind": "fleeting-model",
        "model": spec.to_dict(),
        "classes": list(names),
        "standardisation": asdict(trained.standardisation),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    if isinstance(trained, TrainingResult):
        config |= {
            "training": trained.config.model_dump(mode="json"),
            "seed": trained.seed,
            "n_train": trained.n_train,
            "collapse": asdict(trained.collapse),
            "recipe": None,
            "extra": {},
            "versions": _versions(),
        }
    else:
        assert again is not None
        kept = ("training", "seed", "n_train", "collapse", "recipe", "extra", "versions")
        config |= {key: again[key] for key in kept if key in again}
    if recipe is not None:
        config["recipe"] = dict(recipe)
    if extra is not None:
        config["extra"] = dict(extra)
    try:
        json.dumps(config, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise UsageError(f"classes, recipe and extra must be plain values that JSON can hold ({exc})") from exc
    path = write_atomic(folder / WEIGHTS, lambda file: file.write(weights))
    write_json(folder / CONFIG, config)
    return path


def _versions() -> dict[str, str]:
    return {
        "fleeting": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


def load_model(path: str | os.PathLike[str]) -> TrainedModel:
    """Read a network that :func:`save_model` wrote.

    Parameters
    ----------
    path : str or os.PathLike
        Its folder, or the ``model.safetensors`` in it, beside which ``config.json`` must lie.

    Raises
    ------
    ModelFileError
        If a file is missing, damaged, of another format, or the two do not belong together; names the file.
    """
    path = Path(path)
    if path.is_dir():
        weights_path = path / WEIGHTS
        if not weights_path.is_file():
            raise ModelFileError(
                f"{path}: there is no {WEIGHTS} in it; give a folder that fleeting saved a model in, or that file"
            )
    elif not path.exists():
        raise ModelFileError(f"{path}: there is no such file or folder; train a model first, or correct the path")
    elif path.name == CONFIG:
        weights_path = path.with_name(WEIGHTS)
    elif path.suffix != ".safetensors":
        raise ModelFileError(
            f"{path}: is not a .safetensors file, the only format that is read; give the folder or the {WEIGHTS} that "
            "fleeting saved"
        )
    else:
        weights_path = path
    config_path = weights_path.with_name(CONFIG)
    config = _read_config(config_path)
    try:
        spec = ModelSpec.from_dict(config["model"])
        model = create_model(spec.name, **asdict(spec.shape), **spec.options)
        training = TrainingConfig(**config["training"])
        mean, std = (tuple(float(v) for v in config["standardisation"][key]) for key in ("mean", "std"))
        classes, recipe = tuple(config["classes"]), config["recipe"]
        if not len(mean) == len(std) == spec.shape.in_channels or len(set(classes)) != spec.shape.n_classes:
            raise ValueError("standardisation and classes do not fit the model")
        if not np.isfinite(mean + std).all() or min(std) <= 0:
            raise ValueError("standardisation holds impossible values")
        if not (recipe is None or isinstance(recipe, dict)):
            raise TypeError("recipe is not an object")
    except KeyError as exc:
        raise ModelFileError(f"{config_path}: has no entry {exc}; save the model again") from exc
    except (UsageError, ValidationError, ValueError, TypeError) as exc:
        raise ModelFileError(f"{config_path}: does not describe a model that can be built: {exc}") from exc
    _read_weights(model, weights_path, config_path, config)
    return TrainedModel(model.eval(), classes, recipe, config, training, Standardisation(mean, std), weights_path)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise ModelFileError(
            f"{path}: is missing; a model needs its {CONFIG} beside the weights. Copy it from where the model was saved"
        ) from exc
    except OSError as exc:
        raise ModelFileError(f"{path}: cannot be read ({exc.strerror or exc})") from exc
    except ValueError as exc:
        raise ModelFileError(f"{path}: is damaged ({exc}); copy it again, or train the model again") from exc
    if not isinstance(config, dict) or config.get("kind") != "fleeting-model":
        raise ModelFileError(f"{path}: was not written by fleeting for a model; give a folder that holds a saved model")
    if config.get("format") != FORMAT:
        raise ModelFileError(
            f"{path}: found format {config.get('format')!r}; this version of fleeting ({__version__}) reads format "
            f"{FORMAT}. Use the version that saved it: {config.get('versions', {})}"
        )
    return config


def _read_weights(model: torch.nn.Module, path: Path, config_path: Path, config: Mapping[str, Any]) -> None:
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise ModelFileError(f"{path}: cannot be read ({exc.strerror or exc})") from exc
    try:
        state = safetensors.torch.load(content)
    except (SafetensorError, ValueError, KeyError) as exc:
        raise ModelFileError(
            f"{path}: is damaged or not a safetensors file ({exc}); copy it again, or train the model again"
        ) from exc
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise ModelFileError(
                f"{path}: holds {name} of shape {found.get(name, 'none')}; the model of {config_path} has "
                f"{expected.get(name, 'none')}. The two files do not belong together"
            )
    if hashlib.sha256(content).hexdigest() != config.get("weights_sha256"):
        raise ModelFileError(
            f"{path}: is not the file that {config_path} was written for (its checksum differs); copy both files again "
            "from where the model was saved"
        )
    model.load_state_dict(state)
