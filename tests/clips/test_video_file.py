"""Video files."""

import copy

import cv2
import numpy as np
import pytest
from tiny import numbered, write_video

from fleeting.clips import VideoFile
from fleeting.errors import ClipReadError, EmptyClipError, NotAClipError


def test_video_frames_fps_and_size(tmp_path):
    path = write_video(tmp_path / "vidéo.avi", numbered(20, 32, 48), fps=50)
    video = VideoFile(path)
    assert (len(video), video.fps, video.size) == (20, 50.0, (48, 32))
    red = [int(frame[..., 0].mean()) for frame in video]
    assert np.abs(np.array(red) - np.arange(20) * 10).max() < 8
    # Backwards and repeatedly, and after a trip through a process boundary.
    twin = copy.copy(video)
    for index in (15, 3, 3, -1):
        for source in (video, twin):
            assert abs(int(source[index][..., 0].mean()) - (index % 20) * 10) < 8
    with pytest.raises(IndexError, match="0 to 19"):
        video[20]


def test_bad_videos(tmp_path):
    with pytest.raises(NotAClipError, match="no such file"):
        VideoFile(tmp_path / "absent.mp4")
    with pytest.raises(NotAClipError, match="a folder"):
        VideoFile(tmp_path)
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(EmptyClipError, match="empty file"):
        VideoFile(tmp_path / "empty.mp4")
    (tmp_path / "text.mp4").write_text("hello " * 500)
    with pytest.raises(NotAClipError, match="not a video"):
        VideoFile(tmp_path / "text.mp4")


def test_a_truncated_video_gives_what_there_is(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (30, 64, 64, 3), dtype=np.uint8)
    path = write_video(tmp_path / "a.avi", frames)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    try:
        video = VideoFile(cut)
    except ClipReadError:
        pytest.skip("this FFmpeg does not open it at all, which is a typed error too")
    promised = len(video)
    if promised == 30:
        with pytest.warns(UserWarning, match="promises 30"):
            read = sum(1 for _ in video)
    else:
        read = sum(1 for _ in video)
    assert 0 < read < 30
    assert len(video) == read


def test_a_real_video_that_promises_too_much(video):
    source = VideoFile(video("no_face.mp4"))
    with pytest.warns(UserWarning, match="can be decoded"):
        count = sum(1 for _ in source)
    assert count == len(source) == 95
    assert source.truncated


def test_a_video_that_promises_more_frames_than_bytes_is_counted(tmp_path, monkeypatch):
    path = write_video(tmp_path / "v.avi", numbered(6, 32, 32))
    whole = cv2.VideoCapture

    class Boastful:
        def __init__(self, *args):
            self.capture = whole(*args)

        def __getattr__(self, name):
            return getattr(self.capture, name)

        def get(self, fact):
            return 1e12 if fact == cv2.CAP_PROP_FRAME_COUNT else float("nan")

    monkeypatch.setattr(cv2, "VideoCapture", Boastful)
    video = VideoFile(path)
    assert (len(video), video.fps) == (6, None)
