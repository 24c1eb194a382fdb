"""One synthetic clip: a still face moved by an exactly known field, then filmed by an imperfect camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import UsageError, unknown_choice
from fleeting.synthesis.facs import EMOTIONS, action_units_text, face_units
from fleeting.synthesis.filming import Course, Filming, Placement, blink_profile
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
        Steady motion of the head per second, besides the ``jitter``: to the right and down (pixels of a 280 x 340 frame),
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
    _check(emotion, asymmetry, drift, amplitude, fps, n_frames, pose=pose, jitter=jitter, flicker=flicker, noise=noise)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    # One stream per purpose: a clip without noise moves exactly as the same clip with it.
    drawn, moving, lit, grain = rng.spawn(4)
    stage = stage_of(identity, (int(size[0]), int(size[1])))

    intensities = _intensities(drawn, emotion, action_units)
    when, length = _timing(drawn, fps, n_frames, timing, still)
    skew = float(drawn.uniform(0.7, 1.2))
    units = _units(drawn, intensities, float(asymmetry))
    placed = Placement.draw(moving, stage, pose)
    field, pixels = _apex_field(stage, placed, units, amplitude)
    profile = np.zeros(length) if when is None else intensity_profile(length, when, skew)
    shut = _blink(moving, blink, length)
    head = _head_motion(moving, length, fps, stage.scale, jitter, drift)
    light, tilt = _illumination(lit, length, fps, flicker)
    wanted = None if film is None else _wanted(film, length)
    filming = Filming(stage, placed, field, tilt=tilt, noise=noise)
    frames, landmarks = filming.film(Course(profile, head, light, blink_profile(length, shut, fps)), grain, wanted)
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


def _intensities(rng: np.random.Generator, emotion: str, action_units: Mapping[str, float] | None) -> dict[str, float]:
    """Action units of the face: those that are given, else one of the emotion's usual combinations."""
    combination = EMOTIONS.get(emotion, ({},))[int(rng.integers(len(EMOTIONS.get(emotion, ({},)))))]
    if emotion == NEUTRAL:
        return {}
    intensities = dict(action_units if action_units is not None else combination)
    if not intensities:
        raise UsageError(f"{emotion}: action_units is empty; give at least one, or emotion=None for a still face")
    return intensities


def _units(rng: np.random.Generator, intensities: Mapping[str, float], asymmetry: float) -> dict[str, float]:
    """Intensities of the face's own units; no face moves quite evenly."""
    units = {u: w * float(rng.uniform(0.85, 1.15)) for u, w in face_units(intensities).items()}
    return {u: w * _side(u, asymmetry) for u, w in units.items()} if asymmetry else units


def _apex_field(
    stage: Stage, placed: Placement, units: Mapping[str, float], amplitude: float
) -> tuple[NDArray[np.float32], float]:
    """The displacement at the apex, and its largest length in pixels."""
    width, height = stage.size
    if not units:
        return np.zeros((height, width, 2), np.float32), 0.0
    field = placed.field(stage.field(units))
    pixels = amplitude * stage.face_width * placed.growth / 128
    return field * np.float32(pixels / float(np.linalg.norm(field, axis=2).max())), pixels


def _blink(rng: np.random.Generator, blink: int | bool | None, length: int) -> int | None:
    """The frame at which the eyes are shut."""
    if blink is True:
        return int(rng.integers(length))
    if blink is False or blink is None:
        return None
    if not 0 <= int(blink) < length:
        raise UsageError(f"the blink at frame {int(blink)} lies outside a clip of {length} frames (0 to {length - 1})")
    return int(blink)


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


def _check(
    emotion: str,
    asymmetry: float,
    drift: Sequence[float],
    amplitude: float,
    fps: float,
    n_frames: int | None,
    **strengths: float,
) -> None:
    if emotion != NEUTRAL and emotion not in EMOTIONS:
        raise unknown_choice("emotion", emotion, [*EMOTIONS, NEUTRAL])
    if not -1 <= asymmetry <= 1:
        raise UsageError(f"asymmetry {asymmetry}: expected -1 (the right side alone moves) to 1 (the left side alone)")
    if len(drift) != 4 or not np.isfinite(drift).all():
        raise UsageError(
            f"drift {tuple(drift)}: expected four numbers: to the right, down, rotation and growth per second"
        )
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
    rng: np.random.Generator, length: int, fps: float, scale: float, jitter: float, drift: Sequence[float]
) -> NDArray[np.float64]:
    pixels = jitter * scale
    spread = np.array([pixels, 0.8 * pixels, 0.004 * jitter, 0.002 * jitter])
    head = np.asarray(_smooth(rng, length, 0.06 * fps, 4) * spread)
    if any(drift):
        head = head + np.arange(length)[:, None] / fps * (np.asarray(drift, np.float64) * [scale, scale, 1, 1])
    return head


def _illumination(
    rng: np.random.Generator, length: int, fps: float, flicker: float
) -> tuple[NDArray[np.float64], float]:
    """The light of each frame, and its slope from left to right."""
    t = np.arange(length) / fps
    lamp = np.sin(2 * np.pi * rng.uniform(4, 60) * t + rng.uniform(0, 2 * np.pi))
    light = np.asarray(1 + flicker * (lamp + _smooth(rng, length, 0.1 * fps, 1)[:, 0]))
    return light, float(rng.uniform(-0.1, 0.1)) if flicker else 0.0
