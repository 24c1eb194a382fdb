"""Text is text: what stands in a path or a label is shown, and neither read as markup nor obeyed by a terminal."""

import json
import re
import shutil
import warnings

import pytest

from fleeting.app import cli
from fleeting.app.cli import main
from fleeting.app.screen import Screen, printable

# Markup and emoji codes of Rich, formulas of matplotlib, and names of files that a shell dislikes.
PLAIN = "v [final] [red] :smile: $frac{$ %s {0}"
# Clear the screen, ring, begin a line, delete, a control sequence in one byte, turn the direction of writing.
OBEYED = "\x1b[2J\a\n\r\t\x7f\x9b31m\u202e"


def commands(clip, run, folder):
    """Verbs that print names, each with the name in what it reads and in what it writes."""
    name = clip.name
    yield ["spot", str(clip), "--figure", str(folder / f"{name}.png"), "--scores", str(folder / f"{name}.csv")]
    yield ["predict", str(clip), "--model", str(run), "--fps", "60", "--figure", str(folder / f"p{name}.png")]
    yield ["preprocess", str(clip), "--show-steps", str(folder / f"s{name}.png")]
    yield ["report", str(run)]
    yield ["compare", str(run), "--permutations", "10", "--out", str(folder / f"c{name}.csv")]
    yield ["synth", str(folder / f"set{name}"), "--subjects", "1", "--clips-per-subject", "1", "--fps", "30", "-j", "1"]
    yield ["export", str(run), "--out", str(folder / f"{name}.onnx")]


def wrong_commands(name, folder):
    gone = str(folder / f"gone{name}")
    yield ["spot", gone]
    yield ["predict", gone]
    yield ["report", gone]
    yield ["compare", gone]
    yield ["data", "check", f"folder:{gone}"]
    yield ["data", "check", name, gone]
    yield ["evaluate", "--data", f"folder:{gone}", "--out", gone]
    yield ["evaluate", "--data", "folder:x", "--model", name, "--out", gone]
    yield ["evaluate", "--data", "folder:x", "--seeds", name, "--out", gone]
    yield ["evaluate", "--data", "folder:x", "--epochs", name, "--out", gone]
    yield [name]


@pytest.mark.parametrize("name", [PLAIN, OBEYED], ids=["markup", "control"])
def test_names_are_shown_and_nothing_else_happens(name, small_set, small_run, tmp_path, capsys):
    clip, run = tmp_path / name, tmp_path / f"run{name}"
    shutil.copytree(small_set / "s01" / "c01", clip)
    shutil.copytree(small_run.path, run)
    with warnings.catch_warnings():
        # Of matplotlib, about glyphs that its font lacks.
        warnings.simplefilter("ignore", UserWarning)
        for command in commands(clip, run, tmp_path):
            code = main(command)
            captured = capsys.readouterr()
            assert code == 0, (command, captured)
            if command[0] != "compare":
                assert printable(name) in captured.out, command
            _harmless(captured.out + captured.err)
    for command in wrong_commands(name, tmp_path):
        assert main(command) in (1, 2)
        captured = capsys.readouterr()
        # The parser of options drops some control characters itself.
        assert printable(name) in captured.err or "--epochs" in command or command == [name], command
        assert "internal error" not in captured.err
        _harmless(captured.out + captured.err)


def _harmless(text):
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text), text


def test_json_is_the_same_value_without_what_a_terminal_obeys(capsys):
    value = {"path": PLAIN + OBEYED, "list": [1, None, "ü"]}
    Screen(json_output=True).dump(value)
    printed = capsys.readouterr().out
    assert json.loads(printed) == value
    assert "ü" in printed
    _harmless(printed)


def test_a_long_argument_is_not_repeated_whole(capsys):
    assert main(["models", "--json=" + "x" * 100_000]) == 2
    assert len(capsys.readouterr().err) < 5000


def test_warnings_of_libraries_are_said_as_ours(capsys):
    cli._show_warning("the mean of nothing\x1b[2J", UserWarning, "file.py", 3)
    cli._show_warning("invalid value", RuntimeWarning, "file.py", 3)
    assert capsys.readouterr().err.splitlines() == [
        "warning: the mean of nothing\\x1b[2J",
        "warning: RuntimeWarning: invalid value (file.py, line 3)",
    ]


def test_names_in_another_encoding_are_refused(tmp_path, capsys):
    assert main(["spot", str(tmp_path / "caf\udce9.mp4")]) == 2
    assert "caf\\udce9.mp4" in capsys.readouterr().err
