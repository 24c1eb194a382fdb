"""One mutant by its seed: a copy of an example, one file of it damaged, and everything that reads it called."""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from examples import EXAMPLES, BelievedError, InternalError, Workshop, files_of, verb
from mutations import mutate, restore

SECONDS = 20

# How a reading can end. The first two are right.
FINE, REFUSED, TRACEBACK, INTERNAL, BELIEVED, HANG = (
    "fine",
    "refused",
    "traceback",
    "internal error",
    "silently believed",
    "hang",
)
WRONG = (TRACEBACK, INTERNAL, BELIEVED, HANG)


class _HangError(BaseException):
    """More time than any reader needs."""


@dataclass(frozen=True)
class Outcome:
    """How one reading of one mutant ended.

    Attributes
    ----------
    kind : str
        ``"fine"``, ``"refused"`` (one of our own errors), or one of ``WRONG``.
    place : str
        For what is wrong, the last line of ours on the stack.
    """

    seed: int
    example: str
    file: str
    mutation: str
    reader: str
    kind: str
    place: str = ""
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return asdict(self)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise inside the block after so many seconds, where the system has alarms."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def ring(number: int, frame: object) -> None:
        raise _HangError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


_UNBLOCK = """
import os, sys, time
time.sleep(float(sys.argv[1]))
for path in sys.argv[2:]:
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
"""


@contextmanager
def _unblocked(folder: Path) -> Iterator[None]:
    """Whoever waits at a pipe inside a library that no alarm reaches is let go from another process."""
    pipes = [str(path) for path in folder.rglob("*") if path.is_fifo()]
    if not pipes:
        yield
        return
    other = subprocess.Popen([sys.executable, "-c", _UNBLOCK, str(SECONDS + 1), *pipes], stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        other.kill()
        other.wait()


_FRAME = re.compile(r'File "[^"]*[/\\]fleeting[/\\]([^"]+)", line (\d+), in (\S+)')


def _place(text: str) -> str:
    frames = _FRAME.findall(text)
    return "{}:{} {}".format(*frames[-1]) if frames else "outside the package"


def _read(reader: Any, folder: Path, shop: Workshop | None) -> tuple[str, str, str]:
    """Kind, place and message of one reading."""
    from fleeting.errors import FleetingError

    try:
        with _unblocked(folder), time_limit(SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader(folder, shop)
    except FleetingError as exc:
        return REFUSED, "", str(exc)
    except BelievedError as exc:
        return BELIEVED, "", str(exc)
    except InternalError as exc:
        told = str(exc)
        return INTERNAL, _place(told.rpartition("internal error: ")[0] or told), told.strip().splitlines()[-1]
    except _HangError:
        return HANG, _place(traceback.format_exc()), f"more than {SECONDS} s"
    except (Exception, SystemExit) as exc:
        return TRACEBACK, _place(traceback.format_exc()), f"{type(exc).__name__}: {exc}"
    return FINE, "", ""


def run_mutant(seed: int, shop: Workshop, only: Iterable[str] = ()) -> list[Outcome]:
    """Make the mutant of a seed and read it in every way.

    Parameters
    ----------
    seed : int
        Chooses example, file and damage.
    shop : Workshop
        Where the examples are.
    only : iterable of str, optional
        Examples to choose from (default: all).

    Returns
    -------
    list of Outcome
        One for each reader.
    """
    rng = random.Random(seed)
    names = [name for name in EXAMPLES if not only or name in set(only)]
    name = rng.choices(names, [EXAMPLES[name].weight for name in names])[0]
    example, source = EXAMPLES[name], shop.path(name)
    _, files = rng.choice(list(files_of(example, source)))
    file = rng.choice(files).relative_to(source)
    damage = rng.getrandbits(64)
    outcomes = []
    aside = Path(tempfile.mkdtemp(prefix="mutant-", dir=shop.root))
    try:
        for reader, read in example.readers.items():
            # The same place for each, as a run knows by what name it was asked for.
            folder = aside / name
            restore(source, folder)
            mutation = mutate(folder / file, random.Random(damage))
            kind, place, message = _read(read, folder, shop)
            outcomes.append(Outcome(seed, name, str(file), mutation, reader, kind, place, message[:300]))
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return outcomes


def run_command_line(number: int, folder: Path) -> list[Outcome]:
    """Run one of the odd command lines in a fresh folder; none can be carried out, so none may end well."""
    from odd_command_lines import ODD, fill, write_places

    def read(folder: Path, _: Workshop | None) -> None:
        said = verb(*fill(ODD[number], places | {"out": str(folder / "out")}))
        if said.code == 0 or "error: " not in said.err:
            raise BelievedError(f"exit code {said.code}, and no error is told: {said.err[-200:]}")

    folder.mkdir(parents=True)
    before = Path.cwd()
    try:
        (folder / "here").mkdir()
        places = write_places(folder / "places")
        os.chdir(folder / "here")
        kind, place, message = _read(read, folder, None)
    finally:
        os.chdir(before)
        shutil.rmtree(folder, ignore_errors=True)
    words = " ".join(word if len(word) < 40 else f"{word[:12]}...({len(word)})" for word in ODD[number])
    return [Outcome(number, "", words, "", "", kind if kind != FINE else REFUSED, place, message[:300])]


def import_all() -> None:
    """Import what readers import when they need it: an alarm in the midst of an import leaves half a module."""
    for name in ("analysis", "studies", "reports", "synthesis", "training.export", "app.cli"):
        importlib.import_module(f"fleeting.{name}")
    for name in ("python_calamine", "matplotlib.pyplot", "sklearn.linear_model", "sklearn.svm", "av"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


if __name__ == "__main__":
    import_all()
    workshop = Workshop(Path(sys.argv[1]))
    for number in map(int, sys.argv[2:]):
        for outcome in run_mutant(number, workshop):
            print(outcome)
