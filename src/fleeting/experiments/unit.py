"""One unit: train on one side of a fold, predict the other once, write everything down."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fleeting import kernels
from fleeting.errors import CollapseWarning, FleetingError, UsageError
from fleeting.experiments.selection import INNER, Candidate, Selection, best_epoch, changed, nothing_chosen
from fleeting.files import without_nan
from fleeting.metrics import majority_accuracy
from fleeting.protocols import create_protocol, folds_of
from fleeting.records import (
    ChoicePart,
    Collapse,
    HistoryRow,
    Majority,
    PredictionRow,
    UnitRecord,
    WatchedAnswers,
    write_predictions,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.training import SequenceFiles, TrainingConfig, TrainingResult

# Called with the unit's key and the epoch's record.
OnEpoch = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class FoldSide:
    """The clips of one side of a fold; none of it is pixels.

    Parameters
    ----------
    paths, labels, rows : tuple of pathlib.Path and tuple of str and tuple of tuple of (str, str, str)
        The sequence file, the label and the ``dataset, subject, clip`` of each.
    """

    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    rows: tuple[tuple[str, str, str], ...]

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, positions: Iterable[int]) -> FoldSide:
        """Take the clips at some positions."""
        chosen = [int(i) for i in positions]
        return FoldSide(*(tuple(values[i] for i in chosen) for values in (self.paths, self.labels, self.rows)))  # type: ignore[arg-type]

    def sequences(self) -> SequenceFiles:
        """Give their sequences, read when they are asked for."""
        from fleeting.training import SequenceFiles

        return SequenceFiles(self.paths)

    def table(self) -> pd.DataFrame:
        """Give a row per clip, as protocols read it."""
        table = pd.DataFrame(self.rows, columns=["dataset", "subject", "clip"])
        table["emotion"] = self.labels
        return table

    def subjects(self) -> list[str]:
        """List the people in them, sorted."""
        return sorted({f"{dataset}/{subject}" for dataset, subject, _ in self.rows})


@dataclass(frozen=True)
class TrainingJob:
    """Everything that decides a trained model: the training side, and how it is learnt from. No test clip is in it."""

    key: str
    seed: int
    folder: Path
    side: FoldSide
    classes: tuple[str, ...]
    model: str
    shape: dict[str, int]
    model_options: dict[str, Any]
    training: TrainingConfig
    recipe: dict[str, Any]
    selection: Selection | None = None
    device: str = "cpu"
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class UnitJob:
    """All that a worker process needs.

    Parameters
    ----------
    fold : int
        Number of the fold.
    training_job : TrainingJob
        The training.
    test : FoldSide
        The clips that are predicted when training has ended.
    watch : bool, optional
        Show how the test clips fare after each epoch. What is seen goes into ``history.csv`` and ``watched.csv`` and
        nowhere else.
    """

    fold: int
    training_job: TrainingJob
    test: FoldSide
    watch: bool = False

    @property
    def key(self) -> str:
        """Name of the unit and of its folder."""
        return self.training_job.key

    @property
    def cost(self) -> int:
        """Samples that pass through the network in training, more or less."""
        trainings = 1 if self.training_job.selection is None else 1 + self.training_job.selection.trainings
        return len(self.training_job.side) * self.training_job.training.epochs * trainings


@dataclass(frozen=True)
class Choice:
    """The training and the options that were chosen for a job, and how."""

    training: TrainingConfig
    model_options: dict[str, Any]
    described: ChoicePart


def choose(training_job: TrainingJob, on_epoch: Callable[[dict[str, Any]], None] | None = None) -> Choice:
    """Choose epochs and hyper-parameters on inner folds of the training side.

    Raises
    ------
    UsageError
        If the training side cannot be split by people, or the network has no epochs to choose from.
    """
    rule = training_job.selection
    if rule is None:
        return Choice(
            training_job.training,
            training_job.model_options,
            ChoicePart(sentence=nothing_chosen(training_job.training), chosen={}),
        )
    protocol = create_protocol(INNER, folds=rule.folds, seed=training_job.seed)
    folds = folds_of(protocol, training_job.side.table())
    candidates = []
    for point in rule.points():
        training, options = changed(training_job.training, training_job.model_options, point)
        tried = replace(training_job, training=training, model_options=options)
        answers, truth = [], []
        for fold in folds:
            held_out = training_job.side.take(fold.test)
            inner = replace(tried, side=training_job.side.take(fold.train))
            with warnings.catch_warnings():
                # A candidate that collapses loses by its score.
                warnings.simplefilter("ignore", CollapseWarning)
                result = _train(inner, held_out if rule.epochs else None, on_epoch)
            if rule.epochs and not len(result.watched):
                raise UsageError(
                    f"{training_job.model} is fitted at once and has no epochs to choose from; choose model.OPTION"
                )
            answers.append(
                result.watched if rule.epochs else result.predict_proba(held_out.sequences()).argmax(axis=1)[None]
            )
            truth.append(_codes(held_out, training_job.classes))
        # A fold of fewer epochs than others does not occur: what diverges raises.
        epoch, score = best_epoch(
            np.concatenate(answers, axis=1), np.concatenate(truth), len(training_job.classes), rule.metric
        )
        candidates.append(Candidate(point, epoch if rule.epochs else None, score))
    best = max(candidates, key=lambda candidate: candidate.score)
    training, options = changed(training_job.training, training_job.model_options, best.point)
    if best.epoch is not None:
        training = training.model_copy(update={"epochs": best.epoch})
    chosen = best.describe()
    described = ChoicePart(
        sentence=rule.sentence(),
        chosen={name: value for name, value in chosen.items() if name != "score"},
        metric=rule.metric,
        score=chosen["score"],
        candidates=[candidate.describe() for candidate in candidates],
        inner_folds=[training_job.side.take(fold.test).subjects() for fold in folds],
    )
    return Choice(training, options, described)


def _codes(side: FoldSide, classes: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array([classes.index(label) for label in side.labels], dtype=np.int64)


def _train(
    training_job: TrainingJob, watched: FoldSide | None, on_epoch: Callable[[dict[str, Any]], None] | None
) -> TrainingResult:
    import torch

    from fleeting.models import create_model
    from fleeting.training import train

    torch.set_num_threads(1)
    model = create_model(training_job.model, seed=training_job.seed, **training_job.shape, **training_job.model_options)
    return train(
        model,
        training_job.side.sequences(),
        np.array(training_job.side.labels),
        training_job.training,
        classes=training_job.classes,
        seed=training_job.seed,
        device=training_job.device,
        validation=None if watched is None else (watched.sequences(), np.array(watched.labels)),
        on_epoch=on_epoch,
    )


def fit(
    training_job: TrainingJob, on_epoch: OnEpoch | None = None, *, watched: FoldSide | None = None
) -> tuple[TrainingResult, ChoicePart]:
    """Choose what is to be chosen, train, and write model, configuration and history.

    One thread does the arithmetic, so the result does not depend on how many cores the machine has or how many units
    run beside it.

    Parameters
    ----------
    training_job : TrainingJob
        The training.
    on_epoch : OnEpoch or None, optional
        Called after each epoch.
    watched : FoldSide or None, optional
        Clips whose answers after each epoch are written down. They decide nothing.

    Returns
    -------
    tuple of (TrainingResult, ChoicePart)
        The training's result, and what was chosen.
    """
    from fleeting.training import save_model

    count = 0

    def counted(record: dict[str, Any]) -> None:
        # Trainings that only serve to choose count as epochs of the unit, or progress would stand still.
        nonlocal count
        count += 1
        if on_epoch is not None:
            on_epoch(training_job.key, record | {"epoch": count})

    choice = choose(training_job, None if on_epoch is None else counted)
    training_job = replace(training_job, training=choice.training, model_options=choice.model_options)
    result = _train(training_job, watched, None if on_epoch is None else counted)
    save_model(
        training_job.folder,
        result,
        recipe=training_job.recipe,
        extra={**training_job.extra, "selection": choice.described.to_json()},
    )
    history = [HistoryRow(**without_nan(record)) for record in result.records]
    HistoryRow.write_all(training_job.folder / "history.csv", history)
    if watched is not None:
        names = np.array(training_job.classes)
        answers = WatchedAnswers(
            tuple("/".join(row) for row in watched.rows),
            tuple(tuple(str(name) for name in names[epoch]) for epoch in result.watched),
        )
        answers.write(training_job.folder / "watched.csv")
    return result, choice.described


def run_unit(job: UnitJob, on_epoch: OnEpoch | None = None) -> UnitRecord:
    """Train, predict the test clips once, and write the unit's folder; ``unit.json`` is written last.

    Returns
    -------
    UnitRecord
        The content of ``unit.json``.

    Raises
    ------
    FleetingError
        If the training diverges, or the network's probabilities are no numbers.
    """
    start = time.perf_counter()
    training_job, test = job.training_job, job.test
    result, selection = fit(training_job, on_epoch, watched=test if job.watch else None)
    digest = write_predictions(training_job.folder / "predictions.csv", _answers(job, result))
    majority = majority_accuracy(training_job.side.labels, test.labels)
    done = UnitRecord(
        key=job.key,
        fold=job.fold,
        seed=training_job.seed,
        n_train=len(training_job.side),
        n_test=len(test),
        train_subjects=tuple(training_job.side.subjects()),
        test_subjects=tuple(test.subjects()),
        selection=selection,
        watched=job.watch,
        collapse=Collapse(
            collapsed=result.collapse.collapsed, reasons=tuple(result.collapse.reasons), epoch=result.collapse.epoch
        ),
        majority=Majority(label=majority.label, accuracy=majority.accuracy),
        device=result.device,
        steps=result.steps,
        kernels=kernels.status().name,
        seconds=round(time.perf_counter() - start, 3),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        predictions_sha256=digest,
    )
    done.write(training_job.folder / "unit.json")
    return done


def _answers(job: UnitJob, result: TrainingResult) -> list[PredictionRow]:
    """The answer about each test clip."""
    classes, test = job.training_job.classes, job.test
    probabilities = result.predict_proba(test.sequences())
    if not np.isfinite(probabilities).all():
        raise FleetingError(
            f"unit {job.key}: the network answers with probabilities that are no numbers; expected shares from 0 to 1. "
            "Look for sequences without any contrast, or lower the learning rate"
        )
    return [
        PredictionRow(
            dataset=dataset,
            subject=subject,
            clip=clip,
            label=label,
            prediction=classes[int(own.argmax())],
            probabilities=dict(zip(classes, (float(share) for share in own.round(6)))),
        )
        for (dataset, subject, clip), label, own in zip(test.rows, test.labels, probabilities)
    ]
