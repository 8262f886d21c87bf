"""The engine of plain torch: the reference, and what runs on a GPU.

All tensors may have a leading axis for several pictures of one shape; see :mod:`inrcodec.fit.grid.reference`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inrcodec.fit.grid import reference
from inrcodec.fit.softround import noisy_soft_round
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch


def tensors_of(arch: GridArch, flat: Tensor) -> dict[str, Tensor]:
    """Tensors by name, views of the flat vector ``(params,)``."""
    specs = arch.tensors()
    parts = torch.split(flat, [spec.size for spec in specs], -1)
    return {spec.name: part.unflatten(-1, spec.shape) for spec, part in zip(specs, parts, strict=True)}


def flat_of(arch: GridArch, tensors: Mapping[str, NDArray[Any]]) -> Tensor:
    """The inverse of :func:`tensors_of`, from arrays: ``(params,)``, of their type."""
    return torch.from_numpy(np.concatenate([tensors[spec.name].ravel() for spec in arch.tensors()]))


def planes_of(arch: GridArch, width: int, height: int, latents: Tensor) -> list[Tensor]:
    """Grids ``(rows, columns)``, coarsest first, views of the flat latents."""
    shapes = arch.shapes(width, height)
    parts = torch.split(latents, [rows * columns for rows, columns in shapes], -1)
    return [part.unflatten(-1, shape) for part, shape in zip(parts, shapes, strict=True)]


def latent_bits(arch: GridArch, width: int, height: int, flat: Tensor, latents: Tensor) -> Tensor:
    """Bits of all latents; see :func:`inrcodec.fit.grid.context.latent_bits`."""
    return reference.latent_bits(arch, tensors_of(arch, flat), planes_of(arch, width, height, latents))


def refining_bits(
    arch: LayeredArch, layer: int, width: int, height: int, flat: Tensor, sums: Tensor, below: Tensor
) -> Tensor:
    """Bits of a refinement; see :func:`inrcodec.fit.grid.context.refining_bits`."""
    planes, under = (planes_of(arch, width, height, values) for values in (sums, below))
    return reference.refining_bits(arch, layer, tensors_of(arch, flat), planes, under)


def mse(arch: GridArch, flat: Tensor, latents: Tensor, target: Tensor) -> Tensor:
    """Mean squared error; see :func:`inrcodec.fit.grid.synthesis.mse`."""
    height, width = target.shape[-2:]
    return reference.mse(arch, tensors_of(arch, flat), planes_of(arch, width, height, latents), target)


def picture(arch: GridArch, flat: Tensor, latents: Tensor, width: int, height: int) -> Tensor:
    """What is drawn, ``(outputs, height, width)``, not clipped."""
    return reference.picture(arch, tensors_of(arch, flat), planes_of(arch, width, height, latents), width, height)


def relaxed(latents: Tensor, gain: float, temperature: float, sigma: float, noise: Tensor) -> Tensor:
    """Latents times ``gain``, soft-rounded around noise."""
    return noisy_soft_round(latents * gain, temperature, sigma * noise)


@torch.no_grad()
def laws(
    arch: GridArch, width: int, height: int, flat: Tensor, latents: Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Position and log-scale of every latent's law; see :func:`inrcodec.fit.grid.context.grid_laws`."""
    tensors, planes = tensors_of(arch, flat), planes_of(arch, width, height, latents)
    return _flat_laws([reference.laws(arch, tensors, planes, grid) for grid in range(arch.grids)])


@torch.no_grad()
def refining_laws(
    arch: LayeredArch, layer: int, width: int, height: int, flat: Tensor, sums: Tensor, below: Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The same of what the layer of a refinement comes to; see :func:`inrcodec.fit.grid.context.refining_laws`."""
    planes, under = (planes_of(arch, width, height, values) for values in (sums, below))
    tensors = tensors_of(arch, flat)
    return _flat_laws([reference.refining_laws(arch, layer, tensors, planes, under, g) for g in range(arch.grids)])


def _flat_laws(pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    position, scale = (torch.cat([pair[k].flatten(-2) for pair in pairs], -1).cpu().numpy() for k in range(2))
    return position, scale
