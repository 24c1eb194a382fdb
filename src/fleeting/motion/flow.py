"""Dense optical flow between two frames, the head's share of it, and optical strain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.errors import UsageError, unknown_choice

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What :func:`dense_flow` can compute; ``tvl1`` needs OpenCV's contributed modules.
FLOW_METHODS = ("dis", "farneback", "tvl1")


def dense_flow(
    first: NDArray[np.uint8], second: NDArray[np.uint8], method: str = "dis", blur: float = 1.0
) -> NDArray[np.float32]:
    """Measure the displacement of every pixel of ``first`` on the way to ``second``, in pixels.

    Parameters
    ----------
    first, second : numpy.ndarray of uint8
        Grey ``uint8`` images of one shape ``(H, W)``.
    method : str, optional
        ``"dis"`` (Kroeger et al. 2016, medium preset), ``"farneback"`` (Farnebäck 2003) or ``"tvl1"`` (Zach, Pock and
        Bischof 2007, OpenCV's defaults), which is by far the slowest.
    blur : float, optional
        Sigma in pixels of the Gaussian that takes sensor noise away first; 0 for none.

    Returns
    -------
    numpy.ndarray of float32
        float32 array of shape ``(H, W, 2)``: x to the right, then y down.

    Raises
    ------
    UsageError
        For an unknown method, ``"tvl1"`` without OpenCV's contributed modules, or images of other types or of two shapes.
    """
    import cv2

    for image in (first, second):
        if image.dtype != np.uint8 or image.ndim != 2 or image.shape != first.shape:
            raise UsageError(
                f"flow needs two grey uint8 images of one shape; found {first.dtype} {first.shape} and "
                f"{second.dtype} {second.shape}"
            )
    if method not in FLOW_METHODS:
        raise unknown_choice("flow method", method, FLOW_METHODS)
    if blur > 0:
        first, second = (cv2.GaussianBlur(image, (0, 0), blur) for image in (first, second))
    if method == "dis":
        return np.asarray(_dis().calc(first, second, None), dtype=np.float32)
    if method == "tvl1":
        return np.asarray(_tvl1().calc(first, second, None), dtype=np.float32)
    flow = cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 4, 15, 3, 5, 1.1, 0)
    return np.asarray(flow, dtype=np.float32)


def _dis() -> Any:
    import cv2

    # Made afresh: the object keeps state between calls, and costs nothing against the flow itself.
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)


def has_tvl1() -> bool:
    """Tell if this OpenCV was built with the contributed modules that TV-L1 flow is part of."""
    import cv2

    return hasattr(getattr(cv2, "optflow", None), "DualTVL1OpticalFlow_create")


def _tvl1() -> Any:
    import cv2

    if not has_tvl1():
        raise UsageError(
            "flow method 'tvl1' needs OpenCV's contributed modules, which this installation lacks; use dis or farneback, "
            "or put opencv-contrib-python-headless in the place of opencv-python-headless"
        )
    return cv2.optflow.DualTVL1OpticalFlow_create()


def fit_similarity(
    flow: NDArray[np.float32], mask: NDArray[np.bool_], rounds: int = 8, stride: int = 2
) -> NDArray[np.float32]:
    """Fit the similarity motion (shift, rotation, scale) that explains most of a flow field, robustly.

    Iteratively re-weighted least squares with Tukey's biweight: the few places that move on their own, which are
    the expression, get no say.

    Parameters
    ----------
    flow : numpy.ndarray of float32
        ``(H, W, 2)`` in pixels.
    mask : numpy.ndarray of bool
        ``(H, W)``; where to look.
    rounds : int, optional
        Re-weightings.
    stride : int, optional
        Use every ``stride``-th pixel of the mask.

    Returns
    -------
    numpy.ndarray of float32
        float32 array like ``flow``: the fitted motion at every pixel.
    """
    height, width = flow.shape[:2]
    grid = np.zeros_like(mask)
    grid[::stride, ::stride] = True
    ys, xs = np.nonzero(mask & grid)
    if len(xs) < 8:
        return np.zeros_like(flow)
    scale = max(height, width) / 2
    x, y = (xs - width / 2) / scale, (ys - height / 2) / scale
    u, v = flow[ys, xs, 0].astype(np.float64), flow[ys, xs, 1].astype(np.float64)
    weights = np.ones(len(xs))
    a = b = c = d = 0.0
    for _ in range(rounds):
        # u = a + c·x − d·y,  v = b + d·x + c·y: in closed form about the weighted means.
        share = weights / weights.sum()
        mx, my, mu, mv = (float(share @ of) for of in (x, y, u, v))
        px, py = share * (x - mx), share * (y - my)
        spread = float(px @ (x - mx) + py @ (y - my))
        if spread > 0:
            c, d = float(px @ u + py @ v) / spread, float(px @ v - py @ u) / spread
        a, b = mu - c * mx + d * my, mv - d * mx - c * my
        distance = np.hypot(u - (a + c * x - d * y), v - (b + d * x + c * y))
        cut = 4.0 * max(float(np.median(distance)), 0.01)
        weights = np.square(np.clip(1 - np.square(distance / cut), 0, 1))
        if weights.sum() < 8:
            break
    x, y = ((np.arange(width) - width / 2) / scale)[None], ((np.arange(height) - height / 2) / scale)[:, None]
    return np.stack([a + c * x - d * y, b + d * x + c * y], axis=2).astype(np.float32)


def remove_head_motion(flow: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give the flow without the head's own motion: ``flow - fit_similarity(flow, mask)``."""
    return np.asarray(flow - fit_similarity(flow, mask), dtype=np.float32)


def skin_flow(
    reference: NDArray[np.uint8], frame: NDArray[np.uint8], mask: NDArray[np.bool_], method: str = "dis"
) -> NDArray[np.float32]:
    """Measure how the skin has moved since the reference, the head's own motion removed.

    Where the head has moved the frame is brought back and the flow measured again, until what is left of the head's
    motion is below a quarter of a pixel: flow is exact for small motions only, and over smooth skin it falls short of
    larger ones.

    Parameters
    ----------
    reference, frame : numpy.ndarray of uint8
        Aligned grey ``uint8`` images ``(H, W)``.
    mask : numpy.ndarray of bool
        ``(H, W)``; the face.

    Returns
    -------
    numpy.ndarray of float32
        float32 ``(H, W, 2)``, pixels; 0 where the head's motion carried the skin out of the picture.
    """
    import cv2

    flow = dense_flow(reference, frame, method)
    more = fit_similarity(flow, mask)
    head = np.zeros_like(flow)
    height, width = mask.shape
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
    for _ in range(5):
        if not mask.any() or np.hypot(more[..., 0], more[..., 1])[mask].max() <= 0.25:
            break
        head += more
        back = cv2.remap(frame, xx + head[..., 0], yy + head[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        flow = dense_flow(reference, np.asarray(back, dtype=np.uint8), method)
        more = fit_similarity(flow, mask)
    skin = np.asarray(flow - more, dtype=np.float32)
    x, y = xx + head[..., 0], yy + head[..., 1]
    border = 4.0 if head.any() else 0.0
    outside = (x < border) | (y < border) | (x > width - 1 - border) | (y > height - 1 - border)
    skin[outside] = 0
    return skin


def optical_strain(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the magnitude of the optical strain: how much the skin is stretched, whatever it is moved.

    ``ε = ½(∇u + ∇uᵀ)``; the result is ``sqrt(ε_xx² + ε_yy² + 2 ε_xy²)`` (Shreve et al. 2011; Liong et al. 2018).

    Parameters
    ----------
    flow : numpy.ndarray of float32
        ``(H, W, 2)`` in pixels.

    Returns
    -------
    numpy.ndarray of float32
        float32 array of shape ``(H, W)``, 0 for any translation.
    """
    u, v = flow[..., 0].astype(np.float64), flow[..., 1].astype(np.float64)
    uy, ux = np.gradient(u)
    vy, vx = np.gradient(v)
    shear = 0.5 * (uy + vx)
    return np.asarray(np.sqrt(ux**2 + vy**2 + 2 * shear**2), dtype=np.float32)


def flow_channels(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give flow and its strain as the three channels that networks are shown: ``(H, W, 3)``, u, v and strain.

    Parameters
    ----------
    flow : numpy.ndarray of float32
        ``(H, W, 2)`` in pixels; the strain has no unit.
    """
    return np.dstack([flow, optical_strain(flow)]).astype(np.float32)


def min_max_channels(field: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Stretch each channel to 0..255 by its own least and greatest value, as the flow of the MEGC2019 composite is.

    Where nothing moved lies at another grey level in each image, and how far it moved is lost. A channel that is the
    same everywhere becomes 0.

    Parameters
    ----------
    field : numpy.ndarray
        ``(H, W, C)``, finite.

    Examples
    --------
    >>> min_max_channels(np.array([[[-1.0, 7.0], [0.0, 7.0], [3.0, 7.0]]]))[0].tolist()
    [[0, 0], [64, 0], [255, 0]]
    """
    values = field.astype(np.float64)
    low = values.min((0, 1))
    spread = values.max((0, 1)) - low
    shares = (values - low) / np.where(spread > 0, spread, 1.0)
    return np.asarray(np.rint(shares * 255), dtype=np.uint8)
