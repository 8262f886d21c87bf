"""Pictures of one shape fitted in lock-step with latent grids, against the same fits alone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from inrcodec.fit.descent import Diverged, advance
from inrcodec.fit.grid import plain
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.descent import GridDescent
from inrcodec.fit.grid.engine import grid_engine
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.landing import GridSearch
from inrcodec.fit.grid.lane import Lane
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.grid.stack import GridStack
from inrcodec.net.grid import GridArch
from inrcodec.net.prior import PRIOR_ARCH
from inrcodec.pixels import Pixels
from tests.fit.conftest import Devices

ARCH = GridArch(0, 1, neighbours=3, parents=1, context=(3,), hidden=(6,), residuals=1)
QUICK = GridConfig(steps=60, warmup=5, optimizer="muon", landing=1)
BUDGET = 1500.0
CHEAP = replace(QUICK, steps=40, multiplier=0.3, dual_lr=0.1)
"""Bits are so cheap that a fit ends its soft phase over a tight budget."""


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """Three pictures of one shape."""
    y, x = np.mgrid[0:12, 0:16]
    ramp = np.stack([x * 12, y * 16, (x + y) * 7], -1).astype(float)
    ramp[4:10, 5:12] = (200, 40, 90)
    first = np.clip(ramp + np.random.default_rng(0).normal(0, 4, ramp.shape), 0, 255).astype(np.uint8)
    arrays = first, 255 - first[::-1], np.ascontiguousarray(first[:, ::-1, ::-1])
    return [Scene.of(Pixels(array), plain) for array in arrays]


def _members(
    scenes: list[Scene], config: GridConfig = QUICK, budgets: tuple[float, ...] = (BUDGET,) * 3, seed: int = 3
) -> list[GridDescent]:
    pairs = zip(scenes, budgets, strict=True)
    return [GridDescent(scene, ARCH, config, budget, seed=seed) for scene, budget in pairs]


def _fit(stack: GridStack) -> list[FittedGrid | None]:
    advance(stack)
    return stack.fitted()


def _alone(member: GridDescent) -> FittedGrid:
    advance(member)
    return member.fitted()


def _figures(scene: Scene, fitted: FittedGrid | None) -> tuple[float, float]:
    """PSNR in dB and bits of everything."""
    assert fitted is not None
    search = GridSearch(scene, fitted)
    return -10 * np.log10(search.error(search.latents)), search.rate + sum(search.weights.tensor_bits())


@pytest.mark.parametrize("optimizer", ["muon", "adam", "soap"])
@pytest.mark.parametrize("gates", ["median", "sample", "none"])
def test_every_picture_goes_the_way_it_would_go_alone(scenes: list[Scene], optimizer: str, gates: str) -> None:
    config = replace(QUICK, optimizer=optimizer, gates=gates)
    alone, together = _members(scenes, config), _members(scenes, config)
    stack = GridStack(together)
    # SOAP's first eigenbases are arbitrary where a gradient has a null space, and networks differ from there on.
    for _ in range(1 if optimizer == "soap" else 12):
        stack.step()
        for member in alone:
            member.step()
    stack.lane.sync()
    for one, stacked in zip(alone, together, strict=True):
        assert torch.allclose(stacked.latents, one.latents, atol=1e-4)
        assert torch.allclose(stacked.networks.weights, one.networks.weights, atol=1e-4)
        assert stacked.mse == pytest.approx(one.mse, rel=1e-3)
        assert stacked.bits == pytest.approx(one.bits, rel=1e-3)
        assert stacked.problem.multiplier == pytest.approx(one.problem.multiplier, rel=1e-3)


def test_prices_of_random_starts_are_put_right_as_they_would_be_alone(scenes: list[Scene]) -> None:
    config, budgets = replace(QUICK, steps=2000, optimizer="adam", scratch=0.0), (1200.0, 400.0, 4000.0)
    alone, together = _members(scenes, config, budgets), _members(scenes, config, budgets)
    stack = GridStack(together)
    starts = [member.problem.multiplier for member in alone]
    for _ in range(202):
        stack.step()
        for member in alone:
            member.step()
    stack.lane.sync()
    for one, stacked, start in zip(alone, together, starts, strict=True):
        assert abs(math.log(one.problem.multiplier / start)) > 0.05
        assert stacked.problem.multiplier == pytest.approx(one.problem.multiplier, rel=1e-3)


def test_every_picture_ends_where_it_would_alone(scenes: list[Scene]) -> None:
    config, budgets = replace(QUICK, steps=40, optimizer="adam"), (1200.0, BUDGET, 1000.0)
    alone = [_alone(member) for member in _members(scenes, config, budgets)]
    for scene, one, stacked in zip(scenes, alone, _fit(GridStack(_members(scenes, config, budgets))), strict=True):
        assert stacked is not None
        assert _figures(scene, stacked) == pytest.approx(_figures(scene, one), rel=0.02)
        assert stacked.steps == one.steps


@pytest.fixture(scope="module")
def healthy(scenes: list[Scene]) -> list[FittedGrid | None]:
    """A stack's fits, by the usual optimiser."""
    return _fit(GridStack(_members(scenes)))


def test_every_fit_of_a_stack_learns_its_picture_and_meets_the_budget(
    scenes: list[Scene], healthy: list[FittedGrid | None]
) -> None:
    for scene, fitted in zip(scenes, healthy, strict=True):
        psnr, bits = _figures(scene, fitted)
        assert 10 ** (-psnr / 10) < 0.3 * float(scene.samples.var((1, 2)).mean())
        assert bits < 1.1 * BUDGET


def test_only_fits_that_are_over_their_budget_are_held(scenes: list[Scene]) -> None:
    budgets = 700.0, 9000.0, 800.0
    alone, together = _members(scenes, CHEAP, budgets), _members(scenes, CHEAP, budgets)
    stack = GridStack(together)
    widths = []
    while stack.progress < 1:
        stack.step()
        widths.append(len(stack.lane.members))
    for member in alone:
        advance(member)
    assert [member.held for member in together] == [member.held for member in alone]
    assert [member.done for member in together] == [member.done for member in alone]
    assert together[1].held == 0 < together[0].held
    assert set(widths) == {2, 3}
    assert widths[-1] == 3  # those that waited finish with the others
    stack.lane.sync()
    for one, stacked in zip(alone, together, strict=True):
        assert stacked.mse == pytest.approx(one.mse, rel=0.1)


def test_priors_may_differ(scenes: list[Scene]) -> None:
    arch = replace(PRIOR_ARCH, coarsest=1)
    config = replace(QUICK, outer=1e4)  # the first keeps the hidden layers of its prior, the others do not

    def members() -> list[GridDescent]:
        given = zip(scenes, (5e3, 2e4, 2e4), (2, 4, 0), strict=True)
        return [GridDescent(scene, arch, config, budget, prior=prior) for scene, budget, prior in given]

    alone, together = members(), members()
    stack = GridStack(together)
    for _ in range(12):
        stack.step()
        for member in alone:
            member.step()
    assert len(stack.lane.networks.base.unique(dim=0)) == 3
    for one, stacked in zip(alone, together, strict=True):
        assert torch.allclose(stacked.networks.weights, one.networks.weights, atol=1e-4)
        assert torch.allclose(stacked.latents, one.latents, atol=1e-4)
    hidden = [spec.name[0] in "CS" and spec.name[1:].isdigit() for spec in arch.tensors()]
    still = torch.tensor(hidden)[together[0].networks.tensor_of]
    assert not together[0].networks.weights[still].any()
    assert together[1].networks.weights[still].any()


@pytest.mark.parametrize("steps", [7, 50])
def test_a_fit_that_leaves_its_lane_goes_on_alone(scenes: list[Scene], steps: int) -> None:
    stack, other = GridStack(_members(scenes)), GridStack(_members(scenes))
    for _ in range(steps):
        stack.step()
        other.step()
    stack.lane.release()
    leaver = stack.members[1]
    for _ in range(3):
        leaver.step()
        other.step()
    other.lane.sync()
    stayed = other.members[1]
    assert leaver.done == stayed.done == steps + 3
    assert torch.allclose(leaver.latents, stayed.latents, atol=1e-4)
    assert torch.allclose(leaver.networks.weights, stayed.networks.weights, atol=1e-4)
    assert leaver.mse == pytest.approx(stayed.mse, rel=1e-3)
    assert leaver.problem.multiplier == pytest.approx(stayed.problem.multiplier, rel=1e-3)


def test_pictures_of_one_pixel_have_one_latent_each() -> None:
    scenes = [Scene.of(Pixels(np.full((1, 1, 3), value, np.uint8)), plain) for value in (20, 90, 200)]
    arch = GridArch(0, 0, neighbours=1, parents=0, context=(), hidden=(), residuals=0)
    config = replace(QUICK, steps=30)
    alone, together = ([GridDescent(scene, arch, config, 200.0) for scene in scenes] for _ in range(2))
    stack = GridStack(together)
    advance(stack)
    for one, stacked in zip(alone, together, strict=True):
        advance(one)
        assert torch.allclose(stacked.networks.weights, one.networks.weights, atol=1e-2)
        assert stacked.problem.multiplier == pytest.approx(one.problem.multiplier, rel=0.1, abs=1e-3)


@pytest.mark.parametrize("when", [15, 57])
def test_one_that_diverges_does_not_disturb_the_others(
    scenes: list[Scene], healthy: list[FittedGrid | None], when: int
) -> None:
    stack = GridStack(_members(scenes))
    while stack.done < when:
        stack.step()
    stack.members[1].networks.weights.data.fill_(np.nan)  # what rests already does not mind
    sick = _fit(stack)
    assert sick[1] is None
    for k in (0, 2):
        assert _figures(scenes[k], sick[k]) == pytest.approx(_figures(scenes[k], healthy[k]), rel=0.02)


def test_the_last_one_that_is_held_may_diverge(scenes: list[Scene]) -> None:
    stack = GridStack(_members(scenes, CHEAP, (700.0, 9000.0, 9000.0)))
    while len(stack.lane.members) == 3:
        stack.step()
    stack.members[0].latents.data[0] = np.nan
    fitted = _fit(stack)
    assert fitted[0] is None
    assert stack.failed == {0}
    assert all(np.isfinite(_figures(scenes[k], fitted[k])).all() for k in (1, 2))


def test_when_all_diverge_it_says_so(scenes: list[Scene]) -> None:
    stack = GridStack(_members(scenes, replace(QUICK, lr=1e6, optimizer="adam")))
    with pytest.raises(Diverged, match="every fit"):
        _fit(stack)


@pytest.mark.parametrize("steps", [0, 50])
def test_a_stack_that_is_stopped_hands_on_what_there_is(scenes: list[Scene], steps: int) -> None:
    stack = GridStack(_members(scenes))
    advance(stack, stop=lambda: stack.done >= steps)
    for fitted in stack.fitted():
        assert fitted is not None
        assert steps < fitted.steps <= steps + 16  # weights came to rest in a few more
        assert np.array_equal(fitted.latents, np.rint(fitted.latents))


def test_time_that_is_up_ends_it(scenes: list[Scene]) -> None:
    stack = GridStack(_members(scenes, replace(QUICK, steps=1_000_000)))
    advance(stack, seconds=0.5)
    assert 0 < stack.done < 1_000_000
    assert all(fitted is not None for fitted in stack.fitted())


def test_it_tells_how_the_fits_stand_on_average(scenes: list[Scene]) -> None:
    stack = GridStack(_members(scenes))
    for _ in range(5):
        stack.step()
    pulse = stack.pulse()
    errors, bits = [m.mse for m in stack.members], [m.bits for m in stack.members]
    assert (pulse.step, pulse.steps) == (5, 60)
    assert pulse.mse == pytest.approx(np.exp(np.mean(np.log(errors))))
    assert pulse.bits == pytest.approx(np.mean(bits))
    assert not stack.pressed
    assert not stack.finishing


def test_fits_that_do_not_go_together_are_refused(scenes: list[Scene]) -> None:
    one = GridDescent(scenes[0], ARCH, QUICK, BUDGET)
    begun = GridDescent(scenes[1], ARCH, QUICK, BUDGET)
    begun.step()
    fused = Scene(scenes[1].samples, grid_engine("numba"))
    for other, reason in (
        (GridDescent(scenes[1], GridArch(0, 1), QUICK, BUDGET), "the same arch"),
        (GridDescent(scenes[1], ARCH, replace(QUICK, lr=1e-4), BUDGET), "the same config"),
        (begun, "the same point"),
        (GridDescent(fused, ARCH, QUICK, BUDGET), "plain torch"),
    ):
        with pytest.raises(ValueError, match=reason):
            Lane([one, other])


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every number that is waited for from a device; they are made up."""
    asked: list[int] = []
    real = Tensor.cpu

    def cpu(tensor: Tensor) -> Tensor:
        if tensor.device.type == "cpu":
            return real(tensor)
        asked.append(1)
        return torch.full(tensor.shape, 0.01 if tensor.is_floating_point() else 1, dtype=tensor.dtype)

    monkeypatch.setattr(Tensor, "cpu", cpu)
    return asked


@pytest.mark.parametrize("pictures", [1, 2])
def test_the_whole_fit_stays_on_its_device(scenes: list[Scene], pictures: int, waits: list[int]) -> None:
    arch = GridArch(0, 1, neighbours=2, parents=1, context=(), hidden=(), residuals=1)
    away = [replace(scene, samples=scene.samples.to("meta")) for scene in scenes[:pictures]]
    config = replace(QUICK, steps=16, measure=4, optimizer="soap")
    members = [GridDescent(scene, arch, config, BUDGET) for scene in away]
    fit = GridStack(members) if pictures > 1 else members[0]
    quiet = 0
    with Devices() as devices:
        fit.step()  # SOAP looks at the first gradient
        while fit.progress < 1:
            before, moved, phase = len(waits), len(devices.moved), (fit.pressed, fit.finishing)
            measures = fit.done % config.measure == 0
            fit.step()
            if measures or phase != (fit.pressed, fit.finishing):
                continue
            quiet += 1
            assert len(waits) - before == (1 if pictures == 1 else 0)  # one fit alone looks at its error
            assert len(devices.moved) == moved
        fit.pulse()
        fit.fitted()
    assert devices.mixed == []
    assert quiet > 8


def test_the_landing_stays_on_its_device(scenes: list[Scene], waits: list[int]) -> None:
    fitted = GridDescent(scenes[0], ARCH, replace(QUICK, steps=10), BUDGET).fitted()
    away = replace(scenes[0], samples=scenes[0].samples.to("meta"))
    random = np.random.default_rng(0)
    latents = random.integers(-3, 4, fitted.latents.shape).astype(np.float32)
    weights = random.normal(0, 0.3, fitted.weights.shape).astype(np.float32)
    with Devices() as devices:
        search = GridSearch(away, replace(fitted, latents=latents, weights=weights))
        search.refine(0.8 * BUDGET, 1)
        search.coarser(100.0)
        search.fill(lambda _: 100, 200)
    assert devices.mixed == []
    assert waits
