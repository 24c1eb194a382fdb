"""A synthetic composite of the size and the imbalance of MEGC 2019's, in which people differ more than emotions do.

The composite of the 2019 Facial Micro-Expressions Grand Challenge (See et al. 2019) is licence-gated. Its stand-in has
as many clips of each class and as many subjects in each of its three sets, and *subjects as nuisance*: each has one
face and a :class:`Style`, habits that colour all that this person shows. What a network learns of a person's habits
is worth nothing for the next person, which is what leaving one subject out measures.

It compares methods with each other. A score on it says nothing about real people.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.clips import Clip
from fleeting.datasets.composites import composite_exclusions
from fleeting.errors import UsageError
from fleeting.synthesis.clip import SyntheticClip, make_clip
from fleeting.synthesis.composite_settings import (
    COMPOSITE,
    LEAST_AMPLITUDE,
    LEAST_CLIPS,
    LEAST_SUBJECTS,
    MOST_AMPLITUDE,
    Camera,
    CompositeSettings,
    Part,
    Style,
    draw_drift,
)
from fleeting.synthesis.dealing import deal_counts
from fleeting.synthesis.facs import EMOTIONS, action_units_text
from fleeting.synthesis.identities import list_identities, load_identity
from fleeting.synthesis.layouts import Layout, layout_of
from fleeting.synthesis.timing import Timing, draw_timing

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COMPOSITE", "Camera", "ComposedFrames", "CompositeSettings", "Part", "Style", "composite_clips"]

#: Raised whenever the same settings give other frames than before.
_RENDERING = 1


def composite_clips(
    seed: int = 0, *, scale: float = 1.0, settings: CompositeSettings | None = None, **fields: Any
) -> list[Clip]:
    """The 442 clips of the synthetic composite, ordered by set and subject; nothing is rendered until it is asked for.

    ========  ========  ========  ========  ===============  =====================================
    data set  negative  positive  surprise  clips, subjects  frames
    ========  ========  ========  ========  ===============  =====================================
    smic      70        51        43        164, 16          100 a second, 640 x 480, noisy
    casme2    88        32        25        145, 24          200 a second, 640 x 480
    samm      92        26        15        133, 28          200 a second, 640 x 480, grey
    ========  ========  ========  ========  ===============  =====================================

    Clips carry the labels of their sets (SMIC's ``negative``, CASME II's ``repression``, SAMM's ``Anger``), which the
    label scheme ``megc2019`` maps. Subjects and clips are named as in the sets, their numbers of clips are as uneven,
    and many show one or two classes only. No two of them are one person: 48 have the shipped heads, 20 have variants
    of some of these. Onset, apex and offset are those of a coder: the apex is off by some frames (``apex_error``), more
    so in SMIC. ``clip.frames`` is a :class:`ComposedFrames`, which tells the truth.

    Parameters
    ----------
    seed : int, optional
        0 or more; the same seed gives the same bytes, in any process. Another one gives other styles, other clips and
        other faces to the subjects.
    scale : float, optional
        1 for the true size; less gives fewer clips and subjects, at least two of each set.
    settings : CompositeSettings or None, optional
        Difficulty of the composite.
    fields : object
        Fields of :class:`CompositeSettings` to change, in place of ``settings``.

    Raises
    ------
    UsageError
        If an argument cannot be right.
    """
    if seed < 0 or int(seed) != seed:
        raise UsageError(f"seed {seed}: expected a whole number of 0 or more")
    if not 0 < scale <= 1:
        raise UsageError(f"scale {scale:g}: expected more than 0 and at most 1 (the true size)")
    chosen = _settings(settings, fields)
    parts = {name: _scaled(part, scale) for name, part in COMPOSITE.items()}
    faces = _cast(sum(part.subjects for part in parts.values()), np.random.default_rng([seed, 0]))
    clips: list[Clip] = []
    for name, part in parts.items():
        layout = layout_of(name)
        rng = np.random.default_rng([seed, 1, layout.stream])
        people = _people(layout, part)
        dealt = deal_counts({c: sum(of.values()) for c, of in part.counts.items()}, part.subjects, rng)
        emotions = {label: [e for e, n in of.items() for _ in range(n)] for label, of in part.counts.items()}
        for label, words in emotions.items():
            emotions[label] = [words[i] for i in rng.permutation(len(words))]
        for person, labels in zip(people, dealt, strict=True):
            own = np.random.default_rng([seed, 2, layout.stream, person])
            style = Style.draw(faces.pop(), chosen, own)
            felt = [emotions[label].pop() for label in labels]
            for plan in layout.plan(person, felt, own):
                take = _draw(layout, part, style, plan.emotion, chosen, (seed, 3, layout.stream, person, plan.index))
                times = take.annotated
                clips.append(
                    Clip(
                        dataset=name,
                        subject=plan.subject,
                        name=_allowed(name, plan.subject, plan.name),
                        frames=ComposedFrames(take, style),
                        fps=layout.fps,
                        emotion=layout.label(plan.emotion),
                        action_units=action_units_text(take.intensities) if name != "smic" else "",
                        onset=times.onset,
                        apex=times.apex,
                        offset=times.offset,
                    )
                )
    return clips


def _settings(settings: CompositeSettings | None, fields: Mapping[str, Any]) -> CompositeSettings:
    from pydantic import ValidationError

    if settings is not None and fields:
        raise UsageError(f"settings say it all; leave out {', '.join(fields)}, or give fields alone")
    try:
        chosen = settings or CompositeSettings(**fields)
    except ValidationError as exc:
        first = exc.errors()[0]
        known = ", ".join(CompositeSettings.model_fields)
        raise UsageError(f"composite: {first['loc'][0]}: {first['msg']}; the fields are {known}") from exc
    low, high = chosen.amplitude
    if not 0 < low <= high <= MOST_AMPLITUDE:
        raise UsageError(
            f"amplitude {chosen.amplitude}: expected the lowest, then the highest, in pixels of a 128-pixel face, above 0 "
            f"and at most {MOST_AMPLITUDE:g}"
        )
    return chosen


def _scaled(part: Part, scale: float) -> Part:
    if scale == 1:
        return part
    counts = {
        label: {e: min(n, max(1 if len(of) > 1 else LEAST_CLIPS, round(n * scale))) for e, n in of.items()}
        for label, of in part.counts.items()
    }
    subjects = min(part.subjects, max(LEAST_SUBJECTS, round(part.subjects * scale)))
    return Part(counts, subjects, part.camera, part.apex_error, part.absent)


def _cast(count: int, rng: np.random.Generator) -> list[str]:
    """Faces in random order: shipped heads as long as there are some, then variants."""
    heads = list_identities()
    variants = list_identities(variants=True)[len(heads) :]
    chosen = [heads[i] for i in rng.permutation(len(heads))[:count]]
    chosen += [variants[i] for i in rng.permutation(len(variants))[: count - len(chosen)]]
    return [chosen[i] for i in rng.permutation(len(chosen))]


def _people(layout: Layout, part: Part) -> list[int]:
    """Indexes of the set's subjects that the composite has."""
    return [i for i, subject in enumerate(layout.subjects) if subject not in part.absent][: part.subjects]


def _allowed(dataset: str, subject: str, name: str) -> str:
    """The name, or another where the composite leaves out the real clip of that name."""
    return name.removesuffix("f") if (dataset, subject, name) in composite_exclusions("megc2019") else name


@dataclass(frozen=True)
class _Take:
    """All that :func:`make_clip` needs for one clip, and what a coder says of it."""

    camera: Camera
    emotion: str
    arguments: Mapping[str, Any]
    annotated: Timing

    @property
    def intensities(self) -> Mapping[str, float]:
        found: Mapping[str, float] = self.arguments["action_units"]
        return found


def _draw(
    layout: Layout, part: Part, style: Style, emotion: str, settings: CompositeSettings, seed: tuple[int, ...]
) -> _Take:
    rng = np.random.default_rng(seed)
    intensities = _expression(rng, emotion, style, settings)
    low, high = settings.amplitude
    amplitude = float(np.clip(style.level * rng.uniform(low, high), LEAST_AMPLITUDE, MOST_AMPLITUDE))
    when, length = draw_timing(rng, layout.fps)
    if layout.trimmed:
        when, length = Timing(0, when.apex - when.onset, when.offset - when.onset), when.offset - when.onset + 1
    slip = round(settings.apex_error * part.apex_error * layout.fps * float(rng.standard_normal()))
    apex = int(np.clip(when.apex + slip, when.onset + 1, when.offset - 1))
    # Half of where the head goes is habit, half is chance.
    drift = tuple(float(a + b) for a, b in zip(style.drift, draw_drift(settings.drift, rng), strict=True))
    blink = int(rng.integers(length)) if rng.random() < style.blinks else False
    arguments: dict[str, Any] = {
        "amplitude": amplitude,
        "fps": layout.fps,
        "n_frames": length,
        "size": part.camera.size,
        "seed": (*seed, 1),
        "jitter": min(5.0, style.jitter),
        "flicker": part.camera.flicker,
        "noise": part.camera.noise * settings.noise,
        "blink": blink,
        "timing": when,
        "action_units": intensities,
        "asymmetry": style.asymmetry,
        "drift": drift,
    }
    return _Take(part.camera, emotion, arguments, Timing(when.onset, apex, when.offset))


def _expression(rng: np.random.Generator, emotion: str, style: Style, settings: CompositeSettings) -> dict[str, float]:
    """Action units of a clip: a combination of the emotion, partly; habits; and sometimes something else, too."""
    felt = EMOTIONS[emotion][int(rng.integers(len(EMOTIONS[emotion])))]
    shown = {unit: weight * (1 - settings.partial * float(rng.random())) for unit, weight in felt.items()}
    for unit, weight in style.habits.items():
        # A habit is not equally strong every time.
        shown[unit] = shown.get(unit, 0.0) + weight * float(rng.uniform(0.5, 1.5))
    if rng.random() < settings.blend:
        others = [e for e in EMOTIONS if _class_of(e) != _class_of(emotion)]
        other = EMOTIONS[others[int(rng.integers(len(others)))]]
        share = float(rng.uniform(0.2, 1.0))
        for unit, weight in other[int(rng.integers(len(other)))].items():
            shown[unit] = shown.get(unit, 0.0) + weight * share
    return {unit: min(2.0, round(intensity, 4)) for unit, intensity in shown.items()}


def _class_of(emotion: str) -> str:
    return {"happiness": "positive", "surprise": "surprise"}.get(emotion, "negative")


class ComposedFrames:
    """The frames of a clip of the composite, a frame source that renders those that are asked for.

    Attributes
    ----------
    style : Style
        The subject's.
    emotion : object
        One of :data:`EMOTIONS`, where the clip's label may be ``negative``.
    intensities : object
        Action unit -> intensity of all that is shown: the emotion's, the habits', and what else there is.
    timing : Timing
        True onset, apex and offset.
    """

    def __init__(self, take: _Take, style: Style) -> None:
        self._take, self.style = take, style
        self.emotion, self.intensities = take.emotion, take.intensities
        self.timing: Timing = take.arguments["timing"]

    def __repr__(self) -> str:
        return f"ComposedFrames({self.style.identity!r}, {self._take.emotion!r}, {len(self)} frames)"

    def truth(self, film: Sequence[int] = ()) -> SyntheticClip:
        """The clip with its true motion, field and landmarks; ``film`` says which frames it holds, in colour."""
        return make_clip(self.style.identity, self._take.emotion, **self._take.arguments, film=film)

    def __len__(self) -> int:
        return int(self._take.arguments["n_frames"])

    @property
    def fps(self) -> float:
        """Frames per second."""
        return float(self._take.arguments["fps"])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._take.camera.size

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        (picture,) = self._render([self._position(index)])
        return picture

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for _, picture in self.read(range(len(self))):
            yield picture

    def read(self, indexes: Iterable[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield ``(index, frame)`` for each distinct index in rising order."""
        wanted = sorted({self._position(i) for i in indexes})
        yield from zip(wanted, self._render(wanted), strict=True)

    def digest(self) -> str:
        """A hash of what the frames are computed from."""
        text = f"{_RENDERING} {load_identity(self.style.identity).digest()} {self.style!r} {self._take!r}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _position(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of {self!r}: expected 0 to {len(self) - 1}")
        return index % len(self)

    def _render(self, indexes: Sequence[int]) -> list[NDArray[np.uint8]]:
        pictures = list(self.truth(indexes).frames)
        return [_grey(picture) for picture in pictures] if self._take.camera.grey else pictures


def _grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.merge([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)] * 3), np.uint8)
