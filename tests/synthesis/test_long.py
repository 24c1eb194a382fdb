"""Long recordings: what is planned happens, frame by frame, and costs no memory."""

import os
import subprocess
import sys
from itertools import pairwise

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.clips import FrameSource, VideoFile, kind_of, open_frames
from fleeting.errors import UsageError
from fleeting.faces import default_detector
from fleeting.records import RecordingsHead
from fleeting.synthesis import Distractor, LongSettings, Plan, SyntheticEvent, make_recording, write_recordings
from fleeting.synthesis.long_plan import draw_plan

STILL = {"motion": 0.0, "flicker": 0.0, "noise": 0.0}
NOTHING = dict.fromkeys(("micro", "macro", "blink", "speech", "turn", "absence", "cut"), 0.0)
SMILE = SyntheticEvent(20, 30, 45, "micro", "happiness", "12", 3.0, (("mouthSmileLeft", 1.0), ("mouthSmileRight", 1.0)))


def filmed(events=(), distractors=(), **changes):
    changes = {"seconds": 2, "fps": 50, **NOTHING, **STILL, **changes}
    return make_recording("03", plan=Plan(tuple(events), tuple(distractors)), **changes)


def moved(made, k, against=0):
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    a, b = made.frames.grey(against), made.frames.grey(k)
    return flow.calc(a, b, None)


def change(made, k, against=0):
    return float(np.abs(made.frames.grey(k).astype(int) - made.frames.grey(against)).mean())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([25.0, 30.0, 60.0, 100.0, 200.0]))
def test_a_plan_keeps_its_promises(seed, fps):
    s = LongSettings(seconds=60, fps=fps, micro=10, macro=3, absence=1, cut=1)
    plan = draw_plan(np.random.default_rng(seed), s)
    taken = sorted(
        [(e.onset, e.offset) for e in plan.events]
        + [(d.first, d.last) for d in plan.distractors if d.what in ("speech", "absence", "cut")]
    )
    assert taken[0][0] > 0
    assert taken[-1][1] < s.n_frames
    assert all(a[1] < b[0] for a, b in pairwise(taken))
    for event in plan.events:
        assert event.kind == kind_of(event.onset, event.offset, fps)
        assert event.onset < event.apex < event.offset
        low, high = s.amplitude if event.kind == "micro" else s.macro_amplitude
        assert low <= event.amplitude <= high
    assert {"micro", "macro"} == {e.kind for e in plan.events}


def test_too_much_for_the_time_is_an_error_that_says_so():
    with pytest.raises(UsageError, match="fewer a minute"):
        make_recording("01", seconds=5, micro=200)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": 0},
        {"fps": -1},
        {"micro": -1},
        {"amplitude": (3, 1)},
        {"noise": 99},
        {"emotions": ("joy",)},
        {"emotions": ()},
    ],
)
def test_settings_that_cannot_be_right_are_refused(wrong):
    with pytest.raises(UsageError):
        LongSettings(**wrong)


def test_the_face_moves_by_the_amplitude_at_the_apex_and_rests_before_and_after():
    made = filmed([SMILE])
    track = np.stack([made.frames.landmarks(k) for k in (0, 20, 30, 45, 60)])
    assert np.abs(track[[1, 3, 4]] - track[0]).max() < 1e-9
    most = np.linalg.norm(track[2] - track[0], axis=1).max()
    true = 3.0 * made.frames.stage.face_width / 128 * np.linalg.norm(_turn(made))
    assert 0.5 * true < most <= true + 1e-6
    flow = moved(made, 30)
    marks = track[0][[48, 54]].round().astype(int)
    for (x, y), mark in zip(marks, (48, 54)):
        assert np.abs(flow[y, x] - (track[2] - track[0])[mark]).max() < 0.5
    assert change(made, 46) == change(made, 60) == 0


def _turn(made):
    return made.frames._moment(0).matrix[:, 0]


def test_intensity_is_one_at_the_apex_alone():
    made = filmed([SMILE])
    course = [made.frames.intensity(SMILE, k) for k in range(15, 50)]
    assert course[15] == 1.0
    assert sum(value == 1.0 for value in course) == 1
    assert course[:6] == [0.0] * 6
    assert course[30:] == [0.0] * 5


def test_each_frame_is_the_same_in_any_order_and_any_process():
    made = make_recording("05", seconds=25, fps=30, micro=10, macro=0, blink=40, speech=6, seed=4)
    forward = [made.frames[k] for k in range(40, 50)]
    again = make_recording("05", seconds=25, fps=30, micro=10, macro=0, blink=40, speech=6, seed=4)
    back = [again.frames[k] for k in range(49, 39, -1)][::-1]
    assert all((a == b).all() for a, b in zip(forward, back))
    code = (
        "from fleeting.synthesis import make_recording as m\n"
        "import hashlib\n"
        "f = m('05', seconds=25, fps=30, micro=10, macro=0, blink=40, speech=6, seed=4).frames\n"
        "print(hashlib.sha256(f[44].tobytes()).hexdigest(), f.digest())"
    )
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout
    import hashlib

    assert out.split() == [hashlib.sha256(forward[4].tobytes()).hexdigest(), made.frames.digest()]
    assert make_recording("05", seconds=25, fps=30, seed=5).frames.digest() != made.frames.digest()


def test_a_blink_moves_the_eyes_and_nothing_else():
    made = filmed(distractors=[Distractor("blink", 10, 24)])
    shut = np.abs(made.frames.grey(15).astype(int) - made.frames.grey(0))
    eyes = made.frames.landmarks(0)[36:48].mean(0)
    assert shut[int(eyes[1]) - 25 : int(eyes[1]) + 25].max() > 20
    assert shut[int(made.frames.landmarks(0)[33, 1]) :].max() <= 4
    assert change(made, 9) == change(made, 24) == 0


def test_speech_moves_the_mouth_a_turn_the_nose_and_an_absence_takes_the_face_away():
    plan = draw_plan(np.random.default_rng(0), LongSettings(seconds=40, fps=50, **{**NOTHING, "speech": 3}))
    talk = plan.of("speech")[0]
    made = filmed(distractors=[talk], seconds=40)
    track = np.stack([made.frames.landmarks(k) for k in range(talk.first, talk.last)])
    assert np.ptp(track[:, 48:], axis=0).max() > 1.5
    assert np.ptp(track[:, 17:27], axis=0).max() < 0.3

    made = filmed(distractors=[Distractor("turn", 5, 75, 8.0, (20.0, 30.0, 20.0, 0.0))])
    there = made.frames.landmarks(40) - made.frames.landmarks(0)
    assert there[30, 0] > 8
    assert there[30, 0] > 2 * there[[36, 45], 0].mean() / 1.2
    assert np.abs(there[:, 1]).max() < 0.5

    made = filmed(distractors=[Distractor("absence", 5, 90, 1.0, (20.0, 45.0, 20.0))])
    assert default_detector().detect(made.frames[0])
    assert not default_detector().detect(made.frames[45])
    assert change(made, 95) == 0


def test_a_cut_changes_the_take_at_once_and_for_good():
    made = filmed(distractors=[Distractor("cut", 30, 30)])
    assert change(made, 29) == 0
    assert change(made, 30) > 1
    assert change(made, 31, against=30) == 0


def test_noise_has_the_strength_that_was_asked_for_and_no_memory():
    made = filmed(noise=2.0)
    a, b = (made.frames[k].astype(float) for k in (3, 4))
    inside = (a > 20) & (a < 235)
    assert np.std((a - b)[inside]) == pytest.approx(2.0 * np.sqrt(2), rel=0.1)


def test_it_is_a_frame_source_of_any_size():
    made = filmed([SMILE], size=(161, 123), noise=1.0)
    assert isinstance(made.frames, FrameSource)
    assert made.frames[30].shape == (123, 161, 3)
    assert [k for k, _ in made.frames.read([5, 3, 5, -1])] == [3, 5, 99]
    with pytest.raises(IndexError, match="100 frames"):
        made.frames[100]
    grey = filmed([SMILE], colour=False).frames[30]
    assert (grey[..., 0] == grey[..., 2]).all()


def test_an_hour_at_200_frames_a_second_is_scripted_not_stored():
    made = make_recording("01", seconds=3600, fps=200, seed=1, colour=False)
    assert len(made.frames) == 720_000
    assert made.frames[719_999].shape == (340, 280, 3)
    sizes = [len(items) for items in made.frames._agenda.values()]
    assert max(sizes) < 12
    for k in range(0, 720_000, 30_000):
        made.frames.grey(k)
    assert len(made.frames._cache) <= 16


@pytest.mark.parametrize("form", ["mp4", "avi", "jpg"])
def test_written_recordings_come_back(tmp_path, form):
    root = tmp_path / "aufnahmen-ü"
    settings = {"seconds": 4, "fps": 25, "micro": 30, "macro": 0, "speech": 0, "absence": 0, "cut": 0}
    made = write_recordings(root, subjects=2, form=form, seed=3, **settings)
    assert (made.n_recordings, made.n_frames, made.n_written) == (2, 200, 2)
    table = pd.read_csv(root / "recordings.csv")
    events = pd.read_csv(root / "events.csv")
    frames = open_frames(root / table.file[0], fps=25)
    assert len(frames) == 100
    assert isinstance(frames, VideoFile) == (form != "jpg")
    assert frames.fps == 25
    again = make_recording("01", LongSettings(**settings), seed=(3, 0, 0))
    first = events[events.recording == "s01_01"]
    assert [e.onset for e in again.events] == first.onset.tolist()
    difference = np.abs(frames[50].astype(int) - again.frames[50])
    assert difference.mean() < 4
    assert RecordingsHead.read(root / "recordings.json").complete
    assert write_recordings(root, subjects=2, form=form, seed=3, **settings).n_written == 0

    torn = root / table.file[0]
    if torn.is_dir():
        (torn / "img_000004.jpg").unlink()
    else:
        torn.write_bytes(torn.read_bytes()[:-20_000])
    gone = root / table.file[1]
    if gone.is_dir():
        import shutil

        shutil.rmtree(gone)
    else:
        gone.unlink()
    assert write_recordings(root, subjects=2, form=form, seed=3, **settings).n_written == 2
    assert len(open_frames(torn, fps=25)) == 100
    with pytest.raises(UsageError, match="seed"):
        write_recordings(root, subjects=2, form=form, seed=4, **settings)


def test_a_folder_with_other_content_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="holds other files"):
        write_recordings(tmp_path, seconds=3, fps=25)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
