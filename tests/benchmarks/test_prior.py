"""The training of priors, in miniature; what it makes is only as good as a minute's work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.prior import SIDE, crops, train
from inrcodec.net.prior import PRIOR_ARCH


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, a little larger than a crop."""
    for k in range(3):
        y, x = np.mgrid[0 : SIDE + 9, 0 : SIDE + 5]
        waves = np.stack([np.sin(x / (9 + c + k)) + np.cos(y / (11 + c)) for c in range(3)], -1)
        Image.fromarray(((waves + 2) / 4 * 255).astype(np.uint8)).save(tmp_path / f"{k}.png")
    return tmp_path


def test_crops_are_the_same_every_time(folder: Path) -> None:
    first, second = crops(folder, 2), crops(folder, 2)
    assert len(first) == 2
    assert all(crop.scene.samples.shape == (3, SIDE, SIDE) for crop in first)
    assert all(torch.equal(a.scene.samples, b.scene.samples) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0].scene.samples, first[1].scene.samples)


def test_networks_and_latents_learn(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = crops(folder, 2)
    before = torch.zeros(PRIOR_ARCH.params)
    weights = train(None, 1e-3, made, visits=30)
    assert weights.shape == before.shape
    assert torch.isfinite(weights).all()
    assert all(bool(crop.latents.detach().any()) for crop in made)
    losses = [float(line.split("loss ")[1].split()[0]) for line in capsys.readouterr().err.splitlines()]
    assert len(losses) == 2
    assert losses[-1] < 1e4 * float(made[0].scene.samples.var())
