"""Cubics through points that never leave their range: PCHIP (Fritsch and Carlson 1980, Fritsch and Butland 1984)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pchip:
    """A monotone piecewise cubic, as ``scipy.interpolate.PchipInterpolator`` draws it.

    Attributes:
        x: abscissas, strictly growing, two at least.
        y: values there.
    """

    x: Array
    y: Array

    def __call__(self, at: Array) -> Array:
        """Values between the first and the last point."""
        at = np.asarray(at, dtype=np.float64)
        piece = np.clip(np.searchsorted(self.x, at, side="right") - 1, 0, len(self.x) - 2)
        c0, c1, c2, c3 = (c[piece] for c in self._coefficients())
        t = at - self.x[piece]
        return np.asarray(c0 + t * (c1 + t * (c2 + t * c3)))

    def integral(self, low: float, high: float) -> float:
        """Exact integral between two abscissas within the points."""
        left, right = np.clip(self.x[:-1], low, high) - self.x[:-1], np.clip(self.x[1:], low, high) - self.x[:-1]
        c0, c1, c2, c3 = self._coefficients()

        def primitive(t: Array) -> Array:
            return np.asarray(t * (c0 + t * (c1 / 2 + t * (c2 / 3 + t * c3 / 4))))

        return float((primitive(right) - primitive(left)).sum())

    def _coefficients(self) -> tuple[Array, Array, Array, Array]:
        """Of each piece's cubic in the distance from its left end."""
        h, slope = np.diff(self.x), np.diff(self.y) / np.diff(self.x)
        d = _derivatives(h, slope)
        bend = (d[:-1] + d[1:] - 2 * slope) / h
        return self.y[:-1], d[:-1], (slope - d[:-1]) / h - bend, bend / h


def _derivatives(h: Array, slope: Array) -> Array:
    """At every point: 0 at an extremum, else the weighted harmonic mean of the slopes on both sides."""
    if len(h) == 1:
        return np.array([slope[0], slope[0]])
    inner = np.zeros(len(h) - 1)
    before, after = slope[:-1], slope[1:]
    same = before * after > 0
    w1, w2 = (2 * h[1:] + h[:-1])[same], (h[1:] + 2 * h[:-1])[same]
    inner[same] = (w1 + w2) / (w1 / before[same] + w2 / after[same])
    first = _end(h[0], h[1], slope[0], slope[1])
    last = _end(h[-1], h[-2], slope[-1], slope[-2])
    return np.concatenate([[first], inner, [last]])


def _end(h0: float, h1: float, slope0: float, slope1: float) -> float:
    """At an end: the parabola through three points, held back where it would overshoot."""
    d = ((2 * h0 + h1) * slope0 - h0 * slope1) / (h0 + h1)
    if np.sign(d) != np.sign(slope0):
        return 0.0
    if np.sign(slope0) != np.sign(slope1) and abs(d) > 3 * abs(slope0):
        return 3 * slope0
    return float(d)
