"""The price that spends what is left."""

from __future__ import annotations

import math

import numpy as np
import pytest

from inrcodec.fit.grid.allowance import Allowance, Outlay
from inrcodec.image.yardstick import Yardstick


def _outlay(error: float = 1.0) -> Outlay:
    """A tile whose error halves with every doubling of its rate."""
    points = tuple((math.log(rate), math.log(error * 1e-3 / rate)) for rate in (0.01, 0.1, 1.0, 10.0))
    return Outlay(Yardstick((points,)), 10_000)


def _run(taken: float, tiles: int = 20, bits: float = 1e5) -> tuple[float, list[float]]:
    """Bits that are left and the prices, where tiles take a multiple of what is foreseen at the first price."""
    outlays = [_outlay(1 + k % 3) for k in range(tiles)]
    first = 1e-4
    allowance, prices = Allowance(first, bits, outlays), []
    scale = taken * bits / sum(outlay.bits(first) for outlay in outlays)
    for outlay in outlays:
        prices.append(allowance.price())
        allowance.pay(prices[-1], scale * outlay.bits(prices[-1]))
    assert allowance.left is not None
    return allowance.left, prices


def test_a_price_that_is_right_stays() -> None:
    left, prices = _run(1.0)
    assert abs(left) < 100
    assert np.allclose(prices, 1e-4, rtol=1e-3)


@pytest.mark.parametrize("taken", [0.7, 1.4])
def test_prices_follow_what_tiles_take(taken: float) -> None:
    left, prices = _run(taken)
    assert abs(left) < 0.02 * 1e5
    assert (prices[-1] > 1.1e-4) if taken > 1 else (prices[-1] < 0.9e-4)


def test_a_rehearsal_tells_the_price_that_spends_the_bits() -> None:
    outlays, sample = [_outlay(1 + k % 3) for k in range(6)], _outlay(2)
    allowance = Allowance(1e-4, bits := 4e5, outlays)
    assert allowance.price() == 1e-4
    allowance.rehearsed(sample, 1e-4, 1.7 * sample.bits(1e-4))
    assert 1.7 * sum(outlay.bits(allowance.price()) for outlay in outlays) == pytest.approx(bits, rel=1e-3)
    allowance.rehearsed(sample, 2e-4, 2.5 * sample.bits(2e-4))  # only the last one counts
    assert 2.5 * sum(outlay.bits(allowance.price()) for outlay in outlays) == pytest.approx(bits, rel=1e-3)


def test_without_a_budget_the_price_stays_what_it_was() -> None:
    allowance = Allowance(1e-4, None, [_outlay()] * 2)
    allowance.pay(1e-4, 5e4)
    assert allowance.price() == 1e-4


def test_dearer_bits_are_fewer() -> None:
    assert _outlay().bits(1e-3) < _outlay().bits(1e-4)
    assert _outlay(4.0).bits(1e-4) > _outlay(1.0).bits(1e-4)
