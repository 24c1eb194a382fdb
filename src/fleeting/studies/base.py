"""The form of every study: runs to conduct, and sections that set what came out beside what was published."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

import numpy as np

from fleeting.datasets import apply_scheme, load_clips
from fleeting.errors import FleetingError, UsageError, unknown_choice
from fleeting.experiments import Collection, CompletedRun, Observer, PlannedRun
from fleeting.metrics import bootstrap_interval, majority_accuracy
from fleeting.records import HistoryRow, StudyBanner, StudyPage, StudyRun, StudySection
from fleeting.registry import Registry, warn_nameless
from fleeting.renamed import renamed_argument

if TYPE_CHECKING:
    import pandas as pd

    from fleeting.clips import Clip

#: Title of the banner on pages whose clips are synthetic.
LOOK_ALIKE_TITLE = "Look-alikes, not the real data"


def look_alike_banner(scale: float) -> StudyBanner:
    """Make the banner that stands at the top of every page made from look-alikes.

    Parameters
    ----------
    scale : float
        Share of the true size.
    """
    size = (
        "with the true numbers of clips, classes and subjects and the true frame rates and lengths"
        if scale == 1
        else f"at {scale:.0%} of the true size".replace("%", " %")
    )
    text = (
        f"The clips are synthetic look-alikes {size}. The published figures stand beside them to show the page; no "
        "measured figure here says anything about the real data sets or about the papers."
    )
    return StudyBanner(kind="look-alike", title=LOOK_ALIKE_TITLE, text=(text,))


def failure_banner(runs: Sequence[StudyRun]) -> list[StudyBanner]:
    """Make the banner that names the runs of which trainings failed, and why; none if all are whole."""
    unfinished = [run.name for run in runs if not run.whole]
    if not unfinished:
        return []
    reasons = sorted({reason for run in runs for reason in run.failed})
    return [StudyBanner(kind="alert", title="Trainings that failed", text=(", ".join(unfinished), *reasons))]


@dataclass(frozen=True)
class Section:
    """A part of the page, with its tables.

    Parameters
    ----------
    content : StudySection
        The part; its tables and figures name files ``tables/<name>.csv``.
    tables : dict of str to pandas.DataFrame, optional
        The tables by name.
    """

    content: StudySection
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class Study(ABC):
    """A paper's experiments.

    Parameters
    ----------
    sets : mapping of str to str, optional
        Data sets by kind (``casme2``, ``smic``, ``samm``), each ``KIND:PATH``; a set that is missing leaves its rows
        "not run".
    epochs : int or None, optional
        Epochs instead of the paper's; the page says so.
    only : tuple of str, optional
        Parts to run; all by default.
    columns : tuple of str, optional
        Variants to run; all by default.
    seed : int, optional
        Random seed of splits and weights.
    look_alike : bool, optional
        If True, the sets are synthetic look-alikes.
    scale : float, optional
        Share of the true size that they have.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    scheme: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    parts: ClassVar[tuple[str, ...]]
    variants: ClassVar[tuple[str, ...]]
    assumptions: ClassVar[tuple[str, ...]]

    sets: Mapping[str, str] = field(default_factory=dict)
    epochs: int | None = None
    only: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    seed: int = 0
    look_alike: bool = False
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name in self.sets:
            if name not in self.needs:
                raise unknown_choice(f"data set of study {self.name}", name, self.needs)
        if not self.sets:
            raise UsageError(
                f"study {self.name} needs a data set: {', '.join('--' + name for name in self.needs)} PATH, or --look-alike"
            )
        for given, known, what in ((self.only, self.parts, "part"), (self.columns, self.variants, "column")):
            for name in given:
                if name not in known:
                    raise unknown_choice(f"{what} of study {self.name}", name, known)
        if self.epochs is not None and self.epochs < 1:
            raise UsageError(f"--epochs: found {self.epochs}; expected at least 1")

    def wants(self, part: str) -> bool:
        """Tell whether a part was asked for."""
        return not self.only or part in self.only

    def chosen(self) -> tuple[str, ...]:
        """List the variants that were asked for, in the study's order."""
        return tuple(name for name in self.variants if not self.columns or name in self.columns)

    def training(self, paper: Mapping[str, Any]) -> dict[str, Any]:
        """Give the paper's training with the epochs that were asked for."""
        return {**paper, **({} if self.epochs is None else {"epochs": self.epochs})}

    def clips(self) -> dict[str, list[Clip]]:
        """Load the clips of each set, named by the study's label scheme."""
        return {name: list(apply_scheme(load_clips([spec]), self.scheme)) for name, spec in self.sets.items()}

    @abstractmethod
    def plan(self) -> list[PlannedRun]:
        """List all runs, in the order of the paper."""

    @abstractmethod
    def sections(self, clips: Mapping[str, Sequence[Clip]], done: Mapping[str, CompletedRun]) -> list[Section]:
        """Make the page's sections, in the order of the paper; runs that are absent leave "not run"."""


STUDIES: Registry[type[Study]] = Registry("study")
S = TypeVar("S", bound=type[Study])


@overload
def register_study(name: str) -> Callable[[S], S]: ...


@overload
def register_study(name: S) -> S: ...


def register_study(name: Any) -> Any:
    """Make a study known by name, which becomes its class attribute; use it as a class decorator.

    Parameters
    ----------
    name : str
        Name that :func:`find_study` finds it by.

    Raises
    ------
    UsageError
        If the name is taken, or is no name.
    """
    if isinstance(name, type):
        own = str(getattr(name, "name", ""))
        warn_nameless("register_study", own)
        return register_study(own)(name)

    def register(study: S) -> S:
        study.name = STUDIES.add(name, study)
        return study

    return register


def find_study(name: str) -> type[Study]:
    """Find a study by name.

    Raises
    ------
    UsageError
        If none has that name; lists those there are.
    """
    return STUDIES.find(name)


def list_studies(pattern: str = "*") -> list[str]:
    """List the names of the registered studies that match a wildcard, sorted."""
    return STUDIES.list(pattern)


@dataclass(frozen=True)
class StudyResult:
    """A conducted study: its folder and the tables of its page."""

    path: Path
    tables: dict[str, pd.DataFrame]


def look_alikes(
    folder: str | os.PathLike[str],
    needs: Sequence[str],
    *,
    seed: int = 0,
    scale: float = 1.0,
    jobs: int | None = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """Write synthetic look-alikes of data sets and return them as ``KIND:PATH`` by kind."""
    from fleeting.synthesis import write_look_alike

    made: dict[str, str] = {}
    for name in needs:
        path = Path(folder) / name
        write_look_alike(path, name, seed=seed, scale=scale, jobs=jobs, progress=progress)
        made[name] = f"{name}:{path}"
    return made


@renamed_argument("store", "cache")
def run_study(
    study: Study | str,
    out: str | os.PathLike[str],
    *,
    jobs: int | None = 1,
    cache: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    observer: Observer | None = None,
    **options: Any,
) -> StudyResult:
    """Conduct a study and write its tables; asking again resumes it.

    Parameters
    ----------
    study : Study or str
        For instance ``Talluri2022(sets={"smic": "smic:PATH"})``, or the name of a registered study.
    out : str or os.PathLike
        The study's folder; :func:`fleeting.reports.render_report` makes its page.
    jobs : int or None, optional
        Processes, one thread each; 0 or ``None`` for one per core, on CUDA for up to four, which share the card.
    cache : str or os.PathLike or None, optional
        Root of the sequence cache.
    device : str, optional
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    observer : Observer or None, optional
        Object that is told of the progress.
    **options : object
        Parameters of a study that is named, such as ``sets``.

    Raises
    ------
    UsageError
        If the study cannot be run like this, or ``out`` holds something else.
    """
    if isinstance(study, str):
        study = find_study(study)(**options)
    elif options:
        raise UsageError(f"run_study: found {', '.join(options)} beside a study; expected them with a name only")
    collection = Collection(out)
    collection.claim(
        {
            "kind": "study",
            "name": study.name,
            "sets": dict(study.sets),
            "epochs": study.epochs,
            "only": study.only,
            "columns": study.columns,
            "seed": study.seed,
        }
    )
    clips = study.clips()
    planned = [replace(one, config=one.config.model_copy(update={"device": device})) for one in study.plan()]
    if not planned:
        raise FleetingError(
            f"study {study.name}: nothing to run with {', '.join(study.sets)} and {', '.join(study.only) or 'all parts'}"
        )
    done = collection.conduct(planned, jobs=jobs, cache=cache, observer=observer)
    sections = study.sections(clips, done)
    tables = {name: table for section in sections for name, table in section.tables.items()}
    runs = tuple(one.describe() for one in done.values())
    collection.write(_page(study, sections, runs), tables)
    return StudyResult(collection.path, tables)


def _page(study: Study, sections: Sequence[Section], runs: tuple[StudyRun, ...]) -> StudyPage:
    trainings, collapsed = sum(run.finished for run in runs), sum(run.collapsed for run in runs)
    return StudyPage(
        kind="study",
        name=study.name,
        title=study.title,
        paper=study.paper,
        partial=not all(run.whole for run in runs),
        look_alike=study.look_alike,
        summary=(
            f"{trainings} trainings; {collapsed} of them collapsed to a constant or nearly constant answer.",
            "Beside every accuracy, published or measured, stands that of always answering the training clips' commonest "
            "class.",
        ),
        banners=tuple(_banners(study, runs)),
        sections=tuple(section.content for section in sections),
        assumptions=study.assumptions,
        runs=runs,
    )


def _banners(study: Study, runs: Sequence[StudyRun]) -> list[StudyBanner]:
    banners = [look_alike_banner(study.scale)] if study.look_alike else []
    missing = [name for name in study.needs if name not in study.sets]
    if missing:
        text = f"{', '.join(missing)} not given: the rows that need it are marked “not run”."
        banners.append(StudyBanner(kind="note", title="Data sets that are missing", text=(text,)))
    banners += failure_banner(runs)
    if study.epochs is not None:
        text = f"The paper's 100 epochs became {study.epochs}, other numbers of epochs in proportion."
        banners.append(StudyBanner(kind="note", title="Another number of epochs", text=(text,)))
    return banners


def score(predictions: pd.DataFrame, labels: Mapping[int, Sequence[str]]) -> dict[str, Any]:
    """Score predictions as the papers average them (the mean of folds), with an interval over subjects.

    Parameters
    ----------
    predictions : pandas.DataFrame
        Predictions of all folds, with the columns ``fold, dataset, subject, clip, label, prediction``.
    labels : mapping of int to sequence of str
        The training labels of each fold.

    Returns
    -------
    dict of str to object
        The fields ``accuracy``, ``low`` and ``high`` (its 95 % interval), ``majority`` (what always answering the
        training side's commonest class reaches) and ``clips`` (their number).
    """
    right = (predictions["label"] == predictions["prediction"]).groupby(predictions["fold"]).mean()
    interval = bootstrap_interval(predictions, "accuracy")
    majority = [
        majority_accuracy(labels[fold], predictions.loc[predictions["fold"] == fold, "label"].tolist()).accuracy
        for fold in sorted(labels)
    ]
    clips = predictions[["dataset", "subject", "clip"]].drop_duplicates()
    return {
        "accuracy": float(right.mean()),
        "low": interval.low,
        "high": interval.high,
        "majority": float(np.mean(majority)),
        "clips": len(clips),
    }


def best_watched(history: Sequence[HistoryRow]) -> float:
    """Give the highest accuracy that a watched training reached on its test clips; NaN if they were not watched."""
    return max((row.val_accuracy for row in history if row.val_accuracy is not None), default=math.nan)
