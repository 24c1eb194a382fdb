"""Progress and results on a terminal; quiet in a pipe, silent when asked."""

from __future__ import annotations

import json
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
        """One line about what goes on."""
        self.err.print(sentence, markup=False)

    def warn(self, sentence: str) -> None:
        """One line that should not be missed."""
        self.err.print(f"warning: {sentence}", style="yellow", markup=False)

    def show(self, text: Any = "") -> None:
        """A result for a person; left out when JSON was asked for."""
        if not self.json_output:
            self.out.print(text)

    def dump(self, value: Any) -> None:
        """A result for a machine, if JSON was asked for."""
        if self.json_output:
            sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
            sys.stdout.flush()

    @contextmanager
    def bar(self) -> Iterator[Bars]:
        """Progress bars with counts and the time left, on a terminal; a line now and then in a pipe."""
        if self.quiet or not self.err.is_terminal:
            yield Bars(self, None)
            return
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
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
        """A callback ``(done, total)`` that moves the bar called ``name``."""

        def update(done: int, total: int) -> None:
            if self._progress is None:
                quarter = 4 * done // max(1, total)
                if quarter > self._told.get(name, 0):
                    self._told[name] = quarter
                    self._screen.say(f"{name}: {done} of {total}")
                return
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(name, total=total)
            self._progress.update(self._tasks[name], completed=done, total=total)

        return update
