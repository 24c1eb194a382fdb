"""One unit: train on one side of a fold, predict the other once, write everything down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fleeting import kernels
from fleeting.files import write_csv, write_json
from fleeting.metrics import majority_accuracy

if TYPE_CHECKING:
    from fleeting.training import SequenceFiles, TrainingConfig, TrainingResult

# Called with the unit's key and the epoch's record.
OnEpoch = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class UnitJob:
    """All that a worker process needs, none of it pixels: sequences stay in their files.

    Parameters
    ----------
    folder : ``units/<key>`` of the run.
    paths, labels, rows : the sequence file, the label and the ``dataset, subject, clip`` of *every* clip of the run.
    train, test : positions in them.
    """

    key: str
    fold: int
    seed: int
    folder: Path
    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    rows: tuple[tuple[str, str, str], ...]
    classes: tuple[str, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    model: str
    shape: dict[str, int]
    model_options: dict[str, Any]
    training: TrainingConfig
    recipe: dict[str, Any]
    watch: bool = False
    device: str = "cpu"
    extra: dict[str, Any] = field(default_factory=dict)


def _load(job: UnitJob, positions: tuple[int, ...]) -> SequenceFiles:
    from fleeting.training import SequenceFiles

    return SequenceFiles([job.paths[i] for i in positions])


def fit(job: UnitJob, on_epoch: OnEpoch | None = None) -> TrainingResult:
    """Train a unit's model on its training side and write model, configuration and history.

    One thread does the arithmetic, so the result does not depend on how many cores the machine has or how many units
    run beside it.
    """
    import torch

    from fleeting.models import create_model
    from fleeting.training import save_model, train

    torch.set_num_threads(1)
    labels = np.array(job.labels)
    model = create_model(job.model, seed=job.seed, **job.shape, **job.model_options)
    result = train(
        model,
        _load(job, job.train),
        labels[list(job.train)],
        job.training,
        classes=job.classes,
        seed=job.seed,
        device=job.device,
        validation=(_load(job, job.test), labels[list(job.test)]) if job.watch else None,
        on_epoch=None if on_epoch is None else lambda record: on_epoch(job.key, record),
    )
    save_model(job.folder, result, recipe=job.recipe, extra=job.extra)
    write_csv(job.folder / "history.csv", result.history)
    return result


def run_unit(job: UnitJob, on_epoch: OnEpoch | None = None) -> dict[str, Any]:
    """Train, predict the test clips once, and write the unit's folder; ``unit.json`` is written last.

    Returns
    -------
    The content of ``unit.json``.
    """
    start = time.perf_counter()
    result = fit(job, on_epoch)
    labels = np.array(job.labels)
    y_train, y_test = labels[list(job.train)], labels[list(job.test)]
    probabilities = result.predict_proba(_load(job, job.test))
    table = pd.DataFrame([job.rows[i] for i in job.test], columns=["dataset", "subject", "clip"])
    table["label"] = y_test
    table["prediction"] = np.array(job.classes)[probabilities.argmax(axis=1)]
    for column, name in enumerate(job.classes):
        table[f"p_{name}"] = probabilities[:, column].round(6)
    write_csv(job.folder / "predictions.csv", table)
    majority = majority_accuracy(y_train, y_test)
    done = {
        "key": job.key,
        "fold": job.fold,
        "seed": job.seed,
        "n_train": len(job.train),
        "n_test": len(job.test),
        "train_subjects": _subjects(job, job.train),
        "test_subjects": _subjects(job, job.test),
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
    write_json(job.folder / "unit.json", done)
    return done


def _subjects(job: UnitJob, positions: tuple[int, ...]) -> list[str]:
    return sorted({f"{job.rows[i][0]}/{job.rows[i][1]}" for i in positions})
