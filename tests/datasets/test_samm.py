"""SAMM on a look-alike that carries the quirks of the release."""

import shutil

import look_alike_samm
import pytest
from asked import by_name, files, reasons
from tiny import write_book, write_frames

from fleeting.datasets import Samm
from fleeting.errors import UsageError


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
