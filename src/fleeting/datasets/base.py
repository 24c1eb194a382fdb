"""What every data set offers: clips, a table of them, what is wrong with it, and how it compares to what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleeting.clips import Clip, clips_table
from fleeting.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from fleeting.datasets.verification import Verification

__all__ = ["Dataset", "Problem", "WrongFolderError"]


#: Marks a folder of clips, or of what was made from them, of people who do not exist.
SYNTHETIC = "synthetic.json"


class WrongFolderError(UsageError):
    """The folder does not hold this data set at all; ``looks_like`` lists the kinds that it seems to hold."""

    def __init__(self, message: str, looks_like: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.looks_like = tuple(looks_like)


@dataclass(frozen=True)
class Problem:
    """Something on disk that is not as it should be; never fatal.

    Attributes
    ----------
    dataset, subject, clip : str
        Which clip, as far as it is known (may be empty).
    reason : str
        A sentence that says what was found.
    skipped : bool
        Whether the clip is left out because of it.
    remedy : str
        What to do about it; empty where the reason says it.
    kind : str
        Sorts problems: ``missing clip``, ``missing frames``, ``unknown folder``, ``annotation``, ...
    """

    dataset: str
    subject: str
    clip: str
    reason: str
    skipped: bool = True
    remedy: str = ""
    kind: str = ""

    def __str__(self) -> str:
        name = "/".join(part for part in (self.dataset, self.subject, self.clip) if part)
        return f"{name}: {self.reason}{' (skipped)' if self.skipped else ''}"


class Dataset:
    """Base of the data sets. A subclass sets ``name`` and reads its annotations in ``_read``.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder that holds it.

    Attributes
    ----------
    name : object
        Of the data set, in keys and results.
    title : object
        Its name in prose.
    known_subjects : sequence
        The subjects of the complete set, if that is known.
    """

    name = "dataset"
    title = ""
    known_subjects: Sequence[str] = ()

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"

    def _read(self) -> tuple[list[Clip], list[Problem]]:
        raise NotImplementedError

    @cached_property
    def _content(self) -> tuple[list[Clip], list[Problem]]:
        return self._read()

    @property
    def synthetic(self) -> bool:
        """Whether its people do not exist: the folder holds the ``synthetic.json`` that our generators write."""
        return (self.root / SYNTHETIC).is_file()

    def clips(self) -> list[Clip]:
        """All usable clips, in the order of the annotations. Frames are read when they are asked for."""
        return list(self._content[0])

    @property
    def problems(self) -> list[Problem]:
        """What was found wrong: missing clips, bad rows, duplicates. Reading goes on past them."""
        return list(self._content[1])

    def table(self) -> pd.DataFrame:
        """One row per clip; see :func:`fleeting.clips.clips_table`."""
        return clips_table(self.clips())

    def layout(self) -> dict[str, str]:
        """Where its parts were found on disk, in words."""
        return {"root": str(self.root)}

    def verify(self) -> Verification:
        """What was found, against what is known of the complete data set."""
        from fleeting.datasets.verification import verify

        return verify(self)

    def plot(self, clip: Clip) -> Any:
        """A matplotlib figure of a clip: its first, onset, apex, offset and last frame, as far as there are such."""
        from matplotlib.figure import Figure

        last = len(clip) - 1
        marks = {"first": 0, "onset": clip.onset, "apex": clip.apex, "offset": clip.offset, "last": last}
        places: dict[int, str] = {}
        for name, index in marks.items():
            if index is not None and index <= last:
                places[index] = f"{places[index]}, {name}" if index in places else name
        figure = Figure(figsize=(2.2 * len(places), 2.6), layout="constrained")
        axes = figure.subplots(1, len(places), squeeze=False)[0]
        for axis, (index, name) in zip(axes, sorted(places.items())):
            axis.imshow(clip.frames[index])
            axis.set_title(f"{name}\nframe {index}", fontsize=8)
            axis.set_axis_off()
        figure.suptitle(f"{clip.key}: {clip.emotion or 'no label'}", fontsize=9)
        return figure
