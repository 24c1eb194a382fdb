"""Taking a folder for one's results: new, empty, or one's own; never somebody else's."""

from __future__ import annotations

import os
import re
import sys
import time
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fleeting.errors import FleetingError, UsageError

if sys.platform != "win32":
    import fcntl

__all__ = ["claim_folder", "is_litter", "make_folder", "sweep_unfinished", "work_alone"]

# Left by systems in every folder that a person has looked at, and at the top of every disk.
_LITTER = {".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".directory", ".localized", "lost+found"}
# Names that write_atomic gives: the file's own, something random, and the ending.
_UNFINISHED = re.compile(r"\..+\.[a-z0-9_]{8}\.part")
# A file is written in moments; one that is this old was left by a process that was killed.
_OLD_SECONDS = 600.0


def is_litter(name: str) -> bool:
    """Tell files that nobody put there: what a system leaves behind, and unfinished files of ours.

    Examples
    --------
    >>> is_litter(".DS_Store"), is_litter(".run.json.k3x9_2ab.part"), is_litter("notes.txt")
    (True, True, False)
    """
    return name.lower() in _LITTER or name.startswith("._") or is_unfinished(name)


def is_unfinished(name: str) -> bool:
    """Tell files that :func:`fleeting.files.write_atomic` had begun when its process was killed."""
    return _UNFINISHED.fullmatch(name) is not None


def sweep_unfinished(folder: str | os.PathLike[str]) -> int:
    """Remove the unfinished files that killed processes left in a folder, however deep.

    Those of the last ten minutes stay: a process at work beside this one may be about to finish them.

    Parameters
    ----------
    folder : str or os.PathLike
        A folder of ours.

    Returns
    -------
    int
        Files that were removed.
    """
    removed = 0
    now = time.time()
    for place, _, names in os.walk(folder):
        for name in filter(is_unfinished, names):
            path = Path(place, name)
            try:
                if now - path.stat().st_mtime > _OLD_SECONDS:
                    path.unlink()
                    removed += 1
            except OSError:
                continue
    return removed


def make_folder(folder: str | os.PathLike[str], *, remedy: str = "choose another --out") -> list[str]:
    """Make a folder, if it does not exist, and check that files can be written into it.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder.
    remedy : str, optional
        Advice if it cannot be used; ends the message.

    Returns
    -------
    list of str
        Names of what lies in it.

    Raises
    ------
    UsageError
        If it is a file.
    FleetingError
        If it cannot be made, listed or written to.
    """
    folder = Path(folder)
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder}: is a file; expected a folder to write into; {remedy}")
        folder.mkdir(parents=True, exist_ok=True)
        names = [item.name for item in folder.iterdir()]
    except (FileExistsError, NotADirectoryError) as exc:
        raise UsageError(f"{folder}: a part of this path is a file; expected a folder to write into; {remedy}") from exc
    except UsageError:
        raise
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise FleetingError(f"{folder}: cannot be used as a folder ({reason}); {remedy}") from exc
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FleetingError(f"{folder}: cannot be written to (permission denied); {remedy}")
    return names


def claim_folder(
    folder: str | os.PathLike[str],
    head: str,
    *,
    unfinished: Collection[str] = (),
    remedy: str = "choose another --out",
) -> bool:
    """Take a folder for one's results.

    A folder is free if it does not exist, is empty, or holds nothing but litter and files that a killed process of ours
    left before it had written ``head``.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder; made if it does not exist.
    head : str
        The file, written first, that makes the folder one's own, such as ``"run.json"``.
    unfinished : collection of str, optional
        Names of files and folders that may lie there before ``head`` does, such as ``"frames.csv"``.
    remedy : str, optional
        Advice if it is taken; ends the message.

    Returns
    -------
    bool
        Whether ``head`` is there: then the caller compares it with what is asked for.

    Raises
    ------
    UsageError
        If it holds other files, or is a file.
    FleetingError
        If it cannot be made, listed or written to.
    """
    folder = Path(folder)
    names = make_folder(folder, remedy=remedy)
    if head in names and (folder / head).is_file():
        sweep_unfinished(folder)
        return True
    foreign = sorted(name for name in names if not is_litter(name) and name not in unfinished)
    if foreign:
        shown = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        raise UsageError(f"{folder}: holds other files ({shown}); expected a new or empty folder; {remedy}")
    # Not before it is known to be ours: other programs have files of such names too.
    sweep_unfinished(folder)
    return False


@contextmanager
def work_alone(folder: str | os.PathLike[str]) -> Iterator[bool]:
    """Be the only process that works in a folder: wait, with a warning, until another one there has ended.

    The folder is free again when its process ends, however it does. A file system without locks, and Windows, let two
    processes in: whatever they write must be whole files that both would write alike.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder; it exists. A process that takes it twice waits for itself.

    Yields
    ------
    bool
        Whether another process was at work: what was read before may have changed.
    """
    if sys.platform == "win32":
        yield False
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        yield _lock(handle, folder)
    finally:
        os.close(handle)


def _lock(handle: int, folder: str | os.PathLike[str]) -> bool:
    """Lock an open folder; tell whether it had to be waited for."""
    waited = False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        waited = True
        warnings.warn(f"{folder}: another process is at work there; waiting until it has ended", stacklevel=5)
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        pass  # no locks on this file system
    return waited
