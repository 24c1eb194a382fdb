"""The tiered preprocessing of Irawan, Munir, Utama and Purwarianti 2023 (sec. III.B)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from fleeting.faces import Alignment, cut_region, eye_angle, fill_eyes, region_box
from fleeting.sequences.recipe import register_recipe
from fleeting.sequences.steps import apart, dotted
from fleeting.sequences.windowed import FrameView, WindowedRecipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.faces import FaceDetector
    from fleeting.faces.detector import Box

MASK_LEVELS = {"black": 0, "grey": 128, "white": 255}
# In face widths: farther off, it is another face that was found in the turned frame.
_SAME_FACE = 0.3


@dataclass(frozen=True)
class _RegionsView(FrameView):
    """The face turned and cut, its eyes covered, three regions put together.

    ``boxes`` are right eye, left eye and mouth in pixels of the cut face, ``sizes`` what they become. Both are those of
    the reference frame, also where each frame is aligned by itself: the picture's seams never move.
    """

    landmarks: NDArray[np.float64]
    angle: float
    align: Alignment
    mask: int | None
    grow: float
    boxes: tuple[Box, Box, Box]
    sizes: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    in_grey: bool

    def masked(self, face: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.mask is None:
            return face
        return fill_eyes(face, self.align.points(self.landmarks), level=self.mask, grow=self.grow)

    def regions(self, face: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        return [cut_region(face, box, size) for box, size in zip(self.boxes, self.sizes, strict=True)]

    def recombined(self, regions: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        right, left, mouth = regions
        return np.concatenate([np.concatenate([right, left], axis=1), mouth])

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        # Grey first: a third of the pixels to cut, cover and scale.
        return self.recombined(self.regions(self.masked(self.align.apply(image, grey=self.in_grey))))

    def stages(self, image: NDArray[np.uint8]) -> list[tuple[str, NDArray[np.uint8]]]:
        level = Alignment.levelled(self.angle, (image.shape[1], image.shape[0]))
        turned = level.apply(image)
        face = self.align.apply(image)
        masked = self.masked(face)
        regions = self.regions(masked)
        found = [
            ("Eyes level", turned),
            ("68 landmarks", dotted(turned, level.points(self.landmarks))),
            (f"Cropped, {self.align.width}×{self.align.height}", face),
            ("Regions", apart(regions)),
            ("Recombined", self.recombined(regions)),
        ]
        if self.mask is not None:
            found.insert(3, ("Eyes masked", masked))
        return [*found, ("Grey", self.apply(image))] if self.in_grey else found


@register_recipe("irawan2023")
class Irawan2023(WindowedRecipe):
    """Detection, alignment by the eye corners, 68 landmarks, crop, resize, eyes masked, regions recombined, grey.

    The stages and their order are the paper's (sec. III.A and III.B, figure 3): frames, face detection, in-plane
    rotation until the eyes are level, 68 landmarks, face crop, resize, a polygon over each eye, left eye with brow and
    right eye with brow and mouth cut by their landmarks and recombined to 128×128, grey; 10 frames (table II).

    What the paper leaves open, and how it is settled here:

    - Which 10 frames: those around the apex, "the apex occurrence interval" (sec. III.C). SMIC publishes no apex:
      ``missing_apex="spotted"``, or the ``"middle"`` frame.
    - How often the face is detected: ``alignment="reference"``, once per clip, one transform for all frames;
      ``"per-frame"`` adds the detector's jitter to the motion. The recombination's geometry is fixed for a clip either
      way.
    - Landmarks are detected after the rotation, as the order of the stages has it: ``landmarks="levelled"``;
      ``"moved"`` turns those that were found before along with the face.
    - The face is resized to ``face`` = 256 pixels, of which the regions are about half.
    - The mask's colour is ``"black"``, its polygon the eye's six landmarks (``mask_grow=1``: larger covers the lashes
      too). Eyes can be left open with ``mask="none"``.
    - How regions fill the picture: the eyes' halves of the upper half side by side, the person's right eye on the
      left, the mouth in the lower half. ``fit="stretch"`` scales what was cut to fill its place, ``"grow"`` cuts wider
      so that nothing is distorted. Both eyes are cut from the same rows.
    - How far regions reach beyond their landmarks: ``region_margin``, in inter-ocular distances.

    Ours, beyond the paper: ``motion="difference"``, ``step``.
    """

    title: ClassVar[str] = "Irawan et al. 2023"

    name: Literal["irawan2023"] = "irawan2023"
    frames: int = Field(default=10, ge=1, le=1000, description="frames the network sees")
    landmarks: Literal["levelled", "moved"] = "levelled"
    margin: float = Field(default=0.1, ge=0.0, le=1.0, description="share of the face's side kept around it")
    face: int = Field(default=256, ge=32, le=1024, description="side of the resized face in pixels")
    mask: Literal["black", "grey", "white", "none"] = "black"
    mask_grow: float = Field(default=1.0, ge=0.5, le=4.0, description="size of the mask's polygons")
    region_margin: float = Field(default=0.15, ge=0.0, le=1.0, description="around a region, in inter-ocular distances")
    fit: Literal["stretch", "grow"] = "stretch"

    def describe(self) -> list[str]:
        """Describe the recipe in plain sentences."""
        eyes = "with the eyes open" if self.mask == "none" else f"the eyes under {self.mask} polygons"
        sentences = [
            self.window_sentence(),
            f"Each frame shows both eyes with their brows, and below them the mouth, {eyes}.",
            self.face_sentence(),
            *self.motion_sentences(),
        ]
        if (self.height, self.width, self.frames, self.step) != (128, 128, 10, 1):
            sentences.append("This is a reduced recipe: the paper takes 10 frames at 128×128 pixels.")
        return sentences

    def view_of(
        self,
        image: NDArray[np.uint8],
        landmarks: NDArray[np.float64] | None,
        detector: FaceDetector,
        notes: list[str],
        first: FrameView | None = None,
    ) -> FrameView:
        """Give the view that keeps the eyes with their brows and the mouth."""
        assert landmarks is not None
        angle = eye_angle(landmarks, corners=True)
        if self.landmarks == "levelled":
            landmarks = _find_again(image, landmarks, angle, detector, notes)
        align = Alignment.from_landmarks(landmarks, height=self.face, width=self.face, margin=self.margin, angle=angle)
        sizes = self._sizes()
        boxes = first.boxes if isinstance(first, _RegionsView) else self._boxes(align.points(landmarks), sizes)
        level = MASK_LEVELS.get(self.mask)
        return _RegionsView(landmarks, angle, align, level, self.mask_grow, boxes, sizes, self.color == "grey")

    def _sizes(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        above, left = self.height // 2, self.width // 2
        return (above, left), (above, self.width - left), (self.height - above, self.width)

    def _boxes(
        self, points: NDArray[np.float64], sizes: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    ) -> tuple[Box, Box, Box]:
        shape = (self.face, self.face)
        right, left, mouth = (
            region_box(
                points,
                name,
                shape,
                margin=self.region_margin,
                aspect=size[1] / size[0] if self.fit == "grow" else None,
            )
            for name, size in zip(("right-eye", "left-eye", "mouth"), sizes, strict=True)
        )
        if self.fit == "stretch":
            rows = {"top": min(right.top, left.top), "bottom": max(right.bottom, left.bottom)}
            right, left = right._replace(**rows), left._replace(**rows)
        return right, left, mouth


def _find_again(
    image: NDArray[np.uint8],
    landmarks: NDArray[np.float64],
    angle: float,
    detector: FaceDetector,
    notes: list[str],
) -> NDArray[np.float64]:
    """Landmarks found in the levelled frame, in pixels of the frame as it is."""
    level = Alignment.levelled(angle, (image.shape[1], image.shape[0]))
    found = detector.landmarks(level.apply(image, grey=True))
    if found is not None:
        found = level.back(found)
        side = float(np.ptp(landmarks, axis=0).max())
        if float(np.linalg.norm(found.mean(0) - landmarks.mean(0))) < _SAME_FACE * side:
            return found
    note = "the face is not found again in a levelled frame; the landmarks of the frame as it is are used"
    if note not in notes:
        notes.append(note)
    return landmarks
