from __future__ import annotations

import numpy as np
import pytest

from inrcodec.net.plane import PlaneCanvas


def _drawn(plane: np.ndarray, columns: int, rows: int) -> np.ndarray:
    return PlaneCanvas(plane, 255, (columns, rows), slice(0, columns)).rows(0, rows)


def test_the_same_size_is_the_plane() -> None:
    plane = np.random.default_rng(0).integers(0, 256, (7, 9), dtype=np.uint8)
    np.testing.assert_allclose(_drawn(plane, 9, 7), plane / np.float32(255), atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (4, 4), (5, 9), (9, 7), (23, 31)])
def test_flat_planes_stay_flat(size: tuple[int, int]) -> None:
    np.testing.assert_allclose(_drawn(np.full((7, 9), 51, np.uint8), *size), 0.2, atol=1e-6)


def test_halves_are_means() -> None:
    plane = np.random.default_rng(0).integers(0, 256, (16, 24), dtype=np.uint8)
    means = plane.reshape(4, 4, 6, 4).mean((1, 3)) / 255
    np.testing.assert_allclose(_drawn(plane, 6, 4), means, atol=1e-6)
    odd = _drawn(np.array([[10, 20, 40]], np.uint8), 2, 1) * 255
    np.testing.assert_allclose(odd, [[(10 + 20 / 2) / 1.5, (20 / 2 + 40) / 1.5]], rtol=1e-5)


def test_ramps_stay_ramps() -> None:
    """Nearly: Lanczos's window bends a line by less than 0.03 of its step."""
    ramp = np.repeat(np.arange(0, 160, 10, dtype=np.uint8)[None], 3, 0)
    drawn = _drawn(ramp, 32, 3)[1] * 255
    np.testing.assert_allclose(drawn[4:-4], (np.arange(32)[4:-4] + 0.5) * 5 - 5, atol=0.03 * 10)


@pytest.mark.parametrize("size", [(5, 4), (18, 14), (13, 40)])
def test_any_part_is_the_same_as_in_the_whole(size: tuple[int, int]) -> None:
    plane = np.random.default_rng(0).integers(0, 256, (14, 18), dtype=np.uint8)
    whole = _drawn(plane, *size)
    part = PlaneCanvas(plane, 255, size, slice(1, 4)).rows(2, 4)
    np.testing.assert_array_equal(part, whole[2:4, 1:4])
