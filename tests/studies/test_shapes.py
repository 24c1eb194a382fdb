"""The networks have the shapes that the papers print."""

import pytest

from fleeting.studies import published
from fleeting.studies.shapes import output_shapes


@pytest.mark.parametrize(
    ("study", "model", "size"),
    [("talluri2022", "model_a", (36, 128, 128)), ("irawan2023", "modified_micro_exp_stcnn", (10, 128, 128))],
)
def test_the_papers_shapes_are_ours(study, model, size):
    frames, height, width = size
    own = output_shapes(model, n_classes=3, n_frames=frames, height=height, width=width, in_channels=1)
    assert [shape for _, shape in own] == list(published(study, "table2").values())
