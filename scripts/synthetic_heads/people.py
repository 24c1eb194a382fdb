"""The cast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

Array = np.ndarray[Any, Any]

SEED = 20221107
N_HEADS = 48


@dataclass(frozen=True)
class Person:
    """What makes one head differ from the next."""

    name: str
    seed: int
    sex: float  # 0 female to 1 male
    age: float  # years
    ancestry: tuple[float, float, float]  # african, asian, caucasian
    tone: int  # 1 light to 10 dark
    light: str
    hair: str
    hair_colour: str
    beard: float
    iris: str
    backdrop: tuple[float, float, float]
    shirt: tuple[float, float, float]


TONES = [  # sRGB of skin in even light, light to dark
    (236, 196, 172), (230, 186, 158), (222, 174, 142), (211, 160, 126), (197, 143, 108),
    (178, 124, 90), (155, 104, 74), (130, 85, 61), (106, 68, 50), (84, 55, 42),
]  # fmt: skip
LIGHTS = {  # key direction (right, up, front), key colour, key strength, ambient strength
    "front": ((0.15, 0.45, 0.9), (1.0, 0.97, 0.93), 0.80, 0.40),
    "left": ((-0.75, 0.4, 0.62), (1.0, 0.96, 0.9), 0.94, 0.33),
    "right": ((0.75, 0.4, 0.62), (1.0, 0.96, 0.9), 0.94, 0.33),
    "top": ((0.1, 0.85, 0.6), (0.98, 0.98, 1.0), 0.9, 0.40),
    "warm": ((-0.45, 0.35, 0.8), (1.0, 0.88, 0.74), 0.92, 0.36),
    "cool": ((0.45, 0.4, 0.8), (0.9, 0.96, 1.06), 0.88, 0.40),
}
HAIR_COLOURS = {
    "black": (26, 22, 21), "dark brown": (48, 33, 25), "brown": (80, 54, 36), "auburn": (104, 54, 32),
    "blond": (152, 114, 70), "grey": (118, 114, 110), "white": (164, 160, 154),
}  # fmt: skip
IRISES = {
    "brown": (92, 56, 30), "dark brown": (58, 36, 24), "hazel": (120, 92, 48), "green": (98, 116, 78),
    "blue": (104, 138, 168), "grey": (124, 134, 142),
}  # fmt: skip


def linear(colour: Any) -> Array:
    """Linear light from sRGB 0 to 255."""
    return np.asarray((np.asarray(colour, np.float32) / 255) ** 2.2, np.float32)


def people(n: int = N_HEADS, seed: int = SEED) -> list[Person]:
    """The cast: sex, age, ancestry and tone are spread evenly, the rest is drawn."""
    cast = []
    for i in range(n):
        rng = np.random.default_rng(np.random.SeedSequence((seed, i)))
        group = i % 3
        mix = rng.dirichlet(np.where(np.arange(3) == group, 6.0, 0.45))
        low, high = ((5, 10), (2, 7), (1, 5))[group]
        tone = int(low + (i // 3) % (high - low + 1))
        age = float((19, 34, 27, 58, 23, 45, 71, 30)[(i // 2) % 8] + rng.uniform(-2, 6))
        sex = float(np.clip((0.06 if i % 2 else 0.94) + rng.normal(0, 0.06), 0, 1))
        male = sex > 0.5
        dark = tone >= 5 or group == 1
        colour = str(rng.choice(["black", "black", "dark brown"] if dark else list(HAIR_COLOURS)[1:5]))
        if age > 62 or (age > 50 and rng.random() < 0.5):
            colour = str(rng.choice(["grey", "white"]))
        styles = (
            ("short", "short", "crop", "receding", "bald", "swept")
            if male
            else ("long", "bob", "tied", "long", "bob", "swept")
        )
        hair = str(styles[int(rng.integers(len(styles)))])
        if hair in ("receding", "bald") and age < 28:
            hair = "crop"
        beard = float(rng.choice([0, 0.25, 0.5, 1.0], p=[0.35, 0.3, 0.2, 0.15])) if male else 0.0
        iris = str(rng.choice(["brown", "dark brown"] if dark else ["brown", "hazel", "green", "blue", "grey"]))
        hue = rng.uniform(0, 360)
        backdrop = cv2.cvtColor(
            np.array([[[hue, rng.uniform(0.03, 0.2), rng.uniform(0.35, 0.85)]]], np.float32), cv2.COLOR_HSV2RGB
        )[0, 0]
        shirt = cv2.cvtColor(
            np.array([[[rng.uniform(0, 360), rng.uniform(0.1, 0.6), rng.uniform(0.15, 0.85)]]], np.float32),
            cv2.COLOR_HSV2RGB,
        )[0, 0]
        light = list(LIGHTS)[i % len(LIGHTS) if i % 5 else int(rng.integers(len(LIGHTS)))]
        cast.append(
            Person(
                name=f"{i + 1:02d}",
                seed=i,
                sex=sex,
                age=age,
                ancestry=(float(mix[0]), float(mix[1]), float(mix[2])),
                tone=tone,
                light=light,
                hair=hair,
                hair_colour=colour,
                beard=beard,
                iris=iris,
                backdrop=(float(backdrop[0]), float(backdrop[1]), float(backdrop[2])),
                shirt=(float(shirt[0]), float(shirt[1]), float(shirt[2])),
            )
        )
    return cast
