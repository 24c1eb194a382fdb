import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fleeting.errors import UsageError
from fleeting.motion import interpolate_frames, tim_curve, tim_weights


def _as_in_the_paper(frames, positions):
    """Zhou et al. 2011, section 3.2, step by step: decompose, learn the embedding, walk along the curve, map back."""
    n = len(frames)
    images = frames.reshape(n, -1).T.astype(float)  # (D, n), a frame a column
    mean = images.mean(1, keepdims=True)
    u, s, vt = np.linalg.svd(images - mean, full_matrices=False)
    u, s, vt = u[:, : n - 1], s[: n - 1], vt[: n - 1]  # centred: rank n - 1
    q = s[:, None] * vt
    adjacency = np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
    laplacian = np.diag(adjacency.sum(1)) - adjacency
    values, vectors = np.linalg.eigh(laplacian)
    vectors = vectors[:, np.argsort(values)][:, 1:]
    embedding = np.linalg.solve(q @ q.T, q @ vectors)  # w_k, a column each
    at_frames = tim_curve(n, np.arange(1, n + 1) / n)
    # The eigenvectors come with any sign and of length 1; the curve has its own.
    scale = np.diag(np.linalg.lstsq(at_frames, vectors, rcond=None)[0])
    on_curve = tim_curve(n, (np.asarray(positions) + 1) / n)
    back = u @ np.linalg.solve(embedding.T, (on_curve * scale).T) + mean
    return back.T.reshape(len(on_curve), *frames.shape[1:])


def test_the_projection_is_the_papers_embedding_and_its_way_back():
    rng = np.random.default_rng(0)
    frames = rng.normal(100, 20, (9, 6, 5))
    where = np.linspace(0, 8, 23)
    assert interpolate_frames(frames, positions=where) == pytest.approx(_as_in_the_paper(frames, where), abs=1e-8)


def test_the_curve_passes_through_the_eigenvectors_of_the_path_graph():
    n = 7
    laplacian = np.diag([1, *[2] * (n - 2), 1]) - np.diag(np.ones(n - 1), 1) - np.diag(np.ones(n - 1), -1)
    basis = tim_curve(n, np.arange(1, n + 1) / n)
    values = 2 - 2 * np.cos(np.pi * np.arange(1, n) / n)
    assert laplacian @ basis == pytest.approx(basis * values, abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 4), st.integers(1, 4))))
def test_at_the_frames_own_positions_the_frames_come_back(frames):
    assert np.array_equal(interpolate_frames(frames, positions=np.arange(len(frames))), frames)
    floats = frames.astype(np.float32)
    back = interpolate_frames(floats, positions=np.arange(len(frames)))
    assert back.dtype == np.float32
    assert back == pytest.approx(floats, abs=1e-3)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 255))
def test_what_does_not_change_stays_as_it_is(length, wanted, level):
    still = np.full((length, 2, 3), level, np.uint8)
    made = interpolate_frames(still, wanted)
    assert made.shape == (wanted, 2, 3)
    assert (made == level).all()
    assert tim_weights(length, np.linspace(0, length - 1, wanted)).sum(1) == pytest.approx(np.ones(wanted))


def test_a_smooth_course_is_followed_between_the_frames():
    t = np.linspace(0, 1, 25)
    frames = (100 + 40 * np.cos(np.pi * t)[:, None] * np.array([1.0, -0.5])).reshape(25, 1, 2)
    made = interpolate_frames(frames, 49)
    truth = 100 + 40 * np.cos(np.pi * np.linspace(0, 1, 49))[:, None] * np.array([1.0, -0.5])
    assert np.abs(made.reshape(49, 2) - truth).max() < 0.1


def test_colour_one_frame_and_the_range_of_the_type():
    rng = np.random.default_rng(1)
    colour = rng.integers(0, 256, (5, 4, 3, 3), dtype=np.uint8)
    made = interpolate_frames(colour, 10)
    assert made.shape == (10, 4, 3, 3) and made.dtype == np.uint8
    assert np.array_equal(interpolate_frames(colour, 1), interpolate_frames(colour, positions=[2]))
    # Between black and white the curve overshoots; in uint8 that must not wrap around.
    step = np.array([0, 0, 0, 255, 255, 255], np.uint8)
    between = interpolate_frames(step, positions=np.linspace(0, 5, 51)).astype(int)
    assert between[:20].max() < 60 and between[-20:].min() > 195


@pytest.mark.parametrize(
    "call",
    [
        lambda: interpolate_frames(np.zeros((0, 2, 2)), 3),
        lambda: interpolate_frames(np.zeros((3, 2, 2))),
        lambda: interpolate_frames(np.zeros((3, 2, 2)), 3, positions=[0]),
        lambda: interpolate_frames(np.zeros((3, 2, 2)), 0),
        lambda: interpolate_frames(np.zeros((3, 2, 2)), positions=[2.1]),
        lambda: interpolate_frames(np.zeros((3, 2, 2)), positions=[np.nan]),
        lambda: tim_weights(0, [0]),
    ],
)
def test_what_cannot_be_is_refused(call):
    with pytest.raises(UsageError, match=r"found|takes"):
        call()
