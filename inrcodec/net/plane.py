"""A plane of samples that is known pixel by pixel, as a lossless alpha is, drawn at another size.

Like the grids of :mod:`inrcodec.net.canvas`: halved as often as there are still as many samples as are drawn, and
interpolated in between.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.net.upsample import reach, resampled

Float = NDArray[np.float32]


class PlaneCanvas:
    """A plane to be drawn.

    Args:
        plane: ``(rows, columns)`` integers.
        peak: the integer that is drawn as 1.
        drawn: columns and rows of the whole drawing.
        columns: the columns that are wanted.
    """

    def __init__(self, plane: NDArray[Any], peak: int, drawn: tuple[int, int], columns: slice) -> None:
        coded = plane.shape[1], plane.shape[0]
        octave = 0
        while max(plane.shape) > 1 and all(-(-s >> 1) >= d for s, d in zip(plane.shape, drawn[::-1], strict=True)):
            plane, octave = _halved(plane), octave + 1
        self._plane, self._scale = plane, np.float32(1 / peak)
        across, self._down = (
            (np.arange(wanted, dtype=np.float64) + 0.5) * (full / (wanted << octave)) - 0.5
            for full, wanted in zip(coded, drawn, strict=True)
        )
        self._across = across[columns]

    def rows(self, top: int, bottom: int) -> Float:
        """Samples ``(bottom - top, columns)`` of some rows, nominally in [0, 1], not clipped."""
        height, width = self._plane.shape
        at = self._down[top:bottom]
        first, last = reach(at, height)
        rows = (self._plane[first:last] * self._scale).astype(np.float32, copy=False)[None]
        drawn: Float = resampled(resampled(rows, first, height, at, 1), 0, width, self._across, 2)[0]
        return drawn


def _halved(plane: NDArray[Any]) -> Float:
    """Means of 2 x 2 samples, the last column and row repeated where their number is odd."""
    rows, columns = plane.shape
    even = np.pad(plane, ((0, rows % 2), (0, columns % 2)), mode="edge")
    total = np.zeros((even.shape[0] // 2, even.shape[1] // 2), np.float32)
    for y in (0, 1):
        for x in (0, 1):
            total += even[y::2, x::2]
    total /= 4
    return total
