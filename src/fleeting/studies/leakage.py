"""What leakage is worth: one method under an honest protocol, and under those that flatter it, in percent points.

Two habits make figures of the field hard to compare: folds that share people, and epochs chosen by the test clips' own
score. Both are run here beside the honest protocol, on the same clips with the same method, seeds and epochs, so that what
is between them is leakage and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.datasets import open_dataset
from fleeting.errors import FleetingError, UsageError, unknown_choice
from fleeting.experiments import Collection, CompletedRun, ExperimentConfig, Observer, PlannedRun, RunFolder, Selection
from fleeting.metrics import paired_permutation_test, score_all
from fleeting.studies.base import StudyResult

if TYPE_CHECKING:
    import os

    import pandas as pd

__all__ = ["LEAKAGE_PARTS", "best_test_epochs", "run_leakage"]

#: Parts of the study; the honest k-fold is always run.
LEAKAGE_PARTS = ("mixed", "inner", "loso")
FIGURES = ("accuracy", "uf1", "uar")


@dataclass(frozen=True)
class _Row:
    """A way to evaluate.

    Attributes
    ----------
    what : str
        As the page calls it.
    people, epoch : str
        Who is tested, and which weights answer.
    run : str
        Whose predictions.
    peeked : bool
        Whether each fold's best test epoch answers.
    against : str
        Key of the honest row that it is compared with; none for an honest one of its own.
    """

    key: str
    what: str
    people: str
    epoch: str
    run: str
    peeked: bool = False
    against: str = ""


_ROWS = (
    _Row("honest", "new people", "new", "last", "independent"),
    _Row("inner", "new people, epoch chosen on inner folds", "new", "chosen without them", "inner", against="honest"),
    _Row("peeked", "new people, best test epoch", "new", "best for them", "independent", True, "honest"),
    _Row("mixed", "people mixed", "known from training", "last", "mixed", against="honest"),
    _Row(
        "mixed-peeked", "people mixed, best test epoch", "known from training", "best for them", "mixed", True, "honest"
    ),
    _Row("loso", "one person left out", "new", "last", "loso"),
    _Row("loso-peeked", "one person left out, best test epoch of each", "new", "best for each", "loso", True, "loso"),
)


def best_test_epochs(run: RunFolder) -> pd.DataFrame:
    """Predictions of a watched run as they would be published by who keeps each fold's best epoch *on the test clips*.

    This is what must not be done. Of equally good epochs the first counts.

    Parameters
    ----------
    run : RunFolder
        Made with ``watch``.

    Returns
    -------
    pandas.DataFrame
        As :meth:`RunFolder.predictions`, without probabilities, with the epoch.

    Raises
    ------
    UsageError
        If the run's test clips were not watched.
    """
    import pandas as pd

    table = run.predictions(allow_partial=True)
    tables = []
    for unit in run.read()["units"]:
        if run.finished(unit["key"]) is None:
            continue
        path = run.unit_folder(unit["key"]) / "watched.csv"
        if not path.is_file():
            raise UsageError(f"{path}: not there; the run was made without watching its test clips")
        part = table[(table["fold"] == unit["fold"]) & (table["seed"] == unit["seed"])].copy()
        # A row an epoch; its columns are the clips in the order of the predictions.
        answers = pd.read_csv(path, dtype=str, keep_default_na=False).drop(columns="epoch").to_numpy()
        right = (answers == part["label"].to_numpy()).mean(axis=1)
        best = int(right.argmax())
        part["prediction"], part["epoch"] = answers[best], best + 1
        tables.append(part[["fold", "seed", "dataset", "subject", "clip", "label", "prediction", "epoch"]])
    whole: pd.DataFrame = pd.concat(tables, ignore_index=True)
    return whole


def _plan(config: ExperimentConfig, folds: int, parts: Sequence[str]) -> list[PlannedRun]:
    seed = config.seeds[0]
    honest = config.model_copy(
        update={"protocol": "subject-kfold", "protocol_options": {"folds": folds, "seed": seed}, "watch": True}
    )
    chosen = Selection(epochs=True)
    named = {
        "independent": (f"{folds} folds, no person in training and test", honest),
        "mixed": (
            f"{folds} stratified folds, people mixed",
            honest.model_copy(update={"protocol": "stratified-kfold"}),
        ),
        "inner": (
            "as independent, the number of epochs chosen on inner folds of the training side",
            honest.model_copy(update={"watch": False, "selection": chosen}),
        ),
        "loso": ("leave one subject out", honest.model_copy(update={"protocol": "loso", "protocol_options": {}})),
    }
    return [PlannedRun(name, *named[name]) for name in named if name == "independent" or name in parts]


def run_leakage(
    config: ExperimentConfig,
    out: str | os.PathLike[str],
    *,
    folds: int = 5,
    only: Sequence[str] = (),
    look_alike: bool = False,
    jobs: int | None = 1,
    cache: str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
) -> StudyResult:
    """Run one method under honest and leaky protocols and write what each leak is worth; asking again resumes it.

    Parameters
    ----------
    config : ExperimentConfig
        Data, recipe, model, training and one seed; its protocol, selection and watching are replaced. The scheme must
        be given where the data sets have different labels.
    out : str or os.PathLike
        The study's folder; :func:`fleeting.reports.render_report` makes its page.
    folds : int, optional
        Of the two k-folds.
    only : sequence, optional
        Parts of :data:`LEAKAGE_PARTS` to run beside the honest k-fold; all by default.
    look_alike : bool, optional
        Whether the data was made for the study; the page says so, as it does of any synthetic data.
    jobs, cache, observer : int or None and str or os.PathLike or None and Observer or None, optional
        As for :func:`fleeting.experiments.evaluate`.

    Raises
    ------
    UsageError
        If the model has no epochs (it is fitted at once), several seeds are given, or ``out`` holds something else.
    """
    import pandas as pd

    parts = tuple(only) or LEAKAGE_PARTS
    for name in parts:
        if name not in LEAKAGE_PARTS:
            raise unknown_choice("part of study leakage", name, LEAKAGE_PARTS)
    if len(config.seeds) != 1:
        raise UsageError(f"seeds: found {config.seeds}; this study compares protocols and takes one seed")
    if config.training.optimizer == "none":
        raise UsageError(
            f"{config.model} is fitted at once and has no epochs to choose from; take a network, such as ststnet"
        )
    collection = Collection(out)
    identity = {"config": config.model_dump(mode="json"), "folds": folds, "only": list(parts)}
    collection.claim({"kind": "study", "name": "leakage", **identity})
    done = collection.conduct(_plan(config, folds, parts), jobs=jobs, cache=cache, observer=observer)
    if not done["independent"].finished:
        raise FleetingError(f"no fold could be trained: {'; '.join(done['independent'].failed.values())}")
    answers = {
        row.key: best_test_epochs(done[row.run].run)
        if row.peeked
        else done[row.run].run.predictions(allow_partial=True)
        for row in _ROWS
        if row.run in done and done[row.run].finished
    }
    classes = list(done["independent"].run.read()["classes"])
    table = pd.DataFrame([_scored(row, answers, classes) for row in _ROWS if row.key in answers])
    tricks = table[table["key"].isin(["peeked", "mixed", "mixed-peeked", "loso-peeked"])].reset_index(drop=True)
    look_alike = look_alike or any(open_dataset(spec).synthetic for spec in config.data)
    tables = {"protocols": table.drop(columns="key"), "tricks": tricks.drop(columns="key")}
    runs = [one.describe() for one in done.values()]
    unfinished = [run["name"] for run in runs if run["finished"] < run["expected"]]
    collection.write(_content(config, table, runs, unfinished, done, look_alike), tables)
    return StudyResult(collection.path, tables)


def _scored(row: _Row, answers: dict[str, pd.DataFrame], classes: list[str]) -> dict[str, Any]:
    scores = score_all(answers[row.key], classes, intervals=True)
    found: dict[str, Any] = {"key": row.key, "what": row.what, "people": row.people, "epoch": row.epoch}
    found |= {f"{name}{end}": scores[f"{name}{end}"] for name in FIGURES for end in ("", "_low", "_high")}
    honest = answers.get(row.against)
    same = honest is not None and len(honest) == len(answers[row.key])
    if honest is not None and same:
        test = paired_permutation_test(answers[row.key], honest, "uf1", classes=classes)
        found |= {
            "points": 100 * test.difference,
            "points_low": 100 * test.low,
            "points_high": 100 * test.high,
            "p": round(test.p_value, 4),
        }
        for name in ("accuracy", "uar"):
            found[f"points_{name}"] = 100 * (scores[name] - score_all(honest, classes)[name])
    return found


def _content(
    config: ExperimentConfig,
    table: pd.DataFrame,
    runs: list[dict[str, Any]],
    unfinished: list[str],
    done: dict[str, CompletedRun],
    look_alike: bool,
) -> dict[str, Any]:
    by_key = table.set_index("key")
    found = [(key, said) for key, said in _SAID if key in by_key.index and "points" in by_key]
    found.sort(key=lambda one: float(str(by_key.loc[one[0], "points"])), reverse=True)
    summary = [_worth(by_key, key, said) for key, said in found]
    banners: list[dict[str, Any]] = []
    if look_alike:
        text = "The clips are synthetic. How much a leak is worth on real people, only real people can show."
        banners.append({"kind": "alert", "title": "Look-alikes, not the real data", "text": [text]})
    if unfinished:
        reasons = sorted({reason for run in runs for reason in run["failed"]})
        banners.append({"kind": "alert", "title": "Trainings that failed", "text": [", ".join(unfinished), *reasons]})
    majority = float(np.mean([unit["majority"]["accuracy"] for unit in done["independent"].finished]))
    figures = [
        {"key": name, "label": label, "kind": "number", "low": f"{name}_low", "high": f"{name}_high"}
        for name, label in (("accuracy", "accuracy"), ("uf1", "UF1"), ("uar", "UAR"))
    ]
    points = [
        {"key": "points", "label": "UF1", "kind": "number", "low": "points_low", "high": "points_high"},
        {"key": "points_uar", "label": "UAR", "kind": "number"},
        {"key": "points_accuracy", "label": "accuracy", "kind": "number"},
        {"key": "p", "label": "p", "kind": "number"},
    ]
    what = {"key": "what", "label": "protocol", "kind": "text"}
    group = "points over the honest protocol"
    folds = done["independent"].planned.config.protocol_options["folds"]
    last = ", for the last row leaving one person out" if "loso-peeked" in by_key.index else ""
    sections: list[dict[str, Any]] = []
    if "points" in by_key and by_key.index.isin([key for key, _ in _SAID]).any():
        sections.append(
            {
                "id": "worth",
                "title": "What each leak is worth",
                "text": [
                    "Percent points that a leak adds to the honest figure of the same method on the same clips: "
                    f"{folds} folds of new people{last}. Intervals are over people."
                ],
                "tables": [
                    {
                        "file": "tables/tricks.csv",
                        "caption": "p: paired permutation test of UF1, swapping whole people.",
                        "columns": [what, *({**column, "group": group} for column in points)],
                    }
                ],
                "figures": [
                    {
                        "file": "tables/tricks.csv",
                        "type": "bars",
                        "x": "what",
                        "y": ["points"],
                        "title": "Points of UF1 that each leak adds",
                        "x_label": "",
                        "y_label": "points of UF1",
                    }
                ],
            }
        )
    sections.append(
        {
            "id": "protocols",
            "title": "Every protocol",
            "text": [
                f"Always answering the commonest class of the training side scores an accuracy of {majority:.3f}.",
                "All answers of a protocol are pooled before they are scored; intervals are over people.",
            ],
            "tables": [
                {
                    "file": "tables/protocols.csv",
                    "caption": "One method, one set of clips.",
                    "columns": [what, *figures, {**points[0], "label": "points of UF1"}, points[3]],
                }
            ],
            "figures": [
                {
                    "file": "tables/protocols.csv",
                    "type": "bars",
                    "x": "what",
                    "y": ["uf1"],
                    "title": "UF1 by protocol",
                    "x_label": "",
                    "y_label": "UF1",
                }
            ],
        }
    )
    return {
        "kind": "study",
        "name": "leakage",
        "title": "What leakage is worth",
        "paper": "",
        "partial": bool(unfinished),
        "look_alike": look_alike,
        "summary": [
            *summary,
            f"The method: {config.model}, {config.training.epochs} epochs, on {', '.join(config.data)}.",
        ],
        "banners": banners,
        "sections": sections,
        "assumptions": [],
        "notes": [
            "Data, recipe, model, training and seed are the same in all rows; only the split and the choice of the epoch "
            "differ.",
            "“Best test epoch”: of each fold, the epoch with the highest accuracy on its own test clips, the first of "
            "equals. This is what must not be done; no other command of this program can do it.",
            "“Epoch chosen on inner folds”: by UF1 on three inner folds of the training side, by people.",
        ],
        "runs": runs,
    }


_SAID = (
    ("peeked", "Choosing each fold's best test epoch"),
    ("mixed", "Mixing people between training and test"),
    ("mixed-peeked", "Both together"),
    ("loso-peeked", "Choosing each left-out person's best test epoch"),
)


def _worth(rows: pd.DataFrame, key: str, said: str) -> str:
    row = rows.loc[key]
    return (
        f"{said} is worth {row['points']:+.1f} points of UF1 "
        f"[{row['points_low']:+.1f}, {row['points_high']:+.1f}] (p = {row['p']:.2g})."
    )
