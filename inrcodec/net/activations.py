"""The activations of the decoder's networks, in NumPy float32, in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


def _sine(h: Float) -> None:
    np.sin(h, out=h)


def _relu(h: Float) -> None:
    np.maximum(h, np.float32(0), out=h)


def _gelu(h: Float) -> None:
    """``x`` times the normal distribution function, by formula 7.1.26 of Abramowitz and Stegun (within 1.5e-7)."""
    x = np.abs(h) * np.float32(0.7071067811865476)
    t = 1 / (1 + np.float32(0.3275911) * x)
    series = np.zeros_like(t)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(coefficient)) * t
    tail = series * np.exp(-x * x) / 2  # of the side away from zero
    h *= np.where(h < 0, tail, 1 - tail)


def _gauss(h: Float) -> None:
    """``exp(-x^2 / 2)`` (Ramasinghe and Lucey 2022, section 3)."""
    np.multiply(h, h, out=h)
    h *= np.float32(-0.5)
    np.exp(h, out=h)


ACTIVATE: Mapping[str, Callable[[Float], None]] = {"sine": _sine, "relu": _relu, "gelu": _gelu, "gauss": _gauss}
"""What replaces an array by its activations, by name; in the order of their codes in a file."""
