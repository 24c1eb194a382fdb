import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from fleeting.clips import ArrayFrames, Clip, FrameFolder
from fleeting.errors import ClipReadError, NoFaceError, UsageError
from fleeting.sequences import (
    Recipe,
    Talluri2022,
    create_recipe,
    list_recipes,
    recipe_from_dict,
    register_recipe,
)

SMALL = {"frames": 4, "height": 64, "width": 64}


@pytest.fixture(scope="module")
def clip(portrait):
    """Ten frames that brighten by two levels each: any frame can be told by its brightness."""
    half = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    frames = np.stack([np.clip(half.astype(int) * 0.7 + 2 * k, 0, 255).astype(np.uint8) for k in range(10)])
    return Clip("d", "s", "c", ArrayFrames(frames, fps=200), fps=200, onset=2, apex=6, offset=9)


def _levels(frames):
    return np.median(frames.reshape(len(frames), -1), axis=1)


def test_the_published_defaults():
    recipe = Talluri2022()
    assert recipe.stored_shape == (36, 128, 128, 1)
    assert (recipe.window, recipe.fill, recipe.motion, recipe.alignment) == ("apex", "repeat", "none", "reference")


def test_frames_are_those_of_the_apex_window(clip):
    built = Talluri2022(**SMALL).build(clip)
    assert built.frames.shape == (4, 64, 64, 1) and built.frames.dtype == np.uint8
    assert built.info["window"] == [4, 5, 6, 7]
    assert np.diff(_levels(built.frames)) == pytest.approx([2, 2, 2], abs=0.6)
    assert (built.info["apex_source"], built.info["reference"]) == ("annotated", 2)


def test_the_difference_recipe_puts_the_onset_frame_in_front(clip):
    built = Talluri2022(**SMALL, motion="difference").build(clip)
    plain = Talluri2022(**SMALL).build(clip)
    assert built.frames.shape == (5, 64, 64, 1)
    assert np.array_equal(built.frames[1:], plain.frames)
    level = _levels(built.frames)
    assert level[1] - level[0] == pytest.approx(2 * (4 - 2), abs=0.6)


def test_initial_window_colour_and_step(clip):
    built = Talluri2022(frames=4, height=64, width=96, window="initial", step=3, color="rgb").build(clip)
    assert built.info["window"] == [0, 3, 6, 9]
    assert built.frames.shape == (4, 64, 96, 3)
    assert built.frames[..., 0].mean() > built.frames[..., 2].mean()  # RGB, not BGR: the portrait is warm


def test_the_face_fills_the_crop_and_one_transform_serves_the_clip(clip):
    recipe = Talluri2022(frames=10, window="initial")
    built = recipe.build(clip)
    first = built.frames[0, ..., 0].astype(int)
    last = built.frames[-1, ..., 0].astype(int)
    # Only the brightness changed, so with one transform the frames differ by a constant.
    assert np.quantile(np.abs(last - first - 18), 0.99) <= 1


def test_per_frame_alignment_is_an_option(clip):
    built = Talluri2022(**SMALL, alignment="per-frame").build(clip)
    reference = Talluri2022(**SMALL).build(clip)
    assert built.frames.shape == reference.frames.shape
    assert not np.array_equal(built.frames, reference.frames)
    assert np.abs(built.frames.astype(int) - reference.frames).mean() < 8


@pytest.mark.parametrize(("rule", "expected"), [("middle", 5), ("spotted", None)])
def test_a_missing_apex_is_the_middle_or_spotted(clip, rule, expected):
    bare = Clip("d", "s", "c", clip.frames, fps=200)
    built = Talluri2022(**SMALL, missing_apex=rule).build(bare)
    assert built.info["apex_source"] == rule
    assert built.info["apex"] == expected or (expected is None and 0 <= built.info["apex"] < 10)


def test_annotations_past_the_last_frame_are_noted(clip):
    late = Clip("d", "s", "c", clip.frames, onset=2, apex=50)
    built = Talluri2022(**SMALL).build(late)
    assert built.info["apex"] == 9
    assert "apex is frame 50" in built.info["notes"][0]


def test_a_bad_frame_is_replaced_and_noted_many_are_an_error(clip, write_frames):
    folder = write_frames([clip.frames[k] for k in range(10)])
    source = FrameFolder(folder)
    (folder / source.names[5]).write_bytes(b"broken")
    marked = Clip("d", "s", "c", source, onset=2, apex=6)
    built = Talluri2022(**SMALL).build(marked)
    assert "frames 5 cannot be read" in built.info["notes"][0]
    assert np.array_equal(built.frames[0], built.frames[1])
    for k in (4, 6, 7):
        (folder / source.names[k]).write_bytes(b"broken")
    with pytest.raises(ClipReadError, match="4 of the 4 frames"):
        Talluri2022(**SMALL).build(marked)


def test_no_face_is_an_error():
    blank = Clip("d", "s", "c", ArrayFrames(np.zeros((3, 90, 90, 3), np.uint8)))
    with pytest.raises(NoFaceError, match="d/s/c"):
        Talluri2022(**SMALL).build(blank)


def test_recipes_are_frozen_hash_by_content_and_travel_as_json():
    recipe = create_recipe("talluri2022", frames=26)
    assert recipe == Talluri2022(frames=26)
    assert recipe_from_dict(recipe.model_dump(mode="json")) == recipe
    assert recipe.content_hash() == Talluri2022(frames=26).content_hash()
    others = [Talluri2022(), Talluri2022(frames=26, margin=0.2), Talluri2022(frames=26, motion="difference")]
    assert len({r.content_hash() for r in [recipe, *others]}) == 4
    with pytest.raises(ValidationError):
        recipe.frames = 30


@pytest.mark.parametrize(("fields", "message"), [
    ({"frames": 0}, "frames=0"), ({"frame": 3}, "no field 'frame'; its fields are: frames"),
    ({"window": "late"}, "window='late'"), ({"height": "tall"}, "height='tall'"),
])  # fmt: skip
def test_bad_fields_say_what_is_possible(fields, message):
    with pytest.raises(UsageError, match=message):
        create_recipe("talluri2022", **fields)


def test_unknown_and_duplicate_names():
    with pytest.raises(UsageError, match="did you mean 'talluri2022'"):
        create_recipe("taluri2022")
    with pytest.raises(UsageError, match="registered already"):
        register_recipe("talluri2022")(Recipe)
    assert "talluri2022" in list_recipes()


def test_a_reduced_recipe_says_so():
    assert not any("reduced" in sentence for sentence in Talluri2022(frames=26).describe())
    assert any("reduced" in sentence for sentence in Talluri2022(frames=18, step=2).describe())


def test_missing_frame_numbers_are_noted(clip, write_frames):
    folder = write_frames([clip.frames[k] for k in range(10)])
    for number in (3, 6, 7):
        (folder / f"img_{number:05d}.png").unlink()
    built = Talluri2022(**SMALL).build(Clip("d", "s", "c", FrameFolder(folder), onset=0, apex=3))
    assert "frames numbered 3, 6-7 are missing on disk" in built.info["notes"]


def test_a_build_of_opencv_by_another_name_makes_other_sequences(monkeypatch):
    """TV-L1 flow needs opencv-contrib-python-headless in the place of opencv-python-headless."""
    from fleeting.sequences import recipe as module

    ours = Talluri2022().content_hash()

    def only_contrib(name):
        if name in ("opencv-python-headless", "opencv-python"):
            raise module.PackageNotFoundError(name)
        return "4.10.0.84"

    monkeypatch.setattr(module, "version", only_contrib)
    assert Talluri2022().content_hash() not in ("", ours)


def test_the_old_name_of_the_method_works_for_one_release():
    with pytest.warns(FutureWarning, match=r"Whole\._view\(\) is now Whole\.view_of\(\)"):

        class Whole(Talluri2022):
            def _view(self, image, landmarks, detector, notes, first=None):
                return "seen"

    assert Whole().view_of(None, None, None, []) == "seen"
    assert Talluri2022.view_of is not Whole.view_of
