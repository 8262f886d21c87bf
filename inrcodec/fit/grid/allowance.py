"""What the tiles of a picture may cost: one price of a bit for all of them, moved a little as the bytes run out.

At one price every tile takes the bits that serve the picture best. What it comes to is foretold by classic codecs' own
curves of each tile (see :mod:`inrcodec.image.yardstick`), corrected by what samples took in a rehearsal, and tiles so
far.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from inrcodec.fit.bisection import bracket
from inrcodec.image.yardstick import Yardstick

_HALVINGS = 40
"""Of the logarithm of a price, or of bits."""

_SWING = 3.0
"""The most that the price moves away from where it is known to be about right."""

_LOWEST, _HIGHEST = 1e-6, 64.0
"""Bits a pixel that a tile could take."""


@dataclass(frozen=True)
class Outlay:
    """What a tile is expected to take.

    Attributes:
        yardstick: of its pixels.
        pixels: how many there are.
    """

    yardstick: Yardstick
    pixels: int

    def bits(self, price: float) -> float:
        """Bits at a price, but for a factor that all tiles have in common.

        Args:
            price: squared error, summed over pixels, that a bit is worth.
        """

        def worthy(rate: float) -> bool:
            outlook = self.yardstick.at(rate)
            return outlook.mse * outlook.elasticity / rate > price

        return bracket(_LOWEST, _HIGHEST, worthy, _HALVINGS, geometric=True)[0] * self.pixels


class Allowance:
    """The bits that are left, and the price that spends them.

    Args:
        price: squared error, summed over pixels, that a bit is worth, as far as is known.
        bits: that all tiles may take together; None for whatever they take at that price.
        outlays: of the tiles, in their order.

    Attributes:
        done: tiles that were paid for.
        last: price of the last of them.
    """

    def __init__(self, price: float, bits: float | None, outlays: Sequence[Outlay]) -> None:
        self.first, self.left, self.outlays = price, bits, tuple(outlays)
        self._expected = self._taken = 0.0
        self.done = 0
        self.last = price

    def rehearsed(self, outlay: Outlay, price: float, bits: float) -> None:
        """Note what samples of the whole took at a price, and what price that makes right for all tiles."""
        self._expected, self._taken = outlay.bits(price), bits
        self.first = price
        self.last = self.first = self.price()

    def price(self) -> float:
        """The price for the next tile, and as it looks for all that follow."""
        if self.left is None or not self._taken:
            return self.first
        left, ends = self.left, (self.first / _SWING, self.first * _SWING)
        low, high = bracket(*ends, lambda price: self._foreseen(price) > left, _HALVINGS, geometric=True)
        return math.sqrt(low * high)

    def _foreseen(self, price: float) -> float:
        """Bits that the tiles which are left will take at a price."""
        return self._taken / self._expected * sum(outlay.bits(price) for outlay in self.outlays[self.done :])

    def pay(self, price: float, bits: float) -> None:
        """Note what the next tile took at a price."""
        self._expected += self.outlays[self.done].bits(price)
        self._taken += bits
        self.done += 1
        self.last = price
        if self.left is not None:
            self.left -= bits
