from __future__ import annotations

import math

import pytest
import torch

from inrcodec.fit import gates


def test_median_gate_is_exactly_shut_and_exactly_open_at_the_published_thresholds() -> None:
    # L0onie's notes: 0 below log_alpha ~ -1.60, 1 above ~ 1.60
    shut, open_ = gates.median_gate(torch.tensor([-1.61, 1.61])).tolist()
    assert (shut, open_) == (0.0, 1.0)
    assert 0 < float(gates.median_gate(torch.tensor(-1.58))) < float(gates.median_gate(torch.tensor(1.58))) < 1


def test_open_probability_matches_the_frequency_of_sampled_gates() -> None:
    log_alpha = torch.tensor([-2.0, -0.5, 0.0, 1.0, 3.0])
    generator = torch.Generator().manual_seed(1)
    draws = torch.stack([gates.sampled_gate(log_alpha, torch.rand(5, generator=generator)) for _ in range(4000)])
    frequency = (draws > 0).float().mean(0)
    assert torch.allclose(frequency, gates.open_probability(log_alpha), atol=0.03)
    assert draws.min() == 0.0
    assert draws.max() == 1.0


@pytest.mark.parametrize("droprate", [0.05, 0.5])
def test_initial_gates_close_with_the_droprate(droprate: float) -> None:
    log_alpha = gates.initial_log_alpha(2000, droprate, torch.Generator().manual_seed(0))
    assert float(log_alpha.mean()) == pytest.approx(math.log((1 - droprate) / droprate), abs=0.01)
    assert 0.005 < float(log_alpha.std()) < 0.02


def test_gradients_reach_log_alpha_in_the_linear_part_only() -> None:
    log_alpha = torch.tensor([-3.0, 0.0, 3.0], requires_grad=True)
    gates.median_gate(log_alpha).sum().backward()
    assert log_alpha.grad is not None
    assert log_alpha.grad[0] == 0
    assert log_alpha.grad[1] > 0
    assert log_alpha.grad[2] == 0
