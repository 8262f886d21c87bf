"""What the methods of the field differ in: every setting makes the difference that it is there for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from inrcodec.fit.canvas import Canvas
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.curvature import rounded_bits
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.landing import Search
from inrcodec.fit.model import SparseSiren, neurons_of
from inrcodec.fit.sizing import BITS_PER_WEIGHT
from inrcodec.fit.train import Trainer, train
from inrcodec.net.arch import Arch

BUDGET = 2200.0
WIDE = Arch((24, 20))


def _flat(fitted: FittedNet) -> np.ndarray:
    return np.concatenate([tensor.ravel() for tensor in fitted.tensors])


def _shares(fitted: FittedNet, budget: float) -> list[float]:
    """What every tensor takes of a share of the budget that is in proportion to its weights."""
    sizes = [tensor.size for tensor in fitted.tensors]
    pairs = zip(fitted.tensors, fitted.step_codes, sizes, strict=True)
    return [rounded_bits([t], [code]) / (budget * size / sum(sizes)) for t, code, size in pairs]


def _phases(trainer: Trainer) -> tuple[bool, bool]:
    return trainer.sparsifying, trainer.pressed


def _until(trainer: Trainer, done: int) -> Trainer:
    while trainer.done < done:
        trainer.step()
    return trainer


def test_every_layer_keeps_to_its_own_budget(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    own = train(Trainer(canvas, arch, replace(config, budgets="layer"), BUDGET))
    common = train(Trainer(canvas, arch, config, BUDGET))
    large = [k for k, spec in enumerate(arch.tensors()) if spec.size > 20]
    assert max(_shares(own, BUDGET)[k] for k in large) < 1.15
    assert max(_shares(common, BUDGET)[k] for k in large) > 1.2  # left to itself, it would spend otherwise


def test_every_layer_has_its_own_multiplier(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    trainer = Trainer(canvas, arch, replace(config, budgets="layer", press=0.5), BUDGET)
    assert trainer.multiplier == pytest.approx(config.multiplier)
    _until(trainer, 300)
    prices = trainer.problem.price.weight.detach() / trainer.shares
    assert prices.shape == (len(arch.tensors()),)
    assert float(prices.max() - prices.min()) > 1e-3


@pytest.mark.parametrize(("path", "half"), [("fixed", 1.0), ("linear", 1.5), ("geometric", 2**0.5)])
def test_the_budget_shrinks_along_its_path(
    canvas: Canvas, arch: Arch, config: SirenConfig, path: str, half: float
) -> None:
    trainer = Trainer(canvas, arch, replace(config, path=path, press=0.45, finish=0.05, aim=1.0), BUDGET)
    trainer.pressed = True
    limits = []
    for done in (180, 280, 380, 399):
        trainer.done = done
        limits.append(float(trainer.limit()) / BUDGET)
    assert limits == pytest.approx([1.0 if path == "fixed" else 2.0, half, 1.0, 1.0], rel=1e-3)


def test_gates_have_a_price_before_anything_is_rounded(canvas: Canvas, config: SirenConfig) -> None:
    settings = replace(config, sparsify=0.3, press=0.8)
    trainer = _until(Trainer(canvas, WIDE, settings, BUDGET), 119)
    gate = trainer.model.gate()
    assert gate is not None
    assert (gate == 1).all()  # a dense warm-up
    _until(trainer, 319)
    gate = trainer.model.gate()
    assert gate is not None
    assert float((gate > 0).sum()) * BITS_PER_WEIGHT < 1.2 * BUDGET
    assert _phases(trainer) == (True, False)
    _until(trainer, 321)
    assert _phases(trainer) == (True, True)
    assert trainer.problem.multiplier == pytest.approx(config.multiplier, abs=0.2)  # bits are another matter
    assert (_flat(train(trainer)) == 0).mean() > 0.3


def test_a_droprate_closes_gates_from_the_start(canvas: Canvas) -> None:
    def closed(droprate: float) -> float:
        net = SparseSiren(WIDE, canvas.samples.mean(0), gate_kind="median", droprate=droprate)
        chance = net.open_probability()
        assert chance is not None
        return 1 - float(chance.detach().mean())

    assert closed(0.05) < closed(0.5) < closed(0.9)


def test_restarts_let_the_multiplier_forget(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    settings = replace(config, press=0.3, measure=1)
    prices = []
    for restarts in (False, True):
        trainer = _until(Trainer(canvas, arch, replace(settings, dual_restarts=restarts), 4 * BUDGET), 200)
        prices.append(trainer.multiplier)
    assert prices[1] == 0 < prices[0]


def test_neurons_know_their_weights() -> None:
    arch = Arch((3, 2), outputs=1)
    source, sink = neurons_of(arch).tolist()
    assert source[:6] == [5] * 6  # from the inputs
    assert sink[:6] == [0, 0, 1, 1, 2, 2]
    assert source[6:12] == [0, 1, 2, 0, 1, 2]
    assert sink[6:12] == [3, 3, 3, 4, 4, 4]
    assert (source[12:14], sink[12:14]) == ([3, 4], [5, 5])  # to the output
    assert (source[14:], sink[14:]) == ([5] * 6, [0, 1, 2, 3, 4, 5])  # biases


def test_closed_neurons_are_not_in_the_file(canvas: Canvas, config: SirenConfig) -> None:
    settings = replace(config, structured=True, sparsify=0.3, press=0.8)
    trainer = Trainer(canvas, WIDE, settings, BUDGET)
    assert trainer.model.log_alpha is not None
    assert trainer.model.log_alpha.shape == (44,)
    fitted = train(trainer)
    assert sum(fitted.arch.hidden) < 40
    assert fitted.arch.depth == 2
    assert [t.shape for t in fitted.tensors] == [spec.shape for spec in fitted.arch.tensors()]
    drawn = torch.from_numpy(trainer.picture()).clamp(0, 1)
    error = float((drawn - canvas.samples).square().mean())
    assert Search(canvas, fitted).mse == pytest.approx(error, rel=1e-3)  # the small net draws what the gated one did


def test_a_structured_fit_goes_on_from_its_state(canvas: Canvas, config: SirenConfig) -> None:
    settings = replace(config, structured=True, sparsify=0.3, press=0.6, gates="sample")
    whole = train(Trainer(canvas, WIDE, settings, BUDGET, seed=3))
    first = _until(Trainer(canvas, WIDE, settings, BUDGET, seed=3), 200)
    second = Trainer(canvas, WIDE, settings, BUDGET, seed=3)
    second.load_state_dict(first.state_dict())
    again = train(second)
    assert again.arch == whole.arch
    assert np.array_equal(_flat(again), _flat(whole))


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("ends", ["dense", "pruned"])
def test_small_weights_are_pruned_and_stay_away(canvas: Canvas, config: SirenConfig, scope: str, ends: str) -> None:
    settings = replace(config, gates="magnitude", keep=0.4, scope=scope, ends=ends)
    trainer = _until(Trainer(canvas, WIDE, settings, BUDGET), 201)
    assert trainer.model.mask is not None
    kept = trainer.model.mask > 0
    assert float(kept.float().mean()) == pytest.approx(0.4, abs=0.02)
    parts = [float(part.float().mean()) for part in kept.split(trainer.model.sizes)]
    if ends == "dense":
        assert parts[0] == parts[2] == parts[4] == 1
    elif scope == "layer":
        assert max(parts[:4]) < 0.5
    before = trainer.model.gated().detach().clone()
    _until(trainer, 300)
    after = trainer.model.gated().detach()
    assert (after[~kept] == 0).all()
    assert float((after - before)[kept].abs().mean()) > 1e-4  # the others are tuned to do without


def test_pruning_keeps_what_the_budget_pays_for(canvas: Canvas, config: SirenConfig) -> None:
    shares = []
    for budget in (1500.0, 3000.0):
        trainer = _until(Trainer(canvas, WIDE, replace(config, gates="magnitude"), budget), 201)
        assert trainer.model.mask is not None
        shares.append(float(trainer.model.mask.mean()))
    assert 0.1 < shares[0] < 0.6 * shares[1]


def test_a_second_finish_leaves_what_was_pruned(canvas: Canvas, config: SirenConfig) -> None:
    fitted = train(Trainer(canvas, WIDE, replace(config, gates="magnitude", keep=0.4), BUDGET))
    again = train(Trainer.refine(canvas, fitted, config, BUDGET))
    assert (_flat(again)[_flat(fitted) == 0] == 0).all()


def test_a_fixed_price_takes_the_bytes_it_takes(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    bits = []
    for price in (3e-4, 3e-3):
        trainer = Trainer(canvas, arch, replace(config, price=price), BUDGET)
        fitted = train(trainer)
        bits.append(rounded_bits([t.astype(np.float64) for t in fitted.tensors], fitted.step_codes))
        assert float(trainer.problem.price.weight.detach()) == 1.0  # nothing follows a budget
    assert bits[1] < 0.8 * bits[0]


def test_l1_makes_weights_small(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    plain = train(Trainer(canvas, arch, config, None))
    small = train(Trainer(canvas, arch, replace(config, l1=1e-3), None))
    assert np.abs(_flat(small)).mean() < 0.8 * np.abs(_flat(plain)).mean()


def test_a_fit_that_gains_nothing_ends_early(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    still = replace(config, lr=1e-9, early=60)
    assert train(Trainer(canvas, arch, still, None)).steps < 150
    fitted = train(Trainer(canvas, arch, still, BUDGET))
    assert fitted.steps < 250  # what is left is the rounding
    assert fitted.step_codes


def test_a_plateau_lowers_the_learning_rate(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    rates = {}
    for schedule in ("constant", "plateau"):
        settings = replace(config, lr=1e-9, schedule=schedule, patience=40)
        trainer = _until(Trainer(canvas, arch, settings, None), 200)
        rates[schedule] = float(trainer.primals[0].param_groups[0]["lr"]) / 1e-9
    assert rates["constant"] == pytest.approx(1.0)
    assert rates["plateau"] < 0.3


def test_a_smaller_picture_is_made_of_means() -> None:
    from tests.fit.conftest import waves

    pixels = waves(31, 20)
    half = Canvas.of(pixels, downscale=3)
    whole = Canvas.of(pixels)
    assert half.count == 11 * 7
    block = whole.samples.reshape(20, 31, 3)[3:6, 6:9]
    assert torch.allclose(half.samples.reshape(7, 11, 3)[1, 2], block.mean((0, 1)), atol=1e-6)
    corner = whole.coords.reshape(20, 31, 2)[18:, 30:]
    assert torch.allclose(half.coords.reshape(7, 11, 2)[6, 10], corner.mean((0, 1)), atol=1e-6)
