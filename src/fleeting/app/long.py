"""``fleeting synth-long``: long synthetic recordings, for spotting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from fleeting.app.screen import Screen


def synth_long(
    out: Path,
    *,
    subjects: int = 4,
    recordings_per_subject: int = 1,
    seconds: float = 60.0,
    fps: float = 100.0,
    size: tuple[int, int] = (280, 340),
    format: Literal["mp4", "avi", "jpg", "png"] = "mp4",
    seed: int = 0,
    first_subject: int = 0,
    amplitude: tuple[float, float] = (1.0, 3.0),
    motion: float = 1.5,
    micro: float = 8.0,
    macro: float = 2.0,
    blink: float = 12.0,
    speech: float = 1.5,
    turn: float = 2.0,
    absence: float = 0.5,
    cut: float = 0.5,
    noise: float = 1.5,
    jobs: Annotated[int, Parameter(name=["--jobs", "-j"], help="Processes; 0 for one per core.")] = 0,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", help="Print the result only.")] = False,
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
        Recordings of each.
    seconds : float, optional
        Length of a recording.
    fps : float, optional
        Frames a second.
    size : tuple of (int, int), optional
        Width and height in pixels.
    format : {"mp4", "avi", "jpg", "png"}, optional
        Mp4 or avi (lossy and nearly lossless videos), or folders of jpg or png.
    seed : int, optional
        Same seed, same bytes.
    first_subject : int, optional
        Leave out this many identities, for recordings of other people.
    amplitude : tuple of (float, float), optional
        Lowest and highest peak motion of the micro-expressions, in pixels of a 128-pixel face.
    motion : float, optional
        How far the head sways, in pixels of a 280 x 340 frame.
    micro : float, optional
        Micro-expressions a minute.
    macro : float, optional
        Macro-expressions a minute.
    blink : float, optional
        Blinks a minute.
    speech : float, optional
        Bouts of speech a minute.
    turn : float, optional
        Turns of the head a minute.
    absence : float, optional
        Times a minute that the face leaves the frame.
    cut : float, optional
        Cuts a minute.
    noise : float, optional
        Sensor noise in grey levels.
    """
    from fleeting.synthesis import LongSettings, write_recordings

    screen = Screen(quiet, json)
    settings = LongSettings(
        seconds=seconds,
        fps=fps,
        size=size,
        micro=micro,
        macro=macro,
        blink=blink,
        speech=speech,
        turn=turn,
        absence=absence,
        cut=cut,
        amplitude=amplitude,
        motion=motion,
        noise=noise,
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
            jobs=jobs,
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
