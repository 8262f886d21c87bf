"""Latents in layers: one file, many rates.

The grids of a base are refined by layers of grids of the same shapes: with the base's latents ``t_0``, layer k says
``r_k``, and comes to

    t_k = ratio t_{k-1} + r_k

of which the network sees the last, times ``ratio^(scale - k)``: each layer makes the quantisation step of every latent
so much finer, and one in the middle is that of the network's prior. Where a layer, or the end of one, is missing, ``r``
is 0: the file can be cut behind any wave of any grid. Every layer has a context model of its own, and a synthesiser,
told by what it differs by from that of the layer below: more bits are worth better networks, which a base could not pay
for, and networks that serve two layers serve neither well.

This is an embedded quantiser, the bit planes of Learning Compressible Subspaces (Nunez et al. 2021, section 3.3) with
context modelling in place of plain bits. The context of a refinement is that of what its layer *comes to*, and what the
layer below does around the place. So a context model starts as one for latents of such steps, and foretells them so;
with contexts of ``r`` alone the upper layer of crops of kodim15 and kodim05 took 8 and 2 % more bits (1,200 steps).

Steps of one size in all layers, a ratio of 1, came to as much: kodim05, 15, 20 and 23, cut to 0.3 of 0.6 bpp and whole,
to 0.02 dB less and 0.03 more in the mean, between -0.15 and 0.20.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.errors import BitstreamError
from inrcodec.net.arch import TensorSpec
from inrcodec.net.grid import GridArch

BELOW = ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1))
"""Latents of the layer below ``(rows down, columns right)`` that the context of a refinement ends with."""

MAX_REFINEMENTS = 3
MAX_RATIO = 4

_CONTEXTS, _SYNTHESISERS = "DEF", "TXY"
"""First letters of the tensors of each refinement's networks."""

CONTEXTS, SYNTHESISERS = frozenset("C" + _CONTEXTS), frozenset("S" + _SYNTHESISERS)
"""First letters of all context models, and of the synthesisers' tensors or what is added to them."""


@dataclass(frozen=True)
class LayeredArch(GridArch):
    """A modulated SIREN whose latents come in layers.

    Attributes:
        refinements: layers above the base, 0 to 3; 0 only where the base itself is cut.
        ratio: quantisation steps of a layer in one of the layer below, 2 to 4.
        scale: layer whose latents the network sees as they are, 0 to 3.
    """

    refinements: int = 1
    ratio: int = 2
    scale: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.refinements <= MAX_REFINEMENTS and 2 <= self.ratio <= MAX_RATIO):
            raise BitstreamError(f"{self.refinements} refinements by a factor of {self.ratio} are out of bounds")
        if not 0 <= self.scale <= MAX_REFINEMENTS:
            raise BitstreamError(f"latents of layer {self.scale} cannot be those that are drawn as they are")

    @classmethod
    def over(cls, base: GridArch, refinements: int, ratio: int = 2, scale: int = 0) -> LayeredArch:
        """The same networks with so many refinements."""
        own = {field.name: getattr(base, field.name) for field in fields(GridArch)}
        return cls(**own, refinements=refinements, ratio=ratio, scale=scale)

    @property
    def base(self) -> GridArch:
        """The same without layers."""
        return GridArch(**{field.name: getattr(self, field.name) for field in fields(GridArch)})

    @property
    def planes(self) -> int:
        """Grids of all layers together."""
        return self.grids * (1 + self.refinements)

    def unit(self, layer: int) -> float:
        """What the network sees for a step of a layer; exact in float32 for a ratio of 2 or 4."""
        return float(self.ratio ** max(0, self.scale - layer) / self.ratio ** max(0, layer - self.scale))

    def plane_shapes(self, width: int, height: int) -> tuple[tuple[int, int], ...]:
        """``(rows, columns)`` of the grids of all layers, base first, in a layer the coarsest first."""
        return self.shapes(width, height) * (1 + self.refinements)

    def context_inputs(self, plane: int) -> int:
        """Values in the context of a latent of a plane."""
        return self.inputs + (len(BELOW) if plane >= self.grids else 0)

    def context_tensors(self, plane: int) -> tuple[str, int]:
        """First letter of the tensors of a plane's context model, and its row of their biases."""
        layer, grid = divmod(plane, self.grids)
        return ("C", *_CONTEXTS)[layer], grid

    def tensors(self) -> tuple[TensorSpec, ...]:
        """Those of :meth:`GridArch.tensors`, then for each refinement those of its context model and synthesiser.

        - ``D0 .. D(k), D.out, D.bias``: as ``C0 ..``; nine more inputs, behind the others, are what the layer below
          comes to. ``E`` is that of the second refinement, ``F`` of the third.
        - ``TS0``, ``TS.out``, ``TU``, ...: what is added to ``S0``, ``S.out``, ``U`` and all others of the synthesiser
          of the layer below; likewise ``X`` and ``Y``.
        """
        specs = super().tensors()
        return (*specs, *(spec for k in range(self.refinements) for spec in self._added(specs, k)))

    def _added(self, base: Sequence[TensorSpec], refinement: int) -> Iterator[TensorSpec]:
        """The tensors of a refinement, 0 being the first."""
        letter, other = _CONTEXTS[refinement], _SYNTHESISERS[refinement]
        names = [*(f"{letter}{k}" for k in range(len(self.context))), f"{letter}.out"]
        yield from (TensorSpec(name, (b, a)) for name, (a, b) in zip(names, self.refining_fan(), strict=True))
        yield TensorSpec(f"{letter}.bias", (self.grids, sum(self.context) + 2))
        yield from (TensorSpec(f"{other}{spec.name}", spec.shape) for spec in base if spec.name[0] != "C")

    def up_to(self, layer: int) -> GridArch:
        """What a file says that ends with a layer; the base alone for 0."""
        return replace(self, refinements=layer) if layer else self.base

    def synthesisers(self) -> tuple[slice, ...]:
        """Where in all weights those of the base's synthesiser lie, and what every refinement adds to them."""
        added = sum(spec.size for spec in super().tensors() if spec.name[0] != "C")
        ends = [self.up_to(layer).params for layer in range(self.refinements + 1)]
        return tuple(slice(end - added, end) for end in ends)

    def refining_fan(self) -> Iterator[tuple[int, int]]:
        """(inputs, outputs) of the layers of the refinements' context model."""
        inputs = self.inputs + len(BELOW)
        widths = (inputs, *self.context)
        yield from pairwise(widths)
        yield (widths[-1] + inputs if self.context else inputs, 2)

    def __str__(self) -> str:
        return f"{super().__str__()} in {1 + self.refinements} layers"


def drawing(arch: GridArch, tensors: Mapping[str, NDArray[np.float32]]) -> Mapping[str, NDArray[np.float32]]:
    """The tensors that the latents of the last layer are drawn with."""
    if not isinstance(arch, LayeredArch):
        return tensors
    found = {spec.name: tensors[spec.name] for spec in arch.base.tensors()}
    for letter in _SYNTHESISERS[: arch.refinements]:
        found |= {name: values + tensors[letter + name] for name, values in found.items() if name[0] != "C"}
    return found


Planes = Sequence[NDArray[np.integer[Any]]]


def total(arch: LayeredArch, planes: Planes, plane: int) -> NDArray[np.int32]:
    """What a plane and those below it add up to, in steps of its layer.

    Args:
        arch: the architecture.
        planes: latents of the base, then refinements, in coding order, up to this plane at least.
        plane: which one.
    """
    below = range(plane % arch.grids, plane + 1, arch.grids)
    sums = np.zeros(planes[plane].shape, np.int32)
    for k in below:
        sums = sums * arch.ratio + planes[k]
    return sums.astype(np.int32, copy=False)


def drawn(arch: GridArch, planes: Planes) -> Sequence[NDArray[Any]]:
    """What the network sees of latents, grid by grid, coarsest first."""
    if not isinstance(arch, LayeredArch):
        return planes
    unit = np.float32(arch.unit(arch.refinements))
    last = arch.planes - arch.grids
    zero = np.float32(0)
    return [
        total(arch, planes, last + grid) * unit
        if any(plane.any() for plane in planes[grid :: arch.grids])
        else np.broadcast_to(zero, planes[grid].shape)  # which takes no memory
        for grid in range(arch.grids)
    ]
