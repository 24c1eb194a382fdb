"""Nothing that a person types ends in a traceback, and nothing that is printed moves the terminal."""

import random
import signal
import sys
from pathlib import Path

import pytest

from fleeting.app.cli import main

sys.path.insert(0, str(Path(__file__).parent))

from odd_command_lines import ODD, fill, write_places

SAMPLE = random.Random(12).sample(ODD, 60)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return write_places(tmp_path_factory.mktemp("odd"))


@pytest.fixture
def no_hang():
    """A verb that waits for ever ends the test instead."""

    def end(*_):
        raise BaseException("hangs")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def shown(command):
    return (
        " ".join(word if len(word) < 30 else f"{word[:12]}...{len(word)}" for word in command)
        .encode("unicode_escape")
        .decode("ascii")
    )


@pytest.mark.parametrize("command", SAMPLE, ids=shown)
def test_what_cannot_be_done_is_said(command, places, no_hang, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = main(fill(command, places | {"out": str(tmp_path / "out")}))
    captured = capsys.readouterr()
    assert code in (1, 2), captured
    assert "error: " in captured.err
    assert "Traceback" not in captured.err and "internal error" not in captured.err
    assert "\x1b" not in captured.err + captured.out


def test_no_line_stands_in_the_list_twice():
    assert len({tuple(command) for command in ODD}) == len(ODD)
    assert len(ODD) >= 300
