"""Where tiles lie, and what they take of picture and grids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrcodec.fit.grid.tiles import Window, decided, mosaic, tiling
from inrcodec.net.grid import GridArch

ARCH = GridArch(0, 4)
UNIT = 1 << ARCH.coarsest


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 90))
def test_every_latent_of_every_grid_belongs_to_one_tile(width: int, height: int, side: int) -> None:
    for octave, shape in zip(ARCH.octaves, ARCH.shapes(width, height), strict=True):
        times = np.zeros(shape, int)
        for tile in tiling(width, height, side, UNIT):
            tile.core.at(octave).of(times)[:] += 1
        assert (times == 1).all()


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 90))
def test_what_a_tile_sees_is_a_picture_of_its_own(width: int, height: int, side: int) -> None:
    shapes = ARCH.shapes(width, height)
    for tile in tiling(width, height, side, UNIT):
        seen = tile.seen
        own = ARCH.shapes(seen.right - seen.left, seen.bottom - seen.top)
        parts = [seen.at(o).of(np.empty(shape)).shape for o, shape in zip(ARCH.octaves, shapes, strict=True)]
        assert tuple(parts) == own


def test_tiles_are_of_nearly_one_size_and_no_larger_than_asked_for() -> None:
    sizes = [tile.core.bottom - tile.core.top for tile in tiling(64, 1000, 320, 16)]
    assert len(sizes) == 4
    assert max(sizes) <= 320
    assert max(sizes) - min(sizes) <= 32


def test_a_tile_looks_one_unit_further_where_there_is_picture() -> None:
    first, *_, last = tiling(100, 100, 32, 16)
    assert first.seen == Window(0, first.core.bottom + 16, 0, first.core.right + 16)
    assert last.seen == Window(last.core.top - 16, 100, last.core.left - 16, 100)


def test_windows_beyond_a_part_mark_what_lies_within() -> None:
    marked = decided((4, 4), [Window(-32, 16, -32, 96), Window(16, 32, -32, 0)], 3)
    assert marked.tolist() == [[True] * 4] * 2 + [[False] * 4] * 2


def test_a_mosaic_has_samples_from_everywhere_and_is_small() -> None:
    y, x = np.mgrid[0:1500, 0:3000]
    seen = mosaic(np.stack([y, x, x], -1))
    assert seen.shape == (768, 768, 3)
    for channel, length in ((0, 1500), (1, 3000)):
        assert seen[..., channel].min() < 0.1 * length
        assert seen[..., channel].max() > 0.9 * length


@pytest.mark.parametrize("shape", [(700, 2000, 3), (300, 100, 1)])
def test_a_short_side_is_in_a_mosaic_as_it_is(shape: tuple[int, int, int]) -> None:
    assert mosaic(np.zeros(shape)).shape[0] == shape[0]
