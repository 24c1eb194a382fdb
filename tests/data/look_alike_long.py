"""Write tiny look-alikes of SAMM Long Videos and CAS(ME)²: real layout, names and quirks, images of 8×6 pixels.

python tests/data/look_alike_long.py OUT
"""

import sys
from pathlib import Path

from tiny import litter, write_book, write_frames

SAMM_HEADER = [
    "Subject",
    "Filename",
    "Inducement Code",
    "Onset",
    "Apex",
    "Offset",
    "Duration",
    "Type",
    "Action Units",
    "Notes",
]
# File name, onset, apex, offset, type, action units.
SAMM_ROWS = [
    ("006_1_2", 20, 26, 34, "Micro - 1/2", "12"),
    ("006_1_5", 40, 70, 190, "Macro", "L12 or L14"),
    ("006_1_7", 0, 205, 210, "Macro", "4"),  # an onset of 0 is not known
    ("010_3_1", 5, 9, 12, "Micro", "ref(5)+20C"),
    ("010_3_2", 15, 40, 30, "Macro", "14"),  # the apex lies outside
    ("010_3_3", 900, 910, 920, "Macro", "14"),  # and here the whole event does
    ("011_2_1", 5, 9, 12, "Micro - 1/2", "1+2"),  # its frames are missing
]
SAMM_VIDEOS = {"006_1": 210, "010_3": 60, "012_1": 12}  # in the last nothing was found

# Subject, video, onset, apex, offset, action units, emotion, type, self-report.
CASME_ROWS = [
    (1, "anger1_1", 10, 13, 18, "4", "negative", "micro-expression", "anger"),
    (1, "anger1_2", 30, 40, 0, "4+15", "negative", "macro-expression", "anger"),  # an offset of 0 is not known
    (2, "happy3_1", 5, 12, 40, "6+12", "positive", "macro-expression", "happiness"),
    (2, "sad9_1", 5, 12, 40, "1", "negative", "macro-expression", "sadness"),  # a film without a code
]
CASME_SUBJECTS = [("s15", 15, 1), ("s23", 23, 2)]
CASME_FILMS = [("0101", "anger1"), ("0503", "happy3")]


def samm_table(kind: str = "release") -> list[list[object]]:
    """``release`` (header in row 11, below remarks) or ``resaved`` (header in row 1, subject as a number)."""
    head: list[list[object]] = [["SAMM long videos, release 2"], *([] for _ in range(9))] if kind == "release" else []
    rows: list[list[object]] = [*head, list(SAMM_HEADER)]
    for clip, onset, apex, offset, what, units in SAMM_ROWS:
        subject: object = clip[:3] if kind == "release" else int(clip[:3])
        rows.append([subject, clip, int(clip[4]), onset, apex, offset, offset - onset + 1, what, units, None])
    return [*rows, [], ["Total", None, None, len(SAMM_ROWS)]]


def write_samm(root: Path, kind: str = "release") -> Path:
    """SAMM Long Videos."""
    for video, length in SAMM_VIDEOS.items():
        missing = {50, 51} if video == "010_3" else set()
        numbers = [n for n in range(1, length + 1) if n not in missing]
        write_frames(root / "SAMM_longvideos" / video, f"{video}_{{:04d}}.jpg", numbers)
    litter(root / "SAMM_longvideos" / "006_1")
    sheets = {"Read me": [["remarks"]], "FACS_Movement_Only": samm_table(kind)}
    write_book(root / "SAMM_LongVideos_V2_Release.xlsx", sheets)
    return root


def write_casme(root: Path) -> Path:
    """CAS(ME)²."""
    for folder, length in (("s15/15_0101disgustingteeth", 60), ("s23/23_0503unnyfarting", 50), ("s23/23_0101x", 9)):
        write_frames(root / "rawpic" / folder, "img{:03d}.jpg", range(1, length + 1))
    write_book(
        root / "CAS(ME)^2code_final.xlsx",
        {
            "CASFEcode_final": [list(row) for row in CASME_ROWS],
            "naming rule2": [list(row) for row in CASME_SUBJECTS],
            "naming rule1": [list(row) for row in CASME_FILMS],
        },
    )
    return root


if __name__ == "__main__":
    print(write_samm(Path(sys.argv[1]) / "samm"), write_casme(Path(sys.argv[1]) / "casme"))
