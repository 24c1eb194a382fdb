"""A trained network as an ONNX file that takes sequences as they are stored and gives probabilities."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from fleeting._version import __version__
from fleeting.errors import FleetingError, UsageError, missing_extra
from fleeting.files import write_atomic
from fleeting.models import ModelSpec
from fleeting.training.checkpoint import TrainedModel
from fleeting.training.result import TrainingResult

if TYPE_CHECKING:
    from fleeting.training.data import Standardisation

__all__ = ["INPUT", "OPSET", "OUTPUT", "export_onnx"]

#: Read by onnxruntime since 1.12.
OPSET = 17
INPUT, OUTPUT = "sequences", "probabilities"


class _Whole(nn.Module):
    """From stored sequences to probabilities: the motion step, standardisation, networks, softmax, mean."""

    def __init__(self, networks: Sequence[nn.Module], scales: Sequence[Standardisation], motion: str) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.motion = motion
        for name in ("mean", "std"):
            values = torch.tensor([getattr(scale, name) for scale in scales], dtype=torch.float32)
            self.register_buffer(name, values.view(len(scales), 1, -1, 1, 1, 1))

    def forward(self, sequences: Tensor) -> Tensor:
        x = sequences.permute(0, 4, 1, 2, 3).float()
        if self.motion == "difference":
            x = x[:, :, 1:] - x[:, :, :1]
        mean, std = self.mean, self.std
        assert isinstance(mean, Tensor) and isinstance(std, Tensor)
        answers = [network((x - m) / s).softmax(1) for network, m, s in zip(self.networks, mean, std)]
        return torch.stack(answers).mean(0)


def export_onnx(
    trained: TrainedModel | TrainingResult | Sequence[TrainedModel],
    path: str | os.PathLike[str],
    *,
    dtype: Literal["uint8", "float32"] = "uint8",
) -> Path:
    """Write a trained network as one ONNX file.

    Its input ``sequences`` is of type ``dtype``, ``(N, T, H, W, C)``, as a recipe makes them: with motion as the difference
    from the onset frame, that frame comes first. The subtraction, the standardisation and the softmax are part of it.
    Its output ``probabilities`` is ``float32`` ``(N, n_classes)``. ``N`` is free. Classes, recipe and the frame rate it was
    trained at are in the file's metadata, as JSON.

    Parameters
    ----------
    trained : TrainedModel or TrainingResult or sequence
        Network from :func:`~fleeting.training.train` or :func:`~fleeting.training.load_model`; of several, such as the
        folds of a run, the file gives the mean.
    path : str or os.PathLike
        File to write.
    dtype : {"uint8", "float32"}, optional
        Type of the recipe's sequences, :attr:`fleeting.sequences.Recipe.dtype`.

    Raises
    ------
    MissingExtraError
        If ``onnx`` is not installed.
    UsageError
        If there is no network, or several differ in classes, sizes or recipe.
    FleetingError
        If a network of one's own uses something that ONNX does not have.
    """
    try:
        import onnx
    except ImportError as exc:
        raise missing_extra("writing ONNX files", "onnx", "export") from exc
    all_of_them = list(trained) if isinstance(trained, Sequence) else [trained]
    if not all_of_them:
        raise UsageError("no network to export; expected at least one")
    first = all_of_them[0]
    facts = [_facts(one) for one in all_of_them]
    if any(fact != facts[0] for fact in facts):
        raise UsageError(
            "the networks differ in classes, sizes or recipe, so they have no mean; export them one by one"
        )
    motion, shape = _motion(first), _spec(first).shape
    stored = shape.n_frames + (motion == "difference")
    example = torch.zeros((2, stored, shape.height, shape.width, shape.in_channels), dtype=getattr(torch, dtype))
    whole = _Whole([one.model for one in all_of_them], [one.standardisation for one in all_of_them], motion).eval()
    buffer = BytesIO()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # The exporter that needs no further package is the older one, and says so.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                whole,
                (example,),
                buffer,  # type: ignore[arg-type]
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: {0: "N"}, OUTPUT: {0: "N"}},
                opset_version=OPSET,
                dynamo=False,
            )
    except Exception as exc:  # the exporter raises many kinds
        reason = str(exc).partition("\n")[0]  # the network's graph follows
        raise FleetingError(
            f"{_spec(first).name}: cannot be written as ONNX ({type(exc).__name__}: {reason}); a network must be made of "
            "operations that torch.onnx knows"
        ) from exc
    made = onnx.load_from_string(buffer.getvalue())
    made.producer_name, made.producer_version = "fleeting", __version__
    onnx.helper.set_model_props(made, {name: json.dumps(value) for name, value in facts[0].items()})
    onnx.checker.check_model(made)
    content = made.SerializeToString()
    return write_atomic(path, lambda file: file.write(content))


def _spec(trained: TrainedModel | TrainingResult) -> ModelSpec:
    spec = trained.model.spec
    assert isinstance(spec, ModelSpec)
    return spec


def _motion(trained: TrainedModel | TrainingResult) -> str:
    return trained.motion if isinstance(trained, TrainedModel) else trained.config.motion


def _facts(trained: TrainedModel | TrainingResult) -> dict[str, Any]:
    """What the file says of itself; the same for networks that can be averaged."""
    facts = trained.config.facts.to_json() if isinstance(trained, TrainedModel) else {}
    return {
        "classes": list(trained.classes),
        "recipe": trained.recipe if isinstance(trained, TrainedModel) else None,
        "fps": facts.get("fps"),
        "motion": _motion(trained),
        "model": _spec(trained).to_dict(),
        "data": facts.get("data"),
        "limits": facts.get("limits"),
    }
