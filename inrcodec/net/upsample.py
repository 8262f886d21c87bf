"""The ladder of two-fold upsamplings in NumPy float32, any part of any octave, so that memory stays flat.

A rung makes of ``x`` the samples ``2i``, ``sum_j taps[j] x[i - 2 + j]``, and ``2i + 1``, its mirror image, along the
columns and then along the rows, edges repeated. At every octave its own grid joins the stack, through its own filter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.net.grid import REACH, TAPS, GridArch

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
        latents: of the grids, coarsest first.
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
        self._filters = list(tensors["V"]) if arch.filters else []
        # Upsampling is linear: a grid of zeros stays one, and need not be carried along.
        self._planes = {arch.coarsest - grid: plane for grid, plane in enumerate(latents) if plane.any()}

    def _own(self, octave: int, plane: NDArray[Any], rows: tuple[int, int], columns: tuple[int, int]) -> Float:
        """A part of a grid as it joins the stack."""
        if not self._filters or octave == self._arch.coarsest:
            return (plane[slice(*rows), slice(*columns)] * np.float32(UNIT)).astype(np.float32, copy=False)
        (top, bottom, left, right), beyond = _inside(
            [(start - REACH, stop + REACH) for start, stop in (rows, columns)], self.shape(octave)
        )
        part = (plane[top:bottom, left:right] * np.float32(UNIT)).astype(np.float32, copy=False)
        padded = np.pad(part, beyond, mode="edge")
        taps = self._filters[self._arch.coarsest - octave - 1]
        return _filtered(_filtered(padded, taps, 0), taps, 1)

    def shape(self, octave: int) -> tuple[int, int]:
        """Rows and columns of an octave."""
        height, width = self._size
        return -(-height >> octave), -(-width >> octave)

    def channels(self, octave: int) -> list[int]:
        """Which grids make the stack of an octave: those as coarse that are not zero. 0 is the coarsest and first."""
        return [self._arch.coarsest - own for own in sorted(self._planes, reverse=True) if own >= octave]

    def rows(self, octave: int, top: int, bottom: int, left: int = 0, right: int | None = None) -> Float:
        """The stack ``(channels, rows, columns)`` of a part of an octave, times ``UNIT``.

        Args:
            octave: which one.
            top: first row.
            bottom: one past the last row.
            left: first column.
            right: one past the last column; the octave's last one if left out.
        """
        right = self.shape(octave)[1] if right is None else right
        own = self._planes.get(octave)
        drawn = None if own is None else self._own(octave, own, (top, bottom), (left, right))[None]
        if not self.channels(octave + 1):
            return np.zeros((0, bottom - top, right - left), np.float32) if drawn is None else drawn
        # Samples top .. bottom - 1 are those of the sources top // 2 .. (bottom - 1) // 2, which see two more each way.
        places = [((start >> 1) - 2, (stop - 1 >> 1) + 3) for start, stop in ((top, bottom), (left, right))]
        inside, beyond = _inside(places, self.shape(octave + 1))
        source = np.pad(self.rows(octave + 1, *inside), [(0, 0), *beyond], mode="edge")
        taps = self._taps[self._arch.coarsest - octave - 1]
        taller = _double(source, taps, 1)[:, top & 1 :][:, : bottom - top]
        wider = _double(taller, taps, 2)[:, :, left & 1 :][:, :, : right - left]
        return wider if drawn is None else np.concatenate([wider, drawn])


def _inside(places: Sequence[tuple[int, int]], shape: tuple[int, int]) -> tuple[list[int], list[tuple[int, int]]]:
    """What of a range of rows and one of columns is inside a plane, as one list, and how far each goes beyond it."""
    inside, beyond = [], []
    for (first, last), end in zip(places, shape, strict=True):
        inside += [max(first, 0), min(last, end)]
        beyond.append((max(-first, 0), max(last - end, 0)))
    return inside, beyond


def _filtered(padded: Float, taps: Float, axis: int) -> Float:
    """A grid's own filter along an axis of a plane that has three more samples at either end."""
    length = padded.shape[axis] - 2 * REACH

    def shifted(by: int) -> Float:
        return padded[(slice(None),) * axis + (slice(REACH + by, REACH + by + length),)]

    found: Float = shifted(0) * (1 + taps[0])
    spare = np.empty_like(found)
    for j in range(1, TAPS):
        np.add(shifted(-j), shifted(j), out=spare)
        spare *= taps[j]
        found += spare
    return found


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
