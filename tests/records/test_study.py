"""A study's page on disk comes back as it was written, and no damage to it is anything but our own error."""

import copy
import json
import random

import pytest
from pydantic import ValidationError

from fleeting.errors import FleetingError
from fleeting.records import (
    RecordError,
    StudyBanner,
    StudyColumn,
    StudyFigure,
    StudyFile,
    StudyPage,
    StudyReference,
    StudyRun,
    StudySection,
    StudyTable,
    tells_collapse,
)
from fleeting.reports import render_report

NAME = StudyColumn(key="name", label="Name")
SHARE = StudyColumn(
    key="a", label="accuracy", unit="share", role="measured", low="a_low", high="a_high", state="status"
)
PRINTED = StudyColumn(key="p", label="published", unit="percent", role="published", group="A")
PAGE = StudyPage(
    created="2026-01-02T03:04:05+00:00",
    name="study",
    title="A study",
    partial=True,
    look_alike=True,
    summary=("One sentence.",),
    banners=(StudyBanner(kind="note", title="Note", text=("Faces are partially hidden.",)),),
    sections=(
        StudySection(
            id="one",
            title="One",
            text=("Text.",),
            tables=(StudyTable(file="t.csv", caption="C", columns=(NAME, PRINTED, SHARE)),),
            figures=(
                StudyFigure(
                    file="t.csv",
                    type="bars",
                    x=NAME,
                    y=(SHARE, PRINTED),
                    y_limits=(0, 100),
                    references=(StudyReference(label="r", value=50.0),),
                ),
            ),
        ),
    ),
    runs=(StudyRun(name="run", folder="runs/run", what="A run", finished=1, expected=2, failed=("it diverged",)),),
    files={"t.csv": StudyFile(rows=2, sha256="0" * 64)},
    versions={"fleeting": "0.1.0", "keras": None},
    machine={"cores": 2},
)
OLD = {
    "format": 1,
    "kind": "study",
    "title": "An old study",
    "partial": True,
    "look_alike": True,
    "summary": ["One sentence."],
    "banners": [{"kind": "alert", "title": "Look-alikes, not the real data", "text": ["They are synthetic."]}],
    "sections": [
        {
            "id": "one",
            "tables": [
                {
                    "file": "t.csv",
                    "columns": [
                        {"key": "name", "label": "Name", "kind": "text"},
                        {"key": "p", "label": "published", "kind": "published"},
                        {"key": "a", "label": "accuracy", "kind": "percent", "low": "a_low", "high": "a_high"},
                        {"key": "status", "label": "", "kind": "status"},
                    ],
                }
            ],
            "figures": [{"file": "t.csv", "type": "bars", "x": "name", "y": ["p", "a"], "title": "F", "x_label": ""}],
        }
    ],
    "runs": [{"name": "run", "folder": "runs/run", "what": "A run", "finished": 1, "expected": 2, "collapsed": 0}],
}
TABLE = "name,p,a,a_low,a_high,status\nx,43.7,0.4,0.3,0.5,ok\ny,44.8,,,,not run\n"


def test_a_page_comes_back_as_it_was_written(tmp_path):
    PAGE.write(tmp_path / "study.json")
    assert StudyPage.read(tmp_path / "study.json") == PAGE
    assert PAGE.shown_files() == ["t.csv"]


def test_the_old_form_is_read_with_units_and_roles():
    page = StudyPage.parse(OLD, "study.json")
    assert page.format == 2 and page.banners[0].kind == "look-alike"
    (section,) = page.sections
    columns = section.tables[0].columns
    assert [(one.unit, one.role) for one in columns] == [
        ("text", "plain"), ("share", "published"), ("share", "measured"), ("state", "plain")
    ]  # fmt: skip
    assert columns[2].state == "status" and section.figures[0].y == columns[1:3]
    # Read twice, the file's value is as it was.
    assert OLD["sections"][0]["figures"][0]["y"] == ["p", "a"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: StudyColumn(key="a", low="b"), "both ends"),
        (lambda: StudyColumn(key="a", role="interval"), "both ends"),
        (lambda: StudyColumn(key=""), "at least 1 character"),
        (lambda: StudyFigure(file="t.csv", type="bars", x=NAME, y=(SHARE, NAME)), "one unit on the axis, found share, text"),
        (lambda: StudyFigure(file="t.csv", type="bars", x=NAME, y=(SHARE,), y_limits=(1, 0)), "lower end first"),
    ],
)  # fmt: skip
def test_a_page_that_cannot_be_drawn_cannot_be_made(make, says):
    with pytest.raises(ValidationError, match=says):
        make()


@pytest.mark.parametrize(
    ("cell", "collapsed"),
    [("yes", True), ("2 of 5", True), ("3.0", True), ("no", False), ("0 of 5", False), ("0", False), ("0.0", False),
     ("", False), ("–", False)],
)  # fmt: skip
def test_cells_of_collapsed_trainings(cell, collapsed):
    assert tells_collapse(cell) is collapsed


VALUES = (None, [], {}, [[]], [None], {"a": 1}, True, "text", "", 0, -1, 0.5, 1e300, 10**19, "a\0b", "../x", "n" * 300)


def _places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from _places(item, (*path, name))


def _mutant(value, rng):
    value = copy.deepcopy(value)
    *above, last = rng.choice([path for path in _places(value) if path])
    parent = value
    for name in above:
        parent = parent[name]
    change = rng.randrange(3)
    if change == 0:
        del parent[last]
    elif change == 1 and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[last]))
    else:
        parent[last] = rng.choice(VALUES)
    return value


@pytest.mark.parametrize("form", ["new", "old"])
def test_any_damage_is_a_page_or_an_error_that_names_the_file(form, tmp_path):
    rng = random.Random(12)
    good = OLD if form == "old" else PAGE.to_json()
    (tmp_path / "t.csv").write_text(TABLE)
    path = tmp_path / "study.json"
    refused = 0
    for number in range(400):
        path.write_text(json.dumps(_mutant(good, rng)))
        try:
            StudyPage.read(path)
        except RecordError as error:
            refused += 1
            assert str(error).startswith(str(path)), error
            with pytest.raises(FleetingError):
                render_report(tmp_path)
        else:
            # Pages take longer than records: some of them.
            if number % 8 == 0:
                render_report(tmp_path)
    assert 50 < refused < 400


@pytest.mark.parametrize("form", ["new", "old"])
def test_bytes_that_were_lost_or_turned_are_an_error_or_a_page(form, tmp_path):
    rng = random.Random(13)
    content = json.dumps(OLD if form == "old" else PAGE.to_json()).encode()
    path = tmp_path / "study.json"
    read = 0
    for number in range(200):
        damaged = bytearray(content)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged if number % 2 else content[: rng.randrange(len(content))])
        try:
            StudyPage.read(path)
            read += 1
        except RecordError as error:
            assert str(error).startswith(str(path)), error
    assert 0 < read < 200
