"""CASME II, SMIC and SAMM on look-alikes that carry the quirks of the releases."""

import os
import pickle
import shutil
import tempfile
from pathlib import Path

import look_alike_casme2
import look_alike_samm
import look_alike_smic
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import litter, write_book, write_frames

from fleeting.datasets import Casme2, Samm, Smic, WrongFolderError, open_dataset
from fleeting.datasets.facts import known_counts, read_facts
from fleeting.errors import UsageError
from fleeting.synthesis import write_dataset

NAME = "Daten ü 表情"


def files(clip):
    """Names of the files that onset, apex and offset point at."""
    return [None if i is None else clip.frames.names[i] for i in (clip.onset, clip.apex, clip.offset)]


def by_name(dataset):
    return {clip.name: clip for clip in dataset.clips()}


def reasons(dataset, kind=None):
    return {p.clip: p.reason for p in dataset.problems if kind in (None, p.kind)}


@pytest.fixture(scope="module")
def casme2(tmp_path_factory):
    root = tmp_path_factory.mktemp("casme2") / NAME
    return look_alike_casme2.write(root, variants=("selected", "raw", "cropped"))


@pytest.fixture(scope="module")
def samm(tmp_path_factory):
    return look_alike_samm.write(tmp_path_factory.mktemp("samm") / NAME)


@pytest.fixture(scope="module")
def smic(tmp_path_factory):
    return look_alike_smic.write(tmp_path_factory.mktemp("smic") / NAME)


class TestCasme2:
    def test_annotations_point_at_the_right_files(self, casme2):
        d = Casme2(casme2)
        assert d.variant == "selected"
        clips = by_name(d)
        assert files(clips["EP02_01f"]) == ["img46.jpg", "img59.jpg", "img86.jpg"]
        assert (clips["EP02_01f"].onset, clips["EP02_01f"].apex, clips["EP02_01f"].offset) == (0, 13, 40)
        # Numbers that pass from two digits to three.
        assert files(clips["EP18_04f"])[:2] == ["img98.jpg", "img105.jpg"]
        for name in ("EP01_2", "EP08_1", "EP06_02_01", "EP09f"):
            said = next(row for row in look_alike_casme2.ROWS if row[1] == name)
            assert files(clips[name]) == [f"img{number}.jpg" for number in said[2:5]]
        first = clips["EP02_01f"]
        assert (first.key, first.emotion, first.action_units, first.fps) == (
            "casme2/01/EP02_01f",
            "happiness",
            "12",
            200,
        )
        assert clips["EP19_05f"].action_units == "?"
        assert [c.subject for c in d.clips()] == sorted(c.subject for c in d.clips())

    @pytest.mark.parametrize(("variant", "expected"), [
        ("selected", ["img46.jpg", "img59.jpg", "img86.jpg"]),
        ("raw", ["img0046.jpg", "img0059.jpg", "img0086.jpg"]),
        ("cropped", ["reg_img46.jpg", "reg_img59.jpg", "reg_img86.jpg"]),
    ])  # fmt: skip
    def test_each_copy_of_the_frames(self, casme2, variant, expected):
        d = Casme2(casme2, variant=variant)
        assert files(by_name(d)["EP02_01f"]) == expected
        assert variant in d.layout()["frames"]
        assert len(d.clips()) == 11

    def test_raw_frames_begin_before_the_onset(self, casme2):
        clip = by_name(Casme2(casme2, variant="raw"))["EP19_05f"]
        assert files(clip) == ["img003.jpg", "img007.jpg", "img012.jpg"]
        assert (clip.onset, clip.apex, clip.offset, len(clip)) == (2, 6, 11, 17)

    def test_quirks_of_the_release(self, casme2):
        d = Casme2(casme2)
        clips = by_name(d)
        assert clips["EP12_01f"].apex is None
        assert "slash" in reasons(d, "erratum")["EP12_01f"]
        assert clips["EP09_05f"].onset == clips["EP09_05f"].apex == 0
        assert clips["EP16_04f"].apex == clips["EP16_04f"].offset
        assert set(reasons(d, "annotation")) == {"EP09_05f", "EP16_04f"}
        assert all("the release says so" in text for text in reasons(d, "annotation").values())

    def test_missing_frames_are_told_and_what_is_there_is_used(self, casme2):
        d = Casme2(casme2)
        clips, missing = by_name(d), reasons(d, "missing frames")
        assert files(clips["EP01_11f"]) == ["img95.jpg", "img102.jpg", "img106.jpg"]
        assert "apex 100" in missing["EP01_11f"] and "99-101, 104" in missing["EP01_11f"]
        assert files(clips["EP18_04f"]) == ["img98.jpg", "img105.jpg", "img108.jpg"]
        assert "offset 112" in missing["EP18_04f"]
        # A file that lies elsewhere in the folder is no frame.
        assert not any(name.startswith(".") for name in clips["EP02_01f"].frames.names)

    def test_missing_and_unknown_folders(self, casme2):
        report = Casme2(casme2).verify()
        assert report.missing_clips == ("03/EP07_03", "26/EP18_50")
        assert report.unknown_folders == ("13/EP99_99",)
        assert report.missing_frames == ("02/EP01_11f", "25/EP18_04f")
        assert report.usable and not report.complete
        assert {c.name: (c.found, c.known) for c in report.emotions}["disgust"] == (2, 63)
        assert {c.name: c.found for c in report.subjects}["05"] == 2
        assert "03" in report.absent_subjects
        assert all(problem.remedy and problem.kind for problem in report.problems)
        text = str(report)
        assert text.count("To do: ") >= 5 and "2     63" in text

    @pytest.mark.parametrize("name", ["CASME2-coding-20140508.xlsx", "CASME2-coding-20190701.xlsx", "my coding.xlsx"])
    def test_a_saved_again_sheet_reads_the_same(self, casme2, tmp_path, name):
        look_alike_casme2.write_clips(tmp_path)
        write_book(tmp_path / name, {"Tabelle1": look_alike_casme2.coding("resaved")})
        ours, again = Casme2(casme2).clips(), Casme2(tmp_path).clips()
        assert [(c.key, c.emotion, c.action_units, files(c)) for c in again] == [
            (c.key, c.emotion, c.action_units, files(c)) for c in ours
        ]

    def test_of_two_sheets_the_newer_is_read_and_the_difference_told(self, tmp_path):
        root = look_alike_casme2.write(tmp_path)
        rows = look_alike_casme2.coding()
        rows[1] = [*rows[1][:4], 60, *rows[1][5:]]
        write_book(root / "CASME2-coding-20190701.xlsx", {"Sheet1": rows})
        d = Casme2(root)
        assert by_name(d)["EP02_01f"].apex == 14
        (problem,) = [p for p in d.problems if p.kind == "spreadsheet"]
        assert "in 1 clips: 01/EP02_01f" in problem.reason

    @pytest.mark.parametrize("below", [".", "CASME2_RAW_selected", "CASME2_RAW_selected/sub01", ".."])
    def test_a_folder_above_or_below_will_do(self, casme2, below):
        clips = by_name(Casme2(casme2 / below))
        assert files(clips["EP02_01f"]) == ["img46.jpg", "img59.jpg", "img86.jpg"]

    def test_objective_classes(self, casme2):
        found = Casme2(casme2).objective_classes()
        assert found["casme2/01/EP02_01f"] == 1 and len(found) == len(look_alike_casme2.ROWS)

    def test_rows_that_cannot_be_used(self, tmp_path):
        rows = look_alike_casme2.coding()[:2]
        write_frames(tmp_path / "CASME2_RAW_selected/sub01/EP02_01f", "img{}.jpg", range(46, 87))
        rows += [
            list(rows[1]),
            ["", "EP01_01", None, 1, 2, 3, None, "1", "fear"],
            ["01", "EP03_01", None, "x", 2.5, -3, None, "1", "joy"],
        ]
        write_frames(tmp_path / "CASME2_RAW_selected/sub01/EP03_01", "img{}.jpg", range(1, 4))
        write_book(tmp_path / "CASME2-coding-20140508.xlsx", {"S": rows})
        d = Casme2(tmp_path)
        assert [c.name for c in d.clips()] == ["EP02_01f", "EP03_01"]
        odd = by_name(d)["EP03_01"]
        assert (odd.onset, odd.apex, odd.offset, odd.emotion) == (None, None, None, "joy")
        assert {p.kind for p in d.problems} == {"repeated row", "row", "annotation", "label"}
        assert sum(p.kind == "annotation" for p in d.problems) == 3

    def test_frames_numbered_anew_are_not_believed(self, tmp_path):
        write_frames(tmp_path / "CASME2_RAW_selected/sub01/EP02_01f", "img{}.jpg", range(1, 30))
        write_book(tmp_path / "CASME2-coding-20140508.xlsx", {"S": look_alike_casme2.coding()[:2]})
        d = Casme2(tmp_path)
        (clip,) = d.clips()
        assert (clip.onset, clip.apex, clip.offset) == (None, None, None)
        assert "numbered 1 to 29" in reasons(d, "missing frames")["EP02_01f"]

    def test_an_onset_and_offset_cut_off_are_the_ends(self, tmp_path):
        write_frames(tmp_path / "CASME2_RAW_selected/sub01/EP02_01f", "img{}.jpg", range(62, 80))
        write_book(tmp_path / "CASME2-coding-20140508.xlsx", {"S": look_alike_casme2.coding()[:2]})
        (clip,) = Casme2(tmp_path).clips()
        # The apex, frame 59, is not there: a frame that does not show it is none.
        assert (clip.onset, clip.apex, clip.offset) == (0, None, 17)

    def test_repeated_clips_and_frames(self, tmp_path):
        for base in ("CASME2_RAW_selected", "again/CASME2_RAW_selected"):
            write_frames(tmp_path / base / "sub01/EP02_01f", "img{}.jpg", range(46, 87))
        write_frames(tmp_path / "CASME2_RAW_selected/sub01/EP02_01f", "img{:05d}.jpg", range(46, 50))
        write_book(tmp_path / "CASME2-coding-20140508.xlsx", {"S": look_alike_casme2.coding()[:2]})
        d = Casme2(tmp_path)
        assert {"repeated folder", "repeated frames"} <= {p.kind for p in d.problems}
        assert len(d.clips()) == 1

    def test_the_complete_set_is_complete(self, tmp_path):
        rows, number = [look_alike_casme2.HEADER], 0
        for emotion, count in known_counts("casme2").items():
            for _ in range(count):
                subject, clip = f"{number % 26 + 1:02d}", f"EP01_{number}"
                rows.append([subject, clip, None, 9, 10, 11, None, "4", emotion])
                write_frames(tmp_path / "CASME2_RAW_selected" / f"sub{subject}" / clip, "img{}.jpg", range(9, 12))
                number += 1
        write_book(tmp_path / "CASME2-coding-20140508.xlsx", {"Sheet1": rows})
        report = Casme2(tmp_path).verify()
        assert report.complete and report.problems == () and report.discrepancies == ()
        assert (report.n_clips, report.n_known, len(report.subjects)) == (255, 255, 26)

    def test_clips_survive_the_way_to_another_process(self, casme2):
        clip = pickle.loads(pickle.dumps(Casme2(casme2).clips()[0]))  # noqa: S301
        assert files(clip)[0] == "img46.jpg"


class TestSamm:
    @pytest.mark.parametrize("kind", ["release", "resaved"])
    def test_annotations_point_at_the_right_files(self, tmp_path, kind):
        d = Samm(look_alike_samm.write(tmp_path, kind))
        clips = by_name(d)
        assert files(clips["006_1_2"]) == ["006_05562.jpg", "006_05573.jpg", "006_05580.jpg"]
        assert files(clips["006_5_10"]) == ["006_1084.jpg", "006_1090.jpg", "006_1097.jpg"]
        assert files(clips["015_2_1"]) == ["015_0096.jpg", "015_0101.jpg", "015_0107.jpg"]
        first = clips["006_1_2"]
        assert (first.key, first.emotion, first.fps) == ("samm/006/006_1_2", "Happiness", 200)
        assert clips["006_5_10"].action_units == "L12 or L14"
        assert clips["015_2_1"].action_units == "ref(5)+20C"
        assert len(clips) == len(look_alike_samm.ROWS)
        assert d.objective_classes()["samm/037/037_3_1"] == 4

    def test_the_known_erratum_is_corrected_only_where_it_is(self, samm, tmp_path):
        d = Samm(samm)
        assert files(by_name(d)["013_1_9"])[2] == "013_05739.jpg"
        assert "corrected to 5739" in reasons(d, "erratum")["013_1_9"]
        # Another recording under that name has nothing to correct.
        write_frames(tmp_path / "SAMM/013/013_1_9", "013_{:04d}.jpg", range(100, 121))
        table = [look_alike_samm.HEADER, [13, "013_1_9", 1, 100, 110, 120, 21, "", "4", "Anger", 7, None]]
        write_book(tmp_path / "SAMM_Micro_FACS_Codes_v2.xlsx", {"MICRO_ONLY": table})
        other = Samm(tmp_path)
        assert files(by_name(other)["013_1_9"])[2] == "013_0120.jpg"
        assert other.problems == []

    def test_an_apex_outside_the_frames_is_left_out(self, samm):
        d = Samm(samm)
        for name in ("028_4_1", "032_3_1"):
            assert by_name(d)[name].apex is None
            assert "left out (the release says so too)" in reasons(d, "apex")[name]
        assert {p.kind for p in d.problems} == {"erratum", "apex"}

    def test_a_cropped_copy(self, samm, tmp_path):
        shutil.copytree(samm / "SAMM", tmp_path / "SAMM_CROP")
        shutil.copy(samm / "SAMM_Micro_FACS_Codes_v2.xlsx", tmp_path)
        assert Samm(tmp_path).variant == "cropped"
        with pytest.raises(UsageError, match=r"variant 'raw' of SAMM; found cropped"):
            Samm(tmp_path, variant="raw")


class TestSmic:
    def test_hs_runs_from_the_first_file_to_the_last(self, smic):
        d = Smic(smic)
        clips = by_name(d)
        assert files(clips["s01_ne_01"]) == ["image559740.bmp", None, "image559750.bmp"]
        assert files(clips["s01_ne_02"]) == ["image099995.bmp", None, "image100006.bmp"]
        assert next((c.key, c.emotion) for c in d.clips()) == ("smic/s01/s01_ne_01", "negative")
        assert {c.emotion for c in d.clips()} == {"negative", "positive", "surprise"}
        assert {c.fps for c in d.clips()} == {100}
        assert reasons(d) == {
            "s01_po_01": "missing between the first frame and the last: 5124",
            "s20_po_10": "missing between the first frame and the last: 102-103",
        }
        assert d.expressions(clips["s01_po_01"]) == [(0, 7)]
        cropped = by_name(Smic(smic, variant="cropped"))
        assert files(cropped["s01_ne_01"])[0] == "reg_image559740.bmp"

    @pytest.mark.parametrize("subset", ["VIS", "nir"])
    def test_blanks_before_the_number(self, smic, subset):
        d = Smic(smic, subset)
        assert files(by_name(d)["s11_po_01"]) == ["image 00096.bmp", None, "image 00103.bmp"]
        assert {(c.dataset, c.fps) for c in d.clips()} == {(f"smic-{subset.lower()}", 25)}

    @pytest.mark.parametrize("layout", ["SMIC_HS_E", "SMIC-E_raw image"])
    @pytest.mark.parametrize("edited", [False, True])
    def test_hs_e(self, tmp_path, layout, edited):
        d = Smic(look_alike_smic.write_long(tmp_path / NAME, layout, edited), "HS-E")
        clips = by_name(d)
        assert set(clips) == {"s1_ne_01", "s1_ne_03", "s3_ne_20", "s18_sur_03", "s20_ne_06"}
        assert clips["s1_ne_01"].key == "smic-hs-e/s01/s1_ne_01"
        assert files(clips["s1_ne_01"]) == ["image559745.jpg", None, "image559752.jpg"]
        assert files(clips["s1_ne_03"])[2] == "image001040.jpg"
        assert files(clips["s3_ne_20"]) == ["image426690.jpg", None, "image426700.jpg"]
        assert d.expressions(clips["s20_ne_06"]) == [(5, 12), (20, 24)]
        assert d.expressions(clips["s18_sur_03"]) == [(5, 9), (15, 18)] + [(16, 17)] * edited
        report = d.verify()
        assert report.missing_clips == ("s03/s3_ne_03",)
        assert any("often lack it" in p.reason for p in report.problems)
        assert all(p.remedy for p in report.problems)
        assert "[HS]" in report.layout["table"]

    def test_hs_e_with_frames_numbered_from_one(self, tmp_path):
        d = Smic(look_alike_smic.write_long(tmp_path, renumber=True), "HS-E")
        clip = by_name(d)["s1_ne_01"]
        assert (clip.onset, clip.offset) == (5, 12)
        assert d.expressions(by_name(d)["s20_ne_06"]) == [(5, 12), (20, 24)]
        assert "numbered anew from 1" in reasons(d, "numbering")["s1_ne_01"]
        assert by_name(d)["s3_ne_20"].onset == 11

    def test_the_longer_clips_of_the_other_cameras(self, tmp_path):
        root = look_alike_smic.write_long(look_alike_smic.write_long_few(tmp_path))
        vis, nir = Smic(root, "VIS"), Smic(root, "NIR")
        assert (vis.variant, nir.variant) == ("long", "long")
        (clip,) = vis.clips()
        assert files(clip) == ["image 00130.jpg", None, "image 00136.jpg"]
        assert "[VIS]" in vis.layout()["table"]
        (clip,) = nir.clips()
        assert (clip.onset, clip.offset, clip.emotion) == (5, 10, "positive")
        assert "NIR" in nir.layout()["table"]
        # The shorter clips, where they are there, come first.
        look_alike_smic.write_short(root, "VIS")
        assert Smic(root, "VIS").variant == "raw"
        assert len(Smic(root, "VIS", variant="long").clips()) == 1

    def test_a_class_folder_is_followed(self, tmp_path):
        write_frames(tmp_path / "HS/s01/micro/positive/s01_ne_04", "image{}.bmp", range(5, 9))
        d = Smic(tmp_path)
        assert d.clips()[0].emotion == "positive"
        assert "says negative, its folder positive" in d.problems[0].reason

    def test_subsets_are_told_apart(self, smic, tmp_path):
        look_alike_smic.write_long(tmp_path)
        with pytest.raises(WrongFolderError, match=f"smic-hs-e:{tmp_path}") as caught:
            Smic(tmp_path)
        assert caught.value.looks_like == ("smic-hs-e",)
        with pytest.raises(WrongFolderError, match=r"no SMIC NIR here"):
            Smic(tmp_path, "NIR")
        with pytest.raises(UsageError, match="HS-E, NIR, VIS"):
            Smic(smic, "HSE")
        assert len(Smic(smic / "HS").clips()) == len(Smic(smic / "HS" / "s01").clips()) + 2


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


def test_a_clip_can_be_drawn(casme2):
    d = Casme2(casme2)
    figure = d.plot(by_name(d)["EP02_01f"])
    assert [axis.get_title().split("\n")[0] for axis in figure.axes] == ["first, onset", "apex", "offset, last"]


def test_facts_are_keyed_and_have_a_source():
    for name in ("counts.csv", "errata.csv", "exclusions.csv", "known.csv", "published.csv", "schemes.csv"):
        rows = read_facts(name)
        assert rows and all(row["source"] for row in rows)
    for row in (*read_facts("errata.csv"), *read_facts("known.csv")):
        assert row["subject"] and row["clip"]
    assert sum(known_counts("casme2").values()) == 255
    assert sum(known_counts("smic").values()) == 164
    assert sum(known_counts("smic-hs-e").values()) == 162
    assert sum(known_counts("smic-vis").values()) == 71
    assert sum(known_counts("samm").values()) == 159
    assert "disgust 63" in Casme2.__doc__ and "negative 70" in Smic.__doc__ and "Disgust 9" in Samm.__doc__
    assert "{counts" not in Casme2.__doc__ + Smic.__doc__ + Samm.__doc__


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
