"""The modulated SIREN in plain torch: what the kernels are tested against, and what runs on a GPU.

Latents here are float tensors in units of a symbol: soft-rounded during the fit, integers at its end.

Shapes are those of one picture. Every tensor, of weights, latents and samples, may have a leading axis for several
pictures of one shape, and so has what is returned: a GPU that one picture leaves idle takes as many operations for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from inrcodec.net.grid import CAUSAL, PARENTS, REACH, TAPS, GridArch
from inrcodec.net.layered import BELOW, LayeredArch
from inrcodec.net.upsample import BICUBIC, UNIT

LOWEST, HIGHEST = -5.0, 6.0
"""Bounds of the log-scale."""


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sine": torch.sin, "relu": functional.relu, "gelu": functional.gelu,
}  # fmt: skip


def contexts(arch: GridArch, planes: Sequence[Tensor], grid: int) -> Tensor:
    """Context of every latent of a grid, ``(inputs, rows, columns)``; zeros outside.

    Args:
        arch: the architecture.
        planes: latents ``(rows, columns)`` of each grid, coarsest first.
        grid: index into ``planes``.
    """
    plane = planes[grid]
    rows, columns = plane.shape[-2:]
    padded = functional.pad(plane, (3, 3, 3, 0))
    found = [_window(padded, 3 + dy, 3 + dx, rows, columns) for dy, dx in CAUSAL[: arch.neighbours]]
    for up, dy, dx in PARENTS[: arch.parents]:
        if grid < up:
            found.append(torch.zeros_like(plane))
            continue
        parent = functional.pad(planes[grid - up], (1, 1, 1, 1))
        shifted = _window(parent, 1 + dy, 1 + dx, *planes[grid - up].shape[-2:])
        repeated = shifted.repeat_interleave(1 << up, -2).repeat_interleave(1 << up, -1)
        found.append(repeated[..., :rows, :columns])
    return torch.stack(found, -3)


def _window(planes: Tensor, top: int, left: int, rows: int, columns: int) -> Tensor:
    return planes[..., top : top + rows, left : left + columns]


def laws(arch: GridArch, tensors: Mapping[str, Tensor], planes: Sequence[Tensor], grid: int) -> tuple[Tensor, Tensor]:
    """Position and log-scale of the Laplace law of every latent of a grid, each ``(rows, columns)``."""
    return _laws(arch, tensors, contexts(arch, planes, grid), "C", grid)


def _laws(
    arch: GridArch, tensors: Mapping[str, Tensor], context: Tensor, letter: str, row: int
) -> tuple[Tensor, Tensor]:
    flat = context.flatten(-2)
    biases = torch.split(tensors[f"{letter}.bias"][..., row, :], [*arch.context, 2], -1)
    h = flat
    for k, bias in enumerate(biases[:-1]):
        h = functional.relu(tensors[f"{letter}{k}"] @ h + bias[..., None])
    seen = torch.cat([h, flat], -2) if arch.context else flat
    out = tensors[f"{letter}.out"] @ seen + biases[-1][..., None]
    position, log_scale = out.unflatten(-1, context.shape[-2:]).unbind(-3)
    return position, log_scale.clamp(LOWEST, HIGHEST)


def refining_laws(
    arch: LayeredArch, layer: int, tensors: Mapping[str, Tensor], planes: Sequence[Tensor], below: Sequence[Tensor],
    grid: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The same of what a refinement and those below it come to, ``layer`` being 1 for the first.

    Args:
        arch: the architecture.
        layer: which one.
        tensors: its tensors.
        planes: what the layer comes to, grid by grid.
        below: what the layer below does, in the same steps.
        grid: which grid.
    """
    under = functional.pad(below[grid], (1, 1, 1, 1))
    around = torch.stack([_window(under, 1 + dy, 1 + dx, *below[grid].shape[-2:]) for dy, dx in BELOW], -3)
    context = torch.cat([contexts(arch, planes, grid), around], -3)
    return _laws(arch, tensors, context, *arch.context_tensors(layer * arch.grids + grid))


def refining_bits(
    arch: LayeredArch, layer: int, tensors: Mapping[str, Tensor], planes: Sequence[Tensor], below: Sequence[Tensor]
) -> Tensor:
    """Bits of a refinement, a scalar differentiable in weights and what its layer, and the one below, come to."""
    total = planes[0].new_zeros(planes[0].shape[:-2])
    for grid, plane in enumerate(planes):
        total = total + laplace_bits(plane, *refining_laws(arch, layer, tensors, planes, below, grid)).sum((-2, -1))
    return total


def laplace_bits(latents: Tensor, position: Tensor, log_scale: Tensor) -> Tensor:
    """Bits of latents under Laplace laws integrated over the unit interval around each, elementwise.

    With distance d and scale b the probability is ``(1 - e^(-1/b)) / 2 e^(-(d - 1/2)/b)`` from d = 1/2 on and
    ``1 - (e^(-(1/2 - d)/b) + e^(-(1/2 + d)/b)) / 2`` below.
    """
    distance = (latents - position).abs()
    rate = torch.exp(-log_scale)  # 1 / b
    far = (distance - 0.5).clamp(min=0) * rate - torch.log(-torch.expm1(-rate) / 2)
    inside = distance.clamp(max=0.5)
    near = -torch.log(1 - (torch.exp((inside - 0.5) * rate) + torch.exp(-(inside + 0.5) * rate)) / 2)
    return torch.where(distance < 0.5, near, far) / math.log(2)


def latent_bits(arch: GridArch, tensors: Mapping[str, Tensor], planes: Sequence[Tensor]) -> Tensor:
    """Bits of all latents, a scalar differentiable in weights and latents."""
    total = planes[0].new_zeros(planes[0].shape[:-2])
    for grid, plane in enumerate(planes):
        total = total + laplace_bits(plane, *laws(arch, tensors, planes, grid)).sum((-2, -1))
    return total


def double(planes: Tensor, taps: Tensor, rows: int, columns: int) -> Tensor:
    """Two-fold separable upsampling of ``(n, h, w)`` to ``(n, rows, columns)``, edges repeated.

    Sample 2i is ``sum_j taps[j] x[i - 2 + j]``, sample 2i + 1 its mirror image ``sum_j taps[j] x[i + 2 - j]``.

    Args:
        planes: what is enlarged.
        taps: ``(4,)``.
        rows: 2h or 2h - 1.
        columns: 2w or 2w - 1.
    """
    weights = taps[..., None, None, None].unbind(-4)
    for dim, size in ((-2, rows), (-1, columns)):
        moved = planes.movedim(dim, -1)
        length = moved.shape[-1]
        padded = torch.cat([moved[..., :1], moved[..., :1], moved, moved[..., -1:], moved[..., -1:]], -1)
        left = torch.stack([weights[j] * padded[..., j : j + length] for j in range(4)]).sum(0)
        right = torch.stack([weights[j] * padded[..., 4 - j : 4 - j + length] for j in range(4)]).sum(0)
        both = torch.stack([left, right], -1).flatten(-2)[..., :size]
        planes = both.movedim(-1, dim)
    return planes


def filtered(plane: Tensor, taps: Tensor) -> Tensor:
    """A grid ``(rows, columns)`` through its own filter: 7 symmetric taps along columns, then rows, edges repeated.

    Args:
        plane: what is filtered.
        taps: ``(4,)``, what is added to the identity's, from the middle outward.
    """
    weights = taps[..., None, None].unbind(-3)
    for dim in (-2, -1):
        moved = plane.movedim(dim, -1)
        length = moved.shape[-1]
        padded = torch.cat([moved[..., :1]] * REACH + [moved] + [moved[..., -1:]] * REACH, -1)
        found = moved + weights[0] * moved
        for j in range(1, TAPS):
            left, right = padded[..., REACH - j :], padded[..., REACH + j :]
            found = found + weights[j] * (left[..., :length] + right[..., :length])
        plane = found.movedim(-1, dim)
    return plane


def upsampled(
    arch: GridArch, tensors: Mapping[str, Tensor], planes: Sequence[Tensor], sizes: Sequence[tuple[int, int]]
) -> Tensor:
    """All grids at full size, ``(grids, height, width)``, coarsest first.

    Args:
        arch: the architecture.
        tensors: its tensors.
        planes: latents of each grid.
        sizes: ``(rows, columns)`` of the octaves coarsest - 1 .. 0: what each rung of the ladder leads to.
    """
    if arch.filters:
        planes = [planes[0], *(filtered(p, tensors["V"][..., k, :]) for k, p in enumerate(planes[1:]))]
    stack = planes[0][..., None, :, :]
    base = _bicubic(stack.dtype, stack.device)
    for rung, (rows, columns) in enumerate(sizes[: arch.coarsest]):
        stack = double(stack, base + tensors["U"][..., rung, :], rows, columns)
        if rung + 1 < len(planes):
            stack = torch.cat([stack, planes[rung + 1][..., None, :, :]], -3)
    return stack * UNIT


@lru_cache(maxsize=8)
def _bicubic(dtype: torch.dtype, device: torch.device) -> Tensor:
    """The taps of the known filter; brought to the device once, as every transfer waits for it."""
    return torch.tensor(BICUBIC, dtype=dtype, device=device)


def synthesise(arch: GridArch, tensors: Mapping[str, Tensor], stack: Tensor) -> Tensor:
    """Samples ``(outputs, height, width)`` from the upsampled grids ``(grids, height, width)``."""
    flat = stack.flatten(-2)
    biases = torch.split(tensors["S.bias"], [*arch.hidden, arch.outputs], -1)
    act = _ACTIVATIONS[arch.activation]
    frequency = arch.w0 / 8 if arch.activation == "sine" else 1.0
    h = flat
    for k, bias in enumerate(biases[:-1]):
        h = act(frequency * (tensors[f"S{k}"] @ h + bias[..., None]))
    seen = torch.cat([h, flat], -2) if arch.hidden else flat
    picture: Tensor = (tensors["S.out"] @ seen + biases[-1][..., None]).unflatten(-1, stack.shape[-2:])
    for k in range(arch.residuals):
        picture = picture + _filtered(picture, tensors[f"R{k}"])
    return picture


def _filtered(picture: Tensor, taps: Tensor) -> Tensor:
    """A 3x3 layer ``(outputs, inputs, 3, 3)``, edges repeated.

    A product of matrices: a convolution with weights for every picture would be one in groups of three channels, which
    GPUs are slow at, and by default computes with 10 bits of mantissa.
    """
    rows, columns = picture.shape[-2:]
    padded = functional.pad(picture.reshape(-1, *picture.shape[-3:]), (1, 1, 1, 1), mode="replicate")
    around = torch.cat([_window(padded, dy, dx, rows, columns) for dy in range(3) for dx in range(3)], -3)
    around = around.reshape(*picture.shape[:-3], -1, rows * columns)
    filtered: Tensor = (taps.movedim(-3, -1).flatten(-3) @ around).unflatten(-1, (rows, columns))
    return filtered


def picture(arch: GridArch, tensors: Mapping[str, Tensor], planes: Sequence[Tensor], width: int, height: int) -> Tensor:
    """Samples ``(outputs, height, width)`` from the latents of each grid."""
    sizes = [(-(-height >> o), -(-width >> o)) for o in range(arch.coarsest - 1, -1, -1)]
    return synthesise(arch, tensors, upsampled(arch, tensors, planes, sizes))


def mse(arch: GridArch, tensors: Mapping[str, Tensor], planes: Sequence[Tensor], target: Tensor) -> Tensor:
    """Mean squared error of the picture against ``target`` ``(outputs, height, width)``."""
    height, width = target.shape[-2:]
    return (picture(arch, tensors, planes, width, height) - target).square().mean((-3, -2, -1))
