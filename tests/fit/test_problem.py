from __future__ import annotations

import pytest
import torch

from inrcodec.fit.config import FitConfig
from inrcodec.fit.problem import RateProblem, constrained_optimizer, dual_optimizer


def _solve(config: FitConfig, steps: int = 3000) -> tuple[float, float]:
    """Minimise ln(D) for D = 1 / r subject to r / 2 <= 1: the answer is r = 2 with multiplier 1 (-dlnD/dlnr)."""
    rate = torch.nn.Parameter(torch.tensor(0.5))
    problem = RateProblem(0.65)
    primal = [torch.optim.SGD([rate], lr=0.02)]
    optimizer = constrained_optimizer(problem, primal, dual_optimizer(problem, config))
    for _ in range(steps):
        violation = rate / 2 - 1
        optimizer.roll(
            compute_cmp_state_kwargs={
                "log_mse": -torch.log(rate),
                "violation": violation,
                "strict": float(violation.detach()),
            }
        )
    return float(rate.detach()), problem.multiplier


@pytest.mark.parametrize("dual", ["nupi", "ascent"])
def test_cooper_finds_the_exact_solution_of_a_convex_problem(dual: str) -> None:
    rate, multiplier = _solve(FitConfig(dual=dual, dual_lr=0.01, measure=1))
    assert rate == pytest.approx(2.0, rel=0.01)
    assert multiplier == pytest.approx(1.0, rel=0.02)


def test_the_multiplier_rests_between_measurements_and_never_goes_negative() -> None:
    weight = torch.nn.Parameter(torch.tensor(1.0))
    problem = RateProblem(0.1)
    optimizer = constrained_optimizer(
        problem, [torch.optim.SGD([weight], lr=0.0)], dual_optimizer(problem, FitConfig(dual_lr=1.0))
    )

    def roll(strict: float | None) -> float:
        state = {"log_mse": weight * 1.0, "violation": weight * 0.5, "strict": strict}
        optimizer.roll(compute_cmp_state_kwargs=state)
        return problem.multiplier

    assert roll(None) == pytest.approx(0.1)
    assert roll(-1.0) == 0.0
    assert roll(0.5) > 0.0


def test_the_primal_sees_the_surrogate_the_dual_the_measurement() -> None:
    weight = torch.nn.Parameter(torch.tensor(1.0))
    problem = RateProblem(1.0)
    optimizer = constrained_optimizer(
        problem,
        [torch.optim.SGD([weight], lr=1.0)],
        dual_optimizer(problem, FitConfig(dual="ascent", dual_lr=0.1, measure=1)),
    )
    optimizer.roll(compute_cmp_state_kwargs={"log_mse": weight * 0.0, "violation": weight * 2.0, "strict": -0.5})
    assert problem.multiplier == pytest.approx(1.0 - 0.1 * 0.5)  # moved by the measurement, downwards
    assert float(weight.detach()) == pytest.approx(1.0 - 2.0 * 0.95)  # moved by the surrogate at the new multiplier


def test_restart_forgets_the_multiplier() -> None:
    problem = RateProblem(0.8, pictures=3)
    problem.restart(torch.tensor([True, False, True]))
    assert problem.price.weight.tolist() == pytest.approx([0.0, 0.8, 0.0])
