"""CASME II on a look-alike that carries the quirks of the release."""

import pickle

import look_alike_casme2
import pytest
from asked import by_name, files, reasons
from tiny import write_book, write_frames

from fleeting.datasets import Casme2
from fleeting.datasets.facts import known_counts


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
