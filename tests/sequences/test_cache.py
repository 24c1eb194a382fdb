import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from pydantic import Field

from fleeting.clips import ArrayFrames, Clip, FrameFolder, FrameSlice
from fleeting.errors import FleetingError, UsageError
from fleeting.records import CachedSequence, CacheManifest
from fleeting.sequences import BuiltSequence, Recipe, SequenceCache, Talluri2022, film_strip, prepare

RECIPE = Talluri2022(frames=4, height=64, width=64)


@pytest.fixture
def clips(portrait):
    small = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    made = []
    for k in range(3):
        frames = np.stack([np.clip(small.astype(int) + 3 * k + t, 0, 255).astype(np.uint8) for t in range(6)])
        made.append(Clip("d", f"s{k}", "c", ArrayFrames(frames), emotion="happiness", onset=0, apex=3))
    return made


def test_sequences_are_kept_and_found_again(clips, tmp_path, monkeypatch):
    first = prepare(clips, RECIPE, root=tmp_path)
    assert len(first) == 3 and not first.skipped
    assert isinstance(first[0], np.memmap) and not first[0].flags.writeable
    assert first.array().shape == (3, 4, 64, 64, 1)
    assert np.array_equal(first.array([2])[0], first[2])
    monkeypatch.setattr(Talluri2022, "build", lambda *_: pytest.fail("made again"))
    again = prepare(clips, RECIPE, root=tmp_path)
    assert again.keys == first.keys
    assert again.table()["apex"].tolist() == [3, 3, 3]


def test_another_recipe_annotation_or_frame_is_another_sequence(clips, tmp_path):
    cache = SequenceCache(RECIPE, tmp_path)
    clip = clips[0]
    moved = Clip("d", "s0", "c", clip.frames, emotion="happiness", onset=0, apex=2)
    renamed = Clip("other", "s9", "x", clip.frames, emotion="disgust", onset=0, apex=3)
    assert cache.key(clip) != cache.key(moved)
    assert cache.key(clip) == cache.key(renamed)
    assert len({cache.key(c) for c in clips}) == 3
    assert SequenceCache(Talluri2022(frames=5), tmp_path).folder != cache.folder


def test_files_are_read_once_for_all_recipes_until_they_change(portrait, write_frames, tmp_path, monkeypatch):
    folder = write_frames([portrait[:40, :40]] * 2)
    for path in folder.iterdir():
        os.utime(path, ns=(10**18, 10**18))
    monkeypatch.setattr("fleeting.clips.frames.SETTLED_NS", 0)
    read = []
    whole = FrameFolder.digest
    monkeypatch.setattr(FrameFolder, "digest", lambda self: read.append(1) or whole(self))
    caches = [SequenceCache(Talluri2022(frames=n), tmp_path / "cache") for n in (4, 5)]
    clip = Clip("d", "s", "c", FrameFolder(folder))
    stretch = Clip("d", "s", "part", FrameSlice(clip.frames, 0, 1))
    keys = [cache.key(clip) for cache in caches]
    assert len(read) == 1 and keys[0] == keys[1]
    assert len({caches[0].key(stretch), keys[0]}) == 2
    reads = len(read)
    assert caches[1].key(stretch) == caches[0].key(stretch) and len(read) == reads
    first = folder / "img_00001.png"
    content = bytearray(first.read_bytes())
    content[-20] ^= 1
    # As large and as old as before: only the time at which the file system noted the change differs.
    time.sleep(0.02)
    first.write_bytes(content)
    os.utime(first, ns=(10**18, 10**18))
    assert caches[0].key(clip) != keys[0]
    sidecars = list((tmp_path / "cache" / "digests").iterdir())
    for kept, damage in zip(sidecars, [b"\xff torn", b"0" * 32, sidecars[0].read_bytes()] * 9):
        kept.write_bytes(damage)
    assert caches[0].key(clip) == SequenceCache(RECIPE, tmp_path / "other").key(clip)


def test_files_changed_just_now_are_not_trusted(portrait, write_frames):
    source = FrameFolder(write_frames([portrait[:40, :40]] * 2))
    assert source.stamp() is None and FrameSlice(source, 0, 1).stamp() is None


def test_clips_without_a_face_are_skipped_listed_and_remembered(clips, tmp_path, monkeypatch):
    blank = Clip("d", "s9", "blank", ArrayFrames(np.zeros((3, 90, 90, 3), np.uint8)))
    found = prepare([blank, *clips], RECIPE, root=tmp_path)
    assert len(found) == 3
    assert [(s.clip.name, "no face" in s.reason) for s in found.skipped] == [("blank", True)]
    monkeypatch.setattr(Talluri2022, "build", lambda *_: pytest.fail("looked again"))
    assert len(prepare([blank], RECIPE, root=tmp_path).skipped) == 1


def test_unreadable_clips_are_skipped_and_tried_again(clips, tmp_path, write_frames):
    folder = write_frames([clips[0].frames[k] for k in range(6)])
    source = FrameFolder(folder)
    content = {name: (folder / name).read_bytes() for name in source.names}
    for name in source.names:
        (folder / name).write_bytes(b"broken")
    clip = Clip("d", "s", "c", source, onset=0, apex=3)
    assert len(prepare([clip], RECIPE, root=tmp_path / "cache").skipped) == 1
    for name, data in content.items():
        (folder / name).write_bytes(data)
    assert len(prepare([clip], RECIPE, root=tmp_path / "cache")) == 1


def test_a_frame_that_vanished_skips_the_clip_not_the_job(clips, tmp_path, write_frames):
    folder = write_frames([clips[0].frames[k] for k in range(6)])
    source = FrameFolder(folder)
    (folder / source.names[2]).unlink()
    found = prepare([Clip("d", "s", "gone", source), clips[0]], RECIPE, root=tmp_path / "cache")
    assert [s.clip.name for s in found.skipped] == ["gone"]
    assert len(found) == 1


def _changed_pixel(path, info):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _changed_fact(path, info):
    info.write_text(info.read_text().replace('"apex": 3', '"apex": 2'))


def _no_face_any_more(path, info):
    CachedSequence(status="skipped", reason="no face").write(info)


DAMAGES = {
    "a changed pixel": _changed_pixel,
    "cut": lambda path, info: path.write_bytes(path.read_bytes()[:-1000]),
    "empty": lambda path, info: path.write_bytes(b""),
    "a header without end": lambda path, info: path.write_bytes(path.read_bytes()[:8] + b"\xff\xff{'descr': ((((("),
    "a pipe": lambda path, info: (path.unlink(), os.mkfifo(path)),
    "info cut": lambda path, info: info.write_text('{"status": "o'),
    "info nested deeply": lambda path, info: info.write_text("[" * 100_000),
    "info of another form": lambda path, info: info.write_text('{"status": "skipped"}'),
    "info that is a list": lambda path, info: info.write_text("[1]"),
    "another apex": _changed_fact,
}
QUIET = {
    "no info": lambda path, info: info.unlink(),
    "no sequence": lambda path, info: path.unlink(),
    "an entry of an earlier version": lambda path, info: CachedSequence(
        status="ok", clip="d/s0/c", bytes=path.stat().st_size
    ).write(info),
    "a skipped one of an earlier version": _no_face_any_more,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_made_again_and_named(clips, tmp_path, damage):
    first = prepare(clips[:1], RECIPE, root=tmp_path)
    before = first.array()
    path = first.paths()[0]
    del first
    DAMAGES[damage](path, path.with_suffix(".json"))
    with pytest.warns(UserWarning, match=r"1 damaged sequence was found in the cache and made again \(d/s0/c: "):
        again = prepare(clips[:1], RECIPE, root=tmp_path)
    assert np.array_equal(again.array(), before)
    assert again.infos[0]["apex"] == 3


@pytest.mark.parametrize("damage", QUIET)
def test_what_is_lost_or_of_an_earlier_version_is_made_without_a_word(clips, tmp_path, damage, recwarn):
    first = prepare(clips[:1], RECIPE, root=tmp_path)
    before = first.array()
    path = first.paths()[0]
    content = path.read_bytes()
    QUIET[damage](path, path.with_suffix(".json"))
    assert np.array_equal(prepare(clips[:1], RECIPE, root=tmp_path).array(), before)
    assert path.read_bytes() == content and CachedSequence.read(path.with_suffix(".json")).digest
    assert not [warning for warning in recwarn if "damaged" in str(warning.message)]


def test_a_recipe_that_says_nonsense_is_named(clips, tmp_path, monkeypatch):
    made = RECIPE.build(clips[0])
    monkeypatch.setattr(Talluri2022, "build", lambda *_: BuiltSequence(made.frames, {"apex": "late"}))
    with pytest.raises(UsageError, match="recipe talluri2022: its info is wrong: apex"):
        prepare(clips[:1], RECIPE, root=tmp_path)


def test_loading_a_damaged_or_foreign_array_is_a_clear_error(clips, tmp_path):
    found = prepare(clips[:1], RECIPE, root=tmp_path)
    path = found.paths()[0]
    for damage in ("a header without end", "empty", "a pipe"):
        DAMAGES[damage](path, path.with_suffix(".json"))
        with pytest.raises(FleetingError, match="a damaged sequence"):
            found[0]
    path.unlink()
    np.save(found.paths()[0], np.zeros(3))
    with pytest.raises(FleetingError, match="expected uint8"):
        found[0]


def test_the_manifest_lists_recipe_and_clips(clips, tmp_path):
    found = prepare(clips, RECIPE, root=tmp_path)
    manifest = CacheManifest.read(found.cache.folder / "manifest.json")
    assert manifest.recipe["frames"] == 4
    assert {entry.clip for entry in manifest.clips.values()} == {"d/s0/c", "d/s1/c", "d/s2/c"}
    assert set(manifest.clips) == set(found.keys)


def test_a_read_only_store_says_so(clips, read_only):
    with pytest.raises(FleetingError, match="cannot be written"):
        prepare(clips[:1], RECIPE, root=read_only)


def test_progress_is_told(clips, tmp_path):
    told = []
    prepare(clips, RECIPE, root=tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


_FILL = """
import sys, numpy as np
from pathlib import Path
from fleeting.clips import Clip, FrameFolder
from fleeting.sequences import Talluri2022, prepare
if __name__ == "__main__":
    root, cache, jobs = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    clips = [Clip("d", p.name, "c", FrameFolder(p), onset=0, apex=3) for p in sorted(root.iterdir())]
    print("ready", flush=True)
    found = prepare(clips, Talluri2022(frames=4, height=64, width=64), root=cache, jobs=jobs)
    print(len(found), flush=True)
"""


@pytest.fixture
def folders(clips, write_frames):
    for k in range(8):
        base = clips[k % 3].frames
        folder = write_frames([np.roll(base[t], k, axis=1) for t in range(6)], name=f"set/{k}")
    return folder.parent


def test_two_processes_that_fill_one_store_agree(folders, tmp_path):
    command = [sys.executable, "-c", _FILL, str(folders), str(tmp_path / "cache"), "1"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [p.communicate(timeout=120)[0].split() for p in running] == [["ready", "8"]] * 2
    clips = [Clip("d", p.name, "c", FrameFolder(p), onset=0, apex=3) for p in sorted(folders.iterdir())]
    shared = prepare(clips, RECIPE, root=tmp_path / "cache")
    alone = prepare(clips, RECIPE, root=tmp_path / "alone")
    assert np.array_equal(shared.array(), alone.array())
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_a_kill_leaves_a_store_that_can_be_completed(folders, tmp_path):
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", _FILL, str(folders), str(cache), "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "ready"
    deadline = time.monotonic() + 60
    while not list(cache.rglob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    clips = [Clip("d", p.name, "c", FrameFolder(p), onset=0, apex=3) for p in sorted(folders.iterdir())]
    assert np.array_equal(
        prepare(clips, RECIPE, root=cache).array(), prepare(clips, RECIPE, root=tmp_path / "alone").array()
    )


def test_several_processes_give_what_one_gives(folders, tmp_path):
    clips = [Clip("d", p.name, "c", FrameFolder(p), onset=0, apex=3) for p in sorted(folders.iterdir())]
    two = prepare(clips, RECIPE, root=tmp_path / "two", jobs=2)
    one = prepare(clips, RECIPE, root=tmp_path / "one", jobs=1)
    assert two.keys == one.keys
    assert np.array_equal(two.array(), one.array())


def test_film_strips_show_frames_and_change(clips, tmp_path):
    found = prepare(clips[:1], Talluri2022(frames=12, height=64, width=64, motion="difference"), root=tmp_path)
    strip = film_strip(found[0], reference_first=True, count=5, side=64)
    assert strip.dtype == np.uint8
    assert strip.shape == (64 * 2 + 3, 64 * 5 + 3 * 4, 3)


class Row(Recipe):
    """A recipe of 9000 numbers per clip: limits, channels and type of its own."""

    name: str = "row"
    frames: int = Field(default=1, ge=1, le=1)
    height: int = Field(default=1, ge=1, le=1)
    width: int = Field(default=9000, ge=1, le=100_000)
    made: str = "numbers"

    @property
    def dtype(self):
        return "float32"

    def build(self, clip, detector=None):
        row = np.linspace(-1, 1, self.width).astype(np.float64 if self.made == "doubles" else np.float32)
        if self.made == "nan" and clip.subject == "s1":
            row[5] = np.nan
        return BuiltSequence(row.reshape(self.stored_shape))


def test_sequences_may_be_rows_of_float32(clips, tmp_path):
    found = prepare(clips, Row(), root=tmp_path)
    assert found[1].shape == (1, 1, 9000, 1) and found[1].dtype == np.float32
    assert found.array().dtype == np.float32 and found.array([0, 2]).shape == (2, 1, 1, 9000, 1)
    assert np.array_equal(found.array()[1].ravel(), np.linspace(-1, 1, 9000).astype(np.float32))
    assert Row().picture(found[0]) is None
    np.save(found.paths()[0], found[0].astype(np.float64))
    with pytest.raises(FleetingError, match=r"found float64 .* expected float32"):
        found[0]


def test_float_sequences_that_break_the_promise(clips, tmp_path):
    with pytest.raises(FleetingError, match=r"made float64 .* promise float32"):
        prepare(clips, Row(made="doubles"), root=tmp_path)
    found = prepare(clips, Row(made="nan"), root=tmp_path)
    assert [(s.clip.subject, "NaN" in s.reason) for s in found.skipped] == [("s1", True)]


def test_the_picture_of_a_sequence_is_its_film_strip(clips, tmp_path):
    found = prepare(clips[:1], RECIPE, root=tmp_path)
    assert np.array_equal(RECIPE.picture(found[0]), film_strip(found[0], reference_first=False))
    assert "apex: frame 3 of 6" in RECIPE.picture_caption(found.infos[0], 6)
