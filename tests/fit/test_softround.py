from __future__ import annotations

import pytest
import torch

from inrcodec.fit.softround import hard_round, noisy_soft_round, soft_round


def test_soft_round_keeps_integers_and_halves() -> None:
    x = torch.tensor([-2.0, -1.0, 0.0, 3.0, 0.5, -1.5])
    assert torch.allclose(soft_round(x, 0.3), x, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.08, 0.2, 0.35])
def test_soft_round_is_increasing(temperature: float) -> None:
    x = torch.linspace(-3, 3, 1001)
    assert (soft_round(x, temperature).diff() >= -1e-6).all()


def test_temperature_spans_identity_to_rounding() -> None:
    x = torch.tensor([0.1, 0.4, 0.6, 1.2, -0.7])
    assert torch.allclose(soft_round(x, 50.0), x, atol=1e-3)
    assert torch.allclose(soft_round(x, 0.01), x.round(), atol=1e-3)


def test_noise_has_the_asked_for_spread() -> None:
    x = torch.zeros(20000)
    noisy = noisy_soft_round(x, 50.0, 0.2 * torch.randn(20000, generator=torch.Generator().manual_seed(0)))
    assert float(noisy.std()) == pytest.approx(0.2, rel=0.03)


def test_hard_round_rounds_forward_and_passes_gradients() -> None:
    x = torch.tensor([0.4, 1.6, -2.3], requires_grad=True)
    y = hard_round(x)
    (y * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert y.tolist() == [0.0, 2.0, -2.0]
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 2.0, 3.0]
