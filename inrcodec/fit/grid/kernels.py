"""The engine of fused kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from inrcodec.fit.grid.context import grid_laws as laws
from inrcodec.fit.grid.context import latent_bits, refining_bits, refining_laws
from inrcodec.fit.grid.latents import relax
from inrcodec.fit.grid.synthesis import mse


class _Relaxed(torch.autograd.Function):
    """Soft rounding with its derivative found on the way."""

    @staticmethod
    def forward(ctx: Any, latents: Tensor, gain: float, temperature: float, sigma: float, noise: Tensor) -> Tensor:
        soft, slope = relax(latents, gain, temperature, sigma, noise)
        ctx.save_for_backward(slope)
        return soft

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None, None, None]:
        (slope,) = ctx.saved_tensors
        return upstream[0] * slope, None, None, None, None


def relaxed(latents: Tensor, gain: float, temperature: float, sigma: float, noise: Tensor) -> Tensor:
    """Latents times ``gain``, soft-rounded around noise; see :func:`inrcodec.fit.softround.noisy_soft_round`.

    Args:
        latents: ``(n,)`` float32.
        gain: symbols a unit.
        temperature: of the rounding.
        sigma: spread of the noise, in symbols.
        noise: ``(n,)`` float32, of unit spread.
    """
    return _Relaxed.apply(latents, gain, temperature, sigma, noise)  # type: ignore[no-any-return, no-untyped-call]


__all__ = ["latent_bits", "laws", "mse", "refining_bits", "refining_laws", "relaxed"]
