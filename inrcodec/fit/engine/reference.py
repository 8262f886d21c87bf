"""The same functions as :mod:`inrcodec.fit.engine.fused` in plain torch: the definition, the GPU path, the fallback."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inrcodec.fit.engine.layers import Layer


def warm_up() -> None:
    """Nothing to prepare."""


def take_threads(count: int) -> int:
    """Torch has all the threads."""
    return count


def outputs(layers: tuple[Layer, ...], x: Tensor, flat: Tensor) -> Tensor:
    """Outputs of a coordinate network ``(pixels, outputs)``; see :func:`inrcodec.fit.engine.fused.outputs`."""
    matrices = [layer.inputs * layer.outputs for layer in layers]
    parts = flat.split([*matrices, *(layer.outputs for layer in layers)])
    h = x
    for layer, matrix, bias in zip(layers, parts, parts[len(layers) :], strict=False):
        weight = matrix.view(layer.outputs, layer.inputs)
        # The frequency goes into the weights: far fewer products than into every pixel's features.
        z = nn.functional.linear(h, layer.frequency * weight, layer.frequency * bias)
        if layer.activation == "sine":
            h = torch.sin(z)
        elif layer.activation == "relu":
            h = torch.relu(z)
        elif layer.activation == "gelu":
            h = nn.functional.gelu(z)
        else:
            h = z
    return h


def mse(layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of a network's outputs; see :func:`inrcodec.fit.engine.fused.mse`."""
    return (outputs(layers, x, flat) - y).square().mean()
