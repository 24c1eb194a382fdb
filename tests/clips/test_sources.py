"""Opening what a user names."""

import pytest
from tiny import numbered, write_video

from fleeting.clips import open_clip, read_each


def test_open_clip_takes_either(write_frames, tmp_path):
    folder = open_clip(write_frames(numbered(3)), fps=120)
    assert (folder.fps, folder.emotion, len(folder)) == (120, None, 3)
    film = open_clip(write_video(tmp_path / "a.avi", numbered(5, 32, 32)))
    assert (film.fps, len(film), film.name) == (25.0, 5, "a")


def test_old_places_of_names_still_work():
    from fleeting.clips import sources

    with pytest.warns(FutureWarning, match=r"fleeting\.clips\.read_each"):
        assert sources.read_each is read_each
