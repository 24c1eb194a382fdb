"""The verb ``preprocess``: clips to sequences, or a look at what becomes of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from fleeting.app.experiment import recipe_from
from fleeting.app.options import FramesPerSecond, JobsOptions, OutputOptions
from fleeting.errors import FleetingError, UsageError

if TYPE_CHECKING:
    from fleeting.app.screen import Screen


def preprocess(
    clip: Path | None = None,
    *,
    data: Annotated[list[str] | None, Parameter(name="--data")] = None,
    show_steps: Path | None = None,
    fps: FramesPerSecond = None,
    recipe: str = "talluri2022",
    cache: Annotated[Path | None, Parameter(name=["--cache", "--out"])] = None,
    work: JobsOptions = JobsOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Turn clips into sequences and keep them, as `evaluate` does by itself; or look at what becomes of one.

    Example: fleeting preprocess --data synthetic:clips
    Example: fleeting preprocess video.mp4 --recipe irawan2023 --show-steps steps.png

    Parameters
    ----------
    clip : pathlib.Path or None, optional
        A video, or a folder of frames, to look at with --show-steps.
    data : list of str or None, optional
        Data sets as KIND:PATH.
    show_steps : pathlib.Path or None, optional
        Draw each stage of the recipe here (png, svg, pdf or jpg): for CLIP, or for the first clip of --data. It shows a
        face.
    fps : float or None, optional
        Frames per second of CLIP, if it is a folder or to overrule the video.
    recipe : str, optional
        NAME[,field=value...], as in talluri2022,frames=26,motion=difference.
    cache : pathlib.Path or None, optional
        Folder to keep the sequences in, to be given to --cache of the other verbs (default: the user's cache folder).
    """
    from fleeting.datasets import load_clips
    from fleeting.sequences import prepare

    screen = output.screen()
    made_by = recipe_from(recipe)
    if (clip is None) == (not data) or (clip is not None and show_steps is None):
        raise UsageError("preprocess takes either --data KIND:PATH, or a video or folder with --show-steps OUT.png")
    if show_steps is not None:
        found = load_clips(data) if data else [clip]
        if not found:
            raise UsageError(f"no clips in {', '.join(data or [])}; expected annotated clips")
        _show_steps(screen, made_by, found[0], show_steps, fps)
        return
    clips = load_clips(data or [])
    with screen.bar() as bars:
        made = prepare(clips, made_by, root=cache, jobs=work.jobs, progress=bars.step("clips"))
    for item in made.skipped:
        screen.warn(f"skipped {item.clip.key}: {item.reason}")
    noted = [(clip.key, info["notes"]) for clip, info in zip(made.clips, made.infos, strict=True) if info["notes"]]
    for key, notes in noted:
        screen.warn(f"{key}: {'; '.join(notes)}")
    screen.show(f"{len(made)} sequences, {len(made.skipped)} clips skipped, in {made.cache.folder}")
    screen.dump(
        {
            "sequences": len(made),
            "folder": str(made.cache.folder),
            "skipped": [{"clip": item.clip.key, "reason": item.reason} for item in made.skipped],
            "notes": dict(noted),
        }
    )
    if not len(made):
        raise FleetingError("no clip could become a sequence; the reasons are above")


def _show_steps(screen: Screen, recipe: Any, shown: Any, out: Path, fps: float | None) -> None:
    from fleeting.clips import Clip, open_clip
    from fleeting.sequences import draw_steps

    clip = shown if isinstance(shown, Clip) else open_clip(shown, fps=fps)
    if not hasattr(recipe, "steps"):
        raise UsageError(f"recipe {recipe.name} cannot show its steps; it has no method steps(clip)")
    name = clip.key if shown is clip else clip.name
    steps = recipe.steps(clip)
    path = draw_steps(steps, out, title=f"{name}: {recipe.title or recipe.name}")
    screen.show(f"Steps: {path}")
    screen.dump({"steps": [step.title for step in steps], "figure": str(path)})
