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
from fleeting.errors import CollapseWarning, UsageError
from fleeting.experiments.selection import INNER, Candidate, Selection, best_epoch, changed, nothing_chosen
from fleeting.files import write_csv, write_json
from fleeting.metrics import majority_accuracy
from fleeting.protocols import create_protocol, folds_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.training import SequenceFiles, TrainingConfig, TrainingResult

# Called with the unit's key and the epoch's record.
OnEpoch = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Side:
    """The clips of one side of a fold; none of it is pixels.

    Parameters
    ----------
    paths, labels, rows : the sequence file, the label and the ``dataset, subject, clip`` of each.
    """

    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    rows: tuple[tuple[str, str, str], ...]

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, positions: Iterable[int]) -> Side:
        """The clips at some positions."""
        chosen = [int(i) for i in positions]
        return Side(*(tuple(values[i] for i in chosen) for values in (self.paths, self.labels, self.rows)))  # type: ignore[arg-type]

    def sequences(self) -> SequenceFiles:
        """Their sequences, read when they are asked for."""
        from fleeting.training import SequenceFiles

        return SequenceFiles(self.paths)

    def table(self) -> pd.DataFrame:
        """A row a clip, as protocols read it."""
        table = pd.DataFrame(self.rows, columns=["dataset", "subject", "clip"])
        table["emotion"] = self.labels
        return table

    def subjects(self) -> list[str]:
        """Who is in them, sorted."""
        return sorted({f"{dataset}/{subject}" for dataset, subject, _ in self.rows})


@dataclass(frozen=True)
class Lesson:
    """All that decides a trained model: the training side, and how it is learnt from. No test clip is in it."""

    key: str
    seed: int
    folder: Path
    side: Side
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
    fold : number of the fold.
    lesson : what is trained.
    test : the clips that are predicted when training has ended.
    watch : show how the test clips fare after each epoch. What is seen goes into ``history.csv`` and ``watched.csv`` and
        nowhere else.
    """

    fold: int
    lesson: Lesson
    test: Side
    watch: bool = False

    @property
    def key(self) -> str:
        """Of the unit."""
        return self.lesson.key

    @property
    def cost(self) -> int:
        """Samples that pass through the network in training, more or less."""
        trainings = 1 if self.lesson.selection is None else 1 + self.lesson.selection.trainings
        return len(self.lesson.side) * self.lesson.training.epochs * trainings


@dataclass(frozen=True)
class Choice:
    """What was chosen for a lesson, and from what."""

    training: TrainingConfig
    model_options: dict[str, Any]
    described: dict[str, Any]


def choose(lesson: Lesson, on_epoch: Callable[[dict[str, Any]], None] | None = None) -> Choice:
    """Choose epochs and hyper-parameters on inner folds of the training side.

    Raises
    ------
    UsageError
        If the training side cannot be split by people, or the network has no epochs to choose from.
    """
    rule = lesson.selection
    if rule is None:
        return Choice(
            lesson.training, lesson.model_options, {"sentence": nothing_chosen(lesson.training), "chosen": {}}
        )
    protocol = create_protocol(INNER, folds=rule.folds, seed=lesson.seed)
    folds = folds_of(protocol, lesson.side.table())
    candidates = []
    for point in rule.points():
        training, options = changed(lesson.training, lesson.model_options, point)
        tried = replace(lesson, training=training, model_options=options)
        answers, truth = [], []
        for fold in folds:
            held_out = lesson.side.take(fold.test)
            inner = replace(tried, side=lesson.side.take(fold.train))
            with warnings.catch_warnings():
                # A candidate that collapses loses by its score.
                warnings.simplefilter("ignore", CollapseWarning)
                result = _train(inner, held_out if rule.epochs else None, on_epoch)
            if rule.epochs and not len(result.watched):
                raise UsageError(
                    f"{lesson.model} is fitted at once and has no epochs to choose from; choose model.OPTION"
                )
            answers.append(
                result.watched if rule.epochs else result.predict_proba(held_out.sequences()).argmax(axis=1)[None]
            )
            truth.append(_codes(held_out, lesson.classes))
        # A fold of fewer epochs than others does not occur: what diverges raises.
        epoch, score = best_epoch(
            np.concatenate(answers, axis=1), np.concatenate(truth), len(lesson.classes), rule.metric
        )
        candidates.append(Candidate(point, epoch if rule.epochs else None, score))
    best = max(candidates, key=lambda candidate: candidate.score)
    training, options = changed(lesson.training, lesson.model_options, best.point)
    if best.epoch is not None:
        training = training.model_copy(update={"epochs": best.epoch})
    chosen = best.describe()
    described = {
        "sentence": rule.sentence(),
        "chosen": {name: value for name, value in chosen.items() if name != "score"},
        "metric": rule.metric,
        "score": chosen["score"],
        "candidates": [candidate.describe() for candidate in candidates],
        "inner_folds": [lesson.side.take(fold.test).subjects() for fold in folds],
    }
    return Choice(training, options, described)


def _codes(side: Side, classes: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array([classes.index(label) for label in side.labels], dtype=np.int64)


def _train(lesson: Lesson, watched: Side | None, on_epoch: Callable[[dict[str, Any]], None] | None) -> TrainingResult:
    import torch

    from fleeting.models import create_model
    from fleeting.training import train

    torch.set_num_threads(1)
    model = create_model(lesson.model, seed=lesson.seed, **lesson.shape, **lesson.model_options)
    return train(
        model,
        lesson.side.sequences(),
        np.array(lesson.side.labels),
        lesson.training,
        classes=lesson.classes,
        seed=lesson.seed,
        device=lesson.device,
        validation=None if watched is None else (watched.sequences(), np.array(watched.labels)),
        on_epoch=on_epoch,
    )


def fit(
    lesson: Lesson, on_epoch: OnEpoch | None = None, *, watched: Side | None = None
) -> tuple[TrainingResult, dict[str, Any]]:
    """Choose what is to be chosen, train, and write model, configuration and history.

    One thread does the arithmetic, so the result does not depend on how many cores the machine has or how many units
    run beside it.

    Parameters
    ----------
    watched : clips whose answers after each epoch are written down. They decide nothing.

    Returns
    -------
    The training's result, and what was chosen.
    """
    from fleeting.training import save_model

    count = 0

    def counted(record: dict[str, Any]) -> None:
        # Trainings that only serve to choose count as epochs of the unit, or progress would stand still.
        nonlocal count
        count += 1
        if on_epoch is not None:
            on_epoch(lesson.key, record | {"epoch": count})

    choice = choose(lesson, None if on_epoch is None else counted)
    lesson = replace(lesson, training=choice.training, model_options=choice.model_options)
    result = _train(lesson, watched, None if on_epoch is None else counted)
    save_model(lesson.folder, result, recipe=lesson.recipe, extra={**lesson.extra, "selection": choice.described})
    write_csv(lesson.folder / "history.csv", result.history)
    if watched is not None:
        names = np.array(lesson.classes)
        table = pd.DataFrame({"/".join(row): names[result.watched[:, i]] for i, row in enumerate(watched.rows)})
        table.insert(0, "epoch", np.arange(1, len(result.watched) + 1))
        write_csv(lesson.folder / "watched.csv", table)
    return result, choice.described


def run_unit(job: UnitJob, on_epoch: OnEpoch | None = None) -> dict[str, Any]:
    """Train, predict the test clips once, and write the unit's folder; ``unit.json`` is written last.

    Returns
    -------
    The content of ``unit.json``.
    """
    start = time.perf_counter()
    lesson, test = job.lesson, job.test
    result, selection = fit(lesson, on_epoch, watched=test if job.watch else None)
    probabilities = result.predict_proba(test.sequences())
    table = pd.DataFrame(test.rows, columns=["dataset", "subject", "clip"])
    table["label"] = test.labels
    table["prediction"] = np.array(lesson.classes)[probabilities.argmax(axis=1)]
    for column, name in enumerate(lesson.classes):
        table[f"p_{name}"] = probabilities[:, column].round(6)
    write_csv(lesson.folder / "predictions.csv", table)
    majority = majority_accuracy(lesson.side.labels, test.labels)
    done = {
        "key": job.key,
        "fold": job.fold,
        "seed": lesson.seed,
        "n_train": len(lesson.side),
        "n_test": len(test),
        "train_subjects": lesson.side.subjects(),
        "test_subjects": test.subjects(),
        "selection": selection,
        "watched": job.watch,
        "collapse": {
            "collapsed": result.collapse.collapsed,
            "reasons": list(result.collapse.reasons),
            "epoch": result.collapse.epoch,
        },
        "majority": {"class": majority.label, "accuracy": majority.accuracy},
        "device": result.device,
        "steps": result.steps,
        "kernels": kernels.status().name,
        "seconds": round(time.perf_counter() - start, 3),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_json(lesson.folder / "unit.json", done)
    return done
