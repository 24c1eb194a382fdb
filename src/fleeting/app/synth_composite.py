"""``fleeting synth-composite``: a synthetic composite of MEGC 2019's size, as flow images."""

from __future__ import annotations

from pathlib import Path

from fleeting.app.options import CacheOptions, OutputOptions, Seed


def synth_composite(
    out: Path,
    *,
    seed: Seed = 0,
    scale: float = 1.0,
    work: CacheOptions = CacheOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Write the optical flow of a synthetic composite with the size and the imbalance of MEGC 2019's.

    442 clips of 68 people who do not exist, each with habits of their own, in the folder of images and the table that
    circulate of the real composite; --data flow:OUT reads them. It compares methods, and says nothing about real people.

    Example: fleeting synth-composite composite --scale 0.01

    Parameters
    ----------
    out : pathlib.Path
        Folder to write: a PNG per clip, and flow.csv. Asking again for the same completes it.
    seed : int, optional
        Random seed of the people and clips: the same seed gives the same bytes, another gives other people's habits,
        other clips and other faces.
    scale : float, optional
        Share of the true size, as 0.2.
    """
    from fleeting.sequences import write_flow_folder
    from fleeting.synthesis import composite_clips

    screen = output.screen()
    clips = composite_clips(seed, scale=scale)
    with screen.bar() as bars:
        made = write_flow_folder(
            clips, out, jobs=work.jobs, cache=work.cache, progress=bars.step("clips"), synthetic=True
        )
    for item in made.skipped:
        screen.warn(f"skipped {item.clip.key}: {item.reason}")
    subjects = len({(clip.dataset, clip.subject) for clip in clips})
    counts = ", ".join(f"{name} {label} {count}" for (name, label), count in sorted(made.counts.items()))
    screen.show(f"{made.n_clips} flow images ({counts}) of {subjects} people in {made.folder}")
    screen.show(f"Read them with --data flow:{made.folder}")
    screen.dump(
        {
            "folder": str(made.folder),
            "table": str(made.table),
            "seed": seed,
            "n_clips": made.n_clips,
            "n_subjects": subjects,
            "counts": [{"dataset": d, "label": label, "count": n} for (d, label), n in sorted(made.counts.items())],
            "skipped": [{"clip": item.clip.key, "reason": item.reason} for item in made.skipped],
        }
    )
