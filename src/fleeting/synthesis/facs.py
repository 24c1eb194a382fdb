"""Which action units make which emotion, and which shapes of the mesh make which action unit.

Action units (AU) are those of the Facial Action Coding System (Ekman, Friesen & Hager 2002, *FACS: The Manual*). The
combinations follow EMFACS (Friesen & Ekman 1983) and the prototypes and variants in Ekman, Friesen & Hager 2002,
*Investigator's Guide*, table 10-1: happiness 6+12 or 12, sadness 1+4 or 1+15, surprise 1+2 with 5 or 25/26, fear 1+2+4
with 5 or 20, anger 4+7 or 4+23, disgust 9 or 10 with 4, contempt a unilateral 12 or 14. *Repression* is a category of
CASME II alone (Yan et al. 2014, table 1: AU 15 or 17, alone or together). Micro-expressions are partial, so a
combination may leave out units of the full prototype.

The face units are the ARKit blend shapes of the assets; the pairing is the customary one (AU 12 is ``mouthSmile``, and
so on). Weights are relative: a clip is scaled to its amplitude as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleeting.errors import UsageError, unknown_choice

__all__ = ["ACTION_UNITS", "EMOTIONS", "action_units_text", "emotion_names", "face_units"]


def _pair(unit: str, weight: float = 1.0) -> dict[str, float]:
    return {f"{unit}Left": weight, f"{unit}Right": weight}


#: Action unit -> face units with weights. ``L`` and ``R`` mark one side, as coders write it.
ACTION_UNITS: Mapping[str, Mapping[str, float]] = {
    "1": {"browInnerUp": 1.0},
    "2": _pair("browOuterUp"),
    "4": _pair("browDown"),
    "5": _pair("eyeWide"),
    "6": _pair("cheekSquint"),
    "7": _pair("eyeSquint"),
    "9": _pair("noseSneer"),
    "10": _pair("mouthUpperUp"),
    "12": _pair("mouthSmile"),
    "14": _pair("mouthDimple"),
    "15": _pair("mouthFrown"),
    "17": {"mouthShrugLower": 1.0},
    "20": _pair("mouthStretch"),
    "23": {"mouthRollLower": 0.6, "mouthRollUpper": 0.6},
    "24": _pair("mouthPress"),
    "25": _pair("mouthLowerDown"),
    "26": {"jawOpen": 0.3},
    "L12": {"mouthSmileLeft": 1.0},
    "R12": {"mouthSmileRight": 1.0},
    "L14": {"mouthDimpleLeft": 1.0},
    "R14": {"mouthDimpleRight": 1.0},
}

#: Emotion -> the combinations it can take, each as action unit -> intensity (0 to 1).
EMOTIONS: Mapping[str, Sequence[Mapping[str, float]]] = {
    "happiness": ({"12": 1.0}, {"6": 0.6, "12": 1.0}),
    "disgust": ({"4": 0.6, "9": 1.0}, {"9": 0.6, "10": 1.0}, {"4": 1.0, "7": 0.7, "10": 0.5}),
    "surprise": ({"1": 1.0, "2": 1.0}, {"1": 1.0, "2": 1.0, "5": 0.8}, {"1": 0.8, "2": 0.8, "25": 0.6}),
    "repression": ({"15": 1.0, "17": 0.7}, {"17": 1.0}, {"15": 1.0}),
    "sadness": ({"1": 1.0, "4": 0.5}, {"1": 0.8, "15": 0.8}),
    "fear": ({"1": 1.0, "2": 0.6, "4": 0.6, "20": 0.8}, {"1": 0.7, "2": 0.4, "4": 0.7, "5": 1.0}),
    "anger": ({"4": 1.0, "7": 0.8}, {"4": 1.0, "23": 0.8}),
    "contempt": ({"L14": 1.0}, {"R14": 1.0}, {"R12": 0.7, "R14": 0.6}),
}


def emotion_names() -> list[str]:
    """The eight emotions, in the order of :data:`EMOTIONS`."""
    return list(EMOTIONS)


def combinations(emotion: str) -> Sequence[Mapping[str, float]]:
    """The action-unit combinations of an emotion; an unknown name is a :class:`~fleeting.errors.UsageError`."""
    if emotion not in EMOTIONS:
        raise unknown_choice("emotion", emotion, EMOTIONS)
    return EMOTIONS[emotion]


def face_units(action_units: Mapping[str, float]) -> dict[str, float]:
    """Face units with weights of a combination of action units.

    >>> face_units({"1": 0.5})
    {'browInnerUp': 0.5}
    """
    total: dict[str, float] = {}
    for unit, intensity in action_units.items():
        if unit not in ACTION_UNITS:
            raise unknown_choice("action unit", unit, ACTION_UNITS)
        if not 0 <= intensity <= 2:
            raise UsageError(f"action unit {unit}: an intensity lies between 0 and 2, found {intensity}")
        for shape, weight in ACTION_UNITS[unit].items():
            total[shape] = total.get(shape, 0.0) + weight * intensity
    return total


def action_units_text(action_units: Mapping[str, float]) -> str:
    """A combination as coders write it: numbers in rising order, joined by ``+``.

    >>> action_units_text({"12": 1.0, "6": 0.6})
    '6+12'
    """
    return "+".join(sorted(action_units, key=lambda a: (int(a.lstrip("LR")), a)))
