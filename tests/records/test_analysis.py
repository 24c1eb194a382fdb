"""Records of an analysis: what is written comes back; what is damaged is named, or left out and named."""

import json

import pytest

from fleeting.records import RecordError
from fleeting.records.analysis import (
    EVENT_COLUMNS,
    AnalysisHead,
    AnalysisSettings,
    AnalysisSource,
    EventRow,
    LearnedPart,
    frame_columns,
    read_events,
    write_event_rows,
)
from fleeting.spotting import REGION_NAMES

EVENT = EventRow(
    event=1,
    onset=10,
    apex=14,
    offset=20,
    onset_s=0.1,
    apex_s=0.14,
    offset_s=0.2,
    duration_s=0.1,
    kind="micro",
    confidence=0.75,
    strength_px=1.25,
    region="chin",
    action_units="AU17/AU26 area",
    emotion="=1+1",
    probabilities={"=1+1": 0.875, "joy": 0.125},
)


def test_events_come_back_as_they_were(tmp_path):
    path = write_event_rows(tmp_path / "events.csv", [EVENT], ["=1+1", "joy"])
    assert path.read_text().splitlines()[0].split(",")[: len(EVENT_COLUMNS)] == list(EVENT_COLUMNS)
    # A spreadsheet shows the class instead of running it.
    assert ",'=1+1," in path.read_text().splitlines()[1]
    assert read_events(path) == [EVENT]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text.encode("utf-16"), "UTF-8"),
        (lambda text: b"", "no column"),
        (lambda text: text.replace(",", ";").encode(), "no column"),
        (lambda text: text.replace("onset_s", "begin").encode(), "no column onset_s"),
        (lambda text: text.replace("0.14", "soon").encode(), "apex_s"),
        (lambda text: text.replace("0.14", "inf").encode(), "apex_s"),
        (lambda text: text.replace(",10,", ",1e300,").encode(), "onset"),
        (lambda text: text.replace("micro", '"micro').encode(), "line 2|quote"),
        (lambda text: text.replace("chin", "c" * 200_000).encode(), "larger than"),
    ],
)
def test_a_damaged_table_of_events_is_named_with_row_and_field(tmp_path, damage, said):
    path = write_event_rows(tmp_path / "events.csv", [EVENT], ["=1+1", "joy"])
    path.write_bytes(damage(path.read_text()))
    with pytest.raises(RecordError, match=said) as caught:
        read_events(path)
    assert "events.csv" in str(caught.value) and "another folder" in str(caught.value)


def test_a_head_comes_back_and_keeps_what_a_reader_said(tmp_path):
    head = AnalysisHead(
        status="complete",
        source=AnalysisSource(name="a.mp4", fps=30.0, codec="h264"),
        settings=AnalysisSettings(face=1),
        weights={"spotter": LearnedPart(name="main direction")},
    )
    head.write(tmp_path / "analysis.json")
    read = AnalysisHead.read(tmp_path / "analysis.json")
    assert read == head and read.complete
    stored = json.loads((tmp_path / "analysis.json").read_text())
    assert stored["source"]["codec"] == "h264" and stored["weights"] == {"spotter": {"name": "main direction"}}
    with pytest.warns(FutureWarning, match=r"AnalysisHead is no dictionary any more: write \.status"):
        assert read["status"] == "complete"


def test_what_is_damaged_in_a_head_is_left_out_and_named():
    head, problems = AnalysisHead.salvage({"status": "complete", "faces": 3, "warnings": "odd"}, "analysis.json")
    assert head.complete and head.faces == () and head.warnings == ()
    assert len(problems) == 1 and "faces" in problems[0] and "warnings" in problems[0]


def test_nothing_can_be_salvaged_from_what_is_no_head():
    with pytest.raises(RecordError, match="named fields"):
        AnalysisHead.salvage([], "analysis.json")


@pytest.mark.parametrize(
    ("part", "computed"),
    [
        (LearnedPart(synthetic=False, trained_on="no synthetic clip was used"), False),
        (LearnedPart(synthetic=True, trained_on="people who do not exist"), True),
        (LearnedPart(trained_on="synthetic clips"), True),  # as old folders say it
        (LearnedPart(trained_on="iBUG 300-W"), False),
    ],
)
def test_a_part_says_whether_its_faces_were_computed(part, computed):
    assert part.of_computed_faces is computed


def test_columns_of_frames_name_every_region_twice():
    columns = frame_columns(REGION_NAMES)
    assert len(set(columns)) == len(columns) == 10 + 2 * len(REGION_NAMES)
