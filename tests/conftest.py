"""Small streams made of random symbols: real files without a fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings

from inrcodec.coding.estimate import fit_law
from inrcodec.coding.law import step_code, step_size
from inrcodec.coding.symbols import Symbols
from inrcodec.format.container import Header
from inrcodec.format.stream import Stream, pack
from inrcodec.net.arch import Arch, parse_activation
from inrcodec.net.encoding import parse_encoding
from inrcodec.net.grid import GridArch

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
    activation: str = "sine",
    encoding: str = "none",
    coder: str = "arithmetic",
) -> Stream:
    """A net whose weights have the scale of a fitted one, a third of them pruned."""
    rng = np.random.default_rng(seed)
    name, first, others = parse_activation(activation)
    arch = Arch(hidden, channels, first, others, name, parse_encoding(encoding))
    values, laws = [], []
    for spec in arch.tensors():
        scale = {"W0": 0.3, "b.out": 0.4}.get(spec.name, 0.05)
        symbols = np.rint(rng.laplace(0, 5, spec.shape) * (rng.random(spec.shape) < 0.7)).astype(np.int32)
        values.append(symbols)
        laws.append(fit_law(symbols, step_code(scale / 5)))
    quantised = Symbols(arch, tuple(laws), tuple(values))
    header = Header(width, height, channels, depth)
    return Stream(header, arch, quantised.dequantize() if halves else quantised, coder=coder)


def random_grid_stream(
    arch: GridArch,
    *,
    width: int = 9,
    height: int = 7,
    depth: int = 8,
    spread: float = 3.0,
    density: float = 1.0,
    seed: int = 0,
    prior: int = 0,
) -> Stream:
    """Latents whose scales fall towards the fine grids, and networks that make of them a picture about gray.

    With a prior, networks are that one and a tenth of those.
    """
    rng = np.random.default_rng(seed)
    values, laws = [], []
    for spec in arch.tensors():
        numbers = rng.normal(0, 0.3 / np.sqrt(spec.shape[-1]), spec.shape)
        if spec.name in ("U", "V", "R0", "R1", "S.out"):
            numbers *= 0.1
        if spec.name == "S.bias":
            numbers[-arch.outputs :] += 0.5
        if spec.name == "C.bias":
            numbers[:, -1] += np.log(spread) - np.arange(arch.grids)
        if spec.name == "D.bias":
            numbers[:, -1] -= 0.5
        if prior:
            numbers *= 0.1
        step = step_code(0.005)
        symbols = np.rint(numbers / step_size(step)).astype(np.int32)
        values.append(symbols)
        laws.append(fit_law(symbols, step))
    latents = []
    for at, shape in enumerate(arch.plane_shapes(width, height)):
        own = spread * 0.5**at if at < arch.grids else 0.7
        plane = np.rint(rng.laplace(0, own, shape)) * (rng.random(shape) < density)
        latents.append(plane.clip(-4095, 4095).astype(np.int32))
    weights = Symbols(arch, tuple(laws), tuple(values), prior)
    return Stream(Header(width, height, arch.outputs, depth), arch, weights, tuple(latents))


@pytest.fixture(scope="session")
def make_grid_stream() -> MakeStream:
    """Random streams of any grid network."""
    return random_grid_stream


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
