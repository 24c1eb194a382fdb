"""One synthetic clip: a still face moved by an exactly known field, then filmed by an imperfect camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import UsageError, unknown_choice
from fleeting.synthesis.facs import EMOTIONS, action_units_text, face_units
from fleeting.synthesis.identities import FRAME_SIZE, Identity, load_identity
from fleeting.synthesis.stage import Stage, stage_of
from fleeting.synthesis.timing import CLIP, Timing, draw_timing, intensity_profile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.clips import Clip

__all__ = ["NEUTRAL", "SyntheticClip", "make_clip"]

NEUTRAL = "neutral"
# Beyond this a warp of a still picture folds over itself, and the expression is no longer a micro one.
MAXIMUM_AMPLITUDE = 6.0
FURROW = 0.15  # at 0.7 shading reverses the measured flow
_NOISE_BANK = 1 << 22
# Intensities at which a clip's inverse map is solved, and in how many rounds.
_NODES = (0.25, 0.5, 0.75, 1.0)
_ROUNDS = 10


@dataclass(frozen=True, eq=False)
class SyntheticClip:
    """A clip and everything that is true of it.

    Attributes
    ----------
    frames : numpy.ndarray of uint8
        ``uint8 (T, H, W, 3)`` RGB; fewer than ``T`` if only some were filmed.
    identity : str
        Name of the identity.
    emotion : str
        One of the eight, or ``"neutral"``.
    action_units : str
        Action units as coders write them, for instance ``"6+12"``; empty for a neutral clip.
    intensities : mapping
        Action unit -> intensity.
    fps : float
        Frames per second.
    onset, apex, offset : int or None
        0-based frames; ``None`` in a neutral clip.
    profile : numpy.ndarray of float64
        ``(T,)`` intensity ``s(t)``, 1 at the apex only, 0 up to the onset and from the offset on.
    amplitude : float
        The largest displacement of any point at the apex, in pixels of a face 128 pixels wide.
    amplitude_pixels : float
        The same in pixels of the frames.
    field : numpy.ndarray of float32
        ``float32 (H, W, 2)``, x then y: displacement of what lies at each pixel of frame 0, at the apex, in pixels,
        head motion left out. At frame ``t`` it is ``profile[t] * field``.
    landmarks : numpy.ndarray of float64
        ``float64 (T, 68, 2)``, the exact track (pixel centres at integers), head motion and blink included.
    head : numpy.ndarray of float64
        ``float64 (T, 4)``: shift x, shift y (pixels), rotation (radians), growth, about ``centre``; frame 0 is at rest.
    centre : numpy.ndarray of float64
        ``(2,)`` the point the head turns about.
    blink : int or None
        Frame at which the eyes are shut, or ``None``.
    filmed : tuple of int or None
        Which of the clip's frames ``frames`` holds, or ``None`` for all of them.
    """

    frames: NDArray[np.uint8]
    identity: str
    emotion: str
    action_units: str
    intensities: Mapping[str, float]
    fps: float
    onset: int | None
    apex: int | None
    offset: int | None
    profile: NDArray[np.float64]
    amplitude: float
    amplitude_pixels: float
    field: NDArray[np.float32]
    landmarks: NDArray[np.float64]
    head: NDArray[np.float64]
    centre: NDArray[np.float64]
    blink: int | None
    filmed: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self.profile)

    def to_clip(self, *, subject: str | None = None, name: str = "clip", dataset: str = "synthetic") -> Clip:
        """The clip as the rest of the house knows it, with its frames in memory.

        Raises
        ------
        UsageError
            If only some of its frames were filmed.
        """
        from fleeting.clips import ArrayFrames, Clip

        if self.filmed is not None:
            raise UsageError(
                f"{len(self.filmed)} of {len(self)} frames were filmed; a Clip needs them all: leave out film"
            )
        return Clip(
            dataset=dataset,
            subject=subject or self.identity,
            name=name,
            frames=ArrayFrames(self.frames, fps=self.fps),
            fps=self.fps,
            emotion=self.emotion,
            action_units=self.action_units,
            onset=self.onset,
            apex=self.apex,
            offset=self.offset,
        )


def make_clip(
    identity: Identity | str,
    emotion: str | None,
    *,
    amplitude: float = 2.0,
    fps: float = 200.0,
    n_frames: int | None = None,
    size: tuple[int, int] = FRAME_SIZE,
    seed: int | Sequence[int] = 0,
    pose: float = 1.0,
    jitter: float = 0.5,
    flicker: float = 0.006,
    noise: float = 1.5,
    blink: int | bool = False,
    timing: tuple[int, int, int] | Timing | None = None,
    action_units: Mapping[str, float] | None = None,
    asymmetry: float = 0.0,
    drift: Sequence[float] = (0.0, 0.0, 0.0, 0.0),
    film: Sequence[int] | None = None,
) -> SyntheticClip:
    """Film a face that makes one micro-expression.

    A point at ``x`` in frame 0 moves to ``x + s(t) D(x)``, where ``D`` is the field of the emotion's action units (see
    :mod:`fleeting.synthesis.facs`), carried over from the mesh of the assets to this face. Each frame is looked up in
    the still source through the exact inverse of that map, so flow, landmarks and timing are known and not estimated.
    Head motion, a blink, furrow shading, flicker and sensor noise come on top.

    Parameters
    ----------
    identity : Identity or str
        An :class:`Identity`, or the name of a shipped one.
    emotion : str or None
        One of :data:`EMOTIONS`; ``None`` or ``"neutral"`` gives a still face.
    amplitude : float, optional
        Largest displacement of any point at the apex, in pixels of a face 128 pixels wide (jaw to jaw); above 0, at
        most 6. Micro-expressions lie between 0.5 and 3.
    fps : float, optional
        Frames per second. All durations are in seconds and scale with it.
    n_frames : int or None, optional
        Frames of the clip; by default 0.34 s, which is 68 at 200 frames per second.
    size : tuple of (int, int), optional
        Width and height of the frames in pixels. The face fills about two thirds of a 280 x 340 window fitted in it.
    seed : int or sequence, optional
        An integer or several; the same seed gives the same bytes, in any process.
    pose : float, optional
        Spread of the head's place, tilt and distance in frame 0 from clip to clip: 1 draws shifts of 3 pixels of a
        280 x 340 frame, 1.2 degrees and 2 % (standard deviations). 0 holds them fixed.
    jitter : float, optional
        Standard deviation of the head's sideways drift, in pixels of a 280 x 340 frame; rotation and growth go with it.
        0 holds the head still.
    flicker : float, optional
        Relative standard deviation of the illumination. 0 is constant light.
    noise : float, optional
        Standard deviation of the sensor noise at mid-grey, in grey levels; darker pixels are less noisy. 0 is a clean
        picture.
    blink : int or bool, optional
        A frame at which the eyes shut, a distractor; ``True`` draws one.
    timing : tuple of (int, int, int) or Timing or None, optional
        Onset, apex and offset (0-based frames); by default drawn.
    action_units : mapping or None, optional
        Action unit -> intensity instead of one of the emotion's usual combinations.
    asymmetry : float, optional
        Surplus of motion of the left of the face (its own left) over the right, -1 to 1: what has two sides is moved by
        ``1 + asymmetry`` there and by ``1 - asymmetry`` here. 0 is an even face.
    drift : sequence, optional
        Steady motion of the head a second, besides the ``jitter``: to the right and down (pixels of a 280 x 340 frame),
        rotation (radians), growth.
    film : sequence or None, optional
        0-based frames to film and no others; each is the same, bit for bit, as in the whole clip. All by default.

    Raises
    ------
    UsageError
        If an argument cannot be right; the message says what was expected.

    Examples
    --------
    >>> clip = make_clip("01", "happiness", amplitude=1.5, seed=3)
    >>> clip.frames.shape, clip.frames.dtype.name, clip.profile[clip.apex]
    ((68, 340, 280, 3), 'uint8', np.float64(1.0))
    """
    identity = load_identity(identity) if isinstance(identity, str) else identity
    emotion = NEUTRAL if emotion is None else emotion
    still = emotion == NEUTRAL
    if not still and emotion not in EMOTIONS:
        raise unknown_choice("emotion", emotion, [*EMOTIONS, NEUTRAL])
    if not -1 <= asymmetry <= 1:
        raise UsageError(f"asymmetry {asymmetry}: expected -1 (the right side alone moves) to 1 (the left side alone)")
    if len(drift) != 4 or not np.isfinite(drift).all():
        raise UsageError(f"drift {tuple(drift)}: expected four numbers: to the right, down, rotation, growth a second")
    _check(amplitude, fps, n_frames, pose=pose, jitter=jitter, flicker=flicker, noise=noise)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    # One stream a purpose: a clip without noise moves exactly as the same clip with it.
    drawn, moving, lit, grain = rng.spawn(4)
    stage = stage_of(identity, (int(size[0]), int(size[1])))

    combination = EMOTIONS.get(emotion, ({},))[int(drawn.integers(len(EMOTIONS.get(emotion, ({},)))))]
    when, length = _timing(drawn, fps, n_frames, timing, still)
    skew = float(drawn.uniform(0.7, 1.2))
    intensities = {} if still else dict(action_units if action_units is not None else combination)
    if not still and not intensities:
        raise UsageError(f"{emotion}: action_units is empty; give at least one, or emotion=None for a still face")
    # No face moves quite evenly.
    units = {u: w * float(drawn.uniform(0.85, 1.15)) for u, w in face_units(intensities).items()}
    if asymmetry:
        units = {u: w * _side(u, float(asymmetry)) for u, w in units.items()}
    width, height = stage.size
    placed = Placement.draw(moving, stage, pose)
    field = np.zeros((height, width, 2), np.float32)
    pixels = 0.0
    if units:
        field = placed.field(stage.field(units))
        pixels = amplitude * stage.face_width * placed.growth / 128
        field = field * np.float32(pixels / float(np.linalg.norm(field, axis=2).max()))
    profile = np.zeros(length) if when is None else intensity_profile(length, when, skew)
    shut: int | None = None
    if blink is True:
        shut = int(moving.integers(length))
    elif blink is not False and blink is not None:
        shut = int(blink)
        if not 0 <= shut < length:
            raise UsageError(f"the blink at frame {shut} lies outside a clip of {length} frames (0 to {length - 1})")
    head = _head_motion(moving, length, fps, jitter * stage.scale, jitter)
    if any(drift):
        steady = np.asarray(drift, np.float64) * [stage.scale, stage.scale, 1, 1]
        head = head + np.arange(length)[:, None] / fps * steady
    light = _illumination(lit, length, fps, flicker)
    tilt = float(lit.uniform(-0.1, 0.1)) if flicker else 0.0
    wanted = None if film is None else _wanted(film, length)
    frames, landmarks = _film(stage, placed, field, profile, head, light, tilt, shut, fps, noise, grain, wanted)
    return SyntheticClip(
        frames=frames,
        identity=identity.name,
        emotion=emotion,
        action_units=action_units_text(intensities),
        intensities=intensities,
        fps=float(fps),
        onset=None if when is None else when.onset,
        apex=None if when is None else when.apex,
        offset=None if when is None else when.offset,
        profile=profile,
        amplitude=0.0 if still else float(amplitude),
        amplitude_pixels=pixels,
        field=field,
        landmarks=landmarks,
        head=head,
        centre=placed.points(placed.centre[None])[0],
        blink=shut,
        filmed=wanted,
    )


def _side(unit: str, asymmetry: float) -> float:
    return 1 + asymmetry if unit.endswith("Left") else 1 - asymmetry if unit.endswith("Right") else 1.0


def _wanted(film: Sequence[int], length: int) -> tuple[int, ...]:
    wanted = tuple(int(t) for t in film)
    outside = [t for t in wanted if not 0 <= t < length]
    if len(set(wanted)) < len(wanted):
        raise UsageError(f"film {list(wanted)}: expected each frame once")
    if outside:
        raise UsageError(f"film {outside[0]}: no such frame in a clip of {length} frames (0 to {length - 1})")
    return wanted


def _timing(
    rng: np.random.Generator,
    fps: float,
    n_frames: int | None,
    timing: tuple[int, int, int] | Timing | None,
    still: bool,
) -> tuple[Timing | None, int]:
    """Onset, apex and offset (none for a still face), and the number of frames."""
    if still:
        return None, n_frames or max(1, round(CLIP * fps))
    if timing is None:
        return draw_timing(rng, fps, n_frames)
    when = timing if isinstance(timing, Timing) else Timing(*timing)
    length = n_frames or max(round(CLIP * fps), when.offset + 2)
    if when.offset >= length:
        raise UsageError(f"the offset {when.offset} lies outside a clip of {length} frames (0 to {length - 1})")
    return when, length


def _check(amplitude: float, fps: float, n_frames: int | None, **strengths: float) -> None:
    if not 0 < amplitude <= MAXIMUM_AMPLITUDE:
        raise UsageError(
            f"amplitude {amplitude}: expected pixels of a 128-pixel face, above 0 and at most {MAXIMUM_AMPLITUDE:g} "
            "(micro-expressions lie between 0.5 and 3)"
        )
    if not 0 < fps <= 10_000:
        raise UsageError(f"fps {fps}: expected frames per second, above 0 and at most 10000")
    if n_frames is not None and (n_frames < 1 or int(n_frames) != n_frames):
        raise UsageError(f"n_frames {n_frames}: expected a whole number of frames, at least 1")
    most = {"pose": 5.0, "jitter": 10.0, "flicker": 0.5, "noise": 50.0}
    for name, value in strengths.items():
        if not 0 <= value <= most[name]:
            raise UsageError(f"{name} {value}: expected 0 (off) to {most[name]:g}")


def _smooth(rng: np.random.Generator, length: int, sigma: float, columns: int) -> NDArray[np.float64]:
    """Gaussian processes ``(length, columns)`` of unit variance and correlation time ``sigma`` frames, 0 at frame 0."""
    reach = int(np.ceil(4 * sigma)) + 1
    white = rng.standard_normal((length + 2 * reach, columns))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    path = np.stack([np.convolve(white[:, i], kernel, "valid") for i in range(columns)], 1)
    return np.asarray(path - path[0])


def _head_motion(
    rng: np.random.Generator, length: int, fps: float, pixels: float, jitter: float
) -> NDArray[np.float64]:
    spread = np.array([pixels, 0.8 * pixels, 0.004 * jitter, 0.002 * jitter])
    return np.asarray(_smooth(rng, length, 0.06 * fps, 4) * spread)


def _illumination(rng: np.random.Generator, length: int, fps: float, flicker: float) -> NDArray[np.float64]:
    t = np.arange(length) / fps
    lamp = np.sin(2 * np.pi * rng.uniform(4, 60) * t + rng.uniform(0, 2 * np.pi))
    return np.asarray(1 + flicker * (lamp + _smooth(rng, length, 0.1 * fps, 1)[:, 0]))


@dataclass(frozen=True, eq=False)
class Placement:
    """The place of the head of a stage in frame 0: a similarity about ``centre``."""

    centre: NDArray[np.float64]
    shift: NDArray[np.float64]
    angle: float
    growth: float

    @classmethod
    def draw(cls, rng: np.random.Generator, stage: Stage, strength: float) -> Placement:
        """A random placement; ``strength`` 0 leaves the head where the stage has it."""
        x, y, angle, growth = rng.standard_normal(4) * strength
        near = float(np.clip(1 + 0.02 * growth, 0.85, 1.15))
        return cls(stage.landmarks.mean(0), np.array([x, y]) * 3 * stage.scale, float(np.radians(1.2 * angle)), near)

    @property
    def turn(self) -> NDArray[np.float64]:
        """The matrix ``(2, 2)`` of rotation and growth."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.asarray(self.growth * np.array([[c, -s], [s, c]]))

    def points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """From the stage to frame 0."""
        return np.asarray((points - self.centre) @ self.turn.T + self.centre + self.shift)

    @property
    def back(self) -> NDArray[np.float64]:
        """The affine map ``(2, 3)`` from frame 0 to the stage."""
        inverse = np.linalg.inv(self.turn)
        return np.hstack([inverse, (self.centre - inverse @ (self.centre + self.shift))[:, None]])

    def field(self, field: NDArray[np.float32]) -> NDArray[np.float32]:
        """A displacement field of the stage as it is in frame 0."""
        import cv2

        if not self.shift.any() and self.angle == 0 and self.growth == 1:
            return field
        height, width = field.shape[:2]
        moved = cv2.warpAffine(field, self.back, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return np.asarray(moved @ self.turn.T.astype(np.float32), np.float32)


@cache
def _noise_bank() -> NDArray[np.float32]:
    # Each frame takes a stretch of it at a random place: as good as fresh numbers at a tenth of the time.
    return np.random.default_rng(np.random.SeedSequence(20131)).standard_normal(_NOISE_BANK, dtype=np.float32)


def _film(
    stage: Stage,
    placed: Placement,
    field: NDArray[np.float32],
    profile: NDArray[np.float64],
    head: NDArray[np.float64],
    light: NDArray[np.float64],
    tilt: float,
    shut: int | None,
    fps: float,
    noise: float,
    rng: np.random.Generator,
    wanted: tuple[int, ...] | None,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The wanted frames (all if ``None``) and the landmark track of all."""
    import cv2

    width, height = stage.size
    length = len(profile)
    yy, xx = (a.astype(np.float32) for a in np.mgrid[0:height, 0:width])
    grid = np.stack([xx, yy], 2)
    moved_back = _Inverse(field, grid)
    order = range(length) if wanted is None else wanted
    frames = np.empty((len(order), height, width, 3), np.uint8)
    places = {t: i for i, t in enumerate(order)}
    landmarks = np.empty((length, 68, 2))
    rest = placed.points(stage.landmarks)
    centre = placed.points(placed.centre[None])[0]
    to_stage = placed.back
    gain, start = np.diag(stage.gain), stage.start
    # From frame 0 through the stage to the source picture.
    to_source = gain @ to_stage + [[0, 0, start[0]], [0, 0, start[1]]]
    at_marks = sample_field(field, rest)
    divergence = cv2.Sobel(field[..., 0], cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    divergence += cv2.Sobel(field[..., 1], cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    furrow = FURROW * cv2.GaussianBlur(divergence, (0, 0), 2.5 * stage.scale)
    lamp = np.repeat((1 + tilt * (xx / width - 0.5))[..., None], 3, axis=2).astype(np.float32)
    furrowed = lamp * furrow[..., None]
    shot = (np.sqrt((np.arange(256) / 128 + 0.3) / 1.3) * noise).astype(np.float32)
    eyes_shut = _blink_profile(length, shut, fps)
    bank = _noise_bank() if noise else np.empty(0, np.float32)
    count = width * height * 3
    for t in range(length):
        s, shut_t = float(profile[t]), float(eyes_shut[t])
        dx, dy, angle, growth = head[t]
        turn = (1 + growth) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        if shut_t > 0.01:
            shut_marks = placed.points(_shut_landmarks(stage, shut_t))
            marks = shut_marks + s * sample_field(field, shut_marks)
        else:
            marks = rest + s * at_marks
        landmarks[t] = (marks - centre) @ turn.T + centre + [dx, dy]
        # Drawn for frames that are not filmed too: the others stay as they are.
        first = int(rng.integers(0, _NOISE_BANK - count)) if noise and count < _NOISE_BANK else 0
        if t not in places:
            continue
        picked = frames[places[t]]
        back = np.linalg.inv(turn)
        shift = centre - back @ (centre + [dx, dy])
        place = moved_back(s, np.hstack([back, shift[:, None]]) if head[t].any() else None)
        if shut_t > 0.01:
            place = _lid_lookup(stage, cv2.transform(place, to_stage), shut_t)
            place = cv2.transform(place, np.hstack([gain, start[:, None]]))
        else:
            place = cv2.transform(place, to_source)
        picture = cv2.remap(stage.source, place, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        glow = cv2.addWeighted(lamp, float(light[t]), furrowed, float(light[t]) * s, 0.0)
        if noise:
            stretch = bank[first : first + count] if count < _NOISE_BANK else np.resize(bank, count)
            grain = cv2.multiply(stretch.reshape(picture.shape), cv2.LUT(picture, shot))
            lit = cv2.multiply(picture, glow, dtype=cv2.CV_32F)
            # Rounded and held within 0 to 255 on the way.
            cv2.add(lit, grain, dst=picked, dtype=cv2.CV_8U)
        else:
            cv2.multiply(picture, glow, dst=picked, dtype=cv2.CV_8U)
    return frames, landmarks


class _Inverse:
    """Where what is seen at a pixel was in frame 0: ``y`` with ``y + s D(y) = x``, for any intensity ``s``.

    The map is solved once per clip at the few intensities it needs, by fixed-point iteration (the slope of ``D`` is below
    1), and is a polynomial of ``s`` between them: as exact as looking a picture up, which goes by steps of 1/32 pixel.

    Parameters
    ----------
    field : numpy.ndarray of float32
        ``D``, float32 ``(H, W, 2)``.
    grid : numpy.ndarray of float32
        The pixels' own places, float32 ``(H, W, 2)``.
    """

    def __init__(self, field: NDArray[np.float32], grid: NDArray[np.float32]) -> None:
        self._grid, self._field = grid, field
        self._solved: dict[float, NDArray[np.float32]] = {}
        self._moves = bool(field.any())

    def _solve(self, s: float) -> NDArray[np.float32]:
        import cv2

        if s not in self._solved:
            back = np.asarray(self._field * np.float32(s), np.float32)
            for _ in range(_ROUNDS):
                back = np.float32(s) * cv2.remap(self._field, self._grid - back, None, cv2.INTER_LINEAR)
            self._solved[s] = back
        return self._solved[s]

    def __call__(self, s: float, affine: NDArray[np.float64] | None) -> NDArray[np.float32]:
        """Places ``(H, W, 2)`` in frame 0; ``affine`` ``(2, 3)`` takes the head's motion back first."""
        import cv2

        here = self._grid if affine is None else np.asarray(cv2.transform(self._grid, affine), np.float32)
        if not self._moves or s <= 0:
            return here
        back = np.zeros_like(here)
        for node in _NODES:
            others = [0.0, *(n for n in _NODES if n != node)]
            weight = float(np.prod([(s - n) / (node - n) for n in others]))
            if weight:
                cv2.scaleAdd(self._solve(node), weight, back, dst=back)
        if affine is not None:
            back = np.asarray(cv2.remap(back, here, None, cv2.INTER_LINEAR), np.float32)
        return np.asarray(here - back, np.float32)


def sample_field(field: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear values ``(n, 2)`` of a field ``(H, W, 2)`` at points ``(n, 2)``; 0 outside it."""
    from scipy.ndimage import map_coordinates

    where = [points[:, 1], points[:, 0]]
    return np.stack([map_coordinates(field[..., i].astype(np.float64), where, order=1) for i in (0, 1)], axis=1)


def _blink_profile(length: int, shut: int | None, fps: float) -> NDArray[np.float64]:
    if shut is None:
        return np.zeros(length)
    t = np.arange(length) - shut
    return np.asarray(np.exp(-0.5 * (t / np.where(t < 0, 0.03 * fps, 0.05 * fps)) ** 2))


def _shut_landmarks(stage: Stage, shut: float) -> NDArray[np.float64]:
    """Landmarks of the stage with the upper lids where :func:`_lid_lookup` has the edge of the lid's skin."""
    marks = np.array(stage.landmarks, dtype=np.float64)
    upper, lower, weight, _ = stage.lids
    for k in (37, 38, 43, 44):
        column = int(np.clip(round(marks[k, 0]), 0, stage.size[0] - 1))
        up, low, w = float(upper[column]), float(lower[column]), float(weight[column])
        # The stretched skin begins above the lashes, so a lid that hardly moves has not reached its landmark yet.
        marks[k, 1] = max(marks[k, 1], up + shut * (low - up) * w)
    return np.asarray(marks)


def _lid_lookup(stage: Stage, place: NDArray[np.float32], shut: float) -> NDArray[np.float32]:
    """Stretch the skin of the upper lids down over the eyes by ``shut``, 0 (open) to 1."""
    upper, lower, weight, skin = stage.lids
    column = np.clip(np.round(place[..., 0]).astype(np.intp), 0, stage.size[0] - 1)
    up, low, w = upper[column], lower[column], weight[column]
    edge = up + np.float32(shut) * (low - up) * w
    top = up - np.float32(skin)
    y = place[..., 1]
    covered = (y > top) & (y < edge) & (w > 0)
    stretched = top + (y - top) * np.float32(skin) / np.maximum(edge - top, 1e-3)
    out = place.copy()
    out[..., 1] = np.where(covered, stretched, y)
    return out
