"""The ladder of two-fold upsamplings in NumPy float32, any rows of any octave, so that memory stays flat.

A rung makes of ``x`` the samples ``2i``, ``sum_j taps[j] x[i - 2 + j]``, and ``2i + 1``, its mirror image, along the
columns and then along the rows, edges repeated. At every octave its own grid joins the stack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.net.grid import TAPS, GridArch

UNIT = 1.0
"""The synthesiser sees latents times this, so that its inputs are of order one."""

BICUBIC = (-0.03515625, 0.26171875, 0.87890625, -0.10546875)
"""Taps at columns -2 .. 1 of the left one of two new samples: Keys' cubic (a = -3/4) a quarter to the left."""

Float = NDArray[np.float32]


class Ladder:
    """The upsampled grids of a picture.

    Args:
        arch: the architecture.
        tensors: its dequantised tensors.
        latents: of the grids, coarsest first; the finest may be missing, and count as zero.
        width: columns of the picture.
        height: rows of the picture.
    """

    def __init__(
        self,
        arch: GridArch,
        tensors: Mapping[str, Float],
        latents: Sequence[NDArray[Any]],
        width: int,
        height: int,
    ) -> None:
        self._arch = arch
        self._size = height, width
        self._taps = np.array(BICUBIC, np.float32) + tensors["U"] if arch.coarsest else np.zeros((0, TAPS), np.float32)
        # Upsampling is linear: a grid of zeros stays one, and need not be carried along.
        self._planes = {arch.coarsest - grid: plane for grid, plane in enumerate(latents) if plane.any()}

    def shape(self, octave: int) -> tuple[int, int]:
        """Rows and columns of an octave."""
        height, width = self._size
        return -(-height >> octave), -(-width >> octave)

    def channels(self, octave: int) -> list[int]:
        """Which grids make the stack of an octave: those as coarse that are not zero. 0 is the coarsest and first."""
        return [self._arch.coarsest - own for own in sorted(self._planes, reverse=True) if own >= octave]

    def rows(self, octave: int, top: int, bottom: int) -> Float:
        """The stack ``(channels, bottom - top, columns)`` of some rows of an octave, times ``UNIT``."""
        own = self._planes.get(octave)
        drawn = None if own is None else (own[top:bottom] * np.float32(UNIT)).astype(np.float32, copy=False)[None]
        if not self.channels(octave + 1):
            return np.zeros((0, bottom - top, self.shape(octave)[1]), np.float32) if drawn is None else drawn
        # Samples top .. bottom - 1 are those of the sources top // 2 .. (bottom - 1) // 2, which see two more each way.
        first, last = (top >> 1) - 2, (bottom - 1 >> 1) + 2
        end = self.shape(octave + 1)[0] - 1
        source = self.rows(octave + 1, max(first, 0), min(last, end) + 1)
        source = np.pad(source, ((0, 0), (max(-first, 0), max(last - end, 0)), (0, 0)), mode="edge")
        taps = self._taps[self._arch.coarsest - octave - 1]
        taller = _double(source, taps, 1)[:, top & 1 :][:, : bottom - top]
        padded = np.pad(taller, ((0, 0), (0, 0), (2, 2)), mode="edge")
        wider = _double(padded, taps, 2)[:, :, : self.shape(octave)[1]]
        return wider if drawn is None else np.concatenate([wider, drawn])


def _double(padded: Float, taps: Float, axis: int) -> Float:
    """Two-fold upsampling along an axis of ``(channels, rows, columns)`` that has two more samples at either end."""
    length = padded.shape[axis] - 4
    shape = list(padded.shape)
    shape[axis] = 2 * length
    both = np.empty(shape, np.float32)
    spare = np.empty((*shape[:axis], length, *shape[axis + 1 :]), np.float32)

    def along(start: int, stop: int, step: int = 1) -> tuple[slice, ...]:
        return (slice(None),) * axis + (slice(start, stop, step),)

    for side, places in ((0, (0, 1, 2, 3)), (1, (4, 3, 2, 1))):
        total = np.zeros_like(spare)
        for start, tap in zip(places, taps, strict=True):
            np.multiply(padded[along(start, start + length)], tap, out=spare)
            total += spare
        both[along(side, 2 * length, 2)] = total
    return both


def resampled(rows: Float, first: int, end: int, at: NDArray[np.float64], axis: int) -> Float:
    """Samples of a stack in between: Catmull-Rom interpolation along an axis, edges repeated.

    Args:
        rows: the stack, of which the axis holds the samples ``first ..``.
        first: see there.
        end: samples of the whole picture along the axis.
        at: where, in samples; ``first`` and ``rows`` cover what :func:`reach` says.
        axis: 1 or 2.
    """
    whole = np.floor(at)
    f = (at - whole).astype(np.float32)
    weights = (
        ((2.0 - f) * f - 1.0) * f / 2,
        ((3.0 * f - 5.0) * f * f + 2.0) / 2,
        ((4.0 - 3.0 * f) * f + 1.0) * f / 2,
        (f - 1.0) * f * f / 2,
    )
    shape = [1, 1, 1]
    shape[axis] = len(at)
    total = np.zeros((), np.float32)
    for k, weight in enumerate(weights):
        place = np.clip(whole.astype(np.int64) + (k - 1), 0, end - 1) - first
        total = total + rows.take(place, axis) * weight.astype(np.float32).reshape(shape)
    return total


def reach(at: NDArray[np.float64], end: int) -> tuple[int, int]:
    """First and one past the last sample that :func:`resampled` looks at."""
    return max(0, min(end - 1, int(np.floor(at[0])) - 1)), min(end, max(1, int(np.floor(at[-1])) + 3))
