"""Where something that holds for small numbers stops to hold."""

from __future__ import annotations

import math
from collections.abc import Callable


def bracket(
    low: float, high: float, holds: Callable[[float], bool], halvings: int, *, geometric: bool = False
) -> tuple[float, float]:
    """The last number that it is known to hold for, and the first that it is not, neither end being tried.

    Args:
        low: where it holds.
        high: where it does not.
        holds: whether it does, asked once a halving.
        halvings: of what lies between.
        geometric: halve the logarithm; both ends are positive then.
    """
    for _ in range(halvings):
        middle = math.sqrt(low * high) if geometric else (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, high
