from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

import inrcodec
from inrcodec.fit.engine import fused
from inrcodec.fit.engine.layers import Layer, siren

Net = tuple[tuple[Layer, ...], Tensor, Tensor, Tensor]
"""Layers, inputs, flat weights, samples."""
MakeNet = Callable[..., Net]

_SOURCES = Path(inrcodec.__file__).parent / "fit" / "engine"
for _index in _SOURCES.glob("__pycache__/kernel.sweep*.nbi"):
    # Numba compiles again when kernel.py changes, not when what it imports does: no test may run yesterday's kernels.
    if _index.stat().st_mtime < max(source.stat().st_mtime for source in _SOURCES.glob("*.py")):
        _index.unlink()


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Tests may take threads; the next one finds what there was."""
    before = fused.threads()
    yield
    fused.take_threads(before)


def random_net(
    hidden: Sequence[int] = (9, 7),
    activation: str = "sine",
    *,
    inputs: int = 2,
    outputs: int = 3,
    pixels: int = 300,
    last: str = "linear",
    seed: int = 0,
) -> Net:
    """A net whose features neither die nor explode on the way, and samples it is far from."""
    generator = torch.Generator().manual_seed(seed)
    frequency = 30.0 if activation == "sine" else 1.0
    widths = [inputs, *hidden]
    layers = [Layer(a, b, activation, frequency) for a, b in zip(widths, hidden, strict=False)]
    layers.append(Layer(widths[-1], outputs, last))
    matrices, biases = [], []
    for layer in layers:
        bound = math.sqrt(6 / layer.inputs) / layer.frequency
        matrices.append((torch.rand(layer.inputs * layer.outputs, generator=generator) * 2 - 1) * bound)
        biases.append((torch.rand(layer.outputs, generator=generator) * 2 - 0.5) * bound)
    x = torch.rand(pixels, inputs, generator=generator) * 2 - 1
    y = torch.rand(pixels, outputs, generator=generator) + 2
    return tuple(layers), x, torch.cat([*matrices, *biases]), y


def fresh_nets(hidden: Sequence[int], inputs: int, pixels: int) -> Net:
    """Layers, inputs, flat weights and samples of three SIRENs at the scale of an initialisation, many turns wide."""
    layers = siren(hidden, 3, inputs=inputs)
    generator = torch.Generator().manual_seed(0)

    def uniform(bound: float, *shape: int) -> Tensor:
        return bound * (2 * torch.rand(*shape, generator=generator) - 1)

    bounds = [1 / inputs, *((6 / layer.inputs) ** 0.5 / layer.frequency for layer in layers[1:])]
    matrices = [uniform(b, 3, layer.inputs * layer.outputs) for b, layer in zip(bounds, layers, strict=True)]
    flat = torch.cat([*matrices, *(uniform(0.02, 3, layer.outputs) for layer in layers)], 1).requires_grad_()
    return layers, uniform(1.0, pixels, inputs), flat, torch.rand(3, pixels, 3, generator=generator)


@pytest.fixture(scope="session")
def make_net() -> MakeNet:
    """Random nets of any kind."""
    return random_net
