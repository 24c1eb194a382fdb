"""Eulerian video magnification: small motions made visible, without measuring them.

Wu, Rubinstein, Shih, Guttag, Durand and Freeman, *Eulerian video magnification for revealing subtle changes in the
world*, ACM Transactions on Graphics (SIGGRAPH) 31(4), 2012.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from fleeting.errors import UsageError, unknown_choice

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MICRO_BAND", "band_pass", "band_strengths", "magnify_motion"]

TemporalFilter = Literal["ideal", "butterworth", "iir"]
Pyramid = Literal["laplacian", "gaussian"]

#: Hertz. A micro-expression lasts 1/25 to 1/2 s, and rises and falls within it.
MICRO_BAND = (0.4, 12.5)
# A level with fewer pixels on a side says nothing about where in the picture something moves.
_LEAST_SIDE = 8
# Luminance and chrominance as in the paper's section 5, which magnifies in YIQ.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])


def band_pass(
    signal: NDArray[np.floating[Any]],
    fps: float,
    band: tuple[float, float],
    method: TemporalFilter = "ideal",
) -> NDArray[np.float32]:
    """Keep of a signal what varies within a band of frequencies; the first axis is time.

    Parameters
    ----------
    signal : numpy.ndarray
        ``(T, ...)``.
    fps : float
        Samples per second.
    band : tuple of (float, float)
        Lowest and highest frequency in hertz.
    method : TemporalFilter, optional
        ``"ideal"``: everything outside the band is cut, nothing is delayed. The signal is mirrored at its ends (the
        paper repeats it), so that a clip need not end where it began. ``"butterworth"``: the difference of two
        Butterworth low-passes of first order, which needs no frame of the future. ``"iir"``: the same of two
        exponential averages, the paper's filter for live video.

    Returns
    -------
    numpy.ndarray of float32
        float32 like ``signal``; 0 where it is constant.

    Raises
    ------
    UsageError
        For an unknown method, a band that is none, or, with ``"ideal"``, a signal too short to tell the band's
        frequencies from constant light.
    """
    values = np.asarray(signal, dtype=np.float32)
    low, high = (float(edge) for edge in band)
    if not (fps > 0 and 0 <= low < high) or values.ndim < 1 or len(values) < 1:
        raise UsageError(
            f"a band-pass needs frames, a positive frame rate and a band 0 <= low < high in hertz; found {len(values)} "
            f"frames, {fps:g} frames per second and {low:g} to {high:g} Hz"
        )
    if method not in get_args(TemporalFilter):
        raise unknown_choice("temporal filter", method, get_args(TemporalFilter))
    if method == "ideal":
        return _ideal(values, fps, low, high)
    first = values[:1]
    shifted = values - first  # at rest before the clip began
    return np.asarray(_low_pass(shifted, fps, high, method) - _low_pass(shifted, fps, low, method), dtype=np.float32)


def _ideal(values: NDArray[np.float32], fps: float, low: float, high: float) -> NDArray[np.float32]:
    from scipy.fft import dct, idct

    frequencies = np.arange(len(values)) * fps / (2 * len(values))
    kept = (frequencies >= low) & (frequencies <= high) & (frequencies > 0)
    if not kept.any():
        need = "more frames" if high < fps / (2 * len(values)) else "a wider band"
        raise UsageError(
            f"{len(values)} frames at {fps:g} a second hold no frequency between {low:g} and {high:g} Hz, only multiples "
            f"of {fps / (2 * len(values)):.3g} Hz up to {fps / 2:g}; give {need}"
        )
    spectrum = dct(values, axis=0, norm="ortho")
    spectrum[~kept] = 0
    return np.asarray(idct(spectrum, axis=0, norm="ortho"), dtype=np.float32)


def _low_pass(values: NDArray[np.float32], fps: float, cut: float, method: str) -> NDArray[np.float32]:
    from scipy.signal import butter, lfilter

    if cut <= 0:
        return np.zeros_like(values)
    if cut >= fps / 2:
        return values
    if method == "butterworth":
        b, a = butter(1, cut / (fps / 2))
    else:
        share = 1 - np.exp(-2 * np.pi * cut / fps)
        b, a = np.array([share]), np.array([1.0, share - 1])
    return np.asarray(lfilter(b, a, values, axis=0), dtype=np.float32)


def band_strengths(levels: int, shape: tuple[int, int], alpha: float, wavelength: float) -> list[float]:
    """Compute the magnification of each level of the pyramid, finest first, which the paper's figure 6 shows.

    A pattern of wavelength ``λ`` can be moved by up to ``λ / 8`` before the first-order expansion breaks down:
    ``(1 + α) δ < λ / 8`` (equation 14). With ``δ`` such that the bound is met at the cut-off ``λ_c``, a level keeps
    ``α`` where ``λ`` is longer, and gets ``λ / (8 δ) − 1`` where it is shorter, but never less than 0. The finest level
    and what is left at the coarsest are not magnified: they hold the noise and the light (as the authors do it).

    Parameters
    ----------
    levels : int
        Levels of the pyramid, the coarsest included.
    shape : tuple of (int, int)
        Height and width of the picture, which set the wavelengths: a third of the diagonal at the coarsest level, half
        of it at the next, as the authors have it.
    alpha : float
        Magnification ``α``.
    wavelength : float
        ``λ_c`` in pixels.
    """
    if levels < 1 or alpha < 0 or wavelength <= 0:
        raise UsageError(
            "expected at least 1 level, a magnification of at least 0 and a positive wavelength; found "
            f"{levels}, {alpha:g} and {wavelength:g}"
        )
    delta = wavelength / 8 / (1 + alpha)
    coarsest = float(np.hypot(*shape)) / 3
    found = []
    for level in range(levels):
        own = coarsest / 2 ** (levels - 1 - level)
        found.append(0.0 if level in (0, levels - 1) else float(np.clip(own / 8 / delta - 1, 0, alpha)))
    return found


def magnify_motion(
    frames: NDArray[np.uint8],
    fps: float,
    *,
    alpha: float = 10.0,
    band: tuple[float, float] = (0.4, 3.0),
    wavelength: float = 16.0,
    temporal: TemporalFilter = "ideal",
    pyramid: Pyramid = "laplacian",
    levels: int | None = None,
    chrominance: float = 0.1,
) -> NDArray[np.uint8]:
    """Make small motions larger, about ``1 + alpha`` times for patterns longer than ``wavelength``.

    Each frame is split into levels of detail, what varies in time within ``band`` is taken from each level, multiplied
    and added to the frame (sections 3 to 5). The defaults are the paper's for its sleeping baby (table 1).

    Parameters
    ----------
    frames : numpy.ndarray of uint8
        ``uint8`` ``(T, H, W)``, ``(T, H, W, 1)`` or RGB ``(T, H, W, 3)``.
    fps : float
        Frames per second.
    alpha : float, optional
        Magnification ``α``; 0 changes nothing.
    band : tuple of (float, float), optional
        Hertz. :data:`MICRO_BAND` holds micro-expressions.
    wavelength : float, optional
        ``λ_c`` in pixels: shorter patterns are magnified less, see :func:`band_strengths`.
    temporal : TemporalFilter, optional
        ``"ideal"``, ``"butterworth"`` or ``"iir"``, see :func:`band_pass`.
    pyramid : Pyramid, optional
        ``"laplacian"`` for motion; ``"gaussian"`` for changes of colour: only the coarsest level is magnified, by the
        whole of ``alpha``.
    levels : int or None, optional
        Levels of the pyramid; by default as many as leave 8 pixels on a side.
    chrominance : float, optional
        Share of ``alpha`` that the colour gets, which is noisier than the brightness.

    Returns
    -------
    numpy.ndarray of uint8
        ``uint8`` like ``frames``.

    Raises
    ------
    UsageError
        For frames of another type or shape, or an option that cannot be.
    """
    frames = np.asarray(frames)
    if (
        frames.dtype != np.uint8
        or frames.ndim not in (3, 4)
        or frames.shape[3:] not in ((), (1,), (3,))
        or not frames.size
    ):
        raise UsageError(
            f"magnification takes uint8 frames (T, H, W), (T, H, W, 1) or (T, H, W, 3); found {frames.dtype} {frames.shape}"
        )
    if pyramid not in get_args(Pyramid):
        raise unknown_choice("pyramid", pyramid, get_args(Pyramid))
    height, width = frames.shape[1:3]
    most = max(1, int(np.log2(max(1, min(height, width) / _LEAST_SIDE))) + 1)
    count = most if levels is None else levels
    if not 1 <= count <= int(np.log2(min(height, width))) + 1 or not 0 <= chrominance <= 1:
        raise UsageError(
            f"expected 1 to {int(np.log2(min(height, width))) + 1} levels for {width}×{height} pixels and a chrominance "
            f"from 0 to 1; found {count} and {chrominance:g}"
        )
    if pyramid == "laplacian":
        strengths = band_strengths(count, (height, width), alpha, wavelength)
    else:
        strengths = [0.0] * (count - 1) + [alpha]
    picture = frames.reshape(len(frames), height, width, -1).astype(np.float32)
    colour = picture.shape[3] == 3
    if colour:
        picture = picture @ _TO_YIQ.T.astype(np.float32)
    change = _changes(picture, fps, band, temporal, pyramid, strengths)
    if colour:
        change[..., 1:] *= chrominance
        change = change @ np.linalg.inv(_TO_YIQ).T.astype(np.float32)
    made = frames.reshape(change.shape) + change
    return np.asarray(np.clip(np.rint(made), 0, 255), dtype=np.uint8).reshape(frames.shape)


def _changes(
    picture: NDArray[np.float32],
    fps: float,
    band: tuple[float, float],
    temporal: TemporalFilter,
    pyramid: Pyramid,
    strengths: list[float],
) -> NDArray[np.float32]:
    """What is added to the frames ``(T, H, W, C)``: the filtered levels, each magnified, put together again."""
    import cv2

    sizes = [(picture.shape[2], picture.shape[1])]
    for _ in strengths[1:]:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    levels: list[list[NDArray[np.float32]]] = [[] for _ in strengths]
    for frame in picture:
        level = frame
        for k in range(len(strengths)):
            if k == len(strengths) - 1:
                levels[k].append(level)
                break
            down = cv2.pyrDown(level, dstsize=sizes[k + 1]).reshape(sizes[k + 1][1], sizes[k + 1][0], -1)
            if strengths[k]:
                up = cv2.pyrUp(down, dstsize=sizes[k]).reshape(level.shape)
                levels[k].append(level - up if pyramid == "laplacian" else level)
            level = down
    total: NDArray[np.float32] | None = None
    for k in reversed(range(len(strengths))):
        if total is not None:
            grown = [cv2.pyrUp(part, dstsize=sizes[k]).reshape(sizes[k][1], sizes[k][0], -1) for part in total]
            total = np.stack(grown)
        if strengths[k]:
            # Filtering is linear in time, so it may come after the split in space.
            moved = band_pass(np.stack(levels[k]), fps, band, temporal) * np.float32(strengths[k])
            total = moved if total is None else total + moved
    return np.zeros_like(picture) if total is None else total
