"""The fused SIREN of :mod:`inrcodec.fit.engine.gpu_kernel` as torch sees it; the reference does what it cannot.

It takes sines, widths up to 128, up to 16 outputs. The first use with a network checks it against the reference: where
Triton is missing, or does not compile, or computes something else, the reference goes on.
"""

from __future__ import annotations

import functools
import math
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from inrcodec.fit.engine import reference
from inrcodec.fit.engine.gpu_kernel import CHUNK, sweep
from inrcodec.fit.engine.layers import Layer
from inrcodec.fit.engine.reference import outputs, take_threads, threads, warm_up

_LAUNCH = {16: (64, 4), 32: (64, 4), 64: (64, 4), 128: (64, 8)}
"""By the padded width: pixels a tile, and warps a program."""

_PROGRAMS = 4
"""For every multiprocessor: enough to hide what each waits for."""

_TRIED = 4096
"""Pixels of the comparison with the reference."""

_TOLERANCE = 0.02
"""Relative difference of gradients that is put down to halves."""


@dataclass(frozen=True)
class Packing:
    """How a flat vector of weights is laid out for the kernel: padded matrices, inputs first, frequencies in them.

    Attributes:
        depth: hidden layers.
        width: of each, padded.
        chunks: of inputs.
        size: padded weights.
        places: ``(weights,)`` where each goes.
        scale: ``(weights,)`` what it is multiplied by.
    """

    depth: int
    width: int
    chunks: int
    size: int
    places: Tensor
    scale: Tensor


def fits(layers: tuple[Layer, ...]) -> bool:
    """Whether the kernel can do this network."""
    *hidden, last = layers
    sines = bool(hidden) and all(layer.activation == "sine" for layer in hidden)
    return sines and last.activation == "linear" and last.outputs <= CHUNK and _width(layers) <= max(_LAUNCH)


def _width(layers: tuple[Layer, ...]) -> int:
    return max(CHUNK, 1 << (max(layer.outputs for layer in layers[:-1]) - 1).bit_length())


@functools.lru_cache(maxsize=16)
def packing(layers: tuple[Layer, ...], device: torch.device) -> Packing:
    """The layout for a network that :func:`fits`."""
    depth, width, chunks = len(layers) - 1, _width(layers), -(-layers[0].inputs // CHUNK)
    starts = [0, *(chunks * CHUNK * width + k * width * width for k in range(depth))]
    bias_at = starts[-1] + width * CHUNK
    matrices, biases, scales, bias_scales = [], [], [], []
    for k, (layer, start) in enumerate(zip(layers, starts, strict=True)):
        columns = CHUNK if k == depth else width
        sink, source = torch.meshgrid(torch.arange(layer.outputs), torch.arange(layer.inputs), indexing="ij")
        matrices.append((start + source * columns + sink).reshape(-1))
        biases.append(bias_at + k * width + torch.arange(layer.outputs))
        scales.append(torch.full((layer.inputs * layer.outputs,), layer.frequency))
        bias_scales.append(torch.full((layer.outputs,), layer.frequency))
    size = bias_at + depth * width + CHUNK
    places, scale = torch.cat([*matrices, *biases]), torch.cat([*scales, *bias_scales])
    return Packing(depth, width, chunks, size, places.to(device), scale.to(device))


class _Errors(torch.autograd.Function):
    """Mean squared errors of networks, their gradients found on the way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, flat: Tensor, y: Tensor, layout: Packing) -> Tensor:
        packed = x.new_zeros(len(flat), layout.size)
        packed[:, layout.places] = flat.detach() * layout.scale
        sums = _swept(x, y, packed, layout)
        count = y[0].numel()
        ctx.save_for_backward(sums[:, layout.places] * layout.scale * (2 / count))
        return sums[:, -1] / count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[None, Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return None, gradient * upstream[0][:, None], None, None


def _swept(x: Tensor, y: Tensor, packed: Tensor, layout: Packing) -> Tensor:
    """Half the gradient of the summed squared errors and these, ``(pictures, size + 1)``."""
    pictures, pixels, channels = y.shape
    tile, warps = _LAUNCH[layout.width]
    programs = _PROGRAMS * (torch.cuda.get_device_properties(x.device).multi_processor_count if x.is_cuda else 1)
    groups = max(1, min(-(-pixels // tile), programs // pictures))
    sums = x.new_zeros(pictures, groups, layout.size + 1)
    sweep[groups, pictures](
        x.contiguous(), y.contiguous(), packed, packed.half(), sums, pixels, x.shape[1], channels, layout.size,
        DEPTH=layout.depth, WIDTH=layout.width, CHUNKS=layout.chunks, TILE=tile, EXACT=not x.is_cuda,
        num_warps=warps, num_stages=1,
    )  # fmt: skip
    return sums.sum(1)


_sound: dict[tuple[tuple[Layer, ...], torch.device], bool] = {}


def _usable(layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor) -> bool:
    """Whether the kernel does this network here; the first time it is tried."""
    if not (fits(layers) and flat.requires_grad and not x.requires_grad and x.dtype == flat.dtype == torch.float32):
        return False
    key = layers, x.device
    if key not in _sound:
        try:
            _sound[key] = _agrees(layers, x[:_TRIED], flat, y[:, :_TRIED])
            problem = "its gradients are not the reference's"
        except Exception as error:  # noqa: BLE001 - there is no end to what a compiler can raise
            _sound[key], problem = False, str(error)
        if not _sound[key]:
            warnings.warn(f"the Triton kernel does not work here, going on without: {problem}", stacklevel=4)
    return _sound[key]


def _agrees(layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor) -> bool:
    """Whether gradients are the reference's, but for what halves take."""
    found = []
    for errors in (_errors, reference.mse_stack):
        trial = flat.detach().clone().requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(errors(layers, x, trial, y).sum(), trial)
        found.append(gradient)
    ours, theirs = found
    return float((ours - theirs).norm()) <= _TOLERANCE * float(theirs.norm()) + math.ulp(1.0)


def _errors(layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor) -> Tensor:
    return _Errors.apply(x, flat, y, packing(layers, x.device))  # type: ignore[no-any-return, no-untyped-call]


def mse(layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of a network's outputs; see :func:`inrcodec.fit.engine.fused.mse`."""
    if not _usable(layers, x, flat[None], y[None]):
        return reference.mse(layers, x, flat, y)
    return _errors(layers, x, flat[None], y[None])[0]


def mse_stack(layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor) -> Tensor:
    """Mean squared errors of several networks of one shape; see :func:`inrcodec.fit.engine.fused.mse_stack`."""
    if not _usable(layers, x, flat, y):
        return reference.mse_stack(layers, x, flat, y)
    return _errors(layers, x, flat, y)


__all__ = ["Packing", "fits", "mse", "mse_stack", "outputs", "packing", "take_threads", "threads", "warm_up"]
