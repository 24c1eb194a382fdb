"""Progress and results on a terminal; quiet in a pipe, silent when asked."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

__all__ = ["Bars", "Screen", "printable"]

# Characters that a terminal obeys instead of showing them: control characters, line and paragraph ends, those that turn
# the direction of writing; and halves of characters, which come from file names in no encoding and cannot be printed.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# An argument may be as long as a book; nobody reads more of it.
_LONGEST_MESSAGE = 4000


def printable(text: object) -> str:
    r"""Give text of one line as a terminal may have it: what it would obey is shown as Python writes it.

    Parameters
    ----------
    text : object
        Text, or anything that has one.

    Examples
    --------
    >>> print(printable("run\x1b[2J\n[/b]"))
    run\x1b[2J\n[/b]
    """
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(text))


def _printable_json(text: str) -> str:
    # All of these stand in strings but line ends, which JSON puts between its parts.
    return _OBEYED.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


class Screen:
    """Results go to standard output, everything else to standard error.

    Parameters
    ----------
    quiet : bool, optional
        Results and errors only.
    json_output : bool, optional
        Results as JSON; nothing else on standard output.
    """

    def __init__(self, quiet: bool = False, json_output: bool = False) -> None:
        self.json_output = json_output
        self.quiet = quiet
        self.err = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self.out = Console(highlight=False, soft_wrap=True)

    def say(self, sentence: str) -> None:
        """Print one line about what goes on."""
        self.err.print(Text(printable(sentence)))

    def warn(self, sentence: str) -> None:
        """Print one line that should not be missed."""
        self.err.print(Text(f"warning: {printable(sentence)}", style="yellow"))

    def error(self, sentence: str) -> None:
        """Print one line about what could not be done."""
        told = printable(sentence)
        if len(told) > _LONGEST_MESSAGE:
            told = f"{told[: _LONGEST_MESSAGE // 2]} ... {told[-_LONGEST_MESSAGE // 4 :]}"
        self.err.print(Text(told, style="red"))

    def show(self, text: object = "") -> None:
        """Print one line of the result for a person; nothing when JSON was asked for."""
        if not self.json_output:
            self.out.print(Text(printable(text)))

    def dump(self, value: Any) -> None:
        """Print the result for a machine, if JSON was asked for."""
        if self.json_output:
            sys.stdout.write(_printable_json(json.dumps(value, indent=2, ensure_ascii=False)) + "\n")
            sys.stdout.flush()

    @contextmanager
    def bar(self) -> Iterator[Bars]:
        """Open progress bars with counts and the time left, on a terminal; a line now and then in a pipe."""
        if self.quiet or not self.err.is_terminal:
            yield Bars(self, None)
            return
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.err,
            transient=True,
        ) as progress:
            yield Bars(self, progress)


class Bars:
    """Named progress bars; :meth:`step` gives the callback that long jobs take."""

    def __init__(self, screen: Screen, progress: Progress | None) -> None:
        self._screen = screen
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, int] = {}

    def step(self, name: str) -> Callable[[int, int], None]:
        """Make a callback ``(done, total)`` that moves the bar called ``name``."""

        def update(done: int, total: int) -> None:
            if self._progress is None:
                quarter = 4 * done // max(1, total)
                if quarter > self._told.get(name, 0):
                    self._told[name] = quarter
                    self._screen.say(f"{name}: {done} of {total}")
                return
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(printable(name), total=total)
            self._progress.update(self._tasks[name], completed=done, total=total)

        return update
