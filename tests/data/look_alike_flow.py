"""Write a tiny look-alike of the flow folder of the MEGC2019 composite: real names and quirks, images of noise.

python tests/data/look_alike_flow.py OUT
"""

import struct
import sys
import zlib
from pathlib import Path

import numpy as np

HEADER = ["dataset", "sub", "filename_o", "label", "apex", "imagename", "sub_filename"]

# Data set, subject, clip, label, apex as the table has them, and the name of our loader.
ROWS = [
    ("casme2", "sub01", "EP02_01f", "1", "91", "casme2/01/EP02_01f"),
    ("casme2", "sub17", "EP05_04", "0", "60", "casme2/17/EP05_04"),
    ("smic", "s01", "s01_ne_01", "0", "", "smic/s01/s01_ne_01"),
    ("smic", "s03", "s03_su_02", "2", "", "smic/s03/s03_su_02"),
    ("samm", "006", "006_1_2", "1", "5573", "samm/006/006_1_2"),
    ("samm", "011", "011_2_1", "0", "3003", "samm/011/011_2_1"),
]


def png(image: np.ndarray, kind: int = 2, depth: int = 8) -> bytes:
    """A PNG from the standard's own words: channels in the order of the array, independent of any image library."""
    data = image.astype(">u2" if depth == 16 else np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in data)
    header = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], depth, kind, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (struct.pack(">I", len(body)) + t + body + struct.pack(">I", zlib.crc32(t + body)) for t, body in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def flow(number: int, side: int = 28) -> np.ndarray:
    """The image of row ``number``: red is 0 somewhere and 255 elsewhere, green is 10 more than the number, blue 200."""
    image = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    image[0, 0], image[0, 1] = (0, 10 + number, 200), (255, 10 + number, 200)
    return image


def table(kind: str = "release") -> bytes:
    """``release`` (commas, blank last columns), or ``resaved``: by a spreadsheet program, with all that this does."""
    lines = []
    for dataset, sub, clip, label, apex, _ in ROWS:
        if kind == "release":
            lines.append(",".join([dataset, sub, clip, label, apex, f"{sub}_{clip}.jpg", ""]))
            continue
        # Names in capitals, numbers without their zeros and with decimals, columns in another order, blanks.
        name = {"casme2": "CASME II", "smic": "SMIC", "samm": "Samm"}[dataset]
        sub = str(int(sub)) if dataset == "samm" else sub
        cells = ["", f"{label}.0", name, f" {sub} ", clip, apex, "", "", ""]
        lines += [";".join(cells), ";" * 8]
    head = ",".join(HEADER) if kind == "release" else ";Label;Dataset;Sub;Filename_O;Apex;imagename;;"
    mark, end = ("", "\n") if kind == "release" else ("\ufeff", "\r\n")
    return (mark + end.join([head, *lines]) + end).encode()


def write(root: Path, kind: str = "release") -> tuple[Path, Path]:
    """The folder of images and the table."""
    folder, csv = root / "norm_u_v_os", root / "combined_3class.csv"
    folder.mkdir(parents=True)
    for number, (_, sub, clip, *_) in enumerate(ROWS):
        # Some copies have lost the blank, or shout.
        end = " .png" if kind == "release" or number % 3 == 0 else ".png" if number % 3 == 1 else " .PNG"
        (folder / f"{sub}_{clip}{end}").write_bytes(png(flow(number)))
    for stray in (".DS_Store", "Thumbs.db", "._sub01_EP02_01f .png"):
        (folder / stray).write_bytes(b"\0\1stray")
    csv.write_bytes(table(kind))
    return folder, csv


if __name__ == "__main__":
    print(*write(Path(sys.argv[1])))
