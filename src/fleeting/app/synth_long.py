"""``fleeting synth-long``: long synthetic recordings, for spotting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fleeting.app.options import JobsOptions, OutputOptions, Seed, between, whole

# How often something may happen, per minute.
PerMinute = Annotated[float, between(0, 10_000)]


def synth_long(
    out: Path,
    *,
    subjects: Annotated[int, whole(1, 100_000)] = 4,
    recordings_per_subject: Annotated[int, whole(1, 100_000)] = 1,
    seconds: Annotated[float, between(0.001, 1e6)] = 60.0,
    fps: Annotated[float, between(0.001, 1e5)] = 100.0,
    size: Annotated[tuple[int, int], between(1, 16_384)] = (280, 340),
    format: Literal["mp4", "avi", "jpg", "png"] = "mp4",
    seed: Seed = 0,
    first_subject: Annotated[int, whole(0, 1_000_000)] = 0,
    amplitude: tuple[float, float] = (1.0, 3.0),
    motion: Annotated[float, between(0, 1000)] = 1.5,
    micro: PerMinute = 8.0,
    macro: PerMinute = 2.0,
    blink: PerMinute = 12.0,
    speech: PerMinute = 1.5,
    turn: PerMinute = 2.0,
    absence: PerMinute = 0.5,
    cut: PerMinute = 0.5,
    noise: Annotated[float, between(0, 255)] = 1.5,
    work: JobsOptions = JobsOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Write long synthetic recordings with a table of their expressions, exact to the frame.

    Example: fleeting synth-long recordings --subjects 1 --seconds 20

    Parameters
    ----------
    out : pathlib.Path
        Folder to write; asking again for the same recordings completes it.
    subjects : int, optional
        People.
    recordings_per_subject : int, optional
        Recordings per person.
    seconds : float, optional
        Length of a recording.
    fps : float, optional
        Frames per second.
    size : tuple of (int, int), optional
        Width and height in pixels.
    format : {"mp4", "avi", "jpg", "png"}, optional
        Mp4 or avi (lossy and nearly lossless videos), or folders of jpg or png.
    seed : int, optional
        Random seed of the recordings; the same seed gives the same bytes.
    first_subject : int, optional
        Leave out this many identities, for recordings of other people.
    amplitude : tuple of (float, float), optional
        Lowest and highest peak motion of the micro-expressions, in pixels of a 128-pixel face.
    motion : float, optional
        Sway of the head, in pixels of a 280 x 340 frame.
    micro : float, optional
        Micro-expressions per minute.
    macro : float, optional
        Macro-expressions per minute.
    blink : float, optional
        Blinks per minute.
    speech : float, optional
        Bouts of speech per minute.
    turn : float, optional
        Turns of the head per minute.
    absence : float, optional
        Times per minute that the face leaves the frame.
    cut : float, optional
        Cuts per minute.
    noise : float, optional
        Sensor noise in grey levels.
    """
    from fleeting.synthesis import LongSettings, write_recordings

    screen = output.screen()
    often: dict[str, Any] = {"micro": micro, "macro": macro, "blink": blink, "speech": speech}
    often |= {"turn": turn, "absence": absence, "cut": cut}
    settings = LongSettings(
        seconds=seconds, fps=fps, size=size, amplitude=amplitude, motion=motion, noise=noise, **often
    )
    with screen.bar() as bars:
        made = write_recordings(
            out,
            settings,
            subjects=subjects,
            recordings_per_subject=recordings_per_subject,
            seed=seed,
            form=format,
            first_subject=first_subject,
            jobs=work.jobs,
            progress=bars.step("recordings"),
        )
    events = ", ".join(f"{count} {kind}-expressions" for kind, count in made.events.items()) or "no expressions"
    screen.show(f"{made.n_recordings} recordings ({events}), {made.n_frames} frames in {made.path}")
    screen.dump(
        {
            "path": str(made.path),
            "n_recordings": made.n_recordings,
            "n_frames": made.n_frames,
            "events": made.events,
        }
    )
