import copy
import operator
import os
import shutil

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleeting.clips import ArrayFrames, FrameFolder, FrameSlice, VideoFile, frame_folder, open_clip, read_each
from fleeting.clips.frame_folder import read_image
from fleeting.errors import ClipReadError, EmptyClipError, FrameReadError, NotAClipError, UsageError


def _numbered(n, height=12, width=16):
    """Frames that say which they are by their colour."""
    frames = np.zeros((n, height, width, 3), np.uint8)
    frames[..., 0] = np.arange(n)[:, None, None] * 10
    frames[..., 2] = 255 - frames[..., 0]
    return frames


def _write_video(path, frames, fps=25.0):
    height, width = frames.shape[1:3]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (width, height))
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
    return path


def test_frames_are_ordered_by_the_last_integer(write_frames, tmp_path):
    folder = write_frames(_numbered(3), pattern="sub2_img{}.png", first=9)
    (folder / "sub2_img11.png").rename(folder / "sub2_img0100.png")
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / ".hidden7.png").write_bytes(b"x")
    source = FrameFolder(folder, fps=200)
    assert source.names == ("sub2_img9.png", "sub2_img10.png", "sub2_img0100.png")
    assert source.numbers.tolist() == [9, 10, 100]
    assert source.gaps == [(11, 99)]
    assert [frame[0, 0, 0] for frame in source] == [0, 10, 20]
    assert source.size == (16, 12)
    assert source.fps == 200


def test_index_of_an_absolute_number(write_frames):
    source = FrameFolder(write_frames(_numbered(3), pattern="img{}.png", first=46))
    assert [source.index_of(n) for n in (46, 48, 47)] == [0, 2, 1]
    assert source.index_of(10) == 0
    assert source.index_of(999) == 2


def test_a_space_before_the_number_and_non_ascii_names(write_frames):
    source = FrameFolder(write_frames(_numbered(2), name="Gesicht-ö-顔", pattern="bild ü {}.png"))
    assert len(source) == 2
    assert source[1][0, 0, 0] == 10


def test_images_are_rgb_whatever_is_stored(tmp_path):
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 2] = 255
    cv2.imwrite(str(tmp_path / "red.bmp"), red)
    assert read_image(tmp_path / "red.bmp")[0, 0].tolist() == [255, 0, 0]
    cv2.imwrite(str(tmp_path / "grey16.png"), np.full((4, 4), 65535, np.uint16))
    grey = read_image(tmp_path / "grey16.png")
    assert grey.dtype == np.uint8 and grey.shape == (4, 4, 3) and grey.max() == 255
    cv2.imwrite(str(tmp_path / "alpha.png"), np.full((4, 4, 4), 9, np.uint8))
    assert read_image(tmp_path / "alpha.png").shape == (4, 4, 3)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n broken"])
def test_a_bad_frame_is_a_typed_error_that_names_the_file(write_frames, content):
    folder = write_frames(_numbered(2))
    (folder / "img_00003.png").write_bytes(content)
    source = FrameFolder(folder)
    assert len(source) == 3
    with pytest.raises(FrameReadError, match=r"img_00003\.png") as caught:
        source[2]
    assert caught.value.path == folder / "img_00003.png"
    assert isinstance(caught.value, OSError)
    assert source[1].shape == (12, 16, 3)


def test_a_truncated_jpeg_is_noticed(tmp_path):
    path = tmp_path / "a1.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    cv2.imwrite(str(path), noise)
    assert read_image(path).shape == (64, 64, 3)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FrameReadError, match="truncated"):
        read_image(path)


def test_folders_that_are_no_clips(tmp_path):
    with pytest.raises(NotAClipError, match="no such folder"):
        FrameFolder(tmp_path / "absent")
    (tmp_path / "file.png").write_bytes(b"x")
    with pytest.raises(NotAClipError, match="a file"):
        FrameFolder(tmp_path / "file.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmptyClipError, match="0 entries"):
        FrameFolder(tmp_path / "empty")
    (tmp_path / "empty" / "notes.txt").write_text("x")
    with pytest.raises(EmptyClipError, match="1 entries"):
        FrameFolder(tmp_path / "empty")
    with pytest.raises(UsageError):
        FrameFolder(tmp_path / "empty", fps=0)


def test_a_folder_reads_only_what_is_asked_for(write_frames, monkeypatch):
    source = FrameFolder(write_frames(_numbered(6)))
    read = []
    original = FrameFolder.__getitem__
    monkeypatch.setattr(FrameFolder, "__getitem__", lambda self, i: (read.append(i), original(self, i))[1])
    assert [i for i, _ in source.read([4, 1, 4, -1])] == [1, 4, 5]
    assert read == [1, 4, 5]


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"])
def threads(request, monkeypatch):
    monkeypatch.setattr(frame_folder, "decoding_threads", lambda: request.param)
    return request.param


def test_frames_decoded_ahead_come_in_order_and_errors_in_their_place(write_frames, threads):
    folder = write_frames(_numbered(12))
    for bad in (1, 7):
        (folder / f"img_{bad:05d}.png").write_bytes(b"broken")
    source = FrameFolder(folder)
    found = list(read_each(source, [11, 3, 0, 6, 3, 5, 12]))
    assert [index for index, _ in found] == [0, 3, 5, 6, 11, 12]
    errors = {index: str(frame) for index, frame in found if isinstance(frame, FrameReadError)}
    assert sorted(errors) == [0, 6, 12] and "img_00001" in errors[0] and "img_00007" in errors[6]
    assert {index: frame[0, 0, 0] for index, frame in found if index not in errors} == {3: 30, 5: 50, 11: 110}
    stretch = list(read_each(FrameSlice(source, 4, 9), range(5)))
    assert [index for index, _ in stretch] == [0, 1, 2, 3, 4]
    assert isinstance(stretch[2][1], FrameReadError) and stretch[4][1][0, 0, 0] == 80
    reading = source.read(range(1, 12))
    assert [next(reading)[0] for _ in range(5)] == [1, 2, 3, 4, 5]
    with pytest.raises(FrameReadError, match="img_00007"):
        next(reading)


def test_only_what_is_needed_is_decoded_and_not_far_ahead(write_frames, monkeypatch, threads):
    source = FrameFolder(write_frames(_numbered(25)))
    read = []
    monkeypatch.setattr(
        frame_folder, "read_image", lambda path: read.append(path.name) or np.zeros((2, 2, 3), np.uint8)
    )
    reading = read_each(source, range(0, 25, 2))
    assert not read
    next(reading)
    assert len(read) <= 2 * threads + 1
    reading.close()
    before = len(read)
    assert before <= 2 * threads + 1 and all(int(name[4:9]) % 2 for name in read)


def test_worker_processes_decode_in_one_thread():
    from fleeting.parallel import map_jobs

    assert frame_folder.decoding_threads() >= 1
    here = [frame_folder.decoding_threads] * 2
    assert [found for _, found in map_jobs(operator.call, here, jobs=2)] == [1, 1]


def test_sources_of_others_are_read_one_by_one(tmp_path):
    class Two:
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return [np.zeros((2, 2, 3), np.uint8), np.ones((2, 2, 3), np.uint8)][index]

    found = list(read_each(Two(), [1, 0, 2]))
    assert [index for index, _ in found] == [0, 1, 2]
    assert found[1][1].all() and isinstance(found[2][1], FrameReadError)
    video = VideoFile(_write_video(tmp_path / "v.avi", _numbered(6, 32, 32)))
    assert [index for index, frame in read_each(video, [4, 1, 9]) if not isinstance(frame, FrameReadError)] == [1, 4]


def test_video_frames_fps_and_size(tmp_path):
    path = _write_video(tmp_path / "vidéo.avi", _numbered(20, 32, 48), fps=50)
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
    path = _write_video(tmp_path / "a.avi", frames)
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


def test_digest_follows_content_not_place(write_frames, tmp_path):
    folder = write_frames(_numbered(3))
    copied = shutil.copytree(folder, tmp_path / "elsewhere")
    assert FrameFolder(folder).digest() == FrameFolder(copied).digest()
    before = FrameFolder(folder).digest()
    (folder / "img_00002.png").write_bytes((folder / "img_00003.png").read_bytes())
    assert FrameFolder(folder).digest() != before


def test_arrays():
    grey = ArrayFrames(np.full((3, 4, 5), 7, np.uint8), fps=10)
    assert grey[0].shape == (4, 5, 3) and grey.size == (5, 4)
    with pytest.raises(UsageError, match="float64"):
        ArrayFrames(np.zeros((3, 4, 5)))
    with pytest.raises(EmptyClipError):
        ArrayFrames(np.zeros((0, 4, 5), np.uint8))


@given(st.integers(1, 9), st.data())
def test_a_slice_is_its_stretch(length, data):
    source = ArrayFrames(_numbered(length))
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    part = FrameSlice(source, start, stop)
    assert len(part) == stop - start
    assert all(np.array_equal(part[i], source[start + i]) for i in range(len(part)))
    with pytest.raises(IndexError):
        part[len(part)]


def test_slices_outside_are_refused_and_have_their_own_digest():
    source = ArrayFrames(_numbered(4))
    for start, stop in ((-1, 2), (2, 2), (0, 5)):
        with pytest.raises(UsageError):
            FrameSlice(source, start, stop)
    assert FrameSlice(source, 0, 2).digest() != FrameSlice(source, 1, 3).digest()


def test_open_clip_takes_either(write_frames, tmp_path):
    folder = open_clip(write_frames(_numbered(3)), fps=120)
    assert (folder.fps, folder.emotion, len(folder)) == (120, None, 3)
    film = open_clip(_write_video(tmp_path / "a.avi", _numbered(5, 32, 32)))
    assert (film.fps, len(film), film.name) == (25.0, 5, "a")


def test_numbers_beyond_64_bits_and_links_to_themselves(write_frames):
    folder = write_frames(_numbered(3))
    (folder / "img_99999999999999999999.png").write_bytes((folder / "img_00001.png").read_bytes())
    (folder / "img_00009.png").symlink_to("img_00009.png")
    os.mkfifo(folder / "img_00010.png")
    source = FrameFolder(folder)
    assert [len(name) for name in source.names] == [13, 13, 13, 28]
    assert source.numbers.dtype == np.int64 and source.gaps[0][0] == 4
    assert source.index_of(3) == 2 and source[3].shape == (12, 16, 3)


@pytest.mark.parametrize("fps", [0, -1, float("inf"), float("nan"), 1e300, 1e-300])
def test_rates_that_no_camera_has(write_frames, fps):
    folder = write_frames(_numbered(1))
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
    folder = write_frames(_numbered(2))
    source = FrameFolder(folder)
    (folder / source.names[1]).unlink()
    os.mkfifo(folder / source.names[1])
    with pytest.raises(FrameReadError, match="a pipe"):
        source[1]
    with pytest.raises(FrameReadError, match="a pipe"):
        source.digest()


def test_a_folder_that_may_not_be_listed(write_frames, monkeypatch):
    folder = write_frames(_numbered(1))
    whole = os.scandir

    def refuse(path):
        if path == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(NotAClipError, match=r"cannot be listed \(Permission denied"):
        FrameFolder(folder)


def test_a_video_that_promises_more_frames_than_bytes_is_counted(tmp_path, monkeypatch):
    path = _write_video(tmp_path / "v.avi", _numbered(6, 32, 32))
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


def test_old_places_of_names_still_work():
    from fleeting.clips import sources

    with pytest.warns(FutureWarning, match=r"fleeting\.clips\.read_each"):
        assert sources.read_each is read_each
