"""All that decides a training, apart from its data and its seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from fleeting.errors import UsageError
from fleeting.models import model_info

__all__ = ["GPU_ONLY", "TrainingConfig"]

#: Fields that mean nothing where nothing is optimised step by step.
STEPS_ONLY = (
    "learning_rate",
    "momentum",
    "nesterov",
    "decay",
    "batch_size",
    "epochs",
    "clip_norm",
    "precision",
    "layout",
)

#: Fields whose other values than the default need a CUDA device.
GPU_ONLY = ("precision", "layout")


class TrainingConfig(BaseModel):
    """Hyper-parameters of a training run, in Keras' sense; the defaults are those of Talluri et al. 2022, sec. 6.1.

    Parameters
    ----------
    optimizer : {"sgd", "adam", "none"}, optional
        ``"sgd"`` or ``"adam"``; ``"none"`` for a model that is fitted in one go (:class:`fleeting.models.DirectModel`),
        of which only ``motion`` and ``class_weights`` can be chosen.
    learning_rate : float, optional
        Rate of the first step.
    momentum : float, optional
        Momentum of SGD, in ``[0, 1)``. Adam has none; it takes its own two averages at 0.9 and 0.999.
    nesterov : bool, optional
        If True, SGD has Nesterov's momentum.
    decay : float, optional
        The rate of step ``k`` (from 0) is ``learning_rate / (1 + decay * k)``.
    batch_size : int, optional
        Samples per step. The last batch of an epoch is smaller if the samples do not divide evenly.
    epochs : int, optional
        Passes over the training samples. The weights after the last one are the result.
    clip_norm : float or None, optional
        If given, a gradient whose norm over all weights exceeds it is scaled down to it.
    motion : {"none", "difference"}, optional
        ``"difference"`` if the first frame of a sequence is a reference to subtract from all that follow, ``"none"`` if
        the network sees the frames as they are.
    class_weights : {"none", "balanced"}, optional
        ``"balanced"`` weighs each sample by ``n_samples / (n_classes * n_of_its_class)``.
    precision : {"float32", "tf32", "bfloat16"}, optional
        Precision of the arithmetic in training: ``"float32"``, or on CUDA ``"tf32"`` (products of ten-bit mantissas in
        convolutions and dense layers) or ``"bfloat16"`` (those layers' inputs and outputs too). Weights, sums and
        prediction stay ``float32``.
    layout : {"channels_first", "channels_last"}, optional
        Order in memory of the convolutions' weights, which their outputs follow: ``"channels_first"``, or on CUDA
        ``"channels_last"``. It changes speed and rounding only; ``benchmarks/gpu.py`` times both.

    Raises
    ------
    pydantic.ValidationError
        If a field is unknown or its value is impossible. :meth:`for_model` raises ``UsageError`` instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    optimizer: Literal["sgd", "adam", "none"] = "sgd"
    learning_rate: float = Field(default=0.001, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    decay: float = Field(default=0.0, ge=0)
    batch_size: int = Field(default=4, ge=1)
    epochs: int = Field(default=100, ge=1)
    clip_norm: float | None = Field(default=None, gt=0)
    motion: Literal["none", "difference"] = "none"
    class_weights: Literal["none", "balanced"] = "none"
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    layout: Literal["channels_first", "channels_last"] = "channels_first"

    @model_validator(mode="before")
    @classmethod
    def _adam_has_no_momentum(cls, fields: Any) -> Any:
        if isinstance(fields, Mapping) and fields.get("optimizer") == "adam":
            return {"momentum": 0.0, **fields}
        return fields

    @model_validator(mode="before")
    @classmethod
    def _without_steps_no_epochs(cls, fields: Any) -> Any:
        if not isinstance(fields, Mapping) or fields.get("optimizer") != "none":
            return fields
        if idle := [name for name in STEPS_ONLY if name in fields]:
            raise ValueError(
                f"a model that is fitted in one go has no {', '.join(idle)}; leave them out. What can be chosen: "
                "class_weights, motion, and the model's own options"
            )
        return {**fields, "epochs": 1}

    @model_validator(mode="after")
    def _fits_the_optimizer(self) -> TrainingConfig:
        if self.optimizer == "adam" and (self.momentum or self.nesterov):
            raise ValueError("momentum and nesterov belong to optimizer 'sgd'; leave them out for 'adam'")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self

    @model_serializer(mode="wrap")
    def _plainly(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What only a GPU knows is left out where it is not used, so that a run is the same run whatever else exists.
        fields: dict[str, Any] = handler(self)
        for name in GPU_ONLY:
            if fields.get(name) == type(self).model_fields[name].default:
                del fields[name]
        return {name: value for name, value in fields.items() if self.optimizer != "none" or name not in STEPS_ONLY}

    @classmethod
    def create(cls, **fields: Any) -> TrainingConfig:
        """Build a configuration as the constructor does, with a ``UsageError`` in plain words for an impossible field."""
        try:
            return cls(**fields)
        except ValidationError as exc:
            raise UsageError(f"training: {_explain(exc)}") from exc

    @classmethod
    def for_model(cls, name: str, **overrides: Any) -> TrainingConfig:
        """Give the training that a network's paper reports, with some fields changed.

        Raises
        ------
        UsageError
            If the model or a field is unknown, or a value impossible.

        Examples
        --------
        >>> config = TrainingConfig.for_model("model_a", epochs=10)
        >>> config.batch_size, config.epochs, config.momentum
        (4, 10, 0.9)
        """
        paper = model_info(name).training
        if paper.get("optimizer") == "none" and overrides.get("optimizer", "none") != "none":
            raise UsageError(f"training: {name} is fitted in one go and has no optimizer; leave it out")
        if overrides.get("optimizer", paper.get("optimizer")) != paper.get("optimizer"):
            # What the paper says of one optimiser's momentum means nothing for another.
            for field in ("momentum", "nesterov", "decay"):
                paper.pop(field, None)
        return cls.create(**{**paper, **overrides})


def _explain(exc: ValidationError) -> str:
    parts = []
    for error in exc.errors():
        where = ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            parts.append(f"unknown field {where!r}. Choose from: {', '.join(TrainingConfig.model_fields)}")
        elif where:
            parts.append(f"{where}: found {error['input']!r}; {error['msg'][:1].lower()}{error['msg'][1:]}")
        else:
            parts.append(error["msg"].removeprefix("Value error, "))
    return "; ".join(parts)
