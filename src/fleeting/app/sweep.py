"""The verb ``sweep``: one experiment over a grid."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from fleeting.app.experiment import experiment_from, observer_on, render_pages
from fleeting.app.options import CacheOptions, DataOptions, DeviceOptions, Epochs, OutputOptions, Seed, name_list
from fleeting.app.screen import Screen
from fleeting.app.specs import parse_grid
from fleeting.errors import UsageError

# Columns that are shares; fields keep all their digits.
FIGURES = ("accuracy", "uf1", "uar", "majority_accuracy")


def sweep(
    *,
    data: DataOptions,
    out: Path,
    grid: Annotated[list[str] | None, Parameter(name="--grid")] = None,
    definition: str | None = None,
    recipe: str | None = None,
    model: str | None = None,
    motion: str | None = None,
    protocol: str | None = None,
    epochs: Epochs = None,
    classes: str | None = None,
    scheme: str | None = None,
    seed: Seed = 0,
    device: DeviceOptions = DeviceOptions(),
    work: CacheOptions = CacheOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Run an experiment over a grid of any recipe, model, training or protocol fields.

    Example: fleeting sweep --data synthetic:clips --grid training.epochs=1,2 --out sweep

    Parameters
    ----------
    out : pathlib.Path
        Folder of the sweep; asking again resumes it.
    grid : list of str or None, optional
        OWNER.FIELD=v1,v2 with OWNER recipe, model, training or protocol; several make every combination.
    definition : str or None, optional
        A sweep that ships (irawan2023), or a JSON file of the same form.
    recipe : str or None, optional
        NAME[,field=value...] (default: the definition's, or the model's own).
    model : str or None, optional
        NAME[,option=value...] (default: the definition's, or model_a).
    motion : str or None, optional
        Show the network the frames (none, as published), or their difference from the onset frame (difference).
    protocol : str or None, optional
        NAME[,option=value...] (default: the definition's, or stratified-kfold).
    epochs : int or None, optional
        Epochs where the grid does not vary them.
    classes : str or None, optional
        Comma-separated emotions to keep.
    scheme : str or None, optional
        Label scheme (default: the definition's, or the data sets' own labels).
    seed : int, optional
        Random seed of splits and weights.
    """
    from fleeting.experiments import Grid, run_sweep
    from fleeting.studies import sweep_definition

    screen = output.screen()
    if (grid is None) == (definition is None):
        raise UsageError(
            "a sweep needs either --grid or --definition; found " + ("neither" if grid is None else "both")
        )
    shipped: dict[str, Any] = {} if definition is None else sweep_definition(definition)
    grids = shipped["grids"] if grid is None else [Grid(_fields(grid))]
    config = experiment_from(
        data.data,
        scheme=scheme or shipped.get("scheme"),
        recipe=recipe or shipped.get("recipe"),
        model=model or shipped.get("model", "model_a"),
        motion=motion,
        classes=None if classes is None else name_list(classes, "classes"),
        training={} if epochs is None else {"epochs": epochs},
        protocol=protocol or shipped.get("protocol", "stratified-kfold"),
        seeds=(seed,),
        device=device.device,
    )
    with screen.bar() as bars:
        tables = run_sweep(
            config,
            grids,
            out,
            title=shipped.get("title", "Sweep"),
            paper=shipped.get("paper", ""),
            jobs=work.jobs,
            cache=work.cache,
            observer=observer_on(screen, bars, config.training.epochs),
        )
    page = render_pages(out)
    for table in tables.values():
        _show_table(screen, table)
    screen.show(f"Report: {page}")
    screen.dump({"sweep": str(out), "report": str(page)})


def _fields(grid: list[str]) -> dict[str, list[Any]]:
    fields = [parse_grid(text) for text in grid]
    names = [name for name, _ in fields]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"--grid: {', '.join(twice)} is given twice; expected all its values in one --grid")
    return dict(fields)


def _show_table(screen: Screen, table: Any) -> None:
    shown = table.drop(columns=[name for name in table if str(name).endswith(("_low", "_high"))] + ["setting"])
    for line in shown.to_string(index=False, formatters=dict.fromkeys(FIGURES, "{:.3f}".format)).splitlines():
        screen.show(line)
