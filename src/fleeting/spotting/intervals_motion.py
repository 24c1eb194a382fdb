"""Motion of the parts of a face in a long video, measured in one pass: one optical flow per frame, bounded memory.

Each frame is compared with a *key* frame of the recent past, not with its neighbour: at 200 frames per second a
micro-expression moves the skin by hundredths of a pixel from frame to frame, which no flow method measures, and sums of
such steps drift. A new key is taken a few times per second, and what was measured up to it is carried over. Differences of
the result over any lag are the flow over that lag.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fleeting.errors import UsageError
from fleeting.faces.regions import LEFT_EYE, RIGHT_EYE, face_mask
from fleeting.spotting.face_regions import N_REGIONS, region_weights
from fleeting.spotting.head_motion import fit_head, head_basis, head_flow
from fleeting.spotting.resumable import Resumable

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CROP_MARGIN", "CROP_SIDE", "FaceMotion", "FrameMotion", "KeyFrame", "MotionTable"]

#: Side of the aligned crops in pixels, and the margin round the landmarks' box (see ``faces.Alignment``).
CROP_SIDE = 128
CROP_MARGIN = 0.22
#: Cells along a side of the displacement map that is kept of each frame.
MAP_SIDE = 16
_GRID = 32  # cells along a side in which flow is averaged
_KEY_SECONDS = 0.25


class FrameMotion(NamedTuple):
    """The measurements of one frame.

    Attributes
    ----------
    frame : int
        Its 0-based number.
    valid : bool
        Whether there is a face; all that follows is 0 if not.
    stretch : int
        Number of the unbroken run of frames; positions of different stretches cannot be compared.
    position : numpy.ndarray of float32
        ``(16, 2)`` where each region of :data:`REGION_NAMES` is, x then y, in pixels of a 128-pixel face; the head's
        own motion is removed. The origin is where the stretch began.
    head : numpy.ndarray of float32
        ``(6,)`` motion of the head since the stretch began: shift x, y (pixels of a 128-pixel face), rotation
        (radians), growth, and turns about the vertical and the horizontal axis (pixels at the middle of the face).
    residual : float
        Median flow that the head's motion does not explain, in pixels of a 128-pixel face.
    open : numpy.ndarray of float32
        ``(2,)`` contrast within the right and the left eye, as a share of the face's brightness; low with lids shut.
    map : numpy.ndarray of float32
        ``(16, 16, 2)`` position of each cell of the crop, as ``position``.
    """

    frame: int
    valid: bool
    stretch: int
    position: NDArray[np.float32]
    head: NDArray[np.float32]
    residual: float
    open: NDArray[np.float32]
    map: NDArray[np.float32]


@dataclass(frozen=True)
class MotionTable:
    """The measurements of a recording, one row per frame; see :class:`FrameMotion`.

    Attributes
    ----------
    fps : float
        Frames per second.
    frame, valid, stretch, position, head, residual, open, map : numpy.ndarray
        Arrays whose first axis is the frame.
    """

    fps: float
    frame: NDArray[np.int64]
    valid: NDArray[np.bool_]
    stretch: NDArray[np.int64]
    position: NDArray[np.float32]
    head: NDArray[np.float32]
    residual: NDArray[np.float32]
    open: NDArray[np.float32]
    map: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.frame)

    @classmethod
    def of(cls, rows: Iterable[FrameMotion], fps: float) -> MotionTable:
        """Gather frames, in order."""
        kept = list(rows)
        if not kept:
            raise UsageError("a table of motion needs at least one frame, found none")
        columns = [np.stack([np.asarray(row[i]) for row in kept]) for i in range(len(FrameMotion._fields))]
        return cls(float(fps), *columns)

    def row(self, k: int) -> FrameMotion:
        """The measurements of one frame."""
        return FrameMotion(
            int(self.frame[k]),
            bool(self.valid[k]),
            int(self.stretch[k]),
            self.position[k],
            self.head[k],
            float(self.residual[k]),
            self.open[k],
            self.map[k],
        )


@dataclass
class KeyFrame:
    """The frame that others are compared with, and what depends on it alone."""

    image: NDArray[np.uint8]
    matrix: NDArray[np.float64]
    index: int
    unit: float  # pixels of a 128-pixel face for one pixel of the crop
    regions: NDArray[np.float64]  # (16, cells)
    cells: NDArray[np.int64]  # cells of the face, eyes left out
    design: NDArray[np.float64]  # (2, 6, cells): x and y motion of each cell for each motion of the head
    dense: NDArray[np.float32]  # (4, H, W): the same for each pixel
    weight: NDArray[np.float64]  # texture of each of those cells
    position: NDArray[np.float64]  # of the regions in the key frame
    map: NDArray[np.float64]
    head: NDArray[np.float64]
    eyes: tuple[NDArray[np.intp], NDArray[np.intp]]
    pose: NDArray[np.float64] = field(default_factory=lambda: np.zeros(6))


class FaceMotion(Resumable):
    """Measures frame after frame; see :class:`FrameMotion`.

    Parameters
    ----------
    fps : float
        Frames per second.
    key_seconds : float, optional
        Time between two key frames.

    Examples
    --------
    >>> meter = FaceMotion(fps=100.0)
    >>> meter.push(0, None).valid
    False
    """

    made_anew = ("_flow",)

    def __init__(self, fps: float, key_seconds: float = _KEY_SECONDS) -> None:
        import cv2

        if not fps > 0:
            raise UsageError(f"frames per second must be positive, found {fps}")
        self.fps = float(fps)
        self._keep = max(2, round(key_seconds * fps))
        self._key: KeyFrame | None = None
        self._stretch = -1
        self._thumb: NDArray[np.float32] | None = None
        self._last: NDArray[np.float64] | None = None
        self._usual = 1.0
        self._own_open = 0.0  # how open the eyes are in the key frame
        self._flow: Any = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._flow.setFinestScale(1)
        self._flow.setVariationalRefinementIterations(2)

    @property
    def drift(self) -> float:
        """Distance that the head has moved within the crop since the last key frame, as a share of the crop's side.

        Whoever cuts the crops looks for the face again when it has gone too far.
        """
        return 0.0 if self._key is None else float(np.hypot(*self._key.pose[:2])) / CROP_SIDE

    def push(
        self,
        index: int,
        crop: NDArray[np.uint8] | None,
        matrix: NDArray[np.float64] | None = None,
        points: NDArray[np.float64] | None = None,
    ) -> FrameMotion:
        """Measure the next frame.

        Parameters
        ----------
        index : int
            Its number.
        crop : numpy.ndarray of uint8 or None
            Aligned grey face ``(128, 128)``, or ``None`` if there is no face; that ends the stretch.
        matrix : numpy.ndarray of float64 or None, optional
            ``(2, 3)`` from frame pixels to crop pixels. It may change from frame to frame, smoothly or not: what the
            crop does is not mistaken for motion.
        points : numpy.ndarray of float64 or None, optional
            ``(68, 2)`` landmarks in the crop. They place the regions, to a few pixels, and are not measured.
        """
        if crop is None:
            self._key = self._thumb = None
            return _nothing(index, max(self._stretch, 0))
        if crop.dtype != np.uint8 or crop.shape != (CROP_SIDE, CROP_SIDE):
            raise UsageError(
                f"a crop is grey uint8 of shape ({CROP_SIDE}, {CROP_SIDE}); found {crop.dtype} of shape {crop.shape}"
            )
        if matrix is None or points is None:
            raise UsageError("a crop comes with its matrix (2, 3) and landmarks (68, 2); found None")
        matrix = np.asarray(matrix, dtype=np.float64)
        if self._key is None or self._is_cut(crop, matrix):
            self._stretch += 1
            zeros = np.zeros((N_REGIONS, 2)), np.zeros((MAP_SIDE, MAP_SIDE, 2)), np.zeros(6)
            self._key = self._make_key(index, crop, matrix, points, *zeros)
            if self._key is None:
                return _nothing(index, self._stretch)
            return self._row(index, crop, self._key.position, self._key.map, self._key.head, 0.0)
        key = self._key
        cells, residual, own = self._compare(key, crop, matrix)
        scale = key.unit
        position = key.position + (key.regions @ cells.reshape(-1, 2)) * scale
        small = cells.reshape(_GRID, _GRID, 2)
        shown = key.map + _shrunk(small) * scale
        head = key.head + key.pose * [scale, scale, 1.0, 1.0, scale, scale]
        row = self._row(index, crop, position, shown, head, residual * scale)
        age = index - key.index
        # Shut eyes make a bad key; they will not stay shut for long.
        shut = row.open.min() < 0.75 * float(own)
        far = self.drift > 0.06
        if far or (age >= self._keep and (not shut or age >= 2 * self._keep)):
            fresh = self._make_key(index, crop, matrix, points, position, shown, head)
            self._key = fresh if fresh is not None else key
        return row

    def _is_cut(self, crop: NDArray[np.uint8], matrix: NDArray[np.float64]) -> bool:
        """Tell whether the picture has changed as it does at a cut, and not by motion."""
        import cv2

        thumb = cv2.resize(crop, (12, 12), interpolation=cv2.INTER_AREA).astype(np.float32)
        thumb *= 128 / max(float(thumb.mean()), 1.0)
        before, self._thumb = self._thumb, thumb
        last, self._last = self._last, matrix
        # A crop that is cut elsewhere looks different as well.
        if before is None or last is None or np.abs((matrix - last) @ [CROP_SIDE, CROP_SIDE, 1]).max() > 2:
            return False
        change = float(np.abs(thumb - before).mean())
        cut = change > max(6.0, 8 * self._usual)
        self._usual = 0.98 * self._usual + 0.02 * min(change, 4 * self._usual)
        if cut:
            self._thumb = None
        return cut

    def _make_key(
        self,
        index: int,
        crop: NDArray[np.uint8],
        matrix: NDArray[np.float64],
        points: NDArray[np.float64],
        position: NDArray[np.float64],
        shown: NDArray[np.float64],
        head: NDArray[np.float64],
    ) -> KeyFrame | None:
        import cv2

        points = np.asarray(points, dtype=np.float64)
        width = float(np.ptp(points[:17, 0]))
        if points.shape != (68, 2) or not np.isfinite(points).all() or width < CROP_SIDE / 4:
            return None
        step = CROP_SIDE / _GRID
        at = (np.arange(_GRID) + 0.5) * step - 0.5
        x, y = (a.ravel() for a in np.meshgrid(at, at))
        mask = face_mask(points, (CROP_SIDE, CROP_SIDE)).astype(np.float32)
        inside = cv2.resize(mask, (_GRID, _GRID), interpolation=cv2.INTER_AREA).ravel()
        chosen = np.flatnonzero(inside > 0.6)
        if len(chosen) < 60:
            return None
        xx, yy = np.meshgrid(np.arange(CROP_SIDE, dtype=np.float64), np.arange(CROP_SIDE, dtype=np.float64))
        dense = head_basis(xx, yy, points).astype(np.float32)
        one, u, v, depth = head_basis(x[chosen], y[chosen], points)
        zero = np.zeros_like(one)
        design = np.stack([[one, zero, -v, u, depth, zero], [zero, one, u, v, zero, depth]])
        slope = cv2.Sobel(crop, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(crop, cv2.CV_32F, 0, 1) ** 2
        texture = cv2.resize(slope, (_GRID, _GRID), interpolation=cv2.INTER_AREA).ravel()[chosen]
        weight = texture / (texture + np.median(texture))
        eyes = tuple(_eye_pixels(points[eye]) for eye in (RIGHT_EYE, LEFT_EYE))
        regions = region_weights(points, x, y, inside)
        key = KeyFrame(
            crop,
            matrix,
            index,
            128 / width,
            regions,
            chosen,
            design,
            dense,
            weight,
            position,
            shown,
            head,
            eyes,  # type: ignore[arg-type]
        )
        self._own_open = float(_openness(crop, key).min())
        return key

    def _compare(
        self, key: KeyFrame, crop: NDArray[np.uint8], matrix: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], float, float]:
        """Displacement of each cell since the key without the head's, the residual, and how open the key's eyes were."""
        import cv2

        # From the key's crop to this one, by what is known of the crops and was last known of the head.
        there = np.vstack([matrix, [0, 0, 1]]) @ np.linalg.inv(np.vstack([key.matrix, [0, 0, 1]]))
        grid = key.dense
        p = key.pose
        moved = head_flow(grid, p)
        xx, yy = _pixels()
        x, y = xx + moved[0], yy + moved[1]
        m = there.astype(np.float32)
        where_x, where_y = m[0, 0] * x + m[0, 1] * y + m[0, 2], m[1, 0] * x + m[1, 1] * y + m[1, 2]
        back = cv2.remap(crop, where_x, where_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        flow = self._flow.calc(key.image, back, None)
        cells = cv2.resize(flow, (_GRID, _GRID), interpolation=cv2.INTER_AREA).reshape(-1, 2).astype(np.float64)
        pose, residual = fit_head(key.design, cells[key.cells].T, key.weight)
        key.pose = p + pose
        step = CROP_SIDE // _GRID
        smaller = grid[:, step // 2 :: step, step // 2 :: step]
        own = np.stack(head_flow(smaller, pose), axis=-1).reshape(-1, 2)
        return cells - own, residual, self._own_open

    def _row(
        self,
        index: int,
        crop: NDArray[np.uint8],
        position: NDArray[np.float64],
        shown: NDArray[np.float64],
        head: NDArray[np.float64],
        residual: float,
    ) -> FrameMotion:
        assert self._key is not None
        f = np.float32
        opened = _openness(crop, self._key)
        return FrameMotion(
            index, True, self._stretch, position.astype(f), head.astype(f), float(residual), opened, shown.astype(f)
        )


def _nothing(index: int, stretch: int) -> FrameMotion:
    f = np.float32
    zeros = np.zeros((N_REGIONS, 2), f), np.zeros(6, f)
    return FrameMotion(index, False, stretch, *zeros, 0.0, np.zeros(2, f), np.zeros((MAP_SIDE, MAP_SIDE, 2), f))


def _pixels() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    global _XY
    if _XY is None:
        x, y = np.meshgrid(np.arange(CROP_SIDE, dtype=np.float32), np.arange(CROP_SIDE, dtype=np.float32))
        _XY = x, y
    return _XY


_XY: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None


def _eye_pixels(eye: NDArray[np.float64]) -> tuple[slice, slice]:
    low, high = eye.min(0), eye.max(0)
    tall = max(float(high[1] - low[1]), 0.25 * float(high[0] - low[0]))
    middle = (low[1] + high[1]) / 2
    top, bottom = int(max(0, middle - 0.6 * tall)), int(min(CROP_SIDE, middle + 0.6 * tall + 1))
    left, right = int(max(0, low[0])), int(min(CROP_SIDE, high[0] + 1))
    return slice(top, max(bottom, top + 2)), slice(left, max(right, left + 2))


def _openness(crop: NDArray[np.uint8], key: KeyFrame) -> NDArray[np.float32]:
    bright = max(float(crop[::4, ::4].mean()), 1.0)
    values = [float(crop[eye].std()) / bright if crop[eye].size else 0.0 for eye in key.eyes]
    return np.asarray(values, np.float32)


def _shrunk(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    import cv2

    return np.asarray(cv2.resize(cells, (MAP_SIDE, MAP_SIDE), interpolation=cv2.INTER_AREA))
