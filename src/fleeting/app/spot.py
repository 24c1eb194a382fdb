"""The verb ``spot``: where the apex is."""

from __future__ import annotations

from pathlib import Path

from fleeting.app.options import FramesPerSecond, OutputOptions
from fleeting.app.specs import parse_spec


def spot(
    clip: Path,
    *,
    method: str = "motion",
    scores: Path | None = None,
    figure: Path | None = None,
    fps: FramesPerSecond = None,
    output: OutputOptions = OutputOptions(),
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
        Frames per second, for a folder or to overrule the video.
    """
    from fleeting.analysis import spot_recording
    from fleeting.files import figure_path, write_csv
    from fleeting.spotting import draw_spot, spotter_info

    screen = output.screen()
    name, options = parse_spec(method)
    info = spotter_info(name)
    if figure is not None:
        figure_path(figure)
    found = spot_recording(clip, fps=fps, method=name, **options)
    spot = found.spot
    for sentence in found.warnings:
        screen.warn(sentence)
    written = None if scores is None else write_csv(scores, found.table())
    drawn = None
    if figure is not None:
        unit = "motion, px" if found.in_pixels else "score"
        drawn = draw_spot(spot, figure, fps=found.fps, title=f"{clip.name}: {method}", unit=unit)
    seconds = found.apex_seconds
    when = "" if seconds is None else f", {seconds:.3f} s"
    strength = f"; motion {spot.strength:.2f} px of a 128-px face" if found.in_pixels else ""
    screen.show(f"Apex: frame {spot.apex} of {found.n_frames}{when}{strength} ({method})")
    if written is not None:
        screen.show(f"Scores: {written}")
    if drawn is not None:
        screen.show(f"Figure: {drawn}")
    screen.dump(
        {
            "clip": str(clip),
            "method": method,
            "paper": info.paper,
            "apex_frame": spot.apex,
            "apex_seconds": None if seconds is None else round(seconds, 4),
            "onset_frame": spot.onset,
            "frames": [int(spot.indexes[0]), int(spot.indexes[-1])],
            "n_frames": found.n_frames,
            "fps": found.fps,
            "strength": round(spot.strength, 4),
            "scores": None if written is None else str(written),
            "figure": None if drawn is None else str(drawn),
            "warnings": list(found.warnings),
        }
    )
