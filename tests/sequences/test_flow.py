"""The recipe of onset-to-apex flow, from frames and from precomputed images."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fleeting.clips import ArrayFrames, Clip, FlowImage, FrameFolder
from fleeting.errors import ClipReadError, NoFaceError, UsageError
from fleeting.faces import Alignment
from fleeting.motion import FLOW_METHODS, has_tvl1, min_max_channels
from fleeting.sequences import Flow, Talluri2022, create_recipe, draw_steps, prepare, recipe_from_dict

RAW = {"scaling": "none"}


@pytest.fixture(scope="module")
def face(portrait):
    """The portrait at half its size."""
    return cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


class Knows:
    """A detector that finds the same face in everything."""

    def __init__(self, landmarks):
        self.points = landmarks

    def landmarks(self, image):
        return self.points


@pytest.fixture(scope="module")
def skin(portrait_landmarks):
    """An image with structure everywhere, in which flow is determined, and the landmarks of a face turned by 12°."""
    rng = np.random.default_rng(0)
    image = sum(s * cv2.GaussianBlur(rng.standard_normal((400, 420)), (0, 0), s) for s in (2, 4, 8))
    image = np.clip(128 + 40 * image / image.std(), 0, 255).astype(np.uint8)
    c, s = np.cos(np.radians(12)), np.sin(np.radians(12))
    centred = portrait_landmarks - portrait_landmarks.mean(0)
    points = 200 / np.ptp(centred, axis=0).max() * centred @ np.array([[c, s], [-s, c]]) + [205, 190]
    return np.repeat(image[..., None], 3, axis=2), points


def moved(image, dx, dy):
    """What each pixel shows has gone by (dx, dy) pixels, numbers or fields."""
    height, width = image.shape[:2]
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
    where = np.float32(xx - dx), np.float32(yy - dy)
    return cv2.remap(image, *where, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def clip_of(*frames, **facts):
    return Clip("d", "s", "c", ArrayFrames(np.stack(frames)), **{"onset": 0, "apex": len(frames) - 1, **facts})


def bump(shape, centre, dx, dy, sigma):
    yy, xx = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    weight = np.exp(-((xx - centre[0]) ** 2 + (yy - centre[1]) ** 2) / (2 * sigma**2))
    return np.stack([dx * weight, dy * weight], axis=2).astype(np.float32)


@pytest.fixture(scope="module")
def smiling(face):
    """Three frames, in the last of which a corner of the mouth has gone up and outwards."""
    field = bump(face.shape, (150, 136), 2.0, -1.5, 10)
    return clip_of(face, face, moved(face, field[..., 0], field[..., 1]))


def in_face_units(vectors, align, recipe):
    """Displacements in the frame as the recipe has them, by way of where two points come to lie."""
    box = min(recipe.work_size) / (1 + 2 * recipe.margin)
    return (align.points(np.asarray(vectors)) - align.points(np.zeros(2))) * 128 / box


def alignment(landmarks, recipe):
    height, width = recipe.work_size
    return Alignment.from_landmarks(landmarks, height=height, width=width, margin=recipe.margin)


@pytest.mark.parametrize("method", FLOW_METHODS)
@pytest.mark.parametrize("work", [128, 200])
def test_a_known_shift_is_found_in_pixels_of_a_face_at_any_work_size(skin, method, work):
    if method == "tvl1" and not has_tvl1():
        pytest.skip("this OpenCV lacks the contributed modules")
    image, landmarks = skin
    shift = np.array([2.0, -1.0])
    recipe = Flow(method=method, work=work, **RAW)
    built = recipe.build(clip_of(image, moved(image, *shift)), Knows(landmarks))
    assert built.frames.shape == (1, 28, 28, 3) and built.frames.dtype == np.float32
    expected = in_face_units(shift, alignment(landmarks, recipe), recipe)
    # By hand: the face is 200 pixels wide in the frame, and turned by 12 degrees.
    c, s = np.cos(np.radians(12)), np.sin(np.radians(12))
    assert expected == pytest.approx(np.array([[c, s], [-s, c]]) @ shift * 128 / 200, abs=0.1)
    inner = built.frames[0, 4:-4, 4:-4].reshape(-1, 3)
    assert np.median(inner[:, :2], axis=0) == pytest.approx(expected, abs=0.06)
    assert np.abs(inner[:, :2] - expected).mean() < 0.08
    # A shift stretches nothing.
    assert np.median(inner[:, 2]) < 0.03


@pytest.mark.parametrize("method", FLOW_METHODS)
def test_a_known_field_is_found_where_it_is(skin, method):
    if method == "tvl1" and not has_tvl1():
        pytest.skip("this OpenCV lacks the contributed modules")
    image, landmarks = skin
    field = bump(image.shape, (250, 240), 4.0, -2.0, 28)
    recipe = Flow(size=41, method=method, **RAW)
    found = recipe.build(clip_of(image, moved(image, field[..., 0], field[..., 1])), Knows(landmarks)).frames[0]
    align = alignment(landmarks, recipe)
    # The truth at the middle of each pixel of the result.
    middle = (np.arange(41) + 0.5) * recipe.work_size[0] / 41 - 0.5
    at = align.back(np.stack(np.meshgrid(middle, middle), axis=2).reshape(-1, 2)).astype(np.float32)
    true = np.hstack([cv2.remap(field[..., k], at[:, :1], at[:, 1:], cv2.INTER_LINEAR) for k in (0, 1)])
    true = in_face_units(true, align, recipe).reshape(41, 41, 2)
    strength = np.hypot(true[..., 0], true[..., 1])
    error = np.hypot(*np.moveaxis(found[..., :2] - true, 2, 0))[2:-2, 2:-2]
    assert error.mean() < 0.06 and np.percentile(error, 95) < 0.1 * strength.max()
    # Strain is pixels a pixel: the field's own, in the frame or anywhere.
    uy, ux = np.gradient(field[..., 0])
    vy, vx = np.gradient(field[..., 1])
    strain = np.sqrt(ux**2 + vy**2 + (uy + vx) ** 2 / 2)
    there = cv2.remap(strain, at[:, :1], at[:, 1:], cv2.INTER_LINEAR).reshape(41, 41)
    assert np.corrcoef(found[2:-2, 2:-2, 2].ravel(), there[2:-2, 2:-2].ravel())[0, 1] > 0.9
    assert np.percentile(found[..., 2], 99) == pytest.approx(np.percentile(there, 99), rel=0.25)


def test_the_head_s_own_motion_can_be_taken_out(skin):
    image, landmarks = skin
    knows = Knows(landmarks)
    field = bump(image.shape, (250, 240), 4.0, -2.0, 28)
    smiled = moved(image, field[..., 0], field[..., 1])
    still = Flow(**RAW).build(clip_of(image, smiled), knows).frames[0, 4:-4, 4:-4]
    swaying = clip_of(image, moved(smiled, 5.0, 3.0))
    kept = Flow(**RAW).build(swaying, knows).frames[0, 4:-4, 4:-4]
    removed = Flow(head="removed", **RAW).build(swaying, knows).frames[0, 4:-4, 4:-4]
    assert np.median(kept[..., 0]) > 2.5
    assert np.abs(kept - still)[..., :2].mean() > 1
    assert np.abs(removed - still)[..., :2].mean() < 0.1


@pytest.mark.parametrize(("height", "width"), [(28, 28), (5, 5), (33, 47), (64, 41), (201, 230)])
def test_any_size(smiling, height, width):
    clip = smiling
    recipe = Flow(height=height, width=width)
    frames = recipe.build(clip).frames
    assert frames.shape == recipe.stored_shape == (1, height, width, 3)
    assert recipe.work_size[0] >= height and recipe.work_size[1] >= width
    for channel in np.moveaxis(frames[0], 2, 0):
        assert (channel.min(), channel.max()) == (0, 255)


def test_scaling_is_all_that_the_two_differ_in(smiling):
    clip = smiling
    exact = Flow(**RAW).build(clip).frames
    assert np.array_equal(Flow().build(clip).frames[0], min_max_channels(exact[0]))
    assert (Flow().dtype, Flow(**RAW).dtype) == ("uint8", "float32")


@given(arrays(np.float32, (5, 4, 3), elements=st.floats(-100, 100, width=32)), st.floats(0.01, 50), st.floats(-9, 9))
@settings(max_examples=60, deadline=None)
def test_min_max_is_by_channel_and_forgets_scale_and_zero(field, factor, offset):
    scaled = min_max_channels(field)
    for k in range(3):
        channel = field[..., k].astype(np.float64)
        if channel.max() == channel.min():
            assert (scaled[..., k] == 0).all()
            continue
        assert (scaled[..., k].min(), scaled[..., k].max()) == (0, 255)
        expected = (channel - channel.min()) / (channel.max() - channel.min()) * 255
        assert np.abs(scaled[..., k] - expected).max() <= 0.5 + 1e-6
    # The other channels have no say.
    other = field.astype(np.float64)
    other[..., 1] = other[..., 1] * factor + offset
    again = min_max_channels(other)
    assert np.array_equal(again[..., [0, 2]], scaled[..., [0, 2]])
    if np.ptp(field[..., 1]) > 1e-3:
        assert np.abs(again[..., 1].astype(int) - scaled[..., 1]).max() <= 1


def test_a_clip_in_which_nothing_moves_is_zeros_and_no_error(face):
    for recipe in (Flow(), Flow(**RAW), Flow(head="removed")):
        built = recipe.build(clip_of(face, face, apex=0))
        assert not built.frames.any()
        assert built.info["notes"] == ["onset and apex are the same frame, 0, so nothing moves"]


def test_onset_and_apex_that_nobody_annotated(face):
    course = [0, 0, 1, 2, 3, 2, 1, 0]
    mouth = np.zeros(face.shape[:2], np.float32)
    mouth[150:200] = 1.0
    frames = [moved(face, 0, -cv2.GaussianBlur(mouth, (0, 0), 6) * far) for far in course]
    smic = clip_of(*frames, apex=None, offset=7)
    built = Flow().build(smic)
    assert built.info["apex_source"] == "spotted" and abs(built.info["apex"] - 4) <= 1
    assert built.info["onset"] == 0
    middle = Flow(missing_apex="middle").build(smic).info
    assert (middle["apex"], middle["apex_source"]) == (4, "middle")
    no_onset = Flow().build(clip_of(*frames, onset=None, apex=4)).info
    assert no_onset["window"] == [0, 4] and no_onset["notes"] == ["no onset is annotated; the first frame is taken"]
    past = Flow().build(clip_of(*frames, apex=20)).info
    assert past["apex"] == 7 and "past the last of 8 frames" in past["notes"][0]
    before = Flow().build(clip_of(*frames, onset=4, apex=1)).info
    assert before["notes"] == ["the apex, frame 1, lies before the onset, frame 4"]


def test_frames_that_cannot_be_read_have_neighbours(face, write_frames):
    folder = write_frames([face] * 2 + [moved(face, 1, 0)] * 8)
    source = FrameFolder(folder)
    clip = Clip("d", "s", "c", source, onset=0, apex=5)
    (folder / source.names[5]).write_bytes(b"broken")
    info = Flow().build(clip).info
    assert info["notes"] == ["the apex, frame 5, cannot be read; frame 4 stands in"]
    for number in range(2, 9):
        (folder / source.names[number]).write_bytes(b"")
    with pytest.raises(ClipReadError, match="neither the apex, frame 5, nor a frame next to it can be read"):
        Flow().build(clip)
    with pytest.raises(NoFaceError):
        Flow().build(clip_of(np.zeros((90, 90, 3), np.uint8)))


def test_a_precomputed_image_is_taken_as_it_is(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    path = tmp_path / "s01_s01_ne_01 .png"
    cv2.imencode(".png", image[..., ::-1])[1].tofile(path)
    clip = Clip("smic", "s01", "s01_ne_01", FlowImage(path), emotion="negative")
    built = Flow().build(clip)
    assert np.array_equal(built.frames, image[None]) and built.info["notes"] == []
    larger = Flow(size=35).build(clip)
    assert larger.frames.shape == (1, 35, 35, 3) and larger.info["notes"] == [
        "its flow image of 28x28 pixels was resized"
    ]
    assert np.abs(Flow(size=14).build(clip).frames[0] - image.reshape(14, 2, 14, 2, 3).mean((1, 3))).max() <= 0.51
    skipped = prepare([clip], Flow(**RAW), root=tmp_path / "cache").skipped
    assert "use scaling=minmax, or the clips that it was computed from" in skipped[0].reason
    # A recipe that wants frames says so, instead of that it sees no face.
    skipped = prepare([clip], Talluri2022(), root=tmp_path / "cache").skipped
    assert "precomputed flow, and the recipe talluri2022 needs frames" in skipped[0].reason


def test_the_fields_on_the_command_line():
    recipe = create_recipe("flow", size=21)
    assert (recipe.height, recipe.width) == (21, 21) and recipe_from_dict(recipe.model_dump()) == recipe
    assert recipe.channels == 3 and recipe.stored_shape == (1, 21, 21, 3)
    assert create_recipe("flow", size=28).content_hash() == Flow().content_hash()
    for fields, message in [
        ({"size": 28, "height": 28}, r"recipe flow: give either size, or height and width"),
        ({"motion": "difference"}, "flow is the motion since the onset already"),
        ({"frames": 2}, "frames=2"),
        ({"color": "grey"}, "color='grey'"),
        ({"size": 2}, "height=2"),
        ({"method": "tvl2"}, "'dis', 'farneback' or 'tvl1'"),
        ({"step": 2}, "its fields are: .*method, scaling, head"),
    ]:
        with pytest.raises(UsageError, match=message):
            create_recipe("flow", **fields)


def test_tvl1_says_what_to_install(smiling, monkeypatch):
    monkeypatch.setattr("fleeting.motion.flow.has_tvl1", lambda: False)
    with pytest.raises(UsageError, match="opencv-contrib-python-headless in the place of opencv-python-headless"):
        Flow(method="tvl1").build(smiling)


@pytest.mark.parametrize("fields", [{}, RAW, {"height": 20, "width": 33}])
def test_it_can_be_looked_at(smiling, tmp_path, fields):
    clip = smiling
    recipe = Flow(**fields)
    built = recipe.build(clip)
    picture = recipe.picture(built.frames)
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[1] > 2.5 * 112
    assert "frame 0" in recipe.picture_caption(built.info, 3) and "frame 2 of 3" in recipe.picture_caption(
        built.info, 3
    )
    steps = recipe.steps(clip)
    assert [step.title for step in steps][:2] == ["Face found", "68 landmarks"] and len(steps[-1].images) == 3
    path = draw_steps(steps, tmp_path / "steps.png", title="a smile")
    assert cv2.imread(str(path)).shape[1] > 1000
    assert any("strain" in sentence for sentence in recipe.describe())
