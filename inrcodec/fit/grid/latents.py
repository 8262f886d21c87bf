"""What is done to every latent for itself in a step of the fit: soft rounding.

A plain function without autograd: a gradient with respect to soft latents times ``slope`` is one with respect to
latents.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from inrcodec.fit.engine import latent_kernel
from inrcodec.fit.engine.fused import each
from inrcodec.fit.engine.kernel import Floats

_CHUNK = 1 << 16
"""Latents of a piece of work."""


def _arrays(*tensors: Tensor) -> list[Floats]:
    """The tensors' memory.

    Raises:
        TypeError: something else than float32.
        ValueError: lengths that differ, or memory with gaps.
    """
    for tensor in tensors:
        if tensor.dtype != torch.float32:
            raise TypeError(f"the kernels take float32, not {tensor.dtype}")
        if tensor.ndim != 1 or tensor.shape != tensors[0].shape or not tensor.is_contiguous():
            raise ValueError(f"latents and what goes with them lie in {tuple(tensors[0].shape)}, one after the other")
    return [tensor.detach().numpy() for tensor in tensors]


def relax(latents: Tensor, gain: float, temperature: float, sigma: float, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Soft-rounded latents and their derivatives: :func:`inrcodec.fit.softround.noisy_soft_round`.

    Args:
        latents: ``(n,)`` float32, in their own unit.
        gain: symbols a unit.
        temperature: of both roundings.
        sigma: spread of the noise, in symbols.
        noise: ``(n,)`` float32, of unit spread.

    Returns:
        ``softround(softround(latents gain, T) + sigma noise, T)`` and its derivatives with respect to ``latents``.
    """
    soft, slope = torch.empty_like(noise), torch.empty_like(noise)
    x, added, out, steep = _arrays(latents, noise, soft, slope)
    height = 0.5 / math.tanh(0.5 / temperature)
    numbers = [np.float32(n) for n in (gain, 1 / temperature, height, sigma, gain * (height / temperature) ** 2)]

    def work(k: int) -> None:
        here = slice(k * _CHUNK, (k + 1) * _CHUNK)
        latent_kernel.relax(x[here], added[here], *numbers, out[here], steep[here])

    each(-(-len(x) // _CHUNK), work)
    return soft, slope
