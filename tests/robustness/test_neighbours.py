"""Two commands that write into one folder do so one after the other, and both end well."""

import subprocess
import sys

import pytest

from fleeting.records import work_alone

NAMES = ("synth", "synth-long", "evaluate")


def _start(arguments, environment):
    return subprocess.Popen(
        [sys.executable, "-m", "fleeting", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.mark.parametrize("name", NAMES)
def test_two_at_once_both_end_well(name, commands, undisturbed, contents, environment, tmp_path):
    expected, _ = undisturbed(name)
    out = tmp_path / "out"
    both = [_start(commands[name].arguments(out), environment) for _ in range(2)]
    told = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert contents(out) == expected
    assert not list(out.rglob(".unfinished"))


def test_the_second_says_that_it_waits(commands, undisturbed, contents, environment, tmp_path):
    expected, _ = undisturbed("synth")
    out = tmp_path / "out"
    out.mkdir()
    with work_alone(out):
        second = _start([word for word in commands["synth"].arguments(out) if word != "--quiet"], environment)
        # Only the first line is waited for, and only this process can let the other one go on.
        told = second.stderr.readline()
        assert f"{out}: another process is at work there; waiting until it has ended" in told
        assert list(out.iterdir()) == []
    second.communicate()
    assert second.returncode == 0
    assert contents(out) == expected


def test_of_two_analyses_one_is_made_and_the_other_is_told(commands, undisturbed, contents, environment, tmp_path):
    expected, _ = undisturbed("analyze")
    out = tmp_path / "out"
    arguments = commands["analyze"].arguments(out)
    both = [_start(arguments, environment) for _ in range(2)]
    told = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], told
    assert "holds an analysis; pass --resume" in told[both[0].returncode == 0]
    assert contents(out) == expected
