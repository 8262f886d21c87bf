"""How far two pictures are apart: PSNR and MS-SSIM, in NumPy alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.pixels import Pixels

_TAPS = 11
_SIGMA = 1.5
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the five scales, finest first (Wang et al. 2003)
_C1, _C2 = 0.01**2, 0.03**2

_PIECE = 1 << 20
"""Samples compared at a time, so that large pictures take no more memory than they are."""

MIN_SIDE = (_TAPS - 1) * 2 ** (len(_WEIGHTS) - 1) + 1
"""Shortest side in pixels for which MS-SSIM is defined: 161."""


def psnr(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio in dB over all samples together; ``inf`` for equal pictures.

    Args:
        a: samples of type ``uint8`` (peak 255) or ``uint16`` (peak 65535), of any shape.
        b: samples of the same type and shape.

    Raises:
        ValueError: the types or shapes differ, or the type is another one.
    """
    peak = _peak(a, b)
    squares, one, other = 0, a.reshape(-1), b.reshape(-1)
    for start in range(0, one.size, _PIECE):  # exact, and the same in any order
        difference = one[start : start + _PIECE].astype(np.int64) - other[start : start + _PIECE]
        squares += int(np.einsum("i,i->", difference, difference))
    if squares == 0:
        return math.inf
    return 10.0 * math.log10(peak * peak * a.size / squares)


def picture_psnr(original: Pixels, array: NDArray[Any]) -> float:
    """PSNR in dB of colours, over the pixels of the original that are not fully transparent.

    Args:
        original: the picture; its alpha says which pixels count.
        array: colours that were drawn of it, of the same type and shape.

    Returns:
        As :func:`psnr`; ``inf`` for a picture of which nothing can be seen.

    Raises:
        ValueError: the types or shapes differ.
    """
    visible = original.visible
    if visible is None:
        return psnr(original.array, array)
    _peak(original.array, array)
    return psnr(original.array[visible], array[visible])


def ms_ssim(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Multi-scale structural similarity, at most 1; the mean over channels, as pytorch-msssim computes it.

    Args:
        a: ``(height, width, channels)`` samples, ``uint8`` or ``uint16``.
        b: samples of the same type and shape.

    Returns:
        The similarity, or ``nan`` where a side is shorter than `MIN_SIDE` pixels.

    Raises:
        ValueError: the types or shapes differ.
    """
    peak = _peak(a, b)
    if a.ndim != 3:
        raise ValueError(f"expected a (height, width, channels) array, got shape {a.shape}")
    if min(a.shape[:2]) < MIN_SIDE:
        return math.nan
    return float(np.mean([_channel(a[:, :, c] / peak, b[:, :, c] / peak) for c in range(a.shape[2])]))


def _channel(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """MS-SSIM of one channel in [0, 1]: contrast at every scale, luminance at the coarsest alone."""
    product = 1.0
    for scale, weight in enumerate(_WEIGHTS):
        if scale:
            x, y = _halve(x), _halve(y)
        ssim, contrast = _ssim(x, y)
        last = scale == len(_WEIGHTS) - 1
        product *= max(ssim if last else contrast, 0.0) ** weight
    return product


def _ssim(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Mean SSIM and its mean contrast-structure part, under a Gaussian window."""
    mx, my = _blur(x), _blur(y)
    vx, vy, cov = _blur(x * x) - mx * mx, _blur(y * y) - my * my, _blur(x * y) - mx * my
    contrast = (2 * cov + _C2) / (vx + vy + _C2)
    luminance = (2 * mx * my + _C1) / (mx * mx + my * my + _C1)
    return float((luminance * contrast).mean()), float(contrast.mean())


def _blur(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian window along both axes, without padding."""
    taps = np.exp(-((np.arange(_TAPS) - _TAPS // 2) ** 2) / (2 * _SIGMA**2))
    taps /= taps.sum()
    height, width = x.shape[0] - _TAPS + 1, x.shape[1] - _TAPS + 1
    rows = sum((tap * x[i : i + height] for i, tap in enumerate(taps)), np.zeros((height, x.shape[1])))
    return sum((tap * rows[:, i : i + width] for i, tap in enumerate(taps)), np.zeros((height, width)))


def _halve(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of 2x2 blocks; an odd side is padded with a zero at both ends, which is what the reference does."""
    x = np.pad(x, [(side % 2, side % 2) for side in x.shape])
    height, width = x.shape[0] // 2 * 2, x.shape[1] // 2 * 2
    return (x[:height:2, :width:2] + x[1:height:2, :width:2] + x[:height:2, 1:width:2] + x[1:height:2, 1:width:2]) / 4


def _peak(a: NDArray[Any], b: NDArray[Any]) -> int:
    """The largest sample value of the two pictures' common type."""
    if a.shape != b.shape or a.dtype != b.dtype:
        raise ValueError(f"pictures differ in kind: {a.dtype} {a.shape} and {b.dtype} {b.shape}")
    if a.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"expected uint8 or uint16 samples, got {a.dtype}")
    return 255 if a.dtype == np.uint8 else 65535
