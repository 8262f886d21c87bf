from __future__ import annotations

import numpy as np
import pytest
import torch

from inrcodec.coding.estimate import fit_law
from inrcodec.coding.law import bits, step_size
from inrcodec.fit.canvas import Canvas
from inrcodec.fit.curvature import allocate_steps, curvature
from inrcodec.fit.model import SparseSiren
from inrcodec.net.arch import Arch


def test_curvature_agrees_with_the_exact_gauss_newton_diagonal(canvas: Canvas) -> None:
    small = canvas.subset(300)
    model = SparseSiren(Arch((5,)), small.samples.mean(0), seed=2)
    flat = model.weights.detach()
    jacobian = torch.func.jacrev(lambda w: model(small.coords, w).reshape(-1))(flat)
    exact = jacobian.square().mean(0).numpy()
    estimate = curvature(small, model, flat, probes=400)
    assert np.corrcoef(exact, estimate)[0, 1] > 0.97
    assert estimate.sum() == pytest.approx(exact.sum(), rel=0.1)


def _length(tensors: list[np.ndarray], codes: list[int]) -> float:
    total = 0.0
    for tensor, code in zip(tensors, codes, strict=True):
        symbols = np.rint(tensor / step_size(code)).astype(np.int64)
        total += float(bits(fit_law(symbols, code))[np.abs(symbols)].sum())
    return total


def test_steps_meet_the_budget_and_follow_the_curvature() -> None:
    rng = np.random.default_rng(0)
    tensors = [rng.normal(0, 0.1, 2000), rng.normal(0, 0.1, 2000)]
    curvatures = [np.full(2000, 1.0), np.full(2000, 16.0)]
    codes = allocate_steps(tensors, curvatures, 4000 * 5.0)
    assert 0.9 * 20000 < _length(tensors, codes) <= 20000
    assert step_size(codes[0]) / step_size(codes[1]) == pytest.approx(4.0, rel=0.15)


def test_a_larger_budget_gives_finer_steps() -> None:
    rng = np.random.default_rng(0)
    tensors, curvatures = [rng.normal(0, 0.1, 500)], [np.ones(500)]
    coarse, fine = (allocate_steps(tensors, curvatures, 500 * rate)[0] for rate in (3.0, 6.0))
    assert step_size(fine) < step_size(coarse) / 4
