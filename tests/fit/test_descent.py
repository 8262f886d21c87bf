from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from inrcodec.fit.canvas import Canvas
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.train import Trainer, train
from inrcodec.net.arch import Arch

BUDGET = 2200.0


def test_every_pixel_is_seen_once_an_epoch(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    trainer = Trainer(canvas, arch, config, None)
    seen = []
    for step in range(canvas.count // config.batch):
        trainer.done = step
        batch = trainer.batch()
        assert batch is not None
        seen.append(batch)
    joined = torch.cat(seen)
    assert len(joined.unique()) == len(joined) == canvas.count // config.batch * config.batch


def test_all_pixels_are_a_batch_without_being_shuffled(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    trainer = Trainer(canvas, arch, replace(config, batch=canvas.count), None)
    assert trainer.batch() is None
    flat, whole = float(trainer.flat), canvas.mse(trainer.model, trainer.model.weights.detach())
    trainer.step()
    assert float(trainer.error) == pytest.approx(flat + 0.02 * (whole - flat), rel=1e-4)


def test_phases_follow_each_other(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    trainer = Trainer(canvas, arch, config, BUDGET)
    kinds = []
    while trainer.progress < 1:
        trainer.step()
        kinds.append(trainer.relaxation().kind)
    changes = [kinds[0]] + [b for a, b in pairwise(kinds) if a != b]
    assert changes == ["none", "soft", "hard"]


def test_the_clock_ends_a_fit(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    trainer = Trainer(canvas, arch, replace(config, steps=10**6), BUDGET)
    fitted = train(trainer, seconds=0.5)
    assert 0 < fitted.steps < 10**6
    assert trainer.finishing
    assert len(fitted.step_codes) == len(arch.tensors())


def test_dual_restarts_drop_the_multiplier(canvas: Canvas, arch: Arch, config: SirenConfig) -> None:
    generous = replace(config, dual_restarts=True, dual="ascent")
    fitted = train(Trainer(canvas, arch, generous, 50 * BUDGET))
    assert fitted.multiplier == 0.0
