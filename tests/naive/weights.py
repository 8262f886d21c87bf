"""Weights from symbols, halves and priors: FORMAT.md, "SYMBOLS", "HALVES" and "BROTLI"."""

from __future__ import annotations

import struct
from pathlib import Path

import brotli
import numpy as np
from numpy.typing import NDArray

from tests.naive.container import BROTLI, HALVES, LAWS, File, must
from tests.naive.networks import Grids, Shapes
from tests.naive.rangecoder import Law, RangeDecoder, cumulative, largest, probabilities, step_size

PRIORS = Path(__file__).parents[2] / "inrcodec" / "net" / "priors.npy"
Weights = dict[str, NDArray[np.float64]]
Symbols = dict[str, NDArray[np.int64]]


def read_laws(file: File, shapes: Shapes) -> list[Law]:
    body = file.sections[LAWS]
    must(len(body) == 5 * len(shapes), "five bytes a tensor")
    laws = [(body[at], body[at + 1], body[at + 2], body[at + 3], body[at + 4]) for at in range(0, len(body), 5)]
    must(all(law[1] <= 143 and law[2] >= 1 for law in laws), "laws are in range")
    return laws


def ranged(decoder: RangeDecoder, shapes: Shapes, laws: list[Law]) -> Symbols:
    found: Symbols = {}
    for (name, shape), law in zip(shapes.items(), laws, strict=True):
        values = np.zeros(shape, np.int64)
        if top := largest(law[1]):
            begins = cumulative(probabilities(law))
            for k in range(values.size):
                values.flat[k] = decoder.symbol(begins) - top
        found[name] = values
    return found


def under_brotli(file: File, shapes: Shapes, laws: list[Law]) -> Symbols:
    raw = brotli.decompress(file.sections[BROTLI])
    found: Symbols = {}
    for (name, shape), law in zip(shapes.items(), laws, strict=True):
        top, count = largest(law[1]), int(np.prod(shape))
        each = 0 if top == 0 else 2 if top > 127 else 1
        part, raw = raw[: each * count], raw[each * count :]
        numbers = struct.unpack(f">{count}{'_bh'[each]}", part) if each else (0,) * count
        must(all(abs(number) <= top for number in numbers), "no symbol exceeds its law's largest")
        found[name] = np.array(numbers, np.int64).reshape(shape)
    must(not raw, "nothing follows")
    return found


def halves(file: File, shapes: Shapes) -> Weights:
    body = file.sections[HALVES]
    count = sum(int(np.prod(shape)) for shape in shapes.values())
    must(len(body) == 2 * count, "two bytes a weight")
    numbers = struct.unpack(f">{count}e", body)
    must(bool(np.isfinite(numbers).all()), "weights are finite")
    found: Weights = {}
    at = 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        found[name] = np.array(numbers[at : at + size]).reshape(shape)
        at += size
    return found


def steps(symbols: Symbols, laws: list[Law]) -> Weights:
    """Symbols times steps."""
    sizes = (step_size(step) for step, *_ in laws)
    return {name: part.astype(np.float64) * size for (name, part), size in zip(symbols.items(), sizes, strict=True)}


def on_prior(weights: Weights, grids: Grids, channels: int) -> Weights:
    """With the prior's weights added; the context models of layers have those for higher rates."""
    base = _networks(grids.prior, grids, channels)
    for layer in range(1, grids.layers + 1):
        above = _networks(max(grids.prior - layer, 1), grids, channels)
        letter = "CDEF"[layer]
        for name in ("C0", "C1", "C.out", "C.bias"):
            blind = np.zeros((len(above[name]), 9 if name in ("C0", "C.out") else 0))
            base[letter + name[1:]] = np.concatenate([above[name], blind], axis=1)
    base |= {name: np.zeros(shape) for name, shape in grids.shapes.items() if name[0] in "TXY"}
    must({name: part.shape for name, part in base.items()} == grids.shapes, "the prior's tensors are the file's")
    return {name: base[name] + part for name, part in weights.items()}


def _networks(prior: int, grids: Grids, channels: int) -> Weights:
    """A prior's weights, of which grids and rungs of the file take their own, or the coarsest it has."""
    row = np.load(PRIORS)[prior - 1].astype(np.float64)
    theirs: Shapes = {
        "C0": (24, 25), "C1": (24, 24), "C.out": (2, 49), "C.bias": (7, 50), "S0": (24, 7), "S1": (24, 24),
        "S.out": (3, 31), "S.bias": (51,), "U": (6, 4), "R0": (3, 3, 3, 3),
    }  # fmt: skip
    base: Weights = {}
    for name, shape in theirs.items():
        base[name], row = row[: int(np.prod(shape))].reshape(shape), row[int(np.prod(shape)) :]
    must(row.size == 0, "a row holds all tensors")
    octaves = [min(octave, 6) for octave in range(grids.coarsest, grids.finest - 1, -1)]
    rungs = [min(octave, 6) for octave in range(grids.coarsest, 0, -1)]
    base["C.bias"] = np.array([base["C.bias"][6 - octave] for octave in octaves])
    base["S0"] = np.array([base["S0"][:, 6 - octave] for octave in octaves]).T
    seen = np.array([base["S.out"][:, 24 + 6 - octave] for octave in octaves]).T
    base["S.out"] = np.concatenate([base["S.out"][:, :24], seen], axis=1)
    if grids.coarsest:
        base["U"] = np.array([base["U"][6 - octave] for octave in rungs])
    else:
        del base["U"]
    if "V" in grids.shapes:
        base["V"] = np.zeros(grids.shapes["V"])
    if channels == 1:
        out, bias, kernel = base["S.out"], base["S.bias"], base["R0"]
        base["S.out"] = (out[:1] + out[1:2] + out[2:]) / 3
        base["S.bias"] = np.append(bias[:48], (bias[48] + bias[49] + bias[50]) / 3)
        kernel = kernel[:, :1] + kernel[:, 1:2] + kernel[:, 2:]
        base["R0"] = (kernel[:1] + kernel[1:2] + kernel[2:]) / 3
    return base
