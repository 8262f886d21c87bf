from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from inrcodec.net import forward as module
from inrcodec.net.arch import Arch
from inrcodec.net.coords import axes, grid
from inrcodec.net.forward import forward, render

Tensors = dict[str, NDArray[np.float32]]


def _net(hidden: tuple[int, ...] = (6, 4), outputs: int = 3) -> tuple[Arch, Tensors]:
    rng = np.random.default_rng(1)
    arch = Arch(hidden, outputs, w0_first=20, w0=9)
    return arch, {spec.name: rng.normal(0, 0.2, spec.shape).astype(np.float32) for spec in arch.tensors()}


def _naive(arch: Arch, tensors: Tensors, u: float, v: float) -> list[float]:
    """The formula of the module's docstring, a neuron at a time."""
    h, first = [u, v], 0
    for k, width in enumerate(arch.hidden):
        frequency = arch.w0 if k else arch.w0_first
        matrix, biases = tensors[f"W{k}"].tolist(), tensors["b.hidden"].tolist()[first : first + width]
        h = [
            math.sin(frequency * (math.fsum(w * x for w, x in zip(row, h, strict=True)) + b))
            for row, b in zip(matrix, biases, strict=True)
        ]
        first += width
    rows, biases = tensors[f"W{arch.depth}"].tolist(), tensors["b.out"].tolist()
    return [math.fsum(w * x for w, x in zip(row, h, strict=True)) + b for row, b in zip(rows, biases, strict=True)]


@pytest.mark.parametrize(("hidden", "outputs"), [((6, 4), 3), ((5,), 1), ((3, 1, 4, 2), 3)])
def test_it_is_the_formula(hidden: tuple[int, ...], outputs: int) -> None:
    arch, tensors = _net(hidden, outputs)
    coords = grid(*axes(7, 5, 7, 5))
    expected = [_naive(arch, tensors, float(u), float(v)) for u, v in coords]
    samples = forward(arch, tensors, coords)
    assert samples.shape == (35, outputs)
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, expected, atol=2e-5)
    assert samples.std(0).min() > 0.01


def test_coordinates_are_not_written_to() -> None:
    arch, tensors = _net()
    coords = grid(*axes(7, 5, 7, 5))
    before = coords.copy()
    forward(arch, tensors, coords)
    assert np.array_equal(coords, before)


@pytest.mark.parametrize("chunk", [1, 3, 35, 36])
def test_chunks_do_not_show(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    arch, tensors = _net()
    u, v = axes(7, 15, 7, 15)
    whole = render(arch, tensors, u, v)
    monkeypatch.setattr(module, "CHUNK", chunk)
    np.testing.assert_allclose(render(arch, tensors, u, v), whole, atol=2e-6)


def test_wide_layers_take_no_more_memory() -> None:
    arch, tensors = _net((4096,))
    coords = grid(*axes(8192, 1, 8192, 1))
    tracemalloc.start()
    wide = forward(arch, tensors, coords)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16e6, "the activations of 8192 pixels at once would take 134 MB"
    for k in (0, 127, 128, 8191):
        np.testing.assert_allclose(wide[k], forward(arch, tensors, coords[k : k + 1])[0], atol=1e-4)


def test_a_crop_of_the_render_is_the_render_of_the_crop() -> None:
    arch, tensors = _net()
    u, v = axes(31, 17, 31, 17)
    whole = render(arch, tensors, u, v).reshape(17, 31, 3)
    part = render(arch, tensors, u[4:20], v[3:9]).reshape(6, 16, 3)
    np.testing.assert_allclose(part, whole[3:9, 4:20], atol=2e-6)
    single = render(arch, tensors, u[30:], v[16:])
    np.testing.assert_allclose(single, whole[16:, 30], atol=2e-6)
