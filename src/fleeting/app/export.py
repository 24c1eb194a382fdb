"""The verb ``export``: a trained network for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fleeting.app.options import OutputOptions


def export(
    model: Path | None = None,
    *,
    format: Literal["onnx"] = "onnx",
    out: Path | None = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Write a trained network as a file that other programs run.

    It takes sequences (N, T, H, W, C) as the model's recipe makes them, uint8 for frames, and gives probabilities;
    classes and recipe are in its metadata. Needs pip install 'fleeting[export]'.

    Example: fleeting export model --out model.onnx

    Parameters
    ----------
    model : pathlib.Path or None, optional
        A model folder or file, or a run folder, whose folds become one file that gives their mean (default: the
        recogniser that ships with the package).
    format : {"onnx"}, optional
        Format of the file; only onnx.
    out : pathlib.Path or None, optional
        File to write (default: named after the model, here).
    """
    from fleeting.experiments import load_models
    from fleeting.sequences import recipe_from_dict
    from fleeting.training import export_onnx

    screen = output.screen()
    if model is None:
        from fleeting.analysis import default_model

        trained = [default_model()]
    else:
        trained = load_models(model)
    named = "recogniser" if model is None else (model.parent if model.is_file() else model).resolve().name or "model"
    recipe = trained[0].recipe
    dtype = "uint8" if recipe is None else recipe_from_dict(recipe).dtype
    path = export_onnx(trained, out or Path(f"{named}.{format}"), dtype=dtype)
    shape = trained[0].spec.shape
    stored = shape.n_frames + (trained[0].motion == "difference")
    size = (stored, shape.height, shape.width, shape.in_channels)
    screen.show(f"Model: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    screen.show(f"  in   sequences      {dtype:<7} (N, {', '.join(map(str, size))})")
    screen.show(f"  out  probabilities  float32 (N, {shape.n_classes}): {', '.join(map(str, trained[0].classes))}")
    screen.dump(
        {
            "model": str(path),
            "format": format,
            "input": list(size),
            "dtype": dtype,
            "classes": list(trained[0].classes),
            "networks": len(trained),
        }
    )
