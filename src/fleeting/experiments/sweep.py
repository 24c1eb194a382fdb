"""Sweeps: one experiment over a grid of any of its model, recipe, training or protocol fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from fleeting.errors import UsageError
from fleeting.experiments.aggregate import METRICS
from fleeting.experiments.collection import Collection, CompletedRun, PlannedRun
from fleeting.experiments.config import ExperimentConfig, content_key
from fleeting.experiments.observer import Observer
from fleeting.experiments.selection import by_owner
from fleeting.metrics import score_all
from fleeting.records import (
    StudyBanner,
    StudyColumn,
    StudyFigure,
    StudyPage,
    StudySection,
    StudyTable,
    SweepHead,
)
from fleeting.renamed import renamed_argument
from fleeting.sequences import recipe_from_dict
from fleeting.training import TrainingConfig

if TYPE_CHECKING:
    import os

    import pandas as pd

OWNERS = ("recipe", "model", "training", "protocol")


@dataclass(frozen=True)
class Grid:
    """All combinations of some fields' values.

    Parameters
    ----------
    fields : mapping
        Values by field, such as ``{"training.learning_rate": (0.01, 0.001), "model.dropout": (0.3, 0.5)}``. A field is
        ``recipe.X``, ``training.X``, ``model.X`` (an option of the network) or ``protocol.X``.
    title : str, optional
        Heading on the page.
    """

    fields: Mapping[str, Sequence[Any]]
    title: str = ""

    def __post_init__(self) -> None:
        if not self.fields:
            raise UsageError("a grid needs at least one field, such as training.learning_rate=0.01,0.001")
        for name, values in self.fields.items():
            owner, dot, field = name.partition(".")
            if owner not in OWNERS or not dot or not field:
                raise UsageError(
                    f"grid field {name!r}: expected OWNER.FIELD with OWNER one of {', '.join(OWNERS)}, as in "
                    "training.learning_rate"
                )
            if not values or len({repr(value) for value in values}) != len(values):
                raise UsageError(f"grid field {name}: expected at least one value, each once; found {list(values)}")

    def points(self) -> list[dict[str, Any]]:
        """Give every combination, the last field changing fastest."""
        return [dict(zip(self.fields, values, strict=True)) for values in product(*self.fields.values())]


def vary(config: ExperimentConfig, point: Mapping[str, Any]) -> ExperimentConfig:
    """Change some fields of a configuration; every change is checked as if it had been given at first.

    Raises
    ------
    UsageError
        If a field is unknown or its value impossible.
    """
    changes = by_owner(point, OWNERS)
    recipe = recipe_from_dict(config.recipe.model_dump() | changes["recipe"])
    training = TrainingConfig.create(**(config.training.model_dump() | changes["training"] | {"motion": recipe.motion}))
    return config.model_copy(
        update={
            "recipe": recipe,
            "training": training,
            "model_options": {**config.model_options, **changes["model"]},
            "protocol_options": {**config.protocol_options, **changes["protocol"]},
        }
    )


def plan_sweep(config: ExperimentConfig, grids: Sequence[Grid]) -> dict[str, tuple[Grid, dict[str, Any], PlannedRun]]:
    """List the runs of a sweep by ``grid number:point number``; equal configurations share one run."""
    planned: dict[str, tuple[Grid, dict[str, Any], PlannedRun]] = {}
    for number, grid in enumerate(grids):
        for position, point in enumerate(grid.points()):
            varied = vary(config, point)
            what = ", ".join(f"{name} {value}" for name, value in point.items())
            name = f"run-{content_key(varied.model_dump(mode='json'))}"
            planned[f"{number}:{position}"] = (grid, point, PlannedRun(name, what, varied))
    return planned


@renamed_argument("store", "cache")
def run_sweep(
    config: ExperimentConfig,
    grids: Sequence[Grid],
    out: str | os.PathLike[str],
    *,
    title: str = "Sweep",
    paper: str = "",
    jobs: int | None = 1,
    cache: str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
) -> dict[str, pd.DataFrame]:
    """Run an experiment over grids, and write a table and a plot for each; asking again resumes it.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment, all but the fields that vary.
    grids : sequence of Grid
        The fields that vary.
    out : str or os.PathLike
        The sweep's folder; :func:`fleeting.reports.render_report` makes its page.

    Returns
    -------
    dict of str to pandas.DataFrame
        One table per grid: the fields, then accuracy, UF1 and UAR pooled over folds with intervals over subjects, the
        majority-class accuracy, and how many trainings collapsed.
    """
    import pandas as pd

    # Impossible values are told before a folder is made.
    planned = plan_sweep(config, grids)
    collection = Collection(out)
    collection.claim(
        SweepHead(
            kind="sweep",
            config=config.model_dump(mode="json"),
            grids=[{name: list(values) for name, values in grid.fields.items()} for grid in grids],
        )
    )
    unique = {run.name: run for _, _, run in planned.values()}
    done = collection.conduct(list(unique.values()), jobs=jobs, cache=cache, observer=observer)
    tables: dict[str, pd.DataFrame] = {}
    for number in range(len(grids)):
        rows = [
            {**point, "setting": ", ".join(str(value) for value in point.values()), **_outcome(done[run.name])}
            for key, (_, point, run) in planned.items()
            if int(key.split(":")[0]) == number
        ]
        tables[f"grid{number + 1}"] = pd.DataFrame(rows)
    collection.write(_page(title, paper, grids, done), tables)
    return tables


def _page(title: str, paper: str, grids: Sequence[Grid], done: Mapping[str, CompletedRun]) -> StudyPage:
    runs = tuple(one.describe() for one in done.values())
    unfinished = [run.what for run in runs if not run.whole]
    banners = []
    if unfinished:
        reasons = sorted({reason for run in runs for reason in run.failed})
        text = ("; ".join(unfinished), *reasons)
        banners.append(StudyBanner(kind="alert", title="Trainings that failed", text=text))
    return StudyPage(
        kind="sweep",
        name="sweep",
        title=title,
        paper=paper,
        partial=bool(unfinished),
        summary=(f"{len(runs)} settings, {sum(run.finished for run in runs)} trainings.",),
        banners=tuple(banners),
        sections=tuple(_section(f"grid{number}", grid) for number, grid in enumerate(grids, start=1)),
        notes=(
            "Whoever picks the best of these settings by its test accuracy has used the test clips for the choice: "
            "the figure of the chosen one flatters.",
        ),
        runs=runs,
    )


def _outcome(completed: CompletedRun) -> dict[str, Any]:
    units = completed.finished
    if not units:
        return {"status": "failed"}
    predictions = completed.run.predictions(allow_partial=True)
    scores = score_all(predictions, completed.run.read().classes, intervals=True)
    weight = sum(unit.n_test for unit in units)
    return {name: scores[name] for metric in METRICS for name in (metric, f"{metric}_low", f"{metric}_high")} | {
        "majority_accuracy": sum((unit.majority.accuracy or 0.0) * unit.n_test for unit in units) / weight,
        "collapsed": f"{sum(unit.collapse.collapsed for unit in units)} of {completed.expected}",
        "status": "ok" if len(units) == completed.expected else "partial",
    }


def _section(name: str, grid: Grid) -> StudySection:
    fields = list(grid.fields)
    varied = [StudyColumn(key=field, label=field) for field in fields]
    measured = {
        metric: StudyColumn(
            key=metric,
            label=metric,
            unit="share",
            role="measured",
            low=f"{metric}_low",
            high=f"{metric}_high",
            state="status",
        )
        for metric in METRICS
    }
    majority = StudyColumn(key="majority_accuracy", label="majority", unit="share", role="majority", state="status")
    others = [
        majority,
        StudyColumn(key="collapsed", label="collapsed", role="collapsed", state="status"),
        StudyColumn(key="status", unit="state"),
    ]
    figure = StudyFigure(
        file=f"tables/{name}.csv",
        type="bars",
        x=varied[0] if len(fields) == 1 else StudyColumn(key="setting", label="setting"),
        y=(measured["accuracy"], majority),
        title=f"Accuracy by {', '.join(fields)}",
        x_label=", ".join(fields),
        y_label="accuracy",
    )
    columns = (*varied, *measured.values(), *others)
    return StudySection(
        id=name,
        title=grid.title or f"By {', '.join(fields)}",
        text=("Pooled over folds, with 95 % intervals over subjects.",),
        tables=(StudyTable(file=f"tables/{name}.csv", caption="One row per setting.", columns=columns),),
        figures=(figure,),
    )
