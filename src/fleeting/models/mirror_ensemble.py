"""Our own method for flow from onset to apex: what a stranger's expression shares with everybody else's.

With 442 clips of 68 people a network learns who is who sooner than what is felt. Each part here takes something away that
tells people apart and not emotions: how large the motion is and where zero lies (an image scaled by its own extremes shows
neither), on which side of the face it is stronger, where exactly the face was cut. Some small networks and a linear
discriminant, which err on different clips, are then asked together.

Sources of its parts: Friedman 1989 (regularised discriminant analysis, J. Am. Stat. Assoc. 84), Ledoit and Wolf 2004
(shrinkage), Lakshminarayanan et al. 2017 (ensembles over seeds), Loshchilov and Hutter 2019 (decoupled weight decay),
Szegedy et al. 2016 (label smoothing).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fleeting.errors import UsageError
from fleeting.models.blocks import plane_conv_relu_norm_pool
from fleeting.models.direct import ABSENT, DirectModel, positive
from fleeting.models.layers import BatchNorm, Conv3d, Dense, initialise, require_dropout, require_least
from fleeting.models.pca_logistic import principal_components
from fleeting.models.registry import register_model
from fleeting.models.spec import InputShape

__all__ = ["MirrorEnsemble"]

NAME = "mirror_ensemble"
_FIRST = 16
# Below this a channel does not vary, and dividing by its deviation would only amplify rounding.
_FLAT = 1e-6
# Added to probabilities before their logarithm, so that one sure member cannot overrule all others.
_DOUBT = 1e-3


class _Member(nn.Module):
    """A small network: convolution, pooling, convolution, pooling, classes."""

    def __init__(self, shape: InputShape, filters: int, dropout: float) -> None:
        super().__init__()
        self.conv = Conv3d(shape.in_channels, _FIRST, (1, 3, 3), padding=(0, 1, 1))
        self.relu = nn.ReLU(inplace=True)
        self.norm = BatchNorm(_FIRST, eps=1e-5, momentum=0.1)
        self.pool = nn.MaxPool3d((1, 3, 3), padding=(0, 1, 1))
        self.second = Conv3d(_FIRST, filters, (1, 3, 3), padding=(0, 1, 1))
        self.second_norm = BatchNorm(filters, eps=1e-5, momentum=0.1)
        rows, columns = (((size + 2) // 3) // 2 for size in (shape.height, shape.width))
        self.output = Dense(filters * rows * columns, shape.n_classes)
        self.dropout = dropout

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        first = plane_conv_relu_norm_pool(x, self.conv, self.relu, self.norm, self.pool)
        first = _dropped(first, self.dropout / 2, generator)
        second = self.second_norm(F.relu(self.second(first)))
        features = F.avg_pool2d(second.squeeze(2), 2).flatten(1)
        logits: Tensor = self.output(_dropped(features, self.dropout, generator))
        return logits


def _dropped(x: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    if generator is None or share == 0:
        return x
    return x * (torch.rand(x.shape, generator=generator) >= share) / (1 - share)


@register_model(
    NAME,
    paper="Fleeting's own; see the module",
    training={"class_weights": "balanced"},
    sizes=(1, 28, 28),
    channels=3,
    recipe="flow",
)
class MirrorEnsemble(DirectModel):
    """Small networks and a linear discriminant on flow without size and side, asked together; Fleeting's own.

    1. *Restore*: of each sample, u and v are brought back to their median, which is where skin that does not move lies,
       and strain to its least value; then each is divided by its own standard deviation.
    2. *Discriminant*: the sample and its mirror image are averaged (a smile is a smile on both sides), smoothed, and
       projected on the principal components of the training samples; the class is told by linear discriminant
       analysis with equal priors, the classes' covariances weighted alike and shrunk to a multiple of the identity.
    3. *Networks*: each of ``members`` is trained from other first weights, in another order, on samples that are mirrored
       and shifted by chance at every step, with smoothed labels and decoupled weight decay, while the rate falls to zero
       along half a cosine. It answers for a sample and its mirror image.
    4. The logarithms of the networks' mean probabilities and of the discriminant's are added.

    Mirroring swaps left and right and turns the sign of u. The loss weighs classes as ``class_weights`` says (``"balanced"``
    by default). Nothing looks at who is in a clip, and nothing stops early: all choices were made on synthetic composites
    by folds of people, on other seeds than those of the figures that are quoted
    (``benchmarks/exam_methods.py``). No figure is published; ``model_info("mirror_ensemble").measured`` has ours.

    Parameters
    ----------
    shape : InputShape
        One frame of three channels (u, v, strain), of at least 4 x 4 pixels.
    members : int, optional
        Networks; 0 for the discriminant alone.
    discriminant : float, optional
        Weight of the discriminant's logarithms beside the networks', 0 for the networks alone.
    epochs, learning_rate, weight_decay, batch_size : int and float, optional
        Hyper-parameters of each network's training.
    filters : int, optional
        Filters of the second convolution.
    dropout : float, optional
        Share that is dropped before the output; half as much after the first pooling.
    shift : int, optional
        Most pixels that a training sample is shifted by.
    smoothing : float, optional
        Share of a label that is spread over all classes.
    components, shrinkage : int and float, optional
        Most principal components of the discriminant, and how far its covariances are shrunk, in [0, 1].
    """

    mean: Tensor
    components: Tensor
    coefficients: Tensor
    intercept: Tensor
    blur: Tensor
    present: Tensor
    members: nn.ModuleList

    def __init__(
        self,
        shape: InputShape,
        *,
        members: int = 3,
        discriminant: float = 0.5,
        epochs: int = 80,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        batch_size: int = 64,
        filters: int = 64,
        dropout: float = 0.5,
        shift: int = 2,
        smoothing: float = 0.1,
        components: int = 100,
        shrinkage: float = 0.3,
    ) -> None:
        super().__init__()
        if (shape.n_frames, shape.in_channels) != (1, 3):
            raise UsageError(
                f"{NAME}: found {shape.n_frames} frames of {shape.in_channels} channels; it takes one frame of u, v and "
                "strain. Use the recipe flow"
            )
        require_least(NAME, (1, shape.height, shape.width), (1, 4, 4), "it pools by 3 over the border, then by 2")
        for option, value, least, most in (
            ("members", members, 0, 1000),
            ("epochs", epochs, 1, 10**9),
            ("batch_size", batch_size, 2, 10**9),
            ("filters", filters, 1, 10**6),
            ("shift", shift, 0, 10**6),
            ("components", components, 1, 10**9),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise UsageError(
                    f"{NAME}: found {option} {value!r}; expected a whole number of at least {least} and at most {most}"
                )
        for option, share in (("smoothing", smoothing), ("shrinkage", shrinkage)):
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                raise UsageError(f"{NAME}: found {option} {share!r}; expected a number from 0 to 1")
        for option, number in (("discriminant", discriminant), ("weight_decay", weight_decay)):
            if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < math.inf:
                raise UsageError(f"{NAME}: found {option} {number!r}; expected a number of at least 0")
        if not members and not discriminant:
            raise UsageError(f"{NAME}: members=0 and discriminant=0 leave nobody to ask; give one of them more")
        require_dropout(NAME, dropout=dropout)
        self.shape, self.discriminant = shape, float(discriminant)
        self.epochs, self.batch_size, self.shift = epochs, batch_size, shift
        self.learning_rate, self.weight_decay = positive(NAME, "learning_rate", learning_rate), float(weight_decay)
        self.smoothing, self.shrinkage = float(smoothing), float(shrinkage)
        self.members = nn.ModuleList(_Member(shape, filters, dropout) for _ in range(members))
        values = 3 * shape.height * shape.width
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("components", torch.zeros(min(components, values), values))
        self.register_buffer("coefficients", torch.zeros(shape.n_classes, min(components, values)))
        self.register_buffer("intercept", torch.zeros(shape.n_classes))
        self.register_buffer("present", torch.ones(shape.n_classes))
        bell = torch.exp(-0.5 * torch.arange(-3.0, 4.0) ** 2)
        self.register_buffer("blur", bell / bell.sum(), persistent=False)

    def fit_direct(self, x: Tensor, y: Tensor, *, weights: Tensor, seed: int) -> None:
        """Fit the discriminant, then train the networks; see :class:`DirectModel`."""
        fields = restored(x)
        here = torch.zeros(self.shape.n_classes)
        here[torch.unique(y)] = 1.0
        self.present.copy_(here)
        self._fit_discriminant(self._symmetric(fields).flatten(1).double(), y)
        for number, member in enumerate(self.members):
            assert isinstance(member, _Member)
            # Seeds of members and of runs must not meet.
            generator = torch.Generator().manual_seed((seed * 1_000_003 + number * 7_919 + 1) % 2**63)
            self._train(member, fields, y, weights.float(), generator)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``float32`` ``(N, 3, 1, H, W)`` to logits ``(N, n_classes)``."""
        fields = restored(x)
        logarithms = []
        if self.discriminant:
            scores = F.linear(self._symmetric(fields).flatten(1) - self.mean, self.components)
            told = F.linear(scores, self.coefficients, self.intercept).softmax(1)
            logarithms.append(self.discriminant * (told + _DOUBT).log())
        if len(self.members):
            both = fields, mirrored(fields)
            answers = [member(seen).softmax(1) for member in self.members for seen in both]
            logarithms.append((torch.stack(answers).mean(0) + _DOUBT).log())
        # A class that nobody was taught must not win by default.
        return torch.stack(logarithms).sum(0) + ABSENT * (1 - self.present)

    def _symmetric(self, fields: Tensor) -> Tensor:
        """The mean of each field and its mirror image, smoothed."""
        even = (fields + mirrored(fields)) / 2
        flat = F.pad(even.squeeze(2), (3, 3, 3, 3), mode="replicate")
        along, down = (self.blur.view(1, 1, *shape).expand(3, 1, *shape) for shape in ((1, 7), (7, 1)))
        return F.conv2d(F.conv2d(flat, along, groups=3), down, groups=3).unsqueeze(2)

    def _fit_discriminant(self, flat: Tensor, y: Tensor) -> None:
        mean, axes, _ = principal_components(flat)
        axes = axes[: len(self.components)]
        for buffer in (self.mean, self.components, self.coefficients, self.intercept):
            buffer.zero_()
        self.mean.copy_(mean)
        if not len(axes):
            return
        scores = (flat - mean) @ axes.T
        present = torch.unique(y).tolist()
        centres = torch.stack([scores[y == label].mean(0) for label in present])
        within = torch.zeros(len(axes), len(axes), dtype=flat.dtype)
        for label, centre in zip(present, centres):
            off = scores[y == label] - centre
            within += off.T @ off / (len(off) * len(present))
        level = within.diagonal().mean().clamp_min(1e-12)
        within = (1 - self.shrinkage) * within + self.shrinkage * level * torch.eye(len(axes), dtype=flat.dtype)
        # Without any shrinkage there may be directions in which no class varies.
        rows = torch.linalg.lstsq(within, centres.T, driver="gelsd").solution.T
        self.components[: len(axes)] = axes.to(self.components)
        self.coefficients[present, : len(axes)] = rows.to(self.coefficients)
        self.intercept[present] = (-0.5 * (rows * centres).sum(1)).to(self.intercept)

    def _train(self, member: _Member, fields: Tensor, y: Tensor, weights: Tensor, generator: torch.Generator) -> None:
        initialise(member, generator)
        member.train()
        parameters = [*member.parameters()]
        update = _AdamW(parameters, self.weight_decay)
        batches = math.ceil(len(y) / self.batch_size)
        spread = self.smoothing / self.shape.n_classes
        for epoch in range(self.epochs):
            for number, index in enumerate(self._batches(len(y), generator)):
                done = (epoch * batches + number) / (self.epochs * batches)
                targets = F.one_hot(y[index], self.shape.n_classes) * (1 - self.smoothing) + spread
                targets = targets * weights[y[index], None]
                with torch.enable_grad():
                    logits = member(self._varied(fields[index], generator), generator)
                    loss = -(targets * logits.log_softmax(1)).sum() / targets.sum()
                    gradients = torch.autograd.grad(loss, parameters)
                update(gradients, self.learning_rate * 0.5 * (1 + math.cos(math.pi * done)))
        member.eval()

    def _batches(self, count: int, generator: torch.Generator) -> Iterator[Tensor]:
        for index in torch.split(torch.randperm(count, generator=generator), self.batch_size):
            # One sample alone has no statistics to be normalised by.
            yield index if len(index) > 1 else index.repeat(2)

    def _varied(self, fields: Tensor, generator: torch.Generator) -> Tensor:
        """Each sample mirrored by chance, and shifted; nothing moves beyond the border."""
        n, _, _, height, width = fields.shape
        turned = torch.rand(n, generator=generator) < 0.5
        fields = torch.where(turned.view(-1, 1, 1, 1, 1), mirrored(fields), fields)
        if not self.shift:
            return fields
        padded = F.pad(fields.squeeze(2), (self.shift,) * 4)
        down, right = torch.randint(0, 2 * self.shift + 1, (2, n), generator=generator)
        rows = (down[:, None] + torch.arange(height)).view(n, 1, height, 1)
        columns = (right[:, None] + torch.arange(width)).view(n, 1, 1, width)
        who, channel = torch.arange(n).view(n, 1, 1, 1), torch.arange(3).view(1, 3, 1, 1)
        return padded[who, channel, rows, columns].unsqueeze(2)


def restored(x: Tensor) -> Tensor:
    """Restore flow whose zero and scale were lost: u and v from their median, strain from its least value.

    Each is divided by its standard deviation.

    Parameters
    ----------
    x : torch.Tensor
        ``(N, 3, 1, H, W)``, each channel up to a shift and a positive factor of its own.

    Returns
    -------
    torch.Tensor
        The same shape; a channel that does not vary is 0.
    """
    flat = x.flatten(2)
    values = flat.sort(2).values
    middle = (values[..., (flat.shape[2] - 1) // 2] + values[..., flat.shape[2] // 2]) / 2
    zero = torch.stack([middle[:, 0], middle[:, 1], values[:, 2, 0]], 1)[..., None]
    deviation = (flat - flat.mean(2, keepdim=True)).square().mean(2, keepdim=True).sqrt()
    still = deviation < _FLAT
    found: Tensor = (flat - zero) / torch.where(still, torch.ones_like(deviation), deviation)
    return torch.where(still, torch.zeros_like(found), found).view_as(x)


def mirrored(fields: Tensor) -> Tensor:
    """Mirror ``(N, 3, 1, H, W)``: swap left and right, and turn u, which points there."""
    swapped = fields.flip(4)
    return torch.cat([-swapped[:, :1], swapped[:, 1:]], 1)


class _AdamW:
    """Adam with decoupled weight decay. PyTorch's own brings its compiler with it, a second and 70 MB."""

    def __init__(self, parameters: Sequence[Tensor], decay: float) -> None:
        self._parameters, self._decay = parameters, decay
        self._first = [torch.zeros_like(p) for p in parameters]
        self._second = [torch.zeros_like(p) for p in parameters]
        self._step = 0

    @torch.no_grad()
    def __call__(self, gradients: Sequence[Tensor], rate: float) -> None:
        self._step += 1
        lost, spread = 1 - 0.9**self._step, 1 - 0.999**self._step
        for p, g, first, second in zip(self._parameters, gradients, self._first, self._second):
            p.mul_(1 - rate * self._decay)
            first.lerp_(g, 0.1)
            second.mul_(0.999).addcmul_(g, g, value=0.001)
            p.addcdiv_(first, (second / spread).sqrt_().add_(1e-8), value=-rate / lost)
