"""A folder as the user named it: the folders and spreadsheets in it, and the data set that it seems to hold."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fleeting.clips import IMAGE_SUFFIXES
from fleeting.clips.frames import is_file, is_folder
from fleeting.datasets.problems import SYNTHETIC
from fleeting.datasets.sheets import is_table
from fleeting.errors import UsageError
from fleeting.records import RecordError, SyntheticHead

__all__ = ["Place", "Tree", "explore", "list_folder", "recognise"]

DEPTH = 8
MOST_FOLDERS = 30_000
PARENTS = 3
_PASSED_OVER = ("__MACOSX", "$RECYCLE.BIN", "System Volume Information")


@dataclass(frozen=True)
class Place:
    """A folder that was seen.

    Attributes
    ----------
    path : pathlib.Path
        The folder.
    above : tuple of str
        Names of the folders above it, nearest first, up to a few levels above the root that was given.
    n_images : int
        Images directly in it.
    cropped : bool
        If True, their names begin with ``reg_``, as those of the cropped releases do.
    """

    path: Path
    above: tuple[str, ...]
    n_images: int
    cropped: bool

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name


@dataclass(frozen=True)
class Tree:
    """Folders and spreadsheets below a root, and the spreadsheets in the folders just above it.

    Attributes
    ----------
    root : pathlib.Path
        The folder that was given.
    places : tuple of Place
        The folders below it, and itself.
    tables, tables_above : tuple of pathlib.Path
        Spreadsheets below it, and in the folders just above it.
    unreadable : tuple of str
        Folders that may not be listed, and why.
    cut : bool
        If True, there are more folders than were looked into.
    """

    root: Path
    places: tuple[Place, ...]
    tables: tuple[Path, ...]
    tables_above: tuple[Path, ...] = ()
    unreadable: tuple[str, ...] = ()
    cut: bool = False


def explore(root: Path) -> Tree:
    """Look through a folder, eight levels deep; hidden folders and what archivers leave behind are passed over.

    Raises
    ------
    UsageError
        If there is no such folder.
    """
    if not is_folder(root):
        list_folder(root, "the folder that the data set was unpacked to")
    start = Path(os.path.abspath(root))  # noqa: PTH100 - a link keeps the name that the user knows
    outer: tuple[str, ...] = tuple(parent.name for parent in start.parents[:PARENTS] if parent.name)
    places: list[Place] = []
    tables: list[Path] = []
    unreadable: list[str] = []
    seen: set[tuple[int, int]] = set()
    waiting = [(start, outer, 0)]
    while waiting and len(places) < MOST_FOLDERS:
        path, names_above, depth = waiting.pop()
        try:
            status = path.stat()
            # A link that leads back up must not be followed for ever.
            if (status.st_dev, status.st_ino) in seen and status.st_ino:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                names = sorted((entry.name, _is_folder(entry)) for entry in entries)
        except OSError as exc:
            unreadable.append(f"{path}: {exc.strerror or exc}")
            continue
        images = [n for n, folder in names if not folder and n.lower().endswith(IMAGE_SUFFIXES) and n[0] != "."]
        places.append(Place(path, names_above, len(images), bool(images) and images[0].lower().startswith("reg_")))
        tables += [path / n for n, folder in names if not folder and is_table(n)]
        if depth < DEPTH:
            inner = [n for n, folder in names if folder and n[0] != "." and n not in _PASSED_OVER]
            waiting += [(path / n, (path.name, *names_above), depth + 1) for n in reversed(inner)]
    above: list[Path] = []
    for parent in start.parents[:PARENTS]:
        try:
            above += sorted(p for p in parent.iterdir() if is_table(p.name) and is_file(p))
        except OSError:
            continue
    return Tree(root, tuple(places), tuple(tables), tuple(above), tuple(unreadable), bool(waiting))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link to itself.
        return False


def list_folder(folder: Path, expected: str) -> list[Path]:
    """List what lies in a folder, sorted.

    Parameters
    ----------
    folder : pathlib.Path
        The folder.
    expected : str
        Its content in words, for the message.

    Raises
    ------
    UsageError
        If it is missing, a file, or may not be listed.
    """
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError as exc:
        raise UsageError(f"{folder}: no such folder; expected {expected}") from exc
    except NotADirectoryError as exc:
        raise UsageError(f"{folder}: is a file; expected {expected}") from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise UsageError(f"{folder}: cannot be listed ({reason}); expected {expected}") from exc


def recognise(tree: Tree) -> list[str]:
    """List the kinds of data sets that a folder seems to hold; ``:TEXT`` for one that no loader reads."""
    found: list[str] = []
    try:
        layout = SyntheticHead.read(tree.root / SYNTHETIC).layout
        found.append("synthetic" if layout == "plain" else layout)
    except RecordError:
        pass
    signs: list[tuple[str, Callable[[Place], bool]]] = [
        ("casme2", lambda p: bool(p.above) and re.fullmatch(r"sub ?\d{1,2}", p.above[0], re.I) is not None),
        ("smic", lambda p: re.fullmatch(r"s\d{1,2}_(ne|po|su|sur)_\d+", p.name, re.I) is not None),
        ("samm", lambda p: re.fullmatch(r"\d{3}_\d+_\d+", p.name) is not None),
        ("samm-long", lambda p: re.fullmatch(r"\d{3}_\d+", p.name) is not None),
        ("casme-squared", lambda p: re.fullmatch(r"\d{1,2}_\d{4}\D.*", p.name) is not None),
    ]
    found += [kind for kind, sign in signs if any(p.n_images and sign(p) for p in tree.places)]
    if is_file(tree.root / "clips.csv"):
        found.append("folder")
    return list(dict.fromkeys(found))
