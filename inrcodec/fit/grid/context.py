"""The latents' rate by the fused kernel, as torch sees it; :mod:`inrcodec.fit.grid.reference` says what it is.

Grids are cut into slots by their size alone, and every slot's sums are kept apart and added in order, so results do not
depend on how many threads work or which of them is first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from inrcodec.fit.engine.context_kernel import rate
from inrcodec.fit.engine.context_plan import ContextPlan, context_plan
from inrcodec.fit.engine.fused import _buffer, _flat, each
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch


def _run(
    layout: ContextPlan, flat: Tensor, latents: Tensor, *, weigh: bool = False, pull: bool = False, law: bool = False
) -> tuple[NDArray[np.float64], Tensor | None, Tensor | None, NDArray[np.float32]]:
    """All slots through the kernel.

    Returns:
        Bits of every slot, gradients of weights and latents where asked for, and the laws where asked for.
    """
    values, w = _flat(latents), layout.extended(_flat(flat))
    slots = len(layout.slots)
    sums = np.zeros((slots, layout.gradient_size if weigh else 0), np.float32)
    parts = np.zeros(layout.part_size if pull else 0, np.float32)
    laws = np.empty(2 * layout.latents if law else 0, np.float32)
    bits = np.zeros(slots)

    def work(turn: int) -> None:
        k = slots - 1 - turn  # the finest grid's are the largest: small ones at the end keep all threads busy
        bits[k] = rate(
            layout.slots[k], layout.parts[k], layout.grids, layout.sources[layout.slots[k, 0]], layout.levels,
            layout.seen, values, w, layout.fan, layout.w_at, layout.b_at[layout.slots[k, 0]], layout.tail_at,
            layout.h_at, layout.z_at, layout.pull_at, layout.tile_size, layout.room, _buffer(layout.buffer_size),
            sums[k], parts, laws,
        )  # fmt: skip

    each(slots, work)
    gradient = torch.from_numpy(layout.gather(sums)) if weigh else None
    return bits, gradient, torch.from_numpy(layout.join(parts)) if pull else None, laws


class _LatentBits(torch.autograd.Function):
    """The bits of all latents, gradients found on the way."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor, latents: Tensor, layout: ContextPlan) -> Tensor:
        weigh, pull, _ = ctx.needs_input_grad
        bits, gradient, pulled, _ = _run(layout, flat, latents, weigh=weigh, pull=pull)
        ctx.weigh, ctx.pull = weigh, pull
        nothing = torch.empty(0)
        ctx.save_for_backward(nothing if gradient is None else gradient, nothing if pulled is None else pulled)
        return torch.tensor(bits.sum(), dtype=torch.float32)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        gradient, pulled = ctx.saved_tensors
        return gradient * upstream[0] if ctx.weigh else None, pulled * upstream[0] if ctx.pull else None, None


def _check(layout: ContextPlan, flat: Tensor, latents: Tensor) -> ContextPlan:
    if flat.dtype != torch.float32 or latents.dtype != torch.float32:
        raise TypeError(f"the kernels take float32, not {flat.dtype} and {latents.dtype}")
    if flat.shape != (layout.total,):
        raise ValueError(f"this architecture has {layout.total} weights, not {tuple(flat.shape)}")
    if latents.shape != (layout.values,):
        raise ValueError(f"these grids have {layout.values} latents, not {tuple(latents.shape)}")
    return layout


def latent_bits(arch: GridArch, width: int, height: int, flat: Tensor, latents: Tensor) -> Tensor:
    """Bits of all latents, a scalar differentiable in weights and latents.

    Args:
        arch: the architecture.
        width: of the picture.
        height: of the picture.
        flat: ``(arch.params,)`` float32, all tensors in file order; only the context model's have a gradient.
        latents: ``(arch.latents(width, height),)`` float32, grid by grid, coarsest first.
    """
    return _bits(_check(context_plan(arch, width, height), flat, latents), flat, latents)


def _bits(layout: ContextPlan, flat: Tensor, latents: Tensor) -> Tensor:
    if not torch.is_grad_enabled():  # which a function that is differentiated by hand cannot see
        flat, latents = flat.detach(), latents.detach()
    return _LatentBits.apply(flat, latents, layout)  # type: ignore[no-any-return, no-untyped-call]


def refining_bits(
    arch: LayeredArch, layer: int, width: int, height: int, flat: Tensor, sums: Tensor, below: Tensor
) -> Tensor:
    """Bits of a refinement, a scalar differentiable in weights, what its layer comes to, and what the one below does.

    Args:
        arch: the architecture.
        layer: which one, from 1.
        width: of the picture.
        height: of the picture.
        flat: as of :func:`latent_bits`.
        sums: what the layer comes to, ``(arch.latents(width, height),)`` float32.
        below: what the layer below comes to, in the same steps.
    """
    layout = context_plan(arch, width, height, layer)
    both = torch.cat([sums, below])
    return _bits(_check(layout, flat, both), flat, both)


def grid_bits(arch: GridArch, width: int, height: int, flat: Tensor, latents: Tensor) -> tuple[float, ...]:
    """Bits of every grid, coarsest first; arguments as of :func:`latent_bits`."""
    layout = _check(context_plan(arch, width, height), flat, latents)
    return layout.grid_sums(_run(layout, flat, latents)[0])


def grid_laws(
    arch: GridArch, width: int, height: int, flat: Tensor, latents: Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Position and bounded log-scale of every latent's law, flat; arguments as of :func:`latent_bits`."""
    return _laws(_check(context_plan(arch, width, height), flat, latents), flat, latents)


def refining_laws(
    arch: LayeredArch, layer: int, width: int, height: int, flat: Tensor, sums: Tensor, below: Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The same of what the layer of a refinement comes to; arguments as of :func:`refining_bits`."""
    layout, both = context_plan(arch, width, height, layer), torch.cat([sums, below])
    return _laws(_check(layout, flat, both), flat, both)


def _laws(layout: ContextPlan, flat: Tensor, latents: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    laws = _run(layout, flat, latents, law=True)[3]
    return laws[: layout.latents], laws[layout.latents :]
