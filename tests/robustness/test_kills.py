"""A command that is killed at any moment and given again ends with what it would have made undisturbed.

A few kills of each command; ``benchmarks/kills.py`` kills at every commit, and at hundreds of moments.
"""

import random
import signal

import pytest

NAMES = ("synth", "synth-long", "evaluate", "analyze")
KILLED = -signal.SIGKILL


def _finish(launch, command, out):
    answer = launch(command.arguments(out))
    assert answer["code"] == 0, answer["told"]


def _kill_at_commits(launch, command, out, contents, expected, moments):
    for commit, after in moments:
        folder = out / f"{commit}-{'after' if after else 'before'}"
        assert launch(command.arguments(folder), commit=commit, after=after)["code"] == KILLED
        _finish(launch, command, folder)
        assert contents(folder) == expected, (commit, after)


@pytest.mark.parametrize("name", NAMES)
def test_a_kill_at_a_commit_loses_nothing(name, launch, commands, undisturbed, contents, tmp_path):
    """The first commits, where a folder becomes one's own, the last, and some between."""
    expected, last = undisturbed(name)
    chosen = {1, 2, 3, 3 + last // 2, last}
    # The last but one: all is said, and only the tidying is left.
    moments = {(commit, commit % 2 == 0) for commit in chosen} | {(last - 1, True)}
    _kill_at_commits(launch, commands[name], tmp_path, contents, expected, sorted(moments))


@pytest.mark.parametrize("name", NAMES)
def test_kills_one_after_the_other_are_survived(name, launch, commands, undisturbed, contents, tmp_path):
    """The second kill hits what goes on after the first."""
    expected, last = undisturbed(name)
    out = tmp_path / "out"
    for commit in (1, 2, last // 2):
        launch(commands[name].arguments(out), commit=commit)
    _finish(launch, commands[name], out)
    assert contents(out) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_kill_at_any_moment_loses_nothing(name, launch, commands, undisturbed, contents, tmp_path):
    """Moments drawn by seed; a fast machine may have ended before one, which is as good."""
    expected, _ = undisturbed(name)
    rng = random.Random(name)
    for number in range(2):
        out = tmp_path / str(number)
        launch(commands[name].arguments(out), delay=rng.uniform(0.05, 1.0))
        _finish(launch, commands[name], out)
        assert contents(out) == expected
