"""The page of an analyzed recording: everything found is shown, nothing is claimed that is not, and it stays small."""

from __future__ import annotations

import base64
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from fleeting.app.cli import main
from fleeting.reports import NotARunError, is_analysis, read_analysis, render_analysis, render_report
from fleeting.reports.analysis_timeline import clock, timeline_rows

sys.path.insert(0, str(Path(__file__).parent))
from analysis_folders import build_analysis

VOID = {"meta", "link", "img", "br", "input", "hr", "rect", "path"}


class _Nesting(HTMLParser):
    """Checks that elements close in order, and collects addresses and images."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.images += [found["src"]] if tag == "img" else []
        self.links += [found["href"]] if tag == "a" else []
        assert tag == "img" or "src" not in found
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def page_of(folder: Path) -> tuple[str, _Nesting]:
    text = render_analysis(folder).read_text(encoding="utf-8")
    parsed = _Nesting()
    parsed.feed(text)
    assert not parsed.open
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert all(link[1:] in parsed.ids for link in parsed.links if link.startswith("#"))
    assert all(image.startswith("data:image/") for image in parsed.images)
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    return text, parsed


def timeline_of(text: str) -> dict:
    found = re.search(r'<script type="application/json" id="timeline-data">(.*?)</script>', text, re.S)
    assert found
    return json.loads(found.group(1))


def test_all_that_was_found_is_shown(tmp_path):
    folder = build_analysis(tmp_path / "Analyze ä", events=3, warnings=("The light flickers <at> 50 Hz.",))
    assert is_analysis(folder)
    text, parsed = page_of(folder)
    found = read_analysis(folder)
    assert "Gespräch 3.mp4" in text
    assert "The light flickers &lt;at&gt; 50 Hz." in text
    assert len(parsed.images) == 9
    for event in found.events:
        assert f"event-{event.number}" in parsed.ids
        assert clock(event.apex_s) in text
        assert f"frame {event.onset:,}" in text
        assert f"{100 * event.confidence:.0f} %" in text
        assert event.region.replace("_", " ") in text
        for name, share in event.probabilities.items():
            assert name in text
            assert f"{100 * share:.0f} %" in text
    assert "It does not say what a person felt" in text
    assert "recogniser-1" in text
    assert "It says nothing about what a person feels." in text
    assert "A partial result" not in text


def test_timeline_holds_the_course_at_its_times(tmp_path):
    folder = build_analysis(tmp_path, events=3, seconds=20, fps=100)
    text, _ = page_of(folder)
    data = timeline_of(text)
    values = np.frombuffer(base64.b64decode(data["faces"][0]["values"]), np.uint8)
    assert len(values) == 2000
    gap = data["faces"][0]["gaps"]
    assert len(gap) == 1
    assert gap[0] == pytest.approx([12.01, 12.8], abs=0.02)
    assert (values[1210:1270] == 255).all()
    assert (np.delete(values, slice(1195, 1285)) != 255).all()
    rows = {event.number: event for event in read_analysis(folder).events}
    for event in data["events"]:
        onset, apex, offset = event["t"]
        assert (onset, apex, offset) == pytest.approx(
            [rows[event["n"]].onset_s, rows[event["n"]].apex_s, rows[event["n"]].offset_s]
        )
        around = values[int((apex - 0.5) * 100) : int((apex + 0.5) * 100)].astype(int)
        highest = np.where(around == 255, -1, around).argmax() / 100 - 0.5
        assert abs(highest) < 0.1


def test_no_events(tmp_path):
    text, parsed = page_of(build_analysis(tmp_path, events=0, fps=25, seconds=8))
    assert "No expression was found" in text
    assert "does not mean that there is" in text
    assert "At 25 frames per second" in text
    assert not parsed.images
    assert timeline_of(text)["events"] == []


def test_five_hundred_events_stay_small(tmp_path):
    folder = build_analysis(tmp_path, events=500, seconds=3000, fps=50, step=20, pictures=500, height=40, faces=2)
    text, parsed = page_of(folder)
    assert len(text) < 25_000_000
    assert len([name for name in parsed.ids if re.fullmatch(r"event-\d+", name)]) == 60
    assert len(parsed.images) == 180
    assert text.count("<tr><td") == 500
    surest = sorted(read_analysis(folder).events, key=lambda event: -event.confidence)[:60]
    assert all(f"event-{event.number}" in parsed.ids for event in surest)
    assert len(timeline_of(text)["events"]) == 500


def test_pictures_stop_at_their_bound(tmp_path, monkeypatch):
    folder = build_analysis(tmp_path, events=8)
    monkeypatch.setattr("fleeting.reports.analysis_page.MOST_PICTURE_BYTES", 300_000)
    text, parsed = page_of(folder)
    assert 0 < len(parsed.images) < 24
    assert sum(map(len, parsed.images)) <= 300_000
    assert len(text) < 500_000


def test_long_recordings_are_thinned_out_without_losing_peaks(tmp_path, monkeypatch):
    folder = build_analysis(tmp_path, events=4, seconds=60, fps=100)
    monkeypatch.setattr("fleeting.reports.analysis_timeline.MOST_VALUES", 500)
    found = read_analysis(folder)
    (row,) = timeline_rows(found)
    assert len(row.values) == 500
    best = max(value for course in found.courses for value in course.score if value == value)
    assert row.top == pytest.approx(best, rel=1e-3)
    assert (row.values == 254).any()


def test_partial_says_so_and_survives_a_cut_row(tmp_path):
    folder = build_analysis(tmp_path, events=2, status="partial")
    frames = folder / "frames.csv"
    frames.write_bytes(frames.read_bytes()[:-9])
    text, _ = page_of(folder)
    assert "A partial result" in text
    assert "--resume" in text
    assert "not whole" not in text


def swallow_rows(table):
    """Two stray quotes, so that everything between them is one cell."""
    lines = table.read_text().splitlines()
    lines[1] = lines[1].replace(",macro,", ',"macro,').replace(",micro,", ',"micro,')
    lines[2] = lines[2].replace(",macro,", ',macro",').replace(",micro,", ',micro",')
    table.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "frames.csv").unlink(), "frames.csv is missing"),
        (lambda folder: (folder / "frames.csv").write_text("frame\n1\n"), "frames.csv lacks the column timestamp"),
        (lambda folder: (folder / "frames.csv").write_bytes(b""), "frames.csv lacks the column timestamp"),
        (lambda folder: (folder / "events.csv").unlink(), "events.csv is missing"),
        (lambda folder: (folder / "events.csv").write_bytes(b"\xff\xfe\x00\x01"), "events.csv cannot be read"),
        (lambda folder: (folder / "events.csv").write_text("event,onset_s,apex_s,offset_s\nx,1,2,3\n"), "left out"),
        (lambda folder: swallow_rows(folder / "events.csv"), "rows are not whole and left out"),
        (lambda folder: (folder / "strips/event_0001.png").write_bytes(b"GIF89a"), "event_0001.png is not a PNG"),
        (lambda folder: (folder / "strips/event_0001.png").write_bytes(b"\x89PNG\r\n\x1a\n"), "png is damaged"),
        (lambda folder: (folder / "strips/event_0001.png").write_bytes(b""), "event_0001.png is empty"),
    ],
)
def test_damaged_files_are_named_and_the_rest_is_shown(tmp_path, damage, said):
    folder = build_analysis(tmp_path, events=2)
    damage(folder)
    text, _ = page_of(folder)
    assert said in text


@pytest.mark.parametrize(
    ("content", "said"), [("[]", "format"), ("{", "cannot be read"), ('{"format": 99}', "format 99")]
)
def test_a_head_that_cannot_be_read(tmp_path, content, said):
    (tmp_path / "analysis.json").write_text(content)
    with pytest.raises(NotARunError, match=said):
        render_analysis(tmp_path)


def test_a_bare_head_is_enough(tmp_path):
    (tmp_path / "analysis.json").write_text('{"format": 1, "weights": null, "faces": 3, "warnings": "odd"}')
    text, _ = page_of(tmp_path)
    assert "A partial result" in text
    assert "events.csv is missing" in text


def test_what_the_files_say_is_never_markup(tmp_path):
    folder = build_analysis(tmp_path, events=1)
    evil = "</script><img src=x onerror=alert(1)>"
    events = folder / "events.csv"
    events.write_text(re.sub(r"left_brow|right_brow|mouth_left|mouth_right|nose", evil, events.read_text()))
    rows = events.read_text().replace("anger", evil).replace("happiness", evil).replace("disgust", evil)
    events.write_text(rows.replace("surprise", evil))
    text, parsed = page_of(folder)
    assert "<img src=x" not in text
    assert len(parsed.images) == 3


def test_the_verb_report_renders_it_again(tmp_path, capsys):
    folder = build_analysis(tmp_path / "a", events=1)
    assert main(["report", str(folder)]) == 0
    first = (folder / "report.html").read_bytes()
    assert render_report(folder).read_bytes() == first
    assert "report.html" in capsys.readouterr().out
