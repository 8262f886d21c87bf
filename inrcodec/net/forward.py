"""The forward pass of the decoder, in NumPy float32, a strip of rows at a time so that memory stays flat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from inrcodec.net.activations import ACTIVATE
from inrcodec.net.arch import Arch
from inrcodec.net.coords import grid

CHUNK = 2048
"""Pixels evaluated together, fewer for layers over 64 wide: the activations then fit the second-level cache."""


def forward(arch: Arch, tensors: Mapping[str, NDArray[np.float32]], coords: NDArray[np.float32]) -> NDArray[np.float32]:
    """Evaluate the network.

    Args:
        arch: its description.
        tensors: dequantised tensors by name (see :meth:`Arch.tensors`).
        coords: ``(n, 2)`` coordinates.

    Returns:
        ``(n, outputs)`` samples, nominally in [0, 1], not clipped.
    """
    *hidden, (w_out, b_out) = arch.layers(tensors)
    samples = np.empty((len(coords), arch.outputs), dtype=np.float32)
    activate = ACTIVATE[arch.activation]
    chunk = max(1, CHUNK * 64 // max(64, arch.encoding.inputs, *arch.hidden))
    for start in range(0, len(coords), chunk):
        h = arch.encoding.features(coords[start : start + chunk]).T
        for weight, bias in hidden:
            h = weight @ h
            h += bias[:, None]
            activate(h)
        samples[start : start + chunk] = (w_out @ h + b_out[:, None]).T
    return samples


def render(
    arch: Arch, tensors: Mapping[str, NDArray[np.float32]], u: NDArray[np.float32], v: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Evaluate the network over the grid of columns ``u`` and rows ``v``.

    Returns:
        ``(len(v) * len(u), outputs)`` samples in raster order.
    """
    rows = max(1, 32 * CHUNK // len(u))
    samples = np.empty((len(v) * len(u), arch.outputs), dtype=np.float32)
    for top in range(0, len(v), rows):
        strip = grid(u, v[top : top + rows])
        samples[top * len(u) : top * len(u) + len(strip)] = forward(arch, tensors, strip)
    return samples
