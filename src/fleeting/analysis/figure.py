"""A verdict as one picture: the film strip, the motion over the face, its course in time, the probabilities."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.errors import ClipReadError
from fleeting.faces import Alignment, face_mask
from fleeting.files import figure_path, write_figure
from fleeting.motion import skin_flow
from fleeting.spotting import draw_course
from fleeting.spotting.apex import MARGIN, SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.analysis.predict import Verdict

PICTURES = 7


def motion_overlay(
    reference: NDArray[np.uint8],
    frame: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    *,
    full: float,
    arrows: int = 12,
) -> NDArray[np.uint8]:
    """The face of ``frame`` with the skin's motion since ``reference`` over it, the head's own motion removed.

    Parameters
    ----------
    reference, frame : numpy.ndarray of uint8
        Aligned RGB ``uint8`` ``(H, W, 3)``.
    mask : numpy.ndarray of bool
        ``(H, W)``; where motion is shown.
    full : float
        Motion in pixels that is drawn in full colour.
    arrows : int, optional
        Arrows along one side.

    Returns
    -------
    numpy.ndarray of uint8
        ``uint8`` RGB ``(H, W, 3)``.
    """
    import cv2

    grey = [np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8) for image in (reference, frame)]
    flow = skin_flow(grey[0], grey[1], mask)
    share = np.clip(np.hypot(flow[..., 0], flow[..., 1]) / max(full, 1e-6), 0, 1) * mask
    heat = cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    alpha = (0.75 * np.sqrt(share))[..., None]
    base = np.repeat(grey[1][..., None], 3, axis=2)
    picture = np.ascontiguousarray((base * (1 - alpha) + heat * alpha).astype(np.uint8))
    height, width = mask.shape
    pace = max(4, width // arrows)
    for y in range(pace // 2, height, pace):
        for x in range(pace // 2, width, pace):
            if share[y, x] < 0.3:
                continue
            # Long enough to be seen: a micro-expression moves a pixel or two.
            tip = flow[y, x] / max(full, 1e-6) * pace * 1.2
            end = (round(x + float(tip[0])), round(y + float(tip[1])))
            cv2.arrowedLine(picture, (x, y), end, (255, 255, 255), 1, cv2.LINE_AA, tipLength=0.35)
    return picture


def _pictures(verdict: Verdict) -> tuple[list[int], list[NDArray[np.uint8]], list[NDArray[np.uint8]], float]:
    """Frames shown (of the recording), aligned faces, the same with motion, and the motion in full colour."""
    landmarks = verdict.reference.landmarks
    align = Alignment.from_landmarks(landmarks, height=SIDE, width=SIDE, margin=MARGIN)
    mask = face_mask(align.points(landmarks), (SIDE, SIDE))
    source = verdict.clip.frames
    onset, apex = verdict.spot.onset, verdict.spot.apex
    last = len(source) - 1
    after = max(1, min(apex - onset, last - apex)) if apex < last else 0
    rising = np.linspace(onset, apex, PICTURES // 2 + 1)
    falling = np.linspace(apex, min(last, apex + after), PICTURES - PICTURES // 2)
    wanted = sorted({int(i) for i in np.concatenate([rising, falling])})
    faces: dict[int, NDArray[np.uint8]] = {}
    for index in sorted({onset, *wanted}):
        try:
            faces[index] = align.apply(source[index])
        except (ClipReadError, IndexError):
            continue
    reference = faces.get(onset, next(iter(faces.values())))
    full = max(1.0, verdict.strength)
    shown = [index for index in wanted if index in faces]
    moved = [motion_overlay(reference, faces[index], mask, full=full) for index in shown]
    return [i + verdict.stretch.start for i in shown], [faces[i] for i in shown], moved, full


def draw_verdict(verdict: Verdict, path: str | os.PathLike[str]) -> Path:
    """Draw a verdict to a file.

    Parameters
    ----------
    verdict : Verdict
        Result of :func:`fleeting.analysis.predict`.
    path : str or os.PathLike
        Ends in png, svg, pdf or jpg.

    Raises
    ------
    UsageError
        For another ending.
    FleetingError
        If the file cannot be written.
    """
    path = figure_path(path)
    from matplotlib.figure import Figure

    shown, faces, moved, full = _pictures(verdict)
    figure: Any = Figure(figsize=(11, 5.5), dpi=140, layout="constrained")
    figure.get_layout_engine().set(h_pad=0.02, w_pad=0.02, hspace=0.02)
    grid = figure.add_gridspec(3, 1, height_ratios=[1, 1, 1.05])
    strips = [grid[row].subgridspec(1, len(shown), wspace=0.02) for row in (0, 1)]
    for column, index in enumerate(shown):
        for row, images in enumerate((faces, moved)):
            axes = figure.add_subplot(strips[row][column])
            axes.imshow(images[column])
            axes.set_xticks([])
            axes.set_yticks([])
            is_apex = index == verdict.apex
            for side in axes.spines.values():
                side.set(visible=is_apex, color="#b2182b", linewidth=2.5)
            if row == 0:
                when = f"frame {index}" if verdict.fps is None else f"{index / verdict.fps:.2f} s"
                axes.set_title(
                    f"{when}{' · apex' if is_apex else ''}", fontsize=9, color="#b2182b" if is_apex else "#333"
                )
            if column == 0:
                axes.set_ylabel(("face", "motion")[row], fontsize=9, color="#555")
    bottom = grid[2].subgridspec(1, 2, width_ratios=[2.4, 1])
    draw_course(
        figure.add_subplot(bottom[0]), verdict.spot, fps=verdict.fps, first=verdict.stretch.start, unit="motion, px"
    )
    _draw_probabilities(figure.add_subplot(bottom[1]), verdict)
    figure.suptitle(
        f"{verdict.path.name}: {verdict.label}, {max(verdict.probabilities):.0%}   "
        f"(motion up to {verdict.strength:.1f} px of a 128-px face; full colour = {full:.1f} px)",
        fontsize=11,
    )
    return write_figure(path, figure)


def _draw_probabilities(axes: Any, verdict: Verdict) -> None:
    order = np.argsort(verdict.probabilities)
    values = [verdict.probabilities[i] for i in order]
    names = [verdict.classes[i] for i in order]
    colours = ["#9ecae1"] * (len(values) - 1) + ["#2166ac"]
    axes.barh(names, values, color=colours)
    for row, value in enumerate(values):
        inside = value > 0.8
        side, colour = ("right", "white") if inside else ("left", "#333")
        axes.annotate(f" {value:.0%} ", (value, row), va="center", ha=side, color=colour, fontsize=9)
    axes.set_xlim(0, 1)
    axes.set_xlabel("probability")
    axes.spines[["top", "right"]].set_visible(False)
