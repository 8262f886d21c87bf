"""Pixel coordinates.

Both axes are centred and scaled by the same factor, so that the longer side spans [-1, 1] and pixels stay square
(COIN divides both axes by the height alone, L0onie stretches each axis to [-1, 1]; neither is isotropic). A pixel
is sampled at its centre, which makes the grid of a rescaled picture cover exactly the same area.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def axis(samples: int, extent: float) -> NDArray[np.float32]:
    """Centres of ``samples`` equal cells over ``[-extent, extent]``, shape ``(samples,)``."""
    centres = (2.0 * np.arange(samples, dtype=np.float64) + 1.0) / samples - 1.0
    return (centres * extent).astype(np.float32)


def axes(width: int, height: int, out_width: int, out_height: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Coordinates of the columns and rows of a picture drawn at ``out_width x out_height``.

    Args:
        width: columns of the coded picture; with ``height`` it fixes the extent of the domain.
        height: rows of the coded picture.
        out_width: columns wanted.
        out_height: rows wanted.

    Returns:
        ``u`` of shape ``(out_width,)`` and ``v`` of shape ``(out_height,)``.
    """
    longer = max(width, height)
    return axis(out_width, width / longer), axis(out_height, height / longer)


def grid(u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.float32]:
    """All pairs in raster order, shape ``(len(v) * len(u), 2)`` holding ``(u, v)``."""
    pairs = np.empty((len(v), len(u), 2), dtype=np.float32)
    pairs[..., 0] = u[None, :]
    pairs[..., 1] = v[:, None]
    return pairs.reshape(-1, 2)
