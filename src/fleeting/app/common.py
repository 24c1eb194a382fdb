"""What several verbs share: from options to configurations, and from training to the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleeting.app.screen import Screen
from fleeting.app.specs import parse_grid, parse_spec
from fleeting.errors import UsageError


def given(**values: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in values.items() if value is not None}


def recipe_from(spec: str, motion: str | None = None) -> Any:
    """The recipe that ``NAME[,field=value...]`` names."""
    from fleeting.sequences import create_recipe

    name, fields = parse_spec(spec)
    return create_recipe(name, **(fields if motion is None else {**fields, "motion": motion}))


def name_list(text: str, what: str) -> tuple[str, ...]:
    """Names separated by commas, each once."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names or len(set(names)) != len(names):
        raise UsageError(f"--{what}: found {text!r}; expected names separated by commas, each once")
    return names


def config_from(
    data: Sequence[str],
    scheme: str | None,
    recipe: str | None,
    model: str,
    motion: str | None,
    classes: str | None,
    training: dict[str, Any],
    protocol: str,
    seeds: str,
    watch: bool,
    device: str,
    selection: Any = None,
) -> Any:
    """The experiment that an evaluating verb's options describe; without a recipe, with the model's own."""
    from fleeting.experiments import ExperimentConfig
    from fleeting.models import model_info
    from fleeting.training import TrainingConfig

    model_name, options = parse_spec(model)
    made_by = recipe_from(recipe or model_info(model_name).recipe, motion)
    protocol_name, rule = parse_spec(protocol)
    try:
        numbers = tuple(int(part) for part in name_list(seeds, "seeds"))
    except ValueError:
        raise UsageError(f"--seeds: found {seeds!r}; expected whole numbers separated by commas") from None
    return ExperimentConfig(
        data=tuple(data),
        scheme=scheme,
        recipe=made_by,
        model=model_name,
        model_options=options,
        training=TrainingConfig.for_model(model_name, **training, motion=made_by.motion),
        protocol=protocol_name,
        protocol_options=rule,
        classes=None if classes is None else name_list(classes, "classes"),
        seeds=numbers,
        selection=selection,
        watch=watch,
        device=device,
    )


def selection_from(choose: Sequence[str] | None, metric: str, folds: int) -> Any:
    """What ``--choose epochs`` and ``--choose training.learning_rate=0.1,0.01`` ask for; ``None`` if nothing."""
    from fleeting.experiments import Selection

    if not choose:
        return None
    epochs = "epochs" in choose
    grid = [parse_grid(text, option="--choose") for text in choose if text != "epochs"]
    return Selection.create(
        epochs=epochs, grid={name: tuple(values) for name, values in grid}, metric=metric, folds=folds
    )


def observer_on(screen: Screen, bars: Any, epochs: int) -> Any:
    """What tells the screen how training goes; ``epochs`` is the length of one training."""
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
