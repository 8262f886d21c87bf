from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from inrcodec.pixels import Metadata, Pixels


@pytest.mark.parametrize(
    ("array", "depth"),
    [
        (np.zeros((2, 2, 3), np.uint8), 16),
        (np.zeros((2, 2, 3), np.uint16), 8),
        (np.zeros((2, 2, 3), np.uint8), 12),
        (np.zeros((2, 2, 3), np.float32), 8),
        (np.zeros((2, 2), np.uint8), 8),
        (np.zeros((2, 2, 2), np.uint8), 8),
        (np.zeros((2, 2, 4), np.uint8), 8),
        (np.zeros((0, 2, 3), np.uint8), 8),
        (np.zeros((2, 0, 1), np.uint8), 8),
    ],
)
def test_other_arrays_are_refused(array: np.ndarray[Any, Any], depth: int) -> None:
    with pytest.raises(ValueError, match=r"expected a \(height|does not go with"):
        Pixels(array, depth)


def test_properties() -> None:
    pixels = Pixels(np.zeros((4, 7, 3), np.uint8))
    assert (pixels.height, pixels.width, pixels.channels, pixels.count, pixels.peak) == (4, 7, 3, 28, 255)
    deep = Pixels(np.zeros((2, 5, 1), np.uint16), 16)
    assert (deep.height, deep.width, deep.channels, deep.count, deep.peak) == (2, 5, 1, 10, 65535)


@pytest.mark.parametrize(("depth", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_every_level_survives_the_way_to_floats_and_back(depth: int, dtype: type) -> None:
    levels: np.ndarray[Any, Any] = np.arange(1 << depth).astype(dtype).reshape(16, -1, 1)
    unit = Pixels(levels, depth).unit()
    assert unit.dtype == np.float32
    assert (unit.min(), unit.max()) == (0.0, 1.0)
    back = Pixels.from_unit(unit, levels.shape[0], levels.shape[1], depth)
    assert np.array_equal(back.array, levels)
    assert back.depth == depth


def test_floats_are_in_raster_order_one_row_a_pixel() -> None:
    array = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    assert np.array_equal(np.rint(Pixels(array).unit() * 255), np.arange(18).reshape(6, 3))


def test_floats_are_clipped_and_rounded_half_to_even() -> None:
    samples = np.array([-9.0, 2.5 / 255, 0.0019, 0.00198, 0.5, 1.0, 1.7, np.inf, -np.inf], np.float32)
    assert Pixels.from_unit(samples[:, None], 3, 3, 8).array.ravel().tolist() == [0, 2, 0, 1, 128, 255, 255, 255, 0]


def test_alpha_goes_with_the_colours() -> None:
    array, alpha = np.zeros((2, 3, 3), np.uint8), np.array([[0, 1, 2], [3, 4, 5]], np.uint8)
    pixels = Pixels(array, 8, alpha)
    assert pixels.channels == 3
    assert pixels.samples.shape == (2, 3, 4)
    np.testing.assert_array_equal(pixels.visible, alpha > 0)
    again = Pixels.of(pixels.samples, 8)
    assert np.array_equal(again.array, array)
    np.testing.assert_array_equal(again.alpha, alpha)
    assert Pixels(array).visible is None
    assert Pixels(array, 8, alpha + 1).visible is None
    for wrong in (alpha.astype(np.uint16), alpha[:1], alpha[:, :, None]):
        with pytest.raises(ValueError, match="does not go with"):
            Pixels(array, 8, wrong)


def test_metadata_is_true_where_it_says_something() -> None:
    assert not Metadata()
    assert Metadata(xmp=b"<x/>")
    assert not Pixels(np.zeros((1, 1, 1), np.uint8)).metadata
