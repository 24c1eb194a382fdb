"""LBP-TOP features of a clip, from onset to offset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from fleeting.faces import default_detector
from fleeting.motion import interpolate_frames
from fleeting.motion.lbp_top import BINS, PLANES, lbp_top_features
from fleeting.sequences.features import FeatureRow
from fleeting.sequences.recipe import register_recipe
from fleeting.sequences.talluri2022 import Talluri2022

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fleeting.clips import Clip
    from fleeting.faces import FaceDetector
    from fleeting.sequences.steps import Step

__all__ = ["LBPTOP"]


class _Expression(Talluri2022):
    """All frames from onset to offset of the aligned face, none of them made up."""

    def expression(self, clip: Clip, detector: FaceDetector) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        plan = self.model_copy(update={"interpolation": "tim"}).plan_window(clip, detector)
        frames = self.read_frames(clip, plan, self.reference_view(plan, detector), detector)
        info = {
            "apex": plan.apex,
            "apex_source": plan.apex_source,
            "onset": plan.onset,
            "reference": None if plan.reference is None else plan.reference.index,
            "window": [int(plan.indexes[0]), int(plan.indexes[-1])],
            "notes": plan.notes,
        }
        return frames[..., 0], info


@register_recipe("lbp_top")
class LBPTOP(FeatureRow):
    """LBP-TOP: histograms of local binary patterns on three orthogonal planes of the clip, from onset to offset.

    Zhao and Pietikäinen 2007, as the baseline of the field; see :func:`fleeting.motion.lbp_top.lbp_top_features`. The
    grey face is aligned once per clip and cropped. 5×5 blocks, radii 1, 1 and 4 are the best of the baseline of CASME II
    (Yan et al., *CASME II: an improved spontaneous micro-expression database and the baseline evaluation*, PLoS ONE
    9(1), 2014); uniform patterns of 8 neighbours, as the paper on LBP-TOP has them for faces.

    What the baselines leave open or differ in, and how it is settled here:

    - ``tim`` resamples each clip to so many frames by the temporal interpolation model first: 10 for SMIC (Li et al.
      2013). By default clips are taken as they are; one that is shorter than patterns need is resampled to the least
      number, and noted.
    - The crop is ``face`` pixels wide and high.
    - Without an annotated onset and offset the whole clip is taken.
    """

    title: ClassVar[str] = "LBP-TOP, onset to offset"

    name: Literal["lbp_top"] = "lbp_top"
    face: int = Field(default=128, ge=32, le=512, description="side of the aligned face in pixels")
    margin: float = Field(default=0.1, ge=0.0, le=1.0, description="share of the face's side kept around it")
    alignment: Literal["reference", "per-frame"] = "reference"
    grid: int = Field(default=5, ge=1, le=16, description="blocks along each side")
    radius: int = Field(default=1, ge=1, le=7, description="of the patterns along x and y, in pixels")
    time_radius: int = Field(default=4, ge=1, le=20, description="of the patterns along time, in frames")
    tim: int = Field(default=0, ge=0, le=1000, description="frames after interpolation; 0 for none")

    @model_validator(mode="after")
    def _patterns_fit(self) -> Self:
        if self.tim and self.tim < self._least_frames:
            raise ValueError(
                f"tim={self.tim}: time_radius={self.time_radius} needs at least {self._least_frames} frames"
            )
        if self.face - 2 * self.radius < self.grid:
            raise ValueError(f"face={self.face}: too small for {self.grid} blocks and radius={self.radius}")
        return self

    @property
    def _least_frames(self) -> int:
        return 2 * self.time_radius + 1

    def values(self) -> int:
        """Count the values: a histogram of 59 bins for each plane of each block."""
        return self.grid**2 * len(PLANES) * BINS

    def features(self, clip: Clip, detector: FaceDetector | None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """See :class:`FeatureRow`."""
        video, info = self._shown(self.tim or 1).expression(clip, detector or default_detector())
        wanted = self.tim or max(len(video), self._least_frames)
        if wanted != len(video):
            if not self.tim:
                info["notes"].append(f"its {len(video)} frames are too few for the patterns; interpolated to {wanted}")
            video = interpolate_frames(video, wanted)
        radii = (self.radius, self.radius, self.time_radius)
        return lbp_top_features(video, grid=(self.grid, self.grid), radii=radii), info

    def steps(self, clip: Clip, detector: FaceDetector | None = None) -> list[Step]:
        """Show the frames that patterns are counted in; see :func:`fleeting.sequences.draw_steps`."""
        shown = self._shown(self.tim or 16).model_copy(update={"interpolation": "tim"})
        return shown.steps(clip, detector)

    def describe(self) -> list[str]:
        """Describe the recipe in plain sentences."""
        frames = f"resampled to {self.tim} frames" if self.tim else "frames as they are"
        return [
            f"LBP-TOP of the grey face, {self.face}×{self.face} pixels, from onset to offset, {frames}.",
            f"{self.grid}×{self.grid} blocks, three planes, 59 uniform patterns: {self.values()} values. Radii "
            f"{self.radius} and {self.radius} pixels and {self.time_radius} frames.",
        ]

    def _shown(self, frames: int) -> _Expression:
        return _Expression(
            frames=frames,
            height=self.face,
            width=self.face,
            margin=self.margin,
            alignment=self.alignment,
            window="initial",
        )
