"""The cache of finished sequences: one memory-mapped ``.npy`` per clip, found by content, with a manifest.

Layout of a cache::

    <root>/<recipe hash>/<clip key>.npy     the sequence
    <root>/<recipe hash>/<clip key>.json    how it came about, and its digest; written last: without it there is no sequence
    <root>/<recipe hash>/manifest.json      the recipe and a row for each clip
    <root>/digests/<stamp>                  the digest of files that have not changed since

The recipe hash covers every field and the versions of what makes the pixels; the clip key covers the bytes of the
frames and the annotations that were used. So a changed recipe, library, frame or annotation never meets an old
sequence, and equal work is found wherever the data set is moved. Every file is moved into place whole, so a kill at
any moment and two processes that fill one cache at once both leave it sound. What a disk or a stranger has changed since
is found by its digest when the sequence is looked up, and made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from fleeting.clips import Clip, FlowImage, clips_table
from fleeting.errors import ClipReadError, FleetingError, NoFaceError, UsageError
from fleeting.files import write_atomic, write_text
from fleeting.parallel import Progress, map_jobs
from fleeting.records import CachedSequence, CacheManifest, RecordError, read_regular
from fleeting.records.base import explain_invalid
from fleeting.sequences.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from fleeting.clips import FrameSource

CACHE_VARIABLE = "FLEETING_CACHE"


def default_cache() -> Path:
    """Name the folder of the cache: ``$FLEETING_CACHE``, else ``fleeting/sequences`` in the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
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
        The recipe that makes them.
    root : str or os.PathLike or None, optional
        Folder of the cache; see :func:`default_cache`.

    Attributes
    ----------
    folder : pathlib.Path
        Folder of this recipe's sequences, below ``root``.
    remade : list of str
        Sentences on sequences that were found damaged, and made again.
    """

    def __init__(self, recipe: Recipe, root: str | os.PathLike[str] | None = None) -> None:
        self.recipe = recipe
        self.folder = Path(root or default_cache()) / recipe.content_hash()
        self.remade: list[str] = []

    def key(self, clip: Clip) -> str:
        """Compute the key of a clip: 32 hex digits over the frames' bytes and the annotations that shape a sequence."""
        facts = [self._digest(clip.frames), clip.onset, clip.apex, clip.offset, clip.fps]
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()

    def _digest(self, frames: FrameSource) -> str:
        """The frames' digest. Files are read once for all recipes, as long as their sizes and times stay."""
        stamp: str | None = getattr(frames, "stamp", lambda: None)()
        if stamp is None:
            return frames.digest()
        path = self.folder.parent / "digests" / stamp
        try:
            kept = read_regular(path, most=1000).decode("ascii")
        except (RecordError, UnicodeDecodeError):
            kept = ""
        if len(kept) > 32 and kept == _checked(kept[:32], stamp):
            return kept[:32]
        digest = frames.digest()
        write_text(path, _checked(digest, stamp))
        return digest

    def path(self, key: str) -> Path:
        """Name the file of the sequence with this key."""
        return self.folder / f"{key}.npy"

    def info(self, key: str) -> dict[str, Any] | None:
        """Give what is known of a sequence, or ``None`` if it is absent or damaged (it is then made again)."""
        entry, _ = self._find(key)
        return None if entry is None else entry.facts()

    def _find(self, key: str) -> tuple[CachedSequence | None, str]:
        """The entry with this key, if it and its sequence are whole; else the damage, or nothing if there is none."""
        entry, damage = self._entry(key)
        if entry is None:
            return None, damage
        if entry.digest is None:
            # Of an earlier version, which kept no digest: made again without a word.
            return None, ""
        found = "" if entry.status == "skipped" else _file_digest(self.path(key))
        if entry.is_whole(found):
            return entry, ""
        if entry.status == "ok" and not os.path.lexists(self.path(key)):
            return None, ""
        return None, f"{self.path(key)} is not what was written"

    def _entry(self, key: str) -> tuple[CachedSequence | None, str]:
        """What is said of a sequence, whose content is not looked at; else the damage, or nothing if there is none."""
        path = self.folder / f"{key}.json"
        try:
            return CachedSequence.read(path), ""
        except RecordError as exc:
            return None, f"{path.name} {exc.found}" if os.path.lexists(path) else ""

    def load(self, key: str) -> NDArray[Any]:
        """Map a sequence into memory, read-only: ``recipe.dtype``, shape ``recipe.stored_shape``.

        Raises
        ------
        FleetingError
            If the file is gone, damaged, or holds something else.
        """
        path = self.path(key)
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise ValueError("it is no file")
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except Exception as exc:  # numpy and its parser raise many kinds for a damaged file
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
        """Make the sequence of one clip unless it is there and whole.

        A clip that cannot become a sequence (no face, unreadable) is not an error.

        Parameters
        ----------
        clip : Clip
            The clip.

        Returns
        -------
        tuple of (str, dict of str to object)
            The key, and what is known of the sequence: ``status`` is ``"ok"``, or ``"skipped"`` with a ``reason``.

        Raises
        ------
        UsageError
            If the recipe makes something else than its fields promise.
        FleetingError
            If a file cannot be written.
        """
        if isinstance(clip.frames, FlowImage) and not self.recipe.takes_flow_images:
            reason = f"it is precomputed flow, and the recipe {self.recipe.name} needs frames; use the recipe flow"
            return "", {"status": "skipped", "reason": reason}
        try:
            key = self.key(clip)
        except (ClipReadError, OSError) as exc:
            return "", {"status": "skipped", "reason": str(exc)}
        entry, damage = self._find(key)
        if entry is not None:
            return key, entry.facts()
        if damage:
            self.remade.append(f"{clip.key}: {damage}")
        return key, self._build(clip, key)

    def _build(self, clip: Clip, key: str) -> dict[str, Any]:
        recipe = self.recipe
        skipped = {"status": "skipped", "clip": clip.key}
        try:
            built = recipe.build(clip)
        except NoFaceError as exc:
            # Worth remembering: the search looked at every frame, and the same bytes will show no face again.
            return self._keep(key, {"status": "skipped", "reason": str(exc), "clip": clip.key}, "")
        except ClipReadError as exc:
            return {**skipped, "reason": str(exc)}
        if built.frames.shape != recipe.stored_shape or built.frames.dtype != recipe.dtype:
            raise UsageError(
                f"recipe {recipe.name} made {built.frames.dtype} {built.frames.shape}, its fields promise "
                f"{recipe.dtype} {recipe.stored_shape}"
            )
        if recipe.dtype == "float32" and not np.isfinite(built.frames).all():
            return {**skipped, "reason": f"recipe {recipe.name} made NaN or infinite values of it"}
        path = write_atomic(self.path(key), lambda file: np.save(file, built.frames, allow_pickle=False))
        # A recipe from outside may have nothing to say.
        facts = {"apex": clip.apex, "apex_source": "" if clip.apex is None else "annotated", "notes": []} | built.info
        facts = {"status": "ok", "clip": clip.key, "bytes": path.stat().st_size, **facts}
        return self._keep(key, facts, _file_digest(path))

    def _keep(self, key: str, facts: dict[str, Any], digest: str) -> dict[str, Any]:
        try:
            entry = CachedSequence(**facts)
        except ValidationError as exc:
            raise UsageError(f"recipe {self.recipe.name}: its info is wrong: {explain_invalid(exc)}") from exc
        entry.seal(digest).write(self.folder / f"{key}.json")
        return entry.facts()

    def write_manifest(self) -> Path:
        """Write ``manifest.json``: the recipe and a row for each clip in the cache.

        Raises
        ------
        FleetingError
            If the file cannot be written.
        """
        rows = {}
        for path in sorted(self.folder.glob("*.json")):
            entry = None if path.stem == "manifest" else self._entry(path.stem)[0]
            # The sequences of this run have been checked; to read those of all others would take long.
            if entry is not None and (entry.status == "skipped" or _size(self.path(path.stem)) == entry.bytes):
                rows[path.stem] = entry
        manifest = CacheManifest(recipe=self.recipe.model_dump(mode="json"), clips=rows)
        return manifest.write(self.folder / "manifest.json")


def _checked(digest: str, stamp: str) -> str:
    """A digest with a check of its own: a torn or foreign file is no digest."""
    return f"{digest} {hashlib.blake2b(f'{digest} {stamp}'.encode(), digest_size=8).hexdigest()}"


def _file_digest(path: Path) -> str:
    """Digest of a file's content; nothing if there is no such file, or it cannot be read."""
    try:
        # A pipe would block at the opening already.
        if not stat.S_ISREG(path.stat().st_mode):
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return ""


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


@dataclass
class SequenceSet:
    """The sequences of some clips, in the order of the clips.

    Attributes
    ----------
    cache : SequenceCache
        The cache that holds them.
    clips : list of Clip
        The clips that have a sequence.
    keys : list of str
        Keys of the sequences, one for each of ``clips``.
    infos : list of dict of str to object
        Facts about the sequences, one for each of ``clips``.
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
        """List the ``.npy`` files, in order; a worker process maps them instead of copying pixels."""
        return [self.cache.path(key) for key in self.keys]

    def array(self, indexes: Sequence[int] | None = None) -> NDArray[Any]:
        """Stack the sequences in memory: ``(N, T, H, W, C)`` of the recipe's ``dtype``."""
        chosen = range(len(self)) if indexes is None else indexes
        out = np.empty((len(chosen), *self.recipe.stored_shape), self.recipe.dtype)
        for row, index in enumerate(chosen):
            out[row] = self[int(index)]
        return out

    def labels(self) -> NDArray[Any]:
        """Give the clips' emotions as an array of strings."""
        return np.array([clip.emotion or "" for clip in self.clips], dtype=str)

    def table(self) -> pd.DataFrame:
        """Give the clips table with the apex that was used and where it came from (``apex_source``)."""
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


def _make(clip: Clip) -> tuple[str, dict[str, Any], list[str]]:
    assert _worker_cache is not None
    _worker_cache.remade.clear()
    key, info = _worker_cache.make(clip)
    return key, info, list(_worker_cache.remade)


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
    clips : sequence of Clip
        Any number of clips.
    recipe : Recipe
        Recipe for each clip.
    root : str or os.PathLike or None, optional
        Folder of the cache; see :func:`default_cache`.
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
    done: dict[int, tuple[str, dict[str, Any], list[str]]] = {}
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
        key, info, remade = done[position]
        cache.remade += remade
        if info["status"] == "ok":
            found.clips.append(clip)
            found.keys.append(key)
            found.infos.append(info)
        else:
            found.skipped.append(Skipped(clip, str(info["reason"])))
    if clips:
        cache.write_manifest()
    if cache.remade:
        count = f"{len(cache.remade)} damaged sequence{'s were' if len(cache.remade) > 1 else ' was'}"
        shown = "; ".join(cache.remade[:3]) + ("; ..." if len(cache.remade) > 3 else "")
        warnings.warn(f"{count} found in the cache and made again ({shown})", stacklevel=2)
    return found
