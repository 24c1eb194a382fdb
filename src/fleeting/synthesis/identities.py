"""Whose face moves: the heads that ship with the package, their variants, and a user's own portraits."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.clips import IMAGE_SUFFIXES
from fleeting.errors import FleetingError, FrameReadError, NoFaceError, UsageError, unknown_choice
from fleeting.registry import matching

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FRAME_SIZE", "Identity", "list_identities", "load_identity", "portraits"]

#: Width and height of the frame that sources are laid out for, in pixels.
FRAME_SIZE = (280, 340)
PAD = 24  # margin round the frame, in frame pixels
SCALE = 2  # source pixels for one frame pixel
EYE_DISTANCE = 0.29  # share of the frame's width
EYE_LINE = 0.435  # share of the frame's height

# Where landmark i goes when the picture is mirrored.
MIRROR = np.array(
    [
        *range(16, -1, -1),
        *range(26, 16, -1),
        *(27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
    ]
)


@dataclass(frozen=True, eq=False)
class Identity:
    """A still, neutral face, ready to be moved.

    Parameters
    ----------
    name : str
        Name of the identity.
    source : numpy.ndarray of uint8
        ``uint8`` RGB of shape ``(776, 656, 3)``: a 280 x 340 frame with a margin of 24 pixels, at twice the resolution,
        eyes level and in a fixed place.
    landmarks : numpy.ndarray of float64
        ``(68, 2)`` in pixels of the frame (pixel centres at integers, the margin not counted).
    attributes : mapping, optional
        Facts about it: age, tone, light, hair, ... of a shipped head, the file of a portrait.
    """

    name: str
    source: NDArray[np.uint8]
    landmarks: NDArray[np.float64]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        width, height = ((n + 2 * PAD) * SCALE for n in FRAME_SIZE)
        if self.source.shape != (height, width, 3) or self.source.dtype != np.uint8:
            raise UsageError(
                f"identity {self.name}: the source is uint8 of shape ({height}, {width}, 3), found "
                f"{self.source.dtype} of shape {self.source.shape}"
            )
        if self.landmarks.shape != (68, 2):
            raise UsageError(f"identity {self.name}: expected 68 landmarks (68, 2), found {self.landmarks.shape}")

    def __repr__(self) -> str:
        return f"Identity({self.name!r})"

    def digest(self) -> str:
        """A hash of the picture and its landmarks."""
        state = hashlib.blake2b(np.ascontiguousarray(self.source).tobytes(), digest_size=16)
        state.update(np.ascontiguousarray(np.round(self.landmarks, 3)).tobytes())
        return state.hexdigest()

    def portrait(self) -> NDArray[np.uint8]:
        """The neutral face as a frame of 280 x 340 pixels."""
        import cv2

        p = PAD * SCALE
        return np.asarray(cv2.resize(self.source[p:-p, p:-p], FRAME_SIZE, interpolation=cv2.INTER_AREA), np.uint8)

    @classmethod
    def from_portrait(cls, path: str | os.PathLike[str], name: str | None = None) -> Identity:
        """A person's own portrait: upright, frontal, neutral, at least 200 pixels between the ears for good texture.

        The largest face is found, the eyes are levelled and brought to their place, and the picture is cut. What lies
        outside the photograph repeats its border.

        Parameters
        ----------
        path : str or os.PathLike
            An image file that OpenCV reads (jpg, png, bmp, ...).
        name : str or None, optional
            Name of the identity; by default the file's stem.

        Raises
        ------
        FrameReadError
            If the file is missing or not an image.
        NoFaceError
            If no face is found.
        """
        import cv2

        path = Path(path)
        data = np.frombuffer(path.read_bytes(), np.uint8) if path.is_file() else np.empty(0, np.uint8)
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if decoded is None:
            found = "no such file" if not path.exists() else "cannot be decoded as an image"
            raise FrameReadError(f"{path}: {found}; expected a portrait as jpg, png or bmp", path)
        image = np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
        points = _find_face(image)
        if points is None:
            raise NoFaceError(
                f"{path}: no face found; expected an upright, frontal portrait with the whole face in the picture"
            )
        left, right = points[36:42].mean(0), points[42:48].mean(0)
        across, centre = right - left, (left + right) / 2
        unit = float(np.hypot(*across)) / (EYE_DISTANCE * FRAME_SIZE[0])  # portrait pixels for one frame pixel
        cos, sin = across / np.hypot(*across) * unit
        turn = np.array([[cos, -sin], [sin, cos]])  # frame -> portrait
        shift = centre - turn @ [FRAME_SIZE[0] / 2 - 0.5, EYE_LINE * FRAME_SIZE[1] - 0.5]
        if unit > SCALE / 2:  # several portrait pixels fall on one of ours: average them
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.45 * unit / SCALE * 2), np.uint8)
        # Source index i shows frame coordinate (i + 0.5) / SCALE - 0.5 - PAD.
        first = 0.5 / SCALE - 0.5 - PAD
        matrix = np.hstack([turn / SCALE, (shift + turn @ [first, first])[:, None]])
        size = ((FRAME_SIZE[0] + 2 * PAD) * SCALE, (FRAME_SIZE[1] + 2 * PAD) * SCALE)
        source = cv2.warpAffine(
            image, matrix, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
        marks = (points - shift) @ np.linalg.inv(turn).T
        return cls(name or path.stem, np.asarray(source, np.uint8), marks, {"portrait": path.name})

    def variant(self) -> Identity:
        """A further person from the same picture: mirrored, narrower or wider, in another tone and light.

        It is not independent of the original in the way a second person is; :func:`~fleeting.synthesis.write_dataset`
        uses variants only for subjects beyond the number of shipped heads.
        """
        import cv2

        height, width = self.source.shape[:2]
        rng = np.random.default_rng(np.random.SeedSequence(list(self.name.encode())))
        wide = 1 + rng.choice([-1, 1]) * rng.uniform(0.045, 0.075)
        middle = (width - 1) / 2
        matrix = np.array([[-wide, 0, middle * (1 + wide)], [0, 1.0, 0]])
        image = cv2.warpAffine(
            self.source, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        light = image.astype(np.float32) / 255
        bright = float(light[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3].mean())
        gamma = rng.uniform(1.22, 1.4) if bright > 0.45 else rng.uniform(0.7, 0.82)
        tint = 1 + rng.uniform(-0.05, 0.05, 3)
        slope = 1 + rng.uniform(-0.22, 0.22) * (np.arange(width, dtype=np.float32) / width - 0.5)
        light = np.clip(light**gamma * tint * slope[None, :, None], 0, 1)
        marks = self.landmarks[MIRROR].copy()
        centre = (FRAME_SIZE[0] - 1) / 2
        marks[:, 0] = centre - wide * (marks[:, 0] - centre)
        attributes = {**self.attributes, "variant_of": self.name}
        return Identity(f"{self.name}m", np.asarray(light * 255 + 0.5, np.uint8), marks, attributes)


def _find_face(image: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    import cv2

    from fleeting.faces import detect_landmarks

    # The detector needs a face of 80 pixels or more and is slow on large pictures: small first, then larger.
    for longest in (700, 1400):
        k = min(1.0, longest / max(image.shape[:2]))
        size = (max(1, round(image.shape[1] * k)), max(1, round(image.shape[0] * k)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if k < 1 else image
        points = detect_landmarks(np.ascontiguousarray(small))
        if points is not None:
            factor = np.array([image.shape[1] / size[0], image.shape[0] / size[1]])
            return np.asarray((np.asarray(points) + 0.5) * factor - 0.5)
        if k == 1:
            break
    return None


def asset(name: str) -> bytes:
    """The bytes of a shipped file."""
    try:
        return (files("fleeting.synthesis") / "assets" / name).read_bytes()
    except OSError as exc:
        raise FleetingError(
            f"the package's own file synthesis/assets/{name} is missing; reinstall Fleeting, or run "
            "scripts/build_synthetic_assets.py"
        ) from exc


@cache
def _index() -> dict[str, dict[str, Any]]:
    rows = json.loads(asset("index.json"))["heads"]
    return {row["id"]: row for row in rows}


def list_identities(pattern: str = "*", *, variants: bool = False) -> list[str]:
    """List the names of the heads that ship with the package and match a wildcard.

    Parameters
    ----------
    pattern : str, optional
        The wildcard.
    variants : bool, optional
        Whether their mirrored variants follow.
    """
    names = list(_index())
    return matching(names + [f"{n}m" for n in names] if variants else names, [pattern])


@cache
def load_identity(name: str) -> Identity:
    """A shipped head by name (see :func:`list_identities`); ``"07m"`` is the variant of ``"07"``.

    Raises
    ------
    UsageError
        If there is no such head; the message lists them.
    """
    import cv2

    if name not in _index():
        if name.endswith("m") and name[:-1] in _index():
            return load_identity(name[:-1]).variant()
        raise unknown_choice("identity", name, list_identities())
    row = dict(_index()[name])
    marks = np.array(row.pop("landmarks"), dtype=np.float64)
    decoded = cv2.imdecode(np.frombuffer(asset(row["file"]), np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise FleetingError(f"the package's own file synthesis/assets/{row['file']} is damaged; reinstall Fleeting")
    return Identity(name, np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8), marks, row)


def portraits(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Identity]:
    """Identities from a folder of portraits, or from a list of files; sorted by name.

    Raises
    ------
    UsageError
        If there is no image, or two files share a stem.
    FrameReadError, NoFaceError
        If a file is not an image or shows no face.
    """
    if isinstance(paths, (str, os.PathLike)):
        folder = Path(paths)
        if folder.is_file():
            chosen: Sequence[Path] = [folder]
        elif folder.is_dir():
            chosen = sorted(
                p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")
            )
        else:
            raise UsageError(f"{folder}: no such folder; expected a folder of portraits (jpg, png or bmp)")
    else:
        chosen = sorted(Path(p) for p in paths)
    if not chosen:
        raise UsageError(f"{paths}: no portraits in it; expected jpg, png or bmp files, one person each")
    stems = [p.stem for p in chosen]
    twice = sorted({s for s in stems if stems.count(s) > 1})
    if twice:
        raise UsageError(f"portraits need names of their own; these stems occur twice: {', '.join(twice)}")
    return [Identity.from_portrait(p) for p in chosen]
