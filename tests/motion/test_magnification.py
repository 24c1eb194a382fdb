import numpy as np
import pytest
from scipy.signal import butter, freqz

from fleeting.errors import UsageError
from fleeting.motion import MICRO_BAND, band_pass, band_strengths, dense_flow, magnify_motion

FPS, SIDE = 100.0, 128


def _wave(displacement, wavelength, side=SIDE):
    """Vertical stripes moved sideways by ``displacement`` pixels, a frame each."""
    x = np.arange(side)
    rows = 128 + 60 * np.sin(2 * np.pi * (x[None] - np.asarray(displacement)[:, None]) / wavelength)
    return np.repeat(np.rint(rows).astype(np.uint8)[:, None], side, axis=1)


def _measured(frames, wavelength):
    """Displacement of the stripes, from the phase of their frequency."""
    side = frames.shape[2]
    k = round(side / wavelength)
    phase = np.angle(np.fft.fft(frames.astype(float).mean(1), axis=1)[:, k])
    return -(phase - phase[0]) * wavelength / (2 * np.pi)


@pytest.mark.parametrize("temporal", ["ideal", "butterworth", "iir"])
@pytest.mark.parametrize("alpha", [2.0, 5.0])
def test_a_known_motion_becomes_one_plus_alpha_times_as_large(temporal, alpha):
    t = np.arange(60) / FPS
    truth = 0.2 * (1 - np.cos(2 * np.pi * 5 * t))
    # The causal filters have gentle slopes: a band far wider than the motion lets it through unchanged.
    band = (4.0, 6.0) if temporal == "ideal" else (0.05, 49.0)
    made = magnify_motion(_wave(truth, 32, 256), FPS, alpha=alpha, band=band, wavelength=8, temporal=temporal)
    found = _measured(made, 32)
    assert np.polyfit(truth, found, 1)[0] == pytest.approx(1 + alpha, rel=0.1)
    assert np.corrcoef(truth, found)[0, 1] > 0.98


def test_optical_flow_sees_the_magnified_motion_of_a_texture():
    rng = np.random.default_rng(0)
    spectrum = np.fft.fft2(rng.normal(size=(SIDE, SIDE)))
    fx, fy = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE))
    radius = np.hypot(fx, fy)
    spectrum[(radius < 1 / 40) | (radius > 1 / 14)] = 0
    t = np.arange(40) / FPS
    move = 0.15 * (1 - np.cos(2 * np.pi * 5 * t)) / 2
    images = np.stack([np.fft.ifft2(spectrum * np.exp(-2j * np.pi * fx * d)).real for d in move])
    frames = np.clip(128 + 40 * images / images.std(), 0, 255).astype(np.uint8)
    made = magnify_motion(frames, FPS, alpha=4, band=(1, 12.5), wavelength=8)
    inner = (slice(16, -16), slice(16, -16), 0)
    before, after = (float(dense_flow(clip[0], clip[10], blur=0)[inner].mean()) for clip in (frames, made))
    assert before == pytest.approx(0.15, abs=0.03)
    assert after / before == pytest.approx(5, rel=0.2)


def test_motion_outside_the_band_and_no_magnification_change_nothing():
    t = np.arange(100) / FPS
    frames = _wave(0.3 * np.cos(2 * np.pi * 20 * t), 16)

    def change(band):
        return np.abs(magnify_motion(frames, FPS, alpha=10, band=band).astype(int) - frames).max()

    assert change((1, 5)) <= 5 < 30 < change((15, 25))
    assert np.array_equal(magnify_motion(frames, FPS, alpha=0, band=(1, 30)), frames)
    still = np.repeat(frames[:1], 30, axis=0)
    assert np.array_equal(magnify_motion(still, FPS, band=(2, 10), temporal="iir"), still)
    assert np.array_equal(magnify_motion(still, FPS, band=(2, 10)), still)


def test_short_wavelengths_are_magnified_less():
    strengths = band_strengths(5, (128, 128), alpha=10, wavelength=25)
    assert strengths[0] == strengths[-1] == 0
    assert 0 < strengths[1] < strengths[2] < strengths[3] == 10
    # The bound (1 + α) δ = λ / 8 of equation 14, with λ of the third level and δ from the cut-off.
    wavelength = np.hypot(128, 128) / 3 / 4
    assert (1 + strengths[2]) * (25 / 8 / 11) == pytest.approx(wavelength / 8)
    assert band_strengths(5, (128, 128), alpha=100, wavelength=1000)[1] == 0
    t = np.arange(100) / FPS
    truth = 0.1 * np.sin(2 * np.pi * 5 * t)

    def gain(size):
        made = magnify_motion(_wave(truth, size), FPS, alpha=10, wavelength=60, band=(4, 6))
        return np.polyfit(truth, _measured(made, size), 1)[0]

    assert gain(8) < 0.5 * gain(32)


def test_colour_is_magnified_by_its_share():
    t = np.arange(60) / FPS
    pulse = np.rint(4 * np.cos(2 * np.pi * 5 * t)).astype(int)
    frames = np.full((60, 32, 32, 3), 120)
    frames[..., 0] += pulse[:, None, None]
    made = magnify_motion(
        frames.astype(np.uint8), FPS, alpha=5, band=(4, 6), pyramid="gaussian", levels=3, chrominance=1.0
    )
    swing = np.ptp(made[..., 0].mean((1, 2))) / np.ptp(frames[..., 0].mean((1, 2)))
    assert swing == pytest.approx(6, rel=0.1)
    # Less of the colour: the same pulse now changes red less, and brightness as before.
    less = magnify_motion(
        frames.astype(np.uint8), FPS, alpha=5, band=(4, 6), pyramid="gaussian", levels=3, chrominance=0
    )
    light = np.array([0.299, 0.587, 0.114])
    assert np.ptp((less @ light).mean((1, 2))) == pytest.approx(np.ptp((made @ light).mean((1, 2))), rel=0.15)
    assert np.ptp(less[..., 0].mean((1, 2))) < 0.6 * np.ptp(made[..., 0].mean((1, 2)))


def test_shapes_stay_and_grey_with_a_channel_is_grey():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (12, 33, 50), dtype=np.uint8)
    made = magnify_motion(frames, FPS, band=MICRO_BAND)
    assert made.shape == frames.shape and made.dtype == np.uint8
    assert np.array_equal(magnify_motion(frames[..., None], FPS, band=MICRO_BAND)[..., 0], made)


def test_the_ideal_filter_keeps_a_frequency_whole_and_the_others_answer_as_designed():
    t = np.arange(400) / FPS
    inside, outside = np.cos(2 * np.pi * 5 * t), np.cos(2 * np.pi * 20 * t)
    assert np.abs(band_pass(inside + outside + 7, FPS, (3, 8))[50:-50] - inside[50:-50]).max() < 0.05
    made = band_pass(inside, FPS, (2, 10), "butterworth")[200:]
    response = 0
    for cut, sign in ((10, 1), (2, -1)):
        response += sign * freqz(*butter(1, cut / 50), worN=[2 * np.pi * 5 / FPS])[1][0]
    assert np.ptp(made) / 2 == pytest.approx(abs(response), rel=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fps": 0}, "positive frame rate"),
        ({"band": (5, 2)}, "low < high"),
        ({"band": (0.1, 0.2)}, "more frames"),
        ({"temporal": "median"}, "butterworth, ideal, iir"),
        ({"pyramid": "steerable"}, "gaussian, laplacian"),
        ({"levels": 9}, "levels"),
        ({"alpha": -1}, "at least 0"),
        ({"wavelength": 0}, "positive wavelength"),
        ({"chrominance": 2}, "chrominance"),
        ({"frames": np.zeros((10, 32, 32))}, "float64"),
        ({"frames": np.zeros((0, 32, 32), np.uint8)}, "uint8 frames"),
        ({"frames": np.zeros((5, 32, 32, 2), np.uint8)}, "uint8 frames"),
    ],
)
def test_what_cannot_be_is_refused(change, message):
    options = {"frames": np.zeros((10, 32, 32), np.uint8), "fps": FPS, "band": (5, 20)} | change
    frames, fps = options.pop("frames"), options.pop("fps")
    with pytest.raises(UsageError, match=message):
        magnify_motion(frames, fps, **options)
