"""Bi-WOOF features of a clip, from onset to apex."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from fleeting.motion.bi_woof import bi_woof_features
from fleeting.sequences.features import FeatureRow
from fleeting.sequences.flow import Flow
from fleeting.sequences.recipe import register_recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fleeting.clips import Clip
    from fleeting.faces import FaceDetector
    from fleeting.sequences.steps import Step

__all__ = ["BiWOOF"]


@register_recipe("bi_woof")
class BiWOOF(FeatureRow):
    """Bi-WOOF: histograms of the directions of optical flow from onset to apex, weighted by magnitude and strain.

    Liong et al. 2018; see :func:`fleeting.motion.bi_woof.bi_woof_features`. 8 directions; 5×5 blocks are those of the
    authors' published code, the paper also has 6×6 and 8×8 (``grid``). Face, frames and flow are those of the recipe
    ``flow``, whose fields ``method``, ``head``, ``margin`` and ``missing_apex`` mean the same here, with its defaults;
    the flow is taken at ``face`` pixels, not reduced to 28.

    A precomputed flow image is no substitute: its channels were stretched one by one, so directions are lost.
    """

    title: ClassVar[str] = "Bi-WOOF, onset to apex"

    name: Literal["bi_woof"] = "bi_woof"
    face: int = Field(default=160, ge=64, le=512, description="side of the aligned face in pixels")
    margin: float = Field(default=0.1, ge=0.0, le=1.0, description="share of the face's side kept around it")
    method: Literal["dis", "farneback", "tvl1"] = "dis"
    head: Literal["kept", "removed"] = "kept"
    missing_apex: Literal["spotted", "middle"] = "spotted"
    grid: int = Field(default=5, ge=1, le=32, description="blocks along each side")
    bins: int = Field(default=8, ge=2, le=64, description="directions")

    def values(self) -> int:
        """Count the values: a histogram for each block."""
        return self.grid**2 * self.bins

    def features(self, clip: Clip, detector: FaceDetector | None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """See :class:`FeatureRow`."""
        made = self._flow().build(clip, detector)
        return bi_woof_features(made.frames[0, ..., :2], grid=(self.grid, self.grid), bins=self.bins), made.info

    def steps(self, clip: Clip, detector: FaceDetector | None = None) -> list[Step]:
        """Show the flow that directions are counted in; see :func:`fleeting.sequences.draw_steps`."""
        return self._flow().steps(clip, detector)

    def describe(self) -> list[str]:
        """Describe the recipe in plain sentences."""
        head = "part of the flow" if self.head == "kept" else "subtracted"
        return [
            f"Bi-WOOF of the optical flow ({self.method}) from onset to apex, {self.face}×{self.face} pixels; the head's "
            f"own motion is {head}.",
            f"{self.grid}×{self.grid} blocks, {self.bins} directions: {self.values()} values.",
        ]

    def _flow(self) -> Flow:
        return Flow(
            height=self.face,
            width=self.face,
            work=self.face,
            scaling="none",
            margin=self.margin,
            method=self.method,
            head=self.head,
            missing_apex=self.missing_apex,
        )
