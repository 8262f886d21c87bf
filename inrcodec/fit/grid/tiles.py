"""Large pictures in parts: which part of picture and grids a tile is, and which parts stand for the whole.

Parts begin where a latent of the coarsest grid does. So the grids of a part are parts of the picture's grids, and its
own architecture describes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.fit.grid.config import GridConfig

COARSEST = 6
"""Octave of the coarsest grid at most: tiles begin at multiples of its latents, and look as far around them."""

_STEPS = 0.5
"""Steps of a tile, as a multiple of those of the networks' fit."""

_LEAST_STEPS = 60
"""Steps of a tile at least, where that of the networks has as many."""

SAMPLE_SIDE, SAMPLES = 192, 4
"""Side in pixels of a sample, and samples to a side of a mosaic."""


@dataclass(frozen=True)
class Window:
    """A part of a picture, in pixels: rows ``top .. bottom - 1``, columns ``left .. right - 1``."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def pixels(self) -> int:
        """How many it has."""
        return (self.bottom - self.top) * (self.right - self.left)

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """This part of an array ``(rows, columns, ...)``."""
        return array[self.top : self.bottom, self.left : self.right]

    def at(self, octave: int) -> Window:
        """The same in latents of an octave, each of which belongs to the part that its first pixel is in."""
        return Window(*(-(-side >> octave) for side in (self.top, self.bottom, self.left, self.right)))

    def within(self, outer: Window) -> Window:
        """The same, counted from the corner of a part around it."""
        return Window(self.top - outer.top, self.bottom - outer.top, self.left - outer.left, self.right - outer.left)

    def grown(self, margin: int, width: int, height: int) -> Window:
        """The same with a margin, as far as there is picture."""
        return Window(
            max(0, self.top - margin), min(height, self.bottom + margin),
            max(0, self.left - margin), min(width, self.right + margin),
        )  # fmt: skip


@dataclass(frozen=True)
class Tile:
    """A part that is fitted at a time.

    Attributes:
        core: what is decided there.
        seen: what is looked at meanwhile.
    """

    core: Window
    seen: Window


def tile_config(config: GridConfig) -> GridConfig:
    """Settings of the fit of a tile, from those of the networks' fit.

    Latents alone settle in fewer steps, if these go farther and forget sooner where they came from: after 150 of them,
    two tiles of half a megapixel were 7 and 10 % better by MSE + price bpp than with the settings of a whole fit. The
    middles of kodim15 and kodim23 at 0.3 bpp and 300 steps gained another 0.10 and 0.22 dB from a gain of 24.
    """
    steps = max(round(_STEPS * config.steps), min(config.steps, _LEAST_STEPS))
    return replace(
        config, steps=steps, latent_lr=1.5 * config.latent_lr, latent_betas=(0.5, 0.9), temperature=(0.6, 0.04),
        gain=1.5 * config.gain, landing=1,
    )  # fmt: skip


def tiling(width: int, height: int, side: int, unit: int) -> tuple[Tile, ...]:
    """Tiles that cover a picture, row by row.

    Args:
        width: of the picture.
        height: of the picture.
        side: of a tile at most, in pixels, unless it would be less than a unit.
        unit: pixels from one place where a tile may begin to the next; also the margin that a tile looks at.
    """
    rows, columns = (_parts(length, side, unit) for length in (height, width))
    cores = [Window(*row, *column) for row in rows for column in columns]
    return tuple(Tile(core, core.grown(unit, width, height)) for core in cores)


def _parts(length: int, side: int, unit: int) -> list[tuple[int, int]]:
    """Nearly equal parts of a length, each but the last a multiple of a unit."""
    units = -(-length // unit)
    count = max(1, min(units, -(-length // max(side, unit))))
    ends = [min(length, units * k // count * unit) for k in range(count + 1)]
    return list(pairwise(ends))


def mosaic(array: NDArray[Any]) -> NDArray[Any]:
    """A small picture put together from samples all over a large one.

    Args:
        array: ``(rows, columns, channels)``.

    Returns:
        A picture of at most 768 pixels a side.
    """
    rows, columns = (_spread(length) for length in array.shape[:2])
    return np.concatenate([np.concatenate([array[row, column] for column in columns], 1) for row in rows])


def _spread(length: int) -> Sequence[slice]:
    """Samples of a length, one in the middle of each of so many parts; all of it where there are no more."""
    if length <= SAMPLES * SAMPLE_SIDE:
        return [slice(0, length)]
    starts = [(2 * k + 1) * length // (2 * SAMPLES) - SAMPLE_SIDE // 2 for k in range(SAMPLES)]
    return [slice(start, start + SAMPLE_SIDE) for start in starts]


def decided(shape: tuple[int, int], windows: Sequence[Window], octave: int) -> NDArray[np.bool_]:
    """Which latents of a part's grid lie in some windows of it.

    Args:
        shape: rows and columns of the grid.
        windows: in pixels, counted from the part's corner; they may reach beyond it.
        octave: of the grid.
    """
    marked = np.zeros(shape, np.bool_)
    for window in windows:
        here = window.at(octave)
        marked[max(0, here.top) : max(0, here.bottom), max(0, here.left) : max(0, here.right)] = True
    return marked
