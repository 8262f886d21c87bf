"""How much the picture's error feels each weight, and the quantisation steps that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inrcodec.coding.estimate import fit_law
from inrcodec.coding.law import code_length, step_code, step_size
from inrcodec.fit.bisection import bracket
from inrcodec.fit.canvas import EVALUATE, Canvas
from inrcodec.fit.model import SparseSiren
from inrcodec.limits import MAX_SYMBOL


def curvature(canvas: Canvas, model: SparseSiren, flat: torch.Tensor, probes: int = 24) -> NDArray[np.float64]:
    """Gauss-Newton diagonal of the mean squared error, ``E[(d sample / d weight)^2]``.

    Args:
        canvas: the picture.
        model: the net.
        flat: weights it is taken at, ``(weights,)``.
        probes: batches of random-sign probes (Hutchinson's estimator), about 4 % error each hundred.

    Returns:
        ``(weights,)``, in squared samples per squared weight.
    """
    generator = torch.Generator().manual_seed(0)
    flat = flat.detach().requires_grad_(True)
    total = torch.zeros_like(flat)
    seen = 0
    for _ in range(probes):
        index = torch.randint(canvas.count, (min(EVALUATE, canvas.count),), generator=generator)
        index = index.to(flat.device, non_blocking=True)
        out = model(canvas.coords[index], flat)
        signs = (torch.randint(2, out.shape, generator=generator) * 2 - 1).to(out, non_blocking=True)
        total += torch.autograd.grad((out * signs).sum(), flat)[0].square()
        seen += out.numel()
    return (total / seen).double().cpu().numpy()


def rounded_bits(tensors: Sequence[NDArray[np.floating[Any]]], codes: Sequence[int]) -> float:
    """Ideal bits of float weights rounded to the steps of these codes."""
    total = 0.0
    for tensor, code in zip(tensors, codes, strict=True):
        symbols = np.clip(np.rint(tensor / step_size(code)), -MAX_SYMBOL, MAX_SYMBOL).astype(np.int64)
        total += code_length(fit_law(symbols, code), symbols)
    return total


def priced_steps(
    tensors: Sequence[NDArray[np.floating[Any]]], curvatures: Sequence[NDArray[np.float64]], price: float
) -> list[int]:
    """Quantisation steps that pay at a fixed price.

    A step s of a weight of curvature h costs ``h s^2 / 12`` of error and saves ``log2 s`` bits: a little more of it no
    longer pays where ``h s^2 / 6 = price / ln 2``.

    Args:
        tensors: float weights.
        curvatures: their Gauss-Newton diagonals, same shapes.
        price: mean squared error that a bit may cost.

    Returns:
        Step codes, one a tensor.
    """
    felt = [max(float(c.mean()), 1e-12) for c in curvatures]
    floors = [1.1 * float(np.abs(t).max()) / MAX_SYMBOL for t in tensors]
    return [step_code(max(np.sqrt(6 * price / (np.log(2) * h)), f)) for h, f in zip(felt, floors, strict=True)]


def allocate_steps(
    tensors: Sequence[NDArray[np.floating[Any]]], curvatures: Sequence[NDArray[np.float64]], budget: float
) -> list[int]:
    """Quantisation steps that spend a budget with equal slope in every tensor.

    At a fine step s a weight of curvature h adds ``h s^2 / 12`` to the error and costs ``-log2 s`` bits, so the slopes
    agree when ``s`` is proportional to ``1 / sqrt(mean h)`` (reverse water-filling); one factor remains, found by
    bisection on the coded length.

    Args:
        tensors: float weights.
        curvatures: their Gauss-Newton diagonals, same shapes.
        budget: bits for all of them.

    Returns:
        Step codes, one a tensor.
    """
    shape = [1.0 / np.sqrt(max(float(c.mean()), 1e-12)) for c in curvatures]

    def codes(log_factor: float) -> list[int]:
        floor = [float(np.abs(t).max()) / MAX_SYMBOL for t in tensors]
        return [step_code(max(np.exp(log_factor) * s, f * 1.1)) for s, f in zip(shape, floor, strict=True)]

    return codes(bracket(-16.0, 6.0, lambda factor: rounded_bits(tensors, codes(factor)) > budget, 18)[1])
