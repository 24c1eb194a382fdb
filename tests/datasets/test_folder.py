"""Folders with a table."""

import os

import cv2
import numpy as np
import pytest

from fleeting.clips import FrameFolder
from fleeting.datasets import (
    Folder,
)
from fleeting.errors import UsageError

HEADER = "subject,clip,onset,apex,offset,emotion,fps,action_units\n"


def test_a_folder_is_read(folder):
    d = folder(HEADER + "a,x,0,1,2,fear,25,1+2\na,y,,,,,,\nb,x,0,,2,joy,,\n")
    clips = d.clips()
    assert d.problems == []
    assert [c.key for c in clips] == ["folder/a/x", "folder/a/y", "folder/b/x"]
    first, second, third = clips
    assert (first.onset, first.apex, first.offset, first.emotion, first.fps) == (0, 1, 2, "fear", 25)
    assert first.action_units == "1+2"
    assert (second.onset, second.apex, second.offset, second.emotion, second.fps) == (None, None, None, None, None)
    assert (third.onset, third.apex, third.offset) == (0, None, 2)
    assert isinstance(first.frames, FrameFolder)
    assert d.table()["n_frames"].tolist() == [3, 3, 3]


def test_subjects_stay_text_and_spreadsheet_exports_are_understood(folder):
    d = folder(
        "\ufeffSubject;Clip;Onset;Apex;Offset;Emotion;Remark\n01; x ;0;1.0;2;Überraschung;gut\n\n", clips=("01/x",)
    )
    (clip,) = d.clips()
    assert (clip.subject, clip.name, clip.apex, clip.emotion) == ("01", "x", 1, "Überraschung")
    assert d.problems == []


def test_old_spreadsheet_encodings_do_not_stop_it(folder):
    d = folder("subject\tclip\temotion\na\tx\tÜberraschung\n", clips=("a/x",), encoding="latin-1")
    assert d.clips()[0].emotion == "Überraschung"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,nowhere,0,1,2,fear,25,", "no folder a/nowhere and no video"),
        ("a,x,zero,1,2,fear,25,", "onset is 'zero', not a number"),
        ("a,x,0,1.5,2,fear,25,", "apex is '1.5'; expected a 0-based frame index"),
        ("a,x,-1,1,2,fear,25,", "onset is '-1'"),
        ("a,x,0,nan,2,fear,25,", "apex is 'nan'"),
        ("a,x,2,1,2,fear,25,", "not in this order"),
        ("a,x,0,,2,fear,0,", "fps 0 is not positive"),
        (",x,0,1,2,fear,25,", "names no subject or no clip"),
        ("a,,0,1,2,fear,25,", "names no subject or no clip"),
        ("../a,x,0,1,2,fear,25,", "is no name of a folder"),
        ("a,..,0,1,2,fear,25,", "is no name of a folder"),
        ("a,empty,0,1,2,fear,25,", "no frames"),
        ("a,x,0,1e300,2,fear,25,", "apex is '1e300'; expected a 0-based frame index"),
        ("a,x,0,1,1e19,fear,25,", "offset is '1e19'; expected a 0-based frame index"),
        ("a,x,0,1,2,fear,inf,", "fps is 'inf', not a number"),
        ("a,x,0,1,2,fear,1e300,", "1e+300 frames per second; expected 0.001 to 1,000,000"),
        ("/etc,x,0,1,2,fear,25,", "is no name of a folder"),
        ("a," + "n" * 300 + ",0,1,2,fear,25,", "no folder a/nnn"),
        ('a,"x,0,1,2,fear,25,', "has a quotation mark that is never closed"),
        ("a,x,0,1,2,fear,25," + "1" * 200_000, "has a cell of more than 131,072 characters"),
        ("a,x,0,1,2,fear,happy,25,6", "has 9 cells, the first line 8"),
    ],
)
def test_bad_rows_are_reported_and_the_rest_is_read(folder, tmp_path, row, reason):
    (tmp_path / "a" / "empty").mkdir(parents=True)
    d = folder(HEADER + row + "\nb,x,0,1,2,fear,25,\n")
    assert [c.key for c in d.clips()] == ["folder/b/x"]
    (problem,) = [p for p in d.problems if "does not list" not in p.reason and p.kind != "unknown folder"]
    assert reason in problem.reason
    assert "line 2 of clips.csv" in problem.reason
    assert problem.skipped
    assert str(problem).endswith("(skipped)")


def test_a_short_row_is_used_with_a_word_and_blank_ends_without(folder):
    d = folder(HEADER + "a,x,0,1,2\na,y,0,1,2,fear,25,,,,\n", clips=("a/x", "a/y"))
    assert [clip.emotion for clip in d.clips()] == [None, "fear"]
    (problem,) = d.problems
    assert "line 2 of clips.csv has 5 cells, the first line 8" in problem.reason and not problem.skipped


def test_a_cell_may_hold_line_breaks(folder):
    d = folder('subject,clip,emotion,remark\na,x,fear,"two\nlines"\na,y,"fe""ar",\n', clips=("a/x", "a/y"))
    assert [clip.emotion for clip in d.clips()] == ["fear", 'fe"ar'] and not d.problems


def test_a_stray_quote_costs_its_line_and_not_the_rows_after_it(folder):
    d = folder('subject,clip,emotion\na,"x,fear\na,y,"joy, mostly"\nb,x,fear\n')
    assert [clip.key for clip in d.clips()] == ["folder/a/y", "folder/b/x"]
    assert "line 2 of clips.csv has a quotation mark" in d.problems[0].reason


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_tables_of_many_programs(folder, encoding):
    d = folder("subject,clip,emotion\ra,x,Ärger\r", clips=("a/x",), encoding=encoding)
    assert d.clips()[0].emotion == "Ärger"


def test_a_table_never_leads_out_of_its_folder(folder, tmp_path):
    root = tmp_path / "set"
    for place in ("set/a/x", "secret/x"):
        (tmp_path / place).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / place / "1.png"), np.zeros((6, 5, 3), np.uint8))
    rows = [f"{name},x,fear" for name in ("a", "../secret", str(tmp_path / "secret"), "..\\secret", "..", ".")]
    (root / "clips.csv").write_text("subject,clip,emotion\n" + "\n".join(rows) + "\n")
    d = Folder(root)
    assert [clip.key for clip in d.clips()] == ["folder/a/x"]
    assert [problem.kind for problem in d.problems] == [""] * 5
    assert all("is no name of a folder below" in problem.reason for problem in d.problems)


def test_a_link_that_was_put_into_the_folder_is_followed(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    cv2.imwrite(str(tmp_path / "elsewhere" / "1.png"), np.zeros((6, 5, 3), np.uint8))
    (tmp_path / "set" / "a").mkdir(parents=True)
    (tmp_path / "set" / "a" / "x").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "a" / "y").symlink_to("y")
    (tmp_path / "set" / "clips.csv").write_text("subject,clip\na,x\na,y\n")
    d = Folder(tmp_path / "set")
    assert [clip.key for clip in d.clips()] == ["folder/a/x"]
    assert "no folder a/y" in d.problems[0].reason


def test_a_folder_that_may_not_be_read_is_named_and_passed_over(folder, tmp_path, monkeypatch):
    d = folder(HEADER + "a,x,0,1,2,fear,25,\nb,x,0,1,2,fear,25,\n", clips=("a/x", "b/x", "b/z"))
    scan, listing = os.scandir, type(tmp_path).iterdir

    def refuse(whole, closed):
        def look(path):
            if str(path) == str(closed):
                raise PermissionError(13, "Permission denied", str(path))
            return whole(path)

        return look

    monkeypatch.setattr(os, "scandir", refuse(scan, tmp_path / "a" / "x"))
    monkeypatch.setattr(type(tmp_path), "iterdir", refuse(listing, tmp_path / "b"))
    assert [clip.key for clip in d.clips()] == ["folder/b/x"]
    assert [(p.subject, p.kind) for p in d.problems] == [("a", ""), ("b", "unreadable folder")]
    assert "cannot be listed (Permission denied)" in d.problems[0].reason
    assert d.verify().n_clips == 1


def test_files_that_vanish_are_told_when_the_set_is_checked(folder, tmp_path):
    d = folder(HEADER + "a,x,0,1,2,fear,25,\n", clips=("a/x",))
    assert d.clips()
    (tmp_path / "a" / "x" / "1.png").unlink()
    (problem,) = d.verify().problems
    assert problem.kind == "unreadable frames" and "1.png" in problem.reason


def test_pipes_and_twice_named_columns_are_refused(folder, tmp_path):
    (tmp_path / "clips.csv").unlink(missing_ok=True)
    os.mkfifo(tmp_path / "clips.csv")
    with pytest.raises(UsageError, match="no CSV file"):
        Folder(tmp_path)
    with pytest.raises(UsageError, match="no such file"):
        Folder(tmp_path, table=tmp_path / "clips.csv")
    (tmp_path / "clips.csv").unlink()
    (tmp_path / "clips.csv").write_text("subject,clip,onset,onset\na,x,1,2\n")
    with pytest.raises(UsageError, match="names the column onset twice"):
        Folder(tmp_path).clips()


def test_duplicates_and_unlisted_clips_are_reported(folder):
    d = folder(HEADER + "a,x,0,1,2,fear,25,\na,x,1,1,2,fear,25,\n")
    assert len(d.clips()) == 1
    reasons = [p.reason for p in d.problems]
    assert reasons == [
        "line 3 of clips.csv repeats the clip of line 2",
        "a folder that clips.csv does not list",
    ]


def test_annotations_outside_the_clip_are_reported_and_kept(folder):
    d = folder(HEADER + "a,x,0,1,99,fear,25,\n", clips=("a/x",))
    assert d.clips()[0].offset == 99
    (problem,) = d.problems
    assert "offset 99 outside the clip's frames 0 to 2" in problem.reason
    assert not problem.skipped


def test_clips_may_be_videos(folder, tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 30, (64, 48))
    for _ in range(5):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    (tmp_path / "a").mkdir()
    (tmp_path / "v.avi").rename(tmp_path / "a" / "talk.avi")
    (tmp_path / "a" / "broken.mp4").write_bytes(b"nothing")
    d = folder("subject,clip,emotion\na,talk,fear\na,talk.avi,fear\na,broken,fear\n", clips=())
    assert [(c.name, len(c), c.fps) for c in d.clips()] == [("talk", 5, 30.0), ("talk.avi", 5, 30.0)]
    assert [p.clip for p in d.problems] == ["broken"]


def test_a_folder_without_a_usable_table_says_what_is_expected(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        Folder(tmp_path / "none")
    with pytest.raises(UsageError, match=r"no CSV file; expected one named clips\.csv"):
        Folder(tmp_path)
    (tmp_path / "b.csv").write_text("name\n1\n")
    with pytest.raises(UsageError, match="no column subject and no column clip"):
        Folder(tmp_path).clips()
    (tmp_path / "c.csv").write_text("")
    with pytest.raises(UsageError, match="2 CSV files"):
        Folder(tmp_path)
    with pytest.raises(UsageError, match="no column subject"):
        Folder(tmp_path, table=tmp_path / "c.csv").clips()
    with pytest.raises(UsageError, match="is a file"):
        Folder(tmp_path / "b.csv")
