"""The folder of an analysis: who may write there, and what a kill, a full disk or a stranger leaves behind."""

import errno
import threading

import numpy as np
import pytest

from fleeting.analysis.events import AnalyzedEvent, EventLog
from fleeting.analysis.folder import ResultFolder
from fleeting.analysis.timeline import Timeline
from fleeting.errors import FleetingError, UsageError
from fleeting.records import RecordError
from fleeting.records.analysis import AnalysisHead, AnalysisSettings
from fleeting.spotting import SpottedEvent

SETTINGS = AnalysisSettings(source="a")


def claimed(folder, resume=False, settings=SETTINGS, live=False):
    return ResultFolder(folder).claim(settings, resume=resume, live=live)


def test_a_kill_before_the_head_leaves_the_folder_free(tmp_path):
    out = tmp_path / "out"
    assert claimed(out) == "new"
    (out / "frames.csv").write_text("frame")
    (out / ".analysis.json.k3x9_2ab.part").write_text("{")
    (out / "annotated_parts").mkdir()
    (out / ".DS_Store").write_bytes(b"")
    assert claimed(out) == "new"
    (out / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        claimed(out)


def test_an_analysis_is_gone_on_with_only_by_the_same_choices(tmp_path):
    with pytest.raises(UsageError, match="no analysis to go on with"):
        claimed(tmp_path, resume=True)
    AnalysisHead(settings=SETTINGS).write(tmp_path / "analysis.json")
    with pytest.raises(UsageError, match="--resume"):
        claimed(tmp_path)
    assert claimed(tmp_path, resume=True) == "begun"
    (tmp_path / "resume.npz").write_bytes(b"")
    assert claimed(tmp_path, resume=True) == "partial"
    with pytest.raises(UsageError, match=r"fps: None there, 30\.0 now"):
        claimed(tmp_path, resume=True, settings=AnalysisSettings(source="a", fps=30.0))
    with pytest.raises(UsageError, match="camera"):
        claimed(tmp_path, resume=True, live=True)
    AnalysisHead(settings=SETTINGS, status="complete").write(tmp_path / "analysis.json")
    assert claimed(tmp_path, resume=True) == "complete"


@pytest.mark.parametrize("content", [b"", b"[]", b"{" * 100_000, b'{"settings": 3}', b"\xff\xfe{", b'{"settings": '])
def test_a_damaged_head_is_named(tmp_path, content):
    (tmp_path / "analysis.json").write_bytes(content)
    with pytest.raises(RecordError, match=r"analysis\.json"):
        claimed(tmp_path, resume=True)


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive"])
def test_a_damaged_state_is_named(tmp_path, content):
    (tmp_path / "resume.npz").write_bytes(content)
    with pytest.raises(FleetingError, match=r"resume\.npz"):
        ResultFolder(tmp_path).read_snapshot()


def test_a_full_disk_is_said_in_words(tmp_path, monkeypatch):
    file = ResultFolder(tmp_path).frames_file(None)

    class Full:
        def flush(self):
            raise OSError(errno.ENOSPC, "No space left on device")

        write = close = flush

    monkeypatch.setattr(file, "_file", Full())
    for step in (file.flush, file.close):
        with pytest.raises(FleetingError, match=r"frames\.csv: cannot be written \(No space left.*--resume"):
            step()


def test_events_are_judged_while_others_are_found():
    log, timeline = EventLog(), Timeline(100.0)
    for k in range(100):
        timeline.push(k, k / 100)
    spotted = SpottedEvent(onset=10, apex=15, offset=20, kind="micro")
    seen: list[AnalyzedEvent] = []

    def judge():
        for number in range(1, 201):
            while len(log.events()) < number:
                pass
            seen.append(log.judge(number, emotion="joy", probabilities={"joy": 0.5}))

    thread = threading.Thread(target=judge)
    thread.start()
    for _ in range(200):
        log.add(spotted, 0, timeline, 100.0)
        assert all(label.text in ("micro", "micro joy 50%") for label in log.labels())
    thread.join()
    assert [event.number for event in log.events()] == list(range(1, 201))
    assert log.events() == tuple(seen) and np.all([event.title == "micro joy 50%" for event in seen])


def test_the_log_goes_on_from_its_state():
    log, timeline = EventLog(), Timeline(100.0)
    timeline.push(0, 0.0)
    log.add(SpottedEvent(onset=0, apex=0, offset=0, kind="macro"), 2, timeline, 100.0)
    log.judge(1, notes=["dark"])
    other = EventLog()
    other.restore(log.state())
    assert other.events() == log.events() and other.labels() == log.labels()
