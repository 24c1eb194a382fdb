"""Many small independent jobs over processes, with progress, and nothing left behind however the process ends."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from fleeting.errors import FleetingError, UsageError

__all__ = ["ENDING_SIGNALS", "Ended", "Progress", "available_cores", "end_on_signals", "map_jobs", "resolve_jobs"]

T = TypeVar("T")
R = TypeVar("R")

# Called with the number of jobs done and the number of all.
Progress = Callable[[int, int], None]

# Libraries that read these at import would start a thread per core in each of our processes.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def available_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve_jobs(jobs: int | None) -> int:
    """Give the number of processes: ``None`` or 0 means one per core.

    Raises
    ------
    UsageError
        If ``jobs`` is negative.
    """
    if jobs is None or jobs == 0:
        return available_cores()
    if jobs < 0:
        raise UsageError(f"jobs must be positive, or 0 for one per core; found {jobs}")
    return jobs


#: Signals that ask a process to end: of a supervisor, a batch system or ``kill``, and of a terminal that was closed.
ENDING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Ended(KeyboardInterrupt):
    """The process was asked to end by a signal other than that of Ctrl-C.

    Parameters
    ----------
    number : int
        Number of the signal.

    Attributes
    ----------
    number : int
        Number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def end_on_signals() -> None:
    """Have SIGTERM and SIGHUP end this process as Ctrl-C does, its workers with it, by an :class:`Ended`.

    Without it they end a process at once: nobody ends its workers, and nobody gives their semaphores back. A signal that
    is ignored, as ``nohup`` has it, stays ignored.
    """

    def end(number: int, _: object) -> None:
        raise Ended(number)

    if threading.current_thread() is threading.main_thread():
        for number in ENDING_SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, end)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Have the processes that are started now never see Ctrl-C, which a terminal sends to all of them at once."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # A mask is inherited. Python takes the parent's own signal in another thread, or afterwards.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> None:
    """First thing in a worker: see to it that it does not outlive its parent, then initialise."""
    # The parent ends its workers; each of them would print a traceback of its own.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        _die_with(parent.pid)

        def end_with_parent() -> None:
            parent.join()
            # A parent that was killed cannot tell its workers; they would wait for work, with their memory, for ever.
            os._exit(1)

        threading.Thread(target=end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer(*initargs)


def _die_with(parent: int | None) -> None:
    """Have the system kill this process when its parent has died, where it can: a thread waits for the interpreter."""
    if sys.platform != "linux":
        return
    pr_set_pdeathsig = 1  # sys/prctl.h
    try:
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    except (OSError, AttributeError):
        return  # another C library
    if os.getppid() != parent:
        os._exit(1)


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
        with _without_interrupts():
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
        # When it is to end, the running jobs are of no use any more, and waiting for them would feel like a hang.
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
