"""Write the golden files. Run on purpose only, when the format changes: python tests/golden/make.py

Each ``name.inr`` must decode for ever to the symbols of ``name.json`` and to the pixels of ``name.npy``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from inrcodec.coding.estimate import fit_law  # noqa: E402
from inrcodec.coding.law import Law, step_code, step_size  # noqa: E402
from inrcodec.coding.symbols import Symbols  # noqa: E402
from inrcodec.decoder import decode_pixels, probe  # noqa: E402
from inrcodec.format.container import Header  # noqa: E402
from inrcodec.format.stream import Stream, pack, unpack  # noqa: E402
from inrcodec.net.arch import Arch  # noqa: E402

KINDS: dict[str, tuple[Header, Arch, str]] = {
    "rgb": (Header(40, 25), Arch((14, 14, 9)), "symbols"),
    "gray": (Header(25, 40, 1), Arch((16, 16), 1, 20, 10), "symbols"),
    "deep": (Header(17, 12, 3, 16), Arch((12, 12)), "symbols"),
    "dot": (Header(1, 1), Arch((1,), 3, 255, 1), "symbols"),
    "line": (Header(300, 1, 1, 16), Arch((12,), 1), "symbols"),
    "halves": (Header(24, 16), Arch((9, 8)), "halves"),
    "pruned": (Header(24, 16), Arch((15, 15, 15)), "pruned"),
    "wide": (Header(16, 16), Arch((6, 6)), "wide"),
}
"""Picture, network and kind of weights: ``pruned`` has a tensor of zeros, ``wide`` symbols of the largest magnitude."""


def build(name: str) -> bytes:
    """The file of a kind, of random symbols."""
    header, arch, weights = KINDS[name]
    rng = np.random.default_rng(sorted(KINDS).index(name))
    spread = 900 if weights == "wide" else 6
    values, laws = [], []
    for spec in arch.tensors():
        scales = {"W0": 0.3, "b.hidden": 0.2, f"W{arch.depth}": 0.1, "b.out": 0.4}
        step = step_code(scales.get(spec.name, 0.08) / spread)
        value = np.rint(rng.laplace(0, spread, spec.shape)).clip(-3968, 3968)
        value[rng.random(spec.shape) < (0.5 if weights == "pruned" else 0.3)] = 0
        if weights == "pruned" and spec.name == "b.hidden":
            value[:] = 0
        if weights == "wide":
            value.flat[0] = -3968
        if spec.name == "b.out":
            value[:] = np.rint(0.5 / step_size(step))  # a gray picture with waves
        values.append(value.astype(np.int32))
        laws.append(fit_law(values[-1], step))
    quantised = Symbols(arch, tuple(laws), tuple(values))
    return pack(Stream(header, arch, quantised.dequantize() if weights == "halves" else quantised))


def describe(data: bytes) -> dict[str, Any]:
    """All that a file says, in plain types."""
    weights = unpack(data).weights
    record: dict[str, Any] = {"info": probe(data).as_dict()}
    if isinstance(weights, Symbols):
        record["laws"] = [_integers(law) for law in weights.laws]
        record["symbols"] = [value.ravel().tolist() for value in weights.values]
    else:
        record["weights"] = [weights[spec.name].ravel().tolist() for spec in unpack(data).arch.tensors()]
    plain: dict[str, Any] = json.loads(json.dumps(record))
    return plain


def _integers(law: Law) -> list[int]:
    return [law.step, law.reach, law.zero, law.decay, law.bend]


def main() -> None:
    """Write all files."""
    for name in KINDS:
        data = build(name)
        if len(data) >= 1000:
            raise ValueError(f"{name} takes {len(data)} bytes")
        (HERE / f"{name}.inr").write_bytes(data)
        (HERE / f"{name}.json").write_text(json.dumps(describe(data)) + "\n")
        np.save(HERE / f"{name}.npy", decode_pixels(data).array)


if __name__ == "__main__":
    main()
