"""Bits saved against an anchor at equal PSNR, from curves of one kind on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inrcodec.bench.bdrate import bd_psnr, bd_rate
from inrcodec.bench.results import Results
from inrcodec.bench.summary import AT_TARGET, OPERATING_POINTS, operating_points, target_means

Curve = tuple[tuple[float, float], ...]
"""Pairs of bpp and PSNR, by rate."""

FEWEST = 3
"""Points that a curve needs to be more than a guess."""


@dataclass(frozen=True)
class Saving:
    """One codec against the anchor.

    Attributes:
        rate: change of the bits at equal PSNR, percent; negative is fewer.
        psnr: change of the PSNR at equal bits, dB.
        kind: of both curves, `AT_TARGET` or `OPERATING_POINTS`.
        span: lowest and highest PSNR that the curves share, dB.
    """

    codec: str
    rate: float
    psnr: float
    kind: str
    span: tuple[float, float]


def curves(results: Results, kind: str) -> dict[str, Curve]:
    """The codecs' curves of one kind, of those that have enough points."""
    if kind == AT_TARGET:
        means = target_means(results.rows, results.codecs)
        points = [(mean.codec, mean.bpp, mean.psnr) for mean in means if mean.complete]
    else:
        points = [(point.codec, point.bpp, point.psnr) for point in operating_points(results.rows, results.codecs)]
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in results.codecs}
    for codec, bpp, psnr in points:
        found[codec].append((bpp, psnr))
    return {name: tuple(sorted(curve)) for name, curve in found.items() if len(curve) >= FEWEST}


def savings(results: Results, anchor: str) -> list[Saving]:
    """Every codec against the anchor, by kind of curve, where both have one; those at targets first."""
    found = []
    for kind in (AT_TARGET, OPERATING_POINTS):
        having = curves(results, kind)
        if anchor in having:
            others = [(codec, curve) for codec, curve in having.items() if codec != anchor]
            found += [_saving(codec, having[anchor], curve, kind) for codec, curve in others]
    return [saving for saving in found if saving is not None]


def _saving(codec: str, anchor: Curve, test: Curve, kind: str) -> Saving | None:
    try:
        rate, psnr = bd_rate(anchor, test), bd_psnr(anchor, test)
    except ValueError:  # curves that share no range
        return None
    return Saving(codec, rate, psnr, kind, shared_span(anchor, test))


def shared_span(anchor: Sequence[tuple[float, float]], test: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Lowest and highest PSNR that two curves share, dB."""
    ours, theirs = [psnr for _, psnr in test], [psnr for _, psnr in anchor]
    return max(min(ours), min(theirs)), min(max(ours), max(theirs))
