"""``fleeting flow-folder``: the flow of clips as images and a table, as it circulates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fleeting.app.options import CacheOptions, DataOptions, OutputOptions, whole
from fleeting.errors import FleetingError


def flow_folder(
    out: Path,
    *,
    data: DataOptions,
    method: Literal["dis", "farneback", "tvl1"] = "dis",
    size: Annotated[int, whole(1, 4096)] = 28,
    head: Literal["kept", "removed"] = "kept",
    work: CacheOptions = CacheOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Compute optical flow from onset to apex of each clip, and write images and a table as those of MEGC2019 circulate.

    What it writes is read by --data flow:OUT. Asking again for the same does only what is missing.

    Example: fleeting flow-folder flow --data synthetic:clips

    Parameters
    ----------
    out : pathlib.Path
        Folder to write: a PNG per clip, and flow.csv.
    method : {"dis", "farneback", "tvl1"}, optional
        Optical flow by dis, farneback or tvl1 (needs OpenCV's contributed modules, and takes long).
    size : int, optional
        Width and height of the images, in pixels.
    head : {"kept", "removed"}, optional
        Keep the head's own motion, as in what circulates, or have it removed.
    """
    from fleeting.datasets import load_with_problems, open_dataset
    from fleeting.sequences import create_recipe, write_flow_folder

    screen = output.screen()
    recipe: Any = create_recipe("flow", method=method, size=size, head=head)
    clips, problems = load_with_problems(data.data)
    for problem in problems:
        screen.warn(str(problem))
    with screen.bar() as bars:
        made = write_flow_folder(
            clips,
            out,
            recipe=recipe,
            jobs=work.jobs,
            cache=work.cache,
            progress=bars.step("clips"),
            synthetic=any(open_dataset(spec).synthetic for spec in data.data),
        )
    for item in made.skipped:
        screen.warn(f"skipped {item.clip.key}: {item.reason}")
    counts = ", ".join(f"{name} {label} {count}" for (name, label), count in sorted(made.counts.items()))
    screen.show(f"{made.n_clips} flow images ({counts or 'none'}), {len(made.skipped)} clips skipped, in {made.folder}")
    screen.dump(
        {
            "folder": str(made.folder),
            "table": str(made.table),
            "n_clips": made.n_clips,
            "counts": [{"dataset": d, "label": label, "count": n} for (d, label), n in sorted(made.counts.items())],
            "skipped": [{"clip": item.clip.key, "reason": item.reason} for item in made.skipped],
        }
    )
    if not made.n_clips:
        raise FleetingError("the flow of no clip could be computed; the reasons are above")
