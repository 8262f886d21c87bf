from __future__ import annotations

import numpy as np
import pytest
import torch

from inrcodec.fit.canvas import Canvas
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.train import Trainer, train
from inrcodec.net.arch import Arch
from inrcodec.pixels import Pixels


def waves(width: int = 48, height: int = 32, channels: int = 3) -> Pixels:
    """A smooth picture that a small net can learn, with some detail it cannot."""
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    planes = [np.sin(5 * x + k) * np.cos(4 * y - k) + 0.1 * np.sin(40 * x * y) for k in range(channels)]
    return Pixels((127.5 + 100 * np.stack(planes, 2).clip(-1, 1)).astype(np.uint8))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def picture() -> Pixels:
    return waves()


@pytest.fixture
def canvas(picture: Pixels) -> Canvas:
    return Canvas.of(picture)


@pytest.fixture
def arch() -> Arch:
    return Arch((14, 14))


@pytest.fixture
def config() -> SirenConfig:
    return SirenConfig(steps=400, batch=512, lr=1.5e-3, warmup=10, landing=4)


@pytest.fixture(scope="session")
def trained() -> tuple[Canvas, FittedNet, float]:
    """A finished fit: the picture, the net, the budget in bits."""
    torch.set_num_threads(1)
    canvas, budget = Canvas.of(waves()), 2200.0
    settings = SirenConfig(steps=400, batch=512, lr=1e-3, warmup=10)
    return canvas, train(Trainer(canvas, Arch((14, 14)), settings, budget)), budget
