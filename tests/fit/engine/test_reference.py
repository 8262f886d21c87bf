from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from inrcodec.fit.engine import reference
from inrcodec.fit.engine.layers import Layer

Net = tuple[tuple[Layer, ...], Tensor, Tensor, Tensor]
MakeNet = Callable[..., Net]


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("linear", 1.5), ("sine", math.sin(1.5)), ("relu", 1.5), ("gelu", 1.5 * 0.5 * (1 + math.erf(1.5 / math.sqrt(2))))],
)
def test_a_layer_is_an_activation_of_its_frequency_times_an_affine_map(activation: str, expected: float) -> None:
    layers = (Layer(2, 1, activation, 3.0),)
    out = reference.outputs(layers, torch.tensor([[1.0, 2.0]]), torch.tensor([0.2, 0.1, 0.1]))
    assert out.item() == pytest.approx(expected, rel=1e-6)


def test_layers_follow_each_other(make_net: MakeNet) -> None:
    layers, x, flat, y = make_net((5, 4), "gelu", pixels=20)
    sizes = [layer.inputs * layer.outputs for layer in layers] + [layer.outputs for layer in layers]
    parts = flat.split(sizes)
    h = x
    for k, layer in enumerate(layers):
        z = h @ parts[k].view(layer.outputs, layer.inputs).T + parts[len(layers) + k]
        h = torch.nn.functional.gelu(z) if layer.activation == "gelu" else z
    assert torch.allclose(reference.outputs(layers, x, flat), h, atol=1e-5)
    assert torch.allclose(reference.mse(layers, x, flat, y), (h - y).square().mean(), rtol=1e-5)


def test_the_last_layer_may_have_an_activation_too(make_net: MakeNet) -> None:
    layers, x, flat, _ = make_net((5,), "sine", last="relu")
    assert float(reference.outputs(layers, x, flat).min()) == 0


@pytest.mark.parametrize("activation", ["linear", "sine", "gelu"])
def test_gradients_are_those_of_differences(activation: str, make_net: MakeNet) -> None:
    layers, x, flat, y = make_net((4, 3), activation, pixels=6)
    x, flat, y = (tensor.double() for tensor in (x, flat, y))
    assert torch.autograd.gradcheck(
        lambda v, w: reference.mse(layers, v, w, y), (x.requires_grad_(), flat.requires_grad_())
    )
