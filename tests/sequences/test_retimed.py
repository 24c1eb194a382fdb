"""Temporal interpolation and magnification as steps of a recipe."""

from dataclasses import replace

import numpy as np
import pytest

from fleeting.errors import ClipReadError, UsageError
from fleeting.motion import MICRO_BAND, interpolate_frames, magnify_motion
from fleeting.sequences import Talluri2022, create_recipe, recipe_from_dict
from fleeting.synthesis import make_clip

SIZE = {"height": 32, "width": 32}


@pytest.fixture(scope="module")
def clip():
    return make_clip("02", "surprise", amplitude=2.5, fps=60, n_frames=24, timing=(4, 11, 20), seed=1).to_clip()


@pytest.fixture(scope="module")
def all_frames(clip):
    return Talluri2022(window="initial", frames=24, **SIZE).build(clip).frames


def test_a_recipe_without_the_steps_is_the_one_it_was():
    recipe = Talluri2022()
    assert not {"interpolation", "magnify"} & set(recipe.model_dump(mode="json"))
    assert Talluri2022(interpolation="none", magnify=0).content_hash() == recipe.content_hash()
    used = Talluri2022(interpolation="tim", magnify=5)
    assert used.content_hash() not in (recipe.content_hash(), Talluri2022(magnify=5).content_hash())
    assert recipe_from_dict(used.model_dump(mode="json")) == used
    assert recipe_from_dict(recipe.model_dump(mode="json")) == recipe
    assert any("Zhou" in line for line in used.describe()) and any("α = 5" in line for line in used.describe())


@pytest.mark.parametrize("frames", [10, 17, 40])
def test_the_expression_is_resampled_to_any_length(clip, all_frames, frames):
    built = Talluri2022(interpolation="tim", frames=frames, **SIZE).build(clip)
    assert built.frames.shape == (frames, 32, 32, 1)
    assert built.info["window"] == list(range(4, 21))
    assert np.array_equal(built.frames, interpolate_frames(all_frames[4:21], frames))
    assert np.array_equal(built.frames[0], all_frames[4]) and np.array_equal(built.frames[-1], all_frames[20])


def test_what_is_not_annotated_is_spotted_guessed_or_left_whole(clip):
    built = Talluri2022(interpolation="tim", frames=9, **SIZE).build(replace(clip, offset=None))
    assert built.info["window"] == list(range(4, 19))
    assert "frame 18" in " ".join(built.info["notes"])
    bare = replace(clip, onset=None, apex=None, offset=None)
    built = Talluri2022(interpolation="tim", window="initial", frames=9, **SIZE).build(bare)
    # Aligned by frame 0, for want of an onset.
    every = Talluri2022(window="initial", frames=24, **SIZE).build(bare).frames
    assert np.array_equal(built.frames, interpolate_frames(every, 9))
    spotted = Talluri2022(interpolation="tim", frames=9, **SIZE).build(bare)
    assert spotted.info["apex_source"] == "spotted"
    assert spotted.info["window"][0] == spotted.info["onset"] <= spotted.info["apex"] <= spotted.info["window"][-1]


def test_the_difference_is_taken_from_the_onset_frame(clip, all_frames):
    built = Talluri2022(interpolation="tim", frames=12, motion="difference", **SIZE).build(clip)
    assert built.frames.shape == (13, 32, 32, 1)
    assert np.array_equal(built.frames[0], all_frames[4]) and np.array_equal(built.frames[1], all_frames[4])


@pytest.mark.parametrize("motion", ["none", "difference"])
def test_magnification_sees_all_frames_from_the_onset_to_the_end_of_the_window(clip, all_frames, motion):
    plain = Talluri2022(frames=6, step=2, motion=motion, **SIZE).build(clip)
    made = Talluri2022(frames=6, step=2, motion=motion, magnify=4, **SIZE).build(clip)
    window = plain.info["window"]
    first = min(4, window[0]) if motion == "difference" else window[0]
    moved = magnify_motion(all_frames[first : window[-1] + 1], 60.0, alpha=4, band=MICRO_BAND)
    needed = [4, *window] if motion == "difference" else window
    assert np.array_equal(made.frames, moved[[i - first for i in needed]])
    assert not np.array_equal(made.frames, plain.frames)


def test_both_together_in_colour_and_the_irawan_recipe(clip):
    recipe = Talluri2022(interpolation="tim", magnify=3, frames=8, color="rgb", motion="difference", **SIZE)
    assert recipe.build(clip).frames.shape == recipe.stored_shape == (9, 32, 32, 3)
    other = create_recipe("irawan2023", interpolation="tim", magnify=3)
    assert other.build(clip).frames.shape == other.stored_shape


def test_an_onset_far_before_the_window_is_left_as_it_is(clip):
    slow = replace(clip, onset=0, apex=22, fps=8.0)
    built = Talluri2022(frames=4, motion="difference", magnify=4, **SIZE).build(slow)
    assert "too far" in " ".join(built.info["notes"])
    assert built.frames.shape[0] == 5


def test_the_steps_are_drawn_with_the_times_between_frames(clip):
    steps = Talluri2022(interpolation="tim", frames=10, motion="difference", **SIZE).steps(clip)
    labels = steps[-1].captions
    assert len(labels) == 11 and labels[0] == "onset 4" and labels[1] == "4" and labels[-1] == "20"
    assert sum("apex" in label for label in labels) == 1


def test_what_cannot_be_is_refused(clip):
    with pytest.raises(UsageError, match="step at 1"):
        create_recipe("talluri2022", interpolation="tim", step=2)
    with pytest.raises(UsageError, match="magnify"):
        create_recipe("talluri2022", magnify=-1)
    with pytest.raises(ClipReadError, match="frame rate is unknown"):
        Talluri2022(magnify=3, frames=6, **SIZE).build(replace(clip, fps=None))
    with pytest.raises(ClipReadError, match="cannot be magnified"):
        Talluri2022(magnify=3, frames=2, **SIZE).build(replace(clip, fps=1000.0))
