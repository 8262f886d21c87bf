"""Probability tables and the range decoder: FORMAT.md, "LAWS" and "SYMBOLS"."""

from __future__ import annotations

from collections.abc import Sequence

Law = tuple[int, int, int, int, int]
"""Step, reach, zero, decay, bend."""

PARTS = 1 << 24
MASK = (1 << 64) - 1


def step_size(code: int) -> float:
    return float((8 + code % 8) * 2.0 ** (code // 8 - 26))


def ratio(code: int) -> float:
    return 1.0 if code == 255 else 1.0 - (8 + code % 8) / 16 * 2.0 ** -(code // 8)


def largest(reach: int) -> int:
    return reach if reach < 32 else (16 + reach % 16) << (reach // 16 - 1)


def probabilities(law: Law) -> list[float]:
    """Of the symbols -largest .. largest, in the order of operations that the page asks for."""
    _, reach, zero, decay, bend = law
    weights, weight, change, total = [], 1.0, ratio(decay), 0.0
    for _ in range(largest(reach)):
        weights.append(weight)
        total += weight
        weight *= change
        change *= ratio(bend)
    rest = (1.0 - zero / 256) * 0.5
    side = [weight / total * rest for weight in weights]
    return [*reversed(side), zero / 256, *side]


def cumulative(table: Sequence[float]) -> list[int]:
    """Where the part of each symbol begins, and at last where the last one ends."""
    total = 0.0
    for probability in table:
        total += probability
    scale = (PARTS - len(table)) / total
    begins, below = [], 0.0
    for index, probability in enumerate(table):
        begins.append(int(below * scale) + index)
        below += probability
    return [*begins, PARTS]


class RangeDecoder:
    """A point in an interval of 64 bits; words of 32 bits come in as the interval gets small."""

    def __init__(self, payload: bytes) -> None:
        self.words = [int.from_bytes(payload[at : at + 4].ljust(4, b"\0"), "big") for at in range(0, len(payload), 4)]
        self.at, self.span, self.point = 0, MASK, 0
        self.shift()
        self.shift()

    def shift(self) -> None:
        word = self.words[self.at] if self.at < len(self.words) else 0
        self.at += 1
        self.point = self.point * 2**32 + word

    def symbol(self, begins: Sequence[int]) -> int:
        """The next index under a table of :func:`cumulative`."""
        unit = self.span // PARTS
        place = self.point // unit
        if place >= PARTS:
            raise ValueError("not a stream")
        low, high = 0, len(begins) - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if begins[middle] <= place else (low, middle)
        self.point -= unit * begins[low]
        self.span = unit * (begins[low + 1] - begins[low])
        if self.span < 2**32:
            self.span *= 2**32
            self.shift()
        return low
