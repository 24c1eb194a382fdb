"""Folders of frames."""

import operator
import os
import shutil

import cv2
import numpy as np
import pytest
from tiny import numbered

from fleeting.clips import FrameFolder, FrameSlice, frame_folder, read_each
from fleeting.clips.frame_folder import read_image
from fleeting.errors import EmptyClipError, FrameReadError, NotAClipError, UsageError


def test_frames_are_ordered_by_the_last_integer(write_frames, tmp_path):
    folder = write_frames(numbered(3), pattern="sub2_img{}.png", first=9)
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
    source = FrameFolder(write_frames(numbered(3), pattern="img{}.png", first=46))
    assert [source.index_of(n) for n in (46, 48, 47)] == [0, 2, 1]
    assert source.index_of(10) == 0
    assert source.index_of(999) == 2


def test_a_space_before_the_number_and_non_ascii_names(write_frames):
    source = FrameFolder(write_frames(numbered(2), name="Gesicht-ö-顔", pattern="bild ü {}.png"))
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
    folder = write_frames(numbered(2))
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
    source = FrameFolder(write_frames(numbered(6)))
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
    folder = write_frames(numbered(12))
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
    source = FrameFolder(write_frames(numbered(25)))
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


def test_digest_follows_content_not_place(write_frames, tmp_path):
    folder = write_frames(numbered(3))
    copied = shutil.copytree(folder, tmp_path / "elsewhere")
    assert FrameFolder(folder).digest() == FrameFolder(copied).digest()
    before = FrameFolder(folder).digest()
    (folder / "img_00002.png").write_bytes((folder / "img_00003.png").read_bytes())
    assert FrameFolder(folder).digest() != before


def test_numbers_beyond_64_bits_and_links_to_themselves(write_frames):
    folder = write_frames(numbered(3))
    (folder / "img_99999999999999999999.png").write_bytes((folder / "img_00001.png").read_bytes())
    (folder / "img_00009.png").symlink_to("img_00009.png")
    os.mkfifo(folder / "img_00010.png")
    source = FrameFolder(folder)
    assert [len(name) for name in source.names] == [13, 13, 13, 28]
    assert source.numbers.dtype == np.int64 and source.gaps[0][0] == 4
    assert source.index_of(3) == 2 and source[3].shape == (12, 16, 3)


def test_a_folder_that_may_not_be_listed(write_frames, monkeypatch):
    folder = write_frames(numbered(1))
    whole = os.scandir

    def refuse(path):
        if path == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(NotAClipError, match=r"cannot be listed \(Permission denied"):
        FrameFolder(folder)
