"""MEGC's interval score against cases done by hand and an exhaustive search."""

import math
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.clips import Event
from fleeting.errors import UsageError
from fleeting.metrics import SpottingCount, interval_iou, match_intervals, score_spotting


def micro(onset, offset, emotion=None):
    return Event(onset, None, offset, "micro", emotion)


def macro(onset, offset, emotion=None):
    return Event(onset, None, offset, "macro", emotion)


intervals = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)).map(lambda p: (p[0], p[0] + p[1])), max_size=4)


def exhaustive(annotated, spotted, least=0.5):
    """The most pairs that any assignment reaches, trying all, with overlap counted frame by frame."""

    def fits(a, b):
        first, second = set(range(a[0], a[1] + 1)), set(range(b[0], b[1] + 1))
        return len(first & second) / len(first | second) >= least

    short, long = sorted((annotated, spotted), key=len)
    best = 0
    for chosen in permutations(range(len(long)), len(short)):
        best = max(best, sum(fits(short[i], long[j]) for i, j in enumerate(chosen)))
    return best


@settings(deadline=None, max_examples=50)
@given(intervals, intervals)
def test_the_number_of_matches_is_the_largest_possible(annotated, spotted):
    pairs = match_intervals(annotated, spotted)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(interval_iou(annotated[i], spotted[j]) >= 0.5 for i, j in pairs)
    assert len(pairs) == exhaustive(annotated, spotted)


@settings(deadline=None, max_examples=50)
@given(intervals, intervals)
def test_the_score_does_not_depend_on_the_order(annotated, spotted):
    forth = score_spotting({"v": [micro(*i) for i in annotated]}, {"v": [micro(*i) for i in spotted]})
    back = score_spotting({"v": [micro(*i) for i in annotated[::-1]]}, {"v": [micro(*i) for i in spotted[::-1]]})
    assert forth.micro == back.micro


def test_an_overlap_of_exactly_half_counts():
    assert interval_iou((0, 9), (0, 19)) == 0.5
    assert len(match_intervals([(0, 9)], [(0, 19)])) == 1
    assert match_intervals([(0, 9)], [(0, 20)]) == []


def test_two_answers_for_one_annotation_are_one_hit_and_one_error():
    score = score_spotting({"v": [micro(0, 10)]}, {"v": [micro(0, 10), micro(1, 11)]})
    assert score.micro == SpottingCount(tp=1, fp=1, fn=0)


def test_videos_without_annotation_or_without_answer_count():
    truth = {"a": [micro(0, 10)], "b": [micro(0, 10)], "c": []}
    found = {"a": [micro(0, 10)], "c": [micro(5, 15), macro(0, 90)]}
    score = score_spotting(truth, found)
    assert score.micro == SpottingCount(1, 1, 1)
    assert score.macro == SpottingCount(0, 1, 0)
    assert score.overall == SpottingCount(1, 2, 1)
    assert score.overall.f1 == pytest.approx(2 / 5)


def test_pooling_is_over_counts_not_over_videos():
    truth = {"a": [micro(20 * k, 20 * k + 9) for k in range(9)], "b": [micro(0, 9)]}
    found = {"a": [micro(20 * k, 20 * k + 9) for k in range(9)], "b": [micro(100, 109)]}
    assert score_spotting(truth, found).micro.f1 == pytest.approx(18 / 20)


def test_a_micro_expression_called_macro_is_missed_and_wrong():
    score = score_spotting({"v": [micro(0, 50)]}, {"v": [macro(0, 60)]})
    assert (score.micro.fn, score.macro.fp, score.overall.tp) == (1, 1, 0)


def test_nothing_against_nothing_scores_zero():
    score = score_spotting({}, {})
    assert score.overall.f1 == score.overall.precision == score.overall.recall == score.strs == 0


def test_an_event_with_an_unknown_onset_still_counts():
    score = score_spotting({"v": [Event(None, 40, 60, "macro")]}, {"v": [macro(38, 61)]})
    assert score.macro.tp == 1


def test_strs_by_hand():
    # Three of four spotted, one wrong answer more: F1 = 6/8. Emotions of the hits: a, a, b answered a, b, b.
    truth = {"v": [micro(0, 9, "a"), micro(100, 109, "a"), macro(200, 320, "b"), micro(400, 409, "a")]}
    found = {"v": [micro(0, 9, "a"), micro(100, 109, "b"), macro(200, 320, "b"), micro(500, 509, "a")]}
    score = score_spotting(truth, found)
    precision, recall = (1 + 1 / 2) / 2, (1 / 2 + 1) / 2
    analysis = 2 * precision * recall / (precision + recall)
    assert score.analysis_f1 == pytest.approx(analysis)
    assert score.strs == pytest.approx(0.75 * analysis)
    assert score.to_dict()["strs"] == score.strs


def test_without_annotated_emotions_there_is_no_strs():
    assert math.isnan(score_spotting({"v": [micro(0, 9)]}, {"v": [micro(0, 9, "a")]}).strs)


def test_an_interval_backwards_is_refused():
    with pytest.raises(UsageError, match="first frame"):
        interval_iou((5, 4), (0, 9))
