"""``analyze`` as its users rely on it: files, events against the truth, stopping and going on, hard recordings."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
from fractions import Fraction

import cv2
import numpy as np
import pandas as pd
import pytest

from fleeting.analysis import AnalysisObserver, analyze
from fleeting.analysis.folder import FRAME_COLUMNS
from fleeting.app.cli import main
from fleeting.clips import ArrayFrames, Event
from fleeting.errors import ClipReadError, ModelFileError, NoFaceError, UsageError
from fleeting.metrics import score_spotting
from fleeting.records.analysis import EVENT_COLUMNS, FollowedFace
from fleeting.reports import read_analysis
from fleeting.synthesis import list_identities, make_recording

FPS = 60.0


@pytest.fixture(scope="module")
def recording():
    """12 seconds with micro-expressions, blinks and a turn of the head."""
    return make_recording(
        list_identities()[21],
        seconds=12,
        fps=FPS,
        micro=30,
        macro=0,
        turn=0,
        absence=0,
        cut=0,
        speech=0,
        amplitude=(2.0, 3.0),
        colour=False,
        seed=4,
    )


@pytest.fixture(scope="module")
def analyzed(recording, tmp_path_factory):
    out = tmp_path_factory.mktemp("analyzed") / "out"
    return analyze(recording.frames, out)


@pytest.fixture(scope="module")
def film(recording, tmp_path_factory):
    """Four seconds of it as a file, 60 frames per second."""
    path = tmp_path_factory.mktemp("film") / "Müller 1.mp4"
    write_av(path, [recording.frames.grey(k) for k in range(240)], [k / FPS for k in range(240)])
    return path


def test_a_spotter_by_name(analyzed, recording, tmp_path):
    same = analyze(recording.frames, tmp_path / "same", spotter="motion")
    assert (same.path / "events.csv").read_bytes() == (analyzed.path / "events.csv").read_bytes()
    with pytest.raises(UsageError, match="unknown interval spotter 'motoin'; did you mean 'motion'"):
        analyze(recording.frames, tmp_path / "none", spotter="motoin")
    with pytest.raises(ModelFileError, match="not a spotter of intervals"):
        analyze(recording.frames, tmp_path / "gone", spotter=tmp_path / "gone.safetensors")


def write_av(path, frames, seconds, pix_fmt="yuv420p", codec="libx264"):
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=60, options={"crf": "12", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], pix_fmt
        stream.codec_context.time_base = Fraction(1, 90000)
        for image, at in zip(frames, seconds, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "gray" if image.ndim == 2 else "rgb24")
            frame.pts, frame.time_base = round(at * 90000), Fraction(1, 90000)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def times(out, name="frames.csv"):
    return pd.read_csv(out / name)


class Stop(AnalysisObserver):
    def __init__(self, at):
        self.at = at

    def frame(self, frame, faces, measured):
        self.stopping = frame.number >= self.at


def test_events_are_those_that_happened(analyzed, recording):
    found = [Event(e.onset, e.apex, e.offset, e.kind) for e in analyzed.events]
    score = score_spotting({"a": recording.events}, {"a": found}).micro
    assert score.tp >= 0.7 * len(recording.events) and score.fp <= 1


def test_tables_say_what_was_measured(analyzed, recording):
    frames, events = times(analyzed.path), times(analyzed.path, "events.csv")
    assert tuple(frames.columns) == FRAME_COLUMNS
    assert tuple(events.columns[: len(EVENT_COLUMNS)]) == EVENT_COLUMNS
    assert frames["frame"].tolist() == list(range(len(recording.frames)))
    assert np.allclose(frames["timestamp"], frames["frame"] / FPS, atol=1e-6)
    assert frames["success"].all() and frames["confidence"].between(0, 1).all()
    assert np.allclose(events["onset_s"], events["onset"] / FPS, atol=1e-5)
    assert np.allclose(events["duration_s"], (events["offset"] - events["onset"]) / FPS, atol=1e-5)
    assert (events["kind"] == "micro").all()
    # The score culminates where the apex was seen, within a few frames.
    for event in events.to_dict("records"):
        part = frames[frames["frame"].between(event["onset"], event["offset"])]
        assert abs(int(part.loc[part["score"].idxmax(), "frame"]) - event["apex"]) <= 0.1 * FPS


def test_the_folder_holds_what_the_report_reads(analyzed):
    found = read_analysis(analyzed.path)
    assert not found.partial and not found.problems and len(found.events) == len(analyzed.events)
    for event in found.events:
        for which in ("", "_magnified"):
            picture = cv2.imread(str(found.picture(event, which)))
            assert picture.shape[0] == 182 and picture.std() > 10
    head = found.head
    assert head["counts"]["frames"] == head["counts"]["frames_with_face"] == head["source"]["n_frames"]
    assert head["weights"]["spotter"]["name"] and "fleeting" in head["versions"]


def test_the_head_turns_as_its_roll_says(tmp_path):
    made = make_recording(list_identities()[21], seconds=1.5, fps=30, micro=0, macro=0, blink=0, seed=1, colour=False)
    image = made.frames.grey(0)
    height, width = image.shape
    angles = np.radians(8 * np.sin(np.linspace(0, np.pi, 45)))
    frames = []
    for angle in angles:
        # Clockwise as seen: the eye on the image's right goes down.
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), -np.degrees(angle), 1.0)
        frames.append(cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE))
    analyze(ArrayFrames(np.stack(frames), fps=30.0), tmp_path / "out", video=False)
    roll = times(tmp_path / "out")["pose_Rz"].to_numpy()
    assert np.abs((roll - roll[0]) - angles).max() < np.radians(1.5)


def test_annotated_video_lasts_as_long_as_the_recording(film, tmp_path):
    analyze(film, tmp_path / "out")
    capture = cv2.VideoCapture(str(tmp_path / "out" / "annotated.mp4"))
    count = 0
    while capture.grab():
        count += 1
    assert count == 240
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(FPS, rel=0.02)
    capture.release()


def test_without_pyav_opencv_reads_and_writes(film, tmp_path, monkeypatch):
    analyze(film, tmp_path / "with")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(KeyboardInterrupt):
        analyze(film, tmp_path / "out", observer=Stop(100))
    found = analyze(film, tmp_path / "out", resume=True)
    assert found.head.source.reader == "opencv" and not found.head.warnings[1:]
    capture = cv2.VideoCapture(str(tmp_path / "out" / "annotated.mp4"))
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    assert count == 240
    # Another decoder's grey levels, but the same motion.
    one, other = times(tmp_path / "with"), times(tmp_path / "out")
    assert np.abs(one["timestamp"] - other["timestamp"]).max() < 2e-3
    assert np.abs(one["score"] - other["score"]).median() < 0.05


@pytest.mark.parametrize("video", [False, True])
def test_stopped_and_resumed_it_finds_the_same(recording, analyzed, tmp_path, video):
    out = tmp_path / "out"
    for at in (100, 431):
        with pytest.raises(KeyboardInterrupt):
            analyze(recording.frames, out, video=video, resume=at > 100, observer=Stop(at))
        head = json.loads((out / "analysis.json").read_text("utf-8"))
        assert head["status"] == "partial" and head["frames_done"] == at + 1
        assert read_analysis(out).partial
    # A kill after the last save leaves rows that will be computed again.
    with (out / "frames.csv").open("a") as file:
        file.write("9999,0,12")
    done = analyze(recording.frames, out, video=video, resume=True)
    assert done.complete and not (out / "resume.npz").exists()
    assert (out / "frames.csv").read_bytes() == (analyzed.path / "frames.csv").read_bytes()
    assert (out / "events.csv").read_bytes() == (analyzed.path / "events.csv").read_bytes()
    assert (out / "annotated.mp4").exists() == video
    again = analyze(recording.frames, out, video=video, resume=True)
    assert [vars(e) for e in again.events] == [vars(e) for e in sorted(done.events, key=lambda e: e.number)]


def test_killed_it_leaves_valid_files_and_goes_on(film, tmp_path):
    out = tmp_path / "out"
    code = (
        "import sys, time, importlib\nfrom fleeting.analysis import AnalysisObserver\n"
        "job = importlib.import_module('fleeting.analysis.analyze')\njob.FLUSH_SECONDS = job.SNAPSHOT_SECONDS = 0.0\n"
        "class Slow(AnalysisObserver):\n    def frame(self, frame, *rest):\n        time.sleep(0.02)\n"
        "        if frame.number == 120: print('there', flush=True)\n"
        "job.analyze(sys.argv[1], sys.argv[2], observer=Slow())"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(film), str(out)], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout.readline() == b"there\n"
    process.kill()
    process.wait()
    found = read_analysis(out)
    assert found.partial and not found.problems
    assert len(found.courses[0].time) > 60
    assert analyze(film, out, resume=True).complete
    analyze(film, tmp_path / "whole")
    for name in ("frames.csv", "events.csv"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to send")
def test_ctrl_c_writes_a_page_and_exits_130(film, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "fleeting", "analyze", str(film), "--out", str(out), "--fps", "50"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 60
    while not (out / "analysis.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130 and "--resume" in said
    assert read_analysis(out).partial and (out / "report.html").exists()
    assert main(["analyze", str(film), "--out", str(out), "--fps", "50", "--resume", "-q"]) == 0
    assert not read_analysis(out).partial


def test_a_folder_of_another_analysis_is_left_alone(analyzed, film, recording, tmp_path):
    with pytest.raises(UsageError, match="--resume"):
        analyze(recording.frames, analyzed.path)
    with pytest.raises(UsageError, match="another analysis"):
        analyze(film, analyzed.path, resume=True)
    with pytest.raises(UsageError, match="no analysis to go on with"):
        analyze(film, tmp_path / "new", resume=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="other files"):
        analyze(film, tmp_path / "other")


def test_a_recogniser_names_the_emotion(recording, small_run, tmp_path):
    found = analyze(recording.frames, tmp_path / "out", model=small_run.path, video=False, seconds=6)
    table = times(tmp_path / "out", "events.csv")
    classes = [name[2:] for name in table.columns if name.startswith("p_")]
    assert len(found.events) >= 2 and len(classes) == 3
    assert np.allclose(table[[f"p_{name}" for name in classes]].sum(axis=1), 1, atol=1e-4)
    assert all(table["emotion"] == table[[f"p_{n}" for n in classes]].idxmax(axis=1).str[2:])
    assert list(found.head.weights["recogniser"].classes) == classes


# Real recordings.


def test_a_real_face(video, tmp_path):
    found = analyze(video("single_face.mp4"), tmp_path / "out")
    frames = times(tmp_path / "out")
    assert len(frames) == 72 and frames["success"].mean() > 0.95
    assert any("frames per second" in sentence for sentence in found.head.warnings)


def test_a_face_that_comes_and_goes(video, tmp_path):
    analyze(video("face_noface.mov"), tmp_path / "out", video=False)
    frames = times(tmp_path / "out")
    assert len(frames) == 169 and 0.3 < frames["success"].mean() < 0.7
    gone = frames[frames["success"] == 0]
    assert gone["score"].isna().all() and gone["flow_chin_x"].isna().all()


def test_nobody_there_is_said_and_fails_as_predict_does(video, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["analyze", str(video("no_face.mp4")), "--out", str(out), "--no-video"]) == 1
    assert "no face in 95 frames" in capsys.readouterr().err
    head = read_analysis(out).head
    assert head["status"] == "complete" and head["counts"]["events"] == 0
    assert any("no face" in sentence for sentence in head["warnings"])
    assert (out / "report.html").exists()


# Hard recordings.


def test_times_of_a_variable_frame_rate_are_those_of_the_frames(recording, tmp_path):
    rng = np.random.default_rng(3)
    kept = np.sort(rng.choice(480, 380, replace=False))
    path = write_av(tmp_path / "vfr.mp4", [recording.frames.grey(int(k)) for k in kept], (kept - kept[0]) / FPS)
    for backend in ("av", "opencv"):
        found = analyze(path, tmp_path / backend, video=False, backend=backend)
        assert found.head.source.vfr
        frames = times(tmp_path / backend)
        assert np.allclose(frames["timestamp"], (kept - kept[0]) / FPS, atol=2e-3)
    truth = {"a": [e for e in recording.events if e.offset < 470]}
    # In even sixtieths of a second, as the truth counts.
    spotted = times(tmp_path / "av", "events.csv")
    columns = [(spotted[f"{name}_s"] * FPS + kept[0]).round().astype(int) for name in ("onset", "apex", "offset")]
    events = [Event(*row, kind=kind) for *row, kind in zip(*columns, spotted["kind"], strict=True)]
    score = score_spotting(truth, {"a": events}).micro
    assert score.tp >= 0.6 * len(truth["a"])


def rotate_metadata(path, degrees):
    """Write a rotation into the track header of an mp4: its matrix, in 16.16 fixed point."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4
    matrix = at + 4 + (32 if content[at] == 1 else 20) + 16
    c, s = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    values = [v << 16 for v in (c, s)] + [0] + [v << 16 for v in (-s, c)] + [0, 0, 0, 1 << 30]
    content[matrix : matrix + 36] = struct.pack(">9i", *values)
    path.write_bytes(content)


@pytest.mark.parametrize("backend", ["av", "opencv"])
def test_rotation_in_the_metadata_is_applied(recording, tmp_path, backend):
    upright = [recording.frames.grey(k) for k in range(20)]
    path = write_av(tmp_path / "turned.mp4", [np.rot90(f) for f in upright], [k / FPS for k in range(20)])
    rotate_metadata(path, 90)
    found = analyze(path, tmp_path / "out", video=False, backend=backend)
    source = found.head.source
    assert source.rotation == 90 and (source.width, source.height) == recording.frames.size
    assert times(tmp_path / "out")["success"].all()


def test_grey_odd_sizes_and_ten_bits(recording, tmp_path):
    frames = [recording.frames.grey(k)[:339, :279] for k in range(24)]
    seconds = [k / FPS for k in range(24)]
    odd = write_av(tmp_path / "odd.mkv", frames, seconds, pix_fmt="gray", codec="ffv1")
    ten = write_av(tmp_path / "ten.mkv", frames, seconds, pix_fmt="yuv420p10le", codec="ffv1")
    courses = []
    for path in (odd, ten):
        found = analyze(path, tmp_path / path.stem)
        assert (found.head.source.width, found.head.source.height) == (279, 339)
        assert (tmp_path / path.stem / "annotated.mp4").exists()
        courses.append(times(tmp_path / path.stem))
    assert courses[0]["success"].all() and courses[1]["success"].all()
    assert np.abs(courses[0]["head_x"] - courses[1]["head_x"]).max() < 0.3


def test_4k_is_searched_small_and_measured_as_well(recording, tmp_path):
    images = [cv2.resize(recording.frames.grey(k), (1680, 2040)) for k in range(6)]
    wide = [cv2.copyMakeBorder(i, 60, 60, 1080, 1080, cv2.BORDER_REPLICATE) for i in images]
    assert wide[0].shape == (2160, 3840)
    analyze(ArrayFrames(np.stack(wide), fps=FPS), tmp_path / "out")
    assert times(tmp_path / "out")["success"].all()


def test_black_frames_and_a_face_after_them(recording, tmp_path):
    frames = np.stack([recording.frames.grey(k) for k in range(40)])
    frames[10:25] = 0
    analyze(ArrayFrames(frames, fps=FPS), tmp_path / "out", video=False)
    success = times(tmp_path / "out")["success"].to_numpy()
    assert success[:10].all() and not success[10:25].any() and success[-3:].all()


@pytest.mark.parametrize("backend", ["av", "opencv"])
def test_a_damaged_tail_keeps_what_came_before(recording, tmp_path, backend):
    frames = [recording.frames.grey(k) for k in range(60)]
    path = write_av(tmp_path / "whole.mkv", frames, [k / FPS for k in range(60)], codec="ffv1", pix_fmt="gray")
    content = path.read_bytes()
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(content[: len(content) * 6 // 10])
    found = analyze(broken, tmp_path / "out", video=False, backend=backend)
    assert 25 < found.head.counts.frames < 45
    assert any("damaged or missing" in sentence for sentence in found.head.warnings)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ClipReadError):
        analyze(tmp_path / "text.mp4", tmp_path / "none", backend=backend)


@pytest.fixture(scope="module")
def two(recording):
    """Two people side by side, the left one larger."""
    other = make_recording(list_identities()[5], seconds=1, fps=FPS, micro=0, macro=0, blink=0, seed=2, colour=False)
    frames = []
    for k in range(45):
        left = cv2.resize(recording.frames.grey(k), (340, 412))
        right = cv2.copyMakeBorder(other.frames.grey(k), 36, 36, 0, 0, cv2.BORDER_REPLICATE)
        frames.append(np.hstack([left, right]))
    return ArrayFrames(np.stack(frames), fps=FPS)


def test_several_faces(two, tmp_path):
    found = analyze(two, tmp_path / "all", face="all")
    assert [face.face_id for face in found.head.faces] == [0, 1]
    frames = times(tmp_path / "all")
    assert all(part["success"].all() and len(part) == 45 for _, part in frames.groupby("face_id"))
    one = analyze(two, tmp_path / "one", face=1, video=False)
    assert one.head.faces == (FollowedFace(face_id=1, frames=45),)
    mine = times(tmp_path / "one")
    both = frames[frames["face_id"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, both)
    analyze(two, tmp_path / "largest", video=False)
    alone = times(tmp_path / "largest").drop(columns="face_id")
    assert np.abs(alone["head_x"] - frames[frames["face_id"] == 0].reset_index(drop=True)["head_x"]).max() < 1.0
    with pytest.raises(NoFaceError, match="no face 2; 2 were seen"):
        analyze(two, tmp_path / "third", face=2, video=False)
    with pytest.raises(UsageError, match="largest, all, or a number"):
        analyze(two, tmp_path / "none", face="left")


# Cameras, streams, folders.


def test_a_stream_is_kept_up_with_and_ends(film, tmp_path, capsys):
    (tmp_path / "stream.mp4").write_bytes(film.read_bytes())
    address = f"file://{tmp_path / 'stream.mp4'}"
    assert main(["analyze", address, "--out", str(tmp_path / "out"), "--live"]) == 0
    head = read_analysis(tmp_path / "out").head
    assert head["status"] == "complete" and head["source"]["live"] and head["counts"]["frames"] > 0
    with pytest.raises(UsageError, match="cannot be resumed"):
        analyze(address, tmp_path / "out", resume=True)


def test_a_camera_that_is_not_there(tmp_path, capsys):
    assert main(["analyze", "97", "--out", str(tmp_path / "out")]) == 1
    assert "camera 97" in capsys.readouterr().err


def test_live_tells_the_terminal_what_goes_on(film, tmp_path, capsys):
    assert main(["analyze", str(film), "--out", str(tmp_path / "out"), "--live", "--no-video"]) == 0
    said = capsys.readouterr().err
    assert "motion" in said and "events so far" in said


def test_a_folder_of_videos_one_by_one(film, tmp_path, capsys):
    folder = tmp_path / "day"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(film.read_bytes())
    (folder / "b.mp4").write_bytes(b"not a video")
    command = ["analyze", str(folder), "--out", str(tmp_path / "out"), "--no-video", "--seconds", "1", "--json"]
    assert main(command) == 1
    told = json.loads(capsys.readouterr().out)["recordings"]
    assert told[0]["counts"]["frames"] == 60 and "error" in told[1]
    assert (tmp_path / "out" / "a" / "report.html").exists()


def test_a_folder_of_frames_needs_a_rate(recording, write_frames, tmp_path):
    folder = write_frames([recording.frames[k] for k in range(12)])
    with pytest.raises(UsageError, match="--fps"):
        analyze(folder, tmp_path / "out")
    sorted(folder.iterdir())[5].write_bytes(b"")
    found = analyze(folder, tmp_path / "out", fps=FPS)
    assert found.head.counts.frames == 12 and found.head.counts.frames_with_face == 11
    assert any("cannot be read" in sentence for sentence in found.head.warnings)


MEMORY = """
import sys, tracemalloc
import psutil
from fleeting.analysis.analyze import AnalysisObserver, analyze
from fleeting.app.analyze import return_memory
from fleeting.synthesis import list_identities, make_recording
return_memory()
made = make_recording(list_identities()[21], seconds=92, fps=25, size=(140, 170), seed=8, absence=0, cut=0, colour=False)
class Watch(AnalysisObserver):
    least = {}
    most = 0
    def frame(self, frame, *rest):
        self.most = max(self.most, psutil.Process().memory_info().rss)
        if frame.number == 200:
            tracemalloc.start()
        if frame.number >= 700 and frame.number % 20 == 0:
            part = frame.number // 800
            self.least[part] = min(self.least.get(part, 1 << 40), tracemalloc.get_traced_memory()[0])
watch = Watch()
analyze(made.frames, sys.argv[1], observer=watch, explain=False, video=False)
print(watch.least[1], watch.least[2], watch.most)
"""


def test_memory_does_not_grow_with_length(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    out = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "out")], capture_output=True, text=True, env=environment
    )
    assert out.returncode == 0, out.stderr
    early, late, most = (int(line) for line in out.stdout.split())
    # What is kept, 24 seconds of measurements, is full by then. Another 800 crops would be 13 MB, measurements 1.9 MB.
    assert late - early < 1 << 20
    assert most < 700 << 20
