"""Write the golden files. Run on purpose only, when the format changes: python tests/golden/make.py

Each ``name.inr`` must decode for ever to the symbols of ``name.json`` and to the pixels of ``name.npy``. Files that are
there are not written again: delete one to have it made anew.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from inrcodec.coding.estimate import fit_law  # noqa: E402
from inrcodec.coding.law import Law, step_code, step_size  # noqa: E402
from inrcodec.coding.symbols import Symbols  # noqa: E402
from inrcodec.decoder import decode_pixels, probe  # noqa: E402
from inrcodec.format.alpha import lossless_alpha, lossy_alpha  # noqa: E402
from inrcodec.format.container import Header  # noqa: E402
from inrcodec.format.cut import cut_at  # noqa: E402
from inrcodec.format.extras import Extras, attach  # noqa: E402
from inrcodec.format.metadata import write_metadata  # noqa: E402
from inrcodec.format.stream import Stream, pack, unpack  # noqa: E402
from inrcodec.net.arch import Arch, TensorSpec  # noqa: E402
from inrcodec.net.encoding import Encoding  # noqa: E402
from inrcodec.net.grid import GridArch  # noqa: E402
from inrcodec.net.layered import LayeredArch  # noqa: E402
from inrcodec.net.prior import PRIOR_ARCH  # noqa: E402
from inrcodec.pixels import Metadata  # noqa: E402

_DEEPER = LayeredArch(0, 2, 3, 1, (3,), (4,), refinements=3)

KINDS: dict[str, tuple[Header, Arch | GridArch, str]] = {
    "rgb": (Header(40, 25), Arch((14, 14, 9)), "symbols"),
    "gray": (Header(25, 40, 1), Arch((16, 16), 1, 20, 10), "symbols"),
    "deep": (Header(17, 12, 3, 16), Arch((12, 12)), "symbols"),
    "dot": (Header(1, 1), Arch((1,), 3, 255, 1), "symbols"),
    "line": (Header(300, 1, 1, 16), Arch((12,), 1), "symbols"),
    "halves": (Header(24, 16), Arch((9, 8)), "halves"),
    "pruned": (Header(24, 16), Arch((15, 15, 15)), "pruned"),
    "wide": (Header(16, 16), Arch((6, 6)), "wide"),
    "relu": (Header(19, 23), Arch((13, 12), 3, 3, 3, "relu"), "symbols"),
    "gelu_nerf": (Header(26, 17), Arch((14, 9), 3, 3, 4, "gelu", Encoding("nerf", 7, 150)), "symbols"),
    "gauss_gauss": (Header(22, 22, 1, 16), Arch((11,), 1, 9, 9, "gauss", Encoding("gauss", 12, 175, 99)), "symbols"),
    "positional": (Header(31, 12), Arch((10, 8), 3, encoding=Encoding("positional", 5, 800)), "halves"),
    "brotli": (Header(33, 21), Arch((12, 11)), "brotli"),
    "brotli_wide": (Header(14, 16, 1), Arch((7, 5), 1), "brotli wide"),
    "grid": (Header(37, 22), GridArch(0, 4, 7, 5, (7, 6), (8, 7)), "symbols"),
    "grid_deep": (Header(21, 30, 1, 16), GridArch(1, 3, 14, 11, (5,), (6,), "gelu", 32, 2, 1), "symbols"),
    "grid_dot": (Header(1, 1), GridArch(0, 0, 1, 0, (), (), residuals=0), "symbols"),
    "grid_far": (Header(30, 20), GridArch(0, 2, 2, 1, (3,), (5,), "relu"), "wide"),
    "grid_prior": (Header(45, 29), PRIOR_ARCH, "prior 2"),
    "grid_prior_gray": (Header(23, 34, 1), replace(PRIOR_ARCH, finest=1, coarsest=8, outputs=1), "prior 5"),
    "alpha_lossless": (Header(27, 18, 1, 16), Arch((11, 9), 1), "symbols"),
    "alpha_lossy": (Header(29, 20), Arch((12, 10)), "symbols"),
    "metadata": (Header(21, 13), Arch((10, 8)), "symbols"),
    "layers": (Header(17, 12), LayeredArch(0, 2, 6, 4, (3,), (4, 3), refinements=2, scale=1), "symbols"),
    "layers_cut": (Header(22, 15), LayeredArch(0, 2, 6, 4, (3,), (4, 3), refinements=2, scale=1), "cut 7 22"),
    "layers_base": (Header(18, 20, 1), LayeredArch(0, 2, 3, 1, (), (5,), outputs=1, refinements=1), "cut 2 31"),
    "layers_thirds": (Header(15, 9), LayeredArch(0, 1, 2, 1, (3,), (6,), refinements=1, ratio=3), "symbols"),
    "layers_prior": (Header(16, 12), LayeredArch.over(replace(PRIOR_ARCH, coarsest=2), 2), "prior 3"),
    "column": (Header(1, 90), Arch((9, 9)), "symbols"),
    "grid_column": (Header(1, 70), GridArch(0, 3, 5, 3, (4,), (5,)), "symbols"),
    "grid_row": (Header(80, 1), GridArch(0, 2, 14, 11, (4,), (5,)), "symbols"),
    "empty": (Header(13, 8), Arch((7, 5)), "empty"),
    "grid_empty": (Header(13, 8), GridArch(0, 2, 4, 3, (4,), (5,)), "empty"),
    "structured": (Header(29, 18), Arch((13, 3, 11, 1, 6)), "symbols"),
    "magnitude": (Header(32, 20), Arch((20, 20, 20)), "magnitude"),
    "coin": (Header(20, 30, 1), Arch((7,) * 5, 1), "halves"),
    "grid_filtered": (Header(27, 19), GridArch(0, 3, 5, 4, (5,), (6,), filtered=True), "symbols"),
    "grid_prior_filtered": (Header(34, 20), replace(PRIOR_ARCH, finest=1, filtered=True), "prior 3"),
    "layers_filtered": (Header(19, 12), LayeredArch(0, 2, 3, 1, (4,), (5,), filtered=True, refinements=1), "symbols"),
    "layers_three": (Header(15, 10), _DEEPER, "symbols"),
    "layers_three_cut": (Header(14, 15), replace(_DEEPER, filtered=True), "cut 11 9"),
}
"""Picture, network and kind of weights.

``pruned`` has a tensor of zeros, ``empty`` nothing else but a gray, ``magnitude`` four zeros in five, ``wide`` symbols
of the largest magnitude; those of ``prior`` are added to one. ``cut`` files end in that plane, before that wave. What
there is beside the colours is in the name.
"""

_FIRST = ("deep", "dot", "gray", "halves", "line", "pruned", "rgb", "wide")
_THEN = ("grid", "grid_deep", "grid_dot", "grid_far", "grid_prior", "grid_prior_gray")
_TWINS = {"alpha_lossless": "layers", "alpha_lossy": "layers_cut", "metadata": "layers_base"}
"""Kinds that were made at the same time as others, and have their seeds."""

SEEDS = [*_FIRST, *_THEN]
SEEDS += [name for name in KINDS if name not in SEEDS and name not in _TWINS]
"""The order that seeds are given in; new kinds go behind, so that those of the others stay what they are."""


def seed_of(name: str) -> int:
    """What a kind's random numbers begin with."""
    return SEEDS.index(_TWINS.get(name, name))


_ZEROS = {"pruned": 0.5, "magnitude": 0.8, "empty": 1.0}
"""How many weights of a network alone are pruned."""


def build(name: str) -> bytes:
    """The file of a kind, of random symbols."""
    header, seed = KINDS[name][0], seed_of(name)
    extras = Extras()
    if name == "alpha_lossless":
        extras = Extras(alpha=lossless_alpha(_opacity(header)))
    if name == "alpha_lossy":
        arch = GridArch(0, 3, 5, 3, (5,), (6,), outputs=1)
        extras = Extras(alpha=lossy_alpha(pack(_grids(replace(header, channels=1), arch, "symbols", seed))))
    if name == "metadata":
        texts = (b"no profile, but for a decoder one is as good as another", b"MM\0*\0\0\0\x08", b"<x:xmpmeta/>")
        extras = Extras(metadata=write_metadata(Metadata(*texts)))
    return attach(_colours(name), extras) if extras.sections else _colours(name)


def _opacity(header: Header) -> NDArray[np.uint16]:
    """A disc with a soft edge, all of it a little transparent."""
    y, x = np.mgrid[: header.height, : header.width]
    away = (x - header.width / 2) ** 2 + (y - header.height / 2) ** 2
    opacity: NDArray[np.uint16] = ((9.0 - away / 9).clip(0, 1) * 65000).astype(np.uint16)
    return opacity


def _colours(name: str) -> bytes:
    """The file of the colours of a kind."""
    header, arch, weights = KINDS[name]
    if isinstance(arch, GridArch):
        stream = _grids(header, arch, weights, seed_of(name))
        return pack(cut_at(stream, *map(int, weights.split()[1:])) if weights[:3] == "cut" else stream)
    rng = np.random.default_rng(seed_of(name))
    spread = 900 if "wide" in weights else 6
    values, laws = [], []
    for spec in arch.tensors():
        scales = {"W0": 0.3, "b.hidden": 0.2, f"W{arch.depth}": 0.1, "b.out": 0.4}
        step = step_code(scales.get(spec.name, 0.08) / spread)
        value = np.rint(rng.laplace(0, spread, spec.shape)).clip(-3968, 3968)
        value[rng.random(spec.shape) < _ZEROS.get(weights, 0.3)] = 0
        if weights == "pruned" and spec.name == "b.hidden":
            value[:] = 0
        if "wide" in weights:
            value.flat[0] = -3968
        if spec.name == "b.out":
            value[:] = np.rint(0.5 / step_size(step))  # a gray picture with waves
        values.append(value.astype(np.int32))
        laws.append(fit_law(values[-1], step))
    quantised = Symbols(arch, tuple(laws), tuple(values))
    coder = "brotli" if "brotli" in weights else "arithmetic"
    return pack(Stream(header, arch, quantised.dequantize() if weights == "halves" else quantised, coder=coder))


def _grids(header: Header, arch: GridArch, weights: str, seed: int) -> Stream:
    """Random latents whose scales fall towards the fine grids, the finest but one all zero if there are many.

    Networks draw a picture about gray from them; those on a prior hardly differ from it.
    """
    rng = np.random.default_rng(seed)
    prior = int(weights.removeprefix("prior ")) if weights.startswith("prior") else 0
    values, laws = [], []
    for spec in arch.tensors():
        numbers = _numbers(spec, arch, weights, rng)
        step = step_code(0.01)
        values.append(np.rint(numbers / step_size(step)).astype(np.int32))
        laws.append(fit_law(values[-1], step))
    latents = []
    for grid, shape in enumerate(arch.plane_shapes(header.width, header.height)):
        spread = (12 if prior and arch.planes == arch.grids else 3) * 0.6**grid if grid < arch.grids else 0.7
        plane = np.rint(rng.laplace(0, spread, shape)).clip(-4095, 4095).astype(np.int32)
        if arch.grids > 3 and grid == arch.grids - 2:
            plane[:] = 0
        if weights == "wide":
            plane.flat[grid], plane.flat[-1] = -4095, 4095
        if weights == "empty":
            plane[:] = 0
        elif not plane.any():
            plane.flat[0] = grid < 1
        latents.append(plane)
    return Stream(header, arch, Symbols(arch, tuple(laws), tuple(values), prior), tuple(latents))


def _numbers(spec: TensorSpec, arch: GridArch, weights: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """One tensor of the networks."""
    numbers = rng.normal(0, 0.3 / np.sqrt(spec.shape[-1]), spec.shape)
    numbers *= 0.1 if spec.name in ("U", "V", "R0", "R1") else 0.4 if spec.name == "S.out" else 1.0
    numbers *= 0.05 if spec.name[0] in "TXY" else 1.0
    numbers *= 0.4 if spec.name == "S.out" and isinstance(arch, LayeredArch) else 1.0  # as latents add up
    numbers *= weights != "empty"
    if weights.startswith("prior"):
        numbers *= 0.1 * (rng.random(spec.shape) < 0.1)
    elif spec.name == "S.bias":
        numbers[-arch.outputs :] += 0.5
    elif spec.name == "C.bias" and weights != "empty":
        numbers[:, -1] -= np.arange(arch.grids)
    elif spec.name in ("D.bias", "E.bias", "F.bias"):
        numbers[:, -1] -= 0.5
    return numbers


def describe(data: bytes) -> dict[str, Any]:
    """All that a file says, in plain types."""
    stream = unpack(data)
    weights = stream.weights
    record: dict[str, Any] = {"info": probe(data).as_dict()}
    if stream.latents is not None:
        record["latents"] = [plane.ravel().tolist() for plane in stream.latents]
    if isinstance(weights, Symbols):
        record["laws"] = [_integers(law) for law in weights.laws]
        record["symbols"] = [value.ravel().tolist() for value in weights.values]
    else:
        record["weights"] = [weights[spec.name].ravel().tolist() for spec in stream.arch.tensors()]
    if stream.end is not None:
        record["end"] = stream.end
    plain: dict[str, Any] = json.loads(json.dumps(record))
    return plain


def _integers(law: Law) -> list[int]:
    return [law.step, law.reach, law.zero, law.decay, law.bend]


def main() -> None:
    """Write all files that are not there."""
    for name in KINDS:
        if (HERE / f"{name}.inr").exists():
            continue
        data = build(name)
        if len(data) >= 2000:
            raise ValueError(f"{name} takes {len(data)} bytes")
        (HERE / f"{name}.inr").write_bytes(data)
        (HERE / f"{name}.json").write_text(json.dumps(describe(data)) + "\n")
        np.save(HERE / f"{name}.npy", decode_pixels(data).samples)


if __name__ == "__main__":
    main()
