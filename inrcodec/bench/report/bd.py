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
    found = {name: tuple(sorted((bpp, psnr) for codec, bpp, psnr in points if codec == name)) for name in results.codecs}
    return {name: curve for name, curve in found.items() if len(curve) >= FEWEST}


def savings(results: Results, anchor: str) -> list[Saving]:
    """Every codec against the anchor where curves of one kind allow it: at targets first, else operating points."""
    sets = [(kind, curves(results, kind)) for kind in (AT_TARGET, OPERATING_POINTS)]
    found = []
    for codec in results.codecs:
        for kind, having in sets:
            if codec == anchor or anchor not in having or codec not in having:
                continue
            saving = _saving(codec, having[anchor], having[codec], kind)
            if saving is not None:
                found.append(saving)
                break
    return found


def _saving(codec: str, anchor: Curve, test: Curve, kind: str) -> Saving | None:
    try:
        rate, psnr = bd_rate(anchor, test), bd_psnr(anchor, test)
    except ValueError:  # curves that share no range
        return None
    return Saving(codec, rate, psnr, kind, _shared(anchor, test))


def _shared(anchor: Sequence[tuple[float, float]], test: Sequence[tuple[float, float]]) -> tuple[float, float]:
    ours, theirs = [psnr for _, psnr in test], [psnr for _, psnr in anchor]
    return max(min(ours), min(theirs)), min(max(ours), max(theirs))
