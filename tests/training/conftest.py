import os

import numpy as np
import pytest

# As in the models' tests; whichever room's tests come first must set it before Keras is imported.
os.environ["KERAS_BACKEND"] = "torch"


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    import torch

    torch.set_num_threads(1)


def make_clips(n, frames=9, size=18, seed=0):
    """Faces of noise in which one of three bands brightens and fades, behind a still reference frame."""
    rng = np.random.default_rng(seed)
    sequences = np.empty((n, frames + 1, size, size, 1), np.uint8)
    labels = np.arange(n) % 3
    band = size // 3
    for sample, label in zip(sequences, labels, strict=True):
        face = rng.integers(60, 180, (size, size)).astype(float)
        for t in range(frames + 1):
            frame = face.copy()
            frame[label * band : (label + 1) * band] += 30 * np.sin(np.pi * t / (frames + 1))
            sample[t, :, :, 0] = np.clip(frame + rng.normal(0, 3, frame.shape), 0, 255)
    return sequences, np.array(["disgust", "happy", "surprise"])[labels]


@pytest.fixture(scope="session")
def clips():
    return make_clips(24)


@pytest.fixture
def model():
    from fleeting.models import create_model

    return create_model("model_a", n_frames=9, height=18, width=18, seed=0)


@pytest.fixture(scope="session")
def trained(clips):
    from fleeting.models import create_model
    from fleeting.training import TrainingConfig, train

    config = TrainingConfig.for_model("model_a", motion="difference", epochs=12)
    return train(create_model("model_a", n_frames=9, height=18, width=18), *clips, config, seed=1)
