"""Everything that recipes share whose sequence is one row of features instead of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from fleeting.clips import FlowImage
from fleeting.errors import ClipReadError
from fleeting.sequences.recipe import BuiltSequence, Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.clips import Clip
    from fleeting.faces import FaceDetector

__all__ = ["FeatureRow"]


class FeatureRow(Recipe):
    """Base of the recipes of hand-made features: ``float32`` ``(1, 1, D, 1)``.

    A subclass has the fields of its features, and writes :meth:`values` and :meth:`features`. ``width`` is always the
    number of values.
    """

    frames: Literal[1] = 1
    height: Literal[1] = 1
    # It follows from the other fields, so it is no part of what a recipe is written down as.
    width: int = Field(default=0, ge=0, exclude=True, description="number of values, which the other fields decide")
    color: Literal["grey"] = "grey"
    motion: Literal["none"] = "none"

    @model_validator(mode="after")
    def _as_wide_as_its_values(self) -> Self:
        if "width" in self.model_fields_set and self.width != self.values():
            raise ValueError(f"width is the number of values, {self.values()} with these fields; leave it out")
        object.__setattr__(self, "width", self.values())
        self.model_fields_set.discard("width")
        return self

    @property
    def dtype(self) -> Literal["uint8", "float32"]:
        """``"float32"``."""
        return "float32"

    def values(self) -> int:
        """Count the values ``D``."""
        raise NotImplementedError

    def features(self, clip: Clip, detector: FaceDetector | None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Compute the values ``(D,)`` of a clip, and the facts of :class:`BuiltSequence`."""
        raise NotImplementedError

    def build(self, clip: Clip, detector: FaceDetector | None = None) -> BuiltSequence:
        """Make the features of one clip: ``float32`` ``(1, 1, D, 1)``.

        Raises
        ------
        NoFaceError
            If no frame shows a face.
        ClipReadError
            If the clip, or too much of it, cannot be read, or it is a precomputed flow image.
        """
        if isinstance(clip.frames, FlowImage):
            raise ClipReadError(
                f"{clip.key}: it is a precomputed flow image, and the recipe {self.name} needs the frames; use the recipe "
                "flow, or the clips that it was computed from",
                getattr(clip.frames, "path", None),
            )
        row, info = self.features(clip, detector)
        return BuiltSequence(np.asarray(row, dtype=np.float32).reshape(1, 1, -1, 1), info)
