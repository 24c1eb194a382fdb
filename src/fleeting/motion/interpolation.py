"""The temporal interpolation model (TIM): any number of frames from a sequence of another length.

Zhou, Zhao and Pietikäinen, *Towards a practical lipreading system*, CVPR 2011, section 3; in this field since Pfister et
al., *Recognising spontaneous facial micro-expressions*, ICCV 2011.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["interpolate_frames", "tim_curve", "tim_weights"]


def tim_curve(length: int, t: ArrayLike) -> NDArray[np.float64]:
    """Compute the paper's curve through the eigenvectors of a path graph's Laplacian.

    ``f_k(t) = sin(πkt + π(n − k) / (2n))`` for ``k = 1 … n − 1`` (equation 5). At ``t = 1/n, 2/n, …, 1`` it gives, up to
    a factor, the eigenvectors of the Laplacian ``L = D − W`` of the graph whose ``n`` vertices, the frames, are linked to
    the next and the last one.

    Parameters
    ----------
    length : int
        Frames ``n`` of the sequence.
    t : ArrayLike
        ``(m,)``, places on the curve; the frames lie at ``i / n``.

    Returns
    -------
    numpy.ndarray of float64
        float64 ``(m, n - 1)``.
    """
    k = np.arange(1, length)
    t = np.atleast_1d(np.asarray(t, dtype=np.float64))
    return np.asarray(np.sin(np.pi * k * t[:, None] + np.pi * (length - k) / (2 * length)))


def tim_weights(length: int, positions: ArrayLike) -> NDArray[np.float64]:
    """Compute the share of each frame in each interpolated one.

    The paper maps the frames, their mean taken away, onto the curve by the linear extension of graph embedding and maps
    points of the curve back (equation 9). For linearly independent frames the two maps together are the projection
    below; written so it needs no decomposition of the frames, and holds for frames that depend on one another too, as
    those of a still face do.

    Parameters
    ----------
    length : int
        Frames of the sequence.
    positions : ArrayLike
        ``(m,)``, in frames: 0 is the first, ``length - 1`` the last, 1.5 lies half-way between two.

    Returns
    -------
    numpy.ndarray of float64
        float64 ``(m, length)``; each row sums to 1.

    Raises
    ------
    UsageError
        If there is no frame, or a position lies outside the sequence.

    Examples
    --------
    >>> tim_weights(4, [2]).round(6) + 0.0
    array([[0., 0., 1., 0.]])
    """
    where = np.atleast_1d(np.asarray(positions, dtype=np.float64))
    if length < 1 or where.ndim != 1:
        raise UsageError(
            f"interpolation needs at least one frame and a list of positions; found {length} frames and positions of "
            f"shape {where.shape}"
        )
    if len(where) and not (np.isfinite(where).all() and where.min() >= 0 and where.max() <= length - 1):
        raise UsageError(
            f"positions lie between 0 and {length - 1} in a sequence of {length} frames; found {where.min():g} to "
            f"{where.max():g}"
        )
    frames = np.arange(1, length + 1) / length
    basis = tim_curve(length, frames)
    # The columns are orthogonal, and each has the squared length n / 2.
    return 1.0 / length + tim_curve(length, (where + 1) / length) @ basis.T * (2.0 / length)


def interpolate_frames(
    frames: NDArray[Any], n_frames: int | None = None, *, positions: ArrayLike | None = None
) -> NDArray[Any]:
    """Resample a sequence in time by the temporal interpolation model.

    Parameters
    ----------
    frames : numpy.ndarray
        ``(T, H, W)``, ``(T, H, W, C)`` or any array whose first axis is time.
    n_frames : int or None, optional
        Frames wanted, evenly spread from the first frame to the last; a single one is taken from the middle.
    positions : ArrayLike or None, optional
        Instead of ``n_frames``: where in the sequence, in frames (0 is the first).

    Returns
    -------
    numpy.ndarray
        The frames that were asked for, of the type of ``frames``; whole numbers are rounded and kept in their type's
        range. At the position of a frame the result is that frame.

    Raises
    ------
    UsageError
        If there is no frame, both or neither of ``n_frames`` and ``positions`` are given, or they are impossible.

    Examples
    --------
    >>> interpolate_frames(np.array([[0.0], [1.0], [0.0]]), 5).shape
    (5, 1)
    """
    frames = np.asarray(frames)
    if frames.ndim < 1 or len(frames) == 0:
        raise UsageError(f"interpolation needs frames along the first axis; found an array of shape {frames.shape}")
    if (n_frames is None) == (positions is None):
        raise UsageError("interpolation takes either n_frames or positions")
    if n_frames is not None:
        if n_frames < 1:
            raise UsageError(f"expected at least 1 frame, found n_frames={n_frames}")
        last = len(frames) - 1
        positions = np.linspace(0, last, n_frames) if n_frames > 1 else np.array([last / 2])
    assert positions is not None
    weights = tim_weights(len(frames), positions)
    # Around the mean rounding errors are of the size of the changes, not of the frames.
    mean = frames.mean(axis=0, dtype=np.float64)
    flat = (frames - mean).reshape(len(frames), -1)
    made = (weights @ flat).reshape(len(weights), *frames.shape[1:]) + mean
    if np.issubdtype(frames.dtype, np.integer):
        info = np.iinfo(frames.dtype)
        made = np.clip(np.rint(made), info.min, info.max)
    return np.asarray(made, dtype=frames.dtype if np.issubdtype(frames.dtype, np.number) else np.float64)
