"""The verb ``train``: one model of all clips, for use on other recordings."""

from __future__ import annotations

from pathlib import Path

from fleeting.app.experiment import experiment_from, observer_on
from fleeting.app.options import (
    CacheOptions,
    DataOptions,
    DeviceOptions,
    LabelOptions,
    ModelOptions,
    OutputOptions,
    Seed,
    SelectionOptions,
    TrainingOptions,
)


def train(
    *,
    data: DataOptions,
    out: Path,
    model: ModelOptions = ModelOptions(),
    training: TrainingOptions = TrainingOptions(),
    labels: LabelOptions = LabelOptions(),
    seed: Seed = 0,
    selection: SelectionOptions = SelectionOptions(),
    device: DeviceOptions = DeviceOptions(),
    work: CacheOptions = CacheOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Train one model on all clips, to be used on other recordings. Nothing is tested: see `evaluate`.

    Example: fleeting train --data synthetic:clips --epochs 3 --out model

    Parameters
    ----------
    out : pathlib.Path
        Folder for model.safetensors, config.json and history.csv.
    seed : int, optional
        Random seed of the training; the same seed gives the same weights.
    """
    from fleeting.experiments import train_on_all

    screen = output.screen()
    config = experiment_from(
        data.data,
        **model.named(),
        **labels.named(),
        training=training.given(),
        seeds=(seed,),
        device=device.device,
        selection=selection.selection(),
    )
    with screen.bar() as bars:
        folder = train_on_all(
            config,
            out,
            jobs=work.jobs,
            cache=work.cache,
            observer=observer_on(screen, bars, config.epochs_per_unit),
        )
    screen.show(f"Model: {folder / 'model.safetensors'}")
    screen.dump({"model": str(folder / "model.safetensors")})
