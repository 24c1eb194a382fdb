"""A disk that is full is told in our own words; once there is room the same command makes what it would have made."""

import pytest


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("synth", 0),
        ("synth", 4_000),
        ("synth-long", 0),
        ("synth-long", 40_000),
        ("evaluate", 0),
        ("evaluate", 12_000),
        ("analyze", 0),
        ("analyze", 6_000),
    ],
)
def test_a_full_disk_is_an_error_of_ours_and_nothing_half_is_kept(
    name, limit, launch, commands, undisturbed, contents, tmp_path
):
    expected, _ = undisturbed(name)
    out = tmp_path / "out"
    answer = launch(commands[name].arguments(out), limit=limit)
    told = answer["told"]
    assert answer["code"] == 1, told
    assert "error: " in told and "internal error" not in told and "Traceback" not in told
    assert "cannot be written" in told or "could be written" in told or "File too large" in told, told
    answer = launch(commands[name].arguments(out))
    assert answer["code"] == 0, answer["told"]
    assert contents(out) == expected


@pytest.mark.parametrize("form", ["mp4", "avi", "jpg"])
def test_a_video_that_is_cut_off_is_not_called_finished(form, launch, tmp_path):
    """OpenCV's writers say nothing when a disk is full, and go on."""
    arguments = ["synth-long", tmp_path, "--subjects", 1, "--seconds", 3, "--fps", 10, "--format", form, "--jobs", 1]
    arguments += ["--micro", 10, "--cut", 0, "--absence", 0, "--speech", 0, "--turn", 0, "--macro", 0]
    answer = launch(arguments, limit=15_000)
    assert answer["code"] == 1, answer["told"]
    assert "s01_01" in answer["told"] and "Free some space" in answer["told"].replace("free", "Free")
    assert not list(tmp_path.rglob("s01_01*"))
    assert launch(arguments)["code"] == 0
    assert list(tmp_path.rglob("s01_01*"))
