"""Several runs that belong together, a study's or a sweep's: they share preparation, one pool of processes, one page.

Layout of a collection::

    <out>/study.json          what it is, its sections, and what came out; rewritten as it goes on
    <out>/runs/<name>/        a run folder each
    <out>/tables/<name>.csv   what the page shows
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from fleeting.errors import UsageError
from fleeting.experiments.aggregate import aggregate
from fleeting.experiments.config import ExperimentConfig
from fleeting.experiments.execute import run_units
from fleeting.experiments.machine import machine, versions
from fleeting.experiments.observer import Observer
from fleeting.experiments.plan import StartedRun, start_run
from fleeting.experiments.prepare import PreparedData, prepare_clips
from fleeting.experiments.run import RunFolder
from fleeting.records import (
    CollectionHead,
    StudyFile,
    StudyPage,
    StudyRun,
    UnitRecord,
    claim_folder,
    explain_invalid,
    work_alone,
    write_frame,
)
from fleeting.renamed import renamed_argument
from fleeting.training.device import device_for

if TYPE_CHECKING:
    import os

    import pandas as pd

__all__ = ["Collection", "CompletedRun", "PlannedRun"]

_HEAD = "collection.json"


@dataclass(frozen=True)
class PlannedRun:
    """One run of a collection.

    Parameters
    ----------
    name : str
        Its folder under ``runs/``.
    what : str
        One sentence about it.
    config : ExperimentConfig
        The experiment.
    """

    name: str
    what: str
    config: ExperimentConfig


@dataclass
class CompletedRun:
    """A planned run and its outcome.

    Attributes
    ----------
    failed : dict of str to str
        Why units failed (a training that diverged), by key.
    """

    planned: PlannedRun
    run: RunFolder
    expected: int
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def finished(self) -> list[UnitRecord]:
        """The records of all finished units."""
        return self.run.units()

    def describe(self) -> StudyRun:
        """Describe the run for the page's list of runs."""
        finished = self.finished
        return StudyRun(
            name=self.planned.name,
            folder=f"runs/{self.planned.name}",
            what=self.planned.what,
            finished=len(finished),
            expected=self.expected,
            collapsed=sum(unit.collapse.collapsed for unit in finished),
            failed=tuple(self.failed.values()),
        )


class Collection:
    """A folder of runs that belong together.

    Parameters
    ----------
    path : str or os.PathLike
        The folder; new, empty, or of the same collection.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def claim(self, identity: CollectionHead | Mapping[str, Any]) -> None:
        """Take the folder for this collection, or check that it holds the same one.

        Parameters
        ----------
        identity : CollectionHead or mapping
            Request that the folder answers; every field counts.

        Raises
        ------
        UsageError
            If it holds something else; says what differs.
        FleetingError
            If it cannot be written to, or its head is damaged.
        """
        path = self.path / _HEAD
        given = identity.to_json() if isinstance(identity, CollectionHead) else json.loads(json.dumps(dict(identity)))
        try:
            head = CollectionHead(**given)
        except ValidationError as exc:
            raise UsageError(f"this collection cannot be written down: {explain_invalid(exc)}") from exc
        if not claim_folder(self.path, _HEAD):
            head.write(path)
            return
        differing = CollectionHead.read(path).differences(head)
        if differing:
            shown = "; ".join(f"{name}: {old!r} there, {new!r} now" for name, (old, new) in list(differing.items())[:3])
            raise UsageError(
                f"{self.path}: holds another collection of runs ({shown}). Choose another --out, or ask for "
                "the same to resume it"
            )

    @renamed_argument("store", "cache")
    def conduct(
        self,
        planned: Sequence[PlannedRun],
        *,
        jobs: int | None = 1,
        cache: str | os.PathLike[str] | None = None,
        observer: Observer | None = None,
    ) -> dict[str, CompletedRun]:
        """Run everything that is not finished yet, units of all runs side by side, and score each run.

        A unit that fails does not end the others; its run is scored without it and says so.

        Parameters
        ----------
        planned : sequence of PlannedRun
            The runs.
        jobs : int or None, optional
            Processes, as for :func:`~fleeting.experiments.evaluate`.
        cache : str or os.PathLike or None, optional
            Root of the sequence cache.
        observer : Observer or None, optional
            Receiver of the progress.

        Returns
        -------
        dict of str to CompletedRun
            Outcome of each run, by name.

        Raises
        ------
        UsageError
            Before anything is done, if the device of a run is absent.
        """
        with work_alone(self.path):
            return self._conduct(planned, jobs, cache, observer or Observer())

    def _conduct(
        self,
        planned: Sequence[PlannedRun],
        jobs: int | None,
        cache: str | os.PathLike[str] | None,
        observer: Observer,
    ) -> dict[str, CompletedRun]:
        for plan in planned:
            device_for(plan.config.training, plan.config.device)
        shared: dict[tuple[Any, ...], PreparedData] = {}
        started: dict[str, StartedRun] = {}
        for plan in planned:
            config = plan.config
            key = (config.data, config.effective_scheme, config.classes, config.recipe)
            if key not in shared:
                shared[key] = prepare_clips(config, cache=cache, jobs=jobs, observer=observer)
            started[plan.name] = start_run(
                config, self.path / "runs" / plan.name, prepared=shared[key], observer=observer, samples=False
            )
        todo = [job for one in started.values() for job in one.todo]
        n_units = sum(one.n_units for one in started.values())
        failed = run_units(todo, n_units, jobs, observer, keep_going=True)
        completed: dict[str, CompletedRun] = {}
        for plan in planned:
            one = started[plan.name]
            mine = {job.key: failed[job.key] for job in one.todo if job.key in failed}
            completed[plan.name] = CompletedRun(plan, one.run, one.n_units, mine)
            if completed[plan.name].finished:
                aggregate(one.run, allow_partial=True)
        return completed

    def write(self, page: StudyPage, tables: Mapping[str, pd.DataFrame]) -> Path:
        """Write the tables and then ``study.json``, from which the page is made.

        Parameters
        ----------
        page : StudyPage
            The page; time, versions, machine and the digests of the tables are added.
        tables : mapping of str to pandas.DataFrame
            Tables by name, written as ``tables/<name>.csv``.

        Raises
        ------
        FleetingError
            If a file cannot be written.
        """
        files = {}
        for name, table in tables.items():
            path = write_frame(self.path / "tables" / f"{name}.csv", table)
            files[f"tables/{name}.csv"] = StudyFile(rows=len(table), sha256=sha256(path.read_bytes()).hexdigest())
        own = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": files,
            "versions": versions(),
            "machine": machine(),
        }
        return page.model_copy(update=own).write(self.path / "study.json")
