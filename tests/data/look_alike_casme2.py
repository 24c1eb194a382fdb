"""Write a tiny look-alike of CASME II: real layout, names and quirks, grey images of 8×6 pixels.

python tests/data/look_alike_casme2.py OUT
"""

import sys
from pathlib import Path

from tiny import litter, write_book, write_frames

HEADER = [
    "Subject",
    "Filename",
    None,
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    None,
    "Action Units",
    "Estimated Emotion",
]

# Subject, clip, onset, apex, offset, action units, emotion.
ROWS = [
    ("01", "EP02_01f", 46, 59, 86, "12", "happiness"),
    ("01", "EP19_05f", 3, 7, 12, "?", "others"),
    ("02", "EP01_11f", 95, 100, 106, "4+L10", "repression"),  # frames 99 to 101 and 104 are missing
    ("03", "EP07_03", 9, 12, 15, "1+2", "surprise"),  # its folder is missing
    ("04", "EP12_01f", 200, "/", 212, "4+9", "disgust"),
    ("05", "EP09_05f", 69, 69, 75, "4+7", "disgust"),
    ("05", "EP16_04f", 10, 18, 18, "4", "others"),
    ("06", "EP01_2", 20, 24, 30, "?", "others"),
    ("08", "EP08_1", 5, 8, 11, "15", "sadness"),
    ("09", "EP06_02_01", 7, 9, 12, "20", "fear"),
    ("09", "EP09f", 31, 33, 36, "12", "happiness"),
    ("25", "EP18_04f", 98, 105, 112, "1", "surprise"),  # the copy ends at 108
    ("26", "EP18_50", 4, 6, 9, "4", "disgust"),  # its folder is empty
]
LACKING = {"EP07_03"}
EMPTY = {"EP18_50"}
MISSING = {"EP01_11f": {99, 100, 101, 104}, "EP18_04f": set(range(109, 200))}


def coding(kind: str = "release") -> list[list[object]]:
    """The coding sheet: ``release``, or ``resaved`` (title above the header, no blank columns, subject as a number)."""
    if kind == "release":
        return [HEADER] + [[s, c, None, on, ap, off, None, au, emotion] for s, c, on, ap, off, au, emotion in ROWS]
    rows: list[list[object]] = [["CASME II coding, saved again"], [], [name for name in HEADER if name]]
    rows += [
        [int(s), c, on, ap, off, int(au) if au.isdigit() else au, emo.upper()] for s, c, on, ap, off, au, emo in ROWS
    ]
    return [*rows, [], [None, None], ["", " "]]


def write_clips(root: Path, variant: str = "selected") -> None:
    """The frames of one copy: ``selected``, ``raw`` or ``cropped``."""
    for index, (subject, clip, onset, _, offset, _, _) in enumerate(ROWS):
        if clip in LACKING:
            continue
        if variant == "raw":
            # From 1 to beyond the offset; three digits or four.
            folder, first, last = "CASME2-RAW", 1, offset + 5
            pattern = "img{:03d}.jpg" if index % 2 else "img{:04d}.jpg"
        else:
            folder = "Cropped" if variant == "cropped" else "CASME2_RAW_selected"
            first, last, pattern = onset, offset, "reg_img{}.jpg" if variant == "cropped" else "img{}.jpg"
        numbers = set(range(first, last + 1)) - MISSING.get(clip, set())
        write_frames(root / folder / f"sub{subject}" / clip, pattern, [] if clip in EMPTY else numbers)


def write(root: Path, variants: tuple[str, ...] = ("selected",), sheet: str = "release") -> Path:
    """The whole look-alike."""
    for variant in variants:
        write_clips(root, variant)
    write_book(root / "CASME2-coding-20140508.xlsx", {"Sheet1": coding(sheet)})
    classes = [[s, c, 1 if emotion == "happiness" else 7] for s, c, *_, emotion in ROWS]
    write_book(
        root / "CASME2-ObjectiveClasses.xlsx", {"Sheet1": [["Subject", "Filename", "Objective Class"], *classes]}
    )
    (root / "~$CASME2-coding-20140508.xlsx").write_bytes(b"lock")
    if "selected" in variants:
        frames = root / "CASME2_RAW_selected"
        litter(frames / "sub01")
        litter(frames / "sub01" / "EP02_01f")
        write_frames(frames / "sub13" / "EP99_99", "img{}.jpg", range(1, 4))  # the table does not list it
        litter(root / "__MACOSX" / "CASME2_RAW_selected" / "sub01" / "EP02_01f")
    return root


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), variants=("selected", "raw", "cropped")))
