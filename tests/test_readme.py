"""What the README shows must run as it stands."""

import re
import shlex
from pathlib import Path

import pytest

from fleeting.app.cli import app

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def _blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def test_the_python_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = _blocks("python")
    # In a file's own namespace, as a reader would run it.
    space = {"__name__": "readme"}
    exec(compile(code, "README.md", "exec"), space)
    assert (tmp_path / "run" / "report.html").is_file()
    assert space["verdict"].label in {"disgust", "happiness", "surprise"}


@pytest.mark.parametrize(
    "line",
    [
        line.split("#")[0]
        for block in _blocks("")
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("fleeting ")
    ],
)
def test_the_commands_exist_with_these_options(line):
    function, bound, _ = app.parse_args(shlex.split(line)[1:], exit_on_error=False, print_error=False)
    assert function.__module__.startswith("fleeting")
    assert bound.arguments


def test_pictures_that_are_shown_are_there():
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (Path(__file__).resolve().parents[1] / path).is_file()
