"""A plane of samples that is known pixel by pixel, as a lossless alpha is, drawn at another size like the colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.net.canvas import strip_rows
from inrcodec.net.resample import Resampled, Side

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
        self._plane, self._scale = plane, np.float32(1 / peak)
        rows, wide = plane.shape
        left, right = Side(wide, drawn[0]).needs(columns.start, columns.stop)
        self._resampled = Resampled(self._part, (wide, rows), drawn, columns, strip_rows(right - left))

    def rows(self, top: int, bottom: int) -> Float:
        """Samples ``(bottom - top, columns)`` of some rows, nominally in [0, 1], not clipped."""
        samples: Float = self._resampled.rows(top, bottom)[0]
        return samples

    def _part(self, top: int, bottom: int, left: int, right: int) -> Float:
        """A part of the plane at its own size, ``(1, rows, columns)``."""
        part: Float = (self._plane[top:bottom, left:right] * self._scale).astype(np.float32, copy=False)
        return part[None]
