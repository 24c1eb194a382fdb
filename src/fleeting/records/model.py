"""The configuration of a trained network, ``config.json`` beside its weights: all that is needed to run it."""

from __future__ import annotations

import math
import os
import warnings
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field, JsonValue, ValidationInfo, field_validator, model_validator

from fleeting.records.base import RecordError, read_json
from fleeting.records.kinds import Count, Seed
from fleeting.records.open import OpenRecord, WasDict
from fleeting.records.unit import Collapse

__all__ = ["InputSizes", "ModelConfig", "ModelDescription", "ModelExtra", "StandardisationPart"]

FORMAT: Final = 1
KIND: Final = "fleeting-model"

# A sequence of more values than this fits into no memory; nor do more classes than anybody has names for.
_MOST_VALUES = 1 << 30

Channels = Annotated[int, Field(ge=1, le=4096)]
Frames = Annotated[int, Field(ge=1, le=100_000)]
Pixels = Annotated[int, Field(ge=1, le=1 << 20)]
Classes = Annotated[int, Field(ge=2, le=1024)]
# What float32 can subtract and divide by.
Mean = Annotated[float, Field(ge=-1e30, le=1e30)]
Deviation = Annotated[float, Field(gt=1e-30, le=1e30)]
Label = str | bool | int | float


class InputSizes(WasDict):
    """Sizes that a network was built for.

    Attributes
    ----------
    n_classes : int
        Classes that it tells apart.
    n_frames, height, width, in_channels : int
        Frames, pixels and channels that it takes.
    """

    n_classes: Classes
    n_frames: Frames
    height: Pixels
    width: Pixels
    in_channels: Channels = 1

    @model_validator(mode="after")
    def _fits_into_memory(self) -> Self:
        values = math.prod((self.n_frames, self.height, self.width, self.in_channels))
        if values > _MOST_VALUES:
            raise ValueError(
                f"a sequence of {values:.0e} values fits into no memory; expected at most {_MOST_VALUES:.0e}"
            )
        return self


class ModelDescription(WasDict):
    """Name, sizes and options from which a network is built.

    Attributes
    ----------
    name : str
        Name in the registry.
    shape : InputSizes
        Sizes that it was built for.
    options : dict of str to object
        Options of its own.
    """

    name: str
    shape: InputSizes
    options: dict[str, JsonValue] = Field(default_factory=dict)


class StandardisationPart(WasDict):
    """Mean and standard deviation per channel, which every input is brought to.

    Attributes
    ----------
    mean, std : tuple of float
        One number per channel.
    """

    mean: tuple[Mean, ...]
    std: tuple[Deviation, ...]


class ModelExtra(OpenRecord):
    """Facts about a network that do not decide its answers; whoever saves it may add others.

    Attributes
    ----------
    data : tuple of str
        Data sets that it was trained on, as ``KIND:PATH``.
    synthetic : bool
        If True, it was trained on people who do not exist, among others perhaps.
    fps : float or None
        Frames per second of the clips that it was trained on.
    test_subjects : tuple of str
        People who must not be shown to it as if they were strangers, as ``dataset/subject``.
    limits : tuple of str
        Limits of the network, in sentences.
    """

    data: tuple[str, ...] = ()
    synthetic: bool = False
    fps: Annotated[int, Field(gt=0, le=10**9)] | Annotated[float, Field(gt=0, le=1e9)] | None = None
    test_subjects: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


class ModelConfig(OpenRecord):
    """All of ``config.json``.

    Attributes
    ----------
    format : int
        Version of the form.
    kind : str
        ``"fleeting-model"``.
    model : ModelDescription
        The network.
    classes : tuple of object
        Names of its outputs, in order.
    standardisation : StandardisationPart
        Mean and deviation of the training data.
    weights_sha256 : str
        Digest of ``model.safetensors``.
    training : dict of str to object
        Hyper-parameters, the fields of ``TrainingConfig``.
    seed, n_train : int or None
        Seed of the training; samples that it was trained on.
    collapse : Collapse or None
        Whether it stopped learning.
    recipe : dict of str to object or None
        The recipe that makes its sequences.
    extra : ModelExtra or None
        Other facts.
    versions : dict of str to str
        Versions of the programs that wrote it.
    """

    remedy: ClassVar[str] = "copy it again from where the model was saved, or train the model again"

    format: int
    kind: Literal["fleeting-model"]
    model: ModelDescription
    classes: tuple[Label, ...]
    standardisation: StandardisationPart
    weights_sha256: str
    training: dict[str, JsonValue]
    seed: Seed | None = None
    n_train: Count | None = None
    collapse: Collapse | None = None
    recipe: dict[str, JsonValue] | None
    extra: ModelExtra | None = None
    versions: dict[str, str] = Field(default_factory=dict)

    @field_validator("classes")
    @classmethod
    def _one_per_output(cls, classes: tuple[Label, ...], info: ValidationInfo) -> tuple[Label, ...]:
        model = info.data.get("model")
        if model is not None and not len(classes) == len(set(classes)) == model.shape.n_classes:
            raise ValueError(f"expected {model.shape.n_classes} different names")
        return classes

    @field_validator("standardisation")
    @classmethod
    def _one_per_channel(cls, value: StandardisationPart, info: ValidationInfo) -> StandardisationPart:
        model = info.data.get("model")
        if model is not None and not len(value.mean) == len(value.std) == model.shape.in_channels:
            raise ValueError(f"expected a mean and a deviation per channel, of {model.shape.in_channels}")
        return value

    @property
    def facts(self) -> ModelExtra:
        """The other facts; without any if none were written."""
        return self.extra or ModelExtra()

    @property
    def collapsed(self) -> bool:
        """True if the network answers a constant or its layers are dead."""
        return self.collapse is not None and self.collapse.collapsed

    def get(self, name: str, default: Any = None) -> Any:
        """Give a field by name, as a dictionary does; for one more release."""
        warnings.warn(
            f"ModelConfig is no dictionary any more: write .{name} instead of .get({name!r}); it goes with the next release",
            FutureWarning,
            stacklevel=2,
        )
        return self.to_json().get(name, default)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read the configuration that a file holds.

        Raises
        ------
        RecordError
            If the file is missing, damaged, of another form, or of a format that this version does not know.
        """
        value = read_json(path, remedy=cls.remedy)
        if not isinstance(value, dict) or value.get("kind") != KIND:
            raise RecordError(
                path, "was not written by fleeting for a model", "give a folder that holds a model that was saved"
            )
        if value.get("format") != FORMAT:
            raise RecordError(
                path,
                f"found format {str(value.get('format'))[:40]}; this version of fleeting reads format {FORMAT}",
                "use the version that saved it",
            )
        return cls.parse(value, path)
