"""A folder is taken once, by whom it belongs to; what killed processes left in it is in nobody's way."""

import os
import threading
import time
import warnings

import pytest

from fleeting.errors import FleetingError, UsageError
from fleeting.records import claim_folder, is_litter, make_folder, sweep_unfinished, work_alone

LITTER = [".DS_Store", "Thumbs.db", "desktop.ini", "._run.json", ".run.json.k3x9_2ab.part", "lost+found"]


@pytest.mark.parametrize("name", LITTER)
def test_a_folder_with_litter_only_is_free(tmp_path, name):
    (tmp_path / name).touch()
    assert is_litter(name)
    assert claim_folder(tmp_path, "run.json") is False


def test_a_new_folder_is_made_and_an_own_one_is_recognised(tmp_path):
    folder = tmp_path / "a" / "b"
    assert claim_folder(folder, "run.json") is False and folder.is_dir()
    assert claim_folder(folder, "run.json") is False
    (folder / "run.json").touch()
    (folder / "anything").touch()
    assert claim_folder(folder, "run.json") is True


def test_a_folder_of_somebody_else_is_refused_and_says_what_is_in_it(tmp_path):
    for name in ("thesis.txt", "b.txt", "c.txt", "d.txt", ".DS_Store"):
        (tmp_path / name).touch()
    with pytest.raises(
        UsageError, match=r"holds other files \(b\.txt, c\.txt, d\.txt, \.\.\.\).*; choose another --out"
    ):
        claim_folder(tmp_path, "run.json")


def test_what_may_lie_there_before_the_head(tmp_path):
    (tmp_path / "frames.csv").touch()
    assert claim_folder(tmp_path, "analysis.json", unfinished=("frames.csv",)) is False
    with pytest.raises(UsageError):
        claim_folder(tmp_path, "analysis.json")


def test_a_head_that_is_no_file_is_not_ours(tmp_path):
    (tmp_path / "run.json").mkdir()
    with pytest.raises(UsageError, match=r"holds other files \(run\.json\)"):
        claim_folder(tmp_path, "run.json")


def test_what_cannot_be_a_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file; expected a folder to write into; take another"):
        make_folder(tmp_path / "file", remedy="take another")
    with pytest.raises(UsageError, match="a part of this path is a file"):
        make_folder(tmp_path / "file" / "below")
    with pytest.raises(FleetingError, match="cannot be used as a folder"):
        make_folder(tmp_path / ("n" * 300))
    with pytest.raises(FleetingError, match="cannot be used as a folder"):
        make_folder(f"{tmp_path}/a\0b")


def test_a_folder_without_permission_is_refused(tmp_path, monkeypatch):
    # Not by chmod: whoever may do everything would not be refused.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(FleetingError, match="cannot be written to"):
        claim_folder(tmp_path, "run.json")


def test_old_unfinished_files_go_and_those_of_a_neighbour_stay(tmp_path):
    old, fresh, other = (
        tmp_path / "units" / name for name in (".a.json.x0123456.part", ".b.json.y0123456.part", ".film.avi.part")
    )
    old.parent.mkdir()
    for path in (old, fresh, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (time.time() - 3600,) * 2)
    assert sweep_unfinished(tmp_path) == 1
    assert not old.exists() and fresh.exists() and other.exists()


def test_a_folder_of_somebody_else_is_not_swept(tmp_path):
    path = tmp_path / ".a.json.x0123456.part"
    path.touch()
    (tmp_path / "thesis.txt").touch()
    os.utime(path, (time.time() - 3600,) * 2)
    with pytest.raises(UsageError):
        claim_folder(tmp_path, "run.json")
    assert path.exists()


def test_two_that_work_in_one_folder_do_so_one_after_the_other(tmp_path):
    order, inside, go = [], threading.Event(), threading.Event()

    def first():
        with work_alone(tmp_path) as waited:
            order.append(("first", waited))
            inside.set()
            go.wait()
            order.append("first ends")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()

    def told(message, *_, **__):
        order.append(str(message).split(": ")[1])
        go.set()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = told
        with work_alone(tmp_path) as waited:
            order.append(("second", waited))
    thread.join()
    told = "another process is at work there; waiting until it has ended"
    assert order == [("first", False), told, "first ends", ("second", True)]


def test_a_file_system_without_locks_lets_everybody_in(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", fail)
    with work_alone(tmp_path) as waited, work_alone(tmp_path):
        assert not waited
    with work_alone(tmp_path / "gone") as waited:
        assert not waited
