"""An identity laid out at the size of the frames, and the fields that move it."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.errors import UsageError, unknown_choice
from fleeting.synthesis.identities import FRAME_SIZE, PAD, SCALE, Identity, asset

if TYPE_CHECKING:
    from numpy.typing import NDArray

MINIMUM_SCALE = 0.25
MAXIMUM_SIDE = 2048
GRID = 4  # pixels of a 280 x 340 frame between the nodes on which a field is interpolated


@dataclass(frozen=True)
class Template:
    """The average head's points, in units of its eye distance from the point between the eyes, y downwards.

    Attributes
    ----------
    points : numpy.ndarray of float64
        ``(n, 2)`` where the mesh's visible vertices are.
    fields : mapping
        Face unit -> ``(n, 2)`` displacement of those vertices at full intensity.
    landmarks : numpy.ndarray of float64
        ``(68, 2)``.
    """

    points: NDArray[np.float64]
    fields: Mapping[str, NDArray[np.float64]]
    landmarks: NDArray[np.float64]


@cache
def template() -> Template:
    """The shipped displacement fields."""
    with np.load(io.BytesIO(asset("au_fields.npz")), allow_pickle=False) as z:
        fields = {str(n): f.astype(np.float64) for n, f in zip(z["names"], z["fields"])}
        return Template(z["points"].astype(np.float64), fields, z["landmarks"].astype(np.float64))


class Stage:
    """An identity at the size of the frames: the source picture, how frame pixels map to it, and its fields.

    Parameters
    ----------
    identity : Identity
        Whose face.
    size : tuple of (int, int), optional
        Width and height of the frames. The face keeps its share of a 280 x 340 window that is fitted into the frame;
        what lies beside it repeats the border.
    """

    def __init__(self, identity: Identity, size: tuple[int, int] = FRAME_SIZE) -> None:
        import cv2

        width, height = size
        self.size = size
        self.identity = identity
        #: Frame pixels for one pixel of the 280 x 340 layout.
        self.scale = min(width / FRAME_SIZE[0], height / FRAME_SIZE[1])
        if self.scale < MINIMUM_SCALE or max(size) > MAXIMUM_SIDE:
            least = tuple(round(n * MINIMUM_SCALE) for n in FRAME_SIZE)
            raise UsageError(
                f"frames of {width} x {height}: expected at least {least[0]} x {least[1]} and at most "
                f"{MAXIMUM_SIDE} pixels per side"
            )
        source = identity.source
        if self.scale < 1:
            reduced = (round(source.shape[1] * self.scale), round(source.shape[0] * self.scale))
            source = np.asarray(cv2.resize(source, reduced, interpolation=cv2.INTER_AREA), np.uint8)
        # Sampling every second source pixel would alias, and texture would flicker as the head moves.
        per_pixel = SCALE * source.shape[1] / identity.source.shape[1] / self.scale
        self.source = np.asarray(cv2.GaussianBlur(source, (0, 0), 0.4 * per_pixel), np.uint8)
        border = np.array([(width - FRAME_SIZE[0] * self.scale) / 2, (height - FRAME_SIZE[1] * self.scale) / 2])
        self.landmarks = (identity.landmarks + 0.5) * self.scale - 0.5 + border
        #: source = frame * gain + start, per axis (pixel centres at integers).
        ratio = np.array([source.shape[1], source.shape[0]]) / np.array(identity.source.shape[1::-1])
        self.gain = SCALE * ratio / self.scale
        self.start = (0.5 - border) * self.gain + PAD * SCALE * ratio - 0.5
        self._fields: OrderedDict[tuple[tuple[str, float], ...], NDArray[np.float32]] = OrderedDict()

    @property
    def face_width(self) -> float:
        """Width of the jaw line in frame pixels: what amplitudes refer to."""
        return float(np.ptp(self.landmarks[:17, 0]))

    @cached_property
    def _rig(self) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], tuple[int, int], int]:
        """Sparse matrix from vertices to grid nodes, Jacobians of template -> face, kept vertices, grid shape, step."""
        from scipy.interpolate import RBFInterpolator
        from scipy.sparse import csr_matrix
        from scipy.spatial import Delaunay

        t = template()
        warp = RBFInterpolator(t.landmarks, self.landmarks, kernel="thin_plate_spline", smoothing=1e-3)
        at, step = warp(t.points), 0.02
        jacobian = np.stack(
            [(warp(t.points + [step, 0]) - at) / step, (warp(t.points + [0, step]) - at) / step], axis=2
        )
        centre = self.landmarks.mean(0)
        eyes = np.linalg.norm(self.landmarks[36:42].mean(0) - self.landmarks[42:48].mean(0))
        radius = np.array([1.9, 2.185]) * eyes
        inside = (((at - centre) / radius) ** 2).sum(1) < 0.85
        angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        ring = centre + radius * np.stack([np.cos(angle), np.sin(angle)], 1)
        grid = max(1, round(GRID * self.scale))
        columns, rows = self.size[0] // grid + 2, self.size[1] // grid + 2
        nodes = np.stack(np.meshgrid(np.arange(columns) * grid, np.arange(rows) * grid), 2).reshape(-1, 2)
        mesh = Delaunay(np.vstack([at[inside], ring]))
        simplex = mesh.find_simplex(nodes)
        hit = np.flatnonzero(simplex >= 0)
        affine = mesh.transform[simplex[hit]]
        weights = np.einsum("nij,nj->ni", affine[:, :2], nodes[hit] - affine[:, 2])
        weights = np.nan_to_num(np.hstack([weights, 1 - weights.sum(1, keepdims=True)]))
        corner = mesh.simplices[simplex[hit]]
        keep = corner < inside.sum()  # the ring does not move
        matrix = csr_matrix(
            ((weights * keep).ravel(), (np.repeat(hit, 3), np.where(keep, corner, 0).ravel())),
            shape=(len(nodes), int(inside.sum())),
        )
        return matrix, jacobian[inside], inside, (rows, columns), grid

    def field(self, units: Mapping[str, float]) -> NDArray[np.float32]:
        """Displacement ``(H, W, 2)`` in frame pixels, x then y, of a combination of face units, before scaling.

        The face units of the average head are carried over by a thin-plate spline through the 68 landmarks.
        """
        import cv2

        t = template()
        for name in units:
            if name not in t.fields:
                raise unknown_choice("face unit", name, t.fields)
        key = tuple(sorted((n, round(w, 6)) for n, w in units.items()))
        if key in self._fields:
            return self._fields[key]
        matrix, jacobian, inside, shape, grid = self._rig
        moved = sum((w * t.fields[n][inside] for n, w in units.items()), np.zeros((int(inside.sum()), 2)))
        nodes = (matrix @ np.einsum("nij,nj->ni", jacobian, moved)).reshape(*shape, 2).astype(np.float32)
        nodes = cv2.GaussianBlur(nodes, (0, 0), 0.8 * GRID * self.scale / grid)
        width, height = self.size
        x, y = np.meshgrid(np.arange(width, dtype=np.float32) / grid, np.arange(height, dtype=np.float32) / grid)
        field = cv2.GaussianBlur(cv2.remap(nodes, x, y, cv2.INTER_LINEAR), (0, 0), 3.0 * self.scale)
        out = np.asarray(field, np.float32)
        self._fields[key] = out
        if len(self._fields) > 8:
            self._fields.popitem(last=False)
        return out

    @cached_property
    def lids(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], float]:
        """For blinks: heights of both lids and weight of the eye per column, and the height of the lid's skin."""
        width = self.size[0]
        x = np.arange(width, dtype=np.float64)
        upper, lower, weight = np.zeros(width), np.ones(width), np.zeros(width)
        span = 1.0
        for first in (36, 42):
            eye = self.landmarks[first : first + 6]
            span = float(eye[3, 0] - eye[0, 0])
            near = (x > eye[0, 0] - 0.12 * span) & (x < eye[3, 0] + 0.12 * span)
            top, low = eye[[0, 1, 2, 3]], eye[[0, 5, 4, 3]]
            upper[near] = np.polyval(np.polyfit(top[:, 0], top[:, 1], 2), x[near]) - 0.10 * span
            bottom = np.polyval(np.polyfit(low[:, 0], low[:, 1], 2), x[near]) + 0.08 * span
            lower[near] = np.maximum(bottom, upper[near] + 0.02 * span)
            edge = np.minimum(x[near] - eye[0, 0] + 0.1 * span, eye[3, 0] + 0.1 * span - x[near])
            weight[near] = np.clip(edge / (0.12 * span), 0, 1)
        f = np.float32
        return upper.astype(f), lower.astype(f), weight.astype(f), 0.30 * span


_stages: OrderedDict[tuple[int, tuple[int, int]], Stage] = OrderedDict()


def stage_of(identity: Identity, size: tuple[int, int]) -> Stage:
    """The stage of an identity; the last few are kept, since clips of one subject follow each other."""
    key = (id(identity), size)
    if key in _stages and _stages[key].identity is identity:
        _stages.move_to_end(key)
        return _stages[key]
    stage = _stages[key] = Stage(identity, size)
    while len(_stages) > 4:
        _stages.popitem(last=False)
    return stage
