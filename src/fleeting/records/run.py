"""The head of a run and its clips: ``run.json``, ``clips.csv``, ``skipped.csv``, ``samples.csv``."""

from __future__ import annotations

import os
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field, JsonValue

from fleeting.records.base import RecordError
from fleeting.records.kinds import Amount, Count, Seed, Share, UnitKey
from fleeting.records.open import OpenRecord, WasDict
from fleeting.records.tables import Row

__all__ = [
    "ClipRow",
    "ListedUnit",
    "ModelPart",
    "ProtocolPart",
    "PublishedScore",
    "RecipePart",
    "RunConfig",
    "RunHead",
    "SampleRow",
    "SelectionPart",
    "SkippedRow",
    "TrainingPart",
]

FORMAT: Final = 1
_AGAIN = "run the evaluation again into a new folder"


class RecipePart(OpenRecord):
    """The recipe of a run; each recipe has further fields of its own.

    Attributes
    ----------
    name : str
        Name of the recipe.
    frames, height, width : int or None
        Frames of a sequence; pixels of a frame.
    color, motion : str or None
        ``"grey"`` or ``"rgb"``; ``"none"`` or ``"difference"``.
    """

    name: str = ""
    frames: Count | None = None
    height: Count | None = None
    width: Count | None = None
    color: str | None = None
    motion: str | None = None


class PublishedScore(OpenRecord):
    """Figures that a paper reports of a model.

    Attributes
    ----------
    data : str
        ``"full"`` or the data set.
    uf1, uar : float or None
        The figures.
    source : str
        Paper and table.
    """

    data: str = ""
    uf1: Share = None
    uar: Share = None
    source: str = ""


class ModelPart(OpenRecord):
    """The model of a run.

    Attributes
    ----------
    name : str
        Name in the registry.
    options : dict of str to object
        Options of its own.
    source : str or None
        The version of a model from outside the package.
    shape : dict of str to int
        Classes, frames, height, width and channels.
    n_parameters : int or None
        Weights that are trained.
    published : tuple of PublishedScore
        Figures that papers report of it.
    """

    name: str = ""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    source: str | None = None
    shape: dict[str, Count] = Field(default_factory=dict)
    n_parameters: Annotated[int, Field(ge=0, le=10**13)] | None = None
    published: tuple[PublishedScore, ...] = ()


class TrainingPart(OpenRecord):
    """The training of a run; a model that is fitted at once has no steps and no epochs.

    Attributes
    ----------
    optimizer : str or None
        ``"sgd"``, ``"adam"`` or ``"none"``.
    learning_rate : float or None
        Rate of the first step.
    batch_size, epochs : int or None
        Samples per step; passes over the samples.
    """

    optimizer: str | None = None
    learning_rate: Amount | None = None
    batch_size: Count | None = None
    epochs: Count | None = None


class ProtocolPart(OpenRecord):
    """The protocol of a run; each protocol has further options of its own.

    Attributes
    ----------
    name : str
        Name in the registry.
    subject_independent : bool
        If True, the protocol promises that nobody is on both sides of a fold.
    noun : str
        Name of one train/test split: ``"fold"`` or ``"split"``.
    sentence : str
        Rule of the split, in words.
    """

    name: str = ""
    subject_independent: bool = False
    noun: str = "fold"
    sentence: str = ""


class SelectionPart(OpenRecord):
    """Choice of epochs and hyper-parameters of a run.

    Attributes
    ----------
    sentence : str
        The rule in words.
    epochs : bool
        If True, the number of epochs is chosen.
    """

    sentence: str = ""
    epochs: bool = False


class RunConfig(WasDict):
    """Everything that decides the result of a run.

    Attributes
    ----------
    data : tuple of str
        Data sets as ``KIND:PATH``.
    synthetic : tuple of bool
        For each data set, whether its people do not exist; empty in folders of earlier versions.
    scheme : str or None
        Label scheme.
    recipe, model, training, protocol, selection : OpenRecord
        The parts that other rooms choose.
    recipe_hash : str or None
        Key of the recipe in the cache.
    seeds : tuple of int
        Each fold is trained once for each.
    device : str or None
        The device that was asked for.
    watch : bool
        If True, test clips were watched after each epoch.
    """

    data: tuple[str, ...] = ()
    synthetic: tuple[bool, ...] = ()
    scheme: str | None = None
    recipe: RecipePart = Field(default_factory=RecipePart)
    recipe_hash: str | None = None
    model: ModelPart = Field(default_factory=ModelPart)
    training: TrainingPart = Field(default_factory=TrainingPart)
    protocol: ProtocolPart = Field(default_factory=ProtocolPart)
    seeds: tuple[Seed, ...] = ()
    device: str | None = None
    watch: bool = False
    selection: SelectionPart = Field(default_factory=SelectionPart)


class ListedUnit(WasDict):
    """A unit as ``run.json`` lists it before it is trained.

    Attributes
    ----------
    key : str
        Name of its folder below ``units/``.
    fold, seed : int
        Number of the fold, from 0; the seed.
    n_train, n_test : int or None
        Clips on both sides.
    """

    key: UnitKey
    fold: Count = 0
    seed: Seed = 0
    n_train: Count | None = None
    n_test: Count | None = None


class RunHead(WasDict):
    """The head of a run folder, ``run.json``: what is run, with what, on which machine; written first.

    Attributes
    ----------
    format : int
        Number of the format.
    kind, name, created : str
        ``"evaluate"``; the folder's name; the time, ISO 8601.
    config : RunConfig
        The configuration.
    classes : tuple of str
        Classes in order.
    units : tuple of ListedUnit
        All units, finished or not.
    versions, machine : dict of str to str
        Software and hardware that compute the result.
    notes : tuple of str
        Sentences for the reader of the report.
    """

    remedy: ClassVar[str] = _AGAIN

    format: Literal[1] = FORMAT
    kind: str = "evaluate"
    name: str = ""
    created: str = ""
    config: RunConfig = Field(default_factory=RunConfig)
    classes: tuple[str, ...] = ()
    units: tuple[ListedUnit, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)
    machine: dict[str, str | int] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, value: Any, path: str | os.PathLike[str]) -> Self:
        """Check a value that was read from a file; another format is named before any field.

        Raises
        ------
        RecordError
            If it is of another format or form.
        """
        found = value.get("format") if isinstance(value, dict) else type(value).__name__
        if isinstance(found, bool) or found != FORMAT:
            raise RecordError(
                path, f"run format {repr(found)[:40]}, this version reads {FORMAT}", "use the version that wrote it"
            )
        return super().parse(value, path)


class ClipRow(Row):
    """A clip that is used, in ``clips.csv``: who and what it shows, and its frames per second."""

    dataset: str
    subject: str = ""
    clip: str
    emotion: str = ""
    fps: Amount | None = None


class SkippedRow(Row):
    """A clip that could not be used, in ``skipped.csv``, and why."""

    dataset: str
    subject: str = ""
    clip: str
    reason: str = ""


class SampleRow(Row):
    """A film strip that the report shows, in ``samples/samples.csv``."""

    file: str
    dataset: str = ""
    subject: str = ""
    clip: str = ""
    emotion: str = ""
    caption: str = ""
