from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrcodec.net.coords import axes, axis, grid

SIDES = st.integers(1, 900)


def test_axis_by_hand() -> None:
    assert axis(4, 1.0).tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert axis(1, 0.5).tolist() == [0.0]
    assert axis(2, 0.5).tolist() == [-0.25, 0.25]
    assert axis(3, 1.0).dtype == np.float32


@given(SIDES, SIDES)
def test_pixels_are_square_and_centred_and_the_longer_side_spans_two(width: int, height: int) -> None:
    u, v = axes(width, height, width, height)
    assert (u.shape, v.shape) == ((width,), (height,))
    pixel = 2 / max(width, height)
    for a in (u, v):
        assert np.diff(a) == pytest.approx(pixel, rel=1e-3)
        assert a == pytest.approx(-a[::-1], abs=1e-6)
        assert a[-1] + pixel / 2 == pytest.approx(pixel * len(a) / 2, abs=1e-6)
    assert max(u[-1], v[-1]) == pytest.approx(1 - pixel / 2, abs=1e-6)


@given(SIDES, SIDES, st.integers(1, 5))
def test_a_larger_drawing_covers_the_same_area(width: int, height: int, factor: int) -> None:
    u, v = axes(width, height, width, height)
    fine_u, fine_v = axes(width, height, factor * width, factor * height)
    assert fine_u.reshape(-1, factor).mean(1) == pytest.approx(u, abs=1e-5)
    assert fine_v.reshape(-1, factor).mean(1) == pytest.approx(v, abs=1e-5)


def test_a_stretched_drawing_keeps_the_extent_of_the_coded_picture() -> None:
    u, v = axes(200, 100, 10, 10)
    assert (u[-1], v[-1]) == pytest.approx((0.9, 0.45))


def test_grid_is_in_raster_order() -> None:
    pairs = grid(np.array([1, 2, 3], np.float32), np.array([7, 8], np.float32))
    assert pairs.tolist() == [[1, 7], [2, 7], [3, 7], [1, 8], [2, 8], [3, 8]]
    assert pairs.dtype == np.float32
