"""Networks by name, each with its paper and the paper's training."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

from fleeting.errors import UsageError, unknown_choice
from fleeting.files import read_rows
from fleeting.models.direct import DirectModel
from fleeting.models.layers import initialise
from fleeting.models.spec import InputShape, ModelSpec, check_seed
from fleeting.plugins import source_digest
from fleeting.registry import Registry

__all__ = [
    "MODELS",
    "ModelInfo",
    "Score",
    "create_model",
    "list_models",
    "model_info",
    "register_model",
    "weight_shapes",
]


@dataclass(frozen=True)
class Score:
    """Figures of a model under leave-one-subject-out on the composite of the 2019 challenge (MEGC 2019, CDE).

    Attributes
    ----------
    data : str
        Clips that it was scored on: the real composite's part (``"full"`` is all of it), or a synthetic one.
    uf1, uar : float
        Mean of the classes' F1 scores and of their recalls, of all folds pooled.
    source : str
        The paper, or the command that prints the figures.
    """

    data: str
    uf1: float
    uar: float
    source: str


@dataclass(frozen=True)
class ModelInfo:
    """A registered network.

    Attributes
    ----------
    name : str
        Name in the registry.
    summary : str
        One line.
    paper : str
        Source, with section or table.
    training : dict of str to object
        The paper's hyper-parameters, as the fields of :class:`fleeting.training.TrainingConfig`.
    options : dict of str to object
        The network's own options with their defaults.
    sizes : dict of str to int
        Sizes that the paper feeds it: ``n_frames``, ``height``, ``width``.
    source : str or None
        Hash of the file of a network from outside, by which runs tell its versions apart; ``None`` for ours.
    recipe : str
        Recipe that makes its sequences unless something else is asked for, as on the command line.
    channels : int
        Channels of its input unless something else is asked for.
    """

    name: str
    summary: str
    paper: str
    training: dict[str, Any]
    options: dict[str, Any]
    sizes: dict[str, int] = field(default_factory=dict)
    source: str | None = None
    recipe: str = "talluri2022"
    channels: int = 1

    @property
    def published(self) -> tuple[Score, ...]:
        """Figures that papers report on the real composite; empty if none does."""
        rows = read_rows("fleeting.models", "published_megc2019.csv")
        return tuple(_score(row, "subset", "source") for row in rows if row["model"] == self.name)

    @property
    def measured(self) -> tuple[Score, ...]:
        """Figures that ours reached on a synthetic composite, never to be compared with the published ones."""
        rows = read_rows("fleeting.models", "measured_megc2019.csv")
        return tuple(_score(row, "data", "command") for row in rows if row["model"] == self.name)


def _score(row: Mapping[str, str], data: str, source: str) -> Score:
    return Score(row[data], float(row["uf1"]), float(row["uar"]), row[source])


SIZES = ("n_frames", "height", "width")

Builder = Callable[..., torch.nn.Module]
B = TypeVar("B", bound=Builder)


@dataclass(frozen=True)
class RegisteredModel:
    """A network's builder and what is known of it.

    Attributes
    ----------
    builder : callable
        Takes an :class:`InputShape` and the network's options.
    info : ModelInfo
        Its paper, training and options.
    """

    builder: Builder
    info: ModelInfo


MODELS: Registry[RegisteredModel] = Registry("model")
_TAKEN = ("name", "seed", *InputShape.__dataclass_fields__)


def register_model(
    name: str,
    *,
    paper: str,
    training: Mapping[str, Any],
    sizes: tuple[int, int, int] = (36, 128, 128),
    channels: int = 1,
    recipe: str = "talluri2022",
) -> Callable[[B], B]:
    """Make a network known by name; use it as a decorator on a class or function that builds it.

    The class or function takes an :class:`InputShape` first and the network's options, all with defaults, as keywords.
    The first line of its docstring becomes the summary.

    Parameters
    ----------
    name : str
        Name in the registry.
    paper : str
        The source, with section or table.
    training : mapping
        The paper's hyper-parameters, as fields of :class:`fleeting.training.TrainingConfig`. Those of a
        :class:`~fleeting.models.direct.DirectModel` get ``optimizer="none"`` by themselves.
    sizes : tuple of (int, int, int), optional
        Frames, height and width that the paper feeds it, the defaults of :func:`create_model`.
    channels : int, optional
        Channels that the paper feeds it, the default of :func:`create_model`: 1 for grey, 3 for RGB or optical flow.
    recipe : str, optional
        Recipe that makes its sequences, ``NAME[,field=value...]`` as on the command line.

    Raises
    ------
    UsageError
        If the name is taken, or an option has no default or the name of a size.
    """

    def register(builder: B) -> B:
        options = {}
        for parameter in list(inspect.signature(builder).parameters.values())[1:]:
            if parameter.default is parameter.empty:
                raise UsageError(f"model {name!r}: its option {parameter.name!r} needs a default value")
            if parameter.name in _TAKEN:
                raise UsageError(
                    f"model {name!r}: an option cannot be called {parameter.name!r}, which create_model() takes itself; "
                    "rename it"
                )
            options[parameter.name] = parameter.default
        summary = (inspect.getdoc(builder) or name).splitlines()[0].rstrip(".")
        direct = isinstance(builder, type) and issubclass(builder, DirectModel)
        info = ModelInfo(
            MODELS.spell(name),
            summary,
            paper,
            {"optimizer": "none", **training} if direct else dict(training),
            options,
            dict(zip(SIZES, sizes, strict=True)),
            source_digest(builder),
            recipe,
            channels,
        )
        MODELS.add(name, RegisteredModel(builder, info), place=builder)
        return builder

    return register


def list_models(pattern: str = "*") -> list[str]:
    """List the names of the registered networks that match a wildcard, sorted.

    >>> list_models("model_a*")
    ['model_a']
    """
    return MODELS.list(pattern)


def model_info(name: str) -> ModelInfo:
    """Give the paper, training, options and sizes of a network.

    Raises
    ------
    UsageError
        If no network has that name.

    Examples
    --------
    >>> model_info("model_a").training["batch_size"]
    4
    """
    return deepcopy(MODELS.find(name).info)


def create_model(
    name: str,
    *,
    n_classes: int = 3,
    n_frames: int | None = None,
    height: int | None = None,
    width: int | None = None,
    in_channels: int | None = None,
    seed: int | torch.Generator = 0,
    **options: Any,
) -> torch.nn.Module:
    """Build a network by name, its weights drawn from ``seed``.

    Parameters
    ----------
    name : str
        One of :func:`list_models`.
    n_classes : int, optional
        Logits that come out, at least 2.
    n_frames, height, width : int or None, optional
        The sizes that go in; those of the paper by default, see ``model_info(name).sizes``.
    in_channels : int or None, optional
        1 for grey, 3 for RGB or optical flow; what the paper feeds it by default.
    seed : int or torch.Generator, optional
        Random seed of the first weights, from 0 to 2**63 - 1, or a CPU generator. The same seed gives the same weights;
        PyTorch's global generator is neither used nor changed.
    options : object
        The network's own, see ``model_info(name).options``.

    Returns
    -------
    torch.nn.Module
        Network from ``float32`` ``(N, in_channels, n_frames, height, width)`` to logits ``(N, n_classes)``. Its
        attribute ``spec`` is the :class:`ModelSpec` that builds it again.

    Raises
    ------
    UsageError
        If the name or an option is unknown, or the network cannot take these sizes; says which it can.

    Examples
    --------
    >>> model = create_model("model_a", n_frames=18, height=64, width=64)
    >>> tuple(model(torch.zeros(2, 1, 18, 64, 64)).shape)
    (2, 3)
    """
    info = model_info(name)
    name = info.name
    _check_options(info, options)
    given = {"n_frames": n_frames, "height": height, "width": width}
    sizes = {**info.sizes, **{size: value for size, value in given.items() if value is not None}}
    shape = InputShape(n_classes, in_channels=info.channels if in_channels is None else in_channels, **sizes)
    options = {**info.options, **options}
    seed = seed if isinstance(seed, torch.Generator) else check_seed(seed)
    # Layers draw first weights from the global generator when they are built; those are drawn again just below.
    with torch.random.fork_rng(devices=[]):
        # Layers that `initialise` does not know keep what they draw here.
        torch.default_generator.manual_seed(seed.initial_seed() if isinstance(seed, torch.Generator) else seed)
        model = MODELS.find(name).builder(shape, **options)
    initialise(model, seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed))
    model.spec = ModelSpec(name, shape, options)  # type: ignore[assignment]
    return model


def weight_shapes(spec: ModelSpec) -> dict[str, tuple[int, ...]] | None:
    """Give the shapes of all that a network keeps in its file, without the memory that it takes.

    Returns
    -------
    dict of str to tuple of int or None
        Shapes by the names of ``state_dict()``; ``None`` of a network of one's own that cannot be built without memory.

    Raises
    ------
    UsageError
        If the name or an option is unknown, or the network cannot take these sizes.

    Examples
    --------
    >>> weight_shapes(ModelSpec("model_a", InputShape(3, 36, 128, 128)))["output.weight"]
    (3, 128)
    """
    registered = MODELS.find(spec.name)
    _check_options(registered.info, spec.options)
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            model = registered.builder(spec.shape, **{**registered.info.options, **spec.options})
    except (NotImplementedError, RuntimeError):
        if registered.info.source is None:
            raise
        return None
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def _check_options(info: ModelInfo, options: Mapping[str, Any]) -> None:
    for option in options:
        if option not in info.options:
            raise unknown_choice(f"option of {info.name}", option, info.options)
