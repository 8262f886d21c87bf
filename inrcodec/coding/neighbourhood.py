"""Where the contexts of a grid's latents lie in memory: one flat array for the grid and its ancestors.

The grid has a margin of zeros on all sides, and behind it come its parents in the same layout, each latent repeated
over the latents it covers, and then, for a refinement, the same grid of the layer below, in steps of the refinement. So
every input of a context is an offset from the latent's own place, and latents of one wavefront step, three columns
further left in every row below, are evenly spaced. Of a refinement, all are what its layer comes to there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.net.grid import CAUSAL, PARENTS, SKEW, GridArch
from inrcodec.net.layered import BELOW, LayeredArch, total

MARGIN = 3
"""Columns and rows of zeros around a grid: no neighbour is further."""


class Neighbourhood:
    """A grid and its ancestors.

    Args:
        arch: the architecture.
        before: latents ``(rows, columns)`` of all grids before it in the stream.
        shape: rows and columns of the grid.

    Attributes:
        plane: the grid itself, or what the layer of a refinement comes to in it, a view ``(rows, columns)`` of
            ``int16``, zeros at first.
        below: what a refinement is added to, of the same shape; 0 for a base.
    """

    def __init__(self, arch: GridArch, before: Sequence[NDArray[np.integer[Any]]], shape: tuple[int, int]) -> None:
        self.shape = rows, columns = shape
        self._stride = columns + 2 * MARGIN
        height = rows + 2 * MARGIN
        parents = PARENTS[: arch.parents]
        levels = max((up for up, _, _ in parents), default=0)
        layered = isinstance(arch, LayeredArch) and len(before) >= arch.grids
        planes = np.zeros((1 + levels + layered, height, self._stride), np.int16)
        for up in range(1, min(levels, len(before) % arch.grids) + 1):
            parent = total(arch, before, len(before) - up) if isinstance(arch, LayeredArch) else before[-up]
            _repeat(parent, 1 << up, planes[up, MARGIN:, MARGIN:])
        self._flat = planes.reshape(-1)
        self.plane = planes[0, MARGIN : MARGIN + rows, MARGIN : MARGIN + columns]
        self._planes = planes
        places = [(0, dy, dx) for dy, dx in CAUSAL[: arch.neighbours]]
        self._places = [*places, *((up, dy << up, dx << up) for up, dy, dx in parents)]
        self.below: NDArray[np.int32] | int = 0
        if isinstance(arch, LayeredArch) and layered:
            self.below = total(arch, before, len(before) - arch.grids) * np.int32(arch.ratio)
            planes[-1, MARGIN : MARGIN + rows, MARGIN : MARGIN + columns] = self.below
            self._places += [(1 + levels, dy, dx) for dy, dx in BELOW]

    def strip(self, top: int, bottom: int, out: NDArray[np.float64]) -> None:
        """Contexts of the rows ``top .. bottom - 1`` into ``out``, ``(inputs, latents of these rows)``."""
        rows, columns = bottom - top, self.shape[1]
        for into, (plane, dy, dx) in zip(out, self._places, strict=True):
            y, x = MARGIN + top + dy, MARGIN + dx
            into.reshape(rows, columns)[:] = self._planes[plane, y : y + rows, x : x + columns]

    def steps(self, end: int | None = None) -> Iterator[tuple[int, slice]]:
        """The wavefront: for every step the number of its latents and their places in the flat array, top row first.

        Args:
            end: the first wave ``x + 3 y`` that is not wanted any more; all are if left out.
        """
        rows, columns = self.shape
        apart = self._stride - SKEW
        for wave in range(wave_count(self.shape) if end is None else min(end, wave_count(self.shape))):
            top = max(0, -(-(wave - columns + 1) // SKEW))
            count = min(rows - 1, wave // SKEW) - top + 1
            if count > 0:  # narrow grids have waves that pass between their latents
                start = (MARGIN + top) * self._stride + MARGIN + wave - SKEW * top
                yield count, slice(start, start + (count - 1) * apart + 1, apart)

    def gather(self, count: int) -> Gather:
        """Access to the contexts of ``count`` latents of a step."""
        size = self._planes[0].size
        offsets = np.array([plane * size + dy * self._stride + dx for plane, dy, dx in self._places])
        return Gather(self._flat, offsets, np.arange(count) * (self._stride - SKEW))


class Gather:
    """Contexts of evenly spaced latents."""

    def __init__(self, flat: NDArray[np.int16], offsets: NDArray[np.intp], apart: NDArray[np.intp]) -> None:
        self._flat = flat
        self._lowest = int(offsets.min())
        self._index = (offsets - self._lowest)[:, None] + apart
        self._found = np.empty(self._index.shape, np.int16)

    def read(self, places: slice, out: NDArray[np.float64]) -> None:
        """Contexts of the latents at ``places`` into ``out``, ``(inputs, latents)``."""
        self._flat[places.start + self._lowest :].take(self._index, None, self._found, "clip")
        np.copyto(out, self._found)

    def write(self, places: slice, symbols: NDArray[np.int32]) -> None:
        """Set the latents at ``places``."""
        self._flat[places] = symbols


def _repeat(latents: NDArray[np.integer[Any]], times: int, out: NDArray[np.int16]) -> None:
    """Write every latent ``times x times``, as far as there is room."""
    rows, columns = (min(times * side, room) for side, room in zip(latents.shape, out.shape, strict=True))
    for row in range(times):
        for column in range(times):
            place = out[row:rows:times, column:columns:times]
            place[:] = latents[: place.shape[0], : place.shape[1]]


def wave_count(shape: tuple[int, int]) -> int:
    """Waves of a grid; in narrow ones some have no latents."""
    return shape[1] + SKEW * (shape[0] - 1)


def wave_of(shape: tuple[int, int]) -> NDArray[np.intp]:
    """The wave of every latent, ``(rows, columns)``."""
    rows, columns = shape
    return np.arange(columns) + SKEW * np.arange(rows)[:, None]


def wave_order(shape: tuple[int, int], waves: range | None = None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Flat indices of the latents of some waves in coding order, and the wave each belongs to.

    Args:
        shape: rows and columns of the grid.
        waves: without gaps; all of them if left out.
    """
    rows, columns = shape
    waves = range(wave_count(shape)) if waves is None else waves
    wave = np.arange(waves.start, waves.stop)
    top = np.maximum(0, -(-(wave - columns + 1) // SKEW))
    count = np.maximum(0, np.minimum(rows - 1, wave // SKEW) - top + 1)  # of narrow grids some waves have none
    which = np.repeat(np.arange(len(wave)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + top[which]
    return row * columns + wave[which] - SKEW * row, wave[which]
