"""The verb ``spot``: where the apex is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from fleeting.app.screen import Screen
from fleeting.app.specs import parse_spec

AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON.")]
Quiet = Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", help="Print the result only.")]

# Below this the flow of a still face under sensor noise cannot be told from motion (pixels of a 128-pixel face).
STILL = 0.25
# Longer than this is hardly one expression.
LONGEST_SECONDS = 10.0


def spot(
    clip: Path,
    *,
    method: str = "motion",
    scores: Path | None = None,
    figure: Path | None = None,
    fps: float | None = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Find the apex of one expression in a short video of one face, or a folder of frames.

    Every frame is compared with the first in which the face is found.

    Example: fleeting spot video.mp4 --figure course.png

    Parameters
    ----------
    clip : pathlib.Path
        Video file, or folder of frames.
    method : str, optional
        NAME[,option=value...]: motion (ours), liong2015, yan2018, ma2017, or one of your own; `fleeting
        benchmark-spotting` compares them.
    scores : pathlib.Path or None, optional
        Write each frame's score here (CSV: frame, seconds, score).
    figure : pathlib.Path or None, optional
        Draw the scores over time here (png, svg, pdf or jpg).
    fps : float or None, optional
        Frames a second, for a folder or to overrule the video.
    """
    from dataclasses import replace

    import pandas as pd

    from fleeting.analysis.stretch import face_stretches
    from fleeting.clips import open_clip
    from fleeting.faces import find_reference
    from fleeting.files import figure_path, write_csv
    from fleeting.spotting import spot_clip, spotter_info
    from fleeting.spotting.figure import draw_spot

    screen = Screen(quiet, json)
    name, options = parse_spec(method)
    info = spotter_info(name)
    if figure is not None:
        figure_path(figure)
    opened = open_clip(clip, fps=fps)
    total = len(opened.frames)
    stretch = max(face_stretches(opened.frames, opened.fps, name=clip), key=len)
    stop = min(stretch.stop, total)
    reference = find_reference(opened.frames, stretch.start, name=clip)
    start = reference.index if stretch.start <= reference.index < stop else stretch.start
    found = spot_clip(
        replace(opened, onset=None, apex=None, offset=None),
        reference.landmarks,
        start=start,
        stop=stop,
        method=name,
        **options,
    )
    told = []
    if stop - start < total:
        told.append(f"the face was found in frames {start} to {stop - 1} of {total}; the rest was left out")
    missing = stop - start - len(found.indexes)
    if missing:
        told.append(f"{missing} frames could not be read and were passed over")
    if opened.fps is None:
        told.append("the frame rate is unknown, so no times are given; pass --fps")
    elif (stop - start) / opened.fps > LONGEST_SECONDS:
        told.append(
            f"{(stop - start) / opened.fps:.0f} seconds are more than one expression: only the largest motion is found"
        )
    in_pixels = name == "motion" and options.get("by", "flow") == "flow"
    if in_pixels and found.strength < STILL:
        told.append(f"the face hardly moves ({found.strength:.2f} px of a 128-px face): the apex means little")
    for sentence in told:
        screen.warn(sentence)
    table = pd.DataFrame({"frame": found.indexes, "seconds": None, "score": found.scores.round(6)})
    if opened.fps is not None:
        table["seconds"] = (found.indexes / opened.fps).round(6)
    written = None if scores is None else write_csv(scores, table)
    unit = "motion, px" if in_pixels else "score"
    drawn = None
    if figure is not None:
        drawn = draw_spot(found, figure, fps=opened.fps, title=f"{clip.name}: {method}", unit=unit)
    seconds = None if opened.fps is None else found.apex / opened.fps
    when = "" if seconds is None else f", {seconds:.3f} s"
    strength = f"; motion {found.strength:.2f} px of a 128-px face" if in_pixels else ""
    screen.show(f"Apex: frame {found.apex} of {total}{when}{strength} ({method})")
    if written is not None:
        screen.show(f"Scores: {written}")
    if drawn is not None:
        screen.show(f"Figure: {drawn}")
    screen.dump(
        {
            "clip": str(clip),
            "method": method,
            "paper": info.paper,
            "apex_frame": found.apex,
            "apex_seconds": None if seconds is None else round(seconds, 4),
            "onset_frame": found.onset,
            "frames": [int(found.indexes[0]), int(found.indexes[-1])],
            "n_frames": total,
            "fps": opened.fps,
            "strength": round(found.strength, 4),
            "scores": None if written is None else str(written),
            "figure": None if drawn is None else str(drawn),
            "warnings": told,
        }
    )
