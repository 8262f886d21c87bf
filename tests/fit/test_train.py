from __future__ import annotations

import io
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from inrcodec.fit.canvas import Canvas
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.descent import Descent, Diverged
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.train import Trainer, train
from inrcodec.net.arch import Arch
from tests.fit.conftest import waves

BUDGET = 2200.0


def _flat(fitted: FittedNet) -> np.ndarray:
    return np.concatenate([tensor.ravel() for tensor in fitted.tensors])


def test_a_fit_learns_the_picture(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    trainer = Trainer(canvas, arch, config, None)
    start = canvas.mse(trainer.model, trainer.model.weights.detach())
    train(trainer)
    assert canvas.mse(trainer.model, trainer.model.weights.detach()) < 0.3 * start


def test_the_rate_ends_near_the_budget(trained: tuple[Canvas, FittedNet, float]) -> None:
    from inrcodec.fit.landing import Search

    canvas, fitted, budget = trained
    search = Search(canvas, fitted)
    assert search.bits(search.symbols) == pytest.approx(budget, rel=0.1)


def test_gates_prune_under_a_tight_budget(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    eager = replace(config, press=0.2, finish=0.3, gate_lr=0.1)
    gated = train(Trainer(canvas, arch, eager, 500.0))
    free = train(Trainer(canvas, arch, replace(eager, gates="none"), 500.0))
    assert (_flat(gated) == 0).sum() > (_flat(free) == 0).sum() + 20


@pytest.mark.parametrize("gates", ["median", "sample", "none"])
@pytest.mark.parametrize("stop_at", [20, 190, 230])
def test_a_resumed_fit_ends_in_the_same_weights(
    canvas: Canvas, arch: Arch, config: SirenConfig, gates: str, stop_at: int
) -> None:
    settings = replace(config, gates=gates)
    whole = train(Trainer(canvas, arch, settings, BUDGET, seed=5))
    first = Trainer(canvas, arch, settings, BUDGET, seed=5)
    for _ in range(stop_at):
        first.step()
    buffer = io.BytesIO()
    torch.save(first.state_dict(), buffer)
    buffer.seek(0)
    second = Trainer(canvas, arch, settings, BUDGET, seed=5)
    second.load_state_dict(torch.load(buffer, weights_only=True))
    again = train(second)
    assert np.array_equal(_flat(whole), _flat(again))
    assert whole.step_codes == again.step_codes


def test_same_seed_same_weights_other_seed_other_weights(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    short = replace(config, steps=30)
    one, two, other = (_flat(train(Trainer(canvas, arch, short, BUDGET, seed))) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_stop_ends_a_fit_with_steps_that_meet_the_budget(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    from inrcodec.fit.landing import Search

    seen: list[Descent] = []
    fitted = train(Trainer(canvas, arch, config, BUDGET), observer=seen.append, stop=lambda: len(seen) >= 40)
    assert fitted.steps == 40
    search = Search(canvas, fitted)
    assert search.bits(search.symbols) <= 1.05 * BUDGET


def test_gray_and_one_pixel_pictures_can_be_fitted(config: SirenConfig) -> None:
    for pixels in (waves(20, 10, 1), waves(1, 1), waves(7, 1)):
        canvas = Canvas.of(pixels)
        fitted = train(Trainer(canvas, Arch((6,), pixels.channels), replace(config, steps=40), 600.0))
        assert np.isfinite(_flat(fitted)).all()


def test_a_fit_that_blows_up_says_so(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    with pytest.raises(Diverged):
        train(Trainer(canvas, arch, replace(config, lr=30.0, steps=400), BUDGET))


@pytest.mark.parametrize("share", [0.7, 1.2])
def test_a_finish_alone_brings_a_fit_to_another_budget(trained: tuple[Canvas, FittedNet, float], share: float) -> None:
    from inrcodec.fit.landing import Search

    canvas, fitted, budget = trained
    settings = SirenConfig(steps=400, batch=512, lr=1e-3, warmup=10)
    refined = train(Trainer.refine(canvas, fitted, settings, share * budget))
    search = Search(canvas, refined)
    assert search.bits(search.symbols) == pytest.approx(share * budget, rel=0.05)
    rounded = Search(canvas, fitted)
    rounded.meet(share * budget)
    assert search.mse < rounded.mse  # training after the change of steps beats mere rounding


def test_the_clock_ends_a_finish_too(trained: tuple[Canvas, FittedNet, float]) -> None:
    canvas, fitted, budget = trained
    endless = SirenConfig(steps=10**7, batch=512)
    start = time.monotonic()
    train(Trainer.refine(canvas, fitted, endless, budget), seconds=0.5 / endless.finish)
    assert time.monotonic() - start < 5
