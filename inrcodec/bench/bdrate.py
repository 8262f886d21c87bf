"""Bjøntegaard deltas: what one curve of rate and distortion is better than another, as one number.

The integrals are exact, of cubics through all points; nothing is extrapolated. Rates count by their logarithm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inrcodec.bench.pchip import Pchip

Curve = Sequence[tuple[float, float]]
"""Points of ``(bpp, psnr)``, in any order."""


def bd_rate(anchor: Curve, test: Curve) -> float:
    """Mean difference in rate at equal PSNR, percent; negative where ``test`` needs fewer bits.

    Args:
        anchor: the curve to compare with.
        test: the curve in question.

    Raises:
        ValueError: a curve has no two points of growing rate and PSNR, or no PSNR is reached by both.
    """
    (rates_a, psnrs_a), (rates_t, psnrs_t) = _arrays("anchor", anchor), _arrays("test", test)
    low, high = _overlap(psnrs_a, psnrs_t, "{:.2f} to {:.2f} dB")
    mean = (Pchip(psnrs_t, rates_t).integral(low, high) - Pchip(psnrs_a, rates_a).integral(low, high)) / (high - low)
    return float(np.expm1(mean)) * 100


def bd_psnr(anchor: Curve, test: Curve) -> float:
    """Mean difference in PSNR at equal rate, dB; positive where ``test`` is better.

    Args:
        anchor: the curve to compare with.
        test: the curve in question.

    Raises:
        ValueError: a curve has no two points of growing rate and PSNR, or no rate is reached by both.
    """
    (rates_a, psnrs_a), (rates_t, psnrs_t) = _arrays("anchor", anchor), _arrays("test", test)
    low, high = _overlap(rates_a, rates_t, "{:.4f} to {:.4f} bpp", np.exp)
    return (Pchip(rates_t, psnrs_t).integral(low, high) - Pchip(rates_a, psnrs_a).integral(low, high)) / (high - low)


def front(curve: Curve) -> list[tuple[float, float]]:
    """The points of a curve that are worth their bits, by rate: each has a better PSNR than all before it.

    A setting that takes more bits for no better picture is one that nobody would choose. Real sweeps have such points:
    neighbouring qualities that give one file, or JPEG XL where it leaves the half resolution.
    """
    best: list[tuple[float, float]] = []
    for bpp, psnr in sorted(curve, key=lambda point: (point[0], -point[1])):
        if not best or psnr > best[-1][1]:
            best.append((bpp, psnr))
    return best


def _arrays(name: str, curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logarithms of the rates, and PSNRs, of a curve's front."""
    points = np.array(list(curve), dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(points).all() or (points[:, 0] <= 0).any():
        raise ValueError(f"the {name} curve has a point without a rate or a PSNR")
    points = np.array(front([(bpp, psnr) for bpp, psnr in points.tolist()])).reshape(-1, 2)
    if len(points) < 2:
        raise ValueError(f"the {name} curve needs two points of growing rate and PSNR, and has {len(points)}")
    return np.log(points[:, 0]), points[:, 1]


def _overlap(
    a: NDArray[np.float64], b: NDArray[np.float64], shown: str, unit: np.ufunc = np.positive
) -> tuple[float, float]:
    """The range that both curves cover."""
    low, high = max(a[0], b[0]), min(a[-1], b[-1])
    if low >= high:
        ranges = [shown.format(unit(x[0]), unit(x[-1])) for x in (a, b)]
        raise ValueError(f"the curves do not overlap: {ranges[0]} and {ranges[1]}")
    return float(low), float(high)
