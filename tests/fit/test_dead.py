from __future__ import annotations

import numpy as np
import pytest

from inrcodec.fit.dead import without_dead_neurons
from inrcodec.net.arch import Arch
from inrcodec.net.coords import axes, grid
from inrcodec.net.forward import forward

COORDS = grid(*axes(9, 7, 9, 7))


def _net(arch: Arch) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.normal(0, 0.3, spec.shape).astype(np.float32) for spec in arch.tensors()]


def _draw(arch: Arch, tensors: object) -> np.ndarray:
    return forward(arch, {s.name: t for s, t in zip(arch.tensors(), tensors, strict=True)}, COORDS)  # type: ignore[call-overload]


@pytest.mark.parametrize("activation", ["sine", "relu", "gelu", "gauss"])
def test_the_picture_stays_the_same(activation: str) -> None:
    arch = Arch((6, 5, 4), w0_first=3, w0=2, activation=activation)
    tensors = _net(arch)
    tensors[1][:, [0, 2]] = 0  # two neurons of the first layer hand nothing on
    tensors[2][:, 1] = 0
    smaller, left = without_dead_neurons(arch, tensors)
    assert smaller.hidden == (4, 4, 4)
    np.testing.assert_allclose(_draw(smaller, left), _draw(arch, tensors), atol=2e-6)
    assert [t.shape for t in left] == [s.shape for s in smaller.tensors()]


def test_what_leads_to_a_dead_neuron_alone_is_dead() -> None:
    arch = Arch((6, 5, 4))
    tensors = _net(arch)
    tensors[2][:, 1] = 0  # neuron 1 of the second layer
    tensors[1][[0, 2, 3, 4], 3] = 0  # neuron 3 of the first layer leads to that one only
    smaller, _ = without_dead_neurons(arch, tensors)
    assert smaller.hidden == (5, 4, 4)


def test_nothing_comes_of_nothing_but_for_the_gaussian() -> None:
    for activation, hidden in (("sine", (5, 5)), ("gauss", (6, 5))):
        arch = Arch((6, 5), activation=activation)
        tensors = _net(arch)
        tensors[0][2] = 0
        tensors[3][2] = 0  # its bias
        smaller, left = without_dead_neurons(arch, tensors)
        assert smaller.hidden == hidden
        np.testing.assert_allclose(_draw(smaller, left), _draw(arch, tensors), atol=2e-6)


def test_a_layer_keeps_a_neuron() -> None:
    arch = Arch((3, 3))
    zeros = [np.zeros(spec.shape, np.int32) for spec in arch.tensors()]
    smaller, left = without_dead_neurons(arch, zeros)
    assert smaller.hidden == (1, 1)
    assert [t.dtype for t in left] == [np.int32] * 5


def test_what_is_alive_stays_as_it_is() -> None:
    arch = Arch((3, 4))
    tensors = _net(arch)
    smaller, left = without_dead_neurons(arch, tensors)
    assert smaller == arch
    assert all(np.array_equal(a, b) for a, b in zip(tensors, left, strict=True))
