"""Quantisation steps of the networks' tensors, by trial on the Lagrangian itself.

A handful of tensors and a fast forward pass make the plain way the best one: round one tensor coarser or finer, look
at what it does to picture, latents and its own cost, keep the best, go on to the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from inrcodec.coding.estimate import fit_law
from inrcodec.coding.law import STEP_CODES, code_length, step_size
from inrcodec.fit.grid.scene import Scene
from inrcodec.limits import MAX_SYMBOL
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import CONTEXTS

_COARSEST, _FINEST, _STRIDE = 168, 96, 8
"""Codes tried: from 2^-5 outward to these, an octave at a time."""


def quantised(weights: Tensor, code: int) -> tuple[Tensor, float]:
    """A tensor rounded with a step, and the bits it then takes."""
    step = step_size(code)
    symbols = torch.round(weights / step).clamp(-MAX_SYMBOL, MAX_SYMBOL)
    values = symbols.cpu().numpy().astype(np.int32)
    return symbols * step, code_length(fit_law(values, code), values)


@torch.no_grad()
def search_steps(
    scene: Scene,
    arch: GridArch,
    weights: Tensor,
    base: Tensor,
    latents: Tensor,
    codes: Sequence[int],
    price: float,
    budget: float,
) -> tuple[int, ...]:
    """The codes that make ``ln MSE + price bits / budget`` small, found tensor by tensor.

    Args:
        scene: the picture.
        arch: the architecture.
        weights: float weights, ``(params,)``.
        base: what they are added to, ``(params,)``.
        latents: rounded latents, ``(latents,)``.
        codes: where to start, one a tensor.
        price: the multiplier.
        budget: bits.
    """
    sizes, weighing = [spec.size for spec in arch.tensors()], scene.weighing(arch)
    parts = [part.clone() for part in torch.split(weights, sizes)]
    rounded = [quantised(part, code)[0] for part, code in zip(parts, codes, strict=True)]
    chosen = list(codes)

    def flat(parts: list[Tensor]) -> Tensor:
        return base + torch.cat([part.reshape(-1) for part in parts])

    bits, log_mse = _bits(scene, arch, flat(rounded), latents), _log_mse(scene, arch, flat(rounded), latents)
    for k, spec in enumerate(arch.tensors()):
        context, counts = spec.name[0] in CONTEXTS, weighing[k]

        def judge(
            code: int, k: int = k, context: bool = context, counts: float = counts, bits: float = bits,
            log_mse: float = log_mse,
        ) -> tuple[float, Tensor, float, float]:  # fmt: skip
            part, own = quantised(parts[k], code)
            trial = [*rounded[:k], part, *rounded[k + 1 :]]
            latent = _bits(scene, arch, flat(trial), latents) if context else bits
            error = log_mse if context else _log_mse(scene, arch, flat(trial), latents)
            return error + price * (latent + counts * own) / budget, part, latent, error

        chosen[k], (_, rounded[k], bits, log_mse) = _descend(judge, codes[k])
    return tuple(chosen)


def _descend(
    judge: Callable[[int], tuple[float, Tensor, float, float]], code: int
) -> tuple[int, tuple[float, Tensor, float, float]]:
    """Coarser as long as it helps, else finer as long as it helps."""
    best = code, judge(code)
    for stride in (_STRIDE, -_STRIDE):
        moved = False
        while 0 <= best[0] + stride < STEP_CODES and _FINEST <= best[0] + stride <= _COARSEST:
            trial = judge(best[0] + stride)
            if not trial[0] < best[1][0]:
                break
            best, moved = (best[0] + stride, trial), True
        if moved:
            break
    return best


def _bits(scene: Scene, arch: GridArch, flat: Tensor, latents: Tensor) -> float:
    return float(scene.bits(arch, flat, latents).cpu())


def _log_mse(scene: Scene, arch: GridArch, flat: Tensor, latents: Tensor) -> float:
    return math.log(float(scene.mse(arch, flat, latents).cpu()) + 1e-12)
