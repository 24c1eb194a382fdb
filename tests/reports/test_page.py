"""The page says what the files say, says what is missing, and never reaches for the network."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from fleeting.errors import FleetingError
from fleeting.records import RunHead, Summary, UnitRecord, read_predictions, write_predictions
from fleeting.reports import NotARunError, read_run, render_html, render_report

WriteRun = Callable[..., Path]
VOID = {"meta", "link", "br", "img", "input", "hr"}
SECTIONS = ["method", "data", "results", "confusion", "learning", "samples", "predictions", "meaning"]


class Page(HTMLParser):
    """A page as elements with their text; fails on tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.open: list[dict[str, Any]] = []
        self.elements: list[dict[str, Any]] = []
        self.feed(html)
        assert not self.open, f"never closed: {[e['tag'] for e in self.open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = {"tag": tag, "attrs": dict(attrs), "text": "", "within": [e["attrs"].get("id") for e in self.open]}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(
            {"tag": tag, "attrs": dict(attrs), "text": "", "within": [e["attrs"].get("id") for e in self.open]}
        )

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1]["tag"] == tag, (
            f"</{tag}> closes {self.open[-1]['tag'] if self.open else '?'}"
        )
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element["text"] += data

    def all(self, tag: str, cls: str = "", within: str = "") -> list[dict[str, Any]]:
        return [
            e
            for e in self.elements
            if e["tag"] == tag
            and (not cls or cls in (e["attrs"].get("class") or "").split())
            and (not within or within in e["within"])
        ]

    def text(self, tag: str, cls: str = "", within: str = "") -> str:
        return " ".join(" ".join(e["text"] for e in self.all(tag, cls, within)).split())


def drop_answer(run: Path) -> None:
    """Lose the last answer of the first unit."""
    path = min((run / "units").glob("*/predictions.csv"))
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def page_of(run: Path) -> Page:
    return Page(render_report(run).read_text(encoding="utf-8"))


def test_the_page_is_whole(write_run: WriteRun) -> None:
    run = write_run()
    assert render_report(run) == run / "report.html"
    page = page_of(run)
    assert [e["attrs"]["id"] for e in page.all("section")] == SECTIONS
    ids = [e["attrs"]["id"] for e in page.elements if "id" in e["attrs"]]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        assert link["attrs"]["href"].removeprefix("#") in ids
    assert not page.all("div", "banner")
    assert "Demo run" in page.text("title") and page.text("h1") == "Demo run"


def test_the_outcome_is_plain_and_has_the_majority_beside_it(write_run: WriteRun) -> None:
    lede = page_of(write_run()).text("p", "lede")
    assert re.fullmatch(
        r"Model-A recognised 70 of 72 clips of people it had not seen in training: accuracy 0\.97 \[0\.91, 1\.00\]\. "
        r"Always saying ‘disgust’ would give 0\.43\.",
        lede,
    )


def test_no_better_than_the_majority_is_said(write_run: WriteRun) -> None:
    page = page_of(write_run(collapsed=(0, 1, 2, 3, 4)))
    assert "no evidence of recognition" in page.text("p", "lede")


def test_every_accuracy_has_the_majority_class_beside_it(write_run: WriteRun) -> None:
    page = page_of(write_run())
    for table in page.html.split("<table")[1:]:
        table = table.split("</table>")[0]
        heads = re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", table)
        if "Accuracy" in heads:
            assert heads[heads.index("Accuracy") + 1] in ("Majority class", "Commonest class")
            for row in re.findall(r"<tr.*?</tr>", table.split("<tbody>")[1], flags=re.S):
                cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.S)
                assert re.fullmatch(r"0\.\d{3}", cells[heads.index("Accuracy") + 1].strip()), row
    labels = page.text("dl", "figures")
    assert labels.index("Accuracy") < labels.index("Majority-class accuracy") < labels.index("UF1")


def test_results_repeat_the_files_to_the_digit(write_run: WriteRun) -> None:
    run = write_run()
    page = page_of(run)
    results = page.text("section", within="") and page.html.split('id="results"')[1].split("</section>")[0]
    lines = (run / "results.csv").read_text().splitlines()
    for line in lines[1:]:
        row = dict(zip(lines[0].split(","), line.split(",")))
        for name in ("accuracy", "uf1", "uar", "majority_accuracy"):
            assert f"{float(row[name]):.3f}" in results
    pooled = dict(zip(lines[0].split(","), lines[-1].split(",")))
    assert f"[{float(pooled['uf1_low']):.3f}, {float(pooled['uf1_high']):.3f}]" in results


def test_confusion_adds_up_to_the_predictions(write_run: WriteRun) -> None:
    page = page_of(write_run(skill=0.6))
    counts = [int(e["text"]) for e in page.all("b", within="confusion")]
    listed = page.all("td", "answer")
    assert len(counts) == 9 and sum(counts) == len(listed) == 72
    assert sum(counts[::4]) == len(page.all("tr", "right"))
    assert len(page.all("tr", "wrong")) == sum("(wrong)" in e["text"] for e in listed) == 72 - sum(counts[::4])


def test_protocols_have_their_badge(write_run: WriteRun, tmp_path: Path) -> None:
    page = page_of(write_run())
    assert page.text("span", "apart") == "Subject-independent" and not page.all("span", "mixed")
    shutil.rmtree(tmp_path / "run")
    page = page_of(write_run(independent=False))
    assert page.text("span", "mixed") == "Subjects mixed across folds" and not page.all("span", "apart")
    assert "partly known from training" in page.text("p", "lede")


def test_a_partial_run_says_which_folds_are_missing(write_run: WriteRun) -> None:
    page = page_of(write_run(finished=3))
    banner = page.text("div", "alert")
    assert "A partial result" in banner and "2 of 5 folds are missing: fold 4 and fold 5." in banner
    assert page.html.index("A partial result") < page.html.index('class="lede"')
    assert page.text("tr", "missing").count("not finished") == 2


def test_collapsed_folds_are_named_and_marked(write_run: WriteRun) -> None:
    page = page_of(write_run(collapsed=(1, 4)))
    banner = page.text("div", "alert")
    assert "2 of 5 training runs collapsed" in banner
    assert "Fold 2: the same answer for all clips; 89 % of the dense units are dead (noticed in epoch 3)." in banner
    assert len(page.all("span", "flag")) == 2
    assert "Fold 5 (collapsed)" in page.text("ul", "legend")
    assert sum("collapsed" in (e["attrs"].get("class") or "") for e in page.all("g")) == 4


def test_nothing_finished_is_a_page_that_says_so(write_run: WriteRun) -> None:
    page = page_of(write_run(finished=0, samples=False, skipped=False))
    assert "5 folds planned, none finished" in page.text("div", "alert")
    assert "No clip has been tested yet" in page.text("p", "lede")
    assert not page.all("svg", "chart") and not page.all("dl", "figures")
    assert "None: every clip could be used." in page.text("section")


def test_charts_have_axes_lines_and_a_reading(write_run: WriteRun) -> None:
    page = page_of(write_run())
    charts = page.all("svg", "chart")
    assert [c["attrs"]["aria-label"].split(" by ")[0] for c in charts] == ["Training loss", "Training accuracy"]
    assert len(page.all("g", "line")) == 2 * 6
    assert "epoch" in charts[0]["text"] and "always the commonest class" in charts[1]["text"]
    numbers = [
        float(n) for path in page.all("path", within="learning") for n in re.findall(r"\d+\.\d", path["attrs"]["d"])
    ]
    assert numbers and min(numbers) >= 0 and max(numbers) <= 440


def test_watched_test_clips_get_charts_of_their_own(write_run: WriteRun) -> None:
    page = page_of(write_run(watch=True))
    assert len(page.all("svg", "chart")) == 4 and "only watched" in page.text("section")


def test_several_seeds(write_run: WriteRun) -> None:
    page = page_of(write_run(seeds=(0, 1)))
    assert "144 test answers (2 seeds per clip)" in page.text("p", "lede")
    assert "Fold 5, seed 1" in page.text("ul", "legend")
    assert len(page.all("tbody")[2]["text"].split()) > 0
    assert page.html.count(">Seed</th>") == 2


def test_nothing_outside_the_page_is_named(write_run: WriteRun) -> None:
    page = page_of(write_run())
    for element in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "xlink:href", "poster"):
            value = element["attrs"].get(name)
            assert value is None or value.startswith(("#", "data:")), element
    css = page.text("style")
    assert "url(" not in css and "@import" not in css
    assert "http://" not in page.html and "https://" not in page.html
    script = page.text("script")
    assert not re.search(r"fetch|XMLHttp|import\b|WebSocket", script)
    (policy,) = (e["attrs"]["content"] for e in page.all("meta") if e["attrs"].get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert len(page.all("img")) == 3
    assert all(
        e["attrs"]["src"].startswith("data:image/png;base64,") and len(e["attrs"]["alt"]) > 30 for e in page.all("img")
    )


def test_wide_things_scroll_in_their_own_container(write_run: WriteRun) -> None:
    page = page_of(write_run())
    tables = len(page.all("table")) + len(page.all("img"))
    regions = page.all("div", "scroll")
    assert len(regions) == tables
    assert all(
        e["attrs"]["role"] == "region" and e["attrs"]["aria-label"] and e["attrs"]["tabindex"] == "0" for e in regions
    )


def test_markup_in_names_is_text(write_run: WriteRun) -> None:
    nasty = "<script>alert('x')</script> & \"Łukasz\" 微表情"
    run = write_run(name=nasty)
    for name in ("clips.csv", "skipped.csv", "samples/samples.csv"):
        path = run / name
        path.write_text(path.read_text().replace("EP01_00f", "<b onmouseover=x>é").replace("no face", "<img src=//x>"))
    for path in (run / "units").glob("*/unit.json"):
        done = UnitRecord.read(path)
        rows = [
            row.model_copy(update={"clip": row.clip.replace("EP01_00f", "<b onmouseover=x>é")})
            for row in read_predictions(path.with_name("predictions.csv"), done)
        ]
        digest = write_predictions(path.with_name("predictions.csv"), rows)
        done.model_copy(update={"predictions_sha256": digest}).write(path)
    head = RunHead.read(run / "run.json")
    more = {"notes": (*head.notes, "</style><script>"), "versions": {**head.versions, "<i>": "<u>"}}
    head.model_copy(update=more).write(run / "run.json")
    page = page_of(run)
    assert page.text("h1") == nasty
    assert len(page.all("script")) == 1 and not page.all("u") and len(page.all("img")) == 3
    assert not any("onmouseover" in e["attrs"] for e in page.elements)
    assert "<b onmouseover=x>é" in page.text("td") and "</style><script>" in page.text("li")


def test_settings_versions_and_skipped_clips_are_listed(write_run: WriteRun) -> None:
    page = page_of(write_run())
    text = page.text("section")
    for expected in (
        *("212,435 trainable parameters", "clip norm", "n frames", "0123456789abcdef", "2.11.0", "rather long name"),
        *("no face found in any of its 61 frames", "every second frame", "seed 0", "device cpu", "2 min 38 s"),
    ):
        assert expected in text, expected


def test_many_skipped_clips_are_folded(write_run: WriteRun) -> None:
    run = write_run()
    with (run / "skipped.csv").open("a") as file:
        file.writelines(f"casme2,07,clip{i},reason {i}\n" for i in range(40))
    page = page_of(run)
    assert "42 clips could not be used" in page.text("p") and "22 more" in page.text("summary")
    assert all(f"reason {i}" in page.html for i in range(40))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda run: (run / "clips.csv").unlink(), "clips.csv is missing"),
        (lambda run: (run / "clips.csv").write_bytes(b"\xff\xfe\x00"), "clips.csv: is not UTF-8 text"),
        (
            lambda run: (run / "skipped.csv").write_text("a,b\n1,2\n"),
            "skipped.csv: has no column dataset, clip; found a, b",
        ),
        (lambda run: (run / "summary.json").write_text("{"), "summary.json: is not JSON"),
        (lambda run: (run / "results.csv").unlink(), "Not scored"),
        (lambda run: (run / "results.csv").write_text(""), "results.csv: has no column scope, accuracy; found nothing"),
        (lambda run: next((run / "units").glob("*/history.csv")).unlink(), "history.csv is missing"),
        (lambda run: (run / "samples" / "00.png").unlink(), "samples/00.png: does not exist"),
        (lambda run: (run / "samples" / "00.png").write_text("GIF"), "neither PNG nor JPEG"),
        (
            lambda run: (run / "samples" / "00.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5_000_000)),
            "samples/00.png: holds 5000008 bytes; expected at most 4000000",
        ),
        (lambda run: next((run / "units").glob("*/unit.json")).write_text('{"key": "oth'), "A partial result"),
        (lambda run: shutil.rmtree(run / "units"), "Nothing is finished yet"),
        (
            drop_answer,
            "holds 17 answers; expected 18; unit fold0-seed0-0a1b2c3d4e5f is damaged: delete",
        ),
        (drop_answer, "1 of 5 folds are missing: fold 1"),
        (drop_answer, "The scores are of 5 finished folds, and 4 are finished now"),
    ],
)
def test_damage_is_named_and_the_rest_is_shown(write_run: WriteRun, damage: Callable[[Path], None], says: str) -> None:
    run = write_run()
    damage(run)
    page = page_of(run)
    assert says in page.text("div", "banner")
    assert [e["attrs"]["id"] for e in page.all("section")] == SECTIONS


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize(
    "name", ["predictions.csv", "history.csv", "../../results.csv", "../../clips.csv", "../../summary.json"]
)
def test_files_cut_anywhere_still_give_a_page(write_run: WriteRun, name: str, share: float) -> None:
    run = write_run()
    path = sorted((run / "units").iterdir())[2] / name
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    page = page_of(run)
    assert [e["attrs"]["id"] for e in page.all("section")] == SECTIONS


def test_a_stale_score_is_said(write_run: WriteRun) -> None:
    run = write_run()
    summary = Summary.read(run / "summary.json")
    summary.model_copy(update={"finished": 4}).write(run / "summary.json")
    assert "Scores are out of date" in page_of(run).text("div", "caution")


def test_warnings_are_notes_unless_they_have_a_banner(write_run: WriteRun) -> None:
    run = write_run()
    told = ("Fold 1 collapsed", "A tent collapsed on set")
    summary = Summary.read(run / "summary.json").model_copy(update={"warnings": told})
    summary.model_copy(update={"warning_kinds": ("collapsed", "other")}).write(run / "summary.json")
    notes = page_of(run).text("ul", "notes")
    assert told[1] in notes and told[0] not in notes
    # Earlier versions named no kind, and warned of collapsed trainings only.
    summary.write(run / "summary.json")
    assert not any(text in page_of(run).text("ul", "notes") for text in told)


def test_a_broken_promise_of_independence_is_shown(write_run: WriteRun) -> None:
    run = write_run()
    path = next((run / "units").glob("fold3*/unit.json"))
    unit = UnitRecord.read(path)
    shared = unit.test_subjects[0]
    unit.model_copy(update={"train_subjects": (*unit.train_subjects, shared)}).write(path)
    banner = page_of(run).text("div", "alert")
    assert "Subjects leak into training" in banner and shared in banner


def test_files_outside_the_folder_are_never_embedded(write_run: WriteRun, tmp_path: Path) -> None:
    run = write_run()
    (tmp_path / "secret.png").write_bytes((run / "samples" / "00.png").read_bytes())
    with (run / "samples" / "samples.csv").open("a") as file:
        file.write(f"../../secret.png,a,b,c,d,e\n{tmp_path}/secret.png,a,b,c,d,e\n")
    page = page_of(run)
    assert len(page.all("img")) == 3
    assert "not a file of its folder" in page.text("div", "caution")


@pytest.mark.parametrize("key", ["../../elsewhere", "..", "", "a/b", "a\\b", "/etc", "a\n"])
def test_a_unit_outside_the_folder_is_refused(write_run: WriteRun, key: str) -> None:
    run = write_run()
    content = json.loads((run / "run.json").read_text())
    content["units"][0]["key"] = key
    (run / "run.json").write_text(json.dumps(content))
    with pytest.raises(NotARunError, match=r"units\.0\.key: expected the name of a folder below units"):
        render_report(run)


def test_a_head_without_anything_is_a_page(write_run: WriteRun) -> None:
    run = write_run()
    RunHead().write(run / "run.json")
    assert "This run lists no work" in page_of(run).text("div", "alert")
    (run / "run.json").write_text('{"format": 1}')
    assert "This run lists no work" in page_of(run).text("div", "alert")


@pytest.mark.parametrize(
    ("content", "says"),
    [("{", "cannot be read"), ("[]", "run format 'list'"), ('{"format": 9}', "run format 9; this version reads 1")],
)
def test_a_bad_run_json_is_a_typed_error(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(NotARunError, match=says):
        render_report(tmp_path)


def test_what_is_no_run_folder_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(NotARunError, match=r"does not exist; expected the run folder"):
        render_report(tmp_path / "nowhere")
    with pytest.raises(NotARunError, match=r"none of run.json, study.json, analysis.json \(found: nothing\)"):
        render_report(tmp_path)
    (tmp_path / "img1.jpg").touch()
    with pytest.raises(NotARunError, match=r"found: img1.jpg"):
        render_report(tmp_path)
    with pytest.raises(NotARunError, match="is a file"):
        render_report(tmp_path / "img1.jpg")


def test_a_folder_that_cannot_be_written_is_a_typed_error(write_run: WriteRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run()

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Not by chmod: whoever may do everything would not be refused.
    monkeypatch.setattr("fleeting.files.tempfile.mkstemp", refuse)
    with pytest.raises(FleetingError, match=r"cannot be written.*Permission denied"):
        render_report(run)
    assert not (run / "report.html").exists()


def test_same_files_same_page_and_nothing_else_is_touched(write_run: WriteRun) -> None:
    run = write_run()
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    first = render_report(run).read_bytes()
    assert render_report(run).read_bytes() == first == render_html(read_run(run)).encode()
    after = {p: p.read_bytes() for p in run.rglob("*") if p.is_file() and p.name != "report.html"}
    assert before == after


def test_reading_files_needs_no_live_objects() -> None:
    code = (
        "import sys, fleeting.reports as r; "
        "bad = [m for m in sys.modules if m.split('.')[0] in ('torch', 'cv2', 'dlib', 'sklearn') or m in "
        "('fleeting.experiments', 'fleeting.training', 'fleeting.models')]; sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_scored_by_the_project_itself(write_run: WriteRun) -> None:
    from fleeting.experiments import RunFolder, aggregate

    run = write_run(skill=2.0, finished=4)
    aggregate(RunFolder(run), allow_partial=True)
    page = page_of(run)
    assert "accuracy 1.00 [1.00, 1.00]" in page.text("p", "lede")
    assert "An interval of no width is no certainty" in page.text("p")
    assert not page.all("div", "caution") and "A partial result" in page.text("div", "alert")


@pytest.mark.parametrize("seed", range(60))
def test_any_damage_gives_a_page_or_an_error_of_ours(
    write_run: WriteRun, mutate: Callable[[Path, random.Random], str], seed: int
) -> None:
    run = write_run(watch=True, epochs=3)
    names = ["run.json", "summary.json", "*.csv", "units/*/unit.json", "units/*/*.csv", "samples/samples.csv"]
    rng = random.Random(seed)
    path = rng.choice(sorted(run.glob(names[seed % len(names)])))
    mutate(path, rng)
    try:
        page = page_of(run)
    except NotARunError as error:
        assert path.name == "run.json" and "run.json" in str(error)
    else:
        assert [e["attrs"]["id"] for e in page.all("section")] == SECTIONS
