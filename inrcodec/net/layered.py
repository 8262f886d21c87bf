"""Latents in layers: one file, many rates.

The grids of a base are refined by layers of grids of the same shapes: with the base's latents ``t_0``, layer k says

    t_k = ratio t_{k-1} + r_k

and the network sees the last ``t``, times ``ratio^(scale - k)``: each layer makes the quantisation step of every latent
so much finer, and one in the middle is that of the network's prior. Where a layer, or the end of one, is missing, ``r``
is 0: the file can be cut behind any wave of any grid. What is refined may be drawn by a synthesiser of its own, told by
what it differs by from the base's: more bits are worth better networks, which a base could not pay for.

This is an embedded quantiser, the bit planes of Learning Compressible Subspaces (Nunez et al. 2021, section 3.3) with
context modelling in place of plain bits; the context of ``r`` holds what the layer below says around the place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
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


@dataclass(frozen=True)
class LayeredArch(GridArch):
    """A modulated SIREN whose latents come in layers.

    Attributes:
        refinements: layers above the base, 0 to 3; 0 only where the base itself is cut.
        ratio: quantisation steps of a layer in one of the layer below, 2 to 4.
        scale: layer whose latents the network sees as they are, 0 to 3.
        renewed: whether refinements, if there are any, are drawn by a synthesiser of their own.
    """

    refinements: int = 1
    ratio: int = 2
    scale: int = 0
    renewed: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.refinements <= MAX_REFINEMENTS and 2 <= self.ratio <= MAX_RATIO):
            raise BitstreamError(f"{self.refinements} refinements by a factor of {self.ratio} are out of bounds")
        if not 0 <= self.scale <= MAX_REFINEMENTS:
            raise BitstreamError(f"latents of layer {self.scale} cannot be those that are drawn as they are")
        if self.renewed and not self.refinements:
            raise BitstreamError("a base alone has no synthesiser of refinements")

    @classmethod
    def over(
        cls, base: GridArch, refinements: int, ratio: int = 2, scale: int = 0, *, renewed: bool = False
    ) -> LayeredArch:
        """The same networks with so many refinements."""
        own = {field.name: getattr(base, field.name) for field in fields(GridArch)}
        return cls(**own, refinements=refinements, ratio=ratio, scale=scale, renewed=renewed)

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
        return ("C", plane) if plane < self.grids else ("D", plane - self.grids)

    def tensors(self) -> tuple[TensorSpec, ...]:
        """Those of :meth:`GridArch.tensors`, then those of the context model of refinements, and of their synthesiser.

        - ``D0 .. D(k), D.out``: as ``C0 ..``; nine more inputs, behind the others, are the latents of the layer below.
        - ``D.bias``: ``(refinements * grids, sum of widths + 2)``, plane by plane.
        - ``TS0``, ``TS.out``, ``TU``, ...: what is added to ``S0``, ``S.out``, ``U`` and all others of the synthesiser.
        """
        specs = super().tensors()
        if not self.refinements:
            return specs
        fan = list(self.refining_fan())
        names = [*(f"D{k}" for k in range(len(self.context))), "D.out"]
        own = [TensorSpec(name, (b, a)) for name, (a, b) in zip(names, fan, strict=True)]
        own.append(TensorSpec("D.bias", (self.refinements * self.grids, sum(self.context) + 2)))
        if self.renewed:
            own += [TensorSpec(f"T{spec.name}", spec.shape) for spec in specs if spec.name[0] != "C"]
        return (*specs, *own)

    def renewal(self) -> tuple[slice, slice]:
        """Where in all weights those of the synthesiser lie, and where what is added to them for refinements."""
        specs = self.tensors()
        first, added = (sum(spec.size for spec in specs if spec.name[0] == letter) for letter in "CT")
        total = sum(spec.size for spec in specs)
        return slice(first, first + added), slice(total - added, total)

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
    if not (isinstance(arch, LayeredArch) and arch.renewed):
        return tensors
    return {name: values + tensors[f"T{name}"] if f"T{name}" in tensors else values for name, values in tensors.items()}


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
