"""The distance of spotted apexes from annotated ones."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from fleeting.clips import Clip
from fleeting.errors import FleetingError, UsageError, unknown_choice
from fleeting.faces import default_detector, find_reference
from fleeting.parallel import Progress, map_jobs
from fleeting.spotting.apex import aligned_faces
from fleeting.spotting.registry import find_apex, list_spotters, spotter_info

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MIDDLE", "SpottingBenchmark", "Within", "benchmark_spotters", "published_errors"]

Within = Literal["clip", "expression"]
#: The row of always answering the middle frame, which asks nothing of the pictures.
MIDDLE = "always the middle"

COLUMNS = ("dataset", "subject", "clip", "method", "n_frames", "apex", "spotted", "error", "share")


@dataclass
class SpottingBenchmark:
    """The result of :func:`benchmark_spotters`.

    Attributes
    ----------
    table : pandas.DataFrame
        A row per clip and method: ``dataset, subject, clip, method, n_frames`` (searched), ``apex`` (annotated) and
        ``spotted`` (both 0-based frames of the clip), ``error`` in frames, ``share`` of the frames searched.
    skipped : list of tuple of (str, str)
        Key of a clip, or key and method where a single method failed, and the reason.
    """

    table: pd.DataFrame
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def summary(self) -> pd.DataFrame:
        """A row per data set and method, in the order in which they were asked for.

        Columns: ``dataset, method, clips, mae`` (mean absolute error in frames), ``se`` (its standard error), ``median``,
        ``p90`` and ``mae_share`` (mean error as a share of the frames searched).
        """
        import pandas as pd

        rows = []
        for (dataset, method), part in self.table.groupby(["dataset", "method"], sort=False):
            error = part["error"].to_numpy(dtype=np.float64)
            rows.append(
                {
                    "dataset": dataset,
                    "method": method,
                    "clips": len(error),
                    "mae": error.mean(),
                    "se": error.std(ddof=1) / np.sqrt(len(error)) if len(error) > 1 else np.nan,
                    "median": np.median(error),
                    "p90": np.quantile(error, 0.9),
                    "mae_share": part["share"].mean(),
                }
            )
        return pd.DataFrame(rows)


@dataclass(frozen=True)
class _Job:
    clip: Clip
    methods: tuple[tuple[str, str, dict[str, Any]], ...]
    within: Within


def benchmark_spotters(
    clips: Sequence[Clip],
    methods: Sequence[tuple[str, dict[str, Any]]] | None = None,
    *,
    within: Within = "clip",
    jobs: int | None = 1,
    progress: Progress | None = None,
) -> SpottingBenchmark:
    """Spot the apex of every clip that has an annotated one, by every method, and measure the error.

    All methods see the same aligned faces. A clip without an annotated apex, without a face, or that cannot be read is
    skipped and named.

    Parameters
    ----------
    clips : sequence
        Annotated clips.
    methods : sequence or None, optional
        Names of :func:`fleeting.spotting.list_spotters`, each with its options; all with their defaults if not given.
        The row of always answering the middle of the frames searched is added.
    within : Within, optional
        ``"clip"`` searches all frames, ``"expression"`` those from the annotated onset to the offset.
    jobs : int or None, optional
        Processes; 0 or ``None`` for one per core.
    progress : Progress or None, optional
        Called with the number of clips done and of all.

    Raises
    ------
    UsageError
        For an unknown method or option, or one that is asked for twice.
    """
    import pandas as pd

    if within not in get_args(Within):
        raise unknown_choice("part of a clip", within, get_args(Within))
    asked = [(name, {}) for name in list_spotters()] if methods is None else list(methods)
    named: list[tuple[str, str, dict[str, Any]]] = []
    for name, options in asked:
        known = spotter_info(name).options
        for option in options:
            if option not in known:
                raise unknown_choice(f"option of {name}", option, known)
        title = ",".join([name, *(f"{option}={value}" for option, value in options.items())])
        if title in [other for other, _, _ in named]:
            raise UsageError(f"method {title} is asked for twice")
        named.append((title, name, dict(options)))
    todo = [_Job(clip, tuple(named), within) for clip in clips]
    found: dict[int, tuple[list[tuple[Any, ...]], list[tuple[str, str]]]] = dict(
        map_jobs(_spot_one, todo, jobs=jobs, progress=progress, initializer=_one_thread if jobs != 1 else None)
    )
    rows = [row for position in sorted(found) for row in found[position][0]]
    skipped = [item for position in sorted(found) for item in found[position][1]]
    return SpottingBenchmark(pd.DataFrame(rows, columns=list(COLUMNS)), skipped)


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)


def _spot_one(job: _Job) -> tuple[list[tuple[Any, ...]], list[tuple[str, str]]]:
    clip = job.clip
    if clip.apex is None:
        return [], [(clip.key, "no annotated apex")]
    length = len(clip.frames)
    start, stop = 0, length
    if job.within == "expression":
        start = clip.onset or 0
        stop = length if clip.offset is None else min(clip.offset + 1, length)
    if not start <= clip.apex < stop:
        return [], [(clip.key, f"its annotated apex, frame {clip.apex}, is none of the frames {start} to {stop - 1}")]
    try:
        reference = find_reference(clip.frames, start, default_detector(), clip.key)
        indexes, faces, landmarks = aligned_faces(clip, reference.landmarks, start=start, stop=stop)
    except (FleetingError, OSError) as exc:
        return [], [(clip.key, str(exc))]
    n_frames = stop - start
    head = (clip.dataset, clip.subject, clip.name)
    answers = {MIDDLE: start + (n_frames - 1) // 2}
    skipped: list[tuple[str, str]] = []
    for title, name, options in job.methods:
        try:
            spot = find_apex(faces, landmarks, method=name, fps=clip.fps, **options)
        except FleetingError as exc:
            skipped.append((f"{clip.key}, {title}", str(exc)))
            continue
        answers[title] = int(indexes[spot.apex])
    # The row that asks nothing of the pictures comes last.
    answers[MIDDLE] = answers.pop(MIDDLE)
    rows = [
        (*head, title, n_frames, clip.apex, spotted, abs(spotted - clip.apex), abs(spotted - clip.apex) / n_frames)
        for title, spotted in answers.items()
    ]
    return rows, skipped


@cache
def published_errors() -> tuple[dict[str, str], ...]:
    """Mean absolute errors that papers print, as text: ``method, paper, datasets, clips, mae_frames, source, note``.

    ``datasets`` are joined by ``+`` where a paper gives one figure for several. Only figures that were read at their
    source are listed.
    """
    text = files("fleeting.spotting").joinpath("published.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))
