"""Clips on their way to sequences: what is kept, what is left out, and what cannot be."""

import numpy as np
import pandas as pd
import pytest

from fleeting.clips import ArrayFrames, Clip
from fleeting.errors import FleetingError, UsageError
from fleeting.experiments import evaluate


def test_classes_can_be_chosen_and_unknown_ones_say_what_there_is(small_config, cache, tmp_path):
    two = small_config.model_copy(update={"classes": ("surprise", "happiness")})
    run = evaluate(two, tmp_path / "two", cache=cache)
    assert run.read().classes == ("surprise", "happiness")
    assert len(run.predictions()) == 12
    with pytest.raises(UsageError, match="the labels found are: disgust, happiness, surprise"):
        evaluate(small_config.model_copy(update={"classes": ("joy", "disgust")}), tmp_path / "no", cache=cache)
    with pytest.raises(UsageError, match="one class only"):
        evaluate(small_config.model_copy(update={"classes": ("disgust",)}), tmp_path / "no", cache=cache)


def test_clips_without_face_or_label_are_listed(small_config, cache, tmp_path):
    from fleeting.datasets import load_clips

    blank = ArrayFrames(np.zeros((4, 90, 90, 3), np.uint8))
    extra = [
        Clip("synthetic", "s01", "faceless", blank, emotion="disgust"),
        Clip("synthetic", "s01", "nameless", blank),
    ]
    run = evaluate(small_config, tmp_path / "run", clips=[*load_clips(small_config.data), *extra], cache=cache)
    skipped = pd.read_csv(run.path / "skipped.csv").set_index("clip")["reason"]
    assert set(skipped.index) == {"faceless", "nameless"}
    assert "no face" in skipped["faceless"] and "no emotion" in skipped["nameless"]
    assert len(run.predictions()) == 18


def test_nothing_usable_and_duplicates(small_config, tmp_path):
    blank = ArrayFrames(np.zeros((4, 90, 90, 3), np.uint8))
    clips = [Clip("d", f"s{k}", "c", blank, emotion=e) for k, e in enumerate(["disgust", "surprise"])]
    with pytest.raises(FleetingError, match="none of the 2 clips"):
        evaluate(small_config, tmp_path / "a", clips=clips, cache=tmp_path / "cache")
    with pytest.raises(UsageError, match="occur more than once"):
        evaluate(small_config, tmp_path / "b", clips=[clips[0], clips[0]], cache=tmp_path / "cache")
    with pytest.raises(UsageError, match="no clips"):
        evaluate(small_config, tmp_path / "c", clips=[], cache=tmp_path / "cache")
