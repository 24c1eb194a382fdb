"""The papers' recipes: their sizes, their stages, and that nothing jumps between frames."""

import cv2
import numpy as np
import pytest

from fleeting.clips import ArrayFrames, Clip
from fleeting.errors import NoFaceError, UsageError
from fleeting.faces import default_detector, detect_landmarks
from fleeting.sequences import (
    Irawan2023,
    Reddy2019,
    Reddy2019Regions,
    Step,
    Talluri2022,
    create_recipe,
    draw_steps,
)
from fleeting.sequences.steps import _Page

SMALL = {"frames": 4, "height": 64, "width": 64}


@pytest.fixture(scope="module")
def clip(portrait):
    """Twelve frames that brighten by two levels each: any frame can be told by its brightness."""
    half = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    frames = np.stack([np.clip(half.astype(int) * 0.6 + 2 * k, 0, 255).astype(np.uint8) for k in range(12)])
    return Clip("d", "s", "c", ArrayFrames(frames, fps=100), fps=100, onset=2, apex=6, offset=9)


def _turned(portrait, degrees):
    half = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    h, w = half.shape[:2]
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1)
    return cv2.warpAffine(half, turn, (w, h), borderMode=cv2.BORDER_REPLICATE)


def _still(image, n=6):
    return Clip("d", "s", "c", ArrayFrames(np.stack([image] * n)), onset=0, apex=3)


@pytest.mark.parametrize(("recipe", "shape"), [
    (Irawan2023(), (10, 128, 128, 1)),
    (Irawan2023(color="rgb", motion="difference"), (11, 128, 128, 3)),
    (Irawan2023(frames=3, height=33, width=47), (3, 33, 47, 1)),
    (Reddy2019(), (18, 64, 64, 1)),
    (Reddy2019Regions(), (18, 64, 32, 1)),
    (Reddy2019Regions(frames=2, color="rgb", window="apex"), (2, 64, 32, 3)),
])  # fmt: skip
def test_sequences_have_the_shape_that_the_recipe_promises(clip, recipe, shape):
    built = recipe.build(clip)
    assert built.frames.shape == recipe.stored_shape == shape
    assert built.frames.dtype == np.uint8 and built.frames.flags.c_contiguous
    assert create_recipe(recipe.name) == type(recipe)()


@pytest.mark.parametrize(("source", "model", "shape"), [
    ("casme2", "model_a", (36, 128, 128, 1)), ("casme2", "split_model", (36, 128, 128, 1)),
    ("smic", "model_c", (26, 128, 128, 1)), ("smic", "model_b", (26, 64, 64, 1)),
    ("combined", "model_a", (30, 128, 128, 1)), ("combined", "model_b", (30, 64, 64, 1)),
])  # fmt: skip
def test_talluri_by_training_set_and_model(source, model, shape):
    recipe = Talluri2022.for_study(source, model, motion="none")
    assert recipe.stored_shape == shape
    assert not any("reduced" in sentence for sentence in recipe.describe())
    assert Talluri2022.for_study(source, model, window="initial").window == "initial"


def test_talluri_for_what_the_paper_does_not_have():
    with pytest.raises(UsageError, match=r"training set of talluri2022 'samm'.*casme2, combined, smic"):
        Talluri2022.for_study("samm", "model_a")
    with pytest.raises(UsageError, match="model_a, model_b, model_c, split_model"):
        Talluri2022.for_study("smic", "ststnet")
    with pytest.raises(UsageError, match="no field 'frame'"):
        Talluri2022.for_study("smic", "model_a", frame=3)


def test_irawan_takes_ten_frames_around_the_apex(clip):
    built = Irawan2023(mask="none").build(clip)
    assert built.info["window"] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert (built.info["apex_source"], built.info["reference"]) == ("annotated", 2)
    # One geometry for the clip: only the brightness differs, two levels a frame, everywhere.
    change = np.diff(built.frames[..., 0].astype(int), axis=0)
    assert np.quantile(np.abs(change - 2), 0.99) <= 1


def test_the_mask_covers_the_eyes_and_nothing_else(clip):
    names = ("none", "black", "grey", "white")
    bare, black, grey, white = (Irawan2023(mask=m, frames=2).build(clip).frames[..., 0].astype(int) for m in names)
    touched, covered = (black != white).any(axis=0), (white - black > 250).all(axis=0)
    assert np.array_equal(black[:, ~touched], bare[:, ~touched])
    assert (np.abs(grey[:, covered] - 128) <= 3).all() and (black[:, covered] <= 3).all()
    assert not touched[64:].any()
    for half in (covered[:64, :64], covered[:64, 64:]):
        assert 0.02 < half.mean() < 0.3
        assert np.nonzero(half)[0].mean() > 32  # the brow lies above
    grown = Irawan2023(mask="black", mask_grow=1.6, frames=2).build(clip).frames[..., 0]
    assert (grown != bare).any(axis=0).sum() > 1.5 * (black != bare).any(axis=0).sum()


def test_aligned_by_itself_a_frame_follows_the_head_and_the_seams_stay(portrait):
    half = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    frames = np.stack([np.roll(half, (2 * k, 3 * k), axis=(0, 1)) for k in range(4)])
    moving = Clip("d", "s", "c", ArrayFrames(frames), onset=0, apex=2)
    options = {"frames": 4, "mask": "white"}
    held = Irawan2023(**options).build(moving).frames.astype(int)
    follows = Irawan2023(**options, alignment="per-frame").build(moving).frames.astype(int)
    assert np.abs(follows[-1] - follows[0]).mean() < 0.5 * np.abs(held[-1] - held[0]).mean()
    recipe, detector = Irawan2023(alignment="per-frame"), default_detector()
    first = recipe.reference_view(recipe.plan_window(moving, detector), detector)
    later = recipe._frame_view(3, moving.frames[3], first, detector, [])
    assert later.boxes == first.boxes and later.align != first.align


def test_brows_and_mouth_are_where_they_belong(clip):
    """Markers painted on the brows and the mouth of the frames come out in their own parts of the picture."""
    reference = clip.frames[2]
    points = detect_landmarks(reference).round().astype(int)
    frames = np.stack([clip.frames[k] for k in range(len(clip.frames))])
    for landmark, colour in ((19, (255, 0, 0)), (24, (0, 255, 0)), (57, (0, 0, 255))):
        x, y = points[landmark]
        # The reference stays clean: the face must be found as it was.
        frames[3:, y - 1 : y + 2, x - 1 : x + 2] = colour
    built = Irawan2023(color="rgb", frames=2).build(Clip("d", "s", "c", ArrayFrames(frames), onset=2, apex=6))
    last = built.frames[-1].astype(int)
    for channel, (rows, columns) in enumerate([(slice(0, 64), slice(0, 64)), (slice(0, 64), slice(64, 128)),
                                               (slice(64, 128), slice(0, 128))]):  # fmt: skip
        pure = 2 * last[..., channel] - last.sum(axis=2)
        y, x = np.unravel_index(pure.argmax(), pure.shape)
        assert rows.start <= y < rows.stop and columns.start <= x < columns.stop


def test_faces_are_levelled_by_the_eye_corners(portrait):
    upright = Irawan2023(frames=1).build(_still(_turned(portrait, 0))).frames[0, ..., 0].astype(float)
    for degrees in (-14, 14):
        turned = Irawan2023(frames=1).build(_still(_turned(portrait, degrees))).frames[0, ..., 0].astype(float)
        assert np.corrcoef(upright.ravel(), turned.ravel())[0, 1] > 0.9


def test_options_change_the_pixels_and_the_hash(clip):
    recipes = [Irawan2023(frames=2, **options) for options in (
        {}, {"fit": "grow"}, {"landmarks": "moved"}, {"face": 128}, {"region_margin": 0.3}, {"margin": 0.3},
    )]  # fmt: skip
    assert len({recipe.content_hash() for recipe in recipes}) == len(recipes)
    pixels = [recipe.build(clip).frames for recipe in recipes]
    for other in pixels[1:]:
        assert not np.array_equal(pixels[0], other)
        assert np.corrcoef(pixels[0].ravel(), other.ravel())[0, 1] > 0.4


def test_the_mouth_keeps_its_proportions_if_regions_grow(clip):
    faces = Irawan2023(fit="grow")
    (step,) = [step for step in faces.steps(clip) if step.title == "Regions"]
    assert step.images[0].shape[0] > 128
    view = faces.reference_view(faces.plan_window(clip, default_detector()), default_detector())
    for box, (height, width) in zip(view.boxes, view.sizes, strict=True):
        found = (box.right - box.left) / (box.bottom - box.top)
        assert found == pytest.approx(width / height, rel=0.05)


def test_whole_frames_need_no_face():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (5, 60, 90, 3), dtype=np.uint8)
    built = Reddy2019().build(Clip("d", "s", "c", ArrayFrames(frames)))
    assert built.info["window"] == [0, 1, 2, 3, *[4] * 14]
    assert built.info["reference"] is None and built.info["apex_source"] == ""
    expected = cv2.resize(cv2.cvtColor(frames[1], cv2.COLOR_RGB2GRAY), (64, 64), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(built.frames[1, ..., 0], expected)
    with pytest.raises(NoFaceError):
        Reddy2019Regions().build(Clip("d", "s", "c", ArrayFrames(frames)))
    middle = Reddy2019(window="apex", missing_apex="middle", frames=2).build(Clip("d", "s", "c", ArrayFrames(frames)))
    assert middle.info["window"] == [1, 2]


def test_eyes_lie_in_the_upper_half_and_the_mouth_in_the_lower(clip):
    frames = np.stack([clip.frames[k] for k in range(6)])
    points = detect_landmarks(frames[0]).round().astype(int)
    clean = Reddy2019Regions(frames=6).build(Clip("d", "s", "c", ArrayFrames(frames), onset=0)).frames[-1, ..., 0]
    for landmarks, own in (((37, 44), slice(0, 32)), ((51, 57), slice(32, 64))):
        marked = frames.copy()
        for x, y in points[list(landmarks)]:
            marked[3:, y - 2 : y + 3, x - 2 : x + 3] = 255
        built = Reddy2019Regions(frames=6).build(Clip("d", "s", "c", ArrayFrames(marked), onset=0))
        changed = np.abs(built.frames[-1, ..., 0].astype(int) - clean).max(axis=1) > 8
        assert changed[own].any() and not np.delete(changed, np.arange(own.start, own.stop)).any()


@pytest.mark.parametrize("recipe", [Talluri2022(**SMALL), Irawan2023(), Reddy2019(), Reddy2019Regions(),
                                    Irawan2023(motion="difference", alignment="per-frame"),
                                    Talluri2022(**SMALL, color="rgb", window="initial")],
                         ids=lambda recipe: f"{recipe.name}-{recipe.color}-{recipe.motion}")  # fmt: skip
def test_every_stage_can_be_looked_at_and_drawn(clip, recipe, tmp_path):
    steps = recipe.steps(clip)
    *stages, last = steps
    assert last.sequence and np.array_equal(np.stack(last.images), recipe.build(clip).frames)
    assert len({step.title for step in steps}) == len(steps) >= 3
    assert all(len(step.images) == len(step.captions) == 2 for step in stages)
    assert [caption.split(",")[0] for caption in stages[0].captions] == ["onset", "apex"]
    # What the last stage shows is what the network gets.
    shown = int(stages[-1].captions[1].split()[-1])
    at = [k for k, caption in enumerate(last.captions) if caption.split(" ")[0] == str(shown)]
    if at:
        assert np.array_equal(stages[-1].images[1], np.squeeze(last.images[at[0]]))
    path = draw_steps(steps, tmp_path / "steps.png", title="a clip")
    picture = cv2.imread(str(path))
    assert picture.shape[1] == 1690 and picture.shape[0] > 500
    # Something is drawn in most columns of the sequence's row.
    band = picture[-320:-270].astype(int)
    assert (band.std(axis=(0, 2)) > 3).mean() > 0.4


def test_the_stages_come_in_the_papers_order(clip):
    titles = [step.title.split(",")[0] for step in Irawan2023().steps(clip)]
    assert titles == [
        "Face found", "Eyes level", "68 landmarks", "Cropped", "Eyes masked", "Regions", "Recombined", "Grey",
        "Sequence",
    ]  # fmt: skip


@pytest.mark.parametrize("motion", ["none", "difference"])
def test_the_apex_is_among_the_frames_of_the_strip(clip, motion):
    sequence = Talluri2022(height=32, width=32, motion=motion).steps(clip)[-1]
    page = _Page([Step("one", (np.zeros((9, 9), np.uint8),))], sequence)
    shown = [sequence.captions[index] for index in page.shown]
    assert len(shown) <= 10 and "6 · apex" in shown
    assert (shown[0] == "onset 2") == (motion == "difference")


def test_drawing_says_what_it_needs(clip, tmp_path):
    steps = Talluri2022(**SMALL).steps(clip)
    with pytest.raises(UsageError, match=r"\.png, \.svg, \.pdf, \.jpg; found '\.gif'"):
        draw_steps(steps, tmp_path / "steps.gif")
    with pytest.raises(UsageError, match="the sequence among them"):
        draw_steps(steps[:-1], tmp_path / "steps.png")


def test_a_clip_without_annotations_is_aligned_near_its_window(portrait):
    """The face is found anew at the spotted onset, so a head that moved before it does no harm."""
    half = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    frames = np.stack([np.roll(half, 2 * min(k, 6), axis=1) for k in range(14)])
    built = Talluri2022(**SMALL).build(Clip("d", "s", "c", ArrayFrames(frames, fps=60)))
    assert built.info["reference"] == built.info["onset"]
    assert built.info["apex_source"] == "spotted"


def test_describe_says_what_is_shown():
    assert any("black polygons" in sentence for sentence in Irawan2023().describe())
    assert any("eyes open" in sentence for sentence in Irawan2023(mask="none").describe())
    assert any("no face is looked for" in sentence for sentence in Reddy2019().describe())
    for recipe in (Irawan2023(), Reddy2019(), Reddy2019Regions()):
        assert not any("reduced" in sentence for sentence in recipe.describe())
        assert any("reduced" in sentence for sentence in recipe.model_copy(update={"step": 2}).describe())
