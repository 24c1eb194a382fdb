"""Makes the look-alike scripts of ``tests/data`` importable, and gives look-alikes and small sets to the tests."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

DATA = str(Path(__file__).resolve().parents[1] / "data")
if DATA not in sys.path:
    sys.path.insert(0, DATA)

NAME = "Daten ü 表情"


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    from fleeting.synthesis import write_dataset

    root = tmp_path_factory.mktemp("synthetic")
    return write_dataset(root, size=(70, 85), subjects=2, clips_per_subject=3, fps=50).path


@pytest.fixture
def folder(tmp_path):
    """Write clip folders of three frames, and a table."""
    from fleeting.datasets import Folder

    def make(table, clips=("a/x", "a/y", "b/x"), encoding="utf-8"):
        for clip in clips:
            (tmp_path / clip).mkdir(parents=True)
            for i in range(3):
                cv2.imwrite(str(tmp_path / clip / f"{i}.png"), np.full((6, 5, 3), i, np.uint8))
        (tmp_path / "clips.csv").write_text(table, encoding=encoding)
        return Folder(tmp_path)

    return make


@pytest.fixture(scope="module")
def casme2(tmp_path_factory):
    import look_alike_casme2

    root = tmp_path_factory.mktemp("casme2") / NAME
    return look_alike_casme2.write(root, variants=("selected", "raw", "cropped"))


@pytest.fixture(scope="module")
def samm(tmp_path_factory):
    import look_alike_samm

    return look_alike_samm.write(tmp_path_factory.mktemp("samm") / NAME)


@pytest.fixture(scope="module")
def smic(tmp_path_factory):
    import look_alike_smic

    return look_alike_smic.write(tmp_path_factory.mktemp("smic") / NAME)
