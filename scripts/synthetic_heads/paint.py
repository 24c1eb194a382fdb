"""What is painted on a head: brows, wrinkles, spots, beard, the grain of the skin, hair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from synthetic_heads.people import HAIR_COLOURS, Person, linear
from synthetic_heads.raster import (
    FRONT_X,
    FRONT_Y,
    PER_UNIT,
    ROUND_RADIUS,
    View,
    front_coordinates,
    noise_sheet,
    soft,
)

Array = np.ndarray[Any, Any]


@dataclass
class Sheets:
    """What is painted on a person's skin; alpha sheets are 0 to 1."""

    brow: Array
    spots: Array
    line: Array  # wrinkles: negative is darker
    lip: Array
    beard: Array
    pores: Array  # rolled sheet, unit variance
    blotch: Array  # rolled sheet, unit variance
    strands: Array  # rolled sheet, unit variance, long along the hair


def stroke(sheet: Array, start: Array, end: Array, width: float, value: float) -> None:
    """A tapering hair on a front sheet, from base-mesh coordinates ``start`` to ``end``."""
    p = front_coordinates(np.array([start, (start + end) / 2, end]))
    q = np.round(p * 16).astype(int)
    cv2.line(sheet, q[0].tolist(), q[1].tolist(), value, max(1, round(width)), cv2.LINE_AA, 4)
    cv2.line(sheet, q[1].tolist(), q[2].tolist(), value, max(1, round(width * 0.6)), cv2.LINE_AA, 4)


def paint(person: Person, rng: np.random.Generator) -> Sheets:
    """Brows, wrinkles, spots, beard and skin grain of a person."""
    w, h = int((FRONT_X[1] - FRONT_X[0]) * PER_UNIT), int((FRONT_Y[1] - FRONT_Y[0]) * PER_UNIT)

    def blank() -> Array:
        return np.zeros((h, w), np.float32)

    brow, spots, line, beard = blank(), blank(), blank(), blank()
    male = person.sex
    thick = (0.023 + 0.020 * male) * rng.uniform(0.7, 1.35)
    arch, lift, reach = rng.uniform(0.2, 1.1) * (1.1 - 0.5 * male), rng.normal(0, 0.01), rng.uniform(-0.03, 0.03)

    def curve(t: float) -> Array:
        arc = 0.060 * np.sin(np.pi * min(t / 1.25, 1.0)) * (0.6 + 0.5 * arch) - 0.045 * t**2.5
        return np.array([0.115 + (0.40 + reach) * t, 7.462 + lift + arc])

    n = int(330 * (0.75 + 0.5 * male) * rng.uniform(0.8, 1.2))
    for side in (-1, 1):
        for _ in range(n):
            t = rng.beta(1.1, 1.15)
            across = rng.normal(0, 0.42)
            half = thick * (0.55 + 0.75 * np.sin(np.pi * min(t * 0.9 + 0.22, 1.0)) ** 0.8) * (1 - 0.45 * t**2)
            p = curve(t) + [0, half * np.clip(across, -1, 1)]
            angle = np.radians(78 - 75 * t**0.7 - 25 * np.clip(across, -1, 1) * t - 14 * t) + rng.normal(0, 0.16)
            length = rng.uniform(0.035, 0.065) * (1 - 0.35 * t)
            q = p + length * np.array([np.cos(angle), np.sin(angle)])
            stroke(brow, p * [side, 1], q * [side, 1], rng.uniform(1.4, 2.9), rng.uniform(0.55, 1.0))
    soft_brow = cv2.GaussianBlur(brow, (0, 0), 7)
    brow = np.clip(0.92 * cv2.GaussianBlur(brow, (0, 0), 0.8) + 0.42 * soft_brow, 0, 0.96)

    for _ in range(int(rng.choice([0, 0, 0, 120, 320]) if person.tone <= 4 else rng.choice([0, 0, 40]))):
        c = front_coordinates(np.array([[rng.normal(0, 0.36), rng.normal(7.0, 0.16)]]))[0]
        cv2.circle(
            spots,
            np.round(c * 16).astype(int).tolist(),
            int(rng.uniform(2, 6.5) * 16),
            rng.uniform(0.08, 0.34),
            -1,
            cv2.LINE_AA,
            4,
        )
    for _ in range(int(rng.integers(0, 5))):
        c = front_coordinates(np.array([[rng.uniform(-0.6, 0.6), rng.uniform(6.35, 7.9)]]))[0]
        cv2.circle(
            spots,
            np.round(c * 16).astype(int).tolist(),
            int(rng.uniform(5, 11) * 16),
            rng.uniform(0.45, 0.8),
            -1,
            cv2.LINE_AA,
            4,
        )
    spots = cv2.GaussianBlur(spots, (0, 0), 1.6)

    old = float(np.clip((person.age - 24) / 40, 0.05, 1.1))

    def crease(points: Any, strength: float, width: float) -> None:
        for side in (-1, 1):
            wobble = rng.normal(0, 0.006, (len(points), 2))
            p = front_coordinates((np.array(points) + wobble) * [side, 1])
            t = np.linspace(0, 1, len(p))
            smooth = np.stack([np.interp(np.linspace(0, 1, 40), t, p[:, i]) for i in (0, 1)], 1)
            smooth = cv2.GaussianBlur(smooth.astype(np.float32), (1, 9), 0, sigmaY=3, borderType=cv2.BORDER_REPLICATE)
            mark = blank()
            cv2.polylines(
                mark, [np.round(smooth * 16).astype(np.int32)], False, 1.0, max(1, int(width)), cv2.LINE_AA, 4
            )
            fade = cv2.GaussianBlur(mark, (0, 0), width * 1.1)
            line[:] -= strength * fade
            line[:] += 0.55 * strength * np.roll(fade, int(width * 2.4), axis=0)

    for k in range(int(1 + 4 * old)):
        y = 7.66 + 0.075 * k + rng.normal(0, 0.01)
        crease([(0, y), (0.15, y + 0.01), (0.3, y + 0.02), (0.42, y)], 0.5 * old * rng.uniform(0.5, 1), 4)
    crease([(0.20, 6.93), (0.27, 6.85), (0.335, 6.74), (0.36, 6.64)], 0.22 + 0.62 * old, 7)
    crease([(0.18, 7.17), (0.26, 7.13), (0.34, 7.12), (0.42, 7.15)], 0.18 + 0.5 * old, 6)
    crease([(0.05, 7.42), (0.055, 7.5), (0.05, 7.58)], 0.42 * old, 5)
    for k in range(3):
        crease(
            [(0.50, 7.27 - 0.035 * k), (0.57, 7.29 - 0.065 * k), (0.63, 7.32 - 0.10 * k)], 0.55 * max(old - 0.2, 0), 4
        )
    crease([(0.335, 6.60), (0.36, 6.52), (0.35, 6.43)], 0.5 * max(old - 0.25, 0), 7)

    lip = noise_sheet(rng, (w, h), (3.0, 16.0))
    if person.beard > 0:
        count = int(5200 * (0.5 + person.beard))
        x, y = rng.uniform(-0.95, 0.95, count * 3), rng.uniform(5.95, 7.2, count * 3)
        length = 0.008 + 0.055 * max(person.beard - 0.3, 0)
        for xi, yi in zip(x, y):
            p = np.array([xi, yi])
            stroke(
                beard,
                p,
                p + length * np.array([0.5 * xi + rng.normal(0, 0.3), -1 + rng.normal(0, 0.25)]),
                rng.uniform(1.2, 2.4),
                rng.uniform(0.4, 1),
            )
        beard = np.clip(0.75 * beard + 0.5 * cv2.GaussianBlur(beard, (0, 0), 8), 0, 1)

    rw = int(2 * np.pi * ROUND_RADIUS * PER_UNIT)
    pores = (
        0.75 * noise_sheet(rng, (rw, h), (2.0, 2.0))
        + 0.75 * noise_sheet(rng, (rw, h), (4.5, 4.5))
        + 0.5 * noise_sheet(rng, (rw, h), (10, 10))
    )
    blotch = 0.7 * noise_sheet(rng, (rw, h), (26, 26)) + 0.7 * noise_sheet(rng, (rw, h), (70, 70))
    strands = (
        0.8 * noise_sheet(rng, (rw, h), (2.2, 120))
        + 0.6 * noise_sheet(rng, (rw, h), (7, 160))
        + 0.5 * noise_sheet(rng, (rw, h), (24, 200))
    )
    return Sheets(brow, spots, line, lip, beard, pores, blotch, strands)


HAIRLINES = {  # height above the forehead's middle, at the temple; recess of the corners; thickness of the hair
    "short": (8.00, 7.60, 0.10, 0.13), "crop": (7.99, 7.60, 0.12, 0.04), "swept": (8.06, 7.66, 0.14, 0.19),
    "receding": (8.14, 7.72, 0.30, 0.06), "bald": (9.0, 7.64, 0.0, 0.02), "bob": (7.98, 7.56, 0.05, 0.17),
    "long": (8.02, 7.58, 0.06, 0.15), "tied": (8.02, 7.58, 0.05, 0.07), "none": (9.0, 9.0, 0.0, 0.0),
}  # fmt: skip


def above_hairline(rest: Array, style: str, peak: float) -> Array:
    """Height, in base-mesh units, of points of the head above the hairline; negative on the face."""
    x, y, z = rest.T
    front, temple, recess, _ = HAIRLINES[style]
    if style == "bald":
        line = np.interp(z, [-0.6, 0.0, 0.45, 0.72, 0.95], [6.6, 6.75, 7.15, temple, 9.0])
        return np.asarray(np.minimum(y - line, (7.85 - y) * 1.0))
    line = np.interp(z, [-0.6, 0.0, 0.45, 0.70, 0.98, 1.30], [6.6, 6.75, 7.12, temple, front - 0.20, front])
    line = line + recess * np.exp(-0.5 * ((np.abs(x) - 0.44) / 0.13) ** 2) * soft(z, 0.6, 0.9)
    line = line - peak * np.exp(-0.5 * (x / 0.10) ** 2)
    return np.asarray(y - line)


def hair_behind(
    person: Person, view: View, outline: Array, rng: np.random.Generator, key: float
) -> tuple[Array, Array]:
    """Hair that falls behind the neck: colour (h, w, 3) in linear light and its cover (h, w).

    ``outline`` (h, w) is the head's silhouette, which the hair follows down to the ears.
    """
    h, w = outline.shape
    unit = view.scale
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    x = (xx - view.origin[0]) / unit
    y = (view.origin[1] - yy) / unit  # from the eyes, upwards
    strand = (
        0.8 * noise_sheet(rng, (w, h), (3.5, 170))
        + 0.6 * noise_sheet(rng, (w, h), (9, 220))
        + 0.5 * noise_sheet(rng, (w, h), (30, 260))
    )
    wave = 0.035 * np.sin(4.2 * y + 1.3 + np.sign(x)) * (person.hair == "long")
    end = -1.05 if person.hair == "bob" else -2.6
    down = y[:, 0]
    reach = np.where(outline, np.abs(x), 0).max(1)
    head = down > -0.15
    widest = float(reach[head].max())
    reach = np.where(reach > 0, reach + 0.03 * soft(reach, 0.1, 0.5), 0)
    low = np.interp(
        down, [end, end + 0.10, end + 0.35, -0.8, -0.15], widest + np.array([-0.10, -0.02, 0.05, 0.07, 0.03])
    )
    half = np.where(head & (down > 0.3), reach, np.where(head, np.maximum(reach, widest + 0.03), low))
    half = (
        cv2.GaussianBlur(half.astype(np.float32)[:, None], (1, 2 * int(0.12 * unit) + 1), 0, sigmaY=0.05 * unit) + wave
    )
    half = np.where(reach[:, None] + (~head[:, None]) > 0, half, -1).astype(np.float32)
    edge = np.abs(x) + 0.005 * strand
    cover = soft(edge, half, half - 0.025) * soft(y + 0.035 * strand, end - 0.02, end + 0.05)
    roll = np.clip(1 - (np.abs(x) / np.maximum(half, 0.1)) ** 2, 0, 1) ** 0.5
    colour = (
        linear(HAIR_COLOURS[person.hair_colour])
        * (np.exp(0.40 * strand) * (0.30 + 0.55 * np.abs(x) ** 2 * (0.35 + 0.65 * roll)) * key)[..., None]
    )
    return colour.astype(np.float32), cover.astype(np.float32)
