"""Leakage and its worth: one method under an honest protocol, and under those that flatter it, in percent points.

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
from fleeting.records import StudyBanner, StudyColumn, StudyFigure, StudyPage, StudySection, StudyTable
from fleeting.studies.base import LOOK_ALIKE_TITLE, StudyResult, failure_banner

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
        Name on the page.
    people, epoch : str
        The people who are tested, and the weights that answer.
    run : str
        The run that it takes predictions of.
    peeked : bool
        If True, each fold's best test epoch answers.
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
    """Give the predictions of a watched run that keep each fold's best epoch *on the test clips*.

    This is what must not be done. Of equally good epochs the first counts.

    Parameters
    ----------
    run : RunFolder
        A run that watched its test clips.

    Returns
    -------
    pandas.DataFrame
        The columns of :meth:`RunFolder.predictions` without the probabilities, and ``epoch``.

    Raises
    ------
    UsageError
        If the run's test clips were not watched.
    """
    import pandas as pd

    table = run.predictions(allow_partial=True)
    tables = []
    for unit in run.units():
        part = table[(table["fold"] == unit.fold) & (table["seed"] == unit.seed)].copy()
        answers = np.array(run.watched(unit).answers)
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
        Folds of the two k-folds.
    only : sequence of str, optional
        Parts of :data:`LEAKAGE_PARTS` to run beside the honest k-fold; all by default.
    look_alike : bool, optional
        If True, the data was made for the study; the page says so, as it does of any synthetic data.
    jobs : int or None, optional
        Processes, as for :func:`fleeting.experiments.evaluate`.
    cache : str or os.PathLike or None, optional
        Root of the sequence cache.
    observer : Observer or None, optional
        Object that is told of the progress.

    Raises
    ------
    UsageError
        If the model has no epochs (it is fitted at once), several seeds are given, or ``out`` holds something else.
    """
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
    table = _table(done)
    tricks = table[table["key"].isin([key for key, _ in _LEAKS])].reset_index(drop=True)
    look_alike = look_alike or any(open_dataset(spec).synthetic for spec in config.data)
    tables = {"protocols": table.drop(columns="key"), "tricks": tricks.drop(columns="key")}
    collection.write(_page(config, table, done, look_alike), tables)
    return StudyResult(collection.path, tables)


def _table(done: dict[str, CompletedRun]) -> pd.DataFrame:
    """A row per way to evaluate."""
    import pandas as pd

    answers = {
        row.key: best_test_epochs(done[row.run].run)
        if row.peeked
        else done[row.run].run.predictions(allow_partial=True)
        for row in _ROWS
        if row.run in done and done[row.run].finished
    }
    classes = list(done["independent"].run.read().classes)
    return pd.DataFrame([_scored(row, answers, classes) for row in _ROWS if row.key in answers])


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


def _page(
    config: ExperimentConfig,
    table: pd.DataFrame,
    done: dict[str, CompletedRun],
    look_alike: bool,
) -> StudyPage:
    by_key = table.set_index("key")
    runs = tuple(one.describe() for one in done.values())
    banners = failure_banner(runs)
    if look_alike:
        text = "The clips are synthetic. How much a leak is worth on real people, only real people can show."
        banners.insert(0, StudyBanner(kind="look-alike", title=LOOK_ALIKE_TITLE, text=(text,)))
    return StudyPage(
        kind="study",
        name="leakage",
        title="What leakage is worth",
        partial=not all(run.whole for run in runs),
        look_alike=look_alike,
        summary=(
            *_summary(by_key),
            f"The method: {config.model}, {config.training.epochs} epochs, on {', '.join(config.data)}.",
        ),
        banners=tuple(banners),
        sections=(*_worth_section(by_key, done), _protocols_section(done)),
        notes=(
            "Data, recipe, model, training and seed are the same in all rows; only the split and the choice of the epoch "
            "differ.",
            "“Best test epoch”: of each fold, the epoch with the highest accuracy on its own test clips, the first of "
            "equals. This is what must not be done; no other command of this program can do it.",
            "“Epoch chosen on inner folds”: by UF1 on three inner folds of the training side, by people.",
        ),
        runs=runs,
    )


_WHAT = StudyColumn(key="what", label="protocol")
_SCORES = tuple(
    StudyColumn(key=name, label=label, unit="score", role="measured", low=f"{name}_low", high=f"{name}_high")
    for name, label in (("accuracy", "accuracy"), ("uf1", "UF1"), ("uar", "UAR"))
)
_POINTS = StudyColumn(key="points", label="UF1", unit="points", role="measured", low="points_low", high="points_high")
_P = StudyColumn(key="p", label="p", unit="number")
_GAINS = (
    _POINTS,
    StudyColumn(key="points_uar", label="UAR", unit="points", role="measured"),
    StudyColumn(key="points_accuracy", label="accuracy", unit="points", role="measured"),
    _P,
)


def _worth_section(by_key: pd.DataFrame, done: dict[str, CompletedRun]) -> list[StudySection]:
    """The section on what each leak adds; none if no leak was run."""
    if "points" not in by_key or not by_key.index.isin([key for key, _ in _LEAKS]).any():
        return []
    folds = done["independent"].planned.config.protocol_options["folds"]
    last = ", for the last row leaving one person out" if "loso-peeked" in by_key.index else ""
    group = "points over the honest protocol"
    columns = (_WHAT, *(column.model_copy(update={"group": group}) for column in _GAINS))
    text = (
        "Percent points that a leak adds to the honest figure of the same method on the same clips: "
        f"{folds} folds of new people{last}. Intervals are over people."
    )
    caption = "p: paired permutation test of UF1, swapping whole people."
    figure = StudyFigure(
        file="tables/tricks.csv",
        type="bars",
        x=_WHAT,
        y=(columns[1],),
        title="Points of UF1 that each leak adds",
        y_label="points of UF1",
    )
    table = StudyTable(file="tables/tricks.csv", caption=caption, columns=columns)
    return [StudySection(id="worth", title="What each leak is worth", text=(text,), tables=(table,), figures=(figure,))]


def _protocols_section(done: dict[str, CompletedRun]) -> StudySection:
    shares = [unit.majority.accuracy for unit in done["independent"].finished]
    majority = float(np.mean([share for share in shares if share is not None]))
    columns = (_WHAT, *_SCORES, _POINTS.model_copy(update={"label": "points of UF1"}), _P)
    figure = StudyFigure(
        file="tables/protocols.csv",
        type="bars",
        x=_WHAT,
        y=(_SCORES[1],),
        title="UF1 by protocol",
        y_label="UF1",
    )
    return StudySection(
        id="protocols",
        title="Every protocol",
        text=(
            f"Always answering the commonest class of the training side scores an accuracy of {majority:.3f}.",
            "All answers of a protocol are pooled before they are scored; intervals are over people.",
        ),
        tables=(StudyTable(file="tables/protocols.csv", caption="One method, one set of clips.", columns=columns),),
        figures=(figure,),
    )


_LEAKS = (
    ("peeked", "Choosing each fold's best test epoch"),
    ("mixed", "Mixing people between training and test"),
    ("mixed-peeked", "Both together"),
    ("loso-peeked", "Choosing each left-out person's best test epoch"),
)


def _summary(rows: pd.DataFrame) -> list[str]:
    """One sentence per leak, the worst first."""
    found = [(key, said) for key, said in _LEAKS if key in rows.index and "points" in rows]
    found.sort(key=lambda one: float(str(rows.loc[one[0], "points"])), reverse=True)
    return [_worth(rows, key, said) for key, said in found]


def _worth(rows: pd.DataFrame, key: str, said: str) -> str:
    row = rows.loc[key]
    return (
        f"{said} is worth {row['points']:+.1f} points of UF1 "
        f"[{row['points_low']:+.1f}, {row['points_high']:+.1f}] (p = {row['p']:.2g})."
    )
