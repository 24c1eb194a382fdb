"""The preprocessing of Talluri, Fiedler and Al-Hamadi 2022 (sec. 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from fleeting.errors import ClipReadError, FrameReadError
from fleeting.faces import Alignment, default_detector, find_reference
from fleeting.sequences.recipe import BuiltSequence, Recipe, register_recipe
from fleeting.sequences.windows import apex_window, initial_window
from fleeting.spotting import spot_clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.clips import Clip
    from fleeting.faces import FaceDetector

# A clip with more unreadable frames than this says nothing reliable about motion.
MAX_UNREADABLE_SHARE = 0.25


@register_recipe("talluri2022")
class Talluri2022(Recipe):
    """Face detection, 68 landmarks, alignment, crop, resize, then the apex sequence or the initial one.

    The defaults are the paper's for CASME II: 36 frames of 128×128; it uses 26 for SMIC, 30 for the two combined, and
    64×64 for Model-B.

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
    window: Literal["apex", "initial"] = "apex"
    fill: Literal["repeat", "shift"] = "repeat"
    step: int = Field(default=1, ge=1, le=100, description="take every n-th frame")
    margin: float = Field(default=0.1, ge=0.0, le=1.0, description="share of the face's side kept around it")
    alignment: Literal["reference", "per-frame"] = "reference"
    missing_apex: Literal["spotted", "middle"] = "spotted"

    def describe(self) -> list[str]:
        """The recipe in plain sentences."""
        every = "" if self.step == 1 else f", every {_ordinal(self.step)} one"
        where = "around the apex" if self.window == "apex" else "from the start of the clip"
        sentences = [
            f"{self.frames} {self.color} frames of {self.width}×{self.height} pixels {where}{every}.",
            "The face is found once a clip and one transform is applied to all its frames."
            if self.alignment == "reference"
            else "The face is found in every frame.",
        ]
        if self.motion == "difference":
            sentences.append("The network sees each frame's difference from the onset frame (the paper: the frames).")
        if (self.height, self.width) != (128, 128) or self.step != 1 or self.frames not in (26, 30, 36):
            sentences.append(
                "This is a reduced recipe: the paper takes every frame, 36, 30 or 26 of them, at 128×128 pixels."
            )
        return sentences

    def build(self, clip: Clip, detector: FaceDetector | None = None) -> BuiltSequence:
        """Make the sequence of one clip.

        Single frames that cannot be decoded are replaced by their readable neighbour and noted.

        Raises
        ------
        NoFaceError
            If no frame shows a face.
        ClipReadError
            If the clip, or more than a quarter of the frames needed, cannot be read.
        """
        detector = detector or default_detector()
        notes: list[str] = []
        length = len(clip.frames)
        onset = self._inside(clip.onset, length, "onset", notes)
        reference = find_reference(clip.frames, onset or 0, detector, clip.key)
        align = reference.align(height=self.height, width=self.width, margin=self.margin)
        apex = self._inside(clip.apex, length, "apex", notes)
        apex_source = "annotated"
        if apex is None and self.window == "apex":
            apex_source = self.missing_apex
            if self.missing_apex == "middle":
                apex = length // 2
            else:
                # Frames before the face appears show nothing to spot.
                start = max(onset or 0, reference.index)
                stop = None if clip.offset is None else max(start, min(clip.offset, length - 1)) + 1
                spot = spot_clip(clip, reference.landmarks, start=start, stop=stop)
                apex, onset = spot.apex, spot.onset if onset is None else onset
        if onset is None:
            onset = 0
        if self.window == "apex":
            assert apex is not None
            indexes = apex_window(length, apex, self.frames, step=self.step, fill=self.fill)
        else:
            indexes = initial_window(length, self.frames, step=self.step)
        needed = np.concatenate([[onset], indexes]) if self.motion == "difference" else indexes
        frames = self._read(clip, needed, align, detector, notes)
        return BuiltSequence(
            frames,
            {
                "apex": apex,
                "apex_source": apex_source if apex is not None else "",
                "onset": onset,
                "reference": reference.index,
                "window": [int(i) for i in indexes],
                "notes": notes,
            },
        )

    @staticmethod
    def _inside(index: int | None, length: int, what: str, notes: list[str]) -> int | None:
        if index is None or index < length:
            return index
        notes.append(f"the annotated {what} is frame {index}, past the last of {length} frames on disk, which is used")
        return length - 1

    def _read(
        self,
        clip: Clip,
        needed: NDArray[np.int64],
        align: Alignment,
        detector: FaceDetector,
        notes: list[str],
    ) -> NDArray[np.uint8]:
        cut: dict[int, NDArray[np.uint8]] = {}
        wanted = sorted({int(i) for i in needed})
        bad: list[int] = []
        for index in wanted:
            try:
                frame = clip.frames[index]
            except (FrameReadError, IndexError):
                bad.append(index)
                continue
            if self.alignment == "per-frame":
                landmarks = detector.landmarks(frame)
                if landmarks is not None:
                    align = Alignment.from_landmarks(
                        landmarks, height=self.height, width=self.width, margin=self.margin
                    )
                else:
                    notes.append(f"no face in frame {index}; the transform of the frame before is used")
            # Grey first: a third of the pixels to warp.
            cut[index] = align.apply(_grey(frame) if self.color == "grey" else frame)
        if not cut or len(bad) > MAX_UNREADABLE_SHARE * len(wanted):
            raise ClipReadError(
                f"{clip.key}: {len(bad)} of the {len(wanted)} frames needed cannot be read (the first is frame "
                f"{bad[0]}); copy the clip again",
                getattr(clip.frames, "path", None),
            )
        if bad:
            notes.append(f"frames {', '.join(map(str, bad))} cannot be read; a neighbour stands in")
        good = np.array(sorted(cut))
        nearest = {i: int(good[np.abs(good - i).argmin()]) for i in wanted}
        stacked = np.stack([cut[nearest[int(i)]] for i in needed])
        return np.ascontiguousarray(stacked[..., None] if stacked.ndim == 3 else stacked)


def _grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _ordinal(n: int) -> str:
    return {2: "second", 3: "third", 4: "fourth"}.get(n, f"{n}th")
