"""Many small independent jobs over processes, with progress, and nothing left behind on Ctrl-C."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from fleeting.errors import FleetingError, UsageError

T = TypeVar("T")
R = TypeVar("R")

# Called with the number of jobs done and the number of all.
Progress = Callable[[int, int], None]

# Libraries that read these at import would start a thread per core in each of our processes.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve_jobs(jobs: int | None) -> int:
    """Number of processes: ``None`` or 0 means one per core."""
    if jobs is None or jobs == 0:
        return available_cores()
    if jobs < 0:
        raise UsageError(f"jobs must be positive, or 0 for one per core; found {jobs}")
    return jobs


def _start(initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> None:
    """First thing in a worker: see to it that it does not outlive its parent, then initialise."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def end_with_parent() -> None:
            parent.join()
            # A parent that was killed cannot tell its workers; they would wait for work, with their memory, for ever.
            os._exit(1)

        threading.Thread(target=end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer(*initargs)


def map_jobs(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    jobs: int | None = 1,
    progress: Progress | None = None,
    initializer: Callable[..., object] | None = None,
    initargs: Sequence[Any] = (),
) -> Iterator[tuple[int, R]]:
    """Yield ``(position, result)`` as jobs finish; in order and in this process if ``jobs`` is 1.

    Workers are spawned, not forked (forking a process whose libraries run threads can hang), so ``function`` and
    ``items`` must be importable and picklable in memory. An exception in a job ends the iteration; jobs that have
    not started are cancelled.
    """
    todo = list(items)
    jobs = min(resolve_jobs(jobs), max(1, len(todo)))
    if jobs == 1:
        if initializer is not None:
            initializer(*initargs)
        for position, item in enumerate(todo):
            result = function(item)
            if progress is not None:
                progress(position + 1, len(todo))
            yield position, result
        return
    previous = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    pool = ProcessPoolExecutor(
        jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(initializer, tuple(initargs)),
    )
    try:
        futures: dict[Future[R], int] = {pool.submit(function, item): k for k, item in enumerate(todo)}
        for done, future in enumerate(as_completed(futures), start=1):
            result = future.result()
            if progress is not None:
                progress(done, len(todo))
            yield futures.pop(future), result
    except BrokenProcessPool as exc:
        raise FleetingError(
            "a worker process died, killed by someone or for want of memory; what was finished is kept: run the same "
            "command again, with fewer --jobs if memory is short"
        ) from exc
    except BaseException:
        # On Ctrl-C the running jobs are of no use any more, and waiting for them would feel like a hang.
        for process in (getattr(pool, "_processes", None) or {}).values():
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    else:
        pool.shutdown()
    finally:
        for name, value in previous.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
