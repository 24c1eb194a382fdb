"""Write a tiny look-alike of SAMM: real layout, names and quirks, grey images of 8×6 pixels.

python tests/data/look_alike_samm.py OUT
"""

import sys
from pathlib import Path

from tiny import litter, write_book, write_frames

HEADER = [
    "Subject",
    "Filename",
    "Inducement Code",
    "Onset Frame",
    "Apex Frame",
    "Offset Frame",
    "Duration",
    "Micro",
    "Action Units",
    "Estimated Emotion",
    "Objective Classes",
    "Notes",
]

# Clip, onset, apex, offset, action units, emotion, objective class, digits in the frames' names.
ROWS = [
    ("006_1_2", 5562, 5573, 5580, "12", "Happiness", 1, 5),
    ("006_5_10", 1084, 1090, 1097, "L12 or L14", "Other", 7, 4),
    ("013_1_9", 5727, 5733, 5793, "A/L12", "Anger", 7, 5),  # the offset is 5739
    ("015_2_1", 96, 101, 107, "ref(5)+20C", "Fear", 6, 4),  # 0096.jpg to 0107.jpg
    ("028_4_1", 300, 420, 312, "4+7", "Anger", 3, 4),  # the apex is outside
    ("032_3_1", 9995, 9990, 10004, "14", "Contempt", 7, 5),  # and here it is before
    ("036_7_8", 40, 45, 52, "1+2", "Surprise", 2, 4),
    ("037_3_1", 18, 22, 25, "9", "Disgust", 4, 4),
]


def table(kind: str = "release") -> list[list[object]]:
    """``release`` (header in row 14, subject as text) or ``resaved`` (header in row 1, subject as a number, no blanks)."""
    head: list[list[object]] = []
    if kind == "release":
        head = [["Micro-expressions, FACS coded"], [], ["Notes: see the paper"], *([] for _ in range(10))]
    rows: list[list[object]] = [*head, list(HEADER)]
    for clip, onset, apex, offset, units, emotion, objective, _ in ROWS:
        subject: object = clip[:3] if kind == "release" else int(clip[:3])
        length = offset - onset + 1
        micro = "Micro - 1/2"
        rows.append([subject, clip, int(clip[4]), onset, apex, offset, length, micro, units, emotion, objective, None])
    return [*rows, [], [None, "Total", None, None, None, None, len(ROWS)]]


def write(root: Path, kind: str = "release") -> Path:
    """The whole look-alike."""
    for clip, onset, _, offset, *_, digits in ROWS:
        last = 5739 if clip == "013_1_9" else offset
        pattern = f"{clip[:3]}_{{:0{digits}d}}.jpg"
        write_frames(root / "SAMM" / clip[:3] / clip, pattern, range(onset, last + 1))
    litter(root / "SAMM" / "006")
    sheets = (
        {"MICRO_ONLY": table(kind)} if kind == "release" else {"Read me": [["saved again"]], "MICRO_ONLY": table(kind)}
    )
    write_book(root / "SAMM_Micro_FACS_Codes_v2.xlsx", sheets)
    return root


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
