"""The reasons of a network's answer: which places of the face, in which frames.

Everything is compared with a face that does not move: the first frame of the sequence, held. Integrated gradients
(Sundararajan, Taly and Yan, *Axiomatic attribution for deep networks*, ICML 2017) add up the gradient on the way from
that still face to the sequence; Captum computes them, where it is installed. Without it, blocks of the sequence are held
still one after the other and the answer is asked for again (occlusion; Zeiler and Fergus, *Visualizing and understanding
convolutional networks*, ECCV 2014).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fleeting.errors import UsageError, missing_extra, unknown_choice
from fleeting.files import write_atomic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.training import TrainedModel

__all__ = ["Explanation", "draw_explanation", "explain_sequence"]

METHODS = ("integrated gradients", "occlusion")
_STEPS = 24  # of the integral
_AT_ONCE = 8
# Blocks of the occlusion along time, height and width.
_BLOCKS = (4, 8, 8)
_PICTURES = 7
_SIDE, _CAPTION, _GAP = 160, 22, 4


@dataclass(frozen=True)
class Explanation:
    """The places and frames that an answer rests on.

    Attributes
    ----------
    map : numpy.ndarray of float64
        float64 ``(T, H, W)``, for each frame that the network sees and each place: how much it adds to the probability
        of ``target``, compared with a still face; negative where it speaks against it. With integrated gradients the
        sum is about the probability less that of a still face.
    target : object
        The class that is explained.
    probability : float
        That the network gives it.
    method : str
        One of ``"integrated gradients"`` and ``"occlusion"``.
    """

    map: NDArray[np.float64]
    target: Any
    probability: float
    method: str

    def by_frame(self) -> NDArray[np.float64]:
        """``(T,)``: share of what speaks for the answer that lies in each frame; 0 everywhere if nothing does."""
        each = np.clip(self.map, 0, None).sum((1, 2))
        return np.asarray(each / max(float(each.sum()), 1e-12))


def explain_sequence(
    model: TrainedModel | Sequence[TrainedModel],
    sequence: NDArray[np.uint8],
    target: Any = None,
    *,
    method: Literal["auto", "integrated gradients", "occlusion"] = "auto",
) -> Explanation:
    """Which places and frames of a sequence drove the answer.

    Parameters
    ----------
    model : TrainedModel or sequence
        A trained network, or several whose mean is the answer.
    sequence : numpy.ndarray of uint8
        ``uint8`` ``(T, H, W, C)`` as the model's recipe makes it; with motion as the difference from the onset frame,
        that frame comes first and the map has one frame less.
    target : object, optional
        A class; by default the likeliest.
    method : {"auto", "integrated gradients", "occlusion"}, optional
        ``"auto"`` is integrated gradients where Captum is installed, else occlusion.

    Raises
    ------
    UsageError
        If the sequence is not of the model's size, it has no such class, or it is shown one frame only (optical flow,
        features), so that there is no still face to compare with.
    MissingExtraError
        If integrated gradients are asked for by name and Captum is not installed.
    """
    models: list[TrainedModel] = list(model) if isinstance(model, Sequence) else [model]
    if not models:
        raise UsageError("no network to explain; expected at least one")
    if method not in ("auto", *METHODS):
        raise unknown_choice("method of explanation", method, METHODS)
    sequence = np.asarray(sequence)
    if len(sequence) == 1:
        raise UsageError(
            f"{models[0].spec.name} is shown one frame of motion or features, not a face over time; what drove its answer "
            "can be told of models with several frames only"
        )
    probabilities = np.mean([one.predict_proba(sequence[None])[0] for one in models], axis=0)
    classes = list(models[0].classes)
    if target is not None and target not in classes:
        raise unknown_choice("class", target, map(str, classes))
    index = int(probabilities.argmax()) if target is None else classes.index(target)
    installed = find_spec("captum") is not None
    if method == "integrated gradients" and not installed:
        raise missing_extra("integrated gradients", "captum", "explain")
    if method == "auto":
        method = "integrated gradients" if installed else "occlusion"
    explain = _integrated_gradients if method == "integrated gradients" else _occlusion
    found = np.mean([explain(one, sequence, index) for one in models], axis=0)
    return Explanation(found, classes[index], float(probabilities[index]), method)


def _integrated_gradients(model: TrainedModel, sequence: NDArray[np.uint8], index: int) -> NDArray[np.float64]:
    import torch
    from captum.attr import IntegratedGradients

    def standardised(frames: NDArray[np.uint8]) -> torch.Tensor:
        x = torch.from_numpy(frames.transpose(3, 0, 1, 2)[None].astype(np.float32))
        if model.motion == "difference":
            x = x[:, :, 1:] - x[:, :, :1]
        mean, std = (
            torch.tensor(v).view(1, -1, 1, 1, 1) for v in (model.standardisation.mean, model.standardisation.std)
        )
        return (x - mean) / std

    still = np.repeat(sequence[:1], len(sequence), axis=0)
    network = model.model.eval()
    with torch.enable_grad():
        found = IntegratedGradients(lambda x: network(x).softmax(1), multiply_by_inputs=True).attribute(
            standardised(sequence),
            baselines=standardised(still),
            target=index,
            n_steps=_STEPS,
            internal_batch_size=_AT_ONCE,
        )
    return np.asarray(found[0].detach().sum(0).numpy(), np.float64)


def _occlusion(model: TrainedModel, sequence: NDArray[np.uint8], index: int) -> NDArray[np.float64]:
    """The probability that is lost when a block is held still, spread evenly over the block."""
    seen = sequence[len(sequence) - model.spec.shape.n_frames :]
    first = len(sequence) - len(seen)
    edges = [np.unique(np.linspace(0, size, count + 1).round().astype(int)) for size, count in zip(seen.shape, _BLOCKS)]
    blocks = [
        tuple(slice(int(along[k]), int(along[k + 1])) for along, k in zip(edges, place))
        for place in product(*(range(len(along) - 1) for along in edges))
    ]
    whole = float(model.predict_proba(sequence[None])[0, index])
    found = np.zeros(seen.shape[:3])
    for start in range(0, len(blocks), _AT_ONCE):
        some = blocks[start : start + _AT_ONCE]
        held = np.repeat(sequence[None], len(some), axis=0)
        for copy, (t, y, x) in zip(held, some):
            copy[first + t.start : first + t.stop, y, x] = sequence[:1, y, x]
        for block, probability in zip(some, model.predict_proba(held)[:, index]):
            found[block] = (whole - float(probability)) / found[block].size
    return found


def draw_explanation(explanation: Explanation, sequence: NDArray[np.uint8], path: str | os.PathLike[str]) -> Path:
    """Draw what speaks for an answer over the face, as a film strip.

    The frames are put together in up to seven groups; above each stands the share of the evidence that lies in it. The
    brightest place of the strip is where the most lies.

    Parameters
    ----------
    explanation : Explanation
        Result of :func:`explain_sequence`.
    sequence : numpy.ndarray of uint8
        The same.
    path : str or os.PathLike
        Ends in png.

    Raises
    ------
    UsageError
        For another ending, or a sequence that does not belong to the explanation.
    """
    import cv2

    path = Path(path)
    if path.suffix.lower() != ".png":
        raise UsageError(f"{path}: the strip is a png; found {path.suffix or 'no ending'!r}")
    n, height, width = explanation.map.shape
    if len(sequence) < n or sequence.shape[1:3] != (height, width):
        raise UsageError(
            f"the explanation is of {n} frames of {height}×{width}, the sequence has {len(sequence)} of "
            f"{sequence.shape[1]}×{sequence.shape[2]}; give the one that was explained"
        )
    seen = sequence[len(sequence) - n :]
    groups = np.array_split(np.arange(n), min(_PICTURES, n))
    # Attribution is ragged at single pixels; what is meant is a place.
    evidence = np.clip(explanation.map, 0, None)
    size = (round(_SIDE * width / height), _SIDE)
    blurred = [cv2.GaussianBlur(evidence[group].sum(0), (0, 0), max(1.0, height / 32)) for group in groups]
    highest = max(max(float(one.max()) for one in blurred), 1e-12)
    shares = [explanation.by_frame()[group].sum() for group in groups]
    strip: Any = np.full((_SIDE + _CAPTION, len(groups) * (size[0] + _GAP) - _GAP, 3), 255, np.uint8)
    for column, (group, heat, share) in enumerate(zip(groups, blurred, shares)):
        left = column * (size[0] + _GAP)
        face = cv2.resize(_grey(seen[group[len(group) // 2]]), size, interpolation=cv2.INTER_CUBIC)
        strength = cv2.resize(heat / highest, size, interpolation=cv2.INTER_CUBIC).clip(0, 1)
        colour = cv2.applyColorMap((strength * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
        alpha = (0.8 * np.sqrt(strength))[..., None]
        strip[_CAPTION:, left : left + size[0]] = face[..., None] * (1 - alpha) + colour * alpha
        text = f"{100 * share:.0f} %"
        cv2.putText(strip, text, (left + 3, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (90, 90, 90), 1, cv2.LINE_AA)
    content = cv2.imencode(".png", strip)[1].tobytes()
    return write_atomic(path, lambda file: file.write(content))


def _grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    if frame.shape[2] == 1:
        return frame[..., 0]
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
