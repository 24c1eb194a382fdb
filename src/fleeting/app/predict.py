"""The verb ``predict``: one short recording to one verdict."""

from __future__ import annotations

from pathlib import Path

from fleeting.app.options import FramesPerSecond, OutputOptions


def predict(
    recording: Path,
    *,
    model: Path | None = None,
    figure: Path | None = None,
    fps: FramesPerSecond = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Recognise the expression in a short video of one face, or a folder of frames.

    Example: fleeting predict video.mp4 --model run --figure verdict.png

    Parameters
    ----------
    recording : pathlib.Path
        Video file, or folder of frames.
    model : pathlib.Path or None, optional
        A run folder (all its folds are asked), a model folder or file; the shipped one if not given.
    figure : pathlib.Path or None, optional
        Write the film strip with the motion overlaid here (png, svg, pdf or jpg).
    fps : float or None, optional
        Frames per second, for a folder or to overrule the video.
    """
    import warnings

    from fleeting.analysis import draw_verdict
    from fleeting.analysis import predict as predict_recording

    screen = output.screen()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        verdict = predict_recording(recording, model, fps=fps)
        drawn = None if figure is None else draw_verdict(verdict, figure)
    told = dict.fromkeys(str(item.message) for item in caught if item.category is UserWarning)
    for sentence in [*told, *verdict.warnings]:
        screen.warn(sentence)
    when = "" if verdict.apex_seconds is None else f", {verdict.apex_seconds:.3f} s"
    screen.show(f"{verdict.path}: {verdict.label}")
    for name, value in sorted(zip(verdict.classes, verdict.probabilities, strict=True), key=lambda pair: -pair[1]):
        screen.show(f"  {name:<12} {value:6.1%}")
    screen.show(
        f"Apex: frame {verdict.apex} of {verdict.n_frames}{when}; motion {verdict.strength:.2f} px of a 128-px face"
    )
    if drawn is not None:
        screen.show(f"Figure: {drawn}")
    screen.dump(verdict.to_dict() | {"figure": None if drawn is None else str(drawn)})
