"""The plan of what happens when in a long synthetic recording: expressions, and what must not be taken for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fleeting.clips import LONGEST_MICRO, Event
from fleeting.errors import UsageError
from fleeting.synthesis.facs import EMOTIONS, action_units_text, combinations, face_units

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Distractor", "LongSettings", "Plan", "SyntheticEvent", "draw_plan"]

# Seconds. A micro-expression stays below the half second that defines it, a macro-expression above.
MICRO_RISE, MICRO_FALL = (0.07, 0.20), (0.10, 0.27)
MACRO_RISE, MACRO_HOLD, MACRO_FALL = (0.25, 0.8), (0.2, 1.5), (0.3, 1.0)
SPEECH = (1.5, 5.0)
SYLLABLE = (0.11, 0.26)
TURN_MOVE, TURN_HOLD = (0.35, 1.0), (0.3, 2.5)
TURN_DEGREES = (3.0, 10.0)
ABSENCE_MOVE, ABSENCE_HOLD = (0.5, 0.9), (0.8, 3.0)
GAP = 0.35  # between two items that share the face
EDGE = 0.6  # at both ends of the recording
#: Face units of speech: combinations between which the mouth moves.
VISEMES: tuple[Mapping[str, float], ...] = (
    {"jawOpen": 1.0, "mouthLowerDownLeft": 0.4, "mouthLowerDownRight": 0.4},
    {"mouthPucker": 1.0, "mouthFunnel": 0.5},
    {"mouthStretchLeft": 0.8, "mouthStretchRight": 0.8},
    {"mouthPressLeft": 0.7, "mouthPressRight": 0.7},
)
MOST = 600.0


@dataclass(frozen=True)
class LongSettings:
    """The character of a long recording. Rates are events per minute.

    Parameters
    ----------
    seconds : float, optional
        Length.
    fps : float, optional
        Frames per second.
    size : tuple of (int, int), optional
        Width and height of the frames.
    micro, macro : float, optional
        Expressions.
    blink, speech, turn, absence, cut : float, optional
        Distractors: blinks, bouts of speech, turns of the head out of the picture's plane, times when the face leaves
        the frame, and cuts to another take.
    amplitude : tuple of (float, float), optional
        Lowest and highest peak motion of the micro-expressions, in pixels of a 128-pixel face.
    macro_amplitude : tuple of (float, float), optional
        The same of the macro-expressions.
    speech_amplitude : tuple of (float, float), optional
        The same of the mouth in speech.
    motion : float, optional
        Sway of the head, in pixels of a 280 x 340 frame (standard deviation); rotation and growth go with it.
    flicker : float, optional
        Relative standard deviation of the illumination.
    noise : float, optional
        Standard deviation of the sensor noise in grey levels.
    emotions : tuple of str, optional
        Emotions of the expressions.
    colour : bool, optional
        Coloured frames; grey ones, as of most high-speed cameras, are made in half the time.
    """

    seconds: float = 60.0
    fps: float = 100.0
    size: tuple[int, int] = (280, 340)
    micro: float = 8.0
    macro: float = 2.0
    blink: float = 12.0
    speech: float = 1.5
    turn: float = 2.0
    absence: float = 0.5
    cut: float = 0.5
    amplitude: tuple[float, float] = (1.0, 3.0)
    macro_amplitude: tuple[float, float] = (2.0, 6.0)
    speech_amplitude: tuple[float, float] = (2.0, 5.0)
    motion: float = 1.5
    flicker: float = 0.006
    noise: float = 1.5
    emotions: tuple[str, ...] = ("happiness", "disgust", "surprise")
    colour: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 10_000 or not 0 < self.seconds <= 86_400 or round(self.seconds * self.fps) < 1:
            raise UsageError(
                f"a recording of {self.seconds} s at {self.fps} frames per second: expected a rate of up to 10000 and "
                "a length of up to a day, at least one frame"
            )
        for name in ("micro", "macro", "blink", "speech", "turn", "absence", "cut"):
            if not 0 <= getattr(self, name) <= MOST:
                raise UsageError(f"{name} {getattr(self, name)}: expected events per minute, 0 to {MOST:g}")
        for name, most in (("amplitude", 6.0), ("macro_amplitude", 10.0), ("speech_amplitude", 10.0)):
            low, high = getattr(self, name)
            if not 0 < low <= high <= most:
                raise UsageError(
                    f"{name} {low:g} to {high:g}: expected the lowest, then the highest, in pixels of a 128-pixel face, "
                    f"above 0 and at most {most:g}"
                )
        for name, limit in (("motion", 20.0), ("flicker", 0.5), ("noise", 50.0)):
            if not 0 <= getattr(self, name) <= limit:
                raise UsageError(f"{name} {getattr(self, name)}: expected 0 (off) to {limit:g}")
        if not self.emotions:
            raise UsageError(f"no emotions; expected some of {', '.join(EMOTIONS)}")
        for emotion in self.emotions:
            combinations(emotion)

    @property
    def n_frames(self) -> int:
        """Frames of the recording."""
        return round(self.seconds * self.fps)


@dataclass(frozen=True)
class SyntheticEvent(Event):
    """An event with what the generator alone knows.

    Attributes
    ----------
    amplitude : float
        Largest displacement of any point at the apex, in pixels of a 128-pixel face.
    units : tuple of tuple of (str, float)
        Face units with weights.
    hold : int
        Frames that the face stays at the apex.
    """

    amplitude: float = 0.0
    units: tuple[tuple[str, float], ...] = ()
    hold: int = 0


@dataclass(frozen=True)
class Distractor:
    """Something that is no expression, in frames ``first`` to ``last``, both included.

    Attributes
    ----------
    what : str
        ``blink``, ``speech``, ``turn``, ``absence`` or ``cut`` (then ``first`` is the first frame of the new take).
    strength : float
        Pixels of a 128-pixel face (speech), degrees (turn, signed), direction (absence, -1 or 1); 0 otherwise.
    course : tuple of float
        Further numbers that it takes to film it.
    """

    what: str
    first: int
    last: int
    strength: float = 0.0
    course: tuple[float, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The script of a recording.

    Attributes
    ----------
    events : tuple of SyntheticEvent
        Micro- and macro-expressions in order of time. They overlap neither each other nor speech, absences or cuts, but
        blinks and turns of the head as chance has it.
    distractors : tuple of Distractor
        In order of time.
    """

    events: tuple[SyntheticEvent, ...]
    distractors: tuple[Distractor, ...]

    def of(self, what: str) -> tuple[Distractor, ...]:
        """The distractors of one kind."""
        return tuple(item for item in self.distractors if item.what == what)


@dataclass
class _Item:
    what: str
    parts: tuple[int, ...]  # frames of each of its phases
    start: int = 0

    @property
    def length(self) -> int:
        return sum(self.parts)


def draw_plan(rng: np.random.Generator, settings: LongSettings) -> Plan:
    """Draw what happens when.

    Raises
    ------
    UsageError
        If more is asked for than fits in the recording.
    """
    s, fps, n = settings, settings.fps, settings.n_frames

    def count(rate: float) -> int:
        return int(rate * s.seconds / 60 + rng.random())

    def frames(*spans: tuple[float, float]) -> tuple[int, ...]:
        return tuple(max(1, round(float(rng.uniform(*span)) * fps)) for span in spans)

    items = [_Item("micro", _shortened(frames(MICRO_RISE, MICRO_FALL), fps)) for _ in range(count(s.micro))]
    items += [
        _Item("macro", _lengthened(frames(MACRO_RISE, MACRO_HOLD, MACRO_FALL), fps)) for _ in range(count(s.macro))
    ]
    items += [_Item("speech", frames(SPEECH)) for _ in range(count(s.speech))]
    items += [_Item("absence", frames(ABSENCE_MOVE, ABSENCE_HOLD, ABSENCE_MOVE)) for _ in range(count(s.absence))]
    items += [_Item("cut", (1,)) for _ in range(count(s.cut))]
    items = [items[i] for i in rng.permutation(len(items))]
    gap, edge = max(1, round(GAP * fps)), max(1, round(EDGE * fps))
    room = n - 2 * edge - sum(item.length + gap for item in items)
    if items and room < 0:
        raise UsageError(
            f"{len(items)} expressions and distractors need {(n - room) / fps:.1f} s, the recording has {s.seconds:g} s; "
            "ask for fewer a minute"
        )
    slack = np.sort(rng.integers(0, max(room, 0) + 1, len(items)))
    at = edge
    for item, extra in zip(items, slack):
        item.start = at + int(extra)
        at += item.length + gap
    events: list[SyntheticEvent] = []
    others: list[Distractor] = []
    for item in items:
        if item.what in ("micro", "macro"):
            events.append(_event(rng, s, item))
        elif item.what == "speech":
            others.append(_speech(rng, s, item))
        else:
            last = item.start + (0 if item.what == "cut" else item.length)
            way = float(rng.choice([-1, 1])) if item.what == "absence" else 0.0
            others.append(Distractor(item.what, item.start, last, way, tuple(map(float, item.parts))))
    away = [(d.first, d.last) for d in others if d.what == "absence"]
    for _ in range(count(s.blink)):
        length = max(2, round(float(rng.uniform(0.2, 0.35)) * fps))
        others += _anywhere(rng, n, length, away, Distractor("blink", 0, length))
    for _ in range(count(s.turn)):
        parts = frames(TURN_MOVE, TURN_HOLD, TURN_MOVE)
        degrees = float(rng.uniform(*TURN_DEGREES)) * float(rng.choice([-1, 1]))
        course = (*map(float, parts), float(rng.uniform(-0.5, 0.5)))
        others += _anywhere(rng, n, sum(parts), away, Distractor("turn", 0, sum(parts), degrees, course))
    others.sort(key=lambda d: (d.first, d.what))
    return Plan(tuple(events), tuple(others))


def _shortened(parts: tuple[int, ...], fps: float) -> tuple[int, ...]:
    """At low rates rounding must not make a macro-expression of it."""
    most = int(LONGEST_MICRO * fps)
    up, down = parts
    return (max(1, min(up, most - down)), down) if down < most else (1, max(1, most - 1))


def _lengthened(parts: tuple[int, ...], fps: float) -> tuple[int, ...]:
    up, hold, down = parts
    return up, hold + max(0, int(LONGEST_MICRO * fps) + 2 - up - hold - down), down


def _event(rng: np.random.Generator, s: LongSettings, item: _Item) -> SyntheticEvent:
    emotion = s.emotions[int(rng.integers(len(s.emotions)))]
    options = combinations(emotion)
    intensities = options[int(rng.integers(len(options)))]
    # No face moves quite evenly.
    units = tuple((unit, w * float(rng.uniform(0.8, 1.2))) for unit, w in face_units(intensities).items())
    span = s.amplitude if item.what == "micro" else s.macro_amplitude
    apex = item.start + item.parts[0]
    hold = item.parts[1] if item.what == "macro" else 0
    return SyntheticEvent(
        onset=item.start,
        apex=apex,
        offset=item.start + item.length,
        kind=item.what,
        emotion=emotion,
        action_units=action_units_text(intensities),
        amplitude=float(rng.uniform(*span)),
        units=units,
        hold=hold,
    )


def _speech(rng: np.random.Generator, s: LongSettings, item: _Item) -> Distractor:
    """Syllables: at each the mouth is on its way to another mixture of visemes; pauses between words."""
    course: list[float] = []
    at = 0
    while at < item.length:
        step = max(1, round(float(rng.uniform(*SYLLABLE)) * s.fps))
        weights = rng.dirichlet([0.6] * len(VISEMES)) * rng.uniform(0.3, 1.0) * (rng.random() > 0.12)
        at += step
        course += [float(min(at, item.length)), *map(float, weights)]
    strength = float(rng.uniform(*s.speech_amplitude))
    return Distractor("speech", item.start, item.start + item.length, strength, tuple(course))


def _anywhere(
    rng: np.random.Generator, n: int, length: int, away: list[tuple[int, int]], what: Distractor
) -> list[Distractor]:
    """A distractor at a random time at which the face is there; none if there is no such time."""
    for _ in range(20):
        if n - length < 2:
            break
        first = int(rng.integers(1, n - length))
        if all(first > last or first + length < begin for begin, last in away):
            return [Distractor(what.what, first, first + length, what.strength, what.course)]
    return []


def course_of(parts: tuple[float, ...], t: float) -> float:
    """Rise, hold and fall (each so many frames long) at ``t`` frames after the beginning: 0 to 1, minimum jerk."""
    up, hold, down = parts
    x = min(max(min(t / up, (up + hold + down - t) / down), 0.0), 1.0)
    return x**3 * (10 - 15 * x + 6 * x * x)


def speech_weights(course: tuple[float, ...], t: float) -> NDArray[np.float64]:
    """Weights of the visemes ``t`` frames after a bout's beginning."""
    table = np.asarray(course).reshape(-1, 1 + len(VISEMES))
    k = int(np.searchsorted(table[:, 0], t, side="right"))
    if k >= len(table):
        return np.zeros(len(VISEMES))
    begin = table[k - 1, 0] if k else 0.0
    start = table[k - 1, 1:] if k else np.zeros(len(VISEMES))
    goal = table[k, 1:] if k < len(table) - 1 else np.zeros(len(VISEMES))
    x = (t - begin) / (table[k, 0] - begin)
    return np.asarray(start + (goal - start) * (x**3 * (10 - 15 * x + 6 * x * x)))
