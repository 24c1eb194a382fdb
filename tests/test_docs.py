"""What the pages of docs/ show must run as it stands, and their figures must be those of the data."""

import re
import shlex
from functools import partial
from pathlib import Path

import pytest

from fleeting import parallel
from fleeting.app.cli import app, main
from fleeting.synthesis import look_alike

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.S | re.M)


def _commands(text):
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("fleeting "):
            yield shlex.split(line, comments=True)[1:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch, own_registries, capsys):
    """Files are written, Python runs in the page's namespace, and plain blocks of commands are run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLEETING_CACHE", str(tmp_path / ".cache"))
    # Workers are tested elsewhere; each would import torch anew.
    monkeypatch.setattr(parallel, "available_cores", lambda: 1)
    # Look-alikes in small pictures: nobody looks for faces in them here.
    monkeypatch.setattr(look_alike, "write_dataset", partial(look_alike.write_dataset, size=(70, 85)))
    space = {"__name__": page.stem}
    seen = 0
    for language, code in BLOCK.findall(page.read_text(encoding="utf-8")):
        named = re.match(r"# (\w+\.py)\n", code)
        if language == "python" and named:
            Path(named[1]).write_text(code, encoding="utf-8")
        elif language == "python":
            exec(compile(code, page.name, "exec"), space)
        elif language == "":
            for command in _commands(code):
                assert main(command) == 0, (command, capsys.readouterr().err)
        else:
            assert language in {"sh", "text"}
        seen += 1
    assert seen
    if page.stem == "extending":
        assert "Does the size of the pictures matter?" in (tmp_path / "sizes" / "report.html").read_text()
        assert (tmp_path / "own-run" / "report.html").is_file()
        assert "every second subject" in (tmp_path / "own-run" / "report.html").read_text().lower()
        # Run from Python or from the command line: the same units.
        units = [{p.name for p in (tmp_path / run / "units").iterdir()} for run in ("tiny-run", "tiny-run-2")]
        assert units[0] == units[1]
    if page.stem == "results":
        _check_the_table(page.read_text(encoding="utf-8"), space["majority"])


def _check_the_table(text, majority):
    from fleeting.studies import published

    printed = published("talluri2022", "table4")
    rows = re.findall(r"^\| (\d) \|[^|]*\|[^|]*\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", text, flags=re.M)
    assert len(rows) == 8
    for number, *figures, commonest in rows:
        (scenario,) = {row for row, _ in printed if row.startswith(f"{number}:")}
        assert figures == [printed[scenario, f"model_{m}"] for m in "abc"]
        assert float(commonest) == round(majority[number], 1)


@pytest.mark.parametrize(
    "command",
    [
        command
        for page in PAGES
        for language, code in BLOCK.findall(page.read_text(encoding="utf-8"))
        if language == "sh"
        for command in _commands(code)
        if "..." not in command
    ],
    ids=" ".join,
)
def test_commands_on_data_that_is_not_here_exist_with_these_options(command):
    function, bound, _ = app.parse_args(command, exit_on_error=False, print_error=False)
    assert function.__module__.startswith("fleeting")
    assert bound.arguments


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES], ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+://", target):
            continue
        path, _, anchor = target.partition("#")
        found = page.parent / path if path else page
        assert found.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), flags=re.M)
            assert anchor in {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}, target


def test_what_the_pages_say_of_the_data_sets_is_what_the_package_knows():
    from fleeting.datasets.facts import known_counts

    (row,) = re.findall(
        r"^\| classes \|(.*)\|$", (ROOT / "docs" / "data-sets.md").read_text(encoding="utf-8"), flags=re.M
    )
    for name, cell in zip(("casme2", "smic", "samm"), row.split("|"), strict=True):
        assert {e: int(n) for e, n in re.findall(r"(\w+) (\d+)", cell)} == known_counts(name)
