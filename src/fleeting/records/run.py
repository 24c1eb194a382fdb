"""The head of a run and its figures: ``run.json``, ``summary.json``, ``results.csv``, ``clips.csv``, ``skipped.csv``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue

from fleeting.records.base import Record, RecordError
from fleeting.records.open import OpenRecord, WasDict
from fleeting.records.tables import Row, write_table

__all__ = [
    "ChallengeLog",
    "ClipRow",
    "Count",
    "ListedUnit",
    "MeanScores",
    "ModelPart",
    "Notice",
    "PooledScores",
    "ProtocolPart",
    "PublishedScore",
    "RecipePart",
    "ResultRow",
    "RunConfig",
    "RunHead",
    "SampleRow",
    "Scores",
    "Seed",
    "SelectionPart",
    "Share",
    "SkippedRow",
    "Summary",
    "TrainingPart",
    "UnitKey",
]

FORMAT: Final = 1
_AGAIN = "run the evaluation again into a new folder"


def _plain_name(name: str) -> str:
    if PurePosixPath(name).name != name or name in ("", ".", "..") or "\\" in name or not name.isprintable():
        raise ValueError("expected the name of a folder below units/")
    return name


#: Name of a unit and of its folder; never a path that leads elsewhere.
UnitKey = Annotated[str, Field(max_length=200), AfterValidator(_plain_name)]
#: Clips, epochs, pixels: more than anybody has, and small enough to reckon with.
Count = Annotated[int, Field(ge=0, le=10**8)]
#: A rate, a loss, a time: no number of 32 bits is larger.
Amount = Annotated[float, Field(ge=0, le=3.5e38)]
#: A random seed, as it fits into a column of 64-bit numbers.
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
#: A share from 0 to 1, but for the dust of rounding, or ``None`` where there is none.
Share = Annotated[float, Field(ge=-1e-6, le=1 + 1e-6)] | None


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
        Where they are printed.
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
        How the clips are split, in words.
    """

    name: str = ""
    subject_independent: bool = False
    noun: str = "fold"
    sentence: str = ""


class SelectionPart(OpenRecord):
    """How a run chooses epochs and hyper-parameters.

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
        What is run.
    classes : tuple of str
        Classes in order.
    units : tuple of ListedUnit
        All units, finished or not.
    versions, machine : dict of str to str
        What the result is computed with.
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


class Scores(WasDict):
    """Figures of one set of answers, with the ends of their 95 % intervals over subjects.

    Attributes
    ----------
    n : int
        Answers.
    n_clips, n_subjects, n_folds : int or None
        Different clips, people and folds among them.
    uf1, uar, accuracy : float or None
        The figures, pooled over folds; ``_low`` and ``_high`` are the ends of the interval, ``_fold_mean`` the mean of the
        folds' own figures.
    """

    n: Count = 0
    n_clips: Count | None = None
    n_subjects: Count | None = None
    n_folds: Count | None = None
    uf1: Share = None
    uf1_low: Share = None
    uf1_high: Share = None
    uf1_fold_mean: Share = None
    uar: Share = None
    uar_low: Share = None
    uar_high: Share = None
    uar_fold_mean: Share = None
    accuracy: Share = None
    accuracy_low: Share = None
    accuracy_high: Share = None
    accuracy_fold_mean: Share = None


class PooledScores(Scores):
    """Figures of all answers of a run together.

    Attributes
    ----------
    majority_accuracy, majority_class : float or None and str
        What always answering the training side's commonest class would reach, and that class.
    confusion : tuple of tuple of int
        Answers by label (row) and answer (column), in the order of the classes.
    by_dataset : dict of str to Scores
        The figures of each data set.
    """

    majority_accuracy: Share = None
    majority_class: str = ""
    confusion: tuple[tuple[Count, ...], ...] = ()
    by_dataset: dict[str, Scores] = Field(default_factory=dict)


class MeanScores(WasDict):
    """Plain means of the folds' figures."""

    accuracy: Share = None
    uf1: Share = None
    uar: Share = None
    majority_accuracy: Share = None


class ChallengeLog(WasDict):
    """Which file holds the challenge's log, or why there is none."""

    file: str | None = None
    why: str = ""


class Notice(Record):
    """A sentence for the reader of the report, and its kind: ``"collapsed"`` for a training that stopped learning."""

    kind: str
    text: str


class Summary(WasDict):
    """The figures of a run, ``summary.json``.

    Attributes
    ----------
    partial : bool
        If True, units are missing.
    expected, finished : int
        All units; those that are scored.
    missing : tuple of str
        Keys of the others.
    classes : tuple of str
        Classes in order.
    pooled, mean : PooledScores and MeanScores
        Figures of all answers together; means of the folds.
    collapsed : int
        Units that stopped learning.
    warnings, warning_kinds : tuple of str
        Sentences and their kinds; :attr:`notices` has them together.
    challenge_log : ChallengeLog
        Where the challenge's log is.
    """

    remedy: ClassVar[str] = "score the run again with `fleeting report RUN`"

    partial: bool = False
    expected: Count = 0
    finished: Count | None = None
    missing: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    pooled: PooledScores = Field(default_factory=PooledScores)
    mean: MeanScores = Field(default_factory=MeanScores)
    collapsed: Count = 0
    warnings: tuple[str, ...] = ()
    warning_kinds: tuple[str, ...] = ()
    challenge_log: ChallengeLog = Field(default_factory=ChallengeLog)

    @property
    def notices(self) -> list[Notice]:
        """The warnings with their kinds; earlier versions wrote no kind, and warned of collapsed trainings only."""
        kinds = (*self.warning_kinds, *["collapsed"] * len(self.warnings))
        return [Notice(kind=kind, text=text) for kind, text in zip(kinds, self.warnings)]


def _count_of(cell: Any) -> Any:
    """A fold's cell says whether it collapsed, that of all folds how many did."""
    return {"True": 1, "False": 0}.get(cell, cell) if isinstance(cell, str) else cell


class ResultRow(Row):
    """A row of ``results.csv``: a fold with a seed, the mean of all, or all answers pooled.

    Attributes
    ----------
    scope : {"fold", "mean", "pooled"}
        What the figures are of.
    fold, seed : int or None
        Of a fold.
    n : int or None
        Answers.
    accuracy, uf1, uar : float or None
        The figures; ``_low`` and ``_high`` are the ends of the interval.
    majority_accuracy, majority_class : float or None and str
        What always answering the training side's commonest class reaches, and that class.
    collapsed : int
        Trainings that stopped learning.
    """

    remedy: ClassVar[str] = "score the run again with `fleeting report RUN`"

    scope: Literal["fold", "mean", "pooled"]
    fold: Count | None = None
    seed: Seed | None = None
    n: Count | None = None
    accuracy: Share
    accuracy_low: Share = None
    accuracy_high: Share = None
    uf1: Share = None
    uf1_low: Share = None
    uf1_high: Share = None
    uar: Share = None
    uar_low: Share = None
    uar_high: Share = None
    majority_accuracy: Share = None
    majority_class: str = ""
    collapsed: Annotated[Count, BeforeValidator(_count_of)] = 0

    @classmethod
    def write_all(cls, path: str | os.PathLike[str], rows: Sequence[Self]) -> None:
        """Write the table.

        Raises
        ------
        FleetingError
            If the file cannot be written.
        """
        # A fold's own cell says "True" or "False", as readers of earlier versions expect.
        shown = [[bool(row.collapsed) if row.scope == "fold" else row.collapsed] for row in rows]
        cells = [[*row.model_dump(exclude={"collapsed"}).values(), *last] for row, last in zip(rows, shown)]
        write_table(path, list(cls.model_fields), cells)


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
