"""The zoo's register: networks by name, each with its paper and the paper's training."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import torch

from fleeting.errors import UsageError, unknown_choice
from fleeting.models.layers import initialise
from fleeting.models.spec import InputShape, ModelSpec
from fleeting.plugins import load_announced

__all__ = ["ModelInfo", "create_model", "list_models", "model_info", "register_model"]


@dataclass(frozen=True)
class ModelInfo:
    """A registered network.

    Attributes
    ----------
    name : what :func:`create_model` calls it.
    summary : one line.
    paper : where it comes from, with section or table.
    training : the paper's hyper-parameters, as the fields of :class:`fleeting.training.TrainingConfig`.
    options : the network's own options with their defaults.
    """

    name: str
    summary: str
    paper: str
    training: dict[str, Any]
    options: dict[str, Any]


Builder = Callable[..., torch.nn.Module]
B = TypeVar("B", bound=Builder)

_BUILDERS: dict[str, Builder] = {}
_INFOS: dict[str, ModelInfo] = {}


def register_model(name: str, *, paper: str, training: Mapping[str, Any]) -> Callable[[B], B]:
    """Make a network known by name; use it as a decorator on a class or function that builds it.

    What is decorated takes an :class:`InputShape` first and the network's options, all with defaults, as keywords.
    The first line of its docstring becomes the summary.

    Parameters
    ----------
    name : how :func:`create_model` calls it.
    paper : the source, with section or table.
    training : the paper's hyper-parameters, as fields of :class:`fleeting.training.TrainingConfig`.

    Raises
    ------
    UsageError
        If the name is taken, or an option has no default.
    """

    def register(builder: B) -> B:
        if name in _BUILDERS:
            taken = _BUILDERS[name]
            raise UsageError(
                f"a model named {name!r} is registered already ({taken.__module__}.{taken.__qualname__}); "
                "choose another name"
            )
        options = {}
        for parameter in list(inspect.signature(builder).parameters.values())[1:]:
            if parameter.default is parameter.empty:
                raise UsageError(f"model {name!r}: its option {parameter.name!r} needs a default value")
            options[parameter.name] = parameter.default
        summary = (inspect.getdoc(builder) or name).splitlines()[0].rstrip(".")
        _BUILDERS[name] = builder
        _INFOS[name] = ModelInfo(name, summary, paper, dict(training), options)
        return builder

    return register


def list_models(pattern: str = "*") -> list[str]:
    """Names of the registered networks that match a wildcard, sorted.

    >>> list_models("model_a*")
    ['model_a']
    """
    load_announced()
    return sorted(name for name in _INFOS if fnmatchcase(name, pattern))


def model_info(name: str) -> ModelInfo:
    """Paper, training and options of a network.

    Raises
    ------
    UsageError
        If no network has that name.

    Examples
    --------
    >>> model_info("model_a").training["batch_size"]
    4
    """
    if name not in _INFOS:
        load_announced()
    if name not in _INFOS:
        raise unknown_choice("model", name, _INFOS)
    return deepcopy(_INFOS[name])


def create_model(
    name: str,
    *,
    n_classes: int = 3,
    n_frames: int = 36,
    height: int = 128,
    width: int = 128,
    in_channels: int = 1,
    seed: int | torch.Generator = 0,
    **options: Any,
) -> torch.nn.Module:
    """Build a network by name, its weights drawn from ``seed``.

    Parameters
    ----------
    name : one of :func:`list_models`.
    n_classes : logits that come out, at least 2.
    n_frames, height, width, in_channels : the sizes that go in.
    seed : seed or CPU generator for the first weights. The same seed gives the same weights; PyTorch's global
        generator is neither used nor changed.
    options : the network's own, see ``model_info(name).options``.

    Returns
    -------
    Network from ``float32`` ``(N, in_channels, n_frames, height, width)`` to logits ``(N, n_classes)``. Its attribute
    ``spec`` is the :class:`ModelSpec` that builds it again.

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
    for option in options:
        if option not in info.options:
            raise unknown_choice(f"option of {name}", option, info.options)
    shape = InputShape(n_classes, n_frames, height, width, in_channels)
    options = {**info.options, **options}
    # Layers draw first weights from the global generator when they are built; those are drawn again just below.
    with torch.random.fork_rng(devices=[]):
        model = _BUILDERS[name](shape, **options)
    initialise(model, seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed))
    model.spec = ModelSpec(name, shape, options)  # type: ignore[assignment]
    return model
