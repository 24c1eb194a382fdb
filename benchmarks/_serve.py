"""Processes that answer one line of JSON with another, each held to one core. Only the standard library is needed."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


class Worker:
    """The asking side of a process that runs :func:`serve`."""

    def __init__(self, command, core, environment=()):
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the worker
        with on_core(core):
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                env={**os.environ, **dict.fromkeys(ONE_THREAD, "1"), **dict(environment)},
                cwd=Path(__file__).parent,
            )
        self.about = self._read()["about"]

    def ask(self, operation, **arguments):
        print(json.dumps({"operation": operation, **arguments}), file=self._process.stdin, flush=True)
        return self._read()

    def _read(self):
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "the process ended"}
        if "error" in answer:
            self._process.kill()
            self._log.seek(0)
            raise SystemExit(f"{' '.join(self._process.args)}:\n{answer['error']}\n{self._log.read()[-2000:]}")
        return answer

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._log.close()


@contextmanager
def on_core(core):
    """Hold what is started within to one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def serve(about, operations):
    """Answer until the input ends. What the operations return is a dictionary."""
    replies, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps({"about": about}), file=replies, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = operations[request.pop("operation")](**request)
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=replies, flush=True)


def clock():
    """Seconds. What a wall clock says of a busy machine is what else it does; processor time knows only this process."""
    return time.process_time() if os.environ.get("BENCHMARK_CLOCK") == "processor" else time.perf_counter()


def timed(function, times):
    """Milliseconds of each of several calls."""
    found = []
    for _ in range(times):
        start = clock()
        function()
        found.append(1e3 * (clock() - start))
    return found


def peak_mib():
    """The most memory that this process has had resident, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage() counts what the parent had before exec as well.
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line[:6] == "VmHWM:") / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
