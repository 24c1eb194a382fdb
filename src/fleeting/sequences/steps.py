"""A recipe's stages as pictures, side by side as in the papers' figures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.errors import UsageError
from fleeting.files import figure_path, write_figure
from fleeting.sequences.strip import change_image, strip_indexes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.faces import FaceDetector
    from fleeting.faces.detector import Box


_BOX, _POINT = (255, 196, 0), (0, 229, 160)
# Frames are shown no larger than this, so that lines and points look alike on all.
_SHOWN = 480
_STRIP = 10
_WIDTH, _SIDE, _GAP = 13.0, 0.4, 0.1  # inches
_RED, _INK = "#b2182b", "#333333"


@dataclass(frozen=True)
class Step:
    """A stage of a recipe, to be looked at.

    Attributes
    ----------
    title : str
        Name of the step.
    images : tuple of numpy.ndarray of uint8
        ``uint8`` RGB ``(H, W, 3)`` or grey ``(H, W)`` or ``(H, W, 1)``; one for each frame that is shown.
    captions : tuple of str
        A caption for each image.
    sequence : bool
        Whether these are the frames of the finished sequence.
    changes : bool
        For a sequence, whether a row below shows what changed since its first frame.
    """

    title: str
    images: tuple[NDArray[np.uint8], ...]
    captions: tuple[str, ...] = ()
    sequence: bool = False
    changes: bool = True


def boxed(image: NDArray[np.uint8], detector: FaceDetector) -> NDArray[np.uint8]:
    """Draw the box of the largest face into a frame, if it shows one."""
    return outlined(image, detector.detect(image)[:1])


def outlined(image: NDArray[np.uint8], boxes: Iterable[Box]) -> NDArray[np.uint8]:
    """Draw boxes into a frame."""
    import cv2

    shown, scale = _small(image)
    for box in boxes:
        left, top, right, bottom = (round(value * scale) for value in box)
        cv2.rectangle(shown, (left, top), (right, bottom), _BOX, max(2, round(max(shown.shape) / 160)), cv2.LINE_AA)
    return shown


def dotted(image: NDArray[np.uint8], landmarks: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Draw the landmarks of a face into its surroundings."""
    import cv2

    low, high = landmarks.min(0), landmarks.max(0)
    reach = 0.35 * float((high - low).max())
    left, top = (max(0, int(v)) for v in low - reach)
    right, bottom = (int(v) for v in high + reach)
    part = image[top : bottom + 1, left : right + 1]
    shown, scale = _small(part, enlarge=True)
    radius = max(1, round(max(shown.shape) / 110))
    for x, y in (landmarks - [left, top]) * scale:
        cv2.circle(shown, (round(x), round(y)), radius, _POINT, -1, cv2.LINE_AA)
    return shown


def apart(regions: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Draw right eye, left eye and mouth with white between them."""
    right, left, mouth = regions
    gap = max(2, mouth.shape[1] // 12)
    above = np.concatenate([right, np.full((len(right), gap, 3), 255, np.uint8), left], axis=1)
    between = np.full((gap, above.shape[1], 3), 255, np.uint8)
    below = np.full((len(mouth), above.shape[1], 3), 255, np.uint8)
    start = (above.shape[1] - mouth.shape[1]) // 2
    below[:, start : start + mouth.shape[1]] = mouth
    return np.concatenate([above, between, below])


def _small(image: NDArray[np.uint8], enlarge: bool = False) -> tuple[NDArray[np.uint8], float]:
    """A contiguous copy whose longer side is at most (or just) what is shown, and its scale."""
    import cv2

    scale = _SHOWN / max(image.shape[:2])
    if scale >= 1 and not enlarge:
        return np.array(image), 1.0
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(image, size, interpolation=how)), scale


def draw_steps(steps: Sequence[Step], path: str | os.PathLike[str], *, title: str = "") -> Path:
    """Draw a recipe's stages to a file: a row for each frame that is shown, a column per stage, the sequence below.

    Parameters
    ----------
    steps : sequence of Step
        Steps that a recipe's ``steps(clip)`` gave.
    path : str or os.PathLike
        Ends in png, svg, pdf or jpg.
    title : str, optional
        Stands above.

    Raises
    ------
    UsageError
        For another ending, or if there is nothing to draw.
    FleetingError
        If the file cannot be written.
    """
    path = figure_path(path)
    stages = [step for step in steps if not step.sequence and step.images]
    sequence = next((step for step in steps if step.sequence), None)
    if not stages or sequence is None:
        raise UsageError("found no stages to draw; expected the steps of a recipe, the sequence among them")
    from matplotlib.figure import Figure

    page = _Page(stages, sequence)
    figure: Any = Figure(figsize=(_WIDTH, page.height), dpi=130)
    page.draw(figure, title)
    return write_figure(path, figure)


class _Page:
    """Rows of images of one height, centred; all lengths in inches."""

    def __init__(self, stages: Sequence[Step], sequence: Step) -> None:
        self.stages, self.sequence = stages, sequence
        self.rows = max(len(step.images) for step in stages)
        self.aspects = [_aspect(step.images[0]) for step in stages]
        self.stage_height = self._fitting(self.aspects, 2.4)
        # The onset frame stands in front of a sequence that is its difference from it.
        extra = int(bool(sequence.captions) and sequence.captions[0].startswith("onset"))
        indexes = strip_indexes(len(sequence.images) - extra, _STRIP - extra)
        self.shown = [*range(extra), *(index + extra for index in indexes)]
        self.strip_aspects = [_aspect(sequence.images[0])] * len(self.shown)
        self.strip_height = self._fitting(self.strip_aspects, 1.7)
        strips = 1 + sequence.changes
        self.height = 0.75 + self.rows * (self.stage_height + _GAP) + 0.35 + strips * (self.strip_height + _GAP) + 0.35

    @staticmethod
    def _fitting(aspects: Sequence[float], most: float) -> float:
        return min(most, (_WIDTH - 2 * _SIDE - _GAP * (len(aspects) - 1)) / sum(aspects))

    def draw(self, figure: Any, title: str) -> None:
        top = 0.75
        for row in range(self.rows):
            for column, axes in enumerate(self._row(figure, top, self.stage_height, self.aspects)):
                step = self.stages[column]
                if row >= len(step.images):
                    axes.set_axis_off()
                    continue
                _show(axes, step.images[row])
                if row == 0:
                    axes.set_title(f"{column + 1}  {step.title}", fontsize=9, color=_INK)
                if column == 0 and row < len(step.captions):
                    axes.set_ylabel(step.captions[row], fontsize=9, color=_INK)
            top += self.stage_height + _GAP
        top += 0.35
        captions = self.sequence.captions or tuple(map(str, range(len(self.sequence.images))))
        since = "onset" if captions[0].startswith("onset") else "first"
        for index, axes in zip(self.shown, self._row(figure, top, self.strip_height, self.strip_aspects)):
            is_apex = captions[index].endswith("apex")
            _show(axes, self.sequence.images[index], frame=_RED if is_apex else None)
            axes.set_title(captions[index], fontsize=8, color=_RED if is_apex else _INK)
            if index == self.shown[0]:
                axes.set_ylabel(f"{len(self.stages) + 1}  {self.sequence.title}", fontsize=9, color=_INK)
        figure.text(0.5, 1 - 0.28 / self.height, title, ha="center", fontsize=12, color=_INK)
        if not self.sequence.changes:
            return
        top += self.strip_height + _GAP
        reference = _three(self.sequence.images[0])
        for index, axes in zip(self.shown, self._row(figure, top, self.strip_height, self.strip_aspects)):
            _show(axes, change_image(_three(self.sequence.images[index]), reference))
            if index == self.shown[0]:
                axes.set_ylabel(f"since the {since}", fontsize=9, color=_INK)
        foot = (
            f"Numbers are frames of the clip. Last row: what changed since the {since} frame, lighter in red, darker "
        )
        figure.text(0.5, 0.12 / self.height, f"{foot}in blue.", ha="center", fontsize=8, color="#666666")

    def _row(self, figure: Any, top: float, height: float, aspects: Sequence[float]) -> list[Any]:
        left = (_WIDTH - height * sum(aspects) - _GAP * (len(aspects) - 1)) / 2
        made = []
        for aspect in aspects:
            where = (left / _WIDTH, 1 - (top + height) / self.height, height * aspect / _WIDTH, height / self.height)
            made.append(figure.add_axes(where))
            left += height * aspect + _GAP
        return made


def _aspect(image: NDArray[np.uint8]) -> float:
    return float(image.shape[1] / image.shape[0])


def _three(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.ndim == 2:
        image = image[..., None]
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def _show(axes: Any, image: NDArray[np.uint8], frame: str | None = None) -> None:
    axes.imshow(_three(image), interpolation="antialiased")
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set(visible=frame is not None, color=frame or "none", linewidth=2)
