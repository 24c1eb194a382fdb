"""From the units' predictions to ``results.csv`` and ``summary.json``."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

import pandas as pd

from fleeting.errors import UsageError
from fleeting.experiments.run import RunFolder
from fleeting.files import without_nan, write_csv, write_json
from fleeting.metrics import challenge_classes, composite_scores, confusion_matrix, score_all, write_challenge_log

METRICS = ("accuracy", "uf1", "uar")
COLUMNS = (
    ["scope", "fold", "seed", "n"]
    + [name for metric in METRICS for name in (metric, f"{metric}_low", f"{metric}_high")]
    + ["majority_accuracy", "majority_class", "collapsed"]
)
CHALLENGE_LOG = "challenge_log.txt"
# Each tests every clip once, by a network that does not know its subject.
LOGGED_PROTOCOLS = ("cde", "hde", "loso")


def aggregate(run: RunFolder, *, allow_partial: bool = False) -> dict[str, Any]:
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
    dict of str to object
        The content of ``summary.json``.

    Raises
    ------
    PartialRunError
        If units are missing and a partial result was not asked for.
    """
    content = run.read()
    classes = list(content["classes"])
    predictions = run.predictions(allow_partial=allow_partial)
    missing = run.missing()
    rows: list[dict[str, Any]] = []
    majority_hits = 0.0
    majority_classes: list[str] = []
    collapsed = 0
    warnings: list[str] = []
    for unit in content["units"]:
        done = run.finished(unit["key"])
        if done is None:
            continue
        part = predictions[(predictions["fold"] == unit["fold"]) & (predictions["seed"] == unit["seed"])]
        majority = done["majority"]
        majority_hits += majority["accuracy"] * len(part)
        majority_classes.append(majority["class"])
        if done["collapse"]["collapsed"]:
            collapsed += 1
            noun = str(content["config"]["protocol"].get("noun", "fold")).capitalize()
            warnings.append(f"{noun} {unit['fold'] + 1}, seed {unit['seed']} collapsed: {_reasons(done)}")
        rows.append(
            {"scope": "fold", "fold": unit["fold"], "seed": unit["seed"], **score_all(part, classes)}
            | {
                "majority_accuracy": majority["accuracy"],
                "majority_class": majority["class"],
                "collapsed": bool(done["collapse"]["collapsed"]),
            }
        )
    folds = pd.DataFrame(rows)
    means = {name: float(folds[name].mean()) for name in (*METRICS, "majority_accuracy")}
    commonest = max(sorted(set(majority_classes)), key=majority_classes.count)
    summary_columns = {"majority_class": commonest, "collapsed": collapsed}
    parts = composite_scores(predictions, classes)
    full, *by_dataset = parts.to_dict("records")
    pooled = {"n": len(predictions), **_figures(full)}
    pooled |= {"majority_accuracy": majority_hits / len(predictions), "majority_class": commonest}
    rows.append({"scope": "mean", "n": len(predictions), **means, **summary_columns})
    rows.append({"scope": "pooled", **pooled, **summary_columns})
    table = pd.DataFrame(rows).reindex(columns=COLUMNS)
    table[["fold", "seed", "n"]] = table[["fold", "seed", "n"]].astype("Int64")
    write_csv(run.path / "results.csv", table.round(6))
    write_csv(run.path / "by_dataset.csv", parts.round(6))
    counts = confusion_matrix(predictions["label"].to_numpy(), predictions["prediction"].to_numpy(), classes)
    summary = {
        "partial": bool(missing),
        "expected": len(content["units"]),
        "finished": len(content["units"]) - len(missing),
        "missing": missing,
        "classes": classes,
        "pooled": {
            **pooled,
            "confusion": counts.tolist(),
            "by_dataset": {str(row["dataset"]): {"n": row["n_answers"], **_figures(row)} for row in by_dataset},
        },
        "mean": means,
        "collapsed": collapsed,
        "warnings": warnings,
        "challenge_log": _log(run, content, predictions, partial=bool(missing)),
    }
    write_json(run.path / "summary.json", json.loads(json.dumps(without_nan(summary), allow_nan=False)))
    return summary


def _figures(row: dict[Hashable, Any]) -> dict[str, Any]:
    """A row of :func:`composite_scores` as ``summary.json`` holds it."""
    return {str(name): value for name, value in row.items() if name not in ("scope", "dataset", "n_answers")}


def _log(run: RunFolder, content: dict[str, Any], predictions: pd.DataFrame, *, partial: bool) -> dict[str, str | None]:
    """Write the challenge's log where the run is one of its kind; say which file it is, or why there is none."""
    path = run.path / CHALLENGE_LOG
    protocol = str(content["config"]["protocol"].get("name"))
    seeds = len(set(predictions["seed"]))
    why = ""
    if protocol not in LOGGED_PROTOCOLS:
        why = f"the protocol is {protocol}, not one of {', '.join(LOGGED_PROTOCOLS)}"
    elif set(content["classes"]) != set(challenge_classes()):
        why = f"the classes are {', '.join(content['classes'])}, not {', '.join(challenge_classes())}"
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
    return {"file": None if why else CHALLENGE_LOG, "why": why}


def _reasons(done: dict[str, Any]) -> str:
    return "; ".join(done["collapse"]["reasons"]) or "it stopped learning"
