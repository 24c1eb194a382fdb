"""Precomputed optical flow of the MEGC2019 composite, as it circulates: a folder of PNGs and a CSV.

Format
    A folder of RGB PNGs, mostly 28×28, one per clip, computed from its onset to its apex: R is the flow to the right (u),
    G the flow downwards (v), B the optical strain, each scaled to 0..255 by its own least and greatest value. They are
    named ``<subject>_<clip> .png`` with a blank before the dot: ``sub01_EP02_01f .png`` (CASME II),
    ``s01_s01_ne_01 .png`` (SMIC), ``006_006_1_2 .png`` (SAMM). A CSV beside them has the columns
    ``dataset,sub,filename_o,label,apex,imagename,sub_filename``: ``casme2,sub01,EP02_01f,1,46,sub01_EP02_01f.jpg,``;
    the last columns may be empty or absent, and blank columns and rows may follow.
    :func:`fleeting.sequences.write_flow_folder` writes the same from clips.
Classes
    ``label`` 0 negative, 1 positive, 2 surprise. The complete composite has 442 clips of 68 subjects: 250 negative, 109
    positive, 83 surprise.
Please cite
    See, J., Yap, M. H., Li, J., Hong, X., Wang, S.-J.: MEGC 2019: The Second Facial Micro-Expressions Grand Challenge.
    IEEE FG 2019; and the three data sets.
Licence
    Derived from CASME II, SMIC and SAMM, whose release agreements bind whoever uses it; not to be passed on.
Access
    Get the three data sets (see ``casme2``, ``smic`` and ``samm``) and compute the flow: ``fleeting flow-folder``. Folders
    that circulate come with the code of published methods.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from fleeting.clips import Clip, FlowImage
from fleeting.clips.frames import is_file, is_folder
from fleeting.datasets.base import Dataset
from fleeting.datasets.exploring import list_folder
from fleeting.datasets.problems import Problem
from fleeting.datasets.registry import register_dataset
from fleeting.datasets.schemes import published_counts
from fleeting.datasets.sheets import Sheet, SheetError, is_table, read_sheets
from fleeting.datasets.verification import Count, Verification, verify
from fleeting.errors import ClipReadError, UsageError

__all__ = ["FLOW_LABELS", "FlowFolder", "circulating_names"]

#: The labels of the CSV by their numbers.
FLOW_LABELS = ("negative", "positive", "surprise")
SCHEME = "megc2019"
_COLUMNS = {
    "dataset": ("dataset", "database"),
    "subject": ("sub", "subject"),
    "clip": ("filename_o", "filename"),
    "label": ("label",),
    "image": ("imagename",),
    "image2": ("sub_filename",),
}
_OPTIONAL = ("image", "image2")
_SETS = {"casmeii": "casme2", "casme2": "casme2", "smic": "smic", "smichs": "smic", "samm": "samm"}
# A folder that holds the images a few levels below, as archives unpack, is meant too.
_DEPTH = 3
_WANTED = "dataset,sub,filename_o,label,apex,imagename,sub_filename"


@register_dataset("flow")
class FlowFolder(Dataset):
    """A folder of flow images and its CSV.

    Data sets, subjects and clips are named as by the loaders of the raw sets (``casme2/01/EP02_01f``,
    ``smic/s01/s01_ne_01``, ``samm/006/006_1_2``), so that results on either can be compared clip by clip. Sets of other
    names keep theirs. Each clip is a single :class:`~fleeting.clips.FlowImage`.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder, or ``FOLDER,CSV``: split at the last comma for which both are there. The CSV is looked for as it is
        given, in the folder and beside it. Without one, the only CSV in or beside the folder is taken.
    table : str or pathlib.Path or None, optional
        The CSV, if it is not part of ``root``.

    Raises
    ------
    UsageError
        If folder or CSV are missing, there are no images, several CSVs could be meant, or the CSV lacks a column.
    """

    name = "flow"
    title = "Precomputed flow"

    def __init__(self, root: str | Path, *, table: str | Path | None = None) -> None:
        folder, csv = _split(str(root)) if table is None else (Path(root), Path(table))
        super().__init__(folder)
        list_folder(folder, "FOLDER,CSV: a folder of flow images (PNG) and its table")
        self.images = _images_folder(folder)
        if csv is not None and not is_file(csv):
            raise UsageError(f"{csv}: no such file; expected a CSV with the columns {_WANTED}")
        self.csv = csv or _only_table(folder, self.images)
        try:
            self._sheet: Sheet = read_sheets(self.csv, _COLUMNS, optional=_OPTIONAL, skip_damaged=True)[0]
        except SheetError as exc:
            raise UsageError(f"{exc}. The table of a flow folder has the columns {_WANTED}") from exc

    def layout(self) -> dict[str, str]:
        """Say in which places the images and the table were found, and how many clips of each set there are."""
        sets = Counter(clip.dataset for clip in self.clips())
        counted = ", ".join(f"{name} {count}" for name, count in sets.items()) or "none"
        return {"root": str(self.images), "table": str(self.csv), "sets": counted}

    def verify(self) -> Verification:
        """Compare what was found with the published counts of the composite, for those of its sets that are there."""
        report = verify(self)
        clips = self.clips()
        sets = list(dict.fromkeys(clip.dataset for clip in clips))
        published = {key: count for key, count in published_counts(SCHEME).items() if key[0] in sets}
        subjects = Counter(f"{clip.dataset}/{clip.subject}" for clip in clips)
        report = replace(report, subjects=tuple(Count(name, count) for name, count in sorted(subjects.items())))
        if not published or {key[0] for key in published} != set(sets):
            return report
        by_class = Counter((clip.dataset, str(clip.emotion)) for clip in clips)
        emotions = tuple(
            Count(
                label,
                sum(count for (_, found), count in by_class.items() if found == label),
                sum(count for (_, known), count in published.items() if known == label),
            )
            for label in FLOW_LABELS
        )
        differs = [
            f"{by_class[key]} {key[1]} of {key[0]}, known are {count}"
            for key, count in published.items()
            if by_class[key] != count
        ]
        return replace(report, n_known=sum(published.values()), emotions=emotions, discrepancies=tuple(differs))

    def read_clips(self) -> tuple[list[Clip], list[Problem]]:
        """Read the annotations: all usable clips, and what is wrong on disk."""
        problems: list[Problem] = []
        images = self._images(problems)
        used: dict[Path, int] = {}
        rows: dict[str, tuple[int, str]] = {}
        clips: dict[str, Clip] = {}
        for line, reason in self._sheet.damaged:
            problems.append(Problem(self.name, "", "", f"line {line} of {self.csv.name} {reason}", kind="row"))
        for number, cells in self._sheet.rows:
            where = f"row {number} of {self.csv.name}"
            image = _find(images, cells)
            who = cells["dataset"] or self.name, cells["subject"], cells["clip"]
            try:
                *named, emotion = _named(cells)
                who = (named[0], named[1], named[2])
                key = "/".join(who)
                line, said = rows.setdefault(key, (number, emotion))
                if said != emotion:
                    clips.pop(key, None)
                    raise _RowError(f"calls it {emotion}, row {line} {said}", remedy="keep the row that is right")
                if line != number:
                    raise _RowError(f"repeats the clip of row {line}", skipped=False)
                if image is None:
                    expected = f"{cells['subject']}_{cells['clip']} .png"
                    raise _RowError(f"has no image {expected!r}", "missing clip", remedy="copy it into the folder")
                if image in used:
                    raise _RowError(f"names the image {image.name!r}, as row {used[image]} does", "image")
                frames = FlowImage(image)
                frames[0]
                clips[key] = Clip(*who, frames, emotion=emotion)
            except _RowError as exc:
                problems.append(Problem(*who, f"{where} {exc}", exc.skipped, exc.remedy, exc.kind))
            except ClipReadError as exc:
                problems.append(Problem(*who, str(exc), kind="image"))
            if image is not None:
                # Of a row that cannot be used, the image is known all the same.
                used.setdefault(image, number)
        problems += _odd_sizes(clips)
        remedy = f"add a row for it to {self.csv.name}, or nothing if it is not wanted"
        for path in sorted(set(images.values()) - set(used)):
            reason = f"an image that {self.csv.name} does not list"
            problems.append(Problem(self.name, "", path.name, reason, True, remedy, "unknown image"))
        return list(clips.values()), problems

    def _images(self, problems: list[Problem]) -> dict[str, Path]:
        """The PNGs by the plain form of their names."""
        found: dict[str, Path] = {}
        for path in _pngs(self.images):
            key = _plain(path.stem)
            if key not in found:
                found[key] = path
                continue
            # As it circulates, the name has a blank before the dot.
            kept, other = (found[key], path) if found[key].stem.endswith(" ") else (path, found[key])
            found[key] = kept
            reason = f"found beside {kept.name!r}, which is used"
            remedy = "delete the one that is not wanted"
            problems.append(Problem(self.name, "", other.name, reason, False, remedy, "unknown image"))
        return found


class _RowError(Exception):
    """A row that cannot be used, or need not be; the message says why."""

    def __init__(self, message: str, kind: str = "row", *, skipped: bool = True, remedy: str = "") -> None:
        super().__init__(message)
        self.kind, self.skipped, self.remedy = kind, skipped, remedy


def _odd_sizes(clips: dict[str, Clip]) -> list[Problem]:
    """Takes out the clips whose images are of another size than most."""
    sizes = Counter(clip.frames.size for clip in clips.values())
    problems = []
    for key, clip in list(clips.items()):
        usual = sizes.most_common(1)[0][0]
        if clip.frames.size != usual:
            size, others = ("x".join(map(str, of)) for of in (clip.frames.size, usual))
            reason = f"its image is {size}, those of most others are {others}"
            problems.append(Problem(clip.dataset, clip.subject, clip.name, reason, kind="image"))
            del clips[key]
    return problems


def _split(text: str) -> tuple[Path, Path | None]:
    """``FOLDER,CSV`` at the last comma for which both are there; else the folder alone."""
    commas = [match.start() for match in re.finditer(",", text)]
    for comma in reversed(commas):
        folder, csv = Path(text[:comma]), text[comma + 1 :].strip()
        if csv and is_folder(folder):
            for path in (Path(csv), folder / csv, folder.parent / csv):
                if is_file(path):
                    return folder, path
    if is_folder(Path(text)) or is_file(Path(text)) or not commas:
        return Path(text), None
    # Neither reading fits: take one of which a part is there, so that the other is blamed.
    halves = [(Path(text[:comma]), text[comma + 1 :].strip()) for comma in reversed(commas)]
    folder, csv = next((pair for pair in halves if is_folder(pair[0]) or is_file(Path(pair[1]))), halves[0])
    return folder, Path(csv) if csv else None


def _pngs(folder: Path) -> list[Path]:
    return [p for p in _listed(folder) if p.suffix.lower() == ".png" and p.name[0] not in "._" and is_file(p)]


def _listed(folder: Path) -> list[Path]:
    """A folder's content; nothing, if it may not be listed."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _images_folder(folder: Path) -> Path:
    """The folder itself, or the only one with images a few levels below."""
    if _pngs(folder):
        return folder
    level, found = [folder], []
    for _ in range(_DEPTH):
        level = [p for above in level for p in _listed(above) if is_folder(p) and p.name[0] not in "._"]
        found += [p for p in level if _pngs(p)]
    if len(found) == 1:
        return found[0]
    what = f"images in {len(found)} folders ({', '.join(p.name for p in found[:4])})" if found else "no PNG images"
    raise UsageError(f"{folder}: {what}; expected one folder of flow images such as 'sub01_EP02_01f .png'")


def _only_table(folder: Path, images: Path) -> Path:
    """The only CSV with the images, above them, in the folder or beside it."""
    above = [place for place in images.parents if place.is_relative_to(folder)]
    for place in (images, *above, folder.resolve().parent):
        tables = [p for p in _listed(place) if is_table(p.name) and p.suffix.lower() == ".csv"]
        if len(tables) == 1:
            return tables[0]
        if tables:
            names = ", ".join(p.name for p in tables[:5])
            raise UsageError(f"{place}: {len(tables)} CSV files ({names}); say which: flow:{folder},{tables[0].name}")
    raise UsageError(
        f"{folder}: no CSV in it or beside it; expected flow:FOLDER,CSV, with a table of the columns {_WANTED}"
    )


def _plain(name: str) -> str:
    return re.sub(r"\s+", "", name).casefold()


def _named(cells: dict[str, str]) -> tuple[str, str, str, str]:
    """Data set, subject, clip and label of a row, in the words of our loaders."""
    dataset, subject, clip = cells["dataset"], cells["subject"], cells["clip"]
    missing = [name for name, text in (("dataset", dataset), ("sub", subject), ("filename_o", clip)) if not text]
    if missing:
        raise _RowError(f"has nothing in the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    word = cells["label"].casefold()
    if word in FLOW_LABELS:
        emotion = word
    elif word in ("0", "1", "2"):
        emotion = FLOW_LABELS[int(word)]
    else:
        said = f"the label {cells['label']!r}" if word else "no label"
        raise _RowError(f"has {said}; expected 0, 1 or 2 ({', '.join(FLOW_LABELS)})")
    known = _SETS.get(re.sub(r"[^a-z0-9]", "", dataset.casefold()))
    if known is None:
        return dataset, subject, clip, emotion
    return known, *_house_names(known, subject, clip), emotion


def _house_names(dataset: str, subject: str, clip: str) -> tuple[str, str]:
    """Subject and clip as the loader of the set names them."""
    number = re.search(r"\d{1,9}", subject)
    if number is None:
        raise _RowError(f"has the subject {subject!r}; expected one with a number, as sub01, s01 or 006")
    n = int(number.group())
    if dataset == "casme2":
        return f"{n:02d}", re.sub(r"^ep", "EP", clip, flags=re.I)
    if dataset == "smic":
        match = re.fullmatch(r"s(\d{1,9})_([a-z]+)_(\d{1,9})", clip, re.I)
        name = clip if match is None else f"s{int(match[1]):02d}_{match[2].lower()}_{int(match[3]):02d}"
        return f"s{n:02d}", name
    match = re.fullmatch(r"(\d{1,9})(_\d+_\d+)", clip)
    return f"{n:03d}", clip if match is None else f"{int(match[1]):03d}{match[2]}"


def circulating_names(dataset: str, subject: str, clip: str) -> tuple[str, str]:
    """Name subject and clip of one of our loaders as the table does: ``casme2/01`` is ``sub01`` there.

    >>> circulating_names("casme2", "01", "EP02_01f")
    ('sub01', 'EP02_01f')
    """
    return (f"sub{subject}" if dataset == "casme2" and subject.isdigit() else subject), clip


def _find(images: dict[str, Path], cells: dict[str, str]) -> Path | None:
    """The image of a row: by its own column, else by subject and clip, however they are padded."""
    names = [re.sub(r"\.[a-z]{3,4}$", "", cells.get(column, ""), flags=re.I) for column in ("image", "image2")]
    names.append(f"{cells['subject']}_{cells['clip']}")
    try:
        dataset, subject, clip, _ = _named({**cells, "label": "0"})
        names.append("_".join(circulating_names(dataset, subject, clip)))
    except _RowError:
        pass
    return next((images[key] for name in names if (key := _plain(name)) in images), None)
