"""Latents from the stream: FORMAT.md, "Latents"."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tests.naive.container import File, must
from tests.naive.networks import Grids
from tests.naive.rangecoder import RangeDecoder, cumulative
from tests.naive.weights import Weights

Plane = NDArray[np.int64]

CAUSAL = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, -2), (-2, -1), (-1, 2), (-2, 1), (0, -3), (-3, 0),
    (-2, -2), (-2, 2),
)  # fmt: skip
PARENTS = (
    (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 0, -1), (1, -1, 0), (2, 0, 0), (1, 1, 1), (1, -1, -1), (1, 1, -1), (1, -1, 1),
    (3, 0, 0),
)  # fmt: skip
BELOW = ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1))
GAPS = (
    653749799397, 626033915894, 599493014981, 574077287885, 549739037013, 526432586487, 504114196473, 482741981138,
    462275830083, 442677333099, 423909708119, 405937732212, 388727675510, 372247237928, 356465488567, 341352807685,
)  # fmt: skip


def bin_width(scale: int) -> int:
    """Latents in a bin: one below scale 8, which is index 164, and then twice as many every sixteen."""
    return 1 if scale < 164 else 2 ** ((scale - 164) // 16 + 1)


def power(base: float, exponent: int) -> float:
    """By squaring, from the lowest bit of the exponent."""
    result = 1.0
    while exponent:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result


def _shares(scale: int) -> tuple[float, list[float], list[float]]:
    """The decay of a 64th of a symbol; what of a tail lies beyond each of 64 bins, and what within each."""
    decay = 1.0 - GAPS[scale % 16] * 2.0**-53
    for _ in range(15 - scale // 16):
        decay *= decay
    of_bin = power(decay, 64 * bin_width(scale))
    beyond = [1.0]
    for _ in range(64):
        beyond.append(beyond[-1] * of_bin)
    return decay, beyond, [part * (1.0 - of_bin) for part in beyond]


@cache
def main_table(scale: int, fraction: int) -> list[int]:
    """Bins -32 .. 32."""
    decay, beyond, within = _shares(scale)
    width = bin_width(scale)
    left = 0.5 * power(decay, 64 * (width // 2) + fraction)
    right = 0.5 * power(decay, 64 * (width - width // 2) - fraction)
    side = [*within[:31], beyond[31]]
    lower, upper = [left * part for part in reversed(side)], [right * part for part in side]
    return cumulative([*lower, 1.0 - (left + right), *upper])


@cache
def tail_table(scale: int) -> list[int]:
    """How far beyond: 0 .. 63, or more."""
    _, beyond, within = _shares(scale)
    return cumulative([*within[:64], beyond[64]])


@cache
def low_table(width: int) -> list[int]:
    """The place in a bin."""
    return cumulative([1 / width] * width + [0.0] * (65 - width))


def fixed(weights: NDArray[np.float64], each: int, bits: int) -> Plane:
    """Integers nearest to so many times the weights, halves to even, cut to ``bits``."""
    bound = 2.0**bits - 1
    return np.clip(np.rint(weights * each), -bound, bound).astype(np.int64)


class ContextModel:
    """Laws of the latents of a grid, in integers.

    Args:
        tensors: all weights.
        letter: ``C``, or ``D``, ``E`` or ``F`` for refinements.
        row: of the biases.
        widths: of hidden layers.
    """

    def __init__(self, tensors: Weights, letter: str, row: int, widths: tuple[int, ...]) -> None:
        biases, at = tensors[f"{letter}.bias"][row], 0
        self.hidden = []
        for k, width in enumerate(widths):
            self.hidden.append((fixed(tensors[f"{letter}{k}"], 4096, 18), fixed(biases[at : at + width], 4096, 24)))
            at += width
        place, size = tensors[f"{letter}.out"]
        nat = 23.083120654223414
        self.place = fixed(place, 4096, 18), int(fixed(biases[at : at + 1], 4096, 24)[0])
        self.size = fixed(size * nat, 256, 18), int(fixed(biases[at + 1 : at + 2] * nat, 256, 24)[0])

    def law(self, inputs: Plane) -> tuple[int, int]:
        """Position in 64ths of a symbol plus half a symbol, and index of the scale."""
        h = inputs
        for k, (matrix, biases) in enumerate(self.hidden):
            down, unit = (12, 10) if k else (2, 0)
            sums = matrix @ h + (biases << unit)
            h = np.clip(sums + (1 << down - 1) >> down, 0, 2**24 - 1)
        seen = np.concatenate([h, inputs << 10]) if self.hidden else inputs << 10
        place = int(self.place[0] @ seen) + (self.place[1] << 10) + (1 << 15) >> 16
        size = int(self.size[0] @ seen) + (self.size[1] << 10) + (1 << 17) >> 18
        return min(max(place, -4095 * 64), 4095 * 64) + 32, min(max(size + 116, 0), 255)


def read_grid(
    decoder: RangeDecoder, grids: Grids, model: ContextModel, before: list[Plane], sides: tuple[int, int],
    below: Plane | None, waves: int,
) -> Plane:  # fmt: skip
    """One grid; ``before`` are those of its layer, the coarsest first, and ``below`` where it is refined from."""
    rows, columns = sides
    grid = np.zeros(sides, np.int64) if below is None else below.copy()
    around = [*before, grid]

    def at(plane: Plane, y: int, x: int) -> int:
        return int(plane[y, x]) if 0 <= y < plane.shape[0] and 0 <= x < plane.shape[1] else 0

    def context(y: int, x: int) -> Plane:
        values = [at(grid, y + dy, x + dx) for dy, dx in CAUSAL[: grids.neighbours]]
        for up, dy, dx in PARENTS[: grids.parents]:
            values.append(at(around[-1 - up], y // 2**up + dy, x // 2**up + dx) if up < len(around) else 0)
        if below is not None:
            values += [at(below, y + dy, x + dx) for dy, dx in BELOW]
        return np.array(values, np.int64)

    for wave in range(waves or columns + 3 * (rows - 1)):
        places = [(y, wave - 3 * y) for y in range(rows) if 0 <= wave - 3 * y < columns]
        laws = [model.law(context(y, x)) for y, x in places]
        bins = [decoder.symbol(main_table(scale, place % 64)) - 32 for place, scale in laws]
        far = [k for k, index in enumerate(bins) if abs(index) == 32]
        while far:  # in rounds: all that are beyond say how far, then those that are beyond that
            more = [decoder.symbol(tail_table(laws[k][1])) for k in far]
            for k, distance in zip(far, more, strict=True):
                bins[k] += distance if bins[k] > 0 else -distance
            far = [k for k, distance in zip(far, more, strict=True) if distance == 64]
        for k, (place, scale) in enumerate(laws):
            width, low = bin_width(scale), 0
            if width > 1:
                low = decoder.symbol(low_table(width))
                must(low < width, "the place lies in the bin")
            grid[places[k]] = place // 64 + bins[k] * width + low - width // 2
    must(int(np.abs(grid).max()) <= 4095, "latents are in bounds")
    must(bool((grid != (0 if below is None else below)).any()), "a coded grid says something")
    return grid


def read_all(decoder: RangeDecoder, grids: Grids, tensors: Weights, file: File) -> tuple[list[Plane], list[Plane]]:
    """What every grid of the stream adds to the layer below, and all of the last layer."""
    planes: list[Plane] = []
    added: list[Plane] = []
    last = max((k for k, flag in enumerate(grids.coded) if flag), default=0)
    for k, flag in enumerate(grids.coded):
        layer, grid = divmod(k, grids.count)
        sides = grids.sides(file, grid)
        below = grids.ratio * planes[k - grids.count] if layer else None
        plane = np.zeros(sides, np.int64) if below is None else below.copy()
        if flag:
            model = ContextModel(tensors, "CDEF"[layer], grid, grids.context)
            waves = grids.waves if k == last else 0
            plane = read_grid(decoder, grids, model, planes[layer * grids.count : k], sides, below, waves)
        planes.append(plane)
        added.append(plane - (0 if below is None else below))
        must(max(int(np.abs(some).max()) for some in (plane, added[-1])) <= 4095, "latents are in bounds")
    return added, planes[-grids.count :]
