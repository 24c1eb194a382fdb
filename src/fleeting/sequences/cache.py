"""The cache of finished sequences: one memory-mapped ``.npy`` a clip, found by content, with a manifest.

Layout of a cache::

    <root>/<recipe hash>/<clip key>.npy     the sequence
    <root>/<recipe hash>/<clip key>.json    how it came about; written last: without it there is no sequence
    <root>/<recipe hash>/manifest.json      the recipe and a row for each clip
    <root>/digests/<stamp>                  the digest of files that have not changed since

The recipe hash covers every field and the versions of what makes the pixels; the clip key covers the bytes of the
frames and the annotations that were used. So a changed recipe, library, frame or annotation never meets an old
sequence, and equal work is found wherever the data set is moved. Every file is moved into place whole, so a kill at
any moment and two processes that fill one cache at once both leave it sound.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.clips import Clip, FlowImage, clips_table
from fleeting.errors import ClipReadError, FleetingError, NoFaceError, UsageError
from fleeting.files import write_atomic, write_json, write_text
from fleeting.parallel import Progress, map_jobs
from fleeting.sequences.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from fleeting.clips import FrameSource

STORE_VARIABLE = "FLEETING_CACHE"


def default_cache() -> Path:
    """``$FLEETING_CACHE``, else ``fleeting/sequences`` in the user's cache folder."""
    named = os.environ.get(STORE_VARIABLE)
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return Path(base) / "fleeting" / "sequences"


@dataclass(frozen=True)
class Skipped:
    """A clip that has no sequence, and why."""

    clip: Clip
    reason: str


class SequenceCache:
    """Sequences of one recipe under a root folder.

    Parameters
    ----------
    recipe : Recipe
        How they are made.
    root : str or os.PathLike or None, optional
        The cache; see :func:`default_cache`.
    """

    def __init__(self, recipe: Recipe, root: str | os.PathLike[str] | None = None) -> None:
        self.recipe = recipe
        self.folder = Path(root or default_cache()) / recipe.content_hash()

    def key(self, clip: Clip) -> str:
        """32 hex digits over the frames' bytes and the annotations that shape a sequence."""
        facts = [self._digest(clip.frames), clip.onset, clip.apex, clip.offset, clip.fps]
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()

    def _digest(self, frames: FrameSource) -> str:
        """The frames' digest. Files are read once for all recipes, as long as their sizes and times stay."""
        stamp: str | None = getattr(frames, "stamp", lambda: None)()
        if stamp is None:
            return frames.digest()
        path = self.folder.parent / "digests" / stamp
        try:
            kept = path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            kept = ""
        if len(kept) == 32:
            return kept
        digest = frames.digest()
        write_text(path, digest)
        return digest

    def path(self, key: str) -> Path:
        """Where the sequence with this key is kept."""
        return self.folder / f"{key}.npy"

    def info(self, key: str) -> dict[str, Any] | None:
        """What is known of the sequence, or ``None`` if it is absent or damaged (it is then made again)."""
        try:
            info = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
            if info["status"] == "ok" and self.path(key).stat().st_size != info["bytes"]:
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return dict(info)

    def load(self, key: str) -> NDArray[Any]:
        """The sequence as a read-only memory map of ``recipe.dtype`` and ``recipe.stored_shape``.

        Raises
        ------
        FleetingError
            If the file is gone, damaged, or holds something else.
        """
        path = self.path(key)
        try:
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as exc:
            raise FleetingError(
                f"{path}: a damaged sequence ({exc}); delete the file and run the same command again"
            ) from exc
        if array.dtype != self.recipe.dtype or array.shape != self.recipe.stored_shape:
            raise FleetingError(
                f"{path}: found {array.dtype} {array.shape}, expected {self.recipe.dtype} {self.recipe.stored_shape}; "
                "delete the file and run the same command again"
            )
        return array

    def make(self, clip: Clip) -> tuple[str, dict[str, Any]]:
        """Make the sequence of one clip unless it is there; returns its key and what is known of it.

        A clip that cannot become a sequence (no face, unreadable) gives an ``info`` with ``status`` ``"skipped"``
        and a ``reason``; it is not an error.
        """
        if isinstance(clip.frames, FlowImage) and not self.recipe.takes_flow_images:
            reason = f"it is precomputed flow, and the recipe {self.recipe.name} needs frames; use the recipe flow"
            return "", {"status": "skipped", "reason": reason}
        try:
            key = self.key(clip)
        except (ClipReadError, OSError) as exc:
            return "", {"status": "skipped", "reason": str(exc)}
        info = self.info(key)
        if info is not None:
            return key, info
        try:
            built = self.recipe.build(clip)
        except NoFaceError as exc:
            # Worth remembering: the search looked at every frame, and the same bytes will show no face again.
            info = {"status": "skipped", "reason": str(exc), "clip": clip.key}
            write_json(self.folder / f"{key}.json", info)
            return key, info
        except ClipReadError as exc:
            return key, {"status": "skipped", "reason": str(exc), "clip": clip.key}
        recipe = self.recipe
        if built.frames.shape != recipe.stored_shape or built.frames.dtype != recipe.dtype:
            raise UsageError(
                f"recipe {recipe.name} made {built.frames.dtype} {built.frames.shape}, its fields promise "
                f"{recipe.dtype} {recipe.stored_shape}"
            )
        if recipe.dtype == "float32" and not np.isfinite(built.frames).all():
            reason = f"recipe {recipe.name} made NaN or infinite values of it"
            return key, {"status": "skipped", "reason": reason, "clip": clip.key}
        path = write_atomic(self.path(key), lambda file: np.save(file, built.frames, allow_pickle=False))
        # A recipe from outside may have nothing to say.
        facts = {"apex": clip.apex, "apex_source": "" if clip.apex is None else "annotated", "notes": []} | built.info
        info = {"status": "ok", "clip": clip.key, "bytes": path.stat().st_size, **facts}
        write_json(self.folder / f"{key}.json", info)
        return key, info

    def write_manifest(self) -> Path:
        """Write ``manifest.json``: the recipe and a row for each clip in the cache."""
        rows = {}
        for path in sorted(self.folder.glob("*.json")):
            if path.stem != "manifest" and (info := self.info(path.stem)) is not None:
                rows[path.stem] = info
        content = {"recipe": self.recipe.model_dump(mode="json"), "clips": rows}
        return write_json(self.folder / "manifest.json", content)


@dataclass
class SequenceSet:
    """The sequences of some clips, in the order of the clips.

    Attributes
    ----------
    cache : SequenceCache
        Where they are kept.
    clips : list of Clip
        The clips that have a sequence.
    keys, infos : list of str and list of dict of str to object
        One for each of ``clips``.
    skipped : list of Skipped
        The clips that have none, and why.
    """

    cache: SequenceCache
    clips: list[Clip] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    infos: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def recipe(self) -> Recipe:
        """The recipe that made them."""
        return self.cache.recipe

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> NDArray[Any]:
        return self.cache.load(self.keys[index])

    def paths(self) -> list[Path]:
        """The ``.npy`` files, in order; a worker process maps them instead of copying pixels."""
        return [self.cache.path(key) for key in self.keys]

    def array(self, indexes: Sequence[int] | None = None) -> NDArray[Any]:
        """The sequences stacked in memory: ``(N, T, H, W, C)`` of the recipe's ``dtype``."""
        chosen = range(len(self)) if indexes is None else indexes
        out = np.empty((len(chosen), *self.recipe.stored_shape), self.recipe.dtype)
        for row, index in enumerate(chosen):
            out[row] = self[int(index)]
        return out

    def labels(self) -> NDArray[Any]:
        """The clips' emotions as an array of strings."""
        return np.array([clip.emotion or "" for clip in self.clips], dtype=str)

    def table(self) -> pd.DataFrame:
        """The clips table with the apex that was used and where it came from (``apex_source``)."""
        import pandas as pd

        table = clips_table(self.clips)
        table["apex"] = pd.array([info.get("apex") for info in self.infos], dtype="Int64")
        table["apex_source"] = [info.get("apex_source", "") for info in self.infos]
        table["notes"] = ["; ".join(info.get("notes", [])) for info in self.infos]
        return table


_worker_cache: SequenceCache | None = None


def _start_worker(recipe: Recipe, root: str) -> None:
    global _worker_cache
    import cv2

    cv2.setNumThreads(1)
    _worker_cache = SequenceCache(recipe, root)


def _make(clip: Clip) -> tuple[str, dict[str, Any]]:
    assert _worker_cache is not None
    return _worker_cache.make(clip)


def prepare(
    clips: Sequence[Clip],
    recipe: Recipe,
    *,
    root: str | os.PathLike[str] | None = None,
    jobs: int | None = 1,
    progress: Progress | None = None,
) -> SequenceSet:
    """Make, or find, the sequences of all clips.

    Parameters
    ----------
    clips : sequence
        Any number of clips.
    recipe : Recipe
        How a clip becomes a sequence.
    root : str or os.PathLike or None, optional
        The cache's folder; see :func:`default_cache`.
    jobs : int or None, optional
        Processes; 0 or ``None`` for one per core.
    progress : Progress or None, optional
        Called with the number of clips done and of all.

    Returns
    -------
    SequenceSet
        Clips without a face, or that cannot be read, are in its ``skipped``.
    """
    cache = SequenceCache(recipe, root)
    done: dict[int, tuple[str, dict[str, Any]]] = {}
    for position, result in map_jobs(
        _make,
        clips,
        jobs=jobs,
        progress=progress,
        initializer=_start_worker,
        initargs=(recipe, str(cache.folder.parent)),
    ):
        done[position] = result
    found = SequenceSet(cache)
    for position, clip in enumerate(clips):
        key, info = done[position]
        if info["status"] == "ok":
            found.clips.append(clip)
            found.keys.append(key)
            found.infos.append(info)
        else:
            found.skipped.append(Skipped(clip, str(info["reason"])))
    if clips:
        cache.write_manifest()
    return found
