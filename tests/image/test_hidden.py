from __future__ import annotations

import numpy as np
import pytest

from inrcodec.image.hidden import fill_hidden
from inrcodec.pixels import Pixels


def _picture(alpha: np.ndarray, seed: int = 0, channels: int = 3) -> Pixels:
    samples = np.random.default_rng(seed).integers(0, 256, (*alpha.shape, channels), dtype=np.uint8)
    return Pixels(samples, alpha=alpha)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 4), (33, 18)])
def test_visible_colours_stay_and_hidden_ones_lie_between_them(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    alpha = (rng.integers(0, 256, shape) * (rng.random(shape) < 0.3)).astype(np.uint8)
    alpha.flat[0] = 1
    pixels = _picture(alpha)
    filled = fill_hidden(pixels)
    seen = alpha > 0
    np.testing.assert_array_equal(filled.array[seen], pixels.array[seen])
    np.testing.assert_array_equal(filled.alpha, alpha)
    low, high = pixels.array[seen].min(0), pixels.array[seen].max(0)
    assert ((filled.array >= low) & (filled.array <= high)).all()


def test_what_lies_hidden_does_not_matter() -> None:
    alpha = np.zeros((40, 50), np.uint8)
    alpha[10:20, 5:45] = 200
    one, other = _picture(alpha, 1), _picture(alpha, 2)
    other.array[alpha > 0] = one.array[alpha > 0]
    assert not np.array_equal(one.array, other.array)
    np.testing.assert_array_equal(fill_hidden(one).array, fill_hidden(other).array)


def test_the_filling_is_smooth() -> None:
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None] * 3, 64, 0)
    alpha = np.full((64, 64), 255, np.uint8)
    alpha[20:44, 20:44] = 0
    noisy = ramp.copy()
    noisy[alpha == 0] = np.random.default_rng(0).integers(0, 256, (24 * 24, 1))
    filled = fill_hidden(Pixels(noisy, alpha=alpha)).array.astype(int)
    assert np.abs(np.diff(filled, axis=0)).max() < 30
    assert np.abs(filled - ramp).max() < 40


def test_opaque_pictures_and_those_of_nothing() -> None:
    opaque = _picture(np.full((3, 4), 9, np.uint8))
    assert fill_hidden(opaque) is opaque
    plain = Pixels(opaque.array)
    assert fill_hidden(plain) is plain
    nothing = fill_hidden(_picture(np.zeros((3, 4), np.uint8)))
    assert len(np.unique(nothing.array)) == 1


def test_sixteen_bits() -> None:
    array = np.full((4, 4, 1), 65535, np.uint16)
    alpha = np.full((4, 4), 65535, np.uint16)
    alpha[1, 1], array[1, 1] = 0, 7
    assert (fill_hidden(Pixels(array, 16, alpha)).array == 65535).all()
