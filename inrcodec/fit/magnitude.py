"""Magnitude pruning: which weights stay (Han et al. 2015, section 3; by layer as in L0onie's baseline)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from inrcodec.fit.bisection import bracket
from inrcodec.fit.sizing import BITS_PER_WEIGHT
from inrcodec.net.arch import Arch


def share_within(weights: int, budget: float) -> float:
    """The part of the weights that a budget pays for: a typical weight's bits for each, and those of telling which.

    Args:
        weights: of the dense network.
        budget: bits.
    """

    def bits(share: float) -> float:
        rest = 1 - share
        entropy = -(share * math.log2(share) + rest * math.log2(rest)) if 0 < share < 1 else 0.0
        return weights * (share * BITS_PER_WEIGHT + entropy)

    if bits(1.0) <= budget:
        return 1.0
    top = BITS_PER_WEIGHT / (BITS_PER_WEIGHT + 1)  # the bits grow all the way up to here
    return bracket(0.0, top, lambda share: bits(share) <= budget, 40)[0]


def ends_of(arch: Arch) -> tuple[int, ...]:
    """The tensors of the first and the last layer, which L0onie's baseline leaves dense."""
    names = ("W0", f"W{arch.depth}", "b.out")
    return tuple(k for k, spec in enumerate(arch.tensors()) if spec.name in names)


def largest(
    weights: Tensor, tensor_of: Tensor, keep: float, *, everywhere: bool = False, spared: Sequence[int] = ()
) -> Tensor:
    """Which weights stay.

    Args:
        weights: ``(weights,)``.
        tensor_of: the tensor each belongs to.
        keep: part of the weights that stays, of each tensor or of all.
        everywhere: magnitudes of different tensors are compared, rather than each tensor's by itself.
        spared: tensors that stay whole; the others make up for them as far as they can.

    Returns:
        ``(weights,)`` of bools.
    """
    whole = torch.isin(tensor_of, torch.tensor(list(spared), dtype=tensor_of.dtype, device=tensor_of.device))
    rest = int((~whole).sum())
    share = (keep * len(weights) - (len(weights) - rest)) / max(1, rest)
    share = min(1.0, max(share, 0.0))
    kept = whole.clone()
    groups = [~whole] if everywhere else [tensor_of == k for k in tensor_of[~whole].unique()]
    for group in groups:
        members = group.nonzero().squeeze(1)
        order = weights[members].abs().argsort(descending=True, stable=True)
        kept[members[order[: round(share * len(members))]]] = True
    return kept
