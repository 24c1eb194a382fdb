"""The course of an expression as a picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fleeting.files import figure_path, write_figure
from fleeting.spotting.course import ApexSpot

__all__ = ["draw_course", "draw_spot"]


def draw_spot(
    spot: ApexSpot, path: str | os.PathLike[str], *, fps: float | None = None, title: str = "", unit: str = "score"
) -> Path:
    """Draw the scores over time, apex and onset marked.

    Parameters
    ----------
    spot : ApexSpot
        Result of any apex spotter.
    path : str or os.PathLike
        Ends in png, svg, pdf or jpg.
    fps : float or None, optional
        For an axis in seconds; frames if unknown.
    title : str, optional
        Above the plot.
    unit : str, optional
        Name of the scores.

    Raises
    ------
    UsageError
        For another ending.
    FleetingError
        If the file cannot be written.
    """
    path = figure_path(path)
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(7, 2.6), dpi=140, layout="constrained")
    axes = figure.add_subplot()
    draw_course(axes, spot, fps=fps, unit=unit)
    axes.set_title(title, fontsize=10)
    return write_figure(path, figure)


def draw_course(axes: Any, spot: ApexSpot, *, fps: float | None = None, first: int = 0, unit: str = "score") -> None:
    """Draw the scores over time onto a matplotlib axes, apex and onset marked.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Drawn on.
    spot : ApexSpot
        Result of any apex spotter.
    fps : float or None, optional
        For an axis in seconds; frames if unknown.
    first : int, optional
        Frame of the recording that the spotter counted as 0.
    unit : str, optional
        Label of the scores.
    """
    scale = fps or 1.0
    times = (spot.indexes + first) / scale
    apex, onset = (spot.apex + first) / scale, (spot.onset + first) / scale
    axes.fill_between(times, spot.scores, min(0.0, float(spot.scores.min())), color="#c6dbef", linewidth=0)
    axes.plot(times, spot.scores, color="#2166ac", linewidth=1.5)
    axes.axvline(apex, color="#b2182b", linewidth=1.5)
    axes.axvline(onset, color="#888", linewidth=1, linestyle="--")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.15 * (high - low))
    axes.annotate(f" apex: frame {spot.apex + first}", (apex, high), color="#b2182b", fontsize=9)
    axes.annotate("onset ", (onset, high), color="#666", fontsize=9, ha="right")
    axes.set_xlabel("frame" if fps is None else "seconds")
    axes.set_ylabel(unit)
    axes.spines[["top", "right"]].set_visible(False)
