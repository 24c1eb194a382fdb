"""Fleeting's side of steps.py: the public training and prediction, timed from within."""

import json
import os
import sys
import warnings

import numpy as np
import torch
from _serve import clock, peak_mib, serve, timed

from fleeting import kernels
from fleeting.errors import CollapseWarning
from fleeting.models import create_model
from fleeting.training import Standardisation, TrainingConfig, keep_memory, predict_proba, train
from fleeting.training.optim import KerasOptimizer

STANDARDISATION = Standardisation((127.5,), (73.9,))


class Stack:
    def __init__(self, name, size, batch):
        self.name, self.size, self.batch = name, size, batch
        frames, height, width = size
        self.model = create_model(name, n_frames=frames, height=height, width=width)
        self.config = TrainingConfig.for_model(name, epochs=1, batch_size=batch)
        self.ends = []
        # An epoch begins with the shuffle and ends with a look for collapse; between the ends of two updates lies
        # exactly one step, from making the batch of uint8 to the update.
        step = KerasOptimizer.step

        def timed_step(optimizer):
            step(optimizer)
            self.ends.append(clock())

        KerasOptimizer.step = timed_step

    def samples(self, count):
        return np.random.default_rng(1).integers(0, 256, (count, *self.size, 1), dtype=np.uint8)

    def train(self, steps):
        count = (steps + 1) * self.batch
        self.ends.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseWarning)
            train(self.model, self.samples(count), np.arange(count) % 3, self.config)
        assert len(self.ends) == steps + 1
        return {"ms": (1e3 * np.diff(self.ends)).tolist(), "peak": peak_mib()}

    def infer(self, batch, times):
        x = self.samples(batch)

        def once():
            predict_proba(self.model, x, motion="none", standardisation=STANDARDISATION)

        return {"ms": timed(once, times), "peak": peak_mib()}

    def network(self, batch, times):
        """The network alone, from a ready float32 array to probabilities, as the other stacks are measured."""
        x, model = torch.from_numpy(self.samples(batch)).float().movedim(4, 1).contiguous(), self.model.eval()

        @torch.no_grad()
        def once():
            model(x).softmax(1).numpy()

        return {"ms": timed(once, times), "peak": peak_mib()}

    @torch.no_grad()
    def logits(self, x):
        return self.model.eval()(torch.from_numpy(x)).numpy()

    def export(self, path):
        """Weights, an input (N, C, T, H, W) and its outputs, for the other stacks to agree with."""
        rng = np.random.default_rng(0)
        state = {name: value.numpy() for name, value in self.model.state_dict().items()}
        for name, value in state.items():
            # As drawn they are zeros and ones, which hide mistakes.
            if name.endswith(("bias", "running_mean")):
                value[...] = rng.normal(0, 0.3, value.shape)
            elif "norm" in name and name.endswith("weight"):
                value[...] = rng.uniform(0.5, 1.5, value.shape) * rng.choice([-1, 1], value.shape)
        x = rng.normal(size=(2, 1, *self.size)).astype(np.float32)
        np.savez(path, x=x, logits=self.logits(x), **{f"weights/{name}": value for name, value in state.items()})
        return {}

    def agree(self, path):
        """Largest difference of an output from those in the file, against the largest of them."""
        with np.load(path) as file:
            prefix = "weights/"
            state = {n.removeprefix(prefix): torch.from_numpy(file[n]) for n in file.files if n.startswith(prefix)}
            self.model.load_state_dict(state)
            theirs = file["logits"]
            return {"difference": float(np.abs(self.logits(file["x"]) - theirs).max() / np.abs(theirs).max())}


def peak_gflops():
    """Multiplications and additions a second, in 10^9, of one core at its best, and how it was measured."""
    # Also where the networks do without the kernels.
    os.environ.pop(kernels.KERNELS_VARIABLE, None)
    found = kernels.peak_gflops()
    if found is not None:
        return {"gflops": found, "how": "fleeting.kernels.peak_gflops()"}
    # Small enough that some of them are undisturbed by whatever else the machine does.
    size = 512
    a, b = torch.rand(size, size), torch.rand(size, size)
    return {"gflops": 2 * size**3 / min(timed(lambda: a @ b, 200)) / 1e6, "how": "PyTorch, float32 512×512 @ 512×512"}


def main():
    torch.set_num_threads(1)
    keep_memory()
    stack = Stack(**json.loads(sys.argv[1]))
    used = kernels.status()
    about = f"Fleeting, PyTorch {torch.__version__}, kernels: {used.name or 'none'} ({used.reason})"
    operations = {name: getattr(stack, name) for name in ("train", "infer", "network", "export", "agree")}
    serve(about, {**operations, "peak_gflops": peak_gflops})


if __name__ == "__main__":
    main()
