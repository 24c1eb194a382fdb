"""Small commands whose results are known, and processes that run them until something ends them."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]

LAUNCHER = Path(__file__).with_name("launcher.py")
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "OFF", "COLUMNS": "500"}
# Differ from one time to the next.
MOMENTS = {"created", "finished", "seconds", "frames_per_second", "elapsed", "speed", "machine", "versions", "name"}


class Launcher:
    """A process that forks commands, each a process of its own."""

    def __init__(self, folder, environment):
        self.process = subprocess.Popen(
            [sys.executable, str(LAUNCHER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment,
        )

    def __call__(self, arguments, **how):
        request = {"arguments": [str(word) for word in arguments], **how}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """Folder of the inputs and of the undisturbed results."""
    return tmp_path_factory.mktemp("robustness")


def environment_in(folder):
    """The variables of processes whose cache lies in a folder."""
    return {**os.environ, **ENVIRONMENT, "FLEETING_CACHE": str(folder / "cache")}


@pytest.fixture(scope="session")
def environment(place):
    """The variables of processes that share a cache."""
    return environment_in(place)


@pytest.fixture(scope="session")
def launch(place, environment):
    """Run a command in a process of its own: ``launch(arguments, commit=3)``; see ``launcher.py``."""
    launcher = Launcher(place, environment)
    yield launcher
    launcher.close()


@pytest.fixture(scope="session")
def contents():
    """Read what a folder holds; see :func:`contents_of`."""
    return contents_of


@dataclass(frozen=True)
class Command:
    """A command without its folder, and how it is asked to go on."""

    words: tuple
    head: str
    resume: bool = False

    def arguments(self, out):
        going_on = ["--resume"] if self.resume and (out / self.head).is_file() else []
        return [self.words[0], *self.words[1:], "--out", str(out), "--quiet", *going_on]


@pytest.fixture(scope="session")
def commands(place, launch):
    """The commands that are killed, small enough to be run a hundred times."""
    return make_commands(place, launch)


CALM = ("--macro", 0, "--speech", 0, "--absence", 0, "--cut", 0, "--turn", 0, "--blink", 0, "--micro", 20)


def make_commands(place, launch):
    """Write what the commands read, and name the commands."""
    clips, film = place / "clips", place / "film"
    happy = ("--fps", 30, "--emotions", "happiness,surprise", "--jobs", 1)
    for arguments in (
        ("synth", clips, "--subjects", 4, "--clips-per-subject", 2, *happy),
        ("synth-long", film, "--subjects", 1, "--seconds", 3, "--fps", 20, "--format", "jpg", *CALM, "--jobs", 1),
    ):
        answer = launch([*arguments, "--quiet"])
        assert answer["code"] == 0, answer["told"]
    small = "talluri2022,frames=9,height=32,width=32"
    return {
        "synth": Command(
            ("synth", "--subjects", 2, "--clips-per-subject", 1, "--fps", 30, "--jobs", 1), "synthetic.json"
        ),
        "synth-long": Command(
            ("synth-long", "--subjects", 1, "--seconds", 3, "--fps", 10, *CALM, "--jobs", 1), "recordings.json"
        ),
        "evaluate": Command(
            ("evaluate", "--data", f"synthetic:{clips}", "--recipe", small, "--protocol", "subject-kfold,folds=2")
            + ("--epochs", 1, "--motion", "difference", "--jobs", 1),
            "run.json",
        ),
        "analyze": Command(
            ("analyze", film / "s01" / "s01_01", "--fps", 20, "--no-video", "--no-explain"),
            "analysis.json",
            resume=True,
        ),
    }


@pytest.fixture(scope="session")
def undisturbed(place, launch, commands):
    """The result of each command that nobody disturbs, and how many commits it makes: ``undisturbed(name)``."""
    return cache(lambda name: run_undisturbed(name, place, launch, commands[name]))


def run_undisturbed(name, place, launch, command):
    """Run a command twice, as the first run also fills the cache; give what the second made, and its commits."""
    for out in (place / f"first-{name}", place / f"undisturbed-{name}"):
        answer = launch(command.arguments(out))
        assert answer["code"] == 0, answer["told"]
    return contents_of(out), answer["commits"]


def contents_of(folder):
    """What a folder holds, by name, without moments and without what killed processes left."""
    return {
        path.relative_to(folder).as_posix(): _content(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".part") and ".unfinished" not in path.parts
    }


def _content(path):
    if path.suffix == ".json":
        return _without_moments(json.loads(path.read_text(encoding="utf-8")))
    if path.suffix == ".html":
        return len(re.findall("<table", path.read_text(encoding="utf-8")))
    if path.name == "history.csv":
        rows = [row.split(",") for row in path.read_text(encoding="utf-8").splitlines()]
        moment = rows[0].index("seconds") if "seconds" in rows[0] else None
        return [[cell for k, cell in enumerate(row) if k != moment] for row in rows]
    return path.read_bytes()


def _without_moments(value):
    if isinstance(value, dict):
        return {name: _without_moments(item) for name, item in value.items() if name not in MOMENTS}
    return [_without_moments(item) for item in value] if isinstance(value, list) else value
