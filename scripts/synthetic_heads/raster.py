"""From triangles to pixels, and the sheets on which skin is painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

Array = np.ndarray[Any, Any]


def soft(x: Array, low: float, high: float) -> Array:
    """Smooth step from 0 at ``low`` to 1 at ``high`` (either order)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True)
class View:
    """A camera in front of the eyes, weakly perspective; pixels of the supersampled picture."""

    centre: Array  # (3,) the point between the eyes
    scale: float
    size: tuple[int, int]
    origin: tuple[float, float]
    distance: float = 13.0

    def project(self, points: Array) -> tuple[Array, Array]:
        """Pixel coordinates (n, 2) and depth towards the viewer (n,)."""
        rel = points - self.centre
        k = self.distance / (self.distance - rel[:, 2])
        xy = np.stack([self.origin[0] + rel[:, 0] * k * self.scale, self.origin[1] - rel[:, 1] * k * self.scale], 1)
        return xy, rel[:, 2]


def id_buffer(xy: Array, depth: Array, triangles: Array, size: tuple[int, int], facing: bool = True) -> Array:
    """Index of the front triangle at every pixel, -1 where there is none (painter's algorithm on small triangles)."""
    w, h = size
    a, b, c = (xy[triangles[:, i]] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    visible = area < 0 if facing else np.abs(area) > 0
    z = depth[triangles].mean(1)
    box = np.stack([a, b, c], 1)
    visible &= (box[..., 0].max(1) > 0) & (box[..., 0].min(1) < w) & (box[..., 1].max(1) > 0) & (box[..., 1].min(1) < h)
    order = np.flatnonzero(visible)
    order = order[np.argsort(z[order], kind="stable")]
    corners = np.round((box - 0.0) * 16).astype(np.int32)
    buffer = np.full((h, w), -1, np.int32)
    for t in order:
        cv2.fillConvexPoly(buffer, corners[t], int(t), cv2.LINE_8, 4)
    return buffer


def barycentric(buffer: Array, xy: Array, triangles: Array) -> tuple[Array, Array, Array]:
    """Pixel rows and columns that are covered, and the weights (n, 3) of their triangle's corners."""
    rows, cols = np.nonzero(buffer >= 0)
    t = triangles[buffer[rows, cols]]
    a, b, c = (xy[t[:, i]] for i in range(3))
    p = np.stack([cols, rows], 1).astype(float)
    d = (b[:, 1] - c[:, 1]) * (a[:, 0] - c[:, 0]) + (c[:, 0] - b[:, 0]) * (a[:, 1] - c[:, 1])
    d = np.where(np.abs(d) < 1e-9, 1e-9, d)
    u = ((b[:, 1] - c[:, 1]) * (p[:, 0] - c[:, 0]) + (c[:, 0] - b[:, 0]) * (p[:, 1] - c[:, 1])) / d
    v = ((c[:, 1] - a[:, 1]) * (p[:, 0] - c[:, 0]) + (a[:, 0] - c[:, 0]) * (p[:, 1] - c[:, 1])) / d
    weights = np.clip(np.stack([u, v, 1 - u - v], 1), 0, 1)
    return rows, cols, weights / weights.sum(1, keepdims=True)


def vertex_normals(points: Array, triangles: Array) -> Array:
    """Unit normals (n, 3), weighted by area."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    face = np.cross(b - a, c - a)
    out = np.zeros_like(points)
    for k in range(3):
        np.add.at(out, triangles[:, k], face)
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12))


def pixels(values: Array, triangles: Array, at: Array, weights: Array) -> Array:
    """Interpolate vertex values (n, k) at pixels whose triangles are ``at``."""
    corner = triangles[at]
    return np.asarray(sum(values[corner[:, k]] * weights[:, k : k + 1] for k in range(3)), np.float32)


# The skin is painted on two sheets in the coordinates of the base mesh: one seen from the front, one rolled round.
PER_UNIT = 800
FRONT_X, FRONT_Y = (-1.0, 1.0), (5.9, 8.6)
ROUND_RADIUS = 0.95


def front_coordinates(rest: Array) -> Array:
    """Pixel (x, y) on the front sheet."""
    return np.stack([(rest[:, 0] - FRONT_X[0]) * PER_UNIT, (FRONT_Y[1] - rest[:, 1]) * PER_UNIT], 1).astype(np.float32)


def round_coordinates(rest: Array) -> Array:
    """Pixel (x, y) on the rolled sheet."""
    angle = np.arctan2(rest[:, 0], rest[:, 2] - 0.3)
    return np.stack([(angle + np.pi) * ROUND_RADIUS * PER_UNIT, (FRONT_Y[1] - rest[:, 1]) * PER_UNIT], 1).astype(
        np.float32
    )


def sample(sheet: Array, where: Array) -> Array:
    """Values of a sheet at pixel coordinates (n, 2)."""
    out = np.empty(where.shape[:1] + sheet.shape[2:], np.float32)
    for i in range(0, len(where), 30000):
        part = where[i : i + 30000]
        out[i : i + 30000] = cv2.remap(
            sheet, part[None, :, 0], part[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )[0]
    return out


def noise_sheet(rng: np.random.Generator, size: tuple[int, int], sigma: tuple[float, float]) -> Array:
    """Unit-variance noise (h, w), smoothed by sigma (x, y)."""
    f = max(1, int(min(sigma) / 2))
    w, h = size[0] // f + 1, size[1] // f + 1
    x = cv2.GaussianBlur(
        rng.standard_normal((h, w), dtype=np.float32), (0, 0), sigma[0] / f, sigmaY=max(sigma[1] / f, 0.01)
    )
    x = cv2.resize(x, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray((x - x.mean()) / x.std(), np.float32)
