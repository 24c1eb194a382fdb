"""Files that are either whole or not there: written under another name, then moved into place."""

from __future__ import annotations

import csv
import json
import math
import os
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from fleeting.errors import FleetingError, UsageError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FIGURE_FORMATS",
    "figure_path",
    "read_rows",
    "without_nan",
    "write_atomic",
    "write_csv",
    "write_figure",
    "write_json",
    "write_text",
]

FIGURE_FORMATS = (".png", ".svg", ".pdf", ".jpg")


def write_atomic(path: str | os.PathLike[str], write: Callable[[IO[bytes]], object]) -> Path:
    """Call ``write`` with a binary file, then move the result to ``path``.

    A kill at any moment leaves the old file or none, and so does a loss of power; two processes that write at once leave
    one of their results.

    Raises
    ------
    FleetingError
        If the folder cannot be written to.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
    except OSError as exc:
        raise FleetingError(
            f"{path.parent}: cannot be written to ({exc.strerror or exc}); choose another folder or free some space"
        ) from exc
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            # A machine that loses power now must not leave the name with an empty file behind it.
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files; ours follow the user's umask like any other.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except OSError as exc:
        Path(name).unlink(missing_ok=True)
        raise FleetingError(
            f"{path}: cannot be written ({exc.strerror or exc}); free some space or choose another folder"
        ) from exc
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write UTF-8 text atomically."""
    return write_atomic(path, lambda file: file.write(text.encode("utf-8")))


def write_json(path: str | os.PathLike[str], value: Any) -> Path:
    """Write a value as indented JSON atomically."""
    return write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_csv(path: str | os.PathLike[str], table: pd.DataFrame) -> Path:
    """Write a table as CSV atomically: no index, the same line ends on every system."""
    return write_text(path, table.to_csv(index=False, lineterminator="\n"))


@cache
def read_rows(package: str, name: str) -> tuple[dict[str, str], ...]:
    """Read the rows of a CSV file that ships with a package, as text."""
    text = files(package).joinpath(name).read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def figure_path(path: str | os.PathLike[str]) -> Path:
    """Check that the ending of a figure's path is one that can be drawn, and give the path.

    Raises
    ------
    UsageError
        For another ending.
    """
    path = Path(path)
    if path.suffix.lower() not in FIGURE_FORMATS:
        found = path.suffix or "no ending"
        raise UsageError(f"{path}: a figure ends in one of {', '.join(FIGURE_FORMATS)}; found {found!r}")
    return path


def write_figure(path: Path, figure: Any) -> Path:
    """Write a matplotlib figure in the format that the path from :func:`figure_path` ends in."""
    for text in figure.findobj(lambda artist: hasattr(artist, "set_parse_math")):
        # A dollar in a file's name begins no formula.
        text.set_parse_math(False)
    buffer = BytesIO()
    figure.savefig(buffer, format=path.suffix[1:].lower().replace("jpg", "jpeg"))
    return write_atomic(path, lambda file: file.write(buffer.getvalue()))


def without_nan(value: Any) -> Any:
    """Put ``None`` for every float that is no finite number into dictionaries and lists: JSON has no NaN."""
    if isinstance(value, dict):
        return {str(name): without_nan(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
