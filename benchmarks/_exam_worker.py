"""One side of exam.py: STSTNet in Fleeting, from files of uint8, or as one would write it in PyTorch, from a tensor."""

import json
import sys
import tempfile
import warnings

import numpy as np
import torch
from _serve import clock, serve
from _units import CLASSES, unit, write_clips
from torch import nn
from torch.nn import functional as F

STREAMS = (3, 5, 8)
RATE, BATCH = 5e-5, 256


class Plain(nn.Module):
    """Knows nothing of Fleeting."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, filters, 3, padding=1) for filters in STREAMS)
        self.norms = nn.ModuleList(nn.BatchNorm2d(filters) for filters in STREAMS)
        self.pool, self.dropout, self.mean = nn.MaxPool2d(3, 3, 1), nn.Dropout(0.5), nn.AvgPool2d(2)
        self.fc = nn.Linear(400, 3)

    def forward(self, x):
        streams = [
            self.dropout(self.pool(norm(F.relu(conv(x))))) for conv, norm in zip(self.convs, self.norms, strict=True)
        ]
        return self.fc(self.mean(torch.cat(streams, 1)).flatten(1))


class PlainSide:
    def __init__(self, samples):
        torch.manual_seed(0)
        self.model = Plain()
        self.x, self.y = torch.randn(samples, 3, 28, 28), torch.arange(samples) % 3

    def epochs(self, count):
        optimizer = torch.optim.Adam(self.model.train().parameters(), RATE)
        seconds = []
        for _ in range(count + 1):
            start, total = clock(), 0.0
            for index in torch.split(torch.randperm(len(self.x)), BATCH):
                optimizer.zero_grad()
                loss = F.cross_entropy(self.model(self.x[index]), self.y[index])
                loss.backward()
                optimizer.step()
                total += float(loss.detach()) * len(index)
            seconds.append(clock() - start)
        return {"seconds": seconds[1:]}

    @torch.no_grad()
    def agree(self, path):
        with np.load(path) as file:
            state = {name: torch.from_numpy(file[name]) for name in file.files}
        first = 0
        for conv, norm, filters in zip(self.model.convs, self.model.norms, STREAMS, strict=True):
            mine = slice(first, first + filters)
            first += filters
            conv.weight.copy_(state["conv.weight"][mine, :, 0])
            conv.bias.copy_(state["conv.bias"][mine])
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(state[f"norm.{name}"][mine])
        # Ours flattens (height, width, channels).
        self.model.fc.weight.copy_(state["output.weight"].view(3, 5, 5, 16).permute(0, 3, 1, 2).flatten(1))
        self.model.fc.bias.copy_(state["output.bias"])
        logits = self.model.eval()(state["x"][:, :, 0])
        return {"difference": float((logits - state["logits"]).abs().max() / state["logits"].abs().max())}


class FleetingSide:
    def __init__(self, samples):
        from pathlib import Path

        from fleeting.errors import CollapseWarning
        from fleeting.training import keep_memory

        # As the processes of an experiment do.
        keep_memory()
        warnings.simplefilter("ignore", CollapseWarning)
        self._folder = tempfile.TemporaryDirectory()
        self.folder, self.shape = Path(self._folder.name), (1, 28, 28, 3)
        self.paths = write_clips(self.folder, self.shape, samples + 1)
        self.samples = samples

    def epochs(self, count):
        """Whole units as experiments run them: seconds of an epoch, and of all that is beside the epochs."""
        from fleeting.experiments.unit import run_unit
        from fleeting.training import TrainingConfig

        training = TrainingConfig.for_model("ststnet", epochs=count + 1)
        labels = [CLASSES[number % 3] for number in range(self.samples + 1)]
        job = unit(
            self.folder, "ststnet", training, self.shape, self.paths, labels, range(self.samples), [self.samples]
        )
        start, ends = clock(), []
        run_unit(job, lambda *_: ends.append(clock()))
        whole, epochs = clock() - start, np.diff(ends).tolist()
        return {"seconds": epochs, "rest": whole - sum(epochs) * (count + 1) / count}

    @torch.no_grad()
    def export(self, path):
        from fleeting.models import create_model

        model, rng = create_model("ststnet").eval(), np.random.default_rng(0)
        state = {name: value.numpy() for name, value in model.state_dict().items()}
        for name, value in state.items():
            if name.startswith("norm.") and value.ndim:
                value[...] = rng.uniform(0.5, 1.5, value.shape)
        x = torch.randn(8, 3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        np.savez(path, x=x.numpy(), logits=model(x).numpy(), **state)
        return {}


def main():
    torch.set_num_threads(1)
    side, samples = json.loads(sys.argv[1])
    stack = {"plain": PlainSide, "fleeting": FleetingSide}[side](samples)
    about = f"PyTorch {torch.__version__}"
    if side == "fleeting":
        from fleeting import kernels

        used = kernels.status()
        about = f"Fleeting, {about}, kernels: {used.name or 'none'} ({used.reason})"
    serve(about, {name: getattr(stack, name) for name in ("epochs", "export", "agree") if hasattr(stack, name)})


if __name__ == "__main__":
    main()
