"""From options to an experiment, and from its training to the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fleeting.app.screen import Bars, Screen
from fleeting.app.specs import parse_spec

__all__ = ["experiment_from", "observer_on", "recipe_from", "render_pages", "show_results"]


def recipe_from(spec: str, motion: str | None = None) -> Any:
    """Make the recipe that ``NAME[,field=value...]`` names."""
    from fleeting.sequences import create_recipe

    name, fields = parse_spec(spec, taken=("name",))
    return create_recipe(name, **(fields if motion is None else {**fields, "motion": motion}))


def experiment_from(
    data: Sequence[str],
    *,
    model: str = "model_a",
    recipe: str | None = None,
    motion: str | None = None,
    classes: tuple[str, ...] | None = None,
    scheme: str | None = None,
    training: Mapping[str, Any] | None = None,
    protocol: str = "stratified-kfold",
    seeds: tuple[int, ...] = (0,),
    watch: bool = False,
    device: str = "cpu",
    selection: Any = None,
) -> Any:
    """Build the experiment that a verb's options describe; without a recipe, with the model's own."""
    from fleeting.experiments import ExperimentConfig
    from fleeting.models import model_info
    from fleeting.training import TrainingConfig

    # The clips decide these, so nobody can ask for others.
    model_name, options = parse_spec(model, taken=("name", "n_classes", "n_frames", "height", "width", "in_channels"))
    made_by = recipe_from(recipe or model_info(model_name).recipe, motion)
    protocol_name, rule = parse_spec(protocol, taken=("name",))
    return ExperimentConfig(
        data=tuple(data),
        scheme=scheme,
        recipe=made_by,
        model=model_name,
        model_options=options,
        training=TrainingConfig.for_model(model_name, **(training or {}), motion=made_by.motion),
        protocol=protocol_name,
        protocol_options=rule,
        classes=classes,
        seeds=seeds,
        selection=selection,
        watch=watch,
        device=device,
    )


def observer_on(screen: Screen, bars: Bars, epochs: int) -> Any:
    """Build the observer that tells the screen how training goes.

    Parameters
    ----------
    screen : Screen
        For stages and warnings.
    bars : Bars
        For progress.
    epochs : int
        Epochs per training.
    """
    from fleeting.experiments import Observer

    done: dict[str, int] = {}
    finished = {"before": 0, "total": 1}
    step = bars.step("epochs")

    def on_units(count: int, total: int) -> None:
        if not done:
            finished.update(before=count, total=total)

    def on_epoch(key: str, record: dict[str, Any]) -> None:
        if "warning" in record:
            screen.warn(f"{key}: {record['warning']}")
            return
        done[key] = int(record["epoch"])
        count = finished["before"] * epochs + sum(done.values())
        # Units that choose their epochs on inner folds train more than others.
        step(count, max(count, finished["total"] * epochs))

    return Observer(stage=screen.say, preprocessing=bars.step("clips"), epoch=on_epoch, units=on_units)


def render_pages(collection: Path) -> Path:
    """Write the page of every run of a study or sweep, then that of the whole, which links to them."""
    from fleeting.reports import render_report

    for run in sorted((collection / "runs").iterdir()):
        if (run / "summary.json").is_file():
            render_report(run)
    return render_report(collection)


def show_results(screen: Screen, run: Path, page: Path) -> None:
    """Print the pooled figures of a run that was scored."""
    from fleeting.records import Summary

    summary = Summary.read(run / "summary.json")
    pooled = summary.pooled
    if summary.partial:
        screen.warn(f"partial: {summary.finished} of {summary.expected} units are finished")
    for sentence in summary.warnings:
        screen.warn(sentence)
    for metric in ("accuracy", "uf1", "uar"):
        value, low, high = (getattr(pooled, f"{metric}{end}") for end in ("", "_low", "_high"))
        interval = "" if low is None else f"  [{low:.3f}, {high:.3f}]"
        beside = f"   (always {pooled.majority_class}: {pooled.majority_accuracy:.3f})" if metric == "accuracy" else ""
        screen.show(f"{metric:<9} {value:.3f}{interval}{beside}")
    screen.show(f"Report: {page}")
    screen.dump({"run": str(run), "report": str(page), **summary.to_json()})
