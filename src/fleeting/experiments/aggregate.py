"""From the units' predictions to ``results.csv`` and ``summary.json``."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fleeting.errors import UsageError
from fleeting.experiments.run import RunFolder
from fleeting.metrics import challenge_classes, composite_scores, confusion_matrix, score_all, write_challenge_log
from fleeting.records import (
    ChallengeLog,
    MeanScores,
    Notice,
    PooledScores,
    ResultRow,
    RunHead,
    Scores,
    Summary,
    UnitRecord,
    write_frame,
)

__all__ = ["METRICS", "aggregate"]

METRICS = ("accuracy", "uf1", "uar")
CHALLENGE_LOG = "challenge_log.txt"
# Each tests every clip once, by a network that does not know its subject.
LOGGED_PROTOCOLS = ("cde", "hde", "loso")


def aggregate(run: RunFolder, *, allow_partial: bool = False) -> Summary:
    """Score every fold, their mean, and all predictions pooled; write ``results.csv``, ``by_dataset.csv``, ``summary.json``.

    Pooled figures come from the test predictions of all folds and seeds taken together, with a bootstrap interval over
    subjects; the mean is the plain mean of the folds. Each accuracy stands beside that of always answering the
    training side's commonest class. ``by_dataset.csv`` has the pooled figures of all clips and of each data set
    (:func:`fleeting.metrics.composite_scores`), and in ``<metric>_fold_mean`` the means over folds, which are not the
    challenge's figures.

    A finished run of one seed under ``cde``, ``hde`` or ``loso`` whose classes are the composite's also gets the challenge's
    log, ``challenge_log.txt``. ``summary.json`` says under ``challenge_log`` which file it is, or why there is none.

    Parameters
    ----------
    run : RunFolder
        The run folder.
    allow_partial : bool, optional
        Score what is finished, and say so in the summary.

    Returns
    -------
    Summary
        The content of ``summary.json``.

    Raises
    ------
    PartialRunError
        If units are missing and a partial result was not asked for.
    RecordError
        If the predictions of a finished unit are not those that it made; names the unit.
    """
    head = run.read()
    predictions = run.predictions(allow_partial=allow_partial)
    units = run.units()
    finished = {unit.key for unit in units}
    missing = tuple(unit.key for unit in head.units if unit.key not in finished)
    scores = [_scores(unit, predictions, head.classes) for unit in units]
    mean = _mean(scores)
    parts = composite_scores(predictions, head.classes)
    pooled = _pooled(parts, predictions, units, head.classes)
    notices = [_collapse_notice(head, unit) for unit in units if unit.collapse.collapsed]
    ResultRow.write_all(run.path / "results.csv", _result_rows(units, scores, mean, pooled))
    write_frame(run.path / "by_dataset.csv", parts.round(6))
    summary = Summary(
        partial=bool(missing),
        expected=len(head.units),
        finished=len(units),
        missing=missing,
        classes=head.classes,
        pooled=pooled,
        mean=mean,
        collapsed=len(notices),
        warnings=tuple(notice.text for notice in notices),
        challenge_log=_log(run, head, predictions, partial=bool(missing)),
        warning_kinds=tuple(notice.kind for notice in notices),
    )
    summary.write(run.path / "summary.json")
    return summary


def _part(unit: UnitRecord, predictions: pd.DataFrame) -> pd.DataFrame:
    return predictions[(predictions["fold"] == unit.fold) & (predictions["seed"] == unit.seed)]


def _scores(unit: UnitRecord, predictions: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, float]:
    """The figures of a fold with a seed, with those of its commonest class."""
    majority = math.nan if unit.majority.accuracy is None else unit.majority.accuracy
    return {**score_all(_part(unit, predictions), classes), "majority_accuracy": majority}


def _mean(scores: list[dict[str, float]]) -> MeanScores:
    table = pd.DataFrame(scores)
    return MeanScores(**{name: _known(table[name].mean()) for name in MeanScores.model_fields})


def _pooled(
    parts: pd.DataFrame, predictions: pd.DataFrame, units: list[UnitRecord], classes: tuple[str, ...]
) -> PooledScores:
    full, *by_dataset = parts.to_dict("records")
    hits = sum((unit.majority.accuracy or 0.0) * len(_part(unit, predictions)) for unit in units)
    answered = [unit.majority.label for unit in units]
    counts = confusion_matrix(predictions["label"].to_numpy(), predictions["prediction"].to_numpy(), classes)
    return PooledScores(
        **_figures(full),
        majority_accuracy=hits / len(predictions),
        majority_class=max(sorted(set(answered)), key=answered.count),
        confusion=counts.tolist(),
        by_dataset={str(row["dataset"]): Scores(**_figures(row)) for row in by_dataset},
    )


def _figures(row: dict[Hashable, Any]) -> dict[str, Any]:
    """A row of :func:`composite_scores` as ``summary.json`` holds it."""
    figures = {str(name): _known(value) for name, value in row.items() if name not in ("scope", "dataset", "n_answers")}
    return {"n": row["n_answers"], **figures}


def _result_rows(
    units: list[UnitRecord], scores: list[dict[str, float]], mean: MeanScores, pooled: PooledScores
) -> list[ResultRow]:
    """The rows of ``results.csv``: folds, their mean, all answers pooled."""
    rows = [
        ResultRow(
            scope="fold",
            fold=unit.fold,
            seed=unit.seed,
            majority_class=unit.majority.label,
            collapsed=unit.collapse.collapsed,
            **_rounded(own),
        )
        for unit, own in zip(units, scores)
    ]
    collapsed = sum(unit.collapse.collapsed for unit in units)
    spread = {name: value for name, value in pooled.model_dump().items() if name in ResultRow.model_fields}
    of_all: dict[str, Any] = {"n": pooled.n, "majority_class": pooled.majority_class, "collapsed": collapsed}
    return [
        *rows,
        ResultRow(scope="mean", **_rounded(mean.model_dump()), **of_all),
        ResultRow(scope="pooled", **_rounded(spread) | of_all),
    ]


def _known(value: Any) -> Any:
    """A number, or ``None`` where it is none."""
    return None if value is None or math.isnan(value) else value


def _rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures to six digits, ``None`` where there is none."""
    known = {name: _known(value) if isinstance(value, float) else value for name, value in figures.items()}
    return {name: float(np.round(value, 6)) if isinstance(value, float) else value for name, value in known.items()}


def _collapse_notice(head: RunHead, unit: UnitRecord) -> Notice:
    noun = head.config.protocol.noun.capitalize()
    text = f"{noun} {unit.fold + 1}, seed {unit.seed} collapsed: {unit.collapse.told}"
    return Notice(kind="collapsed", text=text)


def _log(run: RunFolder, head: RunHead, predictions: pd.DataFrame, *, partial: bool) -> ChallengeLog:
    """Write the challenge's log where the run is one of its kind; say which file it is, or why there is none."""
    path = run.path / CHALLENGE_LOG
    protocol = head.config.protocol.name
    seeds = len(set(predictions["seed"]))
    why = ""
    if protocol not in LOGGED_PROTOCOLS:
        why = f"the protocol is {protocol}, not one of {', '.join(LOGGED_PROTOCOLS)}"
    elif set(head.classes) != set(challenge_classes()):
        why = f"the classes are {', '.join(head.classes)}, not {', '.join(challenge_classes())}"
    elif partial:
        why = "the run is not finished"
    elif seeds > 1:
        why = f"{seeds} seeds answered each clip, and the log holds one answer"
    else:
        try:
            write_challenge_log(path, predictions)
        except UsageError as exc:
            # Names that the format cannot hold; the scores are as good as without it.
            why = str(exc)
    if why:
        # One of an earlier state of the run would be taken for this one's.
        path.unlink(missing_ok=True)
    return ChallengeLog(file=None if why else CHALLENGE_LOG, why=why)
