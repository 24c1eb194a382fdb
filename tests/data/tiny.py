"""Helpers of the look-alike scripts: tiny images under real names, and spreadsheets cell by cell."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import xlsxwriter

_ENCODED: dict[str, bytes] = {}


def image(suffix: str) -> bytes:
    """An 8×6 grey image."""
    if suffix not in _ENCODED:
        _ENCODED[suffix] = cv2.imencode(suffix, np.full((6, 8, 3), 90, np.uint8))[1].tobytes()
    return _ENCODED[suffix]


def write_frames(folder: Path, pattern: str, numbers: Iterable[int]) -> None:
    """``pattern`` is such as ``img{}.jpg`` or ``image{:06d}.bmp``."""
    folder.mkdir(parents=True, exist_ok=True)
    data = image(Path(pattern).suffix)
    for number in numbers:
        (folder / pattern.format(number)).write_bytes(data)


def write_book(path: Path, sheets: dict[str, list[list[object]]]) -> None:
    """Text stays text, ``None`` is a blank cell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    book = xlsxwriter.Workbook(str(path), {"strings_to_numbers": False})
    for name, rows in sheets.items():
        page = book.add_worksheet(name)
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                if isinstance(value, str):
                    page.write_string(i, j, value)
                elif value is not None:
                    page.write_number(i, j, value)
    book.close()


def litter(folder: Path) -> None:
    """The stray files that copies gather."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("Desktop - Shortcut.lnk", ".DS_Store", "Thumbs.db", "._img46.jpg"):
        (folder / name).write_bytes(b"\0\1stray")


def numbered(n: int, height: int = 12, width: int = 16) -> np.ndarray:
    """Frames that say which they are by their colour."""
    frames = np.zeros((n, height, width, 3), np.uint8)
    frames[..., 0] = np.arange(n)[:, None, None] * 10
    frames[..., 2] = 255 - frames[..., 0]
    return frames


def write_video(path: Path, frames: np.ndarray, fps: float = 25.0) -> Path:
    height, width = frames.shape[1:3]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (width, height))
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
    return path
