"""The recipes whose sequence is a row of features: LBP-TOP and Bi-WOOF."""

import cv2
import numpy as np
import pytest

from fleeting.clips import ArrayFrames, Clip, FlowImage
from fleeting.errors import ClipReadError, NoFaceError, UsageError
from fleeting.motion import bi_woof_features, lbp_top_features
from fleeting.sequences import LBPTOP, BiWOOF, Flow, Talluri2022, create_recipe, draw_steps, prepare, recipe_from_dict

RECIPES = ("lbp_top", "bi_woof")


@pytest.fixture(scope="module")
def frames(portrait):
    """A face that goes a little to the right."""
    face = cv2.resize(portrait, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    steps = (np.float32([[1, 0, 0.3 * t], [0, 1, 0]]) for t in range(12))
    size = face.shape[1], face.shape[0]
    return np.stack([cv2.warpAffine(face, step, size, borderMode=cv2.BORDER_REPLICATE) for step in steps])


@pytest.fixture(scope="module")
def clip(frames):
    return Clip("d", "s", "c", ArrayFrames(frames), emotion="happiness", onset=1, apex=7, offset=10, fps=100)


@pytest.mark.parametrize("name", RECIPES)
def test_through_the_store_they_are_rows_of_features(name, clip, tmp_path):
    recipe = create_recipe(name)
    made = prepare([clip], recipe, root=tmp_path)
    X = made.array()
    assert X.shape == (1, *recipe.stored_shape) == (1, 1, 1, recipe.width, 1)
    assert X.dtype == np.float32 and np.isfinite(X).all() and np.ptp(X) > 0
    assert np.array_equal(X[0], recipe.build(clip).frames)


def test_lbp_top_is_of_the_aligned_face_from_onset_to_offset(clip):
    face = Talluri2022(frames=10, window="initial", interpolation="tim").build(clip).frames[..., 0]
    made = LBPTOP().build(clip)
    # The temporal interpolation model gives back the frames themselves at their own number.
    np.testing.assert_allclose(made.frames.ravel(), lbp_top_features(face), atol=1e-6)
    assert made.info["window"] == [1, 10] and made.info["onset"] == 1
    at_13 = Talluri2022(frames=13, window="initial", interpolation="tim").build(clip).frames[..., 0]
    assert np.array_equal(LBPTOP(tim=13).build(clip).frames.ravel(), lbp_top_features(at_13))
    other = LBPTOP(face=64, grid=2, radius=2, time_radius=1).build(clip)
    small = Talluri2022(frames=10, window="initial", interpolation="tim", height=64, width=64).build(clip)
    expected = lbp_top_features(small.frames[..., 0], grid=(2, 2), radii=(2, 2, 1))
    np.testing.assert_allclose(other.frames.ravel(), expected, atol=1e-6)


def test_bi_woof_is_of_the_flow_recipes_flow(clip):
    flow = Flow(size=96, work=96, scaling="none").build(clip).frames[0, ..., :2]
    made = BiWOOF(face=96, grid=3, bins=6).build(clip)
    assert np.array_equal(made.frames.ravel(), bi_woof_features(flow, grid=(3, 3), bins=6))
    assert made.info["window"] == [1, 7]


@pytest.mark.parametrize("length", [1, 2, 8])
def test_clips_shorter_than_patterns_need_are_resampled_and_noted(frames, length):
    short = Clip("d", "s", "c", ArrayFrames(frames[:length]))
    made = LBPTOP().build(short)
    assert np.isfinite(made.frames).all()
    assert any(f"its {length} frames are too few" in note for note in made.info["notes"])
    assert not any("too few" in note for note in LBPTOP(tim=10).build(short).info["notes"])


def test_nothing_moves_nothing_is_stretched(frames):
    still = Clip("d", "s", "c", ArrayFrames(frames), onset=3, apex=3)
    assert not BiWOOF().build(still).frames.any()


@pytest.mark.parametrize("name", RECIPES)
def test_precomputed_flow_is_skipped_with_a_reason(name, tmp_path):
    path = tmp_path / "s01_s01_ne_01 .png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (28, 28, 3), dtype=np.uint8))
    clip = Clip("smic", "s01", "s01_ne_01", FlowImage(path), emotion="negative")
    made = prepare([clip], create_recipe(name), root=tmp_path / "cache")
    assert not made.clips and "precomputed flow" in made.skipped[0].reason and "recipe flow" in made.skipped[0].reason
    with pytest.raises(ClipReadError, match="precomputed flow image"):
        create_recipe(name).build(clip)


@pytest.mark.parametrize("name", RECIPES)
def test_no_face(name):
    blank = Clip("d", "s", "c", ArrayFrames(np.full((12, 90, 90, 3), 128, np.uint8)), onset=0, apex=5, offset=9)
    with pytest.raises(NoFaceError):
        create_recipe(name).build(blank)


@pytest.mark.parametrize("name", RECIPES)
def test_steps_can_be_drawn_and_the_recipe_says_what_it_does(name, clip, tmp_path):
    recipe = create_recipe(name)
    assert draw_steps(recipe.steps(clip), tmp_path / "schritte ü.png").stat().st_size > 10_000
    assert str(recipe.width) in " ".join(recipe.describe())
    assert recipe.picture(recipe.build(clip).frames) is None


@pytest.mark.parametrize("name", RECIPES)
def test_width_follows_from_the_fields(name):
    recipe = create_recipe(name, grid=3)
    assert recipe.width == {"lbp_top": 9 * 3 * 59, "bi_woof": 9 * 8}[name]
    written = recipe.model_dump(mode="json")
    assert recipe_from_dict(written) == recipe
    assert recipe_from_dict({**written, "grid": 4}).width > recipe.width
    assert recipe_from_dict({**written, "grid": 4}).content_hash() != recipe.content_hash()
    assert create_recipe(name, grid=3, width=recipe.width) == recipe


@pytest.mark.parametrize(
    ("name", "fields", "says"),
    [
        ("lbp_top", {"width": 12}, "width is the number of values, 4425"),
        ("lbp_top", {"tim": 8}, "needs at least 9 frames"),
        ("lbp_top", {"face": 32, "radius": 7, "grid": 16, "time_radius": 0}, "time_radius"),
        ("lbp_top", {"frames": 3}, "frames"),
        ("lbp_top", {"motion": "difference"}, "motion"),
        ("bi_woof", {"bins": 1}, "bins"),
        ("bi_woof", {"method": "horn"}, "method"),
        ("bi_woof", {"color": "rgb"}, "color"),
    ],
)
def test_impossible_fields(name, fields, says):
    with pytest.raises(UsageError, match=says):
        create_recipe(name, **fields)
