"""From the upsampled grids to the picture, in NumPy float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from inrcodec.net.activations import ACTIVATE
from inrcodec.net.grid import GridArch

CHUNK = 320
"""Pixels evaluated together: activations fit the first-level cache, and products are too small for BLAS to share them
among threads, which on a busy machine wait for each other longer than they work (a decode took 2.7 s for 1.1)."""

Float = NDArray[np.float32]


class Synthesiser:
    """The per-pixel network.

    Args:
        arch: the architecture.
        tensors: its dequantised tensors.
        channels: which grids the stacks it will see hold; the others count as zero.
    """

    def __init__(self, arch: GridArch, tensors: Mapping[str, Float], channels: Sequence[int]) -> None:
        names = [*(f"S{k}" for k in range(len(arch.hidden))), "S.out"]
        matrices = [tensors[name] for name in names]
        self._deep = arch.hidden[-1] if arch.hidden else 0
        matrices[-1] = matrices[-1][:, [*range(self._deep), *(self._deep + grid for grid in channels)]]
        if arch.hidden:
            matrices[0] = matrices[0][:, list(channels)]
        biases = np.split(tensors["S.bias"], np.cumsum(arch.hidden))
        frequency = np.float32(arch.w0 / 8 if arch.activation == "sine" else 1)
        self._hidden = [(frequency * w, frequency * b[:, None]) for w, b in zip(matrices[:-1], biases, strict=False)]
        self._last = np.ascontiguousarray(matrices[-1]), biases[-1][:, None]
        self._activate = ACTIVATE[arch.activation]

    def __call__(self, stack: Float) -> Float:
        """Samples ``(outputs, rows, columns)`` of a stack ``(channels, rows, columns)``, nominally in [0, 1]."""
        flat = stack.reshape(len(stack), stack.shape[1] * stack.shape[2])
        matrix, bias = self._last
        picture = np.empty((len(matrix), flat.shape[1]), np.float32)
        for start in range(0, flat.shape[1], CHUNK):
            piece = flat[:, start : start + CHUNK]
            seen = np.empty((self._deep + len(flat), piece.shape[1]), np.float32)
            h = seen[self._deep :]
            h[:] = piece
            for k, (weight, add) in enumerate(self._hidden):
                h = np.matmul(weight, h, out=seen[: self._deep] if k + 1 == len(self._hidden) else None)
                h += add
                self._activate(h)
            picture[:, start : start + CHUNK] = matrix @ seen + bias
        return picture.reshape(len(matrix), *stack.shape[1:])


def residual(picture: Float, kernel: Float, ends: tuple[bool, bool], sides: tuple[bool, bool]) -> Float:
    """Add a 3x3 layer to a part of a picture.

    Args:
        picture: ``(outputs, rows, columns)``.
        kernel: ``(outputs, inputs, 3, 3)``.
        ends: whether its first and last row are the whole picture's own, and so are repeated beyond the edge.
        sides: the same of its first and last column.

    Returns:
        The part without the outermost samples of the sides that are not the picture's own: they were only looked at.
    """
    (above, below), (left, right) = ends, sides
    padded = np.pad(picture, ((0, 0), (int(above), int(below)), (int(left), int(right))), mode="edge")
    rows, columns = padded.shape[1] - 2, padded.shape[2] - 2
    result = padded[:, 1 : 1 + rows, 1 : 1 + columns].copy()
    spare = np.empty((rows, columns), np.float32)
    for (out, into, dy, dx), weight in np.ndenumerate(kernel):
        if weight:
            np.multiply(padded[into, dy : dy + rows, dx : dx + columns], weight, out=spare)
            result[out] += spare
    return result
