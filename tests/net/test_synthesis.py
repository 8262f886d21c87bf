from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inrcodec.fit.grid import reference
from inrcodec.net import synthesis
from inrcodec.net.grid import GridArch
from inrcodec.net.synthesis import Synthesiser, residual

Float = NDArray[np.float32]


def _tensors(arch: GridArch, seed: int = 0) -> dict[str, Float]:
    rng = np.random.default_rng(seed)
    specs = [spec for spec in arch.tensors() if spec.name[0] in "SR"]
    return {spec.name: rng.normal(0, 0.3, spec.shape).astype(np.float32) for spec in specs}


def _stack(arch: GridArch, rows: int = 9, columns: int = 11) -> Float:
    return np.random.default_rng(1).normal(size=(arch.grids, rows, columns)).astype(np.float32)


def _reference(arch: GridArch, tensors: dict[str, Float], stack: Float) -> Float:
    floats = {name: torch.tensor(tensor) for name, tensor in tensors.items()}
    picture: Float = reference.synthesise(arch, floats, torch.tensor(stack)).numpy()
    return picture


@pytest.mark.parametrize("activation", ["sine", "relu", "gelu"])
@pytest.mark.parametrize("hidden", [(), (8,), (8, 12), (5, 6, 7, 8)])
def test_it_is_the_reference(activation: str, hidden: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    arch = GridArch(hidden=hidden, activation=activation, residuals=0, w0=20)
    tensors, stack = _tensors(arch), _stack(arch)
    expected = _reference(arch, tensors, stack)
    network = Synthesiser(arch, tensors, range(arch.grids))
    assert np.abs(network(stack) - expected).max() < 1e-5
    monkeypatch.setattr(synthesis, "CHUNK", 7)
    assert np.abs(network(stack) - expected).max() < 1e-5


@pytest.mark.parametrize("hidden", [(), (8,), (8, 12)])
@pytest.mark.parametrize("channels", [[], [0], [1, 4, 6]])
def test_the_grids_it_does_not_see_count_as_zero(hidden: tuple[int, ...], channels: list[int]) -> None:
    arch = GridArch(hidden=hidden, residuals=0)
    tensors, stack = _tensors(arch), _stack(arch)
    missing = [grid for grid in range(arch.grids) if grid not in channels]
    expected = stack.copy()
    expected[missing] = 0
    found = Synthesiser(arch, tensors, channels)(stack[channels])
    assert np.abs(found - _reference(arch, tensors, expected)).max() < 1e-5


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("outputs", [1, 3])
def test_3x3_layers_are_those_of_the_reference(layers: int, outputs: int) -> None:
    arch = GridArch(hidden=(), residuals=layers, outputs=outputs)
    tensors, stack = _tensors(arch), _stack(arch)
    picture = Synthesiser(arch, tensors, range(arch.grids))(stack)
    plain = _reference(replace(arch, residuals=0), tensors, stack)
    for k in range(layers):
        picture = residual(picture, tensors[f"R{k}"], (True, True), (True, True))
    assert np.abs(picture - _reference(arch, tensors, stack)).max() < 1e-5
    assert np.abs(picture - plain).max() > 0.1


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("left", [True, False])
def test_3x3_layers_look_beyond_a_part(above: bool, left: bool) -> None:
    rng = np.random.default_rng(2)
    picture = rng.normal(size=(3, 8, 9)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 3, 3)).astype(np.float32)
    whole = residual(picture, kernel, (True, True), (True, True))
    top, first = (0 if above else 2), (0 if left else 3)
    part = residual(picture[:, top:6, first:7], kernel, (above, False), (left, False))
    assert np.array_equal(part, whole[:, 0 if above else 3 : 5, 0 if left else 4 : 6])
