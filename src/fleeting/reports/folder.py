"""Reading a run folder as it is found: whole, partial, or damaged in places.

Only ``run.json`` must be there and whole. Of everything else, what can be read is shown, and what cannot be read
becomes a sentence in :attr:`RunData.problems`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fleeting.records import (
    ChoicePart,
    ClipRow,
    HistoryRow,
    ListedUnit,
    PredictionRow,
    RecordError,
    ResultRow,
    RunConfig,
    RunHead,
    SampleRow,
    SkippedRow,
    Summary,
    UnitRecord,
    read_predictions,
    read_regular,
)
from fleeting.reports.reading import FolderReader, NotARunError, read_head

if TYPE_CHECKING:
    import os

__all__ = ["Prediction", "RunData", "Sample", "UnitData", "read_run"]

_MAX_IMAGE_BYTES = 4_000_000
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


@dataclass(frozen=True)
class Prediction:
    """One test clip of one unit; ``confidence`` is the probability of the answer, NaN where it is not recorded."""

    fold: int
    seed: int
    dataset: str
    subject: str
    clip: str
    label: str
    answer: str
    confidence: float

    @classmethod
    def of_row(cls, unit: ListedUnit, row: PredictionRow) -> Prediction:
        """Take a row of a unit's predictions."""
        confidence = row.probabilities.get(row.prediction, math.nan)
        return cls(unit.fold, unit.seed, row.dataset, row.subject, row.clip, row.label, row.prediction, confidence)

    @property
    def right(self) -> bool:
        """True if the answer is the label."""
        return self.label == self.answer


@dataclass(frozen=True)
class UnitData:
    """One fold with one seed.

    Attributes
    ----------
    listed : ListedUnit
        The unit as ``run.json`` lists it.
    done : UnitRecord or None
        Its record, once it is finished.
    predictions : tuple of Prediction
        Its answers.
    history : tuple of HistoryRow
        Its epochs.
    """

    listed: ListedUnit
    done: UnitRecord | None = None
    predictions: tuple[Prediction, ...] = ()
    history: tuple[HistoryRow, ...] = ()

    @property
    def fold(self) -> int:
        """Number of the fold, from 0."""
        return self.listed.fold

    @property
    def seed(self) -> int:
        """The seed."""
        return self.listed.seed

    @property
    def finished(self) -> bool:
        """True if it is finished and its predictions are those that it made."""
        return self.done is not None

    @property
    def collapsed(self) -> bool:
        """True if it is finished and stopped learning."""
        return self.done is not None and self.done.collapse.collapsed

    @property
    def seconds(self) -> float:
        """Time that the training took; NaN if it is not known."""
        return math.nan if self.done is None or self.done.seconds is None else self.done.seconds

    @property
    def selection(self) -> ChoicePart:
        """Choices that were made for it."""
        return ChoicePart() if self.done is None else self.done.selection

    @property
    def shared_subjects(self) -> tuple[str, ...]:
        """People on both sides of the fold."""
        return () if self.done is None else tuple(sorted({*self.done.train_subjects} & {*self.done.test_subjects}))


@dataclass(frozen=True)
class Sample:
    """One film strip: the picture's bytes and what it shows."""

    mime: str
    content: bytes
    row: SampleRow


@dataclass(frozen=True)
class RunData:
    """Everything that a run folder holds.

    Attributes
    ----------
    path : pathlib.Path
        The folder.
    head : RunHead
        Its ``run.json``.
    units : list of UnitData
        All units, finished or not.
    clips, skipped, samples, results : list
        Rows of the tables.
    summary : Summary
        Its ``summary.json``; an empty one if there is none.
    problems : list of str
        Sentences on what could not be read.
    """

    path: Path
    head: RunHead
    units: list[UnitData]
    clips: list[ClipRow]
    skipped: list[SkippedRow]
    samples: list[Sample]
    results: list[ResultRow]
    summary: Summary
    problems: list[str] = field(default_factory=list)

    @property
    def config(self) -> RunConfig:
        """The configuration that was asked for."""
        return self.head.config


def read_run(folder: str | os.PathLike[str]) -> RunData:
    """Read a run folder.

    Parameters
    ----------
    folder : str or os.PathLike
        The ``--out`` folder of an evaluation.

    Raises
    ------
    NotARunError
        If there is no ``run.json``, or it is damaged or of another format; names the field.
    """
    path = Path(folder)
    try:
        head = RunHead.parse(read_head(path, "run.json"), path / "run.json")
    except RecordError as error:
        raise NotARunError(str(error)) from error
    problems: list[str] = []
    reader = _RunReader(path, problems)
    summary = reader.record("summary.json", Summary, optional=True)
    return RunData(
        path=path,
        head=head,
        units=[reader.unit(unit) for unit in head.units],
        clips=reader.rows("clips.csv", ClipRow),
        skipped=reader.rows("skipped.csv", SkippedRow),
        samples=reader.samples(),
        results=reader.rows("results.csv", ResultRow, optional=True),
        summary=summary or Summary(),
        problems=problems,
    )


class _RunReader(FolderReader):
    """Reads the parts of a run."""

    def unit(self, listed: ListedUnit) -> UnitData:
        place = f"units/{listed.key}"
        done = self.record(f"{place}/unit.json", UnitRecord, optional=True)
        if done is None or done.key != listed.key:
            return UnitData(listed)
        try:
            rows = read_predictions(self.path / place / "predictions.csv", done)
        except RecordError as error:
            # Its scores are not to be believed, and the same command trains it again.
            self.say(error)
            return UnitData(listed)
        return UnitData(
            listed,
            done,
            predictions=tuple(Prediction.of_row(listed, row) for row in rows),
            history=tuple(self.rows(f"{place}/history.csv", HistoryRow)),
        )

    def samples(self) -> list[Sample]:
        found = []
        for row in self.rows("samples/samples.csv", SampleRow, optional=True):
            # The page embeds what it is told to: only plain names of real pictures in the folder itself.
            if Path(row.file).name != row.file or "\\" in row.file:
                self.problems.append(f"samples/samples.csv names {row.file!r}, which is not a file of its folder.")
                continue
            try:
                content = read_regular(self.path / "samples" / row.file, most=_MAX_IMAGE_BYTES)
            except RecordError as error:
                self.say(error)
                continue
            mime = "image/png" if content.startswith(_PNG) else "image/jpeg" if content.startswith(_JPEG) else ""
            if not mime:
                self.problems.append(f"samples/{row.file} is neither PNG nor JPEG and left out.")
                continue
            found.append(Sample(mime, content, row))
        return found
