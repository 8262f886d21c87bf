"""Neurons that make no difference, and the network without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from inrcodec.net.arch import Arch

_Number = TypeVar("_Number", np.int32, np.float32)

_ZERO_AT_ZERO = ("sine", "relu", "gelu")
"""Activations that make nothing of nothing."""


def without_dead_neurons(arch: Arch, tensors: Sequence[NDArray[_Number]]) -> tuple[Arch, tuple[NDArray[_Number], ...]]:
    """Take out hidden neurons that hand nothing on, or nothing comes to: the picture stays the same.

    Args:
        arch: the network.
        tensors: its weights or symbols, in the order of :meth:`Arch.tensors`.

    Returns:
        The smaller network and its tensors. A layer keeps one neuron at least.
    """
    *matrices, hidden_biases, last_biases = (tensor.copy() for tensor in tensors)
    biases = np.split(hidden_biases, np.cumsum(arch.hidden)[:-1])
    before = 0
    while before != (now := sum(len(bias) for bias in biases)):
        before = now
        for k in range(arch.depth):
            alive: NDArray[np.bool_] = np.asarray(matrices[k + 1].any(0))
            if arch.activation in _ZERO_AT_ZERO:
                alive &= matrices[k].any(1) | (biases[k] != 0)
            alive[0] |= not alive.any()
            matrices[k], biases[k] = matrices[k][alive], biases[k][alive]
            matrices[k + 1] = matrices[k + 1][:, alive]
    smaller = replace(arch, hidden=tuple(len(bias) for bias in biases))
    return smaller, (*matrices, np.concatenate(biases), last_biases)
