"""Which frames of a clip make its sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILL_RULES = ("repeat", "shift")


def apex_window(n_frames: int, apex: int, length: int, *, step: int = 1, fill: str = "repeat") -> NDArray[np.int64]:
    """Choose the frames of the apex sequence: ``length`` frames with the apex at their centre.

    The window is ``[apex - length // 2, apex - length // 2 + length - 1]``, so 36 frames take 18 before the apex and
    18 from it on (Talluri et al. 2022, sec. 4.4). Indexes that fall outside the clip repeat its first or last frame,
    which is how the paper fills clips that are too short.

    Parameters
    ----------
    n_frames : int
        Frames in the clip, at least 1.
    apex : int
        0-based index of the apex frame, in ``[0, n_frames)``.
    length : int
        Frames to return, at least 1.
    step : int, optional
        Take every ``step``-th frame, the apex among them; 1 as published.
    fill : str, optional
        ``"repeat"`` as published; ``"shift"`` moves the window into the clip first and repeats only what the clip is
        too short for, so the apex may leave the centre.

    Returns
    -------
    numpy.ndarray of int64
        int64 array of shape ``(length,)``, non-decreasing, values in ``[0, n_frames)``.

    Raises
    ------
    UsageError
        If ``apex`` lies outside the clip, or another argument is out of range.

    Examples
    --------
    >>> apex_window(n_frames=10, apex=2, length=6)
    array([0, 0, 1, 2, 3, 4])
    >>> apex_window(n_frames=10, apex=2, length=6, fill="shift")
    array([0, 1, 2, 3, 4, 5])
    """
    _check(n_frames, length, step, fill)
    if not 0 <= apex < n_frames:
        raise UsageError(f"apex {apex} lies outside a clip of {n_frames} frames (0 to {n_frames - 1})")
    return _window(n_frames, apex - length // 2 * step, length, step, fill)


def initial_window(n_frames: int, length: int, *, step: int = 1) -> NDArray[np.int64]:
    """Choose the frames of the initial sequence: the first ``length`` frames, the last one repeated where the clip ends.

    Talluri et al. 2022, sec. 7 and table 3.

    Examples
    --------
    >>> initial_window(n_frames=4, length=6)
    array([0, 1, 2, 3, 3, 3])
    """
    _check(n_frames, length, step, "repeat")
    return _window(n_frames, 0, length, step, "repeat")


def _check(n_frames: int, length: int, step: int, fill: str) -> None:
    if n_frames < 1 or length < 1 or step < 1:
        raise UsageError(
            f"a window needs at least one frame, a positive length and step; found {n_frames}, {length} and {step}"
        )
    if fill not in FILL_RULES:
        raise UsageError(f"unknown fill rule {fill!r}; choose one of: {', '.join(FILL_RULES)}")


def _window(n_frames: int, start: int, length: int, step: int, fill: str) -> NDArray[np.int64]:
    indexes = start + step * np.arange(length, dtype=np.int64)
    if fill == "shift":
        indexes -= max(0, int(indexes[-1]) - (n_frames - 1))
        indexes += max(0, -int(indexes[0]))
    return np.clip(indexes, 0, n_frames - 1)
