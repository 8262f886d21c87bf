"""Rounding weights a few at a time, while those that are still free make up for it.

A weight that is rounded leaves an error that the others can mend as long as they are floats, so weights come to rest in
turn: those that are next to a level first (Zhou et al. 2017, Incremental Network Quantization, section 3, takes the
largest first). Rounding all at once and going on with straight-through gradients did not gain anything here, at any
rate of learning; this way nothing is lost by rounding, and steps may be coarser.
"""

from __future__ import annotations

import torch
from torch import Tensor

from inrcodec.limits import MAX_SYMBOL


def none_resting(levels: Tensor) -> Tensor:
    """The levels of weights that rest where all of them are free: NaN."""
    return torch.full_like(levels, torch.nan)


def laid_down(resting: Tensor, levels: Tensor, share: float) -> Tensor:
    """Let more weights rest.

    Args:
        resting: levels of those that do, NaN where a weight is free, ``(..., weights)``.
        levels: of all weights, not rounded, ``(..., weights)``.
        share: part of all weights that is to rest now; those that do already count, and go on resting.
    """
    free = torch.isnan(resting)
    apart = torch.where(free, (levels - levels.round()).abs(), -1.0)
    chosen = apart.argsort(-1)[..., : round(share * levels.shape[-1])]
    due = torch.zeros_like(free).scatter(-1, chosen, value=True) & free
    return torch.where(due, levels.round().clamp(-MAX_SYMBOL, MAX_SYMBOL), resting)


def held(resting: Tensor | None, values: Tensor, step: Tensor | float = 1.0) -> Tensor:
    """Values of weights, but for those that rest, which get none but their own and no gradient.

    Args:
        resting: see :func:`laid_down`; None where no weight rests.
        values: ``(..., weights)``.
        step: what a level is worth in those values.
    """
    return values if resting is None else torch.where(torch.isnan(resting), values, resting * step)
