from __future__ import annotations

import numpy as np
import pytest

from inrcodec.image.yardstick import Outlook, Yardstick
from inrcodec.pixels import Pixels


def _picture(height: int, width: int, channels: int = 3, depth: int = 8) -> Pixels:
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / (5 + c)) + np.cos(y / (7 + c)) for c in range(channels)], -1)
    waves += np.random.default_rng(0).normal(0, 0.2, waves.shape)
    levels = np.clip((waves + 2) / 4, 0, 1) * (2**depth - 1)
    return Pixels(levels.astype(np.uint8 if depth == 8 else np.uint16), depth)


@pytest.mark.parametrize(("channels", "depth"), [(3, 8), (1, 8), (3, 16)])
def test_more_bits_promise_a_smaller_error(channels: int, depth: int) -> None:
    yardstick = Yardstick.of(_picture(96, 128, channels, depth))
    outlooks = [yardstick.at(bpp) for bpp in (0.05, 0.2, 0.8, 2.0, 8.0)]
    errors = [outlook.mse for outlook in outlooks]
    assert errors == sorted(errors, reverse=True)
    assert all(0.4 <= outlook.elasticity <= 2.5 for outlook in outlooks)


def test_eight_bits_of_sixteen_promise_the_same() -> None:
    deep = _picture(64, 64, depth=16)
    shallow = Pixels((deep.array >> 8).astype(np.uint8))
    assert Yardstick.of(deep).at(0.5) == Yardstick.of(shallow).at(0.5)


def test_a_busy_picture_promises_less() -> None:
    calm = _picture(96, 128)
    busy = Pixels(np.random.default_rng(1).integers(0, 256, calm.array.shape).astype(np.uint8))
    assert Yardstick.of(busy).at(0.5).mse > 3 * Yardstick.of(calm).at(0.5).mse


def test_only_the_middle_of_a_large_picture_is_looked_at() -> None:
    picture = _picture(40, 3000)
    middle = Pixels(np.ascontiguousarray(picture.array[:, 780:2220]))
    assert Yardstick.of(picture).curves == Yardstick.of(middle).curves


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 50, 1), (3, 2, 3)])
def test_the_smallest_pictures_have_an_outlook(shape: tuple[int, int, int]) -> None:
    outlook = Yardstick.of(Pixels(np.full(shape, 77, np.uint8))).at(1.0)
    assert 0 < outlook.mse < 10


def test_without_codecs_there_is_a_guess() -> None:
    assert Yardstick(()).at(0.3) == Outlook(0.5, 0.8)
