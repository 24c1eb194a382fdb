"""Filming one clip: a head that is placed, turned and lit, skin that moves by a field, lids, and a noisy sensor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from fleeting.synthesis.stage import Stage

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FURROW", "Course", "Filming", "Inverse", "Placement", "blink_profile", "sample_field"]

FURROW = 0.15  # at 0.7 shading reverses the measured flow
_NOISE_BANK = 1 << 22
# Intensities at which a clip's inverse map is solved, and in how many rounds.
_NODES = (0.25, 0.5, 0.75, 1.0)
_ROUNDS = 10


@dataclass(frozen=True, eq=False)
class Placement:
    """The place of the head of a stage in frame 0: a similarity about ``centre``."""

    centre: NDArray[np.float64]
    shift: NDArray[np.float64]
    angle: float
    growth: float

    @classmethod
    def draw(cls, rng: np.random.Generator, stage: Stage, strength: float) -> Placement:
        """A random placement; ``strength`` 0 leaves the head where the stage has it."""
        x, y, angle, growth = rng.standard_normal(4) * strength
        near = float(np.clip(1 + 0.02 * growth, 0.85, 1.15))
        return cls(stage.landmarks.mean(0), np.array([x, y]) * 3 * stage.scale, float(np.radians(1.2 * angle)), near)

    @property
    def turn(self) -> NDArray[np.float64]:
        """The matrix ``(2, 2)`` of rotation and growth."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.asarray(self.growth * np.array([[c, -s], [s, c]]))

    def points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """From the stage to frame 0."""
        return np.asarray((points - self.centre) @ self.turn.T + self.centre + self.shift)

    @property
    def back(self) -> NDArray[np.float64]:
        """The affine map ``(2, 3)`` from frame 0 to the stage."""
        inverse = np.linalg.inv(self.turn)
        return np.hstack([inverse, (self.centre - inverse @ (self.centre + self.shift))[:, None]])

    def field(self, field: NDArray[np.float32]) -> NDArray[np.float32]:
        """A displacement field of the stage as it is in frame 0."""
        import cv2

        if not self.shift.any() and self.angle == 0 and self.growth == 1:
            return field
        height, width = field.shape[:2]
        moved = cv2.warpAffine(field, self.back, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return np.asarray(moved @ self.turn.T.astype(np.float32), np.float32)


@cache
def _noise_bank() -> NDArray[np.float32]:
    # Each frame takes a stretch of it at a random place: as good as fresh numbers at a tenth of the time.
    return np.random.default_rng(np.random.SeedSequence(20131)).standard_normal(_NOISE_BANK, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Course:
    """Everything that changes from frame to frame, an entry per frame.

    Attributes
    ----------
    profile : numpy.ndarray of float64
        ``(T,)`` intensity of the expression.
    head : numpy.ndarray of float64
        ``(T, 4)``: shift x, shift y (pixels), rotation (radians), growth.
    light : numpy.ndarray of float64
        ``(T,)``, relative.
    lids : numpy.ndarray of float64
        ``(T,)``, 0 (open) to 1 (shut).
    """

    profile: NDArray[np.float64]
    head: NDArray[np.float64]
    light: NDArray[np.float64]
    lids: NDArray[np.float64]


class Filming:
    """Films a stage whose head stands where it was placed, and whose skin moves by a field.

    Parameters
    ----------
    stage : Stage
        The still face.
    placed : Placement
        Place of the head in frame 0.
    field : numpy.ndarray of float32
        ``float32 (H, W, 2)``, displacement at the apex.
    tilt : float
        Slope of the light from left to right.
    noise : float
        Standard deviation of the sensor noise at mid-grey, in grey levels.
    """

    def __init__(
        self, stage: Stage, placed: Placement, field: NDArray[np.float32], *, tilt: float, noise: float
    ) -> None:
        import cv2

        self._stage, self._placed, self._field, self._noise = stage, placed, field, noise
        width, height = stage.size
        yy, xx = (a.astype(np.float32) for a in np.mgrid[0:height, 0:width])
        self._moved_back = Inverse(field, np.stack([xx, yy], 2))
        self._rest = placed.points(stage.landmarks)
        self._at_rest = sample_field(field, self._rest)
        self._centre = placed.points(placed.centre[None])[0]
        self._to_stage = placed.back
        gain, start = np.diag(stage.gain), stage.start
        self._gain = np.hstack([gain, start[:, None]])
        # From frame 0 through the stage to the source picture.
        self._to_source = gain @ self._to_stage + [[0, 0, start[0]], [0, 0, start[1]]]
        divergence = cv2.Sobel(field[..., 0], cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
        divergence += cv2.Sobel(field[..., 1], cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
        furrow = FURROW * cv2.GaussianBlur(divergence, (0, 0), 2.5 * stage.scale)
        self._lamp = np.repeat((1 + tilt * (xx / width - 0.5))[..., None], 3, axis=2).astype(np.float32)
        self._furrowed = self._lamp * furrow[..., None]
        self._shot = (np.sqrt((np.arange(256) / 128 + 0.3) / 1.3) * noise).astype(np.float32)
        self._bank = _noise_bank() if noise else np.empty(0, np.float32)
        self._count = width * height * 3

    def film(
        self, course: Course, rng: np.random.Generator, wanted: tuple[int, ...] | None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Film the wanted frames (all if ``None``); also gives the landmark track of all, ``(T, 68, 2)``."""
        width, height = self._stage.size
        length = len(course.profile)
        order = range(length) if wanted is None else wanted
        frames = np.empty((len(order), height, width, 3), np.uint8)
        places = {t: i for i, t in enumerate(order)}
        landmarks = np.empty((length, 68, 2))
        short = self._count < _NOISE_BANK
        for t in range(length):
            s, shut = float(course.profile[t]), float(course.lids[t])
            dx, dy, angle, growth = course.head[t]
            turn = (1 + growth) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            landmarks[t] = (self._marks(s, shut) - self._centre) @ turn.T + self._centre + [dx, dy]
            # Drawn for frames that are not filmed too: the others stay as they are.
            first = int(rng.integers(0, _NOISE_BANK - self._count)) if self._noise and short else 0
            if t not in places:
                continue
            back = np.linalg.inv(turn)
            shift = self._centre - back @ (self._centre + [dx, dy])
            head = np.hstack([back, shift[:, None]]) if course.head[t].any() else None
            self._expose(frames[places[t]], self._picture(s, shut, head), s, float(course.light[t]), first)
        return frames, landmarks

    def _marks(self, s: float, shut: float) -> NDArray[np.float64]:
        """Landmarks of frame 0 with an expression of intensity ``s``, the head at rest."""
        if shut > 0.01:
            marks = self._placed.points(_shut_landmarks(self._stage, shut))
            return np.asarray(marks + s * sample_field(self._field, marks))
        return np.asarray(self._rest + s * self._at_rest)

    def _picture(self, s: float, shut: float, head: NDArray[np.float64] | None) -> NDArray[np.uint8]:
        """The face in even light without noise."""
        import cv2

        place = self._moved_back(s, head)
        if shut > 0.01:
            place = _lid_lookup(self._stage, cv2.transform(place, self._to_stage), shut)
            place = cv2.transform(place, self._gain)
        else:
            place = cv2.transform(place, self._to_source)
        return np.asarray(
            cv2.remap(self._stage.source, place, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )

    def _expose(self, out: NDArray[np.uint8], picture: NDArray[np.uint8], s: float, light: float, first: int) -> None:
        """Write what the sensor makes of a picture; its noise begins at ``first`` in the bank."""
        import cv2

        glow = cv2.addWeighted(self._lamp, light, self._furrowed, light * s, 0.0)
        if not self._noise:
            cv2.multiply(picture, glow, dst=out, dtype=cv2.CV_8U)
            return
        count = self._count
        stretch = self._bank[first : first + count] if count < _NOISE_BANK else np.resize(self._bank, count)
        grain = cv2.multiply(stretch.reshape(picture.shape), cv2.LUT(picture, self._shot))
        lit = cv2.multiply(picture, glow, dtype=cv2.CV_32F)
        # Rounded and held within 0 to 255 on the way.
        cv2.add(lit, grain, dst=out, dtype=cv2.CV_8U)


class Inverse:
    """The place in frame 0 of what is seen at a pixel: ``y`` with ``y + s D(y) = x``, for any intensity ``s``.

    The map is solved once per clip at the few intensities it needs, by fixed-point iteration (the slope of ``D`` is below
    1), and is a polynomial of ``s`` between them: as exact as looking a picture up, which goes by steps of 1/32 pixel.

    Parameters
    ----------
    field : numpy.ndarray of float32
        ``D``, float32 ``(H, W, 2)``.
    grid : numpy.ndarray of float32
        The pixels' own places, float32 ``(H, W, 2)``.
    """

    def __init__(self, field: NDArray[np.float32], grid: NDArray[np.float32]) -> None:
        self._grid, self._field = grid, field
        self._solved: dict[float, NDArray[np.float32]] = {}
        self._moves = bool(field.any())

    def _solve(self, s: float) -> NDArray[np.float32]:
        import cv2

        if s not in self._solved:
            back = np.asarray(self._field * np.float32(s), np.float32)
            for _ in range(_ROUNDS):
                back = np.float32(s) * cv2.remap(self._field, self._grid - back, None, cv2.INTER_LINEAR)
            self._solved[s] = back
        return self._solved[s]

    def __call__(self, s: float, affine: NDArray[np.float64] | None) -> NDArray[np.float32]:
        """Places ``(H, W, 2)`` in frame 0; ``affine`` ``(2, 3)`` takes the head's motion back first."""
        import cv2

        here = self._grid if affine is None else np.asarray(cv2.transform(self._grid, affine), np.float32)
        if not self._moves or s <= 0:
            return here
        back = np.zeros_like(here)
        for node in _NODES:
            others = [0.0, *(n for n in _NODES if n != node)]
            weight = float(np.prod([(s - n) / (node - n) for n in others]))
            if weight:
                cv2.scaleAdd(self._solve(node), weight, back, dst=back)
        if affine is not None:
            back = np.asarray(cv2.remap(back, here, None, cv2.INTER_LINEAR), np.float32)
        return np.asarray(here - back, np.float32)


def sample_field(field: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear values ``(n, 2)`` of a field ``(H, W, 2)`` at points ``(n, 2)``; 0 outside it."""
    from scipy.ndimage import map_coordinates

    where = [points[:, 1], points[:, 0]]
    return np.stack([map_coordinates(field[..., i].astype(np.float64), where, order=1) for i in (0, 1)], axis=1)


def blink_profile(length: int, shut: int | None, fps: float) -> NDArray[np.float64]:
    """Give how far the lids are shut in each frame, 0 to 1, for a blink at frame ``shut``."""
    if shut is None:
        return np.zeros(length)
    t = np.arange(length) - shut
    return np.asarray(np.exp(-0.5 * (t / np.where(t < 0, 0.03 * fps, 0.05 * fps)) ** 2))


def _shut_landmarks(stage: Stage, shut: float) -> NDArray[np.float64]:
    """Landmarks of the stage with the upper lids where :func:`_lid_lookup` has the edge of the lid's skin."""
    marks = np.array(stage.landmarks, dtype=np.float64)
    upper, lower, weight, _ = stage.lids
    for k in (37, 38, 43, 44):
        column = int(np.clip(round(marks[k, 0]), 0, stage.size[0] - 1))
        up, low, w = float(upper[column]), float(lower[column]), float(weight[column])
        # The stretched skin begins above the lashes, so a lid that hardly moves has not reached its landmark yet.
        marks[k, 1] = max(marks[k, 1], up + shut * (low - up) * w)
    return np.asarray(marks)


def _lid_lookup(stage: Stage, place: NDArray[np.float32], shut: float) -> NDArray[np.float32]:
    """Stretch the skin of the upper lids down over the eyes by ``shut``, 0 (open) to 1."""
    upper, lower, weight, skin = stage.lids
    column = np.clip(np.round(place[..., 0]).astype(np.intp), 0, stage.size[0] - 1)
    up, low, w = upper[column], lower[column], weight[column]
    edge = up + np.float32(shut) * (low - up) * w
    top = up - np.float32(skin)
    y = place[..., 1]
    covered = (y > top) & (y < edge) & (w > 0)
    stretched = top + (y - top) * np.float32(skin) / np.maximum(edge - top, 1e-3)
    out = place.copy()
    out[..., 1] = np.where(covered, stretched, y)
    return out
