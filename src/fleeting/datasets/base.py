"""What every data set offers: clips, a table of them, and a list of what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from fleeting.clips import Clip, clips_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dataset", "Problem"]


@dataclass(frozen=True)
class Problem:
    """Something on disk that is not as it should be; never fatal.

    Attributes
    ----------
    dataset, subject, clip : which clip, as far as it is known (may be empty).
    reason : a sentence that says what was found.
    skipped : whether the clip is left out because of it.
    """

    dataset: str
    subject: str
    clip: str
    reason: str
    skipped: bool = True

    def __str__(self) -> str:
        name = "/".join(part for part in (self.dataset, self.subject, self.clip) if part)
        return f"{name}: {self.reason}{' (skipped)' if self.skipped else ''}"


class Dataset:
    """Base of the data sets. A subclass sets ``name`` and reads its annotations in ``_read``.

    Parameters
    ----------
    root : the folder that holds it.
    """

    name = "dataset"

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"

    def _read(self) -> tuple[list[Clip], list[Problem]]:
        raise NotImplementedError

    @cached_property
    def _content(self) -> tuple[list[Clip], list[Problem]]:
        return self._read()

    def clips(self) -> list[Clip]:
        """All usable clips, in the order of the annotations. Frames are read when they are asked for."""
        return list(self._content[0])

    @property
    def problems(self) -> list[Problem]:
        """What was found wrong: missing clips, bad rows, duplicates. Reading goes on past them."""
        return list(self._content[1])

    def table(self) -> pd.DataFrame:
        """One row a clip; see :func:`fleeting.clips.clips_table`."""
        return clips_table(self.clips())
