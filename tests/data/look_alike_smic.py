"""Write a tiny look-alike of SMIC: HS, HS-E, VIS and NIR with real layout, names and quirks, images of 8×6 pixels.

python tests/data/look_alike_smic.py OUT
"""

import sys
from pathlib import Path

from tiny import litter, write_book, write_frames

CLASSES = {"ne": "negative", "po": "positive", "sur": "surprise"}

# Clip, first number, length, numbers that are missing.
HS = [
    ("s01_ne_01", 559740, 11, ()),
    ("s01_ne_02", 99995, 12, ()),  # five digits become six
    ("s01_po_01", 5120, 9, (5124,)),
    ("s03_sur_05", 812345, 8, ()),
    ("s20_po_10", 100, 7, (102, 103)),
]
FEW = [("s11_ne_01", 120, 9, ()), ("s11_po_01", 96, 8, ()), ("s18_sur_02", 7, 7, (9,))]

HEADER = [
    "Subject",
    "Filename",
    None,
    "OnsetF",
    "OffsetF",
    "Onset2F",
    "Offset2F",
    None,
    "FirstF",
    "LastF",
    "TotalMF1",
    "TotalMF2",
    "TotalVL",
    "Emotion",
]
# Subject, clip, onset, offset, second onset, second offset, first, last.
LONG = [
    (1, "s1_ne_01", 559745, 559752, None, None, 559740, 559760),
    (1, "s1_ne_03", 1030, 1045, None, None, 1020, 1040),  # the offset comes after the last frame
    (3, "s3_ne_03", 2010, 2015, None, None, 2000, 2020),  # often absent on disk
    (3, "s3_ne_20", 426690, 426700, None, None, "MISSING <-426679", 426710),
    (18, "s18_sur_03", 305, 309, 315, 318, 300, 320),
    (20, "s20_ne_06", 999995, 1000002, 1000010, 1000014, 999990, 1000020),
]
LONG_VIS = [(11, "s11_ne_01", 130, 136, None, None, 120, None)]
LONG_NIR = [(11, "s11_po_01", 55, 60, None, None, 50, 70)]


def _folder(clip: str) -> str:
    return f"{clip.split('_')[0]}/micro/{CLASSES[clip.split('_')[1]]}/{clip}"


def write_short(root: Path, camera: str = "HS", cropped: bool = False) -> Path:
    """``root/HS/s01/micro/negative/s01_ne_01/image559740.bmp`` and the like."""
    base = root / "SMIC_all_cropped" / camera if cropped else root / camera
    for clip, first, length, missing in HS if camera == "HS" else FEW:
        pattern = "image{:06d}.bmp" if camera == "HS" else "image {:05d}.bmp"
        numbers = sorted(set(range(first, first + length)) - set(missing))
        write_frames(base / _folder(clip), ("reg_" if cropped else "") + pattern, numbers)
    litter(base / "s01" / "micro" / "negative")
    write_frames(base / "s01" / "non_micro" / "s01_nm_01", "image{:06d}.bmp", range(10, 14))
    return root


def annotation(rows: list[tuple[object, ...]], edited: bool = False, last: bool = True) -> list[list[object]]:
    """A sheet of the annotation; an edited copy has a third expression and no blank columns; VIS has no LastF."""
    header = list(HEADER)
    body: list[list[object]] = []
    for subject, clip, onset, offset, onset2, offset2, first, end in rows:
        assert isinstance(onset, int) and isinstance(offset, int)
        total = offset - onset + 1
        emotion = CLASSES[str(clip).split("_")[1]]
        body.append([subject, clip, None, onset, offset, onset2, offset2, None, first, end, total, None, 20, emotion])
    if not last:
        place = header.index("LastF")
        header, body = [c for i, c in enumerate(header) if i != place], [r[:place] + r[place + 1 :] for r in body]
    if edited:
        header = [*header[:7], "Onset3F", "Offset3F", *header[7:]]
        body = [[*r[:7], *((316, 317) if r[1] == "s18_sur_03" else (None, None)), *r[7:]] for r in body]
        keep = [i for i, name in enumerate(header) if name]
        header, body = [header[i] for i in keep], [[r[i] for i in keep] for r in body]
    blanks: list[list[object]] = [[None] * len(header), [" ", ""]]
    return [header, *body, *blanks]


def write_long(root: Path, layout: str = "SMIC_HS_E", edited: bool = False, renumber: bool = False) -> Path:
    """HS-E in one of its two spellings, with the annotation; VIS's sheet is in the same file."""
    base = root / "HS_long" / "SMIC_HS_E"
    if layout != "SMIC_HS_E":
        base = root / "SMIC-E_raw image" / "HS_long" / "SMIC-HS-E" / "HS"
    for subject, clip, _, _, _, _, first, last in LONG:
        if clip == "s3_ne_03":
            continue
        start = 426679 if isinstance(first, str) else first
        numbers = range(1, last - start + 2) if renumber else range(start, last + 1)
        write_frames(base / f"s{subject:02d}" / clip, "image{:06d}.jpg", numbers)
    sheets = {"HS": annotation(LONG, edited), "VIS": annotation(LONG_VIS, last=False)}
    write_book(base.parent / "SMIC-HS-E_annotation.xlsx", sheets)
    return root


def write_long_few(root: Path) -> Path:
    """The longer clips of VIS and NIR; NIR has an annotation of its own."""
    write_frames(root / "VIS_long" / "SMIC-VIS-E" / "VIS" / "s11" / "s11_ne_01", "image {:05d}.jpg", range(120, 141))
    write_frames(root / "NIR_long" / "SMIC-NIR-E" / "NIR" / "s11" / "s11_po_01", "image{:05d}.jpg", range(50, 71))
    write_book(root / "NIR_long" / "SMIC-NIR-E_annotation.xlsx", {"Sheet1": annotation(LONG_NIR)})
    return root


def write(root: Path) -> Path:
    """All subsets side by side."""
    for camera in ("HS", "VIS", "NIR"):
        write_short(root, camera)
    return write_long(write_short(root, cropped=True))


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
