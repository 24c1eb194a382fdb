"""A frame is read again whether it lies at the start of a recording or later."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fleeting.analysis.streams import open_stream


@pytest.mark.parametrize("first", [0, 3, 40])
def test_any_frame_can_be_the_first_that_is_read_again(tmp_path, first):
    path = tmp_path / "grau.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for k in range(50):
        writer.write(np.full((48, 64, 3), 4 * k, np.uint8))
    writer.release()
    stream = open_stream(str(path))
    times = {frame[0]: frame.seconds for frame in stream.frames()}
    reader = stream.again()
    for index in (first, first + 1, 2, 45):
        assert abs(float(reader.frame(index, times[index]).mean()) - 4 * index) < 3
    reader.close()
