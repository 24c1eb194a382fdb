"""The three sets of the synthetic composite, the settings of its difficulty, and the style of one subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["COMPOSITE", "Camera", "CompositeSettings", "Part", "Style", "draw_drift"]

LEAST_CLIPS = 2
LEAST_SUBJECTS = 2
# Below it nothing but noise is seen; far above, it is no micro-expression.
LEAST_AMPLITUDE, MOST_AMPLITUDE = 0.3, 5.0
#: Action units that people show out of habit, whatever they feel, with their usual intensities.
HABITS: Sequence[Mapping[str, float]] = (
    {"4": 1.0},
    {"14": 0.8},
    {"L14": 1.0},
    {"R14": 1.0},
    {"17": 0.8},
    {"1": 0.7, "2": 0.7},
    {"2": 0.8},
    {"7": 0.8},
    {"24": 0.8},
    {"R12": 0.6},
    {"L12": 0.6},
    {"15": 0.8},
    {"10": 0.6},
    {"25": 0.6},
)


@dataclass(frozen=True)
class Camera:
    """The camera of a set: width and height, grey or colour, and its noise and flicker (see :func:`make_clip`)."""

    size: tuple[int, int]
    grey: bool
    noise: float
    flicker: float


@dataclass(frozen=True)
class Part:
    """One of the three sets of the composite.

    Attributes
    ----------
    counts : mapping
        Class -> emotion -> clips.
    subjects : int
        People.
    camera : Camera
        Camera that films them.
    apex_error : float
        Error of the annotated apex, as a multiple of that in CASME II.
    absent : tuple of str
        Names of the set's subjects that the composite does not have.
    """

    counts: Mapping[str, Mapping[str, int]]
    subjects: int
    camera: Camera
    apex_error: float
    absent: tuple[str, ...] = ()


#: Data set -> its share in the composite; 442 clips of 68 subjects in all (See et al. 2019, table 1).
COMPOSITE: Mapping[str, Part] = {
    "smic": Part(
        # Nobody has published how many of the negative clips are disgust, sadness and fear.
        {
            "negative": {"disgust": 24, "sadness": 23, "fear": 23},
            "positive": {"happiness": 51},
            "surprise": {"surprise": 43},
        },
        16,
        Camera((640, 480), False, 3.0, 0.010),
        # SMIC has no coded apex: whoever uses it spots one.
        2.0,
    ),
    "casme2": Part(
        {"negative": {"disgust": 61, "repression": 27}, "positive": {"happiness": 32}, "surprise": {"surprise": 25}},
        24,
        Camera((640, 480), False, 1.5, 0.006),
        1.0,
        ("10", "18"),
    ),
    "samm": Part(
        {
            "negative": {"anger": 57, "contempt": 12, "disgust": 9, "fear": 8, "sadness": 6},
            "positive": {"happiness": 26},
            "surprise": {"surprise": 15},
        },
        28,
        Camera((640, 480), True, 1.0, 0.003),
        1.0,
        ("024",),
    ),
}


class CompositeSettings(BaseModel):
    """The difficulty of the composite; each field but the amplitude is one nuisance, and 0 takes it away.

    The defaults were set so that STSTNet scores about what is published for the real composite
    (``benchmarks/composite_difficulty.py`` prints it).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    amplitude: tuple[float, float] = Field(
        (0.6, 2.2), description="lowest and highest peak motion, in pixels of a 128-pixel face, of a person of level 1"
    )
    level: float = Field(0.25, ge=0, le=1, description="spread (sigma of the logarithm) of people's own amplitude")
    asymmetry: float = Field(0.25, ge=0, le=1, description="standard deviation of people's habitual asymmetry")
    habits: float = Field(
        0.5, ge=0, le=2, description="mean intensity of a person's habitual action units, which come with any emotion"
    )
    blend: float = Field(0.15, ge=0, le=1, description="share of clips that show some of another class's emotion, too")
    partial: float = Field(0.3, ge=0, le=1, description="how much of an action unit of the emotion can be missing")
    apex_error: float = Field(
        0.02, ge=0, le=0.2, description="standard deviation, in seconds, of the annotated apex about the true one"
    )
    jitter: float = Field(0.5, ge=0, le=5, description="head jitter in pixels of a 280 x 340 frame, mean over people")
    drift: float = Field(
        6.0,
        ge=0,
        le=100,
        description="steady head motion, in pixels of a 280 x 340 frame per second, by habit and clip",
    )
    blinks: float = Field(0.1, ge=0, le=1, description="share of clips with a blink, mean over people")
    noise: float = Field(1.0, ge=0, le=5, description="factor on the noise of the three cameras")


@dataclass(frozen=True)
class Style:
    """A subject: one face, and what it does whatever it feels.

    Attributes
    ----------
    identity : str
        Name of the face.
    level : float
        Factor on the amplitude of all that this person shows.
    asymmetry : float
        See :func:`make_clip`.
    habits : mapping
        Action unit -> intensity relative to the emotion's own, on average over this person's clips.
    jitter : float
        Restlessness of the head, in pixels of a 280 x 340 frame.
    drift : tuple of (float, float, float, float)
        Usual motion of the head per second; see :func:`make_clip`.
    blinks : float
        Share of this person's clips with a blink.
    """

    identity: str
    level: float
    asymmetry: float
    habits: Mapping[str, float]
    jitter: float
    drift: tuple[float, float, float, float]
    blinks: float

    @classmethod
    def draw(cls, identity: str, settings: CompositeSettings, rng: np.random.Generator) -> Style:
        """A person's style by chance."""
        habits: dict[str, float] = {}
        for chosen in rng.permutation(len(HABITS))[: 1 + int(rng.random() < 0.5)]:
            strength = settings.habits * float(rng.gamma(4.0, 0.25))
            for unit, weight in HABITS[int(chosen)].items():
                habits[unit] = min(1.6, habits.get(unit, 0.0) + weight * strength)
        return cls(
            identity=identity,
            level=float(np.exp(settings.level * rng.standard_normal())),
            asymmetry=float(np.clip(settings.asymmetry * rng.standard_normal(), -0.8, 0.8)),
            habits={unit: intensity for unit, intensity in habits.items() if intensity > 0},
            jitter=settings.jitter * float(rng.gamma(4.0, 0.25)),
            drift=draw_drift(settings.drift, rng),
            blinks=min(1.0, settings.blinks * float(rng.gamma(1.0))),
        )


def draw_drift(strength: float, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Draw a steady motion of the head per second: right, down, rotation, growth."""
    x, y, angle, growth = (float(v) for v in rng.standard_normal(4) * strength)
    # As in the jitter: rotation and growth go with the shift.
    return x, y, 0.008 * angle, 0.004 * growth
