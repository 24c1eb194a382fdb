"""From planned units to results: units over processes, then scoring."""

from __future__ import annotations

import multiprocessing
import threading
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleeting.clips import Clip
from fleeting.errors import CollapseWarning, FleetingError, UsageError
from fleeting.experiments.aggregate import aggregate
from fleeting.experiments.config import ExperimentConfig, Unit
from fleeting.experiments.observer import Observer
from fleeting.experiments.plan import job_of, start_run
from fleeting.experiments.prepare import prepare_clips
from fleeting.experiments.run import RunFolder
from fleeting.experiments.unit import OnEpoch, UnitJob, fit, run_unit
from fleeting.parallel import map_jobs, resolve_jobs
from fleeting.records import make_folder, work_alone
from fleeting.renamed import renamed_argument
from fleeting.training import keep_memory
from fleeting.training.device import device_for, resolve_device

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["evaluate", "run_units", "train_on_all"]

# One unit leaves most of a card idle; with more than a few they only queue.
UNITS_PER_CARD = 4


@renamed_argument("store", "cache")
def evaluate(
    config: ExperimentConfig,
    out: str | os.PathLike[str],
    *,
    clips: Sequence[Clip] | None = None,
    jobs: int | None = 1,
    cache: str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
    samples: bool = True,
) -> RunFolder:
    """Run every unit that is not finished yet, then score them all.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    out : str or os.PathLike
        The run folder. Asking again for the same run resumes it.
    clips : sequence or None, optional
        The clips, if they do not come from ``config.data``.
    jobs : int or None, optional
        Processes for preprocessing and for units, one thread each; 0 or ``None`` for one per core, for units on CUDA up
        to four, which share the card. It does not change the result.
    cache : str or os.PathLike or None, optional
        Root of the sequence cache; see :func:`fleeting.sequences.cache.default_cache`.
    observer : Observer or None, optional
        Receiver of the progress.
    samples : bool, optional
        Write a few film strips into the run folder for the report. They show faces.

    Returns
    -------
    RunFolder
        RunFolder with ``results.csv`` and ``summary.json``; :func:`fleeting.reports.render_report` makes the page.

    Raises
    ------
    UsageError
        If the configuration is impossible, or ``out`` holds another run.
    LeakageError
        If the protocol breaks its promise of subject independence.
    """
    observer = observer or Observer()
    start = partial(start_run, config, out, clips=clips, jobs=jobs, cache=cache, observer=observer, samples=samples)
    started = start()
    with work_alone(started.run.path) as waited:
        if waited:
            # Units that the other process has finished are not trained again.
            started = start()
        run_units(started.todo, started.n_units, jobs, observer)
        aggregate(started.run)
    return started.run


_events: Any = None


def _start_worker(events: Any) -> None:
    global _events
    _events = events
    if multiprocessing.parent_process() is not None:
        # A process of ours that does nothing but train; a caller's own process is not ours to tune.
        keep_memory()


def _run_in_worker(job: UnitJob) -> str | None:
    """Run a unit; say why it failed, if it did."""
    try:
        if _events is None:
            run_unit(job)
            return None
        with warnings.catch_warnings():
            # Printed from here it would tear the parent's progress bar apart, and the parent can say which fold it is.
            warnings.simplefilter("always", CollapseWarning)
            warnings.showwarning = lambda message, *_args, **_more: _events.put((job.key, {"warning": str(message)}))
            run_unit(job, lambda key, record: _events.put((key, record)))
    except UsageError:
        raise
    except FleetingError as exc:
        # A training that diverges is a result; the units beside it must not be lost with it.
        return str(exc)
    return None


@contextmanager
def _listening(on_epoch: OnEpoch | None, parallel: bool) -> Iterator[Any]:
    """A queue on which workers report their epochs, drained by a thread; or ``None`` if nobody listens."""
    if on_epoch is None:
        yield None
        return
    if not parallel:
        yield _Direct(on_epoch)
        return
    queue: Any = multiprocessing.get_context("spawn").Queue()

    def drain() -> None:
        while (event := queue.get()) is not None:
            on_epoch(*event)

    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    try:
        yield queue
    except BaseException:
        # A worker that was ended in the middle of a sentence holds the queue's lock for ever.
        queue.cancel_join_thread()
        raise
    queue.put(None)
    thread.join(timeout=5)


class _Direct:
    """Looks like a queue to a worker that runs in this very process."""

    def __init__(self, on_epoch: OnEpoch) -> None:
        self._on_epoch = on_epoch

    def put(self, event: tuple[str, dict[str, Any]]) -> None:
        self._on_epoch(*event)


def run_units(
    todo: Sequence[UnitJob],
    n_units: int,
    jobs: int | None = 1,
    observer: Observer | None = None,
    *,
    keep_going: bool = False,
) -> dict[str, str]:
    """Run units, of one run or of several, over processes; each is finished and safe as soon as it is done.

    Parameters
    ----------
    todo : sequence
        Units that are not finished.
    n_units : int
        All units, for the progress.
    jobs : int or None, optional
        Processes, one thread each; 0 or ``None`` for one per core, on CUDA for up to four, which share the card.
    observer : Observer or None, optional
        Receiver of the progress.
    keep_going : bool, optional
        Return what failed instead of raising.

    Returns
    -------
    dict of str to str
        Why units failed, by key; empty if none did.

    Raises
    ------
    FleetingError
        After all other units are finished, if some failed (a training that diverged) and ``keep_going`` is not set.
    """
    observer = observer or Observer()
    if len(todo) < n_units:
        observer.say(f"{n_units - len(todo)} of {n_units} units are finished already")
    failed: dict[str, str] = {}
    if not todo:
        return failed
    observer.say(f"Training {len(todo)} units of {n_units}")
    before = n_units - len(todo)
    progress = observer.units
    if progress is not None:
        progress(before, n_units)
    jobs = processes_for(todo, jobs)
    parallel = min(jobs, len(todo)) > 1
    if parallel:
        # The longest first, so that no core is left with one of them at the end.
        todo = sorted(todo, key=lambda job: job.cost, reverse=True)
    with _listening(observer.epoch, parallel) as events:
        for done, (position, failure) in enumerate(
            map_jobs(_run_in_worker, todo, jobs=jobs, initializer=_start_worker, initargs=(events,)), start=1
        ):
            if failure is not None:
                failed[todo[position].key] = failure
            if progress is not None:
                progress(before + done, n_units)
    if failed and not keep_going:
        reasons = "; ".join(f"{key}: {reason}" for key, reason in list(failed.items())[:3])
        raise FleetingError(f"{len(failed)} of {n_units} units failed, the others are kept. {reasons}")
    return failed


def processes_for(todo: Sequence[UnitJob], jobs: int | None) -> int:
    """Give the number of processes for units; on CUDA, without a number, as many as share a card well."""
    if not jobs and any(resolve_device(device).type == "cuda" for device in {job.training_job.device for job in todo}):
        return UNITS_PER_CARD
    return resolve_jobs(jobs)


@renamed_argument("store", "cache")
def train_on_all(
    config: ExperimentConfig,
    out: str | os.PathLike[str],
    *,
    clips: Sequence[Clip] | None = None,
    jobs: int | None = 1,
    cache: str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
) -> Path:
    """Train one model on every clip, for use on recordings outside the data set; nothing is tested.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment; of its protocol and seeds only the first seed is used.
    out : str or os.PathLike
        Folder for ``model.safetensors``, ``config.json`` and ``history.csv``.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    observer = observer or Observer()
    device_for(config.training, config.device)
    folder = Path(out)
    if "run.json" in make_folder(folder, remedy="choose another --out"):
        raise UsageError(f"{folder}: holds a run; choose another --out for the model")
    prepared = prepare_clips(config, clips=clips, cache=cache, jobs=jobs, observer=observer)
    sequences = prepared.sequences
    everything = tuple(range(len(sequences)))
    unit = Unit("all", 0, config.seeds[0], everything, ())
    job = job_of(config, prepared, RunFolder(folder), unit)
    observer.say(f"Training on {len(sequences)} clips")
    fit(replace(job.training_job, folder=folder), observer.epoch)
    return folder
