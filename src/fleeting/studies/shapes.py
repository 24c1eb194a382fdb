"""A network's layers as it really has them, beside the shapes that its paper prints."""

from __future__ import annotations

from typing import Any

from fleeting.models import count_parameters, create_model
from fleeting.records import StudyColumn, StudySection, StudyTable
from fleeting.studies.base import Section
from fleeting.studies.published import published

# Layers that only rearrange or activate are part of the layer before them in the papers' tables.
_TABLED = ("Conv3d", "BatchNorm", "MaxPool3d", "Dropout", "Flatten", "Dense", "Linear")


def output_shapes(model: str, **shape: int) -> list[tuple[str, str]]:
    """List each layer's type and output shape (``T x H x W x C``, or units), in the order of the forward pass."""
    import torch

    network = create_model(model, **shape).eval()
    found: list[tuple[str, str]] = []

    def remember(layer: Any, _inputs: Any, output: Any) -> None:
        kind = type(layer).__name__
        size = tuple(output.shape[1:])
        text = "x".join(map(str, (*size[1:], size[0]))) if len(size) == 4 else str(size[0])
        found.append((kind, text))

    for layer in network.modules():
        if not list(layer.children()) and any(name in type(layer).__name__ for name in _TABLED):
            layer.register_forward_hook(remember)
    with torch.inference_mode():
        network(torch.zeros(1, shape["in_channels"], shape["n_frames"], shape["height"], shape["width"]))
    return found


def shape_section(study: str, table: str, title: str, model: str, **shape: int) -> Section:
    """Make the section that sets a paper's table of shapes beside the network's own."""
    import pandas as pd

    size = {"n_classes": 3, "n_frames": 36, "height": 128, "width": 128, "in_channels": 1} | shape
    printed = published(study, table)
    measured = output_shapes(model, **size)
    rows = []
    for position, ((layer, _), value) in enumerate(printed.items()):
        own = measured[position][1] if position < len(measured) else ""
        rows.append({"layer": layer, "published": value, "own": own, "same": "yes" if own == value else "no"})
    parameters = count_parameters(create_model(model, **size))
    columns = (
        StudyColumn(key="layer", label="layer"),
        StudyColumn(key="published", label="published", role="published"),
        StudyColumn(key="own", label="ours"),
        StudyColumn(key="same", label="the same", unit="state"),
    )
    content = StudySection(
        id=table,
        title=title,
        text=(f"{parameters:,} trainable parameters. Shapes are time, height, width, channels.",),
        tables=(StudyTable(file=f"tables/{table}.csv", caption="Output of each layer.", columns=columns),),
    )
    return Section(content, {table: pd.DataFrame(rows)})
