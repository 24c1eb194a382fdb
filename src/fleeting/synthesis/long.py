"""Long synthetic recordings: minutes of one face, each frame computed when it is asked for, with exact truth."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.clips import Recording
from fleeting.synthesis.filming import FURROW
from fleeting.synthesis.identities import Identity, load_identity
from fleeting.synthesis.long_plan import (
    VISEMES,
    LongSettings,
    Plan,
    SyntheticEvent,
    course_of,
    draw_plan,
    speech_weights,
)
from fleeting.synthesis.stage import Stage

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LongFrames", "LongRecording", "make_recording"]

_BANK = 1 << 22
_COARSE = 2  # pixels between the nodes at which a frame's motion is solved
_ROUNDS = 6
_MIX = 0x9E3779B97F4A7C15


@dataclass(frozen=True, eq=False)
class LongRecording:
    """A recording and everything that is true of it.

    Attributes
    ----------
    identity : str
        Name of the identity.
    settings : LongSettings
        Settings that were asked for.
    plan : Plan
        Expressions and distractors.
    frames : LongFrames
        The frames; each is computed when it is asked for, so an hour takes no more memory than a second.
    """

    identity: str
    settings: LongSettings
    plan: Plan
    frames: LongFrames

    @property
    def events(self) -> Sequence[SyntheticEvent]:
        """Micro- and macro-expressions in order of time."""
        return self.plan.events

    def to_recording(
        self, *, subject: str | None = None, name: str = "recording", dataset: str = "synthetic-long"
    ) -> Recording:
        """The recording as the rest of the house knows it."""
        return Recording(dataset, subject or self.identity, name, self.frames, self.settings.fps, self.plan.events)


def make_recording(
    identity: Identity | str,
    settings: LongSettings | None = None,
    *,
    seed: int | Sequence[int] = 0,
    plan: Plan | None = None,
    **changes: Any,
) -> LongRecording:
    """Script a long recording; nothing is filmed until a frame is asked for.

    Parameters
    ----------
    identity : Identity or str
        Whose face; a name of :func:`~fleeting.synthesis.list_identities`.
    settings : LongSettings or None, optional
        Settings of the recording; see :class:`LongSettings`.
    seed : int or sequence, optional
        The same seed gives the same bytes.
    plan : Plan or None, optional
        Plan of what happens when, instead of what chance draws.
    changes : object
        Fields of ``settings`` with other values, for instance ``seconds=20, fps=200``.

    Examples
    --------
    >>> made = make_recording("01", seconds=12, fps=50, micro=10, seed=3)
    >>> len(made.frames), made.frames[299].shape, {event.kind for event in made.events}
    (600, (340, 280, 3), {'micro'})
    """
    settings = replace(settings or LongSettings(), **changes)
    identity = load_identity(identity) if isinstance(identity, str) else identity
    drawn, moving = np.random.default_rng(np.random.SeedSequence(seed)).spawn(2)
    script = draw_plan(drawn, settings) if plan is None else plan
    return LongRecording(identity.name, settings, script, LongFrames(identity, settings, script, moving))


@dataclass(frozen=True)
class _Sway:
    """A smooth path that can be evaluated anywhere: a sum of sines, unit variance."""

    rates: NDArray[np.float64]  # (n,) cycles a second
    phases: NDArray[np.float64]  # (n, columns)
    weights: NDArray[np.float64]  # (n,)

    @classmethod
    def draw(cls, rng: np.random.Generator, columns: int, low: float, high: float, n: int = 7) -> _Sway:
        rates = np.exp(rng.uniform(np.log(low), np.log(high), n))
        weights = (rates / low) ** -0.5
        return cls(rates, rng.uniform(0, 2 * np.pi, (n, columns)), weights * np.sqrt(2 / (weights**2).sum()))

    def __call__(self, t: float) -> NDArray[np.float64]:
        return np.asarray(self.weights @ np.sin(2 * np.pi * self.rates[:, None] * t + self.phases))


@dataclass(frozen=True)
class _Scene:
    """A take between two cuts: where the head stands, and how bright it is."""

    first: int
    shift: NDArray[np.float64]
    angle: float
    growth: float
    light: float


@dataclass(frozen=True)
class _Moment:
    """The state of the face in one frame."""

    parts: tuple[tuple[str, int, float], ...]  # what, which, intensity
    shut: float
    matrix: NDArray[np.float64]  # (2, 3) from the stage to the frame
    light: float


class LongFrames:
    """The frames of a synthetic recording, a frame source that computes them.

    Frame ``k`` depends on nothing but ``k``: it can be asked for in any order, by any process.
    """

    def __init__(self, identity: Identity, settings: LongSettings, plan: Plan, rng: np.random.Generator) -> None:
        self.settings, self.plan = settings, plan
        self.stage = Stage(identity, settings.size)
        self._identity = identity.digest()
        self._salt = int(rng.integers(1 << 62))
        self._sway = _Sway.draw(rng, 4, 0.05, 0.6)
        self._tremor = _Sway.draw(rng, 4, 2.0, 8.0)
        self._glow = _Sway.draw(rng, 1, 0.1, 2.0)
        self._lamp = (float(rng.uniform(4, 60)), float(rng.uniform(0, 2 * np.pi)))
        self._scenes = [self._scene(rng, cut) for cut in (0, *(d.first for d in plan.of("cut")))]
        self._starts = np.array([scene.first for scene in self._scenes])
        spans = [(e.onset or 0, e.offset or 0, "event", i) for i, e in enumerate(plan.events)]
        spans += [(d.first, d.last, d.what, i) for i, d in enumerate(plan.distractors) if d.what != "cut"]
        #: what goes on in each second, so that a frame looks at a few items only
        self._agenda: dict[int, list[tuple[int, int, str, int]]] = {}
        self._second = max(1, round(settings.fps))
        for span in spans:
            for second in range(span[0] // self._second, span[1] // self._second + 1):
                self._agenda.setdefault(second, []).append(span)
        self._cache: OrderedDict[tuple[str, int], NDArray[np.float32]] = OrderedDict()

    def _scene(self, rng: np.random.Generator, first: int) -> _Scene:
        x, y, angle, growth = rng.standard_normal(4) * (1.0 if first == 0 else 2.0)
        near = float(np.clip(1 + 0.02 * growth, 0.88, 1.12))
        light = 1.0 if first == 0 else float(rng.uniform(0.85, 1.1))
        shift = np.array([x, y]) * 3 * self.stage.scale
        return _Scene(first, shift, float(np.radians(1.2 * angle)), near, light)

    # The interface of a frame source.

    def __len__(self) -> int:
        return self.settings.n_frames

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.settings.fps

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.settings.size

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for index in range(len(self)):
            yield self[index]

    def read(self, indexes: Iterable[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield ``(index, frame)`` for each distinct index in rising order."""
        for index in sorted({self._position(i) for i in indexes}):
            yield index, self[index]

    def digest(self) -> str:
        """A hash of what the frames are computed from."""
        state = hashlib.blake2b(self._identity.encode(), digest_size=16)
        state.update(json.dumps(asdict(self.settings), sort_keys=True).encode())
        state.update(f"{self.plan!r} {self._salt}".encode())
        return state.hexdigest()

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        import cv2

        picture = self._film(self._position(index), self.settings.colour)
        return picture if picture.ndim == 3 else np.asarray(cv2.merge([picture] * 3), np.uint8)

    def grey(self, index: int) -> NDArray[np.uint8]:
        """Frame ``index`` in grey, ``(H, W)``; of a recording in colour another sensor's picture of the same moment."""
        return self._film(self._position(index), False)

    def _position(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of a recording of {len(self)} frames (0 to {len(self) - 1})")
        return index + len(self) if index < 0 else index

    # The truth of a frame.

    def intensity(self, event: SyntheticEvent, index: int) -> float:
        """Give how much of an expression is there in a frame, 0 to 1; 1 at the apex."""
        assert event.onset is not None and event.apex is not None and event.offset is not None
        up, down = event.apex - event.onset, event.offset - event.apex - event.hold
        return course_of((float(up), float(event.hold), float(down)), index - event.onset)

    def landmarks(self, index: int) -> NDArray[np.float64]:
        """The 68 points ``(68, 2)`` in pixels of the frame; lids as if open."""
        from fleeting.synthesis.filming import sample_field

        moment = self._moment(self._position(index))
        marks = self.stage.landmarks
        if moment.parts:
            at = (marks + 0.5) / _COARSE - 0.5
            marks = marks + sample_field(self._displacement(moment)[..., :2], at)
        return np.asarray(marks @ moment.matrix[:, :2].T + moment.matrix[:, 2])

    def _moment(self, k: int) -> _Moment:
        s, t = self.settings, k / self.settings.fps
        parts: list[tuple[str, int, float]] = []
        shut, away = 0.0, 0.0
        for first, last, what, i in self._agenda.get(k // self._second, ()):
            if not first <= k <= last:
                continue
            if what == "event":
                parts.append(("event", i, self.intensity(self.plan.events[i], k)))
                continue
            item = self.plan.distractors[i]
            if what == "blink":
                shut = max(shut, _lid_course((k - first) / (last - first)))
            elif what == "speech":
                weights = speech_weights(item.course, k - first) * item.strength
                parts += [("viseme", v, float(w)) for v, w in enumerate(weights)]
            elif what == "turn":
                angle = np.radians(item.strength) * course_of(item.course[:3], k - first)
                parts += [("yaw", 0, float(np.sin(angle))), ("pitch", 0, float(np.sin(angle * item.course[3])))]
            elif what == "absence":
                away = item.strength * course_of(item.course, k - first)
        scene = self._scenes[int(np.searchsorted(self._starts, k, side="right")) - 1]
        sway = self._sway(t) * s.motion + self._tremor(t) * 0.08 * s.motion
        x, y, angle, growth = sway * [self.stage.scale, 0.8 * self.stage.scale, 0.006, 0.004]
        growth = (1 + growth) * scene.growth
        c, si = np.cos(angle + scene.angle) * growth, np.sin(angle + scene.angle) * growth
        turn = np.array([[c, -si], [si, c]])
        centre = self.stage.landmarks.mean(0)
        shift = centre + scene.shift + [x + away * 1.1 * s.size[0], y] - turn @ centre
        lamp = np.sin(2 * np.pi * self._lamp[0] * t + self._lamp[1]) + float(self._glow(t)[0])
        kept = tuple(part for part in parts if abs(part[2]) > 1e-6)
        return _Moment(kept, shut, np.hstack([turn, shift[:, None]]), scene.light * (1 + s.flicker * float(lamp)))

    # Filming.

    def _displacement(self, moment: _Moment) -> NDArray[np.float32]:
        """``(h, w, 3)`` at every second pixel of the stage: displacement x, y in pixels, and brightening by furrows."""
        total = sum((np.float32(w) * self._part(what, i) for what, i, w in moment.parts), np.float32(0))
        return np.asarray(total, np.float32)

    def _part(self, what: str, i: int) -> NDArray[np.float32]:
        """What one part adds at full intensity."""
        key = (what, i)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        if what in ("yaw", "pitch"):
            made = self._rotation(what)
        else:
            units = dict(self.plan.events[i].units if what == "event" else VISEMES[i])
            amplitude = self.plan.events[i].amplitude if what == "event" else 1.0
            made = self._expression(units, amplitude)
        self._cache[key] = made
        while len(self._cache) > 16:
            self._cache.popitem(last=False)
        return made

    def _expression(self, units: dict[str, float], amplitude: float) -> NDArray[np.float32]:
        import cv2

        field = self.stage.field(units)
        field = field * np.float32(amplitude * self.stage.face_width / 128 / np.linalg.norm(field, axis=2).max())
        slope = cv2.Sobel(field[..., 0], cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
        slope += cv2.Sobel(field[..., 1], cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
        furrow = FURROW * cv2.GaussianBlur(slope, (0, 0), 2.5 * self.stage.scale)
        return self._coarse(np.dstack([field, furrow]))

    def _rotation(self, what: str) -> NDArray[np.float32]:
        """Motion of a head that turns out of the plane, for the sine of the angle: its depth, a dome with a nose."""
        marks = self.stage.landmarks
        width, height = self.stage.size
        yy, xx = np.mgrid[0:height, 0:width].astype(np.float64)
        half = np.ptp(marks[:17, 0]) / 2
        low, high = marks[8, 1], marks[17:27, 1].min() - 0.55 * half
        centre = np.array([marks[:17, 0].mean(), (low + high) / 2])
        reach = np.array([1.12 * half, 0.56 * (low - high)])
        r2 = ((xx - centre[0]) / reach[0]) ** 2 + ((yy - centre[1]) / reach[1]) ** 2
        nose = marks[30]
        tip = 0.16 * half * np.exp(-(((xx - nose[0]) / (0.22 * half)) ** 2 + ((yy - nose[1]) / (0.3 * half)) ** 2))
        depth = (0.75 * half * np.clip(1 - r2, 0, None) + tip).astype(np.float32)
        zero = np.zeros_like(depth)
        return self._coarse(np.dstack([depth, zero, zero] if what == "yaw" else [zero, depth, zero]))

    def _coarse(self, field: NDArray[np.float32]) -> NDArray[np.float32]:
        import cv2

        width, height = self.stage.size
        size = (-(-width // _COARSE), -(-height // _COARSE))
        return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_AREA), np.float32)

    @cached_property
    def _step(self) -> NDArray[np.float64]:
        """Pixels between the coarse nodes, along x and y."""
        return np.array([n / -(-n // _COARSE) for n in self.stage.size])

    @cached_property
    def _full(self) -> NDArray[np.float32]:
        """Coordinates of the frame's pixels."""
        width, height = self.stage.size
        return np.stack(np.meshgrid(np.arange(width), np.arange(height)), 2).astype(np.float32)

    @cached_property
    def _grid(self) -> NDArray[np.float32]:
        """Frame coordinates of the coarse nodes."""
        x, y = (np.arange(-(-n // _COARSE)) for n in self.stage.size)
        return ((np.stack(np.meshgrid(x, y), 2) + 0.5) * self._step - 0.5).astype(np.float32)

    @cached_property
    def _pictures(self) -> dict[bool, NDArray[np.uint8]]:
        import cv2

        return {True: self.stage.source, False: np.asarray(cv2.cvtColor(self.stage.source, cv2.COLOR_RGB2GRAY))}

    def _film(self, k: int, colour: bool) -> NDArray[np.uint8]:
        import cv2

        moment = self._moment(k)
        size = self.stage.size
        picture = self._pictures[colour]
        turn = np.linalg.inv(moment.matrix[:, :2])
        back = np.hstack([turn, (-turn @ moment.matrix[:, 2])[:, None]])
        gain, start = self.stage.gain, self.stage.start
        light = moment.light
        bright: NDArray[np.float32] | None = None
        if not moment.parts and moment.shut <= 0.01:
            affine = back * gain[:, None] + np.array([[0, 0, start[0]], [0, 0, start[1]]])
            flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
            value = cv2.warpAffine(picture, affine, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        else:
            affine = back.astype(np.float32)
            whole = cv2.transform(self._full, affine)
            if moment.parts:
                here = cv2.transform(self._grid, affine)
                total = self._displacement(moment)
                field = np.ascontiguousarray(total[..., :2])
                scale = (1 / self._step).astype(np.float32)
                moved = np.zeros_like(here)
                # x + D(x) = here, solved for x by fixed-point iteration; the slope of D is below 1.
                for _ in range(_ROUNDS):
                    node = (here - moved + np.float32(0.5)) * scale - np.float32(0.5)
                    moved = cv2.remap(field, node, None, cv2.INTER_LINEAR)
                bright = cv2.resize(cv2.remap(total[..., 2], node, None, cv2.INTER_LINEAR), size)
                whole -= cv2.resize(moved, size, interpolation=cv2.INTER_LINEAR)
            if moment.shut > 0.01:
                _shut_lids(self.stage, whole, moment.shut)
            where = whole * gain.astype(np.float32) + start.astype(np.float32)
            value = cv2.remap(picture, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        if bright is not None:
            gains = cv2.merge([bright] * 3) if colour else bright
            value = cv2.multiply(value, gains + np.float32(1), scale=light, dtype=cv2.CV_8U)
        elif light != 1.0:
            value = cv2.convertScaleAbs(value, alpha=light)
        if self.settings.noise:
            value = cv2.add(value, self._grain(k, value.shape), dtype=cv2.CV_8U)
        return np.asarray(value, np.uint8)

    def _grain(self, k: int, shape: tuple[int, ...]) -> NDArray[np.int16]:
        """The frame's sensor noise: a stretch of a bank of noise at a place that its number determines."""
        count = int(np.prod(shape))
        bank = _noise_bank(self.settings.noise)
        state = ((k + 1) * _MIX + self._salt) & (2**64 - 1)
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        if count >= _BANK:
            return np.resize(np.roll(bank, state % _BANK), shape)
        first = (state ^ (state >> 31)) % (_BANK - count)
        return bank[first : first + count].reshape(shape)


@cache
def _noise_bank(sigma: float) -> NDArray[np.int16]:
    rng = np.random.default_rng(np.random.SeedSequence(20171))
    return np.asarray(np.rint(rng.standard_normal(_BANK, dtype=np.float32) * np.float32(sigma)), np.int16)


def _lid_course(x: float) -> float:
    """Lids over a blink, ``x`` from 0 to 1: they close in the first third and open more slowly."""
    return float(
        np.sin(np.pi / 2 * min(x / 0.35, 1.0)) ** 2 if x < 0.35 else np.cos(np.pi / 2 * (x - 0.35) / 0.65) ** 2
    )


def _shut_lids(stage: Stage, place: NDArray[np.float32], shut: float) -> None:
    """Stretch the skin of the upper lids down over the eyes, in place; see ``filming._lid_lookup``."""
    upper, lower, weight, skin = stage.lids
    eyes = stage.landmarks[36:48]
    span = float(np.ptp(stage.landmarks[36:42, 0]))
    low, high = eyes[:, 1].min() - 1.5 * span, eyes[:, 1].max() + 1.5 * span
    rows = np.flatnonzero((place[..., 1].max(1) > low) & (place[..., 1].min(1) < high))
    if not len(rows):
        return
    part = place[rows[0] : rows[-1] + 1]
    column = np.clip(np.rint(part[..., 0]), 0, stage.size[0] - 1).astype(np.intp)
    up, low_lid, w = upper[column], lower[column], weight[column]
    edge = up + np.float32(shut) * (low_lid - up) * w
    top = up - np.float32(skin)
    y = part[..., 1]
    covered = (y > top) & (y < edge) & (w > 0)
    stretched = top + (y - top) * np.float32(skin) / np.maximum(edge - top, np.float32(1e-3))
    part[..., 1] = np.where(covered, stretched, y)
