"""The same functions as :mod:`inrcodec.fit.engine.fused` in plain torch: the definition, the GPU path, the fallback."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from inrcodec.fit.engine.layers import Layer


def warm_up() -> None:
    """Nothing to prepare."""


def threads() -> int:
    """As many as torch has."""
    return torch.get_num_threads()


def take_threads(count: int) -> int:
    """Torch has all the threads."""
    return count


def outputs(layers: tuple[Layer, ...], x: Tensor, flat: Tensor) -> Tensor:
    """Outputs of a coordinate network ``(pixels, outputs)``; see :func:`inrcodec.fit.engine.fused.outputs`."""
    h = x
    for layer, weight, bias in _scaled(layers, flat):
        h = _activate(layer, nn.functional.linear(h, weight, bias))
    return h


def mse(layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of a network's outputs; see :func:`inrcodec.fit.engine.fused.mse`."""
    return (outputs(layers, x, flat) - y).square().mean()


def mse_stack(layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor) -> Tensor:
    """Mean squared errors of several networks of one shape; see :func:`inrcodec.fit.engine.fused.mse_stack`."""
    h = x.expand(len(flat), *x.shape)
    for layer, weight, bias in _scaled(layers, flat):
        h = _activate(layer, torch.baddbmm(bias[:, None, :], h, weight.mT))
    return (h - y).square().mean((1, 2))


def _scaled(layers: tuple[Layer, ...], flat: Tensor) -> Iterator[tuple[Layer, Tensor, Tensor]]:
    """Every layer with its weights ``(..., outputs, inputs)`` and its bias ``(..., outputs)``.

    The frequency goes into them: far fewer products than into every pixel's features.
    """
    matrices = [layer.inputs * layer.outputs for layer in layers]
    parts = flat.split([*matrices, *(layer.outputs for layer in layers)], -1)
    for layer, matrix, bias in zip(layers, parts, parts[len(layers) :], strict=False):
        weight = matrix.unflatten(-1, (layer.outputs, layer.inputs))
        yield layer, layer.frequency * weight, layer.frequency * bias


def _activate(layer: Layer, z: Tensor) -> Tensor:
    if layer.activation == "sine":
        return torch.sin(z)
    if layer.activation == "relu":
        return torch.relu(z)
    if layer.activation == "gauss":
        return torch.exp(-0.5 * z.square())
    return nn.functional.gelu(z) if layer.activation == "gelu" else z
