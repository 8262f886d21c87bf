from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from inrcodec.fit.canvas import Canvas
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.train import Trainer, train
from inrcodec.net.arch import Arch
from inrcodec.pixels import Pixels


class Devices(TorchDispatchMode):
    """Notes every operation that mixes devices, or carries numbers from one to the other.

    The "device" is torch's own stand-in, ``meta``: it computes shapes alone, and refuses to give a number away.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.mixed: list[str] = []
        self.moved: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        result = func(*args, **(kwargs or {}))
        found = {
            leaf.device.type
            for leaf in torch.utils._pytree.tree_leaves((args, kwargs, result))
            if isinstance(leaf, Tensor) and leaf.ndim > 0
        }
        if len(found) > 1:
            name = str(func)
            (self.moved if "copy" in name else self.mixed).append(name)
        return result


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
