"""The frozen description of a SIREN: everything a decoder must know about the network but its weights.

A SIREN (Sitzmann et al. 2020, section 3) is a coordinate MLP with sine activations,

    h_0 = (u, v),   h_{k+1} = sin(w0 (W_k h_k + b_k)),   rgb = W_D h_D + b_D.

For comparison the sine may be another function, and the coordinates may be encoded.

Tensors are what the file codes: one matrix a layer, all hidden biases as one vector (they play the same part in
every layer and share one entropy law), and the output bias.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inrcodec.errors import BitstreamError
from inrcodec.limits import MAX_DEPTH, MAX_WIDTH
from inrcodec.net.activations import ACTIVATE
from inrcodec.net.encoding import PLAIN, Encoding

Float = NDArray[np.float32]

_USUAL_W0 = {"sine": 30, "relu": 1, "gelu": 1, "gauss": 10}
"""Frequencies where only the activation is named."""


@dataclass(frozen=True)
class TensorSpec:
    """Name and shape of one coded tensor."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of weights."""
        return int(np.prod(self.shape))


class Network(Protocol):
    """What the coding of weights knows of an architecture."""

    @property
    def params(self) -> int:
        """All its weights."""

    def tensors(self) -> tuple[TensorSpec, ...]:
        """The coded tensors, in file order."""


@dataclass(frozen=True)
class Arch:
    """A SIREN of given hidden widths.

    Attributes:
        hidden: neurons of each hidden layer, input side first; 1 to 64 layers of 1 to 4096.
        outputs: channels of the picture, 1 or 3.
        w0_first: frequency of the first layer, 1 to 255: what its sums are multiplied with before the activation.
        w0: frequency of the other hidden layers, 1 to 255.
        activation: of hidden layers: ``sine``, ``relu``, ``gelu`` or ``gauss``.
        encoding: what becomes of the coordinates.
    """

    hidden: tuple[int, ...]
    outputs: int = 3
    w0_first: int = 30
    w0: int = 30
    activation: str = "sine"
    encoding: Encoding = PLAIN

    def __post_init__(self) -> None:
        if not 1 <= len(self.hidden) <= MAX_DEPTH:
            raise BitstreamError(f"a network has 1 to {MAX_DEPTH} hidden layers, not {len(self.hidden)}")
        if not all(1 <= w <= MAX_WIDTH for w in self.hidden):
            raise BitstreamError(f"hidden widths run from 1 to {MAX_WIDTH}, not {self.hidden}")
        if self.outputs not in (1, 3):
            raise BitstreamError(f"a network has 1 or 3 outputs, not {self.outputs}")
        if not (1 <= self.w0_first <= 255 and 1 <= self.w0 <= 255):
            raise BitstreamError(f"w0 runs from 1 to 255, not {self.w0_first}, {self.w0}")
        if self.activation not in ACTIVATE:
            raise BitstreamError(f"no activation {self.activation!r}; there are {', '.join(ACTIVATE)}")

    @property
    def depth(self) -> int:
        """Hidden layers."""
        return len(self.hidden)

    @property
    def params(self) -> int:
        """Weights and biases."""
        return sum(spec.size for spec in self.tensors())

    def fan(self) -> Iterator[tuple[int, int]]:
        """(inputs, outputs) of every linear layer, the output layer last."""
        widths = (self.encoding.inputs, *self.hidden, self.outputs)
        yield from pairwise(widths)

    def frequency(self, layer: int) -> int:
        """w0 of hidden layer ``layer`` (0-based)."""
        return self.w0_first if layer == 0 else self.w0

    def tensors(self) -> tuple[TensorSpec, ...]:
        """The coded tensors, in file order."""
        matrices = [TensorSpec(f"W{k}", (outputs, inputs)) for k, (inputs, outputs) in enumerate(self.fan())]
        biases = [TensorSpec("b.hidden", (sum(self.hidden),)), TensorSpec("b.out", (self.outputs,))]
        return (*matrices, *biases)

    def layers(self, tensors: Mapping[str, Float]) -> list[tuple[Float, Float]]:
        """Regroup coded tensors into ``(W, b)`` per linear layer, with w0 multiplied in.

        Args:
            tensors: float arrays by name, of the shapes of :meth:`tensors`.

        Returns:
            ``W`` of shape ``(outputs, inputs)`` and ``b`` of shape ``(outputs,)``, so that a hidden layer is
            ``f(W h + b)``.
        """
        ends = np.cumsum(self.hidden)[:-1]
        biases = [*np.split(tensors["b.hidden"], ends), tensors["b.out"]]
        scales = [*(np.float32(self.frequency(k)) for k in range(self.depth)), np.float32(1)]
        return [(s * tensors[f"W{k}"], s * b) for k, (s, b) in enumerate(zip(scales, biases, strict=True))]

    def __str__(self) -> str:
        runs = [f"{len(list(run))}x{width}" for width, run in groupby(self.hidden)]
        unusual = [part for part, usual in ((self.activation, "sine"), (str(self.encoding), "none")) if part != usual]
        return " ".join(["+".join(runs), *unusual])


def parse_activation(text: str) -> tuple[str, int, int]:
    """Read ``relu``, ``sine:20`` or ``sine:40:30``: a name, w0, and the first layer's own if it differs.

    Returns:
        The name, the first layer's frequency, that of the others.

    Raises:
        ValueError: the text is none of these.
    """
    name, *numbers = text.lower().split(":")
    frequencies = [int(number) if number.isdigit() else 0 for number in numbers] or [_USUAL_W0.get(name, 0)]
    if name not in ACTIVATE or len(frequencies) > 2 or not all(1 <= frequency <= 255 for frequency in frequencies):
        raise ValueError(
            f"an activation looks like relu, sine:30 or sine:40:30 ({', '.join(ACTIVATE)}; w0 of 1 to 255, first that "
            f"of the first layer if it differs), not {text!r}"
        )
    return name, frequencies[0], frequencies[-1]


def parse_layers(text: str) -> tuple[int, ...]:
    """Read ``DxW`` (``4x64``), runs of it (``3x40+1x20``) or plain widths (``64,48,32``).

    Raises:
        ValueError: the text is none of these.
    """
    try:
        hidden: list[int] = []
        for part in text.lower().replace(",", "+").split("+"):
            depth, _, width = part.rpartition("x")
            hidden += [int(width)] * (int(depth) if depth else 1)
    except ValueError:
        hidden = []
    if not hidden or len(hidden) > MAX_DEPTH or not all(1 <= w <= MAX_WIDTH for w in hidden):
        raise ValueError(f"layers look like 4x64 (depth x width, to {MAX_DEPTH}x{MAX_WIDTH}) or 64,48,32; got {text!r}")
    return tuple(hidden)
