"""What all sources of frames share."""

import os

import numpy as np
import pytest
from tiny import numbered, write_video

from fleeting.clips import FrameFolder, VideoFile, open_clip, read_each
from fleeting.errors import FrameReadError, NotAClipError, UsageError


def test_sources_of_others_are_read_one_by_one(tmp_path):
    class Two:
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return [np.zeros((2, 2, 3), np.uint8), np.ones((2, 2, 3), np.uint8)][index]

    found = list(read_each(Two(), [1, 0, 2]))
    assert [index for index, _ in found] == [0, 1, 2]
    assert found[1][1].all() and isinstance(found[2][1], FrameReadError)
    video = VideoFile(write_video(tmp_path / "v.avi", numbered(6, 32, 32)))
    assert [index for index, frame in read_each(video, [4, 1, 9]) if not isinstance(frame, FrameReadError)] == [1, 4]


@pytest.mark.parametrize("fps", [0, -1, float("inf"), float("nan"), 1e300, 1e-300])
def test_rates_that_no_camera_has(write_frames, fps):
    folder = write_frames(numbered(1))
    with pytest.raises(UsageError, match="frames per second"):
        FrameFolder(folder, fps=fps)


@pytest.mark.parametrize("name", ["n" * 300, "a\0b"])
def test_names_that_no_file_has(tmp_path, name):
    for opened in (FrameFolder, VideoFile, open_clip):
        with pytest.raises(NotAClipError, match="cannot be looked at"):
            opened(tmp_path / name)


def test_a_pipe_is_no_clip_and_no_frame(write_frames, tmp_path):
    os.mkfifo(tmp_path / "film.mp4")
    with pytest.raises(NotAClipError, match="a pipe"):
        open_clip(tmp_path / "film.mp4")
    folder = write_frames(numbered(2))
    source = FrameFolder(folder)
    (folder / source.names[1]).unlink()
    os.mkfifo(folder / source.names[1])
    with pytest.raises(FrameReadError, match="a pipe"):
        source[1]
    with pytest.raises(FrameReadError, match="a pipe"):
        source.digest()
