import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.errors import UsageError
from fleeting.plugins import load_plugin
from fleeting.spotting import (
    aligned_faces,
    divide_and_conquer,
    find_apex,
    find_interval_spotter,
    list_interval_spotters,
    list_spotters,
    register_interval_spotter,
    register_spotter,
    spot_clip,
    spot_in,
    spot_intervals,
    spotter_info,
)
from fleeting.spotting.course import peak_near
from fleeting.spotting.liong2015 import lbp_changes, local_peaks
from fleeting.synthesis import make_clip

OURS = ("liong2015", "ma2017", "motion", "yan2018")
APEX = 12


@pytest.fixture(scope="module")
def smile():
    """Aligned faces of a smile of 2 px at 60 frames per second: on a still head in clean light, and filmed as usual."""
    from fleeting.faces import find_reference

    made = {}
    for name, options in {"clean": {"noise": 0.0, "flicker": 0.0, "jitter": 0.0, "pose": 0.0}, "filmed": {}}.items():
        clip = make_clip(
            "03", "happiness", amplitude=2.0, fps=60, n_frames=24, timing=(4, APEX, 21), seed=4, **options
        ).to_clip()
        _, faces, landmarks = aligned_faces(clip, find_reference(clip.frames).landmarks)
        made[name] = clip, faces, landmarks
    return made


def test_the_papers_and_ours_are_registered():
    assert set(OURS) <= set(list_spotters())
    assert list_spotters("*20*") == ["liong2015", "ma2017", "yan2018"]
    info = spotter_info("ma2017")
    assert "2017" in info.paper and info.options["bins"] == 8 and info.summary
    with pytest.raises(UsageError, match=r"did you mean 'ma2017'.*motion"):
        spotter_info("ma2018")


@pytest.mark.parametrize("method", OURS)
def test_every_method_finds_the_apex_on_a_clean_still_head(smile, method):
    _, faces, landmarks = smile["clean"]
    spot = find_apex(faces, landmarks, method=method, fps=60)
    assert abs(spot.apex - APEX) <= (3 if method == "liong2015" else 1)
    assert spot.onset <= spot.apex
    assert len(spot.scores) == 24 and np.isfinite(spot.scores).all()
    assert spot.indexes.tolist() == list(range(24))


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("motion", {}),
        ("motion", {"by": "strain"}),
        ("motion", {"by": "both"}),
        ("ma2017", {}),
        ("yan2018", {}),
        ("yan2018", {"by": "flow"}),
    ],
)
def test_flow_finds_it_under_head_motion_and_noise_too(smile, method, options):
    clip, faces, landmarks = smile["filmed"]
    spot = find_apex(iter(faces), landmarks, method=method, fps=60, **options)
    assert abs(spot.apex - APEX) <= 1
    # With its options or without: a clip is spotted as its aligned faces are.
    from fleeting.faces import find_reference

    again = spot_clip(clip, find_reference(clip.frames).landmarks, method=method, **options)
    assert again.apex == spot.apex
    assert again.scores == pytest.approx(spot.scores)


def test_texture_alone_sees_little_of_it_and_says_so_in_its_own_unit(smile):
    _, faces, landmarks = smile["clean"]
    raw = lbp_changes(faces, landmarks)
    assert raw[0] == 0 and 0 < raw.max() <= 3
    blocks = lbp_changes(faces, landmarks, blocks=4)
    assert blocks.mean() > raw.mean()  # small histograms differ more
    with pytest.raises(UsageError, match="1 block"):
        find_apex(faces, landmarks, method="liong2015", blocks=0)


@pytest.mark.parametrize("method", OURS)
def test_one_frame_and_two_frames(smile, method):
    _, faces, landmarks = smile["clean"]
    assert find_apex(faces[:1], landmarks, method=method).apex == 0
    assert find_apex(faces[[0, APEX]], landmarks, method=method).apex == 1


@pytest.mark.parametrize("method", OURS)
def test_what_cannot_be_spotted_in_is_refused(smile, method):
    _, faces, landmarks = smile["clean"]
    with pytest.raises(UsageError, match="found none"):
        find_apex([], landmarks, method=method)
    with pytest.raises(UsageError, match="float64"):
        find_apex(faces[:2].astype(float), landmarks, method=method)
    with pytest.raises(UsageError, match="one shape"):
        find_apex([faces[0], faces[1][:-1]], landmarks, method=method)
    with pytest.raises(UsageError, match="68 finite points"):
        find_apex(faces[:2], landmarks[:5], method=method)
    with pytest.raises(UsageError, match="unknown option"):
        find_apex(faces[:2], landmarks, method=method, sharpness=3)
    impossible = {"motion": {"by": "eye"}, "yan2018": {"by": "eye"}, "ma2017": {"bins": 1}, "liong2015": {"blocks": 0}}
    with pytest.raises(UsageError, match=r"unknown measure|at least"):
        find_apex(faces[:2], landmarks, method=method, **impossible[method])


courses = st.lists(st.floats(0, 100), min_size=1, max_size=80).map(np.array)


@settings(max_examples=150, deadline=None)
@given(courses)
def test_the_search_by_halves_ends_on_a_peak(course):
    apex = divide_and_conquer(course)
    assert 0 <= apex < len(course)
    assert apex in local_peaks(course)


@given(st.integers(1, 60), st.data())
def test_with_a_single_peak_the_search_finds_it(length, data):
    peak = data.draw(st.integers(0, length - 1))
    course = -np.abs(np.arange(length) - peak).astype(float)
    assert divide_and_conquer(course) == peak


def test_the_search_prefers_the_half_with_more_and_not_the_highest_peak():
    #                  one high peak        |  three that sum to more
    course = np.array([0, 0, 5.0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4, 0, 3])
    assert divide_and_conquer(course) == 13
    assert int(course.argmax()) == 2
    # Where halves are equal the first is kept.
    assert divide_and_conquer(np.array([0, 1.0, 0, 0, 0, 1, 0, 0])) == 1
    with pytest.raises(UsageError, match="one score"):
        divide_and_conquer(np.zeros((2, 2)))


def test_apex_and_onset_are_read_from_scores():
    spot = spot_in([0, 0.1, 0.1, 0.6, 1.0, 0.7, 0.2])
    assert (spot.apex, spot.onset) == (4, 2)
    assert spot_in([1.0, 0, 0], 2).apex == 2
    for wrong, message in (([], "none"), ([0, np.nan], "numbers"), ([[1, 2]], "frame")):
        with pytest.raises(UsageError, match=message):
            spot_in(wrong)
    with pytest.raises(UsageError, match="one of the 2"):
        spot_in([0, 1], 2)


@settings(deadline=None, max_examples=60)
@given(st.floats(5, 34), st.integers(2, 8), st.integers(-3, 3), st.integers(0, 1000))
def test_a_peak_is_found_more_exactly_than_its_highest_score(top, reach, off, seed):
    frames = np.arange(40)
    clean = 5 - 0.01 * (frames - top) ** 2
    start = int(np.clip(round(top) + off, 0, 39))
    if abs(off) < reach:
        assert abs(peak_near(clean, start, reach) - top) <= 0.5 + 1e-6
    noisy = clean + np.random.default_rng(seed).normal(0, 0.05, 40)
    assert abs(peak_near(noisy, start, reach) - start) <= reach
    assert peak_near(-clean, start, reach) == peak_near(clean, start, 1) == start


def test_an_own_spotter_is_one_function_in_one_file(tmp_path, own_registries, smile):
    path = tmp_path / "mein_ü.py"
    path.write_text(
        "import numpy as np\n"
        "from fleeting.spotting import register_spotter, spot_in\n"
        "@register_spotter('brightest', paper='nobody')\n"
        "def brightest(frames, landmarks, fps=None, darkest=False):\n"
        "    '''The brightest frame.'''\n"
        "    scores = np.array([frame.mean() for frame in frames])\n"
        "    return spot_in(-scores if darkest else scores)\n",
        encoding="utf-8",
    )
    load_plugin(path)
    info = spotter_info("brightest")
    assert (info.summary, info.options) == ("The brightest frame", {"darkest": False})
    assert info.source and spotter_info("motion").source is None
    _, faces, landmarks = smile["clean"]
    bright = find_apex(faces, landmarks, method="brightest").apex
    assert bright == int(faces.mean((1, 2)).argmax())
    assert find_apex(faces, landmarks, method="brightest", darkest=True).apex != bright


def test_what_cannot_be_registered(own_registries):
    with pytest.raises(UsageError, match="registered already"):
        register_spotter("motion", paper="")(lambda frames, landmarks, fps: None)
    with pytest.raises(UsageError, match="frames, landmarks, fps"):
        register_spotter("own", paper="")(lambda frames, fps: None)
    with pytest.raises(UsageError, match="'k' needs a default"):
        register_spotter("own", paper="")(lambda frames, landmarks, fps, k: None)

    @register_spotter("lazy", paper="")
    def lazy(frames, landmarks, fps=None):
        next(iter(frames))
        return spot_in([0.0, 1.0])

    @register_interval_spotter("none_at_all", paper="")
    def none_at_all(table, *, least=1.0):
        """Find nothing."""
        return []

    assert find_interval_spotter("none-at-all").spot is none_at_all
    assert find_interval_spotter("none_at_all").info.options == {"least": 1.0}
    assert find_interval_spotter("motion").spot is spot_intervals
    assert list_interval_spotters("n*") == ["none_at_all"]
    with pytest.raises(UsageError, match=r"unknown interval spotter 'motoin'; did you mean 'motion'"):
        find_interval_spotter("motoin")
    with pytest.raises(UsageError, match="must be \\(table\\)"):
        register_interval_spotter("own", paper="")(lambda frames: [])

    with pytest.raises(UsageError, match="2 scores for"):
        find_apex(np.zeros((3, 200, 200), np.uint8), np.zeros((68, 2)), method="lazy")
