"""What every study is: runs to conduct, and sections that set what came out beside what was published."""

from __future__ import annotations

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
from fleeting.registry import Registry, warn_nameless
from fleeting.renamed import renamed_argument

if TYPE_CHECKING:
    import pandas as pd

    from fleeting.clips import Clip


def look_alike_warning(scale: float) -> str:
    """What stands at the top of every page made from look-alikes."""
    size = (
        "with the true numbers of clips, classes and subjects and the true frame rates and lengths"
        if scale == 1
        else f"at {scale:.0%} of the true size".replace("%", " %")
    )
    return (
        f"The clips are synthetic look-alikes {size}. The published figures stand beside them to show the page; no "
        "measured figure here says anything about the real data sets or about the papers."
    )


@dataclass(frozen=True)
class Section:
    """A part of the page, with its tables; ``content`` follows the format of ``study.json``."""

    content: dict[str, Any]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class Study(ABC):
    """A paper's experiments.

    Parameters
    ----------
    sets : mapping, optional
        Data sets by kind (``casme2``, ``smic``, ``samm``), each ``KIND:PATH``; a set that is missing leaves its rows
        "not run".
    epochs : int or None, optional
        Instead of the paper's; the page says so.
    only : tuple of str, optional
        Parts to run; all by default.
    columns : tuple of str, optional
        Variants to run; all by default.
    seed : int, optional
        Of splits and weights.
    look_alike, scale : bool and float, optional
        Whether the sets are synthetic look-alikes, and their share of the true size.
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
        """Whether a part was asked for."""
        return not self.only or part in self.only

    def chosen(self) -> tuple[str, ...]:
        """The variants that were asked for, in the study's order."""
        return tuple(name for name in self.variants if not self.columns or name in self.columns)

    def training(self, paper: Mapping[str, Any]) -> dict[str, Any]:
        """The paper's training with the epochs that were asked for."""
        return {**paper, **({} if self.epochs is None else {"epochs": self.epochs})}

    def clips(self) -> dict[str, list[Clip]]:
        """The clips of each set, named by the study's label scheme."""
        return {name: list(apply_scheme(load_clips([spec]), self.scheme)) for name, spec in self.sets.items()}

    @abstractmethod
    def plan(self) -> list[PlannedRun]:
        """All runs, in the order of the paper."""

    @abstractmethod
    def sections(self, clips: Mapping[str, Sequence[Clip]], done: Mapping[str, CompletedRun]) -> list[Section]:
        """The page's sections, in the order of the paper; runs that are absent leave "not run"."""


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
        How :func:`find_study` calls it.

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
    study: Study,
    out: str | os.PathLike[str],
    *,
    jobs: int | None = 1,
    cache: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    observer: Observer | None = None,
) -> StudyResult:
    """Conduct a study and write its tables; asking again resumes it.

    Parameters
    ----------
    study : Study
        For instance ``Talluri2022(sets={"smic": "smic:PATH"})``.
    out : str or os.PathLike
        The study's folder; :func:`fleeting.reports.render_report` makes its page.
    jobs : int or None, optional
        Processes, one thread each; 0 or ``None`` for one per core, on CUDA for up to four, which share the card.
    cache : str or os.PathLike or None, optional
        Root of the sequence cache.
    device : str, optional
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    observer : Observer or None, optional
        What is told of the progress.

    Raises
    ------
    UsageError
        If the study cannot be run like this, or ``out`` holds something else.
    """
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
    runs = [one.describe() for one in done.values()]
    missing = [name for name in study.needs if name not in study.sets]
    unfinished = [run["name"] for run in runs if run["finished"] < run["expected"]]
    banners: list[dict[str, Any]] = []
    if study.look_alike:
        banners.append(
            {"kind": "alert", "title": "Look-alikes, not the real data", "text": [look_alike_warning(study.scale)]}
        )
    if missing:
        text = f"{', '.join(missing)} not given: the rows that need it are marked “not run”."
        banners.append({"kind": "note", "title": "Data sets that are missing", "text": [text]})
    if unfinished:
        reasons = sorted({reason for run in runs for reason in run["failed"]})
        banners.append({"kind": "alert", "title": "Trainings that failed", "text": [", ".join(unfinished), *reasons]})
    if study.epochs is not None:
        text = f"The paper's 100 epochs became {study.epochs}, other numbers of epochs in proportion."
        banners.append({"kind": "note", "title": "Another number of epochs", "text": [text]})
    trainings = sum(run["finished"] for run in runs)
    collapsed = sum(run["collapsed"] for run in runs)
    content = {
        "kind": "study",
        "name": study.name,
        "title": study.title,
        "paper": study.paper,
        "partial": bool(unfinished),
        "look_alike": study.look_alike,
        "summary": [
            f"{trainings} trainings; {collapsed} of them collapsed to a constant or nearly constant answer.",
            "Beside every accuracy, published or measured, stands that of always answering the training clips' commonest "
            "class.",
        ],
        "banners": banners,
        "sections": [section.content for section in sections],
        "assumptions": list(study.assumptions),
        "notes": [],
        "runs": runs,
    }
    collection.write(content, tables)
    return StudyResult(collection.path, tables)


def score(predictions: pd.DataFrame, labels: Mapping[int, Sequence[str]]) -> dict[str, Any]:
    """Accuracy as the papers average it (the mean of folds), with an interval over subjects and the majority class.

    Parameters
    ----------
    predictions : pandas.DataFrame
        Of all folds, with the columns ``fold, dataset, subject, label, prediction``.
    labels : mapping
        The training labels of each fold.

    Returns
    -------
    dict of str to object
        Dict with ``accuracy, low, high, majority, clips``.
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


def percent_columns(prefix: str, label: str) -> list[dict[str, Any]]:
    """The columns of one measured accuracy on the page: the figure with its interval, and the majority class."""
    return [
        {
            "key": f"{prefix}_accuracy",
            "label": "accuracy",
            "kind": "percent",
            "low": f"{prefix}_low",
            "high": f"{prefix}_high",
            "group": label,
        },
        {"key": f"{prefix}_majority", "label": "majority", "kind": "percent", "group": label},
        {"key": f"{prefix}_collapsed", "label": "collapsed", "kind": "text", "group": label},
    ]
