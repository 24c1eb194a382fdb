"""A study's page says what its files say, marks what was not run, and survives whatever the folder holds."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.records import (
    StudyBanner,
    StudyColumn,
    StudyFigure,
    StudyFile,
    StudyPage,
    StudyReference,
    StudyRun,
    StudySection,
    StudyTable,
)
from fleeting.reports import NotARunError, is_study, read_study, render_html, render_report
from fleeting.reports.tables import build_table


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"reports_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


folders = _load("study_folders")
Page = _load("test_page").Page
column = folders.column


@pytest.fixture
def talluri(tmp_path: Path) -> Path:
    path = tmp_path / "study"
    path.mkdir()
    return folders.build_talluri(path)


@pytest.fixture
def irawan(tmp_path: Path) -> Path:
    path = tmp_path / "study"
    path.mkdir()
    return folders.build_irawan(path)


def edit(folder: Path, **update: Any) -> Path:
    StudyPage.read(folder / "study.json").model_copy(update=update).write(folder / "study.json")
    return folder


def page_of(folder: Path) -> Any:
    return Page(render_report(folder).read_text(encoding="utf-8"))


def one_table(folder: Path, csv: str, *columns: StudyColumn, figures: Sequence[StudyFigure] = ()) -> Path:
    """A study of one section with one table."""
    (folder / "t.csv").write_text(csv, encoding="utf-8")
    shown = StudyTable(file="t.csv", caption="C", columns=columns)
    section = StudySection(id="s", title="S", tables=(shown,), figures=tuple(figures))
    StudyPage(title="T", sections=(section,)).write(folder / "study.json")
    return folder


def cells(page: Any) -> list[str]:
    return [
        " ".join(e["text"].split()) for e in page.elements if e["tag"] in ("td",) or e["attrs"].get("scope") == "row"
    ]


def test_the_page_has_every_part_in_the_given_order(talluri: Path) -> None:
    assert is_study(talluri)
    page = page_of(talluri)
    ids = [e["attrs"]["id"] for e in page.all("section")]
    assert ids == ["table1", "table2", "table3", "figure4", "table4", "assumptions", "notes", "runs", "machine"]
    assert [e["attrs"]["href"] for e in page.all("a") if e["attrs"]["href"].startswith("#")] == [f"#{i}" for i in ids]
    everything = [e["attrs"]["id"] for e in page.elements if "id" in e["attrs"]]
    assert len(everything) == len(set(everything))
    assert "every table" in page.text("h1") and "Applied Sciences" in page.text("p", "paper")
    assert page.text("p", "lede").startswith("Trained as the paper says")
    assert "reach 83 %" in page.text("ul", "summary")
    assert "2.11.0" in page.text("section", within="") and "rather long name" in page.text("dd")
    assert "60 training runs of 90 finished, 21 of them collapsed" in page.text("p", "state")
    assert not page.all("p", "problem") and not page.all("div", "caution")


def test_look_alikes_are_said_before_all_else(talluri: Path) -> None:
    page = page_of(talluri)
    banners = [e["text"] for e in page.all("div", "banner")]
    assert "synthetic look-alikes of the true size; no figure here says anything about the real data sets" in banners[0]
    assert "A partial result" in banners[1] and "60 of 90 training runs are finished" in banners[1]
    assert "Without SAMM" in banners[2] and len(banners) == 3
    assert page.html.index("look-alikes of the true size") < page.html.index('class="lede"')
    given = StudyPage.read(talluri / "study.json").banners
    own = StudyBanner(kind="look-alike", title="Made for this", text=("Nobody is shown.",))
    page = page_of(edit(talluri, banners=(*given, own)))
    banners = [e["text"] for e in page.all("div", "banner")]
    assert "Made for this" in banners[0] and len(banners) == 3
    page = page_of(edit(talluri, look_alike=False, partial=False, banners=()))
    assert not page.all("div", "banner")


def test_words_of_a_note_hide_no_banner(talluri: Path) -> None:
    """A note that has the words of another banner in it stays a note beside that banner."""
    note = StudyBanner(kind="note", title="Faces", text=("Faces are partially hidden, unlike in the look-alike sets.",))
    banners = [e["text"] for e in page_of(edit(talluri, banners=(note,))).all("div", "banner")]
    assert len(banners) == 3
    assert "Synthetic look-alikes, not the data sets" in banners[0] and "A partial result" in banners[1]
    assert "partially hidden" in banners[2]
    banners = [e["text"] for e in page_of(edit(talluri, look_alike=False, partial=False)).all("div", "banner")]
    assert len(banners) == 1 and "partially hidden" in banners[0]


def test_published_and_measured_stand_side_by_side(talluri: Path) -> None:
    page = page_of(talluri)
    heads = [e["text"] for e in page.all("th", within="table3") if e["attrs"].get("scope") in ("col", "colgroup")]
    assert heads == ["Data set", "Majority class", "Initial frames", "Apex sequence", "Motion, stable training",
                     "published", "measured", "published", "measured", "subjects apart"]  # fmt: skip
    groups = [e for e in page.all("th", within="table3") if e["attrs"].get("scope") == "colgroup"]
    assert [e["attrs"]["colspan"] for e in groups] == ["2", "3"]
    published = [e["text"] for e in page.all("td", "pub", within="table3")]
    assert published == ["46.9 %", "56.5 %", "34.3 %", "43.7 %"]
    strong = page.all("td", "strong", within="table3")
    assert len(strong) == 2 and all(re.fullmatch(r"\d\d\.\d %\[\d\d\.\d, \d\d\.\d\]", e["text"]) for e in strong)
    numbers = [e for e in page.all("td", within="table3") if "%" in e["text"]]
    assert all("n" in e["attrs"]["class"].split() for e in numbers) and len(numbers) == 14


def test_what_was_not_run_is_marked_and_grey_but_keeps_what_was_published(talluri: Path) -> None:
    page = page_of(talluri)
    rows = page.all("tr", "off", within="table4")
    assert len(rows) == 4 and all("not run" in e["text"] and "–" in e["text"] for e in rows)
    assert "88.2 %" in rows[0]["text"] and "3. Combined → Combined" in rows[0]["text"]
    assert all(
        e["text"] == "not run" for e in page.all("td", "off", within="table4") if "nowrap" in e["attrs"]["class"]
    )
    assert not any("nan" in e["text"] for e in page.elements if e["tag"] == "td")
    flags = page.all("td", "flag", within="table4")
    assert flags and all(int(e["text"]) > 0 for e in flags)
    assert len(page.all("tr", "off", within="runs")) == 6


def test_runs_link_to_their_pages_only_where_there_is_one(talluri: Path) -> None:
    page = page_of(talluri)
    links = [e["attrs"]["href"] for e in page.all("a", within="runs")]
    assert links == ["runs/model_a-smic-mixed/report.html"]
    assert (talluri / links[0]).is_file()
    outside = talluri.parent / "outside"
    outside.mkdir()
    (outside / "report.html").touch()
    (talluri / "runs" / "odd #1?").mkdir()
    (talluri / "runs" / "odd #1?" / "report.html").touch()

    names = ["../outside", str(outside), "javascript:alert(1)//", "runs/odd #1?", "", "5", "a\0b", "x" * 300]
    runs = tuple(StudyRun(name=f"r{at}", folder=name, finished=1) for at, name in enumerate(names))
    page = page_of(edit(talluri, runs=runs))
    assert [e["attrs"]["href"] for e in page.all("a", within="runs")] == ["runs/odd%20%231%3F/report.html"]


def test_nothing_outside_the_folder_is_named(talluri: Path) -> None:
    page = page_of(talluri)
    for element in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "xlink:href", "poster"):
            value = element["attrs"].get(name)
            assert value is None or value.startswith(("#", "data:", "runs/", "tables/")), element
    assert "http://" not in page.html and "https://" not in page.html and "url(" not in page.text("style")
    (policy,) = (e["attrs"]["content"] for e in page.all("meta") if e["attrs"].get("http-equiv"))
    assert policy.startswith("default-src 'none'")


def test_wide_tables_scroll_in_their_own_container(talluri: Path) -> None:
    page = page_of(talluri)
    assert len(page.all("div", "scroll")) == len(page.all("table")) == 5
    assert len(page.all("figure", "broad")) == 1
    assert all(e["attrs"]["aria-label"] and e["attrs"]["tabindex"] == "0" for e in page.all("div", "scroll"))
    assert re.search(r"table\.study :is\(td, th\):first-child[^}]*position: sticky", page.text("style"))


def test_figures_are_drawn_from_the_files(talluri: Path) -> None:
    page = page_of(talluri)
    assert len(page.all("g", "line", within="figure4")) == 5
    names = [e["text"] for e in page.all("text", "name", within="figure4")]
    assert sorted(names) == ["always ‘disgust’", "published, best split", "published, worst split"]
    assert len(page.all("li", within="figure4")) == 5
    # Eight published, four measured, eight majority-class; then four by three.
    assert len(page.all("g", "bar", within="table4")) == 20 + 12
    assert len(page.all("g", "published", within="table4")) == 8
    assert len(page.all("path", "whisker", within="table4")) == 4 + 12
    values = [e["text"] for e in page.all("text", "value", within="table4")]
    assert values.count("–") == 4 + 12 and "88.2" in values and "42.7" in values
    assert "Model-A, published" in page.text("ul", "legend") and "95 % interval" in page.text("ul", "legend")


def test_tables_of_sweeps(irawan: Path) -> None:
    page = page_of(irawan)
    shown = [e["text"] for e in page.all("td", within="table3")]
    assert [e["text"] for e in page.all("td", "pub", within="table3")] == ["76.81 %", "81.70 %", "73.48 %"]
    assert [e["text"] for e in page.all("th", within="table3") if e["attrs"]["scope"] == "row"] == [
        "0.01", "0.001", "0.0001"]  # fmt: skip
    # An interval is in the unit of the figure that it belongs to.
    assert len([text for text in shown if re.fullmatch(r"\[\d\d\.\d, \d\d\.\d\]", text)]) == 3
    assert all(re.fullmatch(r"0\.\d{3}", text) for text in shown[5::6])
    ticks = page.text("g", "ticks", within="table3")
    assert "0.00010.0010.01" in ticks, ticks
    assert "(Irawan et al.)" in [e["text"] for e in page.all("text", "category", within="table6")]
    assert "majority class" in page.text("text", "name", within="table3")
    page = page_of(edit(irawan, kind="sweep", paper=""))
    assert "sweep" in page.text("p", "kicker") and "sweep report" in page.text("title")


def test_an_interval_of_scores_stays_one(tmp_path: Path) -> None:
    columns = (column("uf1", "UF1", "score"), column("i", "", "score", "interval", low="lo", high="hi"))
    page = page_of(one_table(tmp_path, "uf1,lo,hi\n0.4321,0.35,0.524\n0.5,,0.6\n", *columns))
    assert cells(page)[:4] == ["0.432", "[0.35, 0.52]", "0.500", "–"]


@pytest.mark.parametrize(
    ("unit", "role", "texts", "shown"),
    [
        ("share", "measured", ["0.4371", "", "NaN", "inf", "1", "not run"], ["43.7 %", "–", "–", "–", "100.0 %", "not run"]),
        ("percent", "published", ["43.7", "81.70", "x"], ["43.70 %", "81.70 %", "x"]),
        ("share", "published", ["0.8170", "0.7681", "1"], ["81.70 %", "76.81 %", "100.00 %"]),
        ("share", "published", ["0.5", "nan"], ["50 %", "–"]),
        # Small percentages are no shares, and large shares no percentages.
        ("percent", "published", ["0.8", "0.9"], ["0.8 %", "0.9 %"]),
        ("share", "published", ["1.5", "0.9"], ["150 %", "90 %"]),
        ("percent", "measured", ["0.8", "0.93"], ["0.8 %", "0.9 %"]),
        ("points", "measured", ["0.8", "-0.95"], ["0.80", "-0.95"]),
        ("seconds", "measured", ["0.8", "12.5"], ["0.8", "12.5"]),
        ("count", "plain", ["12544", "5.0", "2.5", "-"], ["12,544", "5", "2.5", "-"]),
        ("number", "plain", ["0.0001", "0.01", "100"], ["0.0001", "0.01", "100"]),
        ("number", "plain", ["0.3", "0.55"], ["0.30", "0.55"]),
        ("number", "plain", ["0.123456", "0.00001", "None"], ["0.123", "1e-05", "–"]),
        ("text", "plain", ["a  b", "none", "nan", ""], ["a b", "none", "–", "–"]),
        ("state", "plain", ["ok", "not run", "failed"], ["ok", "not run", "failed"]),
    ],
)  # fmt: skip
def test_cells_by_unit(tmp_path: Path, unit: str, role: str, texts: list[str], shown: list[str]) -> None:
    csv = "name,v\n" + "".join(f"r,{text}\n" for text in texts)
    page = page_of(one_table(tmp_path, csv, column("name", ""), column("v", "V", unit, role)))
    assert cells(page)[1::2][: len(shown)] == shown


def test_small_percentages_are_drawn_as_they_are(tmp_path: Path) -> None:
    """Neither a bar nor the ends of the axis are scaled by their size."""
    bars = StudyFigure(
        file="t.csv",
        type="bars",
        x=column("name", "Name"),
        y=(column("p", "printed", "percent", "published"), column("m", "measured", "share", "measured")),
        y_limits=(0, 1),
        references=(StudyReference(label="half a percent", value=0.5),),
    )
    page = page_of(one_table(tmp_path, "name,p,m\na,0.8,0.007\nb,0.9,0.009\n", figures=[bars]))
    assert [e["text"] for e in page.all("text", "value")] == ["0.8", "0.7", "0.9", "0.9"]
    assert "percent" in page.text("g", "axis") and "0.00.20.40.60.81.0" in page.text("g", "ticks")


@settings(max_examples=60)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=5), st.sampled_from(["share", "score", "count", "state"]))
def test_any_text_is_a_cell(texts: list[str], unit: Any) -> None:
    columns = [StudyColumn(key="v", label="V", unit=unit, low="v", high="v")]
    table = build_table(columns, [{"v": text} for text in texts])
    assert len(table.rows) == len(texts)
    assert all(row.cells[0].text and row.cells[0].text.lower() != "nan" for row in table.rows)


def test_states_of_groups_and_what_collapsed(tmp_path: Path) -> None:
    columns = (column("name", ""), column("a_collapsed", "collapsed", role="collapsed", group="A"),
               column("a_status", "", "state", group="A"),
               column("b_collapsed", "collapsed", "count", "collapsed", group="B"),
               column("b_status", "", "state", group="B"), column("collapsed_roofs", "Roofs", "count"))  # fmt: skip
    csv = (
        "name,a_collapsed,a_status,b_collapsed,b_status,collapsed_roofs\n"
        "x,yes,ok,0,ok,7\ny,0 of 5,ok,,not run,8\nz,2 of 5,ok,3.0,ok,9\n"
    )
    page = page_of(one_table(tmp_path, csv, *columns))
    # A state of which all is well, and which has no heading, would only take room.
    assert cells(page)[:15] == [
        "x",
        "yes",
        "0",
        "ok",
        "7",
        "y",
        "0 of 5",
        "–",
        "not run",
        "8",
        "z",
        "2 of 5",
        "3",
        "ok",
        "9",
    ]
    # What a column is called makes it none of collapses.
    assert [e["text"] for e in page.all("td", "flag")] == ["yes", "2 of 5", "3"]
    assert not page.all("tr", "off") and [e["text"] for e in page.all("td", "off")] == ["–", "not run"]


def test_columns_that_are_not_there_are_named(tmp_path: Path) -> None:
    gone = column("gone", "", "share", low="gone_low", high="gone_high")
    page = page_of(one_table(tmp_path, "name\na\n", column("name", ""), gone))
    assert "lacks the columns gone, gone_low, gone_high" in page.text("p", "problem")
    assert cells(page)[:2] == ["a", "–"]


def test_what_no_row_ran_is_not_called_missing(tmp_path: Path) -> None:
    columns = (column("name", ""),
               column("a_accuracy", "", "share", low="a_low", high="a_high", state="a_status"))  # fmt: skip
    page = page_of(one_table(tmp_path, "name,a_status\nx,not run\ny,not run\n", *columns))
    assert not page.all("p", "problem") and len(page.all("tr", "off")) == 2
    page = page_of(one_table(tmp_path, "name,a_status\nx,not run\ny,ok\n", *columns))
    assert "lacks the columns a_accuracy" in page.text("p", "problem") and len(page.all("tr", "off")) == 1


def test_a_table_without_columns_shows_the_files_own(tmp_path: Path) -> None:
    page = page_of(one_table(tmp_path, "first_name,v\na,1\n"))
    assert cells(page)[:2] == ["a", "1"] and "first name" in page.text("th")


def test_very_long_tables_are_cut_and_say_so(tmp_path: Path) -> None:
    page = page_of(one_table(tmp_path, "v\n" + "1\n" * 1500, column("v", "")))
    assert "1,100 more rows in t.csv" in page.text("p", "caption")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda file: file.unlink(), "tables/table4.csv is not there yet."),
        (lambda file: file.write_bytes(b"\xff\xfe\x00\x80" * 40), "is not UTF-8 text"),
        (lambda file: file.write_text(""), "has no column at all"),
        (lambda file: file.write_text("scenario,majority\n"), "holds no rows yet"),
        (lambda file: file.write_text("scenario,majority\n1,0.5,9,9\n"), "line 2 has 4 fields; expected 2"),
        (lambda file: (file.unlink(), file.mkdir()), "is a folder; expected a file"),
        (lambda file: (file.unlink(), os.mkfifo(file)), "is a pipe or device"),
        (lambda file: file.write_bytes(b'a,b\n"x' + b"y" * 200_000), "is not CSV"),
        (lambda file: file.write_text(file.read_text().replace("2. CASME", '"2. CASME', 1)), "is not CSV"),
        (lambda file: file.write_text('a,b\nx,"y\nz,"w\n'), "is not CSV"),
        (lambda file: file.write_bytes(b"a\n" * 4_500_000), "expected at most 8000000"),
    ],
)
def test_a_damaged_table_is_named_and_the_rest_is_shown(
    talluri: Path, damage: Callable[[Path], object], says: str
) -> None:
    damage(talluri / "tables" / "table4.csv")
    page = page_of(talluri)
    assert says in page.text("p", "problem", within="table4")
    assert len(page.all("section")) == 9 and page.all("td", within="table3") and not page.all("svg", "bars")
    assert page.all("div", "caution") or "not there" in says or "no rows" in says


def _as_written(folder: Path) -> Path:
    """Note the tables as they are, as the study does when it writes them."""
    files = {}
    for file in sorted((folder / "tables").glob("*.csv")):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        files[f"tables/{file.name}"] = StudyFile(rows=len(file.read_text().splitlines()) - 1, sha256=digest)
    return edit(folder, files=files)


def test_rows_that_were_lost_and_cells_that_were_changed_are_said(talluri: Path) -> None:
    assert not page_of(_as_written(talluri)).all("p", "problem")
    file = talluri / "tables" / "table4.csv"
    head, *rows = file.read_text().splitlines()
    file.write_text("\n".join([head, *rows[:-2]]) + "\n")
    page = page_of(talluri)
    assert "tables/table4.csv holds 6 rows; the study wrote 8." in page.text("p", "problem", within="table4")
    assert "holds 6 rows" in page.text("div", "caution") and len(page.all("p", "problem")) == 1
    file.write_text("\n".join([head, *rows[:-1], rows[-1].replace("8.", "9.", 1)]) + "\n")
    assert "was changed after the study wrote it" in page_of(talluri).text("p", "problem", within="table4")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_a_table_cut_anywhere_still_gives_a_page(talluri: Path, kept: float) -> None:
    for file in (talluri / "tables").glob("*.csv"):
        content = file.read_bytes()
        file.write_bytes(content[: int(len(content) * kept)])
    assert len(page_of(talluri).all("section")) == 9


def test_files_outside_the_folder_are_never_read(talluri: Path) -> None:
    (talluri.parent / "secret.csv").write_text("v\nhush\n")
    (talluri / "tables" / "link.csv").symlink_to(talluri.parent / "secret.csv")

    names = [
        "../secret.csv",
        str(talluri.parent / "secret.csv"),
        "tables/link.csv",
        "a\0b",
        "..\\secret.csv",
        "x" * 300,
    ]
    shown = tuple(StudyTable(file=name, columns=(column("v", ""),)) for name in names)
    page = page_of(edit(talluri, sections=(StudySection(tables=shown),)))
    assert "hush" not in page.html and len(page.all("p", "problem")) == 6
    assert page.text("div", "caution").count("not a file of its folder") == 5


def test_markup_in_names_is_text(talluri: Path) -> None:
    nasty = "<script>alert('x')</script> & \"Łukasz\" 微表情"
    for file in (talluri / "tables").glob("*.csv"):
        text = file.read_text().replace("Run 1", "<b onmouseover=x>").replace("SMIC", "<img src=//x>")
        file.write_text(text)

    def renamed(one: StudyColumn) -> StudyColumn:
        return one.model_copy(update={"label": nasty, "group": "<u>"})

    study = StudyPage.read(talluri / "study.json")
    sections = []
    for section in study.sections:
        tables = [
            one.model_copy(update={"caption": nasty, "columns": tuple(map(renamed, one.columns))})
            for one in section.tables
        ]
        figures = [
            one.model_copy(
                update={"title": nasty, "x_label": nasty, "y_label": nasty, "y": tuple(map(renamed, one.y))}
                | {"references": (*one.references, StudyReference(label=nasty, value=0.3))}
            )
            for one in section.figures
        ]
        update = {
            "id": '"><u id="x',
            "title": nasty,
            "text": (nasty,),
            "tables": tuple(tables),
            "figures": tuple(figures),
        }
        sections.append(section.model_copy(update=update))
    edit(
        talluri,
        title=nasty,
        paper=nasty,
        summary=(nasty, nasty),
        assumptions=(nasty,),
        notes=("</style>",),
        banners=(StudyBanner(kind="note", title=nasty, text=(nasty,)),),
        versions={"<i>": "<u>"},
        runs=(study.runs[0].model_copy(update={"name": nasty, "what": nasty}),),
        sections=tuple(sections),
    )
    page = page_of(talluri)
    assert page.text("h1") == nasty
    assert len(page.all("script")) == 1 and not page.all("u") and not page.all("b") and not page.all("img")
    assert not any("onmouseover" in e["attrs"] for e in page.elements)


@pytest.mark.parametrize(
    "page",
    [
        StudyPage(),
        StudyPage(partial=True),
        StudyPage(runs=(StudyRun(), StudyRun(finished=3, expected=1)), partial=True),
        StudyPage(sections=(StudySection(), StudySection(id="runs"), StudySection(id="runs", text=("x",)))),
        StudyPage(sections=(StudySection(figures=tuple(
            StudyFigure(file="t.csv", type=kind, x=column(x, ""), y=tuple(column(key, "", "number") for key in y),
                        y_limits=limits, series=series, references=(StudyReference(label="", value=1e300),))
            for kind in ("lines", "bars") for x in ("v", "gone") for y in (["v"], ["v", "w"], ["gone"])
            for limits in (None, (0, 1)) for series in ("", "w"))),)),
    ],
)  # fmt: skip
def test_odd_pages_are_pages(tmp_path: Path, page: StudyPage) -> None:
    (tmp_path / "t.csv").write_text("v,w\n1,a\n2,b\nnan,c\n1e308,d\n-5,\n")
    page.write(tmp_path / "study.json")
    found = page_of(tmp_path)
    ids = [e["attrs"]["id"] for e in found.elements if "id" in e["attrs"]]
    assert len(ids) == len(set(ids)) and ids[-2:] == ["machine", "h-machine"]
    for link in found.all("a"):
        assert link["attrs"]["href"].removeprefix("#") in ids or link["attrs"]["href"] == "t.csv"
    if not page.sections:
        assert "no tables and no figures yet" in found.text("section")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "cannot be read"),
        ("[]", "format 'list'"),
        ('{"format": 9}', "study format 9; this version reads 1 and 2"),
        ('{"format": 2, "sections": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"format": 2, "sections": 3}', r"study\.json: sections: .* found 3"),
        ('{"format": 2, "partial": "perhaps"}', "partial: .* found 'perhaps'"),
        ('{"format": 2, "sections": [{"tables": [{}]}]}', r"sections\.0\.tables\.0\.file: field required"),
        ('{"format": 2, "banners": [{"kind": "loud"}]}', r"banners\.0\.kind: .*'look-alike'.* found 'loud'"),
        ('{"format": 2, "runs": [{"finished": -1}]}', r"runs\.0\.finished: "),
        ('{"format": 1, "sections": [{"tables": [{"file": "t.csv", "columns": [3]}]}]}', r"columns\.0: .* found 3"),
        ('{"format": 1, "sections": [{"tables": [{"file": "t.csv", "columns": [{"key": "k", "kind": "x"}]}]}]}',
         r"columns\.0\.unit: .* found 'x'"),
    ],
)  # fmt: skip
def test_a_bad_study_json_is_an_error_that_names_the_field(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(NotARunError, match=says):
        render_report(tmp_path)


def test_a_study_of_an_earlier_version_opens(tmp_path: Path) -> None:
    """Format 1 declared no units and no roles; what its kinds and names meant is brought to today's form."""
    (tmp_path / "t.csv").write_text(
        "dataset,published,a_last,a_low,a_high,a_majority,a_collapsed,a_status\n"
        "x,0.008,0.5,0.4,0.6,0.3,yes,ok\ny,0.009,,,,,,not run\n"
    )
    columns = (
        '[{"key": "dataset", "label": "data set", "kind": "text"}, '
        '{"key": "published", "label": "published", "kind": "published"}, '
        '{"key": "a_last", "label": "last", "kind": "percent", "low": "a_low", "high": "a_high", "group": "A"}, '
        '{"key": "a_majority", "label": "majority", "kind": "percent", "group": "A"}, '
        '{"key": "a_collapsed", "label": "collapsed", "kind": "text", "group": "A"}]'
    )
    figure = (
        '{"file": "t.csv", "type": "bars", "x": "dataset", "y": ["published", "a_last", "a_majority"], "title": "F"}'
    )
    (tmp_path / "study.json").write_text(
        '{"format": 1, "kind": "study", "title": "T", "partial": false, "look_alike": true, "banners": '
        '[{"kind": "note", "title": "N", "text": ["n"]}, '
        '{"kind": "alert", "title": "Look-alikes, not the real data", "text": ["l"]}], "sections": [{"id": "s", '
        f'"tables": [{{"file": "t.csv", "columns": {columns}}}], "figures": [{figure}]}}]}}'
    )
    page = page_of(tmp_path)
    banners = [e["text"].split() for e in page.all("div", "banner")]
    assert banners == [["Look-alikes,", "not", "the", "real", "data", "l"], ["N", "n"]]
    assert cells(page)[:5] == ["x", "0.8 %", "50.0 %[40.0, 60.0]", "30.0 %", "yes"]
    assert len(page.all("tr", "off")) == 1 and len(page.all("td", "flag")) == 1 and len(page.all("td", "pub")) == 2
    assert [e["text"] for e in page.all("text", "value")] == ["0.8", "50.0", "30.0", "0.9", "–", "–"]
    # Written again, it is of today's form and shows the same.
    before = page.html
    assert StudyPage.read(edit(tmp_path) / "study.json").format == 2
    assert page_of(tmp_path).html == before


def test_same_files_same_page(talluri: Path) -> None:
    first = render_report(talluri).read_bytes()
    assert render_report(talluri).read_bytes() == first == render_html(read_study(talluri)).encode()
