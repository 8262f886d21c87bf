"""What the networks are and how large their tensors: FORMAT.md, "SIREN", "GRID" and "LAYERS"."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tests.naive.container import GRID, LAYERS, SIREN, Bytes, File, must

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Siren:
    activation: int
    encoding: tuple[int, int, int, int]  # kind, frequencies, hundredths, seed
    w0_first: int
    w0: int
    hidden: tuple[int, ...]
    shapes: Shapes


def read_siren(file: File) -> Siren:
    source = Bytes(file.sections[SIREN])
    activation, kind = source.byte(), source.byte()
    must(activation < 4 and kind < 4, "activation and encoding are known")
    frequencies, hundredths, seed = (source.byte(), source.varint(), source.varint()) if kind else (0, 0, 0)
    if kind:
        must(1 <= frequencies <= 64 and 1 <= hundredths <= 10000, "the encoding is in bounds")
        must(seed < 2**32 if kind == 3 else seed == 0, "only the Gaussian has a seed")
        must(kind != 1 or (hundredths / 100) ** (frequencies - 1) <= 2**20, "frequencies are in bounds")
    w0_first, w0 = source.byte(), source.byte()
    must(min(w0_first, w0) >= 1, "frequencies are not 0")
    hidden: list[int] = []
    for _ in range(source.byte()):
        count, width = source.byte(), source.varint()
        must(count >= 1 and 1 <= width <= 4096, "runs are not empty")
        must(not hidden or hidden[-1] != width, "neighbouring runs differ")
        hidden += [width] * count
    source.end()
    must(1 <= len(hidden) <= 64, "there are layers")
    inputs = (2, 4 * frequencies + 2, 4 * frequencies, 2 * frequencies)[kind]
    shapes: Shapes = {}
    for k, width in enumerate((*hidden, file.channels)):
        shapes[f"W{k}"] = (width, inputs)
        inputs = width
    shapes["b.hidden"], shapes["b.out"] = (sum(hidden),), (file.channels,)
    return Siren(activation, (kind, frequencies, hundredths, seed), w0_first, w0, tuple(hidden), shapes)


@dataclass(frozen=True)
class Grids:
    prior: int
    finest: int
    coarsest: int
    neighbours: int
    parents: int
    activation: int
    residuals: int
    w0: int
    context: tuple[int, ...]
    hidden: tuple[int, ...]
    coded: tuple[bool, ...]
    layers: int
    ratio: int
    scale: int
    waves: int
    shapes: Shapes

    @property
    def count(self) -> int:
        return self.coarsest - self.finest + 1

    def sides(self, file: File, grid: int) -> tuple[int, int]:
        octave = self.coarsest - grid
        return math.ceil(file.height / 2**octave), math.ceil(file.width / 2**octave)


def _flags(source: Bytes, count: int) -> tuple[bool, ...]:
    body = source.take(math.ceil(count / 8))
    bits = [bool(byte >> k & 1) for byte in body for k in range(8)]
    must(not any(bits[count:]), "the rest of the flags is 0")
    return tuple(bits[:count])


def read_grids(file: File) -> Grids:
    source = Bytes(file.sections[GRID])
    prior = source.byte()
    must(prior <= 5, "the prior is known")
    finest, coarsest = divmod(source.byte(), 16)
    must(finest <= coarsest <= 12, "octaves are in bounds")
    neighbours, parents = divmod(source.byte(), 16)
    must(1 <= neighbours <= 14 and parents <= 11, "the context is in bounds")
    activation, residuals = divmod(source.byte(), 16)
    filtered, residuals = divmod(residuals, 4)
    must(activation <= 2 and residuals <= 2 and filtered <= 1, "the synthesiser is known")
    w0 = source.byte()
    must(w0 >= 1, "the frequency is not 0")
    deep, high = divmod(source.byte(), 16)
    must(deep <= 4 and high <= 4, "at most four hidden layers")
    context, hidden = tuple(source.take(deep)), tuple(source.take(high))
    must(all(1 <= width <= 128 for width in (*context, *hidden)), "widths are in bounds")
    count = coarsest - finest + 1
    coded = _flags(source, count)
    source.end()
    usual = (neighbours, parents, activation, residuals, w0, context, hidden) == (14, 11, 0, 1, 32, (24, 24), (24, 24))
    must(not prior or usual, "priors are for one kind of network")
    layers, ratio, scale, waves = 0, 1, 0, 0
    if LAYERS in file.sections:
        source = Bytes(file.sections[LAYERS])
        layers, ratio = divmod(source.byte(), 16)
        scale = source.byte()
        must(layers <= 3 and 2 <= ratio <= 4 and scale <= 3, "layers are in bounds")
        coded += _flags(source, layers * count)
        waves = source.varint()
        source.end()
        must(layers + scale + waves > 0, "layers say something")
    inputs = neighbours + parents
    shapes = _context_shapes("C", inputs, context, count)
    shapes |= _synthesis_shapes(count, hidden, file.channels)
    if coarsest:
        shapes["U"] = (coarsest, 4)
    if filtered and count > 1:
        shapes["V"] = (count - 1, 4)
    for k in range(residuals):
        shapes[f"R{k}"] = (file.channels, file.channels, 3, 3)
    added = {name: shape for name, shape in shapes.items() if name[0] != "C"}
    for layer in range(layers):
        shapes |= _context_shapes("DEF"[layer], inputs + 9, context, count)
        shapes |= {"TXY"[layer] + name: shape for name, shape in added.items()}
    return Grids(
        prior, finest, coarsest, neighbours, parents, activation, residuals, w0, context, hidden, coded, layers, ratio,
        scale, waves, shapes,
    )  # fmt: skip


def _context_shapes(letter: str, inputs: int, widths: tuple[int, ...], rows: int) -> Shapes:
    shapes: Shapes = {}
    below = inputs
    for k, width in enumerate(widths):
        shapes[f"{letter}{k}"] = (width, below)
        below = width
    shapes[f"{letter}.out"] = (2, below + inputs if widths else inputs)
    shapes[f"{letter}.bias"] = (rows, sum(widths) + 2)
    return shapes


def _synthesis_shapes(grids: int, widths: tuple[int, ...], channels: int) -> Shapes:
    shapes: Shapes = {}
    below = grids
    for k, width in enumerate(widths):
        shapes[f"S{k}"] = (width, below)
        below = width
    shapes["S.out"] = (channels, below + grids if widths else grids)
    shapes["S.bias"] = (sum(widths) + channels,)
    return shapes
