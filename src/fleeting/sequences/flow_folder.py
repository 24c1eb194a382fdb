"""The flow of clips as a folder of images and a table, as it circulates of the MEGC2019 composite."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleeting.clips import Clip, FrameFolder
from fleeting.datasets import apply_scheme, left_out
from fleeting.datasets.flow import FLOW_LABELS, SCHEME, circulating_names
from fleeting.datasets.problems import SYNTHETIC
from fleeting.errors import UsageError
from fleeting.files import write_atomic, write_csv
from fleeting.parallel import Progress
from fleeting.records import SyntheticHead, make_folder
from fleeting.renamed import renamed_argument
from fleeting.sequences.cache import Skipped, prepare
from fleeting.sequences.flow import Flow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FlowFolderSummary", "write_flow_folder"]

TABLE = "flow.csv"
MARK = "The flow of synthetic clips: people who do not exist. A score on it says nothing about real people."
_COLUMNS = ("dataset", "sub", "filename_o", "label", "apex", "imagename", "sub_filename")
# What no file system, or not each, takes in a name.
_UNFIT = re.compile(r'[\x00-\x1f/\\:*?"<>|]')


@dataclass(frozen=True)
class FlowFolderSummary:
    """The flow folder that was written.

    Attributes
    ----------
    folder, table : pathlib.Path
        The folder of images, and the CSV in it.
    n_clips : int
        Images.
    counts : dict of tuple of (str, str) to int
        Clips by data set and label.
    skipped : tuple of Skipped
        Clips without an image, and why.
    """

    folder: Path
    table: Path
    n_clips: int
    counts: dict[tuple[str, str], int]
    skipped: tuple[Skipped, ...]


@renamed_argument("store", "cache")
def write_flow_folder(
    clips: Sequence[Clip],
    folder: str | os.PathLike[str],
    *,
    recipe: Flow | None = None,
    jobs: int | None = 1,
    cache: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    synthetic: bool = False,
) -> FlowFolderSummary:
    """Compute the flow of clips from onset to apex, and write it as it circulates.

    The folder gets an image per clip (``sub01_EP02_01f .png``, with the blank; R is u, G is v, B is strain) and
    ``flow.csv``; ``flow:FOLDER`` reads it (:mod:`fleeting.datasets.flow`). Asking again does only what is missing: the
    flow is kept in the cache, and images that are there already are left as they are. The table is written last.

    Parameters
    ----------
    clips : sequence of Clip
        Labelled negative, positive or surprise, or in words of which the scheme ``megc2019`` makes that; clips that it
        leaves out are among the skipped.
    folder : str or os.PathLike
        Made if it is not there.
    recipe : Flow or None, optional
        With ``scaling="minmax"``; 28×28 by default.
    jobs : int or None, optional
        Processes; 0 or ``None`` for one per core.
    cache : str or os.PathLike or None, optional
        Root of the sequence cache; see :func:`fleeting.sequences.cache.default_cache`.
    progress : Progress or None, optional
        Called with the number of clips done and of all.
    synthetic : bool, optional
        Mark the folder as made from clips of people who do not exist, which reports on it then say.

    Raises
    ------
    UsageError
        If there are no clips, two have one key, none has a label of the scheme, the recipe does not stretch channels,
        or the folder holds other images, which its table would not list.
    FleetingError
        If a file cannot be written.
    """
    recipe = recipe or Flow()
    if recipe.scaling != "minmax":
        raise UsageError(f"a flow folder holds channels stretched to 0..255; found scaling={recipe.scaling!r}")
    if not clips:
        raise UsageError("no clips to compute the flow of; expected at least one")
    repeated = [key for key, count in Counter(clip.key for clip in clips).items() if count > 1]
    if repeated:
        raise UsageError(f"{len(repeated)} clips occur more than once ({', '.join(repeated[:3])}); give each once")
    folder = Path(folder)
    labelled = apply_scheme(clips, SCHEME)
    names = _image_names(labelled)
    _no_strangers(folder, set(names.values()))
    if synthetic:
        # First, so that not even an unfinished folder can be taken for the real composite.
        SyntheticHead(note=MARK, parameters={"layout": "flow"}).write(folder / SYNTHETIC)
    made = prepare(labelled, recipe, root=cache, jobs=jobs, progress=progress)
    rows = []
    for position, (clip, info) in enumerate(zip(made.clips, made.infos, strict=True)):
        stem = names[clip.key]
        _write_image(folder / f"{stem} .png", made[position][0])
        subject, name = circulating_names(clip.dataset, clip.subject, clip.name)
        label = FLOW_LABELS.index(str(clip.emotion))
        rows.append((clip.dataset, subject, name, label, _apex(clip, info), f"{stem}.jpg", ""))
    for item in made.skipped:
        # Of an earlier time, when the clip could be read.
        (folder / f"{names[item.clip.key]} .png").unlink(missing_ok=True)
    import pandas as pd

    table = write_csv(folder / TABLE, pd.DataFrame(rows, columns=list(_COLUMNS)))
    by_key = {clip.key: clip for clip in clips}
    dropped = [
        Skipped(by_key[f"{problem.dataset}/{problem.subject}/{problem.clip}"], problem.reason)
        for problem in left_out(clips, SCHEME)
    ]
    counts = Counter((clip.dataset, str(clip.emotion)) for clip in made.clips)
    return FlowFolderSummary(folder, table, len(rows), dict(counts), (*dropped, *made.skipped))


def _image_names(clips: Sequence[Clip]) -> dict[str, str]:
    """Names of the images without blank and ending, by the clips' keys; no two alike, whatever the file system."""
    plain = {
        clip.key: _UNFIT.sub("_", "_".join(circulating_names(clip.dataset, clip.subject, clip.name))) for clip in clips
    }
    often = Counter(_folded(name) for name in plain.values())
    names = {
        clip.key: plain[clip.key]
        if often[_folded(plain[clip.key])] == 1
        else _UNFIT.sub("_", f"{clip.dataset}_{plain[clip.key]}")
        for clip in clips
    }
    still = Counter(map(_folded, names.values()))
    twice = [key for key, name in names.items() if still[_folded(name)] > 1]
    if twice:
        raise UsageError(f"clips {' and '.join(twice[:2])} would have one image's name; rename one of them")
    return names


def _folded(name: str) -> str:
    return re.sub(r"\s+", "", name).casefold()


def _no_strangers(folder: Path, stems: set[str]) -> None:
    """A folder that holds other images would be read as an incomplete one."""
    paths = map(Path, make_folder(folder))
    strangers = sorted(path.name for path in paths if path.suffix.lower() == ".png" and path.stem.rstrip() not in stems)
    if strangers:
        raise UsageError(
            f"{folder}: holds {len(strangers)} images of other clips ({', '.join(strangers[:3])}); choose another folder"
        )


def _write_image(path: Path, image: NDArray[np.uint8]) -> None:
    import cv2

    ok, png = cv2.imencode(".png", image[..., ::-1])
    assert ok
    content = png.tobytes()
    try:
        if path.read_bytes() == content:
            return
    except OSError:
        pass
    write_atomic(path, lambda file: file.write(content))


def _apex(clip: Clip, info: dict[str, Any]) -> int | str:
    """The number of the apex frame in its file's name; its place in the clip where frames have no numbers."""
    apex = info.get("apex")
    if apex is None:
        return ""
    return int(clip.frames.numbers[apex]) if isinstance(clip.frames, FrameFolder) else int(apex)
