from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from inrcodec.fit import engine as engines
from inrcodec.fit.canvas import Canvas
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.descent import Diverged, advance
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.landing import Search
from inrcodec.fit.problem import RateProblem
from inrcodec.fit.soap import Soap, blocks_of
from inrcodec.fit.stack import Stack
from inrcodec.fit.train import Trainer, train
from inrcodec.net.arch import Arch
from inrcodec.pixels import Pixels
from tests.fit.conftest import Devices, waves

BUDGET = 2200.0


def _pictures() -> list[Pixels]:
    first = waves().array
    return [Pixels(first), Pixels(255 - first[::-1]), Pixels(np.ascontiguousarray(first[:, ::-1, ::-1]))]


@pytest.fixture
def canvases() -> list[Canvas]:
    return [Canvas.of(picture) for picture in _pictures()]


@pytest.fixture
def double() -> Iterator[None]:
    """Sums in another order differ so little that no level is rounded another way for a hundred steps."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def _members(canvases: list[Canvas], arch: Arch, config: SirenConfig, budget: float | None = BUDGET) -> list[Trainer]:
    return [Trainer(canvas, arch, config, budget, seed=3) for canvas in canvases]


def _fit(members: list[Trainer]) -> list[FittedNet | None]:
    stack = Stack(members)
    advance(stack)
    return stack.fitted()


def _flat(fitted: FittedNet | None) -> np.ndarray:
    assert fitted is not None
    return np.concatenate([tensor.ravel() for tensor in fitted.tensors])


@pytest.mark.parametrize(
    ("gates", "budget"), [("none", BUDGET), ("median", BUDGET), ("sample", BUDGET), ("none", None)]
)
def test_every_picture_ends_where_it_would_alone(
    canvases: list[Canvas], arch: Arch, config: SirenConfig, gates: str, budget: float | None, double: None
) -> None:
    # Adam: SOAP's first eigenbases are arbitrary where a gradient has a null space, and nets differ from there on.
    settings = replace(config, steps=120, gates=gates, optimizer="adam", press=0.7, finish=0.25, temperature=(0.5, 0.4))
    exact = [replace(c, coords=c.coords.double(), samples=c.samples.double()) for c in canvases]
    alone = [train(member) for member in _members(exact, arch, settings, budget)]
    for one, stacked in zip(alone, _fit(_members(exact, arch, settings, budget)), strict=True):
        assert stacked is not None
        assert np.abs(_flat(one) - _flat(stacked)).max() < 1e-7
        assert stacked.step_codes == one.step_codes
        assert stacked.multiplier == pytest.approx(one.multiplier, abs=1e-6)
        assert stacked.steps == one.steps


def test_soap_takes_the_steps_it_would_take_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(5, 5), (5, 5), (3, 3)]  # square, so that no gradient has a null space
    size = sum(rows * columns for rows, columns in shapes) + 4
    flats = [torch.randn(size, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(3)]
    whole = torch.stack([flat.detach() for flat in flats]).requires_grad_()
    scale = torch.rand(size, generator=generator)
    soaps = [Soap(flat, blocks_of(shapes), scale, lr=0.01, refresh=2) for flat in (*flats, whole)]
    for _ in range(9):
        whole.grad = torch.randn(3, size, generator=generator, dtype=torch.float64)
        for flat, gradient in zip(flats, whole.grad, strict=True):
            flat.grad = gradient
        for soap in soaps:
            soap.step()
    assert torch.allclose(whole, torch.stack(flats), rtol=0, atol=1e-10)


def test_soap_starts_with_those_that_have_a_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    whole = torch.randn(2, 20, generator=generator).requires_grad_()
    soap = Soap(whole, blocks_of([(4, 4)]), torch.ones(20), lr=0.01)
    for _ in range(2):
        whole.grad = torch.randn(2, 20, generator=generator)
        whole.grad[1] = np.nan
        soap.step()
    assert torch.isfinite(whole[0]).all()
    assert torch.isnan(whole[1]).all()
    assert soap.state[whole]["steps"] == 1


@pytest.mark.parametrize("engine", ["torch", "numba"])
def test_every_fit_of_a_stack_learns_its_picture_and_meets_the_budget(
    arch: Arch, config: SirenConfig, engine: str
) -> None:
    canvases = [Canvas.of(picture, engine=engines.engine(engine)) for picture in _pictures()]
    for canvas, fitted in zip(canvases, _fit(_members(canvases, arch, config)), strict=True):
        assert fitted is not None
        search = Search(canvas, fitted)
        assert search.bits(search.symbols) == pytest.approx(BUDGET, rel=0.1)
        assert search.mse < 0.05 * float(canvas.samples.var(0).mean())


def test_members_and_stack_are_one_memory(canvases: list[Canvas], arch: Arch, config: SirenConfig) -> None:
    members = _members(canvases, arch, config)
    stack = Stack(members)
    members[1].model.weights.data.fill_(0.25)
    assert (stack.model.weights[1] == 0.25).all()
    stack.step()
    stack.step()
    assert torch.equal(members[2].model.weights, stack.model.weights[2])


def test_one_that_diverges_does_not_disturb_the_others(canvases: list[Canvas], arch: Arch, config: SirenConfig) -> None:
    def fit(poison: Callable[[Stack], None]) -> list[FittedNet | None]:
        stack = Stack(_members(canvases, arch, config))
        for _ in range(100):
            stack.step()
        poison(stack)
        advance(stack)
        return stack.fitted()

    def spoil(stack: Stack) -> None:
        stack.members[1].model.weights.data[7] = np.nan

    healthy, sick = fit(lambda _: None), fit(spoil)
    assert sick[1] is None
    for k in (0, 2):
        assert np.array_equal(_flat(healthy[k]), _flat(sick[k]))


def test_one_that_diverges_late_is_set_aside_too(canvases: list[Canvas], arch: Arch, config: SirenConfig) -> None:
    stack = Stack(_members(canvases, arch, config))
    while not stack.finishing:
        stack.step()
    stack.members[0].model.weights.data.fill_(np.inf)
    advance(stack)
    nets = stack.fitted()
    assert nets[0] is None
    assert all(np.isfinite(_flat(net)).all() for net in nets[1:])
    assert np.isfinite(stack.pulse().mse)


def test_when_all_diverge_it_says_so(canvases: list[Canvas], arch: Arch, config: SirenConfig) -> None:
    with pytest.raises(Diverged, match="every fit"):
        _fit(_members(canvases, arch, replace(config, lr=30.0, steps=400)))


@pytest.mark.parametrize("steps", [0, 40, 215])
def test_a_stack_that_is_stopped_hands_on_what_there_is(
    canvases: list[Canvas], arch: Arch, config: SirenConfig, steps: int
) -> None:
    stack = Stack(_members(canvases, arch, config))
    advance(stack, stop=lambda: stack.done >= steps)
    for canvas, fitted in zip(canvases, stack.fitted(), strict=True):
        assert fitted is not None
        assert fitted.steps == steps
        search = Search(canvas, fitted)
        assert search.bits(search.symbols) <= 1.1 * BUDGET


def test_second_finishes_go_in_lock_step_too(canvases: list[Canvas], arch: Arch, config: SirenConfig) -> None:
    fitted = [train(member) for member in _members(canvases, arch, config)]
    refined = _fit(
        [Trainer.refine(c, net, config, 0.8 * BUDGET, seed=3) for c, net in zip(canvases, fitted, strict=True)]
    )
    for canvas, net in zip(canvases, refined, strict=True):
        assert net is not None
        search = Search(canvas, net)
        assert search.bits(search.symbols) == pytest.approx(0.8 * BUDGET, rel=0.05)


def test_fits_that_do_not_match_are_refused(canvases: list[Canvas], arch: Arch, config: SirenConfig) -> None:
    one = Trainer(canvases[0], arch, config, BUDGET)
    for other in (
        Trainer(canvases[1], Arch((14, 13)), config, BUDGET),
        Trainer(canvases[1], arch, replace(config, lr=1e-4), BUDGET),
        Trainer(canvases[1], arch, config, BUDGET + 8),
        Trainer(canvases[1], arch, config, BUDGET, seed=1),
    ):
        with pytest.raises(ValueError, match="the same"):
            Stack([one, other])


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every number that is waited for; they are made up."""
    asked: list[int] = []

    def cpu(tensor: Tensor) -> Tensor:
        asked.append(1)
        return torch.full(tensor.shape, 0.01, dtype=tensor.dtype)

    monkeypatch.setattr(Tensor, "cpu", cpu)
    return asked


def _away(canvas: Canvas) -> Canvas:
    return replace(canvas, coords=canvas.coords.to("meta"), samples=canvas.samples.to("meta"))


@pytest.mark.parametrize("gates", ["none", "median", "sample"])
@pytest.mark.parametrize("pictures", [1, 3])
def test_the_whole_fit_stays_on_its_device(
    canvases: list[Canvas], arch: Arch, config: SirenConfig, gates: str, pictures: int, waits: list[int]
) -> None:
    away = [_away(canvas) for canvas in canvases[:pictures]]
    members = _members(away, arch, replace(config, gates=gates, steps=60, measure=2))
    fit = Stack(members) if pictures > 1 else members[0]
    with Devices() as devices:
        fit.step()  # SOAP looks at the first gradient
        waits.clear()
        while not fit.pressed:
            before, moved = len(waits), len(devices.moved)
            fit.step()
            assert len(waits) == before or fit.pressed
            shuffled = fit.done % 3 == 1  # an epoch of this picture is 3 steps
            assert len(devices.moved) == moved or fit.pressed or shuffled or gates == "sample"
        advance(fit)
        fit.pulse()
        fit.fitted()
    assert devices.mixed == []
    assert len(waits) < 10 + 10 * pictures  # five measurements, and what happens once a fit


def test_the_landing_stays_on_its_device(trained: tuple[Canvas, FittedNet, float], waits: list[int]) -> None:
    canvas, fitted, budget = trained
    with Devices() as devices:
        search = Search(_away(canvas), fitted)
        search.meet(0.8 * budget)
        search.improved(budget, 0.5)
    assert devices.mixed == []
    assert waits


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
def test_a_checkpoint_moves_to_the_device_of_the_fit(
    canvases: list[Canvas], arch: Arch, config: SirenConfig, waits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RateProblem, "load_state_dict", lambda *_: None)  # Cooper looks at the numbers it loads
    short = replace(config, steps=40, gates="median")
    saved, again = (_members([canvas], arch, short)[0] for canvas in (canvases[0], _away(canvases[0])))
    while not saved.finishing:
        saved.step()
    again.load_state_dict(saved.state_dict())
    with Devices() as devices:
        advance(again)
    assert devices.mixed == []


def test_every_picture_goes_at_a_pace_of_its_own(
    canvases: list[Canvas], arch: Arch, config: SirenConfig, double: None
) -> None:
    exact = [replace(c, coords=c.coords.double(), samples=c.samples.double()) for c in canvases]
    slowing = SirenConfig(
        steps=100, batch=512, optimizer="adam", lr=1e-3, warmup=1, schedule="plateau", patience=10, early=40
    )
    alone, together = (_members(exact, arch, slowing, None) for _ in range(2))
    for members in (alone, together):  # as if they had been better already: the first never again, the second for long
        members[0].pace.look(1e-9, 0, 100)
        members[1].pace.look(0.02 * float(members[1].flat), 0, 100)
    nets = [train(member) for member in alone]
    stack = Stack(together)
    advance(stack)
    ends = [[(member.pace.skipped, member.pace.factor) for member in members] for members in (alone, together)]
    assert ends[0] == ends[1]
    assert alone[0].done < max(member.done for member in alone) == stack.done
    assert len({member.pace.factor for member in alone}) > 1
    for net, stacked in zip(nets, stack.fitted(), strict=True):
        assert np.abs(_flat(net) - _flat(stacked)).max() < 1e-7


def test_fits_that_end_when_they_like_have_no_phases_in_common(
    canvases: list[Canvas], arch: Arch, config: SirenConfig
) -> None:
    with pytest.raises(ValueError, match="no phases in common"):
        Stack(_members(canvases, arch, replace(config, early=100)))
