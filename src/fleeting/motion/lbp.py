"""Local binary patterns: texture as a histogram of how each pixel compares with its neighbours.

Ojala, Pietikäinen and Mäenpää, *Multiresolution gray-scale and rotation invariant texture classification with local
binary patterns*, IEEE TPAMI 24(7), 2002.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["histogram_distance", "lbp_codes", "lbp_histogram", "plane_codes", "uniform_labels"]

NEIGHBOURS = 8


def lbp_codes(image: NDArray[np.uint8], radius: int = 1) -> NDArray[np.uint8]:
    """Compute the pattern of each pixel: bit ``p`` says that neighbour ``p`` is at least as bright (``LBP_8,R``).

    The neighbours lie on a circle, neighbour ``p`` at the angle ``2πp / 8`` counted from the right towards the top;
    between pixels the image is interpolated bilinearly. Beyond the border the nearest pixel stands in.

    Parameters
    ----------
    image : numpy.ndarray of uint8
        Grey ``uint8`` ``(H, W)``.
    radius : int, optional
        Radius of the circle in pixels, at least 1.

    Returns
    -------
    numpy.ndarray of uint8
        ``uint8`` ``(H, W)``.

    Raises
    ------
    UsageError
        For an image of another type or shape, or a radius below 1.
    """
    if image.dtype != np.uint8 or image.ndim != 2 or image.size == 0 or radius < 1:
        raise UsageError(
            f"local binary patterns need a grey uint8 image and a radius of at least 1; found {image.dtype} "
            f"{image.shape} and {radius}"
        )
    return plane_codes(image, (0, 1), (radius, radius))


def plane_codes(volume: NDArray[np.uint8], axes: tuple[int, int], radii: tuple[int, int]) -> NDArray[np.uint8]:
    """Compute the patterns of all planes that two axes of an array span, like :func:`lbp_codes` of each.

    Parameters
    ----------
    volume : numpy.ndarray of uint8
        ``uint8`` of any shape.
    axes : tuple of (int, int)
        The one that points down in the plane, then the one that points to the right.
    radii : tuple of (int, int)
        Half-axes of the ellipse on which the neighbours lie, along each of ``axes``, at least 1.

    Returns
    -------
    numpy.ndarray of uint8
        ``uint8`` like ``volume``.
    """
    down, right = axes
    borders = [0] * volume.ndim
    borders[down], borders[right] = radii[0] + 1, radii[1] + 1
    padded = np.pad(volume, [(border, border) for border in borders], mode="edge").astype(np.float32)
    centre = volume.astype(np.float32)
    codes = np.zeros(volume.shape, np.uint8)

    def moved(dy: int, dx: int) -> NDArray[np.float32]:
        start = list(borders)
        start[down] += dy
        start[right] += dx
        return padded[tuple(slice(first, first + size) for first, size in zip(start, volume.shape))]

    for p in range(NEIGHBOURS):
        angle = 2 * np.pi * p / NEIGHBOURS
        # Rounding keeps neighbours that lie on a pixel on it.
        y, x = round(-radii[0] * np.sin(angle), 6), round(radii[1] * np.cos(angle), 6)
        y0, x0 = int(np.floor(y)), int(np.floor(x))
        fy, fx = np.float32(y - y0), np.float32(x - x0)
        value = moved(y0, x0) * (1 - fy) * (1 - fx)
        if fx:
            value = value + moved(y0, x0 + 1) * (1 - fy) * fx
        if fy:
            value = value + moved(y0 + 1, x0) * fy * (1 - fx)
        if fx and fy:
            value = value + moved(y0 + 1, x0 + 1) * fy * fx
        # On flat skin interpolation must not turn "as bright" into "darker".
        codes |= (value >= centre - np.float32(1e-3)).astype(np.uint8) << p
    return codes


@cache
def uniform_labels() -> NDArray[np.uint8]:
    """Bin each of the 256 codes: 58 uniform patterns, of at most two changes around the circle, and the rest."""
    labels = np.full(2**NEIGHBOURS, 58, np.uint8)
    found = 0
    for code in range(2**NEIGHBOURS):
        turned = (code >> 1) | ((code & 1) << (NEIGHBOURS - 1))
        if (code ^ turned).bit_count() <= 2:
            labels[code] = found
            found += 1
    labels.setflags(write=False)
    return labels


def lbp_histogram(codes: NDArray[np.uint8], *, uniform: bool = True) -> NDArray[np.float64]:
    """Count how often each pattern occurs, as shares that sum to 1.

    Parameters
    ----------
    codes : numpy.ndarray of uint8
        Codes of :func:`lbp_codes`, or a part of them, not empty.
    uniform : bool, optional
        59 bins, all patterns that are not uniform in the last one; otherwise 256.
    """
    values = uniform_labels()[codes] if uniform else codes
    counts = np.bincount(values.ravel(), minlength=59 if uniform else 256)
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def histogram_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute ``1 − Σ h₁h₂ / √(Σ h₁² Σ h₂²)`` over the last axis: 0 for histograms of one shape, 1 if they share no bin.

    The rate of difference by which Yan et al. (2014) and Liong et al. (2015) compare a frame with the first one.
    """
    norm = np.sqrt(np.square(first).sum(-1) * np.square(second).sum(-1))
    product = (first * second).sum(-1)
    return np.asarray(1 - np.divide(product, norm, out=np.ones_like(product), where=norm > 0))
