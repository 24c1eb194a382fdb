"""Optical flow that was computed before and kept as an image: what circulates of the MEGC2019 composite."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fleeting.clips.frames import IndexedFrames, file_stamp, is_file, is_folder, position, read_content
from fleeting.errors import FrameReadError, NotAClipError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FlowImage"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Colour types of the PNG header: what each would mean for a flow image.
_KINDS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with transparency", 6: "RGB with transparency"}


class FlowImage(IndexedFrames):
    """One RGB image whose channels are flow to the right (R), flow downwards (G) and optical strain (B).

    It stands for a whole clip, from onset to apex; there are no frames of a face to be had from it. Recipes that take
    frames pass such clips over, the recipe ``flow`` takes the image as it is.

    Parameters
    ----------
    path : str or os.PathLike
        A PNG of 8 bits per channel, of any size.

    Raises
    ------
    NotAClipError
        If there is no such file.
    FrameReadError
        If it is empty, truncated, damaged, no PNG, or not RGB of 8 bits.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not is_file(self.path):
            found = "a folder" if is_folder(self.path) else "no such file"
            raise NotAClipError(f"{self.path}: {found}; expected a flow image (PNG)", self.path)
        self._size = _checked(self._bytes(), self.path)

    def __repr__(self) -> str:
        return f"FlowImage({str(self.path)!r}, {self._size[0]}x{self._size[1]})"

    def __len__(self) -> int:
        return 1

    @property
    def fps(self) -> float | None:
        """``None``: one image has no frame rate."""
        return None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._size

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Decode the image, ``uint8`` ``(H, W, 3)``: u, v, strain.

        Raises
        ------
        FrameReadError
            If the file has been damaged since it was opened.
        """
        import cv2

        position(index, 1, self.path)
        content = self._bytes()
        _checked(content, self.path)
        try:
            image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error as exc:
            raise FrameReadError(f"{self.path}: cannot be decoded ({exc.err})", self.path) from exc
        if image is None:
            raise FrameReadError(f"{self.path}: cannot be decoded; copy the image again", self.path)
        # OpenCV decodes to blue, green, red.
        return np.ascontiguousarray(image[..., ::-1], dtype=np.uint8)

    def _bytes(self) -> bytes:
        return read_content(self.path, "")

    def stamp(self) -> str | None:
        """Stamp its file; see :func:`fleeting.clips.frames.file_stamp`."""
        return file_stamp([self.path])

    def digest(self) -> str:
        """Compute the BLAKE2 hash over the file's bytes, told apart from that of a frame of a face."""
        state = hashlib.blake2b(b"flow", digest_size=16)
        state.update(self._bytes())
        return state.hexdigest()


def _checked(content: bytes, path: Path) -> tuple[int, int]:
    """Width and height of a whole RGB PNG; the decoder itself fills what is missing and says nothing."""
    if not content:
        raise FrameReadError(f"{path}: an empty file; copy the image again", path)
    if not content.startswith(_SIGNATURE):
        raise FrameReadError(f"{path}: not a PNG; other formats change the values, so export the flow as PNG", path)
    header, place, whole = b"", len(_SIGNATURE), False
    while place + 12 <= len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        body = content[place + 4 : place + 8 + length]
        end = content[place + 8 + length : place + 12 + length]
        if len(end) < 4 or zlib.crc32(body) != struct.unpack(">I", end)[0]:
            break
        header = header or body[4:17]
        whole = body[:4] == b"IEND"
        if whole:
            break
        place += 12 + length
    if not whole or len(header) < 13:
        raise FrameReadError(f"{path}: a truncated or damaged PNG; copy the image again", path)
    width, height, depth, kind = struct.unpack(">IIBB", header[:10])
    if kind not in (2, 3) or (kind == 2 and depth != 8):
        raise FrameReadError(
            f"{path}: {_KINDS.get(kind, 'unknown')}, {depth} bits per channel; expected RGB of 8 bits (u, v, strain)",
            path,
        )
    return int(width), int(height)
