"""The verb ``evaluate``: an experiment, fold by fold, and its report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from fleeting.app.experiment import experiment_from, observer_on, show_results
from fleeting.app.options import (
    CacheOptions,
    DataOptions,
    DeviceOptions,
    Flag,
    LabelOptions,
    ModelOptions,
    OutputOptions,
    SelectionOptions,
    TrainingOptions,
    whole_numbers,
)


def evaluate(
    *,
    data: DataOptions,
    out: Path,
    model: ModelOptions = ModelOptions(),
    protocol: str = "stratified-kfold",
    training: TrainingOptions = TrainingOptions(),
    labels: LabelOptions = LabelOptions(),
    seeds: str = "0",
    watch: Flag = False,
    samples: Annotated[bool, Parameter(negative="--no-samples")] = True,
    selection: SelectionOptions = SelectionOptions(),
    device: DeviceOptions = DeviceOptions(),
    work: CacheOptions = CacheOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Train and test per model under a protocol, fold by fold, and write the report.

    Stopped at any moment, the same command goes on where it was: finished folds are kept.

    Example: fleeting evaluate --data synthetic:clips --epochs 3 --out run

    Parameters
    ----------
    out : pathlib.Path
        Run folder.
    protocol : str, optional
        NAME[,option=value...]: stratified-kfold, holdout, repeated-holdout mix subjects as the papers do;
        subject-kfold, subject-holdout, repeated-subject-holdout, loso do not; cde and hde are the field's exam on the
        composite of three sets; cross-dataset,source=A+B,target=C tests on another set. Options: folds, repeats,
        test_size, seed.
    seeds : str, optional
        Random seeds of the training, comma-separated; every fold is trained once per seed.
    watch : bool, optional
        Record the test clips' accuracy after each epoch; it is shown, never used to choose.
    samples : bool, optional
        Put a few film strips into the report. They show faces.
    """
    from fleeting.experiments import evaluate as run_experiment
    from fleeting.reports import render_report

    screen = output.screen()
    config = experiment_from(
        data.data,
        **model.named(),
        **labels.named(),
        training=training.given(),
        protocol=protocol,
        seeds=whole_numbers(seeds, "seeds"),
        watch=watch,
        device=device.device,
        selection=selection.selection(),
    )
    with screen.bar() as bars:
        run = run_experiment(
            config,
            out,
            jobs=work.jobs,
            cache=work.cache,
            observer=observer_on(screen, bars, config.epochs_per_unit),
            samples=samples,
        )
    page = render_report(run.path)
    show_results(screen, run.path, page)
