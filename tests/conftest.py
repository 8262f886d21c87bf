"""Small streams made of random symbols: real files without a fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings

from inrcodec.coding.estimate import fit_law
from inrcodec.coding.law import step_code
from inrcodec.coding.symbols import Symbols
from inrcodec.format.container import Header
from inrcodec.format.stream import Stream, pack
from inrcodec.net.arch import Arch

settings.register_profile("inrcodec", deadline=None)  # a busy machine is no failure
settings.load_profile("inrcodec")

MakeStream = Callable[..., Stream]
MakeFile = Callable[..., bytes]


def random_stream(
    hidden: tuple[int, ...] = (6, 5),
    *,
    width: int = 9,
    height: int = 7,
    channels: int = 3,
    depth: int = 8,
    halves: bool = False,
    seed: int = 0,
) -> Stream:
    """A net whose weights have the scale of a fitted one, a third of them pruned."""
    rng = np.random.default_rng(seed)
    arch = Arch(hidden, channels)
    values, laws = [], []
    for spec in arch.tensors():
        scale = {"W0": 0.3, "b.out": 0.4}.get(spec.name, 0.05)
        symbols = np.rint(rng.laplace(0, 5, spec.shape) * (rng.random(spec.shape) < 0.7)).astype(np.int32)
        values.append(symbols)
        laws.append(fit_law(symbols, step_code(scale / 5)))
    quantised = Symbols(arch, tuple(laws), tuple(values))
    return Stream(Header(width, height, channels, depth), arch, quantised.dequantize() if halves else quantised)


@pytest.fixture(scope="session")
def make_stream() -> MakeStream:
    """Random streams of any kind."""
    return random_stream


@pytest.fixture(scope="session")
def make_file() -> MakeFile:
    """The files of random streams of any kind."""
    return lambda *args, **kwargs: pack(random_stream(*args, **kwargs))


@pytest.fixture(scope="session")
def tiny(make_file: MakeFile) -> bytes:
    """A colour file of about 150 bytes."""
    return make_file()
