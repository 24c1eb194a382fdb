"""The preprocessing of Talluri, Fiedler and Al-Hamadi 2022 (sec. 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from fleeting.errors import unknown_choice
from fleeting.faces import Alignment
from fleeting.sequences.recipe import create_recipe, register_recipe
from fleeting.sequences.steps import dotted
from fleeting.sequences.windowed import FrameView, WindowedRecipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fleeting.faces import FaceDetector

#: Frames by training set (sec. 5.1), and pixels by model (sec. 5.1 and 6.1).
FRAMES = {"casme2": 36, "smic": 26, "combined": 30}
SIDES = {"model_a": 128, "split_model": 128, "model_b": 64, "model_c": 128}


@dataclass(frozen=True)
class _AlignedView(FrameView):
    landmarks: NDArray[np.float64]
    align: Alignment
    in_grey: bool

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self.align.apply(image, grey=self.in_grey)

    def stages(self, image: NDArray[np.uint8]) -> list[tuple[str, NDArray[np.uint8]]]:
        colour = self.align.apply(image)
        size = f"{self.align.width}×{self.align.height}"
        found = [("68 landmarks", dotted(image, self.landmarks)), (f"Aligned, cropped, {size}", colour)]
        return [*found, ("Grey", self.apply(image))] if self.in_grey else found


@register_recipe("talluri2022")
class Talluri2022(WindowedRecipe):
    """Face detection, 68 landmarks, alignment, crop, resize, then the apex sequence or the initial one.

    The defaults are the paper's for CASME II: 36 frames of 128×128; it uses 26 for SMIC, 30 for the two combined, and
    64×64 for Model-B: :meth:`for_study` gives each.

    What the paper leaves open, and how it is settled here:

    - Channels are not stated: ``color="grey"``.
    - It does not say how often the face is detected. ``alignment="reference"`` finds it once, on the onset frame, and
      applies one similarity transform to the whole clip; ``"per-frame"`` detects it in every frame, which adds the
      detector's jitter to the motion.
    - It crops "based on these landmarks": the box of the landmarks with ``margin`` of its side around it.
    - It fills short clips by "interpolating the first and last frame": ``fill="repeat"`` repeats them.
    - ``missing_apex`` is for clips without an annotated apex (SMIC): ``"spotted"`` by optical flow, or the ``"middle"``
      frame.

    Ours, beyond the paper: ``motion="difference"`` hands the network the difference from the onset frame, and
    ``step`` takes every n-th frame.
    """

    title: ClassVar[str] = "Talluri et al. 2022"

    name: Literal["talluri2022"] = "talluri2022"
    margin: float = Field(default=0.1, ge=0.0, le=1.0, description="share of the face's side kept around it")

    @classmethod
    def for_study(cls, source: str, model: str, **fields: Any) -> Talluri2022:
        """Make the paper's recipe for a training set and a model.

        The depth goes by the training set: a model keeps it when it is tested on another set.

        Parameters
        ----------
        source : str
            The training set: ``"casme2"`` (36 frames), ``"smic"`` (26) or ``"combined"`` (30).
        model : str
            ``"model_a"``, ``"split_model"``, ``"model_c"`` (128×128 pixels) or ``"model_b"`` (64×64).
        fields : object
            Further fields, such as ``window="initial"`` for table 3.

        Raises
        ------
        UsageError
            For a set that the paper trains nothing on, a model that it does not have, or a bad field.

        Examples
        --------
        >>> recipe = Talluri2022.for_study("combined", "model_b")
        >>> recipe.stored_shape
        (30, 64, 64, 1)
        """
        if source not in FRAMES:
            raise unknown_choice("training set of talluri2022", source, FRAMES)
        if model not in SIDES:
            raise unknown_choice("model of talluri2022", model, SIDES)
        size = {"frames": FRAMES[source], "height": SIDES[model], "width": SIDES[model]}
        recipe = create_recipe("talluri2022", **{**size, **fields})
        assert isinstance(recipe, cls)
        return recipe

    def describe(self) -> list[str]:
        """Describe the recipe in plain sentences."""
        sentences = [self.window_sentence(), self.face_sentence(), *self.motion_sentences()]
        side = (self.height, self.width)
        if side not in ((128, 128), (64, 64)) or self.step != 1 or self.frames not in FRAMES.values():
            sentences.append(
                "This is a reduced recipe: the paper takes every frame, 36, 30 or 26 of them, at 128×128 pixels (64×64 "
                "for Model-B)."
            )
        return sentences

    def view_of(
        self,
        image: NDArray[np.uint8],
        landmarks: NDArray[np.float64] | None,
        detector: FaceDetector,
        notes: list[str],
        first: FrameView | None = None,
    ) -> FrameView:
        """Give the view of the cropped face."""
        assert landmarks is not None
        align = Alignment.from_landmarks(landmarks, height=self.height, width=self.width, margin=self.margin)
        return _AlignedView(landmarks, align, self.color == "grey")
