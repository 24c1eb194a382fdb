"""Several runs that belong together, a study's or a sweep's: they share preparation, one pool of processes, one page.

Layout of a collection::

    <out>/study.json          what it is, its sections, and what came out; rewritten as it goes on
    <out>/runs/<name>/        a run folder each
    <out>/tables/<name>.csv   what the page shows
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleeting.errors import FleetingError, UsageError
from fleeting.experiments.aggregate import aggregate
from fleeting.experiments.config import ExperimentConfig
from fleeting.experiments.machine import machine, versions
from fleeting.experiments.run import FORMAT, RunFolder
from fleeting.experiments.runner import Observer, PreparedData, StartedRun, begin, prepare_clips, run_units
from fleeting.files import write_csv, write_json
from fleeting.renamed import renamed_argument
from fleeting.training.device import device_for

if TYPE_CHECKING:
    import os

    import pandas as pd


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
        What is run.
    """

    name: str
    what: str
    config: ExperimentConfig


@dataclass
class CompletedRun:
    """What came of a planned run.

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
    def finished(self) -> list[dict[str, Any]]:
        """The ``unit.json`` of every finished unit."""
        done = [self.run.finished(unit["key"]) for unit in self.run.read()["units"]]
        return [unit for unit in done if unit is not None]

    def describe(self) -> dict[str, Any]:
        """A row for the page's list of runs."""
        finished = self.finished
        return {
            "name": self.planned.name,
            "folder": f"runs/{self.planned.name}",
            "what": self.planned.what,
            "finished": len(finished),
            "expected": self.expected,
            "collapsed": sum(bool(unit["collapse"]["collapsed"]) for unit in finished),
            "failed": list(self.failed.values()),
        }


class Collection:
    """A folder of runs that belong together.

    Parameters
    ----------
    path : str or os.PathLike
        The folder; new, empty, or of the same collection.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def claim(self, identity: dict[str, Any]) -> None:
        """Take the folder for this collection, or check that it holds the same one.

        Raises
        ------
        UsageError
            If it holds something else; says what differs.
        """
        path = self.path / "collection.json"
        new = json.loads(json.dumps(identity))
        if not path.is_file():
            if self.path.is_dir() and any(self.path.iterdir()):
                raise UsageError(
                    f"{self.path}: holds other files; expected a new or empty folder. Choose another --out"
                )
            write_json(path, new)
            return
        try:
            old = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as exc:
            raise FleetingError(f"{path}: cannot be read ({exc}); choose another --out") from exc
        differing = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        if differing:
            shown = "; ".join(f"{name}: {old.get(name)!r} there, {new.get(name)!r} now" for name in differing[:3])
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

        Returns
        -------
        dict of str to CompletedRun
            What came of each run, by name.

        Raises
        ------
        UsageError
            Before anything is done, if the device of a run is absent.
        """
        observer = observer or Observer()
        for plan in planned:
            device_for(plan.config.training, plan.config.device)
        shared: dict[tuple[Any, ...], PreparedData] = {}
        begun: dict[str, StartedRun] = {}
        for plan in planned:
            config = plan.config
            key = (config.data, config.effective_scheme, config.classes, config.recipe)
            if key not in shared:
                shared[key] = prepare_clips(config, cache=cache, jobs=jobs, observer=observer)
            begun[plan.name] = begin(
                config, self.path / "runs" / plan.name, prepared=shared[key], observer=observer, samples=False
            )
        todo = [job for one in begun.values() for job in one.todo]
        n_units = sum(one.n_units for one in begun.values())
        failed = run_units(todo, n_units, jobs, observer, keep_going=True)
        conducted: dict[str, CompletedRun] = {}
        for plan in planned:
            one = begun[plan.name]
            mine = {job.key: failed[job.key] for job in one.todo if job.key in failed}
            conducted[plan.name] = CompletedRun(plan, one.run, one.n_units, mine)
            if conducted[plan.name].finished:
                aggregate(one.run, allow_partial=True)
        return conducted

    def write(self, content: dict[str, Any], tables: dict[str, pd.DataFrame]) -> Path:
        """Write the tables and then ``study.json``, from which the page is made."""
        for name, table in tables.items():
            write_csv(self.path / "tables" / f"{name}.csv", table)
        head = {"format": FORMAT, "created": datetime.now(UTC).isoformat(timespec="seconds")}
        tail = {"versions": versions(), "machine": machine()}
        return write_json(self.path / "study.json", {**head, **content, **tail})
