"""Recordings and their events."""

import numpy as np
import pytest

from fleeting.clips import ArrayFrames, Event, Recording, events_table, kind_of
from fleeting.errors import UsageError


@pytest.fixture
def frames():
    return ArrayFrames(np.zeros((5, 4, 4), np.uint8), fps=30.0)


def test_an_end_that_nobody_knows_is_replaced_by_the_apex():
    assert Event(None, 12, 20).interval == (12, 20)
    assert Event(3, 12, None).interval == (3, 12)
    assert Event(3, None, 9).interval == (3, 9)


@pytest.mark.parametrize("times", [(5, 4, 6), (5, 6, 5), (-1, 2, 3), (None, None, None), (5, None, 4)])
def test_an_event_out_of_order_is_refused(times):
    with pytest.raises(UsageError, match="onset"):
        Event(*times)


def test_an_unknown_kind_is_refused_with_the_choices():
    with pytest.raises(UsageError, match="macro, micro"):
        Event(0, 1, 2, "subtle")


@pytest.mark.parametrize("fps", [25.0, 29.97, 30.0, 60.0, 99.9, 200.0])
def test_half_a_second_is_still_micro(fps):
    frames = int(0.5 * fps)
    assert kind_of(100, 100 + frames, fps) == "micro"
    assert kind_of(100, 100 + frames + 1, fps) == "macro"


def test_the_table_has_a_row_an_event_and_keeps_unknown_frames(frames):
    events = (Event(0, 1, 2, emotion="happiness"), Event(None, 2, 4, "macro"))
    table = events_table(
        [Recording("own", "é", "one", frames, 30.0, events), Recording("own", "b", "two", frames, 30.0)]
    )
    assert table["onset"].isna().tolist() == [False, True]
    assert table["kind"].tolist() == ["micro", "macro"]
    assert table["onset_seconds"].tolist() == pytest.approx([0, 2 / 30])
    assert len(events_table([])) == 0


def test_a_recording_needs_a_rate(frames):
    with pytest.raises(UsageError, match="frames per second"):
        Recording("own", "a", "one", frames, 0.0)
