import shutil
from dataclasses import replace

import numpy as np
import pytest

from fleeting.clips import ArrayFrames, FrameFolder
from fleeting.datasets import load_clips
from fleeting.errors import UsageError
from fleeting.spotting import benchmark_spotters, published_errors
from fleeting.spotting.benchmark import MIDDLE


@pytest.fixture(scope="module")
def clips(small_set):
    return load_clips([f"synthetic:{small_set}"])[:3]


def test_errors_are_measured_against_the_annotation(clips):
    found = benchmark_spotters(clips, [("motion", {}), ("liong2015", {"radius": 1})])
    assert not found.skipped
    table = found.table
    assert len(table) == 3 * len(clips)
    assert list(dict.fromkeys(table["method"])) == ["motion", "liong2015,radius=1", MIDDLE]
    truth = {c.name + c.subject: c for c in clips}
    for row in table.to_dict("records"):
        clip = truth[row["clip"] + row["subject"]]
        assert row["apex"] == clip.apex and row["n_frames"] == len(clip.frames)
        assert row["error"] == abs(row["spotted"] - clip.apex)
        assert row["share"] == pytest.approx(row["error"] / len(clip.frames))
    summary = found.summary().set_index("method")
    assert summary.loc["motion", "median"] <= 1
    assert summary.loc["motion", "mae"] == pytest.approx(table[table.method == "motion"]["error"].mean())
    assert summary.loc[MIDDLE, "clips"] == len(clips)


def test_within_the_expression_only_its_frames_are_searched(clips):
    found = benchmark_spotters(clips[:1], [("motion", {})], within="expression")
    for row, clip in zip(found.table[found.table.method == "motion"].to_dict("records"), clips, strict=False):
        assert row["n_frames"] == clip.offset - clip.onset + 1
        assert clip.onset <= row["spotted"] <= clip.offset


def test_bad_clips_are_skipped_and_named_and_the_others_counted(clips, tmp_path):
    good = clips[0]
    nobody = np.zeros((4, 120, 120, 3), np.uint8)
    folder = tmp_path / "zerstört ü"
    shutil.copytree(good.frames.path, folder)
    for image in folder.iterdir():
        image.write_bytes(image.read_bytes()[:40])
    bad = [
        replace(good, name="no-apex", apex=None),
        replace(good, name="no-face", frames=ArrayFrames(nobody), onset=0, apex=2, offset=3),
        replace(good, name="outside", apex=10_000),
        replace(good, name="broken", frames=FrameFolder(folder, fps=60)),
    ]
    found = benchmark_spotters([bad[0], good, *bad[1:]], [("motion", {})])
    assert [key.rsplit("/", 1)[1] for key, _ in found.skipped] == ["no-apex", "no-face", "outside", "broken"]
    reasons = " | ".join(reason for _, reason in found.skipped)
    assert "no annotated apex" in reasons and "no face" in reasons and "frame 10000" in reasons
    assert set(found.table["clip"]) == {good.name}
    assert benchmark_spotters(bad[:1], [("motion", {})]).summary().empty


def test_a_method_that_fails_on_a_clip_costs_only_its_own_row(clips, own_registries):
    from fleeting.spotting import register_spotter

    @register_spotter("picky", paper="")
    def picky(frames, landmarks, fps=None):
        raise UsageError("not this one")

    found = benchmark_spotters(clips[:1], [("picky", {}), ("motion", {})])
    assert found.skipped == [(f"{clips[0].key}, picky", "not this one")]
    assert set(found.table["method"]) == {"motion", MIDDLE}


def test_impossible_requests_fail_before_any_work(clips):
    for methods, message in (
        ([("liong2014", {})], "did you mean"),
        ([("motion", {"with": 3})], "option of motion"),
        ([("motion", {}), ("motion", {})], "twice"),
    ):
        with pytest.raises(UsageError, match=message):
            benchmark_spotters(clips, methods)
    with pytest.raises(UsageError, match="clip, expression"):
        benchmark_spotters(clips, within="video")


def test_every_published_figure_has_its_source():
    for row in published_errors():
        assert float(row["mae_frames"]) > 0
        assert row["method"] and row["paper"] and row["datasets"]
        assert "doi:" in row["source"] or "http" in row["source"]
