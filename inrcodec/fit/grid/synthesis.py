"""The distortion of a modulated SIREN by the fused kernels: a function of weights and latents.

Everything is cut into pieces by the picture's size alone, and sums over pieces are added in order, so results do not
depend on how many threads work or which of them is first.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from inrcodec.fit.engine.block_kernel import ERROR, GRADIENTS, PICTURE, sweep
from inrcodec.fit.engine.fused import _buffer, _flat, each
from inrcodec.fit.engine.micro import PANEL
from inrcodec.fit.engine.synthesis_plan import SynthesisPlan, synthesis_plan
from inrcodec.fit.grid.ladder import Ladder, ladder
from inrcodec.net.grid import GridArch
from inrcodec.net.upsample import BICUBIC, UNIT

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_BLOCK_ROWS, _MAX_BANDS = 16, 16
"""Rows of a block for each of those around it that go through the network again, and bands of blocks at most."""
_STRIP = 1024
"""Columns of a block, about: the few rows it keeps with their activations are to stay in a worker's share of cache."""
_NOTHING = np.empty(0, np.float32)


def _blocks(arch: GridArch, width: int, height: int) -> list[Ints]:
    """First row, end, first column and end of what goes through the synthesiser together."""
    bands = max(1, min(_MAX_BANDS, height // (_BLOCK_ROWS * (1 + 2 * arch.residuals))))
    bands -= bands % 2 if bands > 1 else 0  # as much for each of two threads
    rows = [height * k // bands for k in range(bands + 1)]
    panels, strips = -(-width // PANEL), max(1, round(width / _STRIP))
    columns = [min(width, panels * k // strips * PANEL) for k in range(strips + 1)]
    return [np.array(row + column) for row in itertools.pairwise(rows) for column in itertools.pairwise(columns)]


def _synthesise(
    task: int, layout: SynthesisPlan, stage: Ladder, flat: Floats, target: Floats, out: Floats
) -> tuple[float, Floats]:
    """All blocks through :func:`sweep`: the squared error, and the gradient of the flat weights."""
    arch = layout.arch
    height, width = stage.octaves[-1]
    blocks, w, size = _blocks(arch, width, height), layout.weights(flat), np.array([height, width])
    sums = np.zeros((len(blocks), layout.gradient_size if task == GRADIENTS else 0), np.float32)
    errors = [0.0] * len(blocks)
    columns = min(width, 4 * arch.residuals + max(int(block[3] - block[2]) for block in blocks))
    memory = layout.buffer_size(columns, gradients=task == GRADIENTS)

    def work(k: int) -> None:
        errors[k] = sweep(
            task, blocks[k], size, stage.planes[-1], target, w, layout.widths, layout.kind, arch.residuals,
            layout.w_at, layout.b_at, layout.h_at, layout.z_at, layout.g_at, _buffer(memory), sums[k], out,
            stage.slopes[-1],
        )  # fmt: skip

    each(len(blocks), work)
    return sum(errors), layout.gather(sums) if task == GRADIENTS else _NOTHING


def _taps(layout: SynthesisPlan, flat: Floats) -> tuple[Floats, Floats]:
    """Taps of the ladder's rungs, and what the grids' own filters add to the identity."""
    taps: Floats = np.array(BICUBIC, np.float32) + flat[layout.upsampling]
    own: Floats = flat[layout.filters]
    return taps, own


class _MeanSquaredError(torch.autograd.Function):
    """The mean squared error, its gradients found on the way."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor, latents: Tensor, target: Tensor, layout: SynthesisPlan) -> Tensor:
        stage, weights = ladder(layout.arch, target.shape[2], target.shape[1]), _flat(flat)
        taps, own = _taps(layout, weights)
        stage.climb(taps, own, _flat(latents))
        total, gradient = _synthesise(GRADIENTS, layout, stage, weights, _flat(target), _NOTHING)
        d_latents, gradient[layout.upsampling], gradient[layout.filters] = stage.descend(taps, own)
        ctx.count = target.numel()
        ctx.save_for_backward(torch.from_numpy(gradient), torch.from_numpy(d_latents))
        return torch.tensor(total / ctx.count, dtype=torch.float32)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor, None, None]:
        gradient, d_latents = ctx.saved_tensors
        factor = upstream[0] / ctx.count
        return gradient * factor, d_latents * factor, None, None


def _check(arch: GridArch, width: int, height: int, flat: Tensor, latents: Tensor) -> SynthesisPlan:
    layout = synthesis_plan(arch, UNIT)
    if flat.dtype != torch.float32 or latents.dtype != torch.float32:
        raise TypeError(f"the kernels take float32, not {flat.dtype} and {latents.dtype}")
    if flat.shape != (layout.size,):
        raise ValueError(f"this architecture has {layout.size} weights, not {tuple(flat.shape)}")
    if latents.shape != (arch.latents(width, height),):
        raise ValueError(f"this picture has {arch.latents(width, height)} latents, not {tuple(latents.shape)}")
    return layout


def mse(arch: GridArch, flat: Tensor, latents: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of the picture against ``target``, a scalar differentiable in weights and latents.

    Args:
        arch: the architecture.
        flat: all its tensors in file order, ``(params,)`` float32; those of the context model get zero gradient.
        latents: of all grids, coarsest first, ``(latents,)`` float32.
        target: ``(outputs, height, width)`` float32.
    """
    if target.dtype != torch.float32:
        raise TypeError(f"the kernels take float32, not {target.dtype}")
    if target.ndim != 3 or target.shape[0] != arch.outputs or target.numel() == 0:
        raise ValueError(f"samples have shape ({arch.outputs}, height, width), not {tuple(target.shape)}")
    height, width = target.shape[1:]
    layout = _check(arch, width, height, flat, latents)
    if torch.is_grad_enabled() and (flat.requires_grad or latents.requires_grad):
        return _MeanSquaredError.apply(flat, latents, target, layout)  # type: ignore[no-any-return, no-untyped-call]
    stage, weights = ladder(arch, width, height), _flat(flat)
    stage.climb(*_taps(layout, weights), _flat(latents))
    total, _ = _synthesise(ERROR, layout, stage, weights, _flat(target), _NOTHING)
    return torch.tensor(total / target.numel(), dtype=torch.float32)


def picture(arch: GridArch, width: int, height: int, flat: Tensor, latents: Tensor) -> Tensor:
    """The picture ``(outputs, height, width)``, without gradients.

    Args:
        arch: the architecture.
        width: of the picture.
        height: of the picture.
        flat: all tensors in file order, ``(params,)`` float32.
        latents: of all grids, coarsest first, ``(latents,)`` float32.
    """
    layout = _check(arch, width, height, flat, latents)
    stage, weights = ladder(arch, width, height), _flat(flat)
    stage.climb(*_taps(layout, weights), _flat(latents))
    out = np.empty(arch.outputs * height * width, np.float32)
    _synthesise(PICTURE, layout, stage, weights, _NOTHING, out)
    return torch.from_numpy(out).view(arch.outputs, height, width)
