"""The base of all data sets: clips, a table of them, faults on disk, and a comparison with the complete set."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleeting.clips import Clip, clips_table
from fleeting.clips.frames import is_file
from fleeting.datasets.problems import SYNTHETIC, Problem, WrongFolderError
from fleeting.datasets.verification import Verification, verify
from fleeting.renamed import adopt_renamed_methods

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SYNTHETIC", "Dataset", "Problem", "WrongFolderError"]


class Dataset:
    """Base of the data sets. A subclass sets ``name`` and reads its annotations in :meth:`read_clips`.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder that holds it.

    Attributes
    ----------
    root : pathlib.Path
        The folder that holds it.
    name : str
        Name of the data set in keys and results.
    title : str
        Its name in prose.
    known_subjects : sequence of str
        The subjects of the complete set, if that is known.
    """

    name = "dataset"
    title = ""
    known_subjects: Sequence[str] = ()

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        adopt_renamed_methods(cls, {"_read": "read_clips"})

    def read_clips(self) -> tuple[list[Clip], list[Problem]]:
        """Read the annotations; a subclass writes this. It is called once, when something is asked for.

        Returns
        -------
        tuple of (list of Clip, list of Problem)
            All usable clips in the order of the annotations, and what is wrong on disk. A clip that cannot be used is a
            problem and not an exception, so that one bad row does not end a long job.
        """
        raise NotImplementedError

    @cached_property
    def _content(self) -> tuple[list[Clip], list[Problem]]:
        return self.read_clips()

    @property
    def synthetic(self) -> bool:
        """True if its people do not exist: the folder holds the ``synthetic.json`` that our generators write."""
        return is_file(self.root / SYNTHETIC)

    def clips(self) -> list[Clip]:
        """List all usable clips, in the order of the annotations. Frames are read when they are asked for."""
        return list(self._content[0])

    @property
    def problems(self) -> list[Problem]:
        """Faults that were found: missing clips, bad rows, duplicates. Reading goes on past them."""
        return list(self._content[1])

    def table(self) -> pd.DataFrame:
        """Make a table with one row per clip; see :func:`fleeting.clips.clips_table`."""
        return clips_table(self.clips())

    def layout(self) -> dict[str, str]:
        """Say in words in which places on disk its parts were found."""
        return {"root": str(self.root)}

    def verify(self) -> Verification:
        """Compare what was found with what is known of the complete data set."""
        return verify(self)

    def plot(self, clip: Clip) -> Any:
        """Draw a clip as a matplotlib figure: its first, onset, apex, offset and last frame, as far as there are such."""
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
