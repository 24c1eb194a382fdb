import numpy as np
import pytest

from fleeting.clips import ArrayFrames, Clip, clips_table
from fleeting.errors import UsageError


def _clip(**fields):
    frames = ArrayFrames(np.zeros((5, 4, 6, 3), np.uint8), fps=100)
    return Clip(**({"dataset": "d", "subject": "01", "name": "c", "frames": frames} | fields))


def test_key_and_length():
    assert _clip().key == "d/01/c"
    assert len(_clip()) == 5


@pytest.mark.parametrize(
    "fields",
    [{"subject": ""}, {"name": ""}, {"fps": 0}, {"fps": -1.0}, {"fps": float("nan")}, {"onset": -1}, {"apex": -3}],
)
def test_impossible_clips_are_refused(fields):
    with pytest.raises(UsageError):
        _clip(**fields)


def test_table_keeps_order_and_missing_annotations():
    table = clips_table([_clip(name="b", onset=1, apex=2, offset=4), _clip(name="a")])
    assert table["clip"].tolist() == ["b", "a"]
    assert table["n_frames"].tolist() == [5, 5]
    assert table["apex"].tolist()[0] == 2
    assert table["apex"].isna().tolist() == [False, True]


def test_table_of_nothing_has_the_columns():
    assert {"dataset", "subject", "clip", "emotion", "apex"} <= set(clips_table([]).columns)
