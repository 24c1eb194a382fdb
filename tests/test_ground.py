"""The ground floor: files that are whole or absent, and jobs over processes."""

import math
import os
import subprocess
import sys
import time

import psutil
import pytest

from fleeting.errors import FleetingError, UsageError
from fleeting.files import write_atomic, write_json, write_text
from fleeting.parallel import available_cores, map_jobs, resolve_jobs


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = write_text(tmp_path / "a.txt", "old ü")

    def fail(file):
        file.write(b"half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_atomic(path, fail)
    assert path.read_text(encoding="utf-8") == "old ü"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_content_is_on_the_disk_before_the_file_has_its_name(tmp_path, monkeypatch):
    order = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: order.append(os.fstat(handle).st_size) or sync(handle))
    monkeypatch.setattr(os, "replace", lambda *names: order.append("named") or replace(*names))
    write_text(tmp_path / "a.txt", "abc")
    assert order == [3, "named"]


def test_folders_are_made_and_files_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        path = write_json(tmp_path / "new" / "a.json", {"x": [1, "ü"]})
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_folder_that_cannot_be_written_says_so(read_only):
    with pytest.raises(FleetingError, match="cannot be written"):
        write_text(read_only / "a.txt", "x")


def _where(x):
    time.sleep(0.05)
    return x * x, os.getpid()


def test_results_come_with_their_positions_over_processes():
    told = []
    done = dict(map_jobs(_where, range(6), jobs=2, progress=lambda d, t: told.append((d, t))))
    assert {k: v[0] for k, v in done.items()} == {k: k * k for k in range(6)}
    assert os.getpid() not in {pid for _, pid in done.values()}
    assert told == [(k, 6) for k in range(1, 7)]


def test_one_job_stays_in_this_process_and_order():
    assert [(k, r[1]) for k, r in map_jobs(_where, range(3))] == [(k, os.getpid()) for k in range(3)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_in_a_job_reaches_the_caller(jobs):
    with pytest.raises(ValueError, match=r"math domain|expected a nonnegative"):
        list(map_jobs(math.sqrt, [4.0, -1.0], jobs=jobs))


def test_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    list(map_jobs(math.sqrt, [4.0, 9.0], jobs=2))
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_numbers_of_jobs():
    assert resolve_jobs(0) == resolve_jobs(None) == available_cores()
    assert resolve_jobs(3) == 3
    with pytest.raises(UsageError):
        resolve_jobs(-1)


def _die(k):
    os._exit(3)


def test_a_worker_that_dies_is_a_clear_error():
    with pytest.raises(FleetingError, match="worker process died"):
        list(map_jobs(_die, range(2), jobs=2))


_PARENT = """
import time
from fleeting.parallel import map_jobs
import os
def job(k):
    print(os.getpid(), flush=True)
    time.sleep(60)
if __name__ == "__main__":
    list(map_jobs(job, range(2), jobs=2))
"""


def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    workers = [int(process.stdout.readline()) for _ in range(2)]
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while any(psutil.pid_exists(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    # An orphan's remains may stay listed where nobody reaps them.
    alive = [pid for pid in workers if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    assert alive == []
