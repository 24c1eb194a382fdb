"""Optical flow between onset and apex as a sequence of one frame: the input of the small networks of MEGC2019."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from fleeting.clips import FlowImage
from fleeting.errors import ClipReadError, FrameReadError
from fleeting.faces import Alignment, default_detector, face_mask, find_reference
from fleeting.motion import dense_flow, flow_channels, min_max_channels, skin_flow
from fleeting.sequences.recipe import BuiltSequence, Recipe, register_recipe
from fleeting.sequences.steps import Step, boxed, dotted
from fleeting.sequences.windowed import gap_notes, inside
from fleeting.spotting import spot_clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.clips import Clip
    from fleeting.faces import FaceDetector, Reference

__all__ = ["FACE_WIDTH", "Flow"]

#: Unscaled flow is in pixels of a face whose landmarks' box is this wide, as amplitudes are everywhere in Fleeting.
FACE_WIDTH = 128
CHANNELS = ("u, to the right", "v, down", "strain")
# A frame that cannot be read is replaced by one at most so many frames away.
_NEAR = 3
_TILE, _LABEL = 150, 22


@dataclass(frozen=True)
class _Pair:
    """Onset and apex of a clip, seen through one transform."""

    onset: int
    apex: int
    apex_source: str
    reference: Reference
    align: Alignment
    images: tuple[NDArray[np.uint8], NDArray[np.uint8]] = field(repr=False)
    notes: list[str] = field(default_factory=list)

    @property
    def grey(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        first, second = (self.align.apply(image, grey=True) for image in self.images)
        return first, second


@register_recipe("flow")
class Flow(Recipe):
    """Horizontal flow u, vertical flow v and optical strain from onset to apex, 28×28: one frame of three channels.

    What STSTNet (Liong et al. 2019), OFF-ApexNet, RCN and others were trained on. The face is found once, on the onset
    frame, and one transform is applied to both frames. Flow and strain are computed on a crop of ``work`` pixels and
    then reduced to the size by area means. A clip that is a precomputed flow image (:mod:`fleeting.datasets.flow`) is
    taken as it is.

    ``size=28`` stands for ``height=28, width=28``.

    What the papers leave open or differ in, and how it is settled here:

    - ``method``: they use TV-L1, which needs another build of OpenCV (see :func:`fleeting.motion.dense_flow`) and
      much longer; ``"dis"`` is the default.
    - ``scaling="minmax"``: each channel is stretched to 0..255 by its own least and greatest value, as the images that
      circulate are; a channel that is the same everywhere becomes 0. ``"none"`` keeps ``float32``: u and v in pixels
      of a face 128 pixels wide, strain without a unit.
    - ``head="kept"``: the head's own motion is part of the flow, as in those images. ``"removed"`` subtracts the
      similarity motion that explains most of it (:func:`fleeting.motion.skin_flow`).
    - Apexes that nobody annotated (SMIC) are ``"spotted"``, or the ``"middle"`` frame.
    """

    title: ClassVar[str] = "Optical flow, onset to apex"
    takes_flow_images: ClassVar[bool] = True

    name: Literal["flow"] = "flow"
    frames: Literal[1] = 1
    height: int = Field(default=28, ge=4, le=512, description="pixels")
    width: int = Field(default=28, ge=4, le=512, description="pixels")
    color: Literal["rgb"] = "rgb"
    motion: Literal["none"] = "none"
    method: Literal["dis", "farneback", "tvl1"] = "dis"
    scaling: Literal["minmax", "none"] = "minmax"
    head: Literal["kept", "removed"] = "kept"
    work: int = Field(default=160, ge=64, le=1024, description="pixels of the shorter side of the crop; never fewer")
    margin: float = Field(default=0.1, ge=0.0, le=1.0, description="share of the face's side kept around it")
    missing_apex: Literal["spotted", "middle"] = "spotted"

    @model_validator(mode="before")
    @classmethod
    def _size_is_both(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or "size" not in fields:
            return fields
        if {"height", "width"} & fields.keys():
            raise ValueError("give either size, or height and width")
        rest = dict(fields)
        side = rest.pop("size")
        return {**rest, "height": side, "width": side}

    @field_validator("motion", mode="before")
    @classmethod
    def _flow_is_motion(cls, motion: Any) -> Any:
        if motion == "difference":
            raise ValueError("flow is the motion since the onset already; leave motion out, or set it to 'none'")
        return motion

    @property
    def dtype(self) -> Literal["uint8", "float32"]:
        """``uint8`` if channels are stretched, ``float32`` if they keep their units."""
        return "uint8" if self.scaling == "minmax" else "float32"

    @property
    def work_size(self) -> tuple[int, int]:
        """Height and width in pixels of the crop in which flow is computed: the shape asked for, at least as large."""
        grow = max(1.0, self.work / min(self.height, self.width))
        return round(self.height * grow), round(self.width * grow)

    def build(self, clip: Clip, detector: FaceDetector | None = None) -> BuiltSequence:
        """Make the flow of one clip: ``(1, H, W, 3)``.

        Raises
        ------
        NoFaceError
            If no frame shows a face.
        ClipReadError
            If onset or apex and the frames next to them cannot be read, or the clip is a flow image that was scaled
            already and ``scaling="none"`` is wanted.
        UsageError
            For ``method="tvl1"`` without OpenCV's contributed modules.
        """
        if isinstance(clip.frames, FlowImage):
            return self._as_it_is(clip)
        pair = self._pair(clip, detector or default_detector())
        made = self._scaled(self._field(pair))
        info = {
            "apex": pair.apex,
            "apex_source": pair.apex_source,
            "onset": pair.onset,
            "reference": pair.reference.index,
            "window": [pair.onset, pair.apex],
            "notes": pair.notes,
        }
        return BuiltSequence(made[None], info)

    def steps(self, clip: Clip, detector: FaceDetector | None = None) -> list[Step]:
        """Show each stage from the two frames to the channels; see :func:`fleeting.sequences.draw_steps`.

        Raises
        ------
        ClipReadError, NoFaceError
            Like :meth:`build`.
        """
        built = self._as_it_is(clip) if isinstance(clip.frames, FlowImage) else None
        stages: list[Step] = []
        if built is not None:
            stages = [Step("Precomputed flow: R u, G v, B strain", (clip.frames[0],))]
            made = built.frames[0]
        else:
            detector = detector or default_detector()
            pair = self._pair(clip, detector)
            whole = self._field(pair)
            captions = (f"onset, frame {pair.onset}", f"apex, frame {pair.apex}")
            size = "{1}×{0}".format(*self.work_size)
            flow = f"Flow, {self.method}"
            stages = [
                Step("Face found", tuple(boxed(image, detector) for image in pair.images), captions),
                Step("68 landmarks", (dotted(pair.reference.image, pair.reference.landmarks),)),
                Step(f"Aligned, grey, {size}", pair.grey),
                Step(flow, (flow_colours(whole[..., :2]),)),
                Step("Strain", (_heat(whole[..., 2]),)),
            ]
            made = self._scaled(whole)
        return [*stages, Step("Sequence", tuple(_channel_images(made)), CHANNELS, sequence=True, changes=False)]

    def describe(self) -> list[str]:
        """Describe the recipe in plain sentences."""
        height, width = self.work_size
        scaled = {
            "minmax": "Each channel is stretched to 0..255 by its own least and greatest value.",
            "none": f"u and v are in pixels of a face {FACE_WIDTH} pixels wide; nothing is scaled.",
        }
        head = {
            "kept": "The head's own motion is part of the flow.",
            "removed": "The head's own motion, a similarity fitted to the flow, is subtracted.",
        }
        return [
            f"Optical flow ({self.method}) from onset to apex: u, v and strain, {self.width}×{self.height} pixels, reduced "
            f"from {width}×{height}.",
            scaled[self.scaling],
            head[self.head],
            "Clips that are precomputed flow images are used as they are.",
        ]

    def picture(self, frames: NDArray[Any]) -> NDArray[np.uint8] | None:
        """Draw the three channels side by side, each under its name: ``uint8`` RGB."""
        import cv2

        parts: list[NDArray[np.uint8]] = []
        for title, image in zip(CHANNELS, _channel_images(frames[0]), strict=True):
            width = max(_TILE * image.shape[1] // image.shape[0], _TILE * 3 // 4)
            tile = cv2.resize(image, (width, _TILE), interpolation=cv2.INTER_NEAREST)
            label = np.full((_LABEL, width, 3), 255, np.uint8)
            cv2.putText(label, title, (3, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
            parts += [np.vstack([label, tile]), np.full((_LABEL + _TILE, 4, 3), 255, np.uint8)]
        return np.hstack(parts[:-1])

    def picture_caption(self, info: Mapping[str, Any], n_frames: int) -> str:
        """Say what :meth:`picture` shows."""
        if info.get("apex_source") == "precomputed":
            between = "Precomputed flow"
        else:
            between = f"Flow from frame {info.get('onset')} to the apex, frame {info.get('apex')} of {n_frames}"
        if self.scaling == "minmax":
            return f"{between}; each channel from its least value (dark) to its greatest (light)."
        return f"{between}; red to the right and down, blue to the left and up, strain the lighter the more."

    def _as_it_is(self, clip: Clip) -> BuiltSequence:
        import cv2

        if self.scaling == "none":
            raise ClipReadError(
                f"{clip.key}: it is a precomputed flow image, whose channels were stretched to 0..255, so flow in pixels "
                "cannot be had from it; use scaling=minmax, or the clips that it was computed from",
                getattr(clip.frames, "path", None),
            )
        image, notes = clip.frames[0], []
        height, width = image.shape[:2]
        if (height, width) != (self.height, self.width):
            shrinks = self.height <= height and self.width <= width
            how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            image = np.asarray(cv2.resize(image, (self.width, self.height), interpolation=how), dtype=np.uint8)
            notes.append(f"its flow image of {width}x{height} pixels was resized")
        info: dict[str, Any] = {
            "apex": None,
            "apex_source": "precomputed",
            "onset": None,
            "reference": None,
            "window": [],
        }
        return BuiltSequence(np.ascontiguousarray(image)[None], {**info, "notes": notes})

    def _pair(self, clip: Clip, detector: FaceDetector) -> _Pair:
        notes = gap_notes(clip)
        length = len(clip.frames)
        annotated = inside(clip.onset, length, "onset", notes)
        onset, apex = annotated or 0, inside(clip.apex, length, "apex", notes)
        reference = find_reference(clip.frames, onset, detector, clip.key)
        source = "annotated"
        if apex is None and self.missing_apex == "spotted":
            source = "spotted"
            # Frames before the face appears show nothing to spot.
            start = max(onset, reference.index)
            stop = None if clip.offset is None else max(start, min(clip.offset, length - 1)) + 1
            spot = spot_clip(clip, reference.landmarks, start=start, stop=stop)
            apex = spot.apex
            if annotated is None:
                onset = spot.onset
                reference = find_reference(clip.frames, onset, detector, clip.key)
        elif apex is None:
            source, apex = "middle", (onset + (length if clip.offset is None else min(clip.offset + 1, length))) // 2
        elif annotated is None:
            notes.append("no onset is annotated; the first frame is taken")
        if apex == onset:
            notes.append(f"onset and apex are the same frame, {onset}, so nothing moves")
        elif apex < onset:
            notes.append(f"the apex, frame {apex}, lies before the onset, frame {onset}")
        height, width = self.work_size
        align = reference.align(height=height, width=width, margin=self.margin)
        first = _near(clip, onset, 1, "onset", reference, notes)
        second = first if apex == onset else _near(clip, apex, -1 if apex > onset else 1, "apex", reference, notes)
        return _Pair(onset, apex, source, reference, align, (first, second), notes)

    def _field(self, pair: _Pair) -> NDArray[np.float32]:
        """Measure u and v in pixels of a face 128 pixels wide, and strain, at the work size."""
        height, width = self.work_size
        if pair.onset == pair.apex:
            return np.zeros((height, width, 3), np.float32)
        first, second = pair.grey
        if self.head == "removed":
            mask = face_mask(pair.align.points(pair.reference.landmarks), (height, width))
            flow = skin_flow(first, second, mask, self.method)
        else:
            flow = dense_flow(first, second, self.method)
        made = flow_channels(flow)
        # Strain is pixels a pixel: it is the same at any size.
        made[..., :2] *= FACE_WIDTH * (1 + 2 * self.margin) / min(height, width)
        return made

    def _scaled(self, whole: NDArray[np.float32]) -> NDArray[Any]:
        import cv2

        small = cv2.resize(whole, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return min_max_channels(small) if self.scaling == "minmax" else np.asarray(small, dtype=np.float32)


def _near(clip: Clip, index: int, side: int, what: str, reference: Reference, notes: list[str]) -> NDArray[np.uint8]:
    """A frame, or a readable one next to it, first on one side."""
    if index == reference.index:
        return reference.image
    error: Exception | None = None
    for step in sorted(range(-_NEAR, _NEAR + 1), key=lambda step: (abs(step), -side * step)):
        if not 0 <= index + step < len(clip.frames):
            continue
        try:
            image = clip.frames[index + step]
        except (FrameReadError, IndexError) as exc:
            error = error or exc
            continue
        if step:
            notes.append(f"the {what}, frame {index}, cannot be read; frame {index + step} stands in")
        return image
    raise ClipReadError(
        f"{clip.key}: neither the {what}, frame {index}, nor a frame next to it can be read ({error}); copy the clip again",
        getattr(clip.frames, "path", None),
    )


def flow_colours(flow: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw flow ``(H, W, 2)`` as RGB: the hue is its direction, the paler the less; white does not move."""
    import cv2

    distance, angle = cv2.cartToPolar(
        np.ascontiguousarray(flow[..., 0]), np.ascontiguousarray(flow[..., 1]), angleInDegrees=True
    )
    strongest = float(distance.max())
    share = distance / strongest if strongest > 0 else distance
    wheel = np.dstack([angle / 2 % 180, share * 255, np.full_like(share, 255)])
    return np.asarray(cv2.cvtColor(np.rint(wheel).astype(np.uint8), cv2.COLOR_HSV2RGB), dtype=np.uint8)


def _channel_images(frame: NDArray[Any]) -> list[NDArray[np.uint8]]:
    """u, v and strain of one frame ``(H, W, 3)``, each as RGB."""
    if frame.dtype == np.uint8:
        u, v = (np.repeat(frame[..., k, None], 3, axis=2) for k in (0, 1))
        return [u, v, _heat(frame[..., 2])]
    limit = float(np.abs(frame[..., :2]).max())
    return [_diverging(frame[..., 0], limit), _diverging(frame[..., 1], limit), _heat(frame[..., 2])]


def _diverging(values: NDArray[np.float32], limit: float) -> NDArray[np.uint8]:
    share = np.clip(values / (limit or 1.0), -1, 1)[..., None]
    end = np.where(share > 0, (178, 24, 43), (33, 102, 172))
    return np.asarray(255 + (end - 255) * np.abs(share), dtype=np.uint8)


def _heat(values: NDArray[Any]) -> NDArray[np.uint8]:
    import cv2

    top = float(values.max())
    share = np.clip(values / top if top > 0 else values, 0, 1)
    coloured = cv2.applyColorMap(np.rint(share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(coloured[..., ::-1], dtype=np.uint8)
