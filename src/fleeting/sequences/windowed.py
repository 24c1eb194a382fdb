"""Everything that recipes share that take a window of frames and show it through one view of the face."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from fleeting.clips import read_each
from fleeting.errors import ClipReadError, FrameReadError, UsageError
from fleeting.faces import default_detector, find_reference
from fleeting.motion import MICRO_BAND, interpolate_frames, magnify_motion
from fleeting.sequences.recipe import BuiltSequence, Recipe
from fleeting.sequences.steps import Step, boxed
from fleeting.sequences.windows import apex_window, initial_window
from fleeting.spotting import spot_clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.clips import Clip
    from fleeting.faces import FaceDetector, Reference

__all__ = ["FrameView", "WindowedRecipe", "gap_notes", "grey", "inside", "ordinal"]

# A clip with more unreadable frames than this says nothing reliable about motion.
MAX_UNREADABLE_SHARE = 0.25
# The onset frame is magnified with the window unless it lies further before it than this many seconds.
MAGNIFIED_BEFORE = 1.0


class FrameView(ABC):
    """The way from a frame to an image of the sequence; fixed for a clip, or for a frame that is aligned by itself."""

    @abstractmethod
    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn RGB ``(H, W, 3)`` of any size into the recipe's size: ``(H, W)`` for grey, ``(H, W, 3)`` for colour."""

    def stages(self, image: NDArray[np.uint8]) -> list[tuple[str, NDArray[np.uint8]]]:
        """Show what a frame looks like on the way: titles and images, the last one being that of :meth:`apply`."""
        return [("In the sequence", self.apply(image))]


@dataclass(frozen=True)
class WindowPlan:
    """Which frames of a clip are taken, and where its face was found."""

    indexes: NDArray[np.int64]
    onset: int
    apex: int | None
    apex_source: str
    reference: Reference | None
    notes: list[str] = field(default_factory=list)


class WindowedRecipe(Recipe):
    """Base of the recipes that take the apex sequence or the initial one, and see each frame through a view.

    A subclass writes :meth:`view_of`. Finding the reference frame and the apex, choosing the window, reading frames and
    standing in for those that cannot be read is done here.

    Two steps that neither paper has can be added, both from :mod:`fleeting.motion`. ``interpolation="tim"`` takes the
    frames from onset to offset (with ``window="initial"`` and no annotation the whole clip) and resamples them to
    ``frames`` by the temporal interpolation model. ``magnify`` is the factor ``α`` of Eulerian magnification: what varies
    with the frequencies of micro-expressions becomes about ``1 + α`` times as large.
    """

    window: Literal["apex", "initial"] = "apex"
    fill: Literal["repeat", "shift"] = "repeat"
    step: int = Field(default=1, ge=1, le=100, description="take every n-th frame")
    alignment: Literal["reference", "per-frame"] = "reference"
    missing_apex: Literal["spotted", "middle"] = "spotted"
    interpolation: Literal["none", "tim"] = "none"
    magnify: float = Field(default=0.0, ge=0, le=100, description="times by which small motions grow, less one")

    #: Whether the view needs a face; a recipe that shows whole frames does not.
    needs_face: ClassVar[bool] = True

    @model_validator(mode="after")
    def _interpolation_takes_every_frame(self) -> Self:
        if self.interpolation == "tim" and self.step != 1:
            raise ValueError("interpolation='tim' takes every frame from onset to offset; leave step at 1")
        return self

    @model_serializer(mode="wrap")
    def _without_unused_steps(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A recipe that does not use the later steps is the recipe it was before there were any, hash and all."""
        fields: dict[str, Any] = handler(self)
        unused = {"interpolation": "none", "magnify": 0.0}
        return {name: value for name, value in fields.items() if name not in unused or value != unused[name]}

    def view_of(
        self,
        image: NDArray[np.uint8],
        landmarks: NDArray[np.float64] | None,
        detector: FaceDetector,
        notes: list[str],
        first: FrameView | None = None,
    ) -> FrameView:
        """Give the view of the face with these landmarks (``None`` if no face is needed).

        Parameters
        ----------
        image : numpy.ndarray of uint8
            The frame in which they were found.
        notes : list of str
            Takes what a reader of the result should know.
        first : FrameView or None, optional
            The view of the reference frame, for a frame that is aligned by itself.
        """
        raise NotImplementedError

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
        plan = self.plan_window(clip, detector)
        view = self.reference_view(plan, detector)
        frames = self.read_frames(clip, plan, view, detector)
        return BuiltSequence(
            frames,
            {
                "apex": plan.apex,
                "apex_source": plan.apex_source,
                "onset": plan.onset,
                "reference": None if plan.reference is None else plan.reference.index,
                "window": [int(i) for i in plan.indexes],
                "notes": plan.notes,
            },
        )

    def steps(self, clip: Clip, detector: FaceDetector | None = None) -> list[Step]:
        """Show each stage from frame to sequence; see :func:`fleeting.sequences.draw_steps`.

        The stages are shown for the frame in which the face was found and for the apex (or the middle of the window).

        Raises
        ------
        ClipReadError, NoFaceError
            Like :meth:`build`.
        """
        detector = detector or default_detector()
        plan = self.plan_window(clip, detector)
        view = self.reference_view(plan, detector)
        sequence = self.read_frames(clip, plan, view, detector)
        centre = int(plan.indexes[len(plan.indexes) // 2]) if plan.apex is None else plan.apex
        found_in = plan.onset if plan.reference is None else plan.reference.index
        known = clip.onset is not None or plan.apex_source == "spotted"
        names = {found_in: "onset" if known else "start"} if found_in == plan.onset else {found_in: "face found"}
        names[centre] = "middle" if plan.apex is None else "apex"
        stages: dict[str, list[NDArray[np.uint8]]] = {}
        captions: list[str] = []
        for index in sorted(names):
            try:
                image = clip.frames[index]
            except (FrameReadError, IndexError):
                continue
            captions.append(f"{names[index]}, frame {index}")
            own = self._frame_view(index, image, view, detector, []) if self._each_frame else None
            shown = (own or view).stages(image)
            if self.needs_face:
                shown = [("Face found", boxed(image, detector)), *shown]
            for title, picture in shown:
                stages.setdefault(title, []).append(picture)
        made = [Step(title, tuple(images), tuple(captions)) for title, images in stages.items()]
        shown_at = plan.indexes.astype(np.float64)
        if self.interpolation == "tim":
            shown_at = np.linspace(shown_at[0], shown_at[-1], self.frames)
        labels = [f"{at:.1f}".removesuffix(".0") for at in shown_at]
        if self.motion == "difference":
            labels = [f"onset {plan.onset}", *labels]
        at_apex = int(np.abs(shown_at - centre).argmin()) if self.interpolation == "tim" else self.frames // 2
        is_there = self.window == "apex" and abs(shown_at[at_apex] - centre) <= (self.interpolation == "tim")
        marks = {len(labels) - self.frames + at_apex: "apex"} if is_there else {}
        tagged = tuple(f"{label} · {marks[k]}" if k in marks else label for k, label in enumerate(labels))
        return [*made, Step("Sequence", tuple(sequence), tagged, sequence=True)]

    @property
    def _each_frame(self) -> bool:
        return self.needs_face and self.alignment == "per-frame"

    def window_sentence(self) -> str:
        """Say which frames a sequence takes."""
        every = "" if self.step == 1 else f", every {ordinal(self.step)} one"
        where = "around the apex" if self.window == "apex" else "from the start of the clip"
        if self.interpolation == "tim":
            where = "made from those between onset and offset by the temporal interpolation model (Zhou et al. 2011)"
        return f"{self.frames} {self.color} frames of {self.width}×{self.height} pixels {where}{every}."

    def face_sentence(self) -> str:
        """Say how often the face is found."""
        if self.alignment == "reference":
            return "The face is found once per clip and one transform is applied to all its frames."
        return "The face is found in every frame."

    def motion_sentences(self) -> list[str]:
        """Say what is done about motion that the paper does not do; empty if nothing is."""
        grown = (
            [f"Motions of micro-expressions are magnified (Eulerian, α = {self.magnify:g}; the paper: they are not)."]
            if self.magnify
            else []
        )
        if self.motion == "none":
            return grown
        return [*grown, "The network sees each frame's difference from the onset frame (the paper: the frames)."]

    def plan_window(self, clip: Clip, detector: FaceDetector) -> WindowPlan:
        """Find the reference frame and the apex of a clip, and choose its frames.

        Raises
        ------
        NoFaceError
            If no frame shows a face, and one is needed.
        ClipReadError
            If no frame can be read.
        """
        notes = gap_notes(clip)
        length = len(clip.frames)
        onset = inside(clip.onset, length, "onset", notes)
        apex = inside(clip.apex, length, "apex", notes)
        spot_it = apex is None and self.window == "apex" and self.missing_apex == "spotted"
        reference = None
        if self.needs_face or spot_it:
            reference = find_reference(clip.frames, onset or 0, detector, clip.key)
        source = "" if apex is None else "annotated"
        if apex is None and self.window == "apex":
            source = self.missing_apex
            if reference is not None and spot_it:
                # Frames before the face appears show nothing to spot.
                start = max(onset or 0, reference.index)
                stop = None if clip.offset is None else max(start, min(clip.offset, length - 1)) + 1
                spot = spot_clip(clip, reference.landmarks, start=start, stop=stop)
                apex = spot.apex
                if onset is None:
                    # The nearer the reference is to the window, the less the head has moved between them.
                    onset = spot.onset
                    reference = find_reference(clip.frames, onset, detector, clip.key)
            else:
                apex = length // 2
        if self.interpolation == "tim":
            offset = inside(clip.offset, length, "offset", notes)
            if offset is None and self.window == "apex" and apex is not None and apex > (onset or 0):
                offset = min(length - 1, 2 * apex - (onset or 0))
                notes.append(
                    f"no offset is known; frame {offset}, as long after the apex as the onset is before, is taken"
                )
            indexes = np.arange(onset or 0, max(onset or 0, length - 1 if offset is None else offset) + 1)
        elif self.window == "apex" and apex is not None:
            indexes = apex_window(length, apex, self.frames, step=self.step, fill=self.fill)
        else:
            indexes = initial_window(length, self.frames, step=self.step)
        return WindowPlan(indexes, onset or 0, apex, source, reference if self.needs_face else None, notes)

    def reference_view(self, plan: WindowPlan, detector: FaceDetector) -> FrameView:
        """Give the view of the frame in which the face was found."""
        if plan.reference is None:
            return self.view_of(np.zeros((1, 1, 3), np.uint8), None, detector, plan.notes)
        return self.view_of(plan.reference.image, plan.reference.landmarks, detector, plan.notes)

    def _frame_view(
        self, index: int, image: NDArray[np.uint8], first: FrameView, detector: FaceDetector, notes: list[str]
    ) -> FrameView | None:
        """The view of a frame that is aligned by itself; ``None`` if it shows no face."""
        landmarks = detector.landmarks(image)
        if landmarks is None:
            notes.append(f"no face in frame {index}; the transform of the frame before is used")
            return None
        return self.view_of(image, landmarks, detector, notes, first)

    def read_frames(self, clip: Clip, plan: WindowPlan, view: FrameView, detector: FaceDetector) -> NDArray[np.uint8]:
        """Read the frames of a plan through a view, ``(T, H, W, C)``.

        Raises
        ------
        ClipReadError
            If more than a quarter of them cannot be read.
        """
        needed = np.concatenate([[plan.onset], plan.indexes]) if self.motion == "difference" else plan.indexes
        whole = self._magnified_stretch(clip, plan, needed) if self.magnify else needed
        cut: dict[int, NDArray[np.uint8]] = {}
        wanted = sorted({int(i) for i in (*whole, *needed)})
        bad: list[int] = []
        current = view
        held = {plan.reference.index: plan.reference.image} if plan.reference else {}
        rest = read_each(clip.frames, [i for i in wanted if i not in held])
        for index in wanted:
            frame = held[index] if index in held else next(rest)[1]
            if isinstance(frame, FrameReadError):
                bad.append(index)
                continue
            if self._each_frame:
                current = self._frame_view(index, frame, view, detector, plan.notes) or current
            cut[index] = current.apply(frame)
        if not cut or len(bad) > MAX_UNREADABLE_SHARE * len(wanted):
            raise ClipReadError(
                f"{clip.key}: {len(bad)} of the {len(wanted)} frames needed cannot be read (the first is frame "
                f"{bad[0]}); copy the clip again",
                getattr(clip.frames, "path", None),
            )
        if bad:
            plan.notes.append(f"frames {', '.join(map(str, bad))} cannot be read; a neighbour stands in")
        good = np.array(sorted(cut))
        nearest = {i: int(good[np.abs(good - i).argmin()]) for i in wanted}
        if self.magnify:
            cut |= self._magnified(clip, whole, np.stack([cut[nearest[int(i)]] for i in whole]))
            nearest |= {int(i): int(i) for i in whole}
        stacked = np.stack([cut[nearest[int(i)]] for i in needed])
        if self.interpolation == "tim":
            before, window = stacked[: len(needed) - len(plan.indexes)], stacked[len(needed) - len(plan.indexes) :]
            stacked = np.concatenate([before, interpolate_frames(window, self.frames)])
        return np.ascontiguousarray(stacked[..., None] if stacked.ndim == 3 else stacked)

    def _magnified_stretch(self, clip: Clip, plan: WindowPlan, needed: NDArray[np.int64]) -> NDArray[np.int64]:
        """All frames from the first that is needed to the last: a band of frequencies wants time without holes."""
        if clip.fps is None:
            raise ClipReadError(
                f"{clip.key}: its frame rate is unknown, which magnification needs; give it, or leave it out"
            )
        first = int(plan.indexes.min())
        if first - int(needed.min()) <= MAGNIFIED_BEFORE * clip.fps:
            first = int(needed.min())
        else:
            plan.notes.append("the onset lies too far before the window to be magnified with it")
        return np.arange(first, int(needed.max()) + 1)

    def _magnified(
        self, clip: Clip, indexes: NDArray[np.int64], frames: NDArray[np.uint8]
    ) -> dict[int, NDArray[np.uint8]]:
        fps = float(clip.fps or 0)
        band = (MICRO_BAND[0], min(MICRO_BAND[1], fps / 2))
        try:
            made = magnify_motion(frames, fps, alpha=self.magnify, band=band)
        except UsageError as exc:
            raise ClipReadError(f"{clip.key}: its window cannot be magnified: {exc}") from exc
        return {int(index): frame for index, frame in zip(indexes, made, strict=True)}


def gap_notes(clip: Clip) -> list[str]:
    """Describe numbers that are missing from a folder of frames: time jumps there, which looks like motion."""
    gaps = [f"{first}" if first == last else f"{first}-{last}" for first, last in getattr(clip.frames, "gaps", [])]
    if not gaps:
        return []
    more = f" and {len(gaps) - 5} more gaps" if len(gaps) > 5 else ""
    return [f"frames numbered {', '.join(gaps[:5])}{more} are missing on disk"]


def inside(index: int | None, length: int, what: str, notes: list[str]) -> int | None:
    """Give an annotated index that lies in the clip; the last frame, and a note, where it does not."""
    if index is None or index < length:
        return index
    notes.append(f"the annotated {what} is frame {index}, past the last of {length} frames on disk, which is used")
    return length - 1


def grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn RGB ``(H, W, 3)`` into grey ``(H, W)``."""
    import cv2

    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def ordinal(n: int) -> str:
    """Spell an ordinal number: ``second``, ``third``, ``fourth``, ``5th``: good enough for steps."""
    return {2: "second", 3: "third", 4: "fourth"}.get(n, f"{n}th")
