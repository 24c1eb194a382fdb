"""The verbs ``spot`` and ``benchmark-spotting``: where the apex is, and how well it is found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from fleeting.app.screen import Screen
from fleeting.app.specs import parse_spec
from fleeting.errors import FleetingError

AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON.")]
Quiet = Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", help="Print the result only.")]
Jobs = Annotated[int, Parameter(name=["--jobs", "-j"], help="Processes; 0 for one per core.")]

# Below this the flow of a still face under sensor noise cannot be told from motion (pixels of a 128-pixel face).
STILL = 0.25
# Longer than this is hardly one expression.
LONGEST_SECONDS = 10.0


def spot(
    clip: Path,
    *,
    method: str = "motion",
    scores: Path | None = None,
    figure: Path | None = None,
    fps: float | None = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Find the apex of one expression in a short video of one face, or a folder of frames.

    Every frame is compared with the first in which the face is found.

    Example: fleeting spot video.mp4 --figure course.png

    Parameters
    ----------
    clip : pathlib.Path
        Video file, or folder of frames.
    method : str, optional
        NAME[,option=value...]: motion (ours), liong2015, yan2018, ma2017, or one of your own; `fleeting
        benchmark-spotting` compares them.
    scores : pathlib.Path or None, optional
        Write each frame's score here (CSV: frame, seconds, score).
    figure : pathlib.Path or None, optional
        Draw the scores over time here (png, svg, pdf or jpg).
    fps : float or None, optional
        Frames a second, for a folder or to overrule the video.
    """
    from dataclasses import replace

    import pandas as pd

    from fleeting.analysis.stretch import face_stretches
    from fleeting.clips import open_clip
    from fleeting.faces import find_reference
    from fleeting.files import figure_path, write_csv
    from fleeting.spotting import spot_clip, spotter_info
    from fleeting.spotting.figure import draw_spot

    screen = Screen(quiet, json)
    name, options = parse_spec(method)
    info = spotter_info(name)
    if figure is not None:
        figure_path(figure)
    opened = open_clip(clip, fps=fps)
    total = len(opened.frames)
    stretch = max(face_stretches(opened.frames, opened.fps, name=clip), key=len)
    stop = min(stretch.stop, total)
    reference = find_reference(opened.frames, stretch.start, name=clip)
    start = reference.index if stretch.start <= reference.index < stop else stretch.start
    found = spot_clip(
        replace(opened, onset=None, apex=None, offset=None),
        reference.landmarks,
        start=start,
        stop=stop,
        method=name,
        **options,
    )
    told = []
    if stop - start < total:
        told.append(f"the face was found in frames {start} to {stop - 1} of {total}; the rest was left out")
    missing = stop - start - len(found.indexes)
    if missing:
        told.append(f"{missing} frames could not be read and were passed over")
    if opened.fps is None:
        told.append("the frame rate is unknown, so no times are given; pass --fps")
    elif (stop - start) / opened.fps > LONGEST_SECONDS:
        told.append(
            f"{(stop - start) / opened.fps:.0f} seconds are more than one expression: only the largest motion is found"
        )
    in_pixels = name == "motion" and options.get("by", "flow") == "flow"
    if in_pixels and found.strength < STILL:
        told.append(f"the face hardly moves ({found.strength:.2f} px of a 128-px face): the apex means little")
    for sentence in told:
        screen.warn(sentence)
    table = pd.DataFrame({"frame": found.indexes, "seconds": None, "score": found.scores.round(6)})
    if opened.fps is not None:
        table["seconds"] = (found.indexes / opened.fps).round(6)
    written = None if scores is None else write_csv(scores, table)
    unit = "motion, px" if in_pixels else "score"
    drawn = None
    if figure is not None:
        drawn = draw_spot(found, figure, fps=opened.fps, title=f"{clip.name}: {method}", unit=unit)
    seconds = None if opened.fps is None else found.apex / opened.fps
    when = "" if seconds is None else f", {seconds:.3f} s"
    strength = f"; motion {found.strength:.2f} px of a 128-px face" if in_pixels else ""
    screen.show(f"Apex: frame {found.apex} of {total}{when}{strength} ({method})")
    if written is not None:
        screen.show(f"Scores: {written}")
    if drawn is not None:
        screen.show(f"Figure: {drawn}")
    screen.dump(
        {
            "clip": str(clip),
            "method": method,
            "paper": info.paper,
            "apex_frame": found.apex,
            "apex_seconds": None if seconds is None else round(seconds, 4),
            "onset_frame": found.onset,
            "frames": [int(found.indexes[0]), int(found.indexes[-1])],
            "n_frames": total,
            "fps": opened.fps,
            "strength": round(found.strength, 4),
            "scores": None if written is None else str(written),
            "figure": None if drawn is None else str(drawn),
            "warnings": told,
        }
    )


def benchmark_spotting(
    data: list[str],
    /,
    *,
    methods: Annotated[
        list[str] | None, Parameter(negative="", consume_multiple=True, help="NAME[,option=value...]; several.")
    ] = None,
    within: Literal["clip", "expression"] = "clip",
    out: Path | None = None,
    jobs: Jobs = 0,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure how far spotted apexes are from annotated ones, method by method.

    Clips without an annotated apex, without a face, or that cannot be read are skipped, counted and named.

    Example: fleeting benchmark-spotting synthetic:clips

    Parameters
    ----------
    data : list of str
        Data sets as KIND:PATH, such as casme2:/data/CASME2 samm:/data/SAMM.
    methods : list of str or None, optional
        Apex spotters as NAME[,option=value...], several (default: all, and motion by flow and strain together).
    within : {"clip", "expression"}, optional
        Search the whole clip, or the frames from the annotated onset to the offset.
    out : pathlib.Path or None, optional
        Folder for errors.csv, a row per clip and method, and summary.csv.
    """
    from fleeting.datasets import load_clips
    from fleeting.files import write_csv
    from fleeting.spotting import benchmark_spotters, list_spotters, published_errors

    screen = Screen(quiet, json)
    ours = ["motion", "motion,by=both"]
    specs = [*ours, *(name for name in list_spotters() if name not in ours)] if methods is None else methods
    clips = load_clips(data)
    with screen.bar() as bars:
        found = benchmark_spotters(
            clips, [parse_spec(spec) for spec in specs], within=within, jobs=jobs, progress=bars.step("clips")
        )
    for what, reason in found.skipped:
        screen.warn(f"skipped {what}: {reason}")
    summary = found.summary()
    if summary.empty:
        raise FleetingError(f"no apex could be spotted in the {len(clips)} clips; the reasons are above")
    width = max(len(method) for method in summary["method"])
    for dataset, part in summary.groupby("dataset", sort=False):
        searched = found.table[found.table["dataset"] == dataset].drop_duplicates(["subject", "clip"])["n_frames"]
        screen.show(f"{dataset}: {len(searched)} clips of {searched.mean():.0f} frames on average")
        screen.show(f"  {'':<{width}}  mean error, frames  median  90th perc.  mean, share of the clip")
        for row in part.to_dict("records"):
            spread = "" if row["se"] != row["se"] else f" ± {row['se']:.2f}"
            screen.show(
                f"  {row['method']:<{width}}  {row['mae']:>8.2f}{spread:<10}  {row['median']:>6.1f}  {row['p90']:>10.1f}  "
                f"{row['mae_share']:>8.1%}"
            )
        for line in published_errors():
            if dataset in line["datasets"].split("+"):
                screen.show(
                    f"  published: {line['mae_frames']} frames, {line['method']} ({line['source']}); {line['note']}"
                )
    if found.skipped:
        screen.show(f"{len(found.skipped)} skipped; they are named above")
    written: dict[str, Any] = {}
    if out is not None:
        skipped = [{"what": what, "reason": reason} for what, reason in found.skipped]
        written = {"errors": str(write_csv(out / "errors.csv", found.table))}
        written["summary"] = str(write_csv(out / "summary.csv", summary.round(6)))
        if skipped:
            import pandas as pd

            written["skipped"] = str(write_csv(out / "skipped.csv", pd.DataFrame(skipped)))
        screen.show(f"Written: {', '.join(written.values())}")
    records = [{k: None if v != v else v for k, v in row.items()} for row in summary.round(6).to_dict("records")]
    screen.dump(
        {
            "summary": records,
            "skipped": [{"what": what, "reason": reason} for what, reason in found.skipped],
            "published": [
                line for line in published_errors() if set(line["datasets"].split("+")) & set(summary["dataset"])
            ],
            **written,
        }
    )
