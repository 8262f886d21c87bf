from __future__ import annotations

import numpy as np
import pytest
import torch

from inrcodec.coding.estimate import fit_law
from inrcodec.coding.law import Law, bits
from inrcodec.fit.rate import CostCurve, expected_bits

CPU = torch.device("cpu")


@pytest.fixture
def laws() -> list[Law]:
    rng = np.random.default_rng(0)
    wide = rng.laplace(0, 6, 3000).round().astype(np.int64)
    sparse = np.where(rng.random(3000) < 0.7, 0, rng.normal(0, 3, 3000).round()).astype(np.int64)
    return [fit_law(wide, 10), fit_law(sparse, 10)]


def test_the_curve_agrees_with_the_coder_at_the_integers(laws: list[Law]) -> None:
    curve = CostCurve.of(laws, CPU)
    for index, law in enumerate(laws):
        magnitude = torch.arange(law.largest + 1, dtype=torch.float32)
        cost = curve(magnitude, torch.full((law.largest + 1,), index))
        assert cost.numpy() == pytest.approx(bits(law), abs=0.02)


def test_the_curve_is_a_line_between_zero_and_one(laws: list[Law]) -> None:
    curve = CostCurve.of(laws, CPU)
    ends = curve(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([1, 1, 1]))
    assert float(ends[1]) == pytest.approx(float(ends[0] + ends[2]) / 2, rel=1e-5)
    assert ends[2] > ends[0]  # a sparse tensor: zero is the cheap symbol


def test_a_shut_gate_costs_the_zero_symbol(laws: list[Law]) -> None:
    curve = CostCurve.of(laws, CPU)
    magnitude, tensor = torch.full((50,), 4.0), torch.ones(50, dtype=torch.long)
    shut = expected_bits(curve, magnitude, tensor, torch.zeros(50)).sum()
    open_ = expected_bits(curve, magnitude, tensor, torch.ones(50)).sum()
    free = expected_bits(curve, magnitude, tensor, None).sum()
    assert float(shut) == pytest.approx(50 * float(curve.zero[1]), rel=1e-5)
    assert float(open_) == pytest.approx(float(free), rel=1e-5)
    assert open_ > shut


def test_gradients_push_weights_and_gates_down(laws: list[Law]) -> None:
    curve = CostCurve.of(laws, CPU)
    magnitude = torch.tensor([0.3, 2.0, 7.0], requires_grad=True)
    probability = torch.tensor([0.9, 0.9, 0.9], requires_grad=True)
    expected_bits(curve, magnitude, torch.tensor([1, 1, 1]), probability).sum().backward()
    assert magnitude.grad is not None
    assert probability.grad is not None
    assert (magnitude.grad > 0).all()
    assert (probability.grad > 0).all()


def test_an_all_zero_tensor_has_a_finite_curve() -> None:
    curve = CostCurve.of([fit_law(np.zeros(10, dtype=np.int64), 3)], CPU)
    cost = curve(torch.tensor([0.0, 1.0, 2.0]), torch.zeros(3, dtype=torch.long))
    assert torch.isfinite(cost).all()
    assert cost[1] > cost[0]
