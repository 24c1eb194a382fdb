"""The verb ``synth``: a synthetic data set in the layout of a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fleeting.app.options import Flag, FramesPerSecond, JobsOptions, OutputOptions, Seed, name_list, whole
from fleeting.errors import UsageError


def synth(
    out: Path,
    *,
    layout: Literal["plain", "casme2", "smic", "samm"] = "plain",
    subjects: Annotated[int, whole(1, 100_000)] = 12,
    clips_per_subject: Annotated[int, whole(1, 100_000)] = 6,
    seed: Seed = 0,
    amplitude: tuple[float, float] = (1.0, 3.0),
    fps: FramesPerSecond = None,
    emotions: str | None = None,
    portraits: Path | None = None,
    first_subject: Annotated[int, whole(0, 1_000_000)] = 0,
    look_alike: Flag = False,
    scale: float = 1.0,
    work: JobsOptions = JobsOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Write a synthetic data set with exact ground truth, in the layout of a real one.

    Example: fleeting synth clips --subjects 6

    Parameters
    ----------
    out : pathlib.Path
        Folder to write; asking again for the same set completes it.
    layout : {"plain", "casme2", "smic", "samm"}, optional
        Layout on disk: plain (folders and a CSV), or exactly as casme2, smic or samm lie on disk.
    subjects : int, optional
        People in the set.
    clips_per_subject : int, optional
        Clips per person.
    seed : int, optional
        Random seed of the clips; the same seed gives the same bytes.
    amplitude : tuple of (float, float), optional
        Lowest and highest peak motion, in pixels of a 128-pixel face.
    fps : float or None, optional
        Frames per second (default: those of the layout).
    emotions : str or None, optional
        Comma-separated, or "all" eight (default: happiness, disgust and surprise).
    portraits : pathlib.Path or None, optional
        Folder of your own portraits to use as identities.
    first_subject : int, optional
        Leave out this many identities, for a set of other people.
    look_alike : bool, optional
        With --layout casme2, smic or samm: as many clips, classes, subjects and frames as the real set has.
    scale : float, optional
        Share of a look-alike's true size, as 0.2.
    """
    from fleeting.synthesis import portraits as read_portraits
    from fleeting.synthesis import write_dataset, write_look_alike

    screen = output.screen()
    chosen: Any = emotions if emotions in (None, "all") else list(name_list(str(emotions), "emotions"))
    if look_alike and ((subjects, clips_per_subject, first_subject) != (12, 6, 0) or fps or chosen or portraits):
        raise UsageError(
            "--look-alike has the size, the classes and the frame rate of the real set; with it only --layout, --scale, "
            "--seed, --amplitude and --jobs can be given"
        )
    if not look_alike and scale != 1:
        raise UsageError("--scale is the share of a look-alike's true size; add --look-alike, or give --subjects")
    with screen.bar() as bars:
        common: dict[str, Any] = {"seed": seed, "amplitude": amplitude, "jobs": work.jobs}
        common["progress"] = bars.step("clips")
        if look_alike:
            made = write_look_alike(out, layout, scale=scale, **common)
        else:
            made = write_dataset(
                out,
                layout=layout,
                subjects=subjects,
                clips_per_subject=clips_per_subject,
                fps=fps,
                emotions=chosen,
                identities=None if portraits is None else read_portraits(portraits),
                first_subject=first_subject,
                **common,
            )
    counts = ", ".join(f"{n} {emotion}" for emotion, n in sorted(made.emotions.items()))
    screen.show(f"{made.n_clips} clips ({counts}), {made.n_frames} frames in {made.path}")
    screen.dump(
        {
            "path": str(made.path),
            "layout": made.layout,
            "n_clips": made.n_clips,
            "n_frames": made.n_frames,
            "emotions": dict(made.emotions),
        }
    )
