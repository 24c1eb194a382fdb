"""The input of the networks of Reddy, Karri, Dubey and Mukherjee 2019: whole frames, or eyes and mouth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from fleeting.faces import cut_region
from fleeting.faces.detector import Box
from fleeting.sequences.recipe import register_recipe
from fleeting.sequences.steps import dotted, outlined
from fleeting.sequences.windowed import FrameView, WindowedRecipe, grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.faces import FaceDetector


@dataclass(frozen=True)
class _WholeView(FrameView):
    size: tuple[int, int]
    in_grey: bool

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        box = Box(0, 0, image.shape[1] - 1, image.shape[0] - 1)
        return cut_region(grey(image) if self.in_grey else image, box, self.size)

    def stages(self, image: NDArray[np.uint8]) -> list[tuple[str, NDArray[np.uint8]]]:
        size = f"{self.size[1]}×{self.size[0]}"
        return [("Frame", image), (f"{size}, grey" if self.in_grey else size, self.apply(image))]


class _FirstFrames(WindowedRecipe):
    """What both inputs share: the first 18 frames."""

    frames: int = Field(default=18, ge=1, le=1000, description="frames the network sees")
    window: Literal["apex", "initial"] = "initial"

    def _reduced(self, height: int, width: int) -> list[str]:
        if (self.height, self.width, self.step) == (height, width, 1) and self.frames in (18, 96):
            return []
        return [
            f"This is a reduced recipe: the paper takes 18 frames (96 for CAS(ME)²) at {width}×{height} pixels and "
            "leaves none out."
        ]


@register_recipe("reddy2019")
class Reddy2019(_FirstFrames):
    """Whole grey frames without a face crop, 64×64, the first 18 frames: the input of MicroExpSTCNN.

    Reddy et al. 2019, sec. III; the frame's aspect is not kept. A clip that is shorter repeats its last frame. No face
    is looked for, so a clip is used whether or not one can be found, and so the background and the place of the head
    are seen too.

    Ours, beyond the paper: ``window="apex"``, ``motion="difference"``, ``step``.
    """

    title: ClassVar[str] = "Reddy et al. 2019"
    needs_face: ClassVar[bool] = False

    name: Literal["reddy2019"] = "reddy2019"
    height: int = Field(default=64, ge=8, le=1024, description="pixels")
    width: int = Field(default=64, ge=8, le=1024, description="pixels")

    def describe(self) -> list[str]:
        """Describe the recipe in plain sentences."""
        whole = "Whole frames are shown, background and all: no face is looked for."
        return [self.window_sentence(), whole, *self.motion_sentences(), *self._reduced(64, 64)]

    def view_of(
        self,
        image: NDArray[np.uint8],
        landmarks: NDArray[np.float64] | None,
        detector: FaceDetector,
        notes: list[str],
        first: FrameView | None = None,
    ) -> FrameView:
        """Give the view of the whole frame."""
        return _WholeView((self.height, self.width), self.color == "grey")


@dataclass(frozen=True)
class _EyesMouthView(FrameView):
    landmarks: NDArray[np.float64]
    size: tuple[int, int]
    in_grey: bool

    def boxes(self, shape: tuple[int, ...]) -> tuple[Box, Box]:
        points = self.landmarks
        eyes = (points[[1, 15], 0], (points[17:27, 1].min(), points[[1, 15], 1].mean()))
        mouth = (points[[2, 14], 0], (points[[2, 14], 1].mean(), points[[6, 10], 1].mean()))
        return _box(*eyes, shape), _box(*mouth, shape)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        above = self.size[0] // 2
        eyes, mouth = self.boxes(image.shape)
        image = grey(image) if self.in_grey else image
        below = cut_region(image, mouth, (self.size[0] - above, self.size[1]))
        return np.concatenate([cut_region(image, eyes, (above, self.size[1])), below])

    def stages(self, image: NDArray[np.uint8]) -> list[tuple[str, NDArray[np.uint8]]]:
        return [
            ("68 landmarks", dotted(image, self.landmarks)),
            ("Regions", outlined(image, self.boxes(image.shape))),
            (f"{self.size[1]}×{self.size[0]}{', grey' * self.in_grey}", self.apply(image)),
        ]


def _box(columns: NDArray[np.float64], rows: tuple[float, float], shape: tuple[int, ...]) -> Box:
    """A box inside the image, at least two pixels wide and high."""
    left, right = (int(v) for v in np.clip(np.round(columns), 0, shape[1] - 1))
    top, bottom = (int(v) for v in np.clip(np.round(rows), 0, shape[0] - 1))
    left, top = min(left, shape[1] - 2), min(top, shape[0] - 2)
    return Box(left, top, max(right, left + 1), max(bottom, top + 1))


@register_recipe("reddy2019_regions")
class Reddy2019Regions(_FirstFrames):
    """Eyes above mouth, 32×32 pixels each and grey, the first 18 frames: the input of the MicroExpFuseNets.

    The networks take the upper half of each image for the eyes and the lower half for the mouth.

    Reddy et al. 2019, sec. III, cut "eyes and mouth"; how far is what scripts in circulation do: the width of the
    face, by the jaw's landmarks 1 and 15 (iBUG numbers from 0), from the brows down to these points for the eyes, and
    from the jaw's points 2 and 14 down to 6 and 10 for nose and mouth. Two deviations: they find the face in each
    frame, which adds the detector's jitter to the motion (``alignment="per-frame"``), ours once per clip; and where they
    go by one of two opposite points, we take the mean.

    Ours, beyond the paper: ``window="apex"``, ``motion="difference"``, ``step``.
    """

    title: ClassVar[str] = "Reddy et al. 2019, eyes and mouth"

    name: Literal["reddy2019_regions"] = "reddy2019_regions"
    height: int = Field(default=64, ge=8, le=1024, multiple_of=2, description="pixels of both regions")
    width: int = Field(default=32, ge=8, le=1024, description="pixels")

    def describe(self) -> list[str]:
        """Describe the recipe in plain sentences."""
        shown = "Each frame shows the eyes, and below them nose and mouth, as wide as the face."
        return [
            self.window_sentence(),
            shown,
            self.face_sentence(),
            *self.motion_sentences(),
            *self._reduced(64, 32),
        ]

    def view_of(
        self,
        image: NDArray[np.uint8],
        landmarks: NDArray[np.float64] | None,
        detector: FaceDetector,
        notes: list[str],
        first: FrameView | None = None,
    ) -> FrameView:
        """Give the view of the eyes and the mouth."""
        assert landmarks is not None
        return _EyesMouthView(landmarks, (self.height, self.width), self.color == "grey")
