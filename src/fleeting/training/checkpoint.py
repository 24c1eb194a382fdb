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

from fleeting._version import __version__
from fleeting.errors import ModelFileError, UsageError
from fleeting.files import write_atomic
from fleeting.models import ModelSpec, create_model, weight_shapes
from fleeting.records import ModelConfig, RecordError, read_regular
from fleeting.records.model import FORMAT, KIND
from fleeting.training.config import TrainingConfig
from fleeting.training.data import Sequences, Standardisation
from fleeting.training.prediction import PREDICTED_AT_ONCE, predict_proba
from fleeting.training.result import TrainingResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CONFIG", "FORMAT", "WEIGHTS", "TrainedModel", "load_model", "save_model"]

WEIGHTS = "model.safetensors"
CONFIG = "config.json"

_MOST_BYTES = 16 << 30


@dataclass(frozen=True)
class TrainedModel:
    """A network that was trained, saved and read back.

    Attributes
    ----------
    model : torch.nn.Module
        The network in evaluation mode.
    classes : tuple of object
        Names of its outputs, in order.
    recipe : dict of str to object or None
        The recipe that makes its sequences, as it was given when it was saved; ``None`` if it was not.
    config : ModelConfig
        All of ``config.json``, among it ``training``, ``seed``, ``collapse``, ``versions`` and ``extra``.
    training : TrainingConfig
        Hyper-parameters that it was trained with.
    standardisation : Standardisation
        Mean and deviation of the training data, which every input is brought to.
    path : pathlib.Path
        File of its weights.
    """

    model: torch.nn.Module = field(repr=False)
    classes: tuple[Any, ...]
    recipe: dict[str, Any] | None
    config: ModelConfig = field(repr=False)
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
        """Tell whether it was trained on people who do not exist, among others perhaps."""
        facts = self.config.facts
        # Models of before the mark was kept name their data sets only.
        return facts.synthetic or any(spec.startswith("synthetic:") for spec in facts.data)

    def predict_proba(
        self, X: Sequences, *, batch_size: int = PREDICTED_AT_ONCE, device: str = "cpu"
    ) -> NDArray[np.float64]:
        """Give the probabilities ``(N, n_classes)`` of ``uint8`` sequences ``(N, T, H, W, C)``, in the order of ``classes``.

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
        """Give the likeliest class of each sequence."""
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
        Folder of the model, made if it does not exist. A model that is there already is replaced.
    trained : TrainingResult or TrainedModel
        The network.
    classes : sequence or None, optional
        Other names for the outputs than those that were trained with.
    recipe : mapping or None, optional
        The recipe that makes its sequences, kept as given.
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
    spec = trained.model.spec
    assert isinstance(spec, ModelSpec)
    names = trained.classes if classes is None else tuple(np.asarray(list(classes)).tolist())
    if len(names) != spec.shape.n_classes or len(set(names)) != len(names):
        raise UsageError(f"classes: found {names}; expected {spec.shape.n_classes} different names, one per output")
    state = {name: value.detach().cpu().contiguous() for name, value in trained.model.state_dict().items()}
    weights = safetensors.torch.save(state)
    fields: dict[str, Any] = {
        "format": FORMAT,
        "kind": KIND,
        "model": spec.to_dict(),
        "classes": list(names),
        "standardisation": asdict(trained.standardisation),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        **_history(trained),
    }
    if recipe is not None:
        fields["recipe"] = dict(recipe)
    if extra is not None:
        fields["extra"] = dict(extra)
    try:
        config = ModelConfig.parse(json.loads(json.dumps(fields, allow_nan=False)), folder / CONFIG)
    except (TypeError, ValueError) as exc:
        raise UsageError(f"classes, recipe and extra must be plain values that JSON can hold ({exc})") from exc
    path = write_atomic(folder / WEIGHTS, lambda file: file.write(weights))
    config.write(folder / CONFIG)
    return path


def _history(trained: TrainingResult | TrainedModel) -> dict[str, Any]:
    """Give what is known of the training; of a model that was read, as it was written."""
    if isinstance(trained, TrainedModel):
        kept = ("training", "seed", "n_train", "collapse", "recipe", "extra", "versions")
        again = trained.config.to_json()
        return {key: again[key] for key in kept if key in again}
    return {
        "training": trained.config.model_dump(mode="json"),
        "seed": trained.seed,
        "n_train": trained.n_train,
        "collapse": asdict(trained.collapse),
        "recipe": None,
        "extra": {},
        "versions": _versions(),
    }


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
    weights_path = _weights_path(Path(path))
    config_path = weights_path.with_name(CONFIG)
    try:
        config = ModelConfig.read(config_path)
        content = read_regular(weights_path, most=_MOST_BYTES, remedy=ModelConfig.remedy)
    except RecordError as exc:
        raise ModelFileError(str(exc)) from exc
    try:
        state = safetensors.torch.load(content)
    except Exception as exc:  # safetensors and torch raise many kinds for a damaged file
        raise ModelFileError(
            f"{weights_path}: is damaged or not a safetensors file ({exc}); copy it again, or train the model again"
        ) from exc
    model, training = _build(config, {name: tuple(value.shape) for name, value in state.items()}, weights_path)
    if hashlib.sha256(content).hexdigest() != config.weights_sha256:
        raise ModelFileError(
            f"{weights_path}: is not the file that {config_path} was written for (its checksum differs); copy both files "
            "again from where the model was saved"
        )
    model.load_state_dict(state)
    standardisation = Standardisation(config.standardisation.mean, config.standardisation.std)
    return TrainedModel(model.eval(), config.classes, config.recipe, config, training, standardisation, weights_path)


def _weights_path(path: Path) -> Path:
    if path.is_dir():
        if not (path / WEIGHTS).is_file():
            raise ModelFileError(
                f"{path}: there is no {WEIGHTS} in it; give a folder that fleeting saved a model in, or that file"
            )
        return path / WEIGHTS
    if not path.exists():
        raise ModelFileError(f"{path}: there is no such file or folder; train a model first, or correct the path")
    if path.name == CONFIG:
        return path.with_name(WEIGHTS)
    if path.suffix != ".safetensors":
        raise ModelFileError(
            f"{path}: is not a .safetensors file, the only format that is read; give the folder or the {WEIGHTS} that "
            "fleeting saved"
        )
    return path


def _build(
    config: ModelConfig, found: Mapping[str, tuple[int, ...]], weights_path: Path
) -> tuple[torch.nn.Module, TrainingConfig]:
    """Build the network once its weights are known to be those in the file: sizes in a damaged file may be anything."""
    config_path = weights_path.with_name(CONFIG)

    def compare(expected: Mapping[str, tuple[int, ...]]) -> None:
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                raise ModelFileError(
                    f"{weights_path}: holds {name} of shape {found.get(name, 'none')}; the model of {config_path} has "
                    f"{expected.get(name, 'none')}. The two files do not belong together"
                )

    try:
        training = TrainingConfig(**config.training)
        spec = ModelSpec.from_dict(config.model.to_json())
        if (shapes := weight_shapes(spec)) is not None:
            compare(shapes)
        model = create_model(spec.name, **asdict(spec.shape), **spec.options)
        compare({name: tuple(value.shape) for name, value in model.state_dict().items()})
    except ModelFileError:
        raise
    except Exception as exc:  # a network of one's own raises anything for options that it was not made for
        raise ModelFileError(f"{config_path}: does not describe a model that can be built: {exc}") from exc
    return model, training
