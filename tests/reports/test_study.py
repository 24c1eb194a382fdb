"""A study's page says what its files say, marks what was not run, and survives whatever the folder holds."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.reports import NotARunError, is_study, read_study, render_html, render_report
from fleeting.reports.charts import Bars, Reference, Series, bar_chart, line_chart
from fleeting.reports.tables import build_table, read_columns


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"reports_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


folders = _load("study_folders")
Page = _load("test_report").Page
Edit = Callable[[dict[str, Any]], object]


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


def edit(folder: Path, change: Edit) -> Path:
    content = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    change(content)
    (folder / "study.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def page_of(folder: Path) -> Any:
    return Page(render_report(folder).read_text(encoding="utf-8"))


def one_table(folder: Path, csv: str, columns: list[dict[str, Any]], **more: Any) -> Path:
    """A study of one section with one table."""
    (folder / "t.csv").write_text(csv, encoding="utf-8")
    section = {"id": "s", "title": "S", "tables": [{"file": "t.csv", "caption": "C", "columns": columns, **more}]}
    (folder / "study.json").write_text(json.dumps({"format": 1, "kind": "study", "title": "T", "sections": [section]}))
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
    own = {"kind": "alert", "title": "Look-alike data", "text": ["Of the true size."]}
    page = page_of(edit(talluri, lambda study: study["banners"].append(own)))
    banners = [e["text"] for e in page.all("div", "banner")]
    assert "Look-alike data" in banners[0] and len(banners) == 3
    page = page_of(edit(talluri, lambda study: study.update(look_alike=False, partial=False, banners=[])))
    assert not page.all("div", "banner")


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

    def reach(study: dict[str, Any]) -> None:
        names = ["../outside", str(outside), "javascript:alert(1)//", "runs/odd #1?", None, 5]
        study["runs"] = [{"name": f"r{at}", "folder": name, "finished": 1} for at, name in enumerate(names)]

    page = page_of(edit(talluri, reach))
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
    page = page_of(edit(irawan, lambda study: study.update(kind="sweep", paper="")))
    assert "sweep" in page.text("p", "kicker") and "sweep report" in page.text("title")


def test_an_interval_of_shares_stays_one(tmp_path: Path) -> None:
    columns = [{"key": "uf1", "label": "UF1", "kind": "number"},
               {"key": "i", "label": "", "kind": "interval", "low": "lo", "high": "hi"}]  # fmt: skip
    page = page_of(one_table(tmp_path, "uf1,lo,hi\n0.4321,0.35,0.524\n0.5,,0.6\n", columns))
    assert cells(page)[:4] == ["0.432", "[0.35, 0.52]", "0.500", "–"]


@pytest.mark.parametrize(
    ("kind", "texts", "shown"),
    [
        ("percent", ["0.4371", "", "NaN", "inf", "1", "not run"], ["43.7 %", "–", "–", "–", "100.0 %", "not run"]),
        ("published", ["43.7", "81.70", "x"], ["43.70 %", "81.70 %", "x"]),
        ("published", ["0.8170", "0.7681", "1"], ["81.70 %", "76.81 %", "100.00 %"]),
        ("published", ["0.5", "nan"], ["50 %", "–"]),
        ("integer", ["12544", "5.0", "2.5", "-"], ["12,544", "5", "2.5", "-"]),
        ("number", ["0.0001", "0.01", "100"], ["0.0001", "0.01", "100"]),
        ("number", ["0.3", "0.55"], ["0.30", "0.55"]),
        ("number", ["0.123456", "0.00001", "None"], ["0.123", "1e-05", "–"]),
        ("text", ["a  b", "none", "nan", ""], ["a b", "none", "–", "–"]),
        ("status", ["ok", "not run", "2 of 5 collapsed"], ["ok", "not run", "2 of 5 collapsed"]),
        ("hologram", ["x", "0.5", ""], ["x", "0.5", "–"]),
    ],
)  # fmt: skip
def test_cells_by_kind(tmp_path: Path, kind: str, texts: list[str], shown: list[str]) -> None:
    csv = "name,v\n" + "".join(f"r,{text}\n" for text in texts)
    page = page_of(one_table(tmp_path, csv, [{"key": "name"}, {"key": "v", "label": "V", "kind": kind}]))
    assert cells(page)[1::2][: len(shown)] == shown
    assert ("unknown kind 'hologram'" in page.text("p", "problem")) == (kind == "hologram")


@settings(max_examples=60)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=5), st.sampled_from(["percent", "number", "integer"]))
def test_any_text_is_a_cell(texts: list[str], kind: str) -> None:
    columns, problems = read_columns([{"key": "v", "label": "V", "kind": kind, "low": "v", "high": "v"}])
    table = build_table(columns, [{"v": text} for text in texts])
    assert not problems and len(table.rows) == len(texts)
    assert all(row.cells[0].text and row.cells[0].text.lower() != "nan" for row in table.rows)


def test_states_of_groups_and_what_collapsed(tmp_path: Path) -> None:
    columns = [{"key": "name"}, {"key": "a_collapsed", "label": "collapsed", "group": "A"},
               {"key": "a_status", "label": "", "kind": "status", "group": "A"},
               {"key": "b_collapsed", "label": "collapsed", "kind": "integer", "group": "B"},
               {"key": "b_status", "label": "", "kind": "status", "group": "B"}]  # fmt: skip
    csv = "name,a_collapsed,a_status,b_collapsed,b_status\nx,yes,ok,0,ok\ny,0 of 5,ok,,not run\nz,2 of 5,ok,3.0,ok\n"
    page = page_of(one_table(tmp_path, csv, columns))
    # A state of which all is well, and which has no heading, would only take room.
    assert cells(page)[:12] == ["x", "yes", "0", "ok", "y", "0 of 5", "–", "not run", "z", "2 of 5", "3", "ok"]
    assert [e["text"] for e in page.all("td", "flag")] == ["yes", "2 of 5", "3"]
    assert not page.all("tr", "off") and [e["text"] for e in page.all("td", "off")] == ["–", "not run"]


def test_columns_that_are_not_there_are_named(tmp_path: Path) -> None:
    columns = [{"key": "name"}, {"key": "gone", "kind": "percent", "low": "gone_low", "high": "gone_high"}]
    page = page_of(one_table(tmp_path, "name\na\n", columns))
    assert "lacks the columns gone, gone_low, gone_high" in page.text("p", "problem")
    assert cells(page)[:2] == ["a", "–"]


def test_what_no_row_ran_is_not_called_missing(tmp_path: Path) -> None:
    columns = [{"key": "name"}, {"key": "a_accuracy", "kind": "percent", "low": "a_low", "high": "a_high"}]
    page = page_of(one_table(tmp_path, "name,a_status\nx,not run\ny,not run\n", columns))
    assert not page.all("p", "problem") and len(page.all("tr", "off")) == 2
    page = page_of(one_table(tmp_path, "name,a_status\nx,not run\ny,ok\n", columns))
    assert "lacks the columns a_accuracy" in page.text("p", "problem") and len(page.all("tr", "off")) == 1


def test_a_table_without_columns_shows_the_files_own(tmp_path: Path) -> None:
    page = page_of(one_table(tmp_path, "first_name,v\na,1\n", []))
    assert cells(page)[:2] == ["a", "1"] and "first name" in page.text("th")


def test_very_long_tables_are_cut_and_say_so(tmp_path: Path) -> None:
    page = page_of(one_table(tmp_path, "v\n" + "1\n" * 1500, [{"key": "v"}]))
    assert "1,100 more rows in t.csv" in page.text("p", "caption")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda file: file.unlink(), "tables/table4.csv is not there yet."),
        (lambda file: file.write_bytes(b"\xff\xfe\x00\x80" * 40), "cannot be read"),
        (lambda file: file.write_text(""), "holds no rows yet"),
        (lambda file: file.write_text("scenario,majority\n1,0.5,9,9\n"), "1 of 1 rows are not whole"),
        (lambda file: (file.unlink(), file.mkdir()), "cannot be read"),
        (lambda file: file.write_bytes(b'a,b\n"x' + b"y" * 200_000), "damaged"),
        (lambda file: file.write_bytes(b"a\n" * 4_500_000), "larger than 8 MB"),
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


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_a_table_cut_anywhere_still_gives_a_page(talluri: Path, kept: float) -> None:
    for file in (talluri / "tables").glob("*.csv"):
        content = file.read_bytes()
        file.write_bytes(content[: int(len(content) * kept)])
    assert len(page_of(talluri).all("section")) == 9


def test_files_outside_the_folder_are_never_read(talluri: Path) -> None:
    (talluri.parent / "secret.csv").write_text("v\nhush\n")
    (talluri / "tables" / "link.csv").symlink_to(talluri.parent / "secret.csv")

    def reach(study: dict[str, Any]) -> None:
        names = [
            "../secret.csv",
            str(talluri.parent / "secret.csv"),
            "tables/link.csv",
            "",
            3,
            "a\0b",
            "..\\secret.csv",
        ]
        study["sections"] = [{"tables": [{"file": name, "columns": [{"key": "v"}]} for name in names]}]

    page = page_of(edit(talluri, reach))
    assert "hush" not in page.html and len(page.all("p", "problem")) == 7
    assert page.text("div", "caution").count("not a file of its folder") == 5


def test_markup_in_names_is_text(talluri: Path) -> None:
    nasty = "<script>alert('x')</script> & \"Łukasz\" 微表情"
    for file in (talluri / "tables").glob("*.csv"):
        text = file.read_text().replace("Run 1", "<b onmouseover=x>").replace("SMIC", "<img src=//x>")
        file.write_text(text)

    def spoil(study: dict[str, Any]) -> None:
        study.update(title=nasty, paper=nasty, summary=[nasty, nasty], assumptions=[nasty], notes=["</style>"])
        study["banners"] = [{"kind": '"><u>', "title": nasty, "text": [nasty]}]
        study["versions"]["<i>"] = "<u>"
        study["runs"][0].update(name=nasty, what=nasty)
        for section in study["sections"]:
            section.update(id='"><u id="x', title=nasty, text=[nasty])
            for item in section["tables"] + section["figures"]:
                item.update(caption=nasty, title=nasty, x_label=nasty, y_label=nasty)
                item.setdefault("references", []).append({"label": nasty, "value": 0.3})
                for column in item.get("columns", []):
                    column.update(label=nasty, group="<u>")

    page = page_of(edit(talluri, spoil))
    assert page.text("h1") == nasty
    assert len(page.all("script")) == 1 and not page.all("u") and not page.all("b") and not page.all("img")
    assert not any("onmouseover" in e["attrs"] for e in page.elements)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"sections": [], "runs": [], "partial": True},
        {"sections": None, "runs": 3, "banners": "x", "summary": "One sentence.", "versions": [], "machine": "m"},
        {"sections": [None, 3, {"tables": [None, {}], "figures": [5, {}]}, {"id": "runs"}, {"id": "runs", "text": "x"}]},
        {"runs": [{"finished": "many", "expected": math.nan, "collapsed": None}, {}], "partial": True},
        {"sections": [{"tables": [{"file": "t.csv", "columns": [3, {}, {"key": None, "kind": 4, "group": 2}]}]}]},
        {"sections": [{"figures": [{"file": "t.csv", "type": kind, "x": x, "y": y, "y_limits": limits,
                                    "series": series, "references": [{"value": "x"}, 3]}
                                   for kind in ("lines", "bars", "pie", None) for x in ("v", "gone", None)
                                   for y in ("v", ["v", "w"], "gone", None, 3) for limits in (None, [1, 0], ["a"], [0, 1])
                                   for series in (None, "w")]}]},
    ],
)  # fmt: skip
def test_odd_values_in_study_json_do_not_break_the_page(tmp_path: Path, content: dict[str, Any]) -> None:
    (tmp_path / "t.csv").write_text("v,w\n1,a\n2,b\nnan,c\n1e308,d\n-5,\n")
    (tmp_path / "study.json").write_text(json.dumps({"format": 1, **content}))
    page = page_of(tmp_path)
    ids = [e["attrs"]["id"] for e in page.elements if "id" in e["attrs"]]
    assert len(ids) == len(set(ids)) and ids[-2:] == ["machine", "h-machine"]
    for link in page.all("a"):
        assert link["attrs"]["href"].removeprefix("#") in ids or link["attrs"]["href"] == "t.csv"
    if not content.get("sections"):
        assert "no tables and no figures yet" in page.text("section")


@pytest.mark.parametrize(
    ("content", "says"), [("{", "cannot be read"), ("[]", "format 'list'"), ('{"format": 9}', "study format 9")]
)
def test_a_bad_study_json_is_a_typed_error(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(NotARunError, match=says):
        render_report(tmp_path)


def test_same_files_same_page(talluri: Path) -> None:
    first = render_report(talluri).read_bytes()
    assert render_report(talluri).read_bytes() == first == render_html(read_study(talluri)).encode()


finite = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(st.one_of(finite, st.just(math.nan), st.just(math.inf)), min_size=1, max_size=12), st.booleans())
def test_bars_are_well_formed_and_inside_their_frame(values: list[float], ends: bool) -> None:
    more = {"low": [v - 1 for v in values], "high": [v + 1 for v in values]} if ends else {}
    svg = bar_chart("<t>", [f"a & {at} " * 5 for at in range(len(values))], [Bars("<b>", values, **more)],
                    value_label="<v>", references=[Reference("r", 0.5)])  # fmt: skip
    if not any(map(math.isfinite, values)):
        assert svg is None
        return
    root = ET.fromstring(str(svg))
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    bars = list(root.iter("rect"))
    assert len(bars) == sum(map(math.isfinite, values))
    for bar in bars:
        x, y, w, h = (float(bar.attrib[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0 and x + w <= width and y >= 0 and y + h <= height and w >= 0
    assert len([t for t in root.iter("text") if t.get("class") == "value"]) == len(values)


def test_values_beyond_the_limits_widen_them() -> None:
    svg = str(line_chart("t", [Series("a", [1, 2], [0.2, 1.6])], x_label="x", y_label="y", y_limits=(0, 1)))
    assert ">2.0<" in svg and not re.search(r"[ML ]-\d", svg)
