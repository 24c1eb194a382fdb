"""The data sets of long videos, on look-alikes with their layout, names and quirks."""

import look_alike_long
import look_alike_smic
import numpy as np
import pytest
from tiny import write_book, write_frames

from fleeting.clips import events_table
from fleeting.datasets import CasmeSquared, Recordings, SammLong, Smic, load_recordings, open_dataset
from fleeting.datasets.base import WrongFolderError
from fleeting.errors import UsageError
from fleeting.synthesis import make_recording, write_recordings


@pytest.mark.parametrize("kind", ["release", "resaved"])
def test_samm_long_videos(tmp_path, kind):
    data = SammLong(look_alike_long.write_samm(tmp_path / "größe", kind))
    first, second, third = data.recordings()
    assert [r.key for r in (first, second, third)] == [f"samm-long/{n[:3]}/{n}" for n in ("006_1", "010_3", "012_1")]
    assert len(first) == 210
    # Frames are counted from 1 on disk, from 0 here.
    assert [(e.onset, e.apex, e.offset, e.kind) for e in first.events] == [
        (19, 25, 33, "micro"),
        (39, 69, 189, "macro"),
        (None, 204, 209, "macro"),
    ]
    assert first.events[2].interval == (204, 209)
    assert first.events[1].action_units == "L12 or L14"
    assert [(e.interval, e.apex) for e in second.events] == [((4, 11), 8), ((14, 29), None)]
    assert third.events == ()
    reasons = {p.clip: p.reason for p in data.problems if p.skipped}
    assert "folder is missing" in reasons["011_2"]
    assert "900 to 920" in reasons["010_3"]
    assert any("50-51" in p.reason and not p.skipped for p in data.problems)
    assert "complete: 343" in data.layout()["events"]


def test_casme_squared(tmp_path):
    data = CasmeSquared(look_alike_long.write_casme(tmp_path))
    first, second = data.recordings()
    assert [r.subject for r in (first, second)] == ["s15", "s23"]
    assert [(e.onset, e.apex, e.offset, e.kind, e.emotion) for e in first.events] == [
        (9, 12, 17, "micro", "negative"),
        (29, 39, None, "macro", "negative"),
    ]
    assert first.events[1].interval == (29, 39)
    assert [e.kind for e in second.events] == ["macro"]
    (problem,) = [p for p in data.problems if p.skipped]
    assert "sad9" in problem.reason
    # MEGC leaves videos without an expression out; they can be asked for.
    assert len(CasmeSquared(tmp_path, unannotated=True).recordings()) == 3


def test_codes_that_were_read_as_numbers_are_understood(tmp_path):
    look_alike_long.write_casme(tmp_path)
    write_book(
        tmp_path / "CAS(ME)^2code_final.xlsx",
        {
            "a": [["Subject", "Video", "Onset"], *[list(row) for row in look_alike_long.CASME_ROWS]],
            "b": [list(row) for row in look_alike_long.CASME_SUBJECTS],
            "c": [[int(code), name] for code, name in look_alike_long.CASME_FILMS],
        },
    )
    assert [len(r.events) for r in CasmeSquared(tmp_path).recordings()] == [2, 1]


def test_a_clip_of_each_event_shows_it_with_what_is_around(tmp_path):
    data = SammLong(look_alike_long.write_samm(tmp_path))
    clips = data.clips()
    assert len(clips) == len(events_table(data.recordings())) == 5
    assert len({clip.key for clip in clips}) == 5
    smile = clips[0]
    assert (smile.onset, smile.apex, smile.offset) == (19, 25, 33)
    assert len(smile) == 210
    assert smile.frames[smile.apex].shape == (6, 8, 3)
    assert data.verify().usable
    assert open_dataset(f"samm-long:{tmp_path}").table()["clip"].is_unique


@pytest.mark.parametrize(
    ("cls", "write", "book"),
    [
        (SammLong, look_alike_long.write_samm, "SAMM_LongVideos_V2_Release.xlsx"),
        (CasmeSquared, look_alike_long.write_casme, "CAS(ME)^2code_final.xlsx"),
    ],
)
def test_a_damaged_or_missing_table_is_a_problem_with_a_remedy(tmp_path, cls, write, book):
    write(tmp_path)
    content = (tmp_path / book).read_bytes()
    for damage in (content[: len(content) // 2], b"", None):
        if damage is None:
            (tmp_path / book).unlink()
        else:
            (tmp_path / book).write_bytes(damage)
        data = cls(tmp_path)
        assert data.recordings() == []
        assert any("copy" in p.remedy for p in data.problems)
    with pytest.raises(UsageError, match="no long video"):
        load_recordings([f"{cls.kind}:{tmp_path}"])


def test_another_folder_is_recognised(tmp_path):
    write_frames(tmp_path / "SAMM" / "006" / "006_1_2", "006_{:05d}.jpg", range(3))
    with pytest.raises(WrongFolderError, match="samm:"):
        SammLong(tmp_path)
    look_alike_long.write_casme(tmp_path / "two")
    with pytest.raises(WrongFolderError, match="casme-squared:"):
        SammLong(tmp_path / "two")


def test_the_longer_clips_of_smic_are_recordings(tmp_path):
    look_alike_smic.write_long(tmp_path)
    data = Smic(tmp_path, subset="HS-E")
    recordings = {r.name: r for r in data.recordings()}
    clip = next(c for c in data.clips() if c.name == "s20_ne_06")
    assert [e.interval for e in recordings["s20_ne_06"].events] == data.expressions(clip)
    assert len(recordings["s20_ne_06"].events) == 2
    assert {e.kind for r in recordings.values() for e in r.events} == {"micro"}
    look_alike_smic.write_short(tmp_path / "short")
    assert Smic(tmp_path / "short").recordings() == []


def test_what_synth_long_writes_is_read(tmp_path):
    settings = {"seconds": 5, "fps": 20, "micro": 30, "macro": 0, "speech": 0, "absence": 0, "cut": 0, "size": (70, 85)}
    write_recordings(tmp_path, subjects=2, form="jpg", seed=1, **settings)
    one, two = load_recordings([f"recordings:{tmp_path}"])
    assert (one.key, two.subject, one.fps) == ("synthetic-long/s01/s01_01", "s02", 20)
    truth = make_recording("01", seed=(1, 0, 0), **settings)
    assert [(e.interval, e.kind, e.emotion) for e in one.events] == [
        (e.interval, e.kind, e.emotion) for e in truth.events
    ]
    assert np.abs(one.frames[7].astype(int) - truth.frames[7]).mean() < 3


def test_rows_that_cannot_be_right_are_named_and_passed_over(tmp_path):
    write_frames(tmp_path / "a", "{}.jpg", range(40))
    videos = "subject,recording,file,fps\np,one,a,20\np,two,../else,20\np,three,missing.mp4,20\np,four,a,\n"
    (tmp_path / "recordings.csv").write_text(videos)
    rows = ["p,one,3,9", "p,one,20,33", "p,one,30,50", "p,one,9,3", "q,one,1,2"]
    (tmp_path / "events.csv").write_text("subject,recording,onset,offset\n" + "\n".join(rows))
    data = Recordings(tmp_path)
    (only,) = data.recordings()
    assert [(e.interval, e.kind) for e in only.events] == [((3, 9), "micro"), ((20, 33), "macro")]
    assert len(data.problems) == 6
    (tmp_path / "events.csv").write_text("subject,recording,begin\n")
    with pytest.raises(UsageError, match="no column onset"):
        Recordings(tmp_path)
