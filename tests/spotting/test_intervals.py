"""Spotting in long videos: bumps are found, and what is none is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.clips import kind_of
from fleeting.errors import UsageError
from fleeting.metrics import interval_iou, score_spotting
from fleeting.spotting import REGION_NAMES, REGION_UNITS
from fleeting.spotting.interval_spotter import IntervalSpotter, spot_stream
from fleeting.spotting.intervals import spot_intervals
from fleeting.spotting.intervals_crops import measure_motion
from fleeting.spotting.intervals_motion import (
    CROP_SIDE,
    MAP_SIDE,
    FaceMotion,
    MotionTable,
)
from fleeting.synthesis import Distractor, Plan, SyntheticEvent, make_recording

BROWS = [REGION_NAMES.index(name) for name in ("right-brow-inner", "left-brow-inner", "forehead")]
MOUTH = [REGION_NAMES.index(name) for name in ("right-mouth", "left-mouth", "lower-lip")]
NOTHING = dict.fromkeys(("micro", "macro", "blink", "speech", "turn", "absence", "cut"), 0.0)
SMILE = (("mouthSmileLeft", 1.0), ("mouthSmileRight", 1.0))


def table(seconds=12.0, fps=100.0, noise=0.015, seed=0):
    n = round(seconds * fps)
    rng = np.random.default_rng(seed)
    position = rng.normal(0, noise, (n, len(REGION_NAMES), 2)).astype(np.float32)
    f = np.float32
    return MotionTable(
        fps,
        np.arange(n),
        np.ones(n, bool),
        np.zeros(n, np.int64),
        position,
        np.zeros((n, 6), f),
        np.full(n, 0.02, f),
        np.full((n, 2), 0.3, f),
        np.zeros((n, MAP_SIDE, MAP_SIDE, 2), f),
    )


def bump(t, onset, offset, size, regions, direction=(0.0, -1.0), skew=0.5):
    at = np.arange(len(t))
    apex = onset + skew * (offset - onset)
    x = np.clip(np.where(at < apex, (at - onset) / (apex - onset), (offset - at) / (offset - apex)), 0, 1)
    course = x**3 * (10 - 15 * x + 6 * x * x)
    t.position[:, regions] += (size * course)[:, None, None].astype(np.float32) * np.float32(direction)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from([30.0, 60.0, 100.0, 200.0]),
    st.floats(0.2, 0.48),
    st.floats(0.35, 2.0),
    st.floats(0, 2 * np.pi),
    st.floats(0.3, 0.6),
    st.sampled_from([BROWS, MOUTH]),
)
def test_a_short_bump_is_found_as_a_micro_expression(fps, seconds, size, angle, skew, regions):
    t = table(12, fps)
    onset = round(5 * fps)
    offset = onset + round(seconds * fps)
    bump(t, onset, offset, size, regions, (np.cos(angle), np.sin(angle)), skew)
    (event,) = spot_intervals(t)
    assert event.kind == "micro"
    assert interval_iou(event.interval, (onset, offset)) >= 0.5
    assert event.onset <= event.apex <= event.offset
    assert event.strength == pytest.approx(size, rel=0.3)
    assert set(event.regions) <= {REGION_NAMES[i] for i in regions}
    assert abs((event.direction + np.degrees(angle) + 180) % 360 - 180) < 20


@pytest.mark.parametrize("seconds", [0.9, 1.6, 3.0])
def test_a_long_one_is_a_macro_expression(seconds):
    t = table(16)
    bump(t, 600, 600 + round(seconds * 100), 1.5, MOUTH)
    (event,) = spot_intervals(t)
    assert event.kind == "macro" == kind_of(event.onset, event.offset, 100.0)
    assert interval_iou(event.interval, (600, 600 + round(seconds * 100))) >= 0.5


def test_noise_drift_steps_and_oscillation_are_no_expressions():
    assert spot_intervals(table()) == []
    drift = table()
    drift.position[:] += np.linspace(0, 3, len(drift), dtype=np.float32)[:, None, None]
    assert spot_intervals(drift) == []
    step = table()
    step.position[600:, BROWS] += 1.0
    assert spot_intervals(step) == []
    speech = table()
    swing = 0.8 * np.sin(2 * np.pi * 4 * np.arange(500) / 100)
    speech.position[300:800, MOUTH, 1] += swing[:, None].astype(np.float32)
    assert spot_intervals(speech) == []


def test_what_is_laid_to_a_turning_head_grows_with_the_turn():
    still, turning = table(), table()
    for t in (still, turning):
        bump(t, 600, 640, 0.5, BROWS)
    turning.head[:, 4] = np.interp(np.arange(len(turning)), [590, 650], [0, 12])
    assert len(spot_intervals(still)) == 1
    assert spot_intervals(turning) == []


def test_a_bump_beside_shutting_eyes_is_a_blink_unless_it_is_large():
    for size, expected in ((0.25, 0), (1.2, 1)):
        t = table()
        bump(t, 600, 625, size, BROWS)
        t.position[600:625, -2:, 1] += 0.5
        t.open[603:622] *= 0.5
        assert len(spot_intervals(t)) == expected


def test_nothing_is_spotted_across_a_break():
    for how in ("stretch", "valid", "residual"):
        t = table()
        bump(t, 600, 640, 1.0, BROWS)
        if how == "stretch":
            t.stretch[618:] += 1
            t.position[618:] += 5
        elif how == "valid":
            t.valid[618:622] = False
        else:
            t.residual[612:628] = 4.0
        assert all(e.offset < 628 or e.onset > 612 for e in spot_intervals(t))
        assert len(spot_intervals(t)) == 0


def test_a_stream_finds_what_the_whole_table_shows_and_remembers_little():
    t = table(90, seed=1)
    for k, (start, length) in enumerate(zip(range(300, 8600, 400), [30, 45, 25, 150] * 6)):
        bump(t, start, start + length, 1.0 + 0.1 * k, BROWS if k % 2 else MOUTH)
    t.valid[5000:5100] = False
    t.stretch[5100:] = 1
    whole = spot_intervals(t)
    spotter = IntervalSpotter(100.0)
    told, held = [], 0
    for k in range(len(t)):
        events = spotter.push(t.row(k))
        assert all(e.offset <= k for e in events)
        told += events
        held = max(held, len(spotter._rows))
    told += spotter.finish()
    assert [(e.interval, e.kind) for e in told] == [(e.interval, e.kind) for e in whole]
    assert len(whole) >= 18
    assert held <= 24 * 100
    assert spotter.finish() == []
    eager = IntervalSpotter(100.0, wait=3)
    early = [(e.interval, k) for k in range(len(t)) for e in eager.push(t.row(k))]
    assert len(early) >= 0.9 * len(whole)
    assert all(k - interval[1] <= 6 * 100 + 1 for interval, k in early)
    with pytest.raises(UsageError, match="1 to 60"):
        IntervalSpotter(100.0, wait=0)


def test_frames_out_of_order_and_wrong_crops_are_refused():
    t = table(1)
    spotter = IntervalSpotter(100.0)
    spotter.push(t.row(5))
    with pytest.raises(UsageError, match="rising"):
        spotter.push(t.row(5))
    with pytest.raises(UsageError, match="positive"):
        IntervalSpotter(0)
    with pytest.raises(UsageError, match="crop"):
        FaceMotion(100.0).push(0, np.zeros((8, 8), np.uint8))
    with pytest.raises(UsageError, match="at least one frame"):
        MotionTable.of([], 100.0)
    assert set(REGION_UNITS) == set(REGION_NAMES)


def test_recordings_shorter_than_an_expression_are_silent():
    for n in (1, 2, 5):
        t = table(n / 100)
        assert spot_intervals(t) == spot_stream((t.row(k) for k in range(n)), 100.0) == []


# ------------------------------------------------------------------------------------------------ from frames


def measured(events=(), distractors=(), seconds=3, fps=50, **changes):
    plan = Plan(tuple(events), tuple(distractors))
    made = make_recording("03", plan=plan, seconds=seconds, fps=fps, colour=False, **{**NOTHING, **changes})
    rows = measure_motion((made.frames.grey(k) for k in range(len(made.frames))), fps)
    return made, MotionTable.of(rows, fps)


def test_a_smile_moves_the_mouth_up_and_not_the_brows():
    made, t = measured([SyntheticEvent(60, 70, 84, "micro", "happiness", "12", 3.0, SMILE)])
    assert t.valid.all()
    assert t.stretch.max() == 0
    corners = [REGION_NAMES.index(f"{side}-mouth") for side in ("right", "left")]
    there = t.position[70] - (t.position[58] + t.position[90]) / 2
    true = made.frames.landmarks(70)[[48, 54]] - made.frames.landmarks(58)[[48, 54]]
    true *= 128 / np.ptp(made.frames.landmarks(0)[:17, 0])
    assert (np.sign(there[corners, 0]) == [-1, 1]).all()
    assert (there[corners, 1] < 0).all()
    share = np.linalg.norm(there[corners], axis=1) / np.linalg.norm(true, axis=1)
    assert (share > 0.3).all()
    assert (share < 1.3).all()
    assert np.abs(there[BROWS]).max() < 0.15
    (event,) = spot_intervals(t)
    assert interval_iou(event.interval, (60, 84)) >= 0.5
    assert abs(event.apex - 70) <= 1


def test_the_crop_may_jump_and_the_head_sway_without_moving_the_skin():
    made = make_recording("03", plan=Plan((), ()), seconds=2, fps=50, colour=False, motion=3.0, **NOTHING)
    from fleeting.spotting.intervals_crops import FaceFollower

    follower, meter = FaceFollower(50.0), FaceMotion(50.0)
    rows = []
    for k in range(100):
        crop = follower.push(made.frames.grey(k))
        image, matrix, points = crop.image, crop.matrix, crop.points
        if k >= 40:
            import cv2

            # From now on the crops are cut elsewhere, and turned.
            move = np.array([[0.99, 0.03, 3.0], [-0.03, 0.99, -2.0]])
            image = cv2.warpAffine(made.frames.grey(k), move @ np.vstack([matrix, [0, 0, 1]]), (CROP_SIDE, CROP_SIDE))
            matrix = move @ np.vstack([matrix, [0, 0, 1]])
            points = points @ move[:, :2].T + move[:, 2]
        rows.append(meter.push(k, image, matrix, points))
    t = MotionTable.of(rows, 50.0)
    assert t.stretch.max() == 0
    assert np.ptp(t.head[:, 0]) > 0.5
    assert np.abs(np.diff(t.position[:, :14], axis=0)).max() < 0.15
    assert spot_intervals(t) == []


def test_blinks_turns_and_an_empty_room_are_no_expressions():
    turn = Distractor("turn", 150, 220, 8.0, (25.0, 20.0, 25.0, 0.2))
    blinks = [Distractor("blink", k, k + 15) for k in (40, 110)]
    _, t = measured([], [*blinks, turn], seconds=5, motion=1.5)
    assert t.open[45].max() < 0.8 * np.median(t.open)
    assert [e for e in spot_intervals(t) if e.kind == "micro"] == []
    rows = list(measure_motion([np.full((200, 200, 3), 90, np.uint8)] * 5 + [None], 50.0))
    assert not any(row.valid for row in rows)
    assert [row.frame for row in rows] == list(range(6))


def test_micro_expressions_of_a_busy_recording_are_found():
    fps = 50.0
    made = make_recording("07", seconds=20, fps=fps, micro=18, macro=3, blink=12, turn=3, seed=8, colour=False)
    rows = measure_motion((made.frames.grey(k) for k in range(len(made.frames))), fps)
    found = spot_stream(rows, fps)
    score = score_spotting({"v": made.events}, {"v": found})
    assert score.micro.f1 >= 0.6


def test_a_large_frame_gives_the_same_crop_as_a_small_one():
    import cv2

    from fleeting.spotting import FaceFollower

    made = make_recording("03", plan=Plan((), ()), seconds=1, fps=25, noise=0.0, **NOTHING)
    small = made.frames[0]
    large = cv2.resize(small, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    crops = [FaceFollower(25.0).push(frame) for frame in (small, large, cv2.cvtColor(large, cv2.COLOR_RGB2GRAY))]
    for crop in crops[1:]:
        assert crop.image.shape == (CROP_SIDE, CROP_SIDE)
        # dlib places the two crops a pixel or so apart.
        assert np.abs(crop.points - crops[0].points).max() < 5
        shift, _ = cv2.phaseCorrelate(crops[0].image.astype(np.float32), crop.image.astype(np.float32))
        assert np.hypot(*shift) < 4
        back = np.linalg.inv(crop.matrix[:, :2])
        there = (crop.points - crop.matrix[:, 2]) @ back.T
        off = np.linalg.norm((there + 0.5) / 4 - 0.5 - made.frames.landmarks(0), axis=1)
        assert np.median(off) < 6
