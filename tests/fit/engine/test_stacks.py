from __future__ import annotations

import pytest
import torch

from inrcodec.fit.engine import Layer, engine, reference, siren

LAYERS = [
    siren((9, 7), 3),
    (Layer(2, 6, "relu"), Layer(6, 5, "gelu"), Layer(5, 1, "linear")),
]


def _problem(layers: tuple[Layer, ...], networks: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    weights = sum((layer.inputs + 1) * layer.outputs for layer in layers)
    x = torch.rand(50, layers[0].inputs, generator=generator) * 2 - 1
    flat = 0.1 * torch.randn(networks, weights, generator=generator)
    return x, flat.requires_grad_(), torch.rand(networks, 50, layers[-1].outputs, generator=generator)


@pytest.mark.parametrize("name", ["torch", "numba", "compile"])
@pytest.mark.parametrize("layers", LAYERS)
def test_a_stack_of_networks_is_its_networks(name: str, layers: tuple[Layer, ...]) -> None:
    x, flat, y = _problem(layers)
    errors = engine(name).mse_stack(layers, x, flat, y)
    (gradient,) = torch.autograd.grad((errors * torch.tensor([1.0, 2.0, 3.0])).sum(), flat)
    for k in range(3):
        row = flat[k].detach().requires_grad_()
        alone = reference.mse(layers, x, row, y[k])
        assert errors[k].item() == pytest.approx(alone.item(), rel=1e-5)
        expected = (k + 1) * torch.autograd.grad(alone, row)[0]
        assert torch.allclose(gradient[k], expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
