"""SMIC on a look-alike that carries the quirks of the release."""

import look_alike_smic
import pytest
from asked import by_name, files, reasons
from tiny import write_frames

from fleeting.datasets import Smic, WrongFolderError
from fleeting.errors import UsageError

NAME = "Daten ü 表情"


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
