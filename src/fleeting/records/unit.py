"""A unit's folder: ``unit.json``, ``predictions.csv``, ``history.csv`` and ``watched.csv``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from fleeting.files import write_text
from fleeting.records.base import RecordError, read_regular
from fleeting.records.kinds import Amount, Count, Seed, Share, UnitKey
from fleeting.records.open import OpenRecord, WasDict
from fleeting.records.tables import Row, format_table, read_table, write_table

__all__ = [
    "ChoicePart",
    "Collapse",
    "HistoryRow",
    "Majority",
    "PredictionRow",
    "UnitRecord",
    "WatchedAnswers",
    "read_predictions",
    "write_predictions",
]

_AGAIN = "delete the unit's folder and run the same evaluate command again"
_NAMES = ("dataset", "subject", "clip", "label", "prediction")


class Collapse(WasDict):
    """The verdict on whether a training stopped learning.

    Attributes
    ----------
    collapsed : bool
        If True, it answers a constant or its layers are dead.
    reasons : tuple of str
        Signs of it.
    epoch : int or None
        Epoch in which it was noticed.
    """

    collapsed: bool
    reasons: tuple[str, ...] = ()
    epoch: Count | None = None

    @property
    def told(self) -> str:
        """The reasons in one sentence."""
        return "; ".join(self.reasons) or "it stopped learning"


class Majority(WasDict):
    """Always answering the training side's commonest class: that class, and the accuracy on the test clips."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    label: str = Field(alias="class")
    accuracy: Share = None


class ChoicePart(OpenRecord):
    """The choice that a unit made, and the candidates.

    Attributes
    ----------
    sentence : str
        The rule in words.
    chosen : dict of str to object
        Chosen values by field.
    metric, score : str or None and float or None
        Figure that was made large on the inner folds, and its best value.
    candidates : tuple of dict
        All combinations of values with their scores.
    inner_folds : tuple of tuple of str
        People of each inner fold.
    """

    sentence: str = ""
    chosen: dict[str, JsonValue] = Field(default_factory=dict)
    metric: str | None = None
    score: Share = None
    candidates: tuple[dict[str, JsonValue], ...] = ()
    inner_folds: tuple[tuple[str, ...], ...] = ()


class UnitRecord(WasDict):
    """A finished unit, ``unit.json``: a fold with a seed; written last.

    Attributes
    ----------
    key : str
        Name of its folder.
    fold, seed : int
        Number of the fold, from 0; the seed.
    n_train, n_test : int
        Clips on both sides.
    train_subjects, test_subjects : tuple of str
        People on both sides, as ``dataset/subject``.
    selection : ChoicePart
        The choice that was made for it.
    watched : bool
        If True, test clips were watched after each epoch.
    collapse : Collapse
        Verdict on whether it stopped learning.
    majority : Majority
        The commonest class, and what always answering it reaches.
    device, steps, kernels : str or None
        Device, kind of steps and kernels that trained it.
    seconds : float or None
        Time that it took.
    finished : str
        The time, ISO 8601.
    predictions_sha256 : str or None
        Digest of ``predictions.csv``; units of earlier versions have none.
    """

    remedy: ClassVar[str] = _AGAIN

    key: UnitKey
    fold: Count
    seed: Seed
    n_train: Count
    n_test: Count
    train_subjects: tuple[str, ...] = ()
    test_subjects: tuple[str, ...] = ()
    selection: ChoicePart = Field(default_factory=ChoicePart)
    watched: bool = False
    collapse: Collapse
    majority: Majority
    device: str | None = None
    steps: str | None = None
    kernels: str | None = None
    seconds: Amount | None = None
    finished: str = ""
    predictions_sha256: str | None = None


class PredictionRow(Row):
    """An answer about a test clip.

    Attributes
    ----------
    dataset, subject, clip : str
        The clip.
    label, prediction : str
        Its label, and the answer.
    probabilities : dict of str to float
        Probability of each class, in the columns ``p_<class>``.
    """

    remedy: ClassVar[str] = _AGAIN

    dataset: str = ""
    subject: str = ""
    clip: str = ""
    label: str
    prediction: str
    probabilities: dict[str, Annotated[float, Field(ge=-1e-6, le=1 + 1e-6)]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "probabilities" in value:
            return value
        found = {name[2:]: cell for name, cell in value.items() if name.startswith("p_")}
        return {**value, "probabilities": found}

    @property
    def right(self) -> bool:
        """True if the answer is the label."""
        return self.label == self.prediction


def write_predictions(path: str | os.PathLike[str], rows: Sequence[PredictionRow]) -> str:
    """Write ``predictions.csv``.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    rows : sequence of PredictionRow
        The answers, with the same classes in each.

    Returns
    -------
    str
        Digest of the file, for :attr:`UnitRecord.predictions_sha256`.

    Raises
    ------
    FleetingError
        If the file cannot be written.
    """
    classes = list(rows[0].probabilities) if rows else []
    text = format_table(
        [*_NAMES, *(f"p_{name}" for name in classes)],
        [[*(getattr(row, name) for name in _NAMES), *row.probabilities.values()] for row in rows],
    )
    write_text(path, text)
    return hashlib.sha256(text.encode()).hexdigest()


def read_predictions(path: str | os.PathLike[str], unit: UnitRecord) -> list[PredictionRow]:
    """Read the ``predictions.csv`` of a unit and check that it is whole.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    unit : UnitRecord
        The unit that it belongs to.

    Raises
    ------
    RecordError
        If it cannot be read, has lost or repeated rows, or is another file than the one that the unit wrote; names the
        unit.
    """
    remedy = f"unit {unit.key} is damaged: {_AGAIN}"
    content = read_regular(path, remedy=remedy)
    cells = read_table(path, columns=_NAMES, content=content, remedy=remedy)
    if len(cells) != unit.n_test:
        raise RecordError(path, f"holds {len(cells)} answers; expected {unit.n_test}", remedy)
    seen: set[tuple[str, ...]] = set()
    for cell in cells:
        clip = (cell["dataset"], cell["subject"], cell["clip"])
        if clip in seen:
            raise RecordError(path, f"answers about clip {'/'.join(clip)} twice", remedy)
        seen.add(clip)
    rows = [PredictionRow.parse(cell, f"{path}, row {number}") for number, cell in enumerate(cells, start=1)]
    if unit.predictions_sha256 not in (None, hashlib.sha256(content).hexdigest()):
        raise RecordError(path, "is not the file that the unit wrote (another digest)", remedy)
    return rows


class HistoryRow(Row):
    """An epoch of a training; figures of test clips are there if they were watched.

    Attributes
    ----------
    epoch : int
        Number of the epoch, from 1.
    loss, accuracy : float or None
        Mean loss and share of right answers in training.
    val_loss, val_accuracy : float or None
        The same for the clips that were watched.
    dead_fraction, learning_rate, seconds : float or None
        Share of units that never answer; rate of the last step; time.
    """

    remedy: ClassVar[str] = _AGAIN

    epoch: Count
    loss: Amount | None = None
    accuracy: Share = None
    val_loss: Amount | None = None
    val_accuracy: Share = None
    dead_fraction: Share = None
    learning_rate: Amount | None = None
    seconds: Amount | None = None

    @classmethod
    def write_all(cls, path: str | os.PathLike[str], rows: Sequence[Self]) -> None:
        """Write ``history.csv``; columns that no row was given are left out.

        Raises
        ------
        FleetingError
            If the file cannot be written.
        """
        given = set[str]().union(*(row.model_fields_set for row in rows))
        header = [name for name in cls.model_fields if name in given]
        write_table(path, header, [[getattr(row, name) for name in header] for row in rows])


@dataclass(frozen=True)
class WatchedAnswers:
    """The answers about the watched test clips after each epoch, ``watched.csv``.

    Attributes
    ----------
    clips : tuple of str
        The clips as ``dataset/subject/clip``, in the order of the predictions.
    answers : tuple of tuple of str
        For each epoch the answer about each clip.
    """

    clips: tuple[str, ...]
    answers: tuple[tuple[str, ...], ...]

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the table, a row per epoch.

        Raises
        ------
        FleetingError
            If the file cannot be written.
        """
        rows = [[number, *answers] for number, answers in enumerate(self.answers, start=1)]
        return write_table(path, ["epoch", *self.clips], rows)

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, clips: Sequence[str] | None = None) -> WatchedAnswers:
        """Read the table.

        Parameters
        ----------
        path : str or os.PathLike
            The file.
        clips : sequence of str or None, optional
            The clips that it must be about, in this order.

        Raises
        ------
        RecordError
            If it cannot be read, has no epoch, or is about other clips.
        """
        rows = read_table(path, columns=["epoch"], remedy=_AGAIN)
        if not rows:
            raise RecordError(path, "holds no epoch; expected a row for each", _AGAIN)
        if [row["epoch"] for row in rows] != [str(number) for number in range(1, len(rows) + 1)]:
            raise RecordError(path, "epoch: expected the numbers from 1 on, each once and in order", _AGAIN)
        found = tuple(name for name in rows[0] if name != "epoch")
        if clips is not None and found != tuple(clips):
            raise RecordError(path, "is not about the clips of predictions.csv, in their order", _AGAIN)
        return cls(found, tuple(tuple(row[name] for name in found) for row in rows))
