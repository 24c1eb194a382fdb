"""The networks that benchmarks measure, and the arithmetic that a step of each needs at least."""

from dataclasses import dataclass, replace
from math import prod


@dataclass(frozen=True)
class Network:
    """A registered network at the size and batch that its paper feeds it: grey, three classes.

    Blocks of a convolution and poolings, one hidden dense layer, the classes. With ``norm`` the convolutions are padded
    and batch normalisation stands before the pooling.
    """

    name: str
    size: tuple[int, int, int]
    batch: int
    filters: int
    kernel: tuple[int, int, int]
    blocks: int
    pools: tuple[int, ...]
    hidden: int
    norm: bool

    def at(self, size=None, batch=None):
        return replace(self, size=tuple(size or self.size), batch=batch or self.batch)

    @property
    def shape(self):
        return "×".join(map(str, self.size))

    def step_flops(self):
        """Forward, weight gradients, and input gradients except of the first layer, of a training step.

        Normalisation needs the whole output of its convolution, for the batch's mean and variance, and its gradient is
        nowhere zero. Without it, what the pooling leaves over need not be computed, and of the gradient one value in
        each pooling window is left, which is not counted.
        """
        flops = 3 * self._dense()
        for block, (whole, used, each, _) in enumerate(self._convolutions()):
            flops += whole * each * (2 + (block > 0)) if self.norm else used * each
        return self.batch * flops

    def inference_flops(self, batch):
        """Forward alone, over the outputs that the pooling uses."""
        return batch * (self._dense() + sum(used * each for _, used, each, _ in self._convolutions()))

    def _convolutions(self):
        """Of each: its outputs, those that the pooling uses, operations an output, and what the pooling leaves."""
        size, channels = self.size, 1
        for _ in range(self.blocks):
            if not self.norm:
                size = [s - k + 1 for s, k in zip(size, self.kernel)]
            by = prod(self.pools)
            pooled = size
            for pool in self.pools:
                pooled = [s // pool for s in pooled]
            yield (
                self.filters * prod(size),
                self.filters * prod(s * by for s in pooled),
                2 * channels * prod(self.kernel),
                self.filters * prod(pooled),
            )
            size, channels = pooled, self.filters

    def _dense(self):
        features = list(self._convolutions())[-1][-1]
        return 2 * (features * self.hidden + self.hidden * 3)


NETWORKS = {
    network.name: network
    for network in (
        Network("model_a", (36, 128, 128), 4, 16, (3, 3, 3), 2, (3,), 128, norm=True),
        Network("model_b", (36, 64, 64), 8, 32, (15, 3, 3), 1, (3,), 128, norm=False),
        Network("model_c", (36, 128, 128), 4, 32, (3, 3, 3), 1, (3, 3), 128, norm=True),
        Network("modified_micro_exp_stcnn", (10, 128, 128), 20, 32, (3, 3, 3), 1, (3, 2), 32, norm=False),
    )
}

# Large enough for every network's kernels and poolings.
SMALL = {"size": (18, 20, 20), "batch": 2}
