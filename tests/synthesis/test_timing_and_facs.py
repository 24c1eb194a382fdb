"""Timing profiles and the tables of action units."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleeting.errors import UsageError
from fleeting.synthesis import ACTION_UNITS, EMOTIONS, Timing, action_units_text, face_units, intensity_profile
from fleeting.synthesis.layouts import objective_class
from fleeting.synthesis.stage import template
from fleeting.synthesis.timing import draw_timing


@given(
    onset=st.integers(0, 50),
    up=st.integers(1, 60),
    down=st.integers(1, 60),
    tail=st.integers(1, 30),
    skew=st.floats(0.7, 1.2),
)
def test_profile_is_zero_outside_and_has_one_maximum_at_the_apex(onset, up, down, tail, skew):
    timing = Timing(onset, onset + up, onset + up + down)
    s = intensity_profile(timing.offset + tail, timing, skew)
    assert (s[: onset + 1] == 0).all()
    assert (s[timing.offset :] == 0).all()
    assert s[timing.apex] == 1
    assert np.flatnonzero(s == s.max()).tolist() == [timing.apex]
    assert (np.diff(s[onset : timing.apex + 1]) > 0).all()
    assert (np.diff(s[timing.apex : timing.offset + 1]) < 0).all()


@given(fps=st.floats(20, 1000), seed=st.integers(0, 2**32))
def test_durations_are_those_of_a_micro_expression_at_any_rate(fps, seed):
    timing, length = draw_timing(np.random.default_rng(seed), fps)
    assert 0 <= timing.onset < timing.apex < timing.offset < length
    assert (timing.offset - timing.onset) / fps < 0.5
    frame = 0.5 / fps + 1e-9
    assert 0.07 - frame <= (timing.apex - timing.onset) / fps <= 0.135 + frame


def test_at_200_frames_a_second_the_rise_takes_14_to_27_frames():
    rng = np.random.default_rng(1)
    rises = [t.apex - t.onset for t, _ in (draw_timing(rng, 200) for _ in range(300))]
    assert min(rises) >= 14
    assert max(rises) <= 27
    assert len(set(rises)) > 8
    assert {n for _, n in (draw_timing(rng, 200) for _ in range(20))} == {68}


def test_a_long_clip_has_its_expression_anywhere():
    onsets = [draw_timing(np.random.default_rng(k), 200, 1000)[0].onset for k in range(60)]
    assert min(onsets) < 200
    assert max(onsets) > 700


def test_a_clip_too_short_for_an_expression_says_what_would_do():
    with pytest.raises(UsageError, match=r"20 frames at 200 .* at least 57 frames"):
        draw_timing(np.random.default_rng(0), 200, 20)


@pytest.mark.parametrize("bad", [(5, 5, 9), (5, 9, 9), (-1, 3, 6), (9, 5, 2)])
def test_a_timing_out_of_order_is_refused(bad):
    with pytest.raises(UsageError, match="onset < apex < offset"):
        Timing(*bad)


def test_every_combination_is_made_of_shapes_that_ship():
    assert list(EMOTIONS) == [
        "happiness",
        "disgust",
        "surprise",
        "repression",
        "sadness",
        "fear",
        "anger",
        "contempt",
    ]
    shapes = template().fields
    for combinations in EMOTIONS.values():
        for combination in combinations:
            units = face_units(combination)
            assert units
            assert set(units) <= set(shapes)
    assert {s for unit in ACTION_UNITS.values() for s in unit} <= set(shapes)


def test_action_units_read_as_coders_write_them():
    assert action_units_text({"12": 1, "6": 0.5}) == "6+12"
    assert action_units_text({"R14": 1, "R12": 0.5}) == "R12+R14"
    assert action_units_text({}) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12", 1), ("6+12", 1), ("1+2", 2), ("4+7", 3), ("9", 4), ("1+4", 5), ("15+17", 5), ("1+2+4", 6), ("L14", 7)],
)
def test_objective_classes_of_davison(text, expected):
    assert objective_class(text) == expected


def test_an_unknown_action_unit_is_refused():
    with pytest.raises(UsageError, match="unknown action unit '99'"):
        face_units({"99": 1})
    with pytest.raises(UsageError, match="between 0 and 2"):
        face_units({"12": 5})
