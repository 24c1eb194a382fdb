"""SIGTERM and SIGHUP end every verb as Ctrl-C does: with its workers, with a word, with an exit code of its own."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

# Work that lasts for minutes: whatever has ended before was ended by the signal.
LONG = {
    "synth": (("--subjects", 26, "--clips-per-subject", 60, "--jobs", 1), "synthetic.json"),
    "synth-long": (("--subjects", 1, "--seconds", 3000, "--jobs", 1), "recordings.json"),
    "evaluate": (("--epochs", 100_000, "--jobs", 1, "--protocol", "subject-kfold,folds=2"), "run.json"),
    "sweep": (("--grid", "training.epochs=100000,100001", "--jobs", 2, "--protocol", "subject-kfold,folds=2"), "runs"),
}
DATA = ("--recipe", "talluri2022,frames=9,height=32,width=32")


@pytest.fixture
def start(place, commands, environment, tmp_path):
    """Start a verb that would take minutes, and wait until it is at work."""
    processes = []

    def begin(name, **more):
        words, head = LONG[name]
        source = () if name.startswith("synth") else ("--data", f"synthetic:{place / 'clips'}", *DATA)
        out = tmp_path / "out"
        process = subprocess.Popen(
            [sys.executable, "-m", "fleeting", name, *map(str, (*source, *words)), "--out", str(out)],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            **more,
        )
        processes.append(process)
        _wait_until(lambda: (out / head).exists() or process.poll() is not None)
        if name == "sweep":
            _wait_until(lambda: len(_workers(process)) == 2 or process.poll() is not None)
        assert process.poll() is None, process.stderr.read()
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()


def _wait_until(holds):
    while not holds():
        time.sleep(0.05)


def _workers(process):
    try:
        children = psutil.Process(process.pid).children()
        return [child for child in children if any("spawn_main" in word for word in child.cmdline())]
    except psutil.NoSuchProcess:
        return []


def _gone(children, seconds):
    _, alive = psutil.wait_procs(children, timeout=seconds)
    return [child for child in alive if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize(
    ("name", "number", "code"),
    [
        ("synth", signal.SIGTERM, 143),
        ("synth-long", signal.SIGHUP, 129),
        ("evaluate", signal.SIGTERM, 143),
        ("sweep", signal.SIGTERM, 143),
        pytest.param("sweep", signal.SIGHUP, 129, marks=pytest.mark.slow),
        pytest.param("sweep", signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_a_verb_and_its_workers(name, number, code, start):
    process = start(name)
    workers = _workers(process)
    process.send_signal(number)
    told = process.communicate()[1]
    assert process.returncode == code, told
    assert "interrupted; what was finished is kept" in told
    assert "Traceback" not in told and "leaked" not in told
    assert _gone(workers, 5)


def test_a_signal_to_all_of_them_prints_one_sentence(start):
    """A terminal sends Ctrl-C, and SIGHUP, to the workers too."""
    process = start("sweep", start_new_session=True)
    workers = _workers(process)
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == 130, told
    assert "Traceback" not in told and "leaked" not in told
    assert _gone(workers, 5)


def test_workers_do_not_outlive_a_killed_parent(start):
    process = start("sweep")
    workers = _workers(process)
    process.kill()
    process.communicate()
    assert _gone(workers, 5)


def test_a_worker_that_is_killed_ends_its_command_in_words(start):
    process = start("sweep")
    workers = _workers(process)
    workers[0].kill()
    told = process.communicate()[1]
    assert process.returncode == 1, told
    assert "a worker process died" in told and "Traceback" not in told
    assert _gone(workers, 5)


def test_what_nohup_has_ignored_stays_ignored():
    code = (
        "import os, signal; from fleeting.parallel import end_on_signals; end_on_signals();"
        "os.kill(os.getpid(), signal.SIGHUP); print('alive')"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); {code}"],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "alive\n", done.stderr
