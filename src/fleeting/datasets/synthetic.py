"""The embedded data set: clips with exact ground truth, as ``fleeting synth`` writes them.

Format
    The plain layout of :func:`fleeting.synthesis.write_dataset`: a :class:`~fleeting.datasets.Folder` with
    ``synthetic.json`` (parameters) and ``truth/*.npz`` beside the clips.
Classes
    By default happiness, disgust and surprise; up to eight emotions as FACS action-unit combinations.
Caution
    The people do not exist and their expressions were computed. A score on this set tests a method and its code;
    it says nothing about real people.
Licence
    CC0: use the clips as you like.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.clips import Clip
from fleeting.clips.frames import is_file, is_folder
from fleeting.datasets.folder import Folder
from fleeting.datasets.problems import SYNTHETIC, Problem
from fleeting.datasets.registry import register_dataset
from fleeting.errors import FleetingError, UsageError
from fleeting.records import RecordError, SyntheticHead, read_regular

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Synthetic", "Truth"]


@dataclass(frozen=True, eq=False)
class Truth:
    """The exact truth of a synthetic clip.

    Attributes
    ----------
    landmarks : numpy.ndarray of float32
        ``float32 (T, 68, 2)``, exact positions in frame pixels, head motion and blink included.
    profile : numpy.ndarray of float64
        ``float64 (T,)``, intensity of the expression, 1 at the apex only.
    field : numpy.ndarray
        ``float16 (H, W, 2)``, x then y: displacement at the apex of what each pixel shows while the face is neutral, in
        pixels, head motion left out; at frame ``t`` it is ``profile[t] * field``.
    head : numpy.ndarray of float64
        ``float64 (T, 4)``: shift x, shift y (pixels), rotation (radians), growth, about ``centre``.
    centre : numpy.ndarray of float64
        ``(2,)``.
    onset, apex, offset, blink : int or None
        0-based frames or ``None``.
    fps, amplitude : float
        Frames per second; pixels of a 128-pixel face.
    amplitude_pixels : float
        The amplitude in pixels of the frames.
    emotion, action_units, identity : str
        The same as in the annotations.
    """

    landmarks: NDArray[np.float32]
    profile: NDArray[np.float64]
    field: NDArray[np.float16]
    head: NDArray[np.float64]
    centre: NDArray[np.float64]
    onset: int | None
    apex: int | None
    offset: int | None
    blink: int | None
    fps: float
    amplitude: float
    amplitude_pixels: float
    emotion: str
    action_units: str
    identity: str

    @classmethod
    def load(cls, path: str | Path) -> Truth:
        """Read a ``truth/*.npz``.

        Raises
        ------
        FleetingError
            If the file is missing or damaged.
        """
        values: dict[str, Any] = {}
        try:
            with np.load(BytesIO(read_regular(path)), allow_pickle=False) as z:
                for name in ("landmarks", "profile", "field", "head", "centre"):
                    values[name] = z[name]
                for name in ("onset", "apex", "offset", "blink"):
                    values[name] = None if int(z[name]) < 0 else int(z[name])
                for name in ("fps", "amplitude", "amplitude_pixels"):
                    values[name] = float(z[name])
                for name in ("emotion", "action_units", "identity"):
                    values[name] = str(z[name])
        except Exception as exc:  # numpy and zipfile raise many kinds for a damaged file
            reason = exc.found if isinstance(exc, RecordError) else exc
            raise FleetingError(
                f"{path}: the clip's ground truth cannot be read ({reason}); run the same `fleeting synth` again to make it "
                "anew"
            ) from exc
        return cls(**values)


@register_dataset("synthetic")
class Synthetic(Folder):
    """A synthetic set in the plain layout.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder that ``fleeting synth`` wrote.

    Raises
    ------
    UsageError
        If there is no such folder, it holds something else, or a set in another layout.
    """

    name = "synthetic"

    def __init__(self, root: str | Path) -> None:
        root = Path(root)
        if not is_folder(root) and not is_file(root):
            raise UsageError(f"{root}: no such folder; make a synthetic set there with: fleeting synth {root}")
        path = root / SYNTHETIC
        if not is_file(path):
            raise UsageError(
                f"{root}: no {SYNTHETIC} in it, so it is no synthetic set; make one with: fleeting synth {root}, "
                f"or read a folder of your own with folder:{root}"
            )
        try:
            self.manifest = SyntheticHead.read(path)
        except RecordError as exc:
            raise UsageError(f"{path} is damaged ({exc.found}); delete {root} and run `fleeting synth` again") from exc
        layout = self.manifest.layout
        if layout != "plain":
            raise UsageError(f"{root} holds a synthetic set in the layout of {layout}; read it with {layout}:{root}")
        if not is_file(root / "clips.csv"):
            raise UsageError(
                f"{root}: an unfinished synthetic set (no clips.csv); run the same `fleeting synth` again to "
                f"complete it"
            )
        super().__init__(root)

    def read_clips(self) -> tuple[list[Clip], list[Problem]]:
        """Read the annotations: all usable clips, and what is wrong on disk."""
        clips, problems = super().read_clips()
        if not self.manifest.complete:
            reason = "the set is unfinished; run the same `fleeting synth` again to complete it"
            problems.insert(0, Problem(self.name, "", "", reason, skipped=False))
        return clips, problems

    def truth(self, clip: Clip) -> Truth:
        """Read the exact ground truth of one of its clips.

        Raises
        ------
        FleetingError
            If the file is missing or damaged.
        """
        return Truth.load(self.root / "truth" / f"{clip.subject}_{clip.name}.npz")
