"""Released data sets: what they share, on look-alikes of CASME II, SMIC and SAMM."""

import os
import shutil
import tempfile
from pathlib import Path

import look_alike_casme2
import look_alike_samm
import numpy as np
import pytest
from asked import files, reasons
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import litter, write_book, write_frames

from fleeting.datasets import Casme2, Samm, WrongFolderError, open_dataset
from fleeting.errors import UsageError
from fleeting.synthesis import write_dataset


@pytest.mark.parametrize("kind", ["casme2", "smic", "samm"])
def test_synthetic_sets_in_each_layout_are_read_exactly(kind, tmp_path):
    root = write_dataset(tmp_path / kind, layout=kind, size=(70, 85), subjects=2, clips_per_subject=3, fps=50).path
    d = open_dataset(f"{kind}:{root}")
    clips = d.clips()
    assert len(clips) == 6
    for clip in clips:
        with np.load(root / "truth" / f"{clip.subject}_{clip.name}.npz") as truth:
            expected = {name: int(truth[name]) for name in ("onset", "apex", "offset")}
            assert len(clip) == len(truth["profile"])
            assert str(truth["action_units"]) == clip.action_units or kind == "smic"
        found = {"onset": clip.onset, "offset": clip.offset}
        if kind == "smic":
            assert clip.apex is None
        else:
            found["apex"] = clip.apex
        assert found == {name: expected[name] for name in found}
    assert d.problems == []
    assert "synthetic" in d.layout()["note"]
    assert len(d.table()) == 6


KINDS = ["casme2", "smic", "smic-hs-e", "smic-vis", "smic-nir", "samm"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_folder_says_what_it_looks_like(kind, casme2, samm, smic, tmp_path):
    for name, root in (("casme2", casme2), ("samm", samm)):
        if kind != name:
            with pytest.raises(WrongFolderError, match=f"It looks like .*{name}:") as caught:
                open_dataset(f"{kind}:{root}")
            assert caught.value.looks_like == (name,)
    with pytest.raises(WrongFolderError, match=r"found nothing$"):
        open_dataset(f"{kind}:{tmp_path}")
    (tmp_path / "holiday.jpg").write_bytes(b"")
    litter(tmp_path / "notes")
    with pytest.raises(WrongFolderError, match=r"expected .*image|expected .*img|expected .*jpg"):
        open_dataset(f"{kind}:{tmp_path}")
    with pytest.raises(UsageError, match="no such folder"):
        open_dataset(f"{kind}:{tmp_path / 'none'}")
    with pytest.raises(UsageError, match="is a file"):
        open_dataset(f"{kind}:{tmp_path / 'holiday.jpg'}")


def test_other_kinds_of_folders_are_recognised(tmp_path):
    write_frames(tmp_path / "SAMM_longvideos/006_1", "006_1_{:04d}.jpg", range(3))
    with pytest.raises(WrongFolderError, match="samm-long:"):
        Samm(tmp_path)
    write_dataset(tmp_path / "plain", size=(70, 85), subjects=1, clips_per_subject=1, fps=25)
    with pytest.raises(WrongFolderError, match="synthetic:"):
        Casme2(tmp_path / "plain")


@pytest.mark.parametrize(("cls", "write", "table"), [
    (Casme2, look_alike_casme2.write, "CASME2-coding-20140508.xlsx"),
    (Samm, look_alike_samm.write, "SAMM_Micro_FACS_Codes_v2.xlsx"),
])  # fmt: skip
def test_an_incomplete_folder_is_no_wrong_one(cls, write, table, tmp_path):
    root = write(tmp_path / "all")
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(root / table, bare)
    report = cls(bare).verify()
    assert not report.usable and report.problems[-1].kind == "no frames"
    assert "unpack the frames" in report.problems[-1].remedy
    (root / table).unlink()
    report = cls(root).verify()
    assert not report.usable
    assert "no annotation" in {p.kind for p in report.problems} and table in str(report)
    (root / table).write_bytes(b"PK\3\4 damaged")
    report = cls(root).verify()
    assert not report.usable
    assert "cannot be read as a spreadsheet" in str(report)


@settings(max_examples=25, deadline=None)
@given(
    st.sets(st.integers(0, 1200), min_size=3, max_size=9).map(sorted),
    st.lists(st.integers(0, 1200), min_size=3, max_size=3).map(sorted),
    st.sampled_from(["img{}.jpg", "img{:03d}.jpg", "reg_img{:05d}.jpg", "take 2 img {}.jpg"]),
)
def test_any_numbering_is_followed(numbers, said, pattern):
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_frames(root / "CASME2_RAW_selected/sub01/EP02_01f", pattern, numbers)
        row = ["01", "EP02_01f", None, *said, None, "4", "disgust"]
        write_book(root / "CASME2-coding-20140508.xlsx", {"S": [look_alike_casme2.HEADER, row]})
        d = Casme2(root)
        (clip,) = d.clips()
        for number, index, file in zip(said, (clip.onset, clip.apex, clip.offset), files(clip)):
            if number in numbers and any(numbers[0] <= other <= numbers[-1] for other in said):
                assert file == pattern.format(number)
            assert index is None or 0 <= index < len(clip)
        # Whatever does not fit is told.
        if not set(said) <= set(numbers):
            assert {p.kind for p in d.problems} & {"missing frames", "apex"}


def test_links_in_a_circle_end(casme2, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(casme2, root)
    try:
        (root / "CASME2_RAW_selected" / "sub01" / "loop").symlink_to(root, target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    assert len(Casme2(root).clips()) == 11


def test_empty_files_and_clips_without_a_label_are_told(tmp_path):
    rows = look_alike_casme2.coding()[:2]
    rows[1] = [*rows[1][:-1], None]
    write_frames(tmp_path / "CASME2_RAW_selected/sub01/EP02_01f", "img{}.jpg", range(46, 87))
    (tmp_path / "CASME2_RAW_selected/sub01/EP02_01f/img50.jpg").write_bytes(b"")
    write_book(tmp_path / "CASME2-coding-20140508.xlsx", {"S": rows})
    report = Casme2(tmp_path).verify()
    assert {p.kind: p.reason for p in report.problems} == {
        "label": "row 2 of CASME2-coding-20140508.xlsx gives no label",
        "empty frames": "1 of its files is empty: img50.jpg",
    }
    assert all(p.remedy for p in report.problems)


def test_a_folder_that_may_not_be_listed_is_named_and_the_rest_is_read(casme2, monkeypatch):
    whole = Casme2(casme2)
    closed = whole.clips()[0].frames.path
    scan = os.scandir

    def refuse(path):
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = Casme2(casme2)
    assert len(found.clips()) == len(whole.clips()) - 1
    report = found.verify()
    assert whole.clips()[0].name in reasons(found, "missing clip")
    assert any("Permission denied" in p.reason and p.kind == "unreadable folder" for p in report.problems)
    # It is closed only after the folders have been looked through.
    monkeypatch.setattr(os, "scandir", scan)
    late = Casme2(casme2)
    monkeypatch.setattr(os, "scandir", refuse)
    assert "cannot be listed (Permission denied)" in reasons(late, "missing clip")[whole.clips()[0].name]
