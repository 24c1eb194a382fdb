"""News for a screen while a run goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fleeting.experiments.unit import OnEpoch
from fleeting.parallel import Progress

__all__ = ["Observer"]


@dataclass(frozen=True)
class Observer:
    """Functions that are called while a run goes on; every one may be left out.

    Parameters
    ----------
    stage : callable or None, optional
        Called with one sentence when a stage begins.
    preprocessing : Progress or None, optional
        Called with clips done and all clips.
    epoch : OnEpoch or None, optional
        Called with a unit's key and the record of each epoch; a record with the key ``warning`` is a sentence about a
        run that has stopped learning.
    units : Progress or None, optional
        Called with units done and all units.
    """

    stage: Callable[[str], None] | None = None
    preprocessing: Progress | None = None
    epoch: OnEpoch | None = None
    units: Progress | None = None

    def say(self, sentence: str) -> None:
        """Announce a stage."""
        if self.stage is not None:
            self.stage(sentence)
