"""Wishes for a synthetic set, checked before its first file: emotions, lengths, numbers, people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleeting.errors import UsageError, unknown_choice
from fleeting.synthesis.clip import MAXIMUM_AMPLITUDE
from fleeting.synthesis.identities import Identity, list_identities, load_identity
from fleeting.synthesis.layouts import Layout
from fleeting.synthesis.timing import FALL, RISE

__all__ = ["check_numbers", "check_seconds", "choose_people", "wanted_emotions"]

CLIPS_PER_SUBJECT = 6
DEFAULT_EMOTIONS = ("happiness", "disgust", "surprise")


def wanted_emotions(
    form: Layout,
    emotions: Sequence[str] | str | None,
    clips_per_subject: int | None,
    counts: Mapping[str, int] | None,
) -> tuple[tuple[str, ...], int | None]:
    """Find the emotions of a set, and how many clips each subject has; ``None`` if ``counts`` says how many there are."""
    if counts is None:
        return _named(form, emotions), CLIPS_PER_SUBJECT if clips_per_subject is None else clips_per_subject
    if emotions is not None or clips_per_subject is not None:
        raise UsageError("counts say how many clips of which emotion; leave out emotions and clips_per_subject")
    return _counted(form, counts), None


def _named(form: Layout, emotions: Sequence[str] | str | None) -> tuple[str, ...]:
    every = tuple(e for e in form.vocabulary if e != "neutral")
    if emotions is None:
        return DEFAULT_EMOTIONS
    if isinstance(emotions, str):
        if emotions == "all":
            return every
        emotions = [e.strip() for e in emotions.split(",") if e.strip()]
    for emotion in emotions:
        if emotion not in form.vocabulary:
            raise unknown_choice(f"emotion for the {form.name} layout", emotion, form.vocabulary)
    chosen = tuple(dict.fromkeys(emotions))
    if not chosen:
        raise UsageError(f"no emotions given; choose some of {', '.join(every)}, or 'all'")
    return chosen


def _counted(form: Layout, counts: Mapping[str, int]) -> tuple[str, ...]:
    for emotion, count in counts.items():
        if emotion not in form.vocabulary:
            raise unknown_choice(f"emotion for the {form.name} layout", emotion, form.vocabulary)
        if isinstance(count, bool) or int(count) != count or count < 1:
            raise UsageError(f"counts: {count!r} clips of {emotion}; expected a whole number of at least 1")
    if not counts:
        raise UsageError("counts are empty; expected emotion -> clips, for instance {'happiness': 32, 'disgust': 63}")
    return tuple(counts)


def check_seconds(form: Layout, seconds: tuple[float, float] | None, fps: float) -> None:
    """Refuse lengths of clips that no micro-expression fits into."""
    if seconds is None:
        return
    shortest = 3 if form.trimmed else 1 + max(1, round(RISE[1] * fps)) + max(1, round(FALL[1] * fps))
    if len(seconds) != 2 or not 0 < seconds[0] <= seconds[1] <= 60:
        raise UsageError(f"seconds {tuple(seconds)}: expected the shortest, then the longest clip, at most 60 s")
    if round(seconds[0] * fps) < shortest:
        raise UsageError(
            f"seconds {seconds[0]:g}: {round(seconds[0] * fps)} frames at {fps:g} frames per second do not hold a "
            f"micro-expression; expected at least {shortest / fps:.3f}"
        )


def check_numbers(
    subjects: int,
    clips_per_subject: int | None,
    seed: int,
    amplitude: tuple[float, float],
    fps: float,
    suffix: str,
    first_subject: int,
    blinks: float,
    size: tuple[int, int],
) -> None:
    """Refuse numbers that cannot be right."""
    if subjects < 1 or (clips_per_subject is not None and clips_per_subject < 1) or first_subject < 0 or seed < 0:
        raise UsageError(
            "expected at least one subject and one clip a subject, and first_subject and seed of 0 or more; found "
            f"subjects={subjects}, clips_per_subject={clips_per_subject}, first_subject={first_subject}, seed={seed}"
        )
    if len(amplitude) != 2 or not 0 < amplitude[0] <= amplitude[1] <= MAXIMUM_AMPLITUDE:
        raise UsageError(
            f"amplitude {tuple(amplitude)}: expected the lowest, then the highest, in pixels of a 128-pixel face, "
            f"above 0 and at most {MAXIMUM_AMPLITUDE:g}; for instance 1 3"
        )
    if not 0 < fps <= 10_000:
        raise UsageError(f"fps {fps:g}: expected frames per second, above 0 and at most 10000")
    if suffix not in ("jpg", "png", "bmp"):
        raise unknown_choice("image format", suffix, ("jpg", "png", "bmp"))
    if not 0 <= blinks <= 1:
        raise UsageError(f"blinks {blinks}: expected a share of the clips, 0 to 1")
    if len(size) != 2:
        raise UsageError(f"size {tuple(size)}: expected width and height, for instance 280 340")


def choose_people(
    form: Layout, identities: Sequence[Identity | str] | None, first: int, count: int
) -> list[Identity | str]:
    """Find who plays the subjects: names of shipped heads, or people who were given."""
    if form.subjects and first + count > len(form.subjects):
        raise UsageError(
            f"subjects {first} to {first + count - 1}: the {form.name} layout has {len(form.subjects)} subjects "
            f"(0 to {len(form.subjects) - 1}); ask for fewer, or use the plain layout"
        )
    if identities is None:
        names = list_identities(variants=True)
        everyone: list[Identity | str] = [*names[form.first_identity :], *names[: form.first_identity]]
    else:
        everyone = list(identities)
        for name in everyone:
            if isinstance(name, str):
                load_identity(name)
    if first + count > len(everyone):
        kind = "shipped heads and their variants" if identities is None else "given identities"
        raise UsageError(
            f"subjects {first} to {first + count - 1}: there are {len(everyone)} people ({kind}), 0 to "
            f"{len(everyone) - 1}; ask for fewer subjects, or give more portraits"
        )
    return everyone[first : first + count]
