"""What the decoder makes of files here: ``python probe.py FOLDER FILE...``, in the environment that is to be judged.

``FOLDER/NAME.npy`` gets the pixels, ``FOLDER/NAME.large.npy`` those of a drawing large enough to count samples that
differ, ``FOLDER/probe.json`` the digests of all symbols and what did the sums. Needs no more than the decoder itself;
where ``threadpoolctl`` is there, BLAS is asked for its kernel and threads.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

from inrcodec.coding.symbols import Symbols
from inrcodec.decoder import View, decode_pixels
from inrcodec.format.stream import unpack
from inrcodec.net.grid import GridArch

LARGE = 100_000
"""Samples of a drawing in which one in ten thousand can be counted."""


def digest(data: bytes) -> str:
    """SHA-256 of all integers of a file: weights (or their 16-bit floats) in the order of the format, then latents."""
    stream = unpack(data)
    numbers = hashlib.sha256()
    if isinstance(stream.weights, Symbols):
        for value in stream.weights.values:
            numbers.update(value.astype("<i4").tobytes())
    else:
        for spec in stream.arch.tensors():
            numbers.update(stream.weights[spec.name].astype("<f4").tobytes())
    for plane in stream.latents or ():
        numbers.update(plane.astype("<i4").tobytes())
    return numbers.hexdigest()


def kind(data: bytes) -> str:
    """``grids`` or ``network``: what draws it."""
    return "grids" if isinstance(unpack(data).arch, GridArch) else "network"


def vectors() -> str:
    """The widest instructions that NumPy's own loops use."""
    core: Any = importlib.import_module("numpy._core" if hasattr(np, "_core") else "numpy.core")._multiarray_umath
    used = {name for name in core.__cpu_dispatch__ + core.__cpu_baseline__ if core.__cpu_features__.get(name)}
    for name, marks in (("AVX-512", ("X86_V4", "AVX512_SKX", "AVX512F")), ("AVX2", ("X86_V3", "AVX2"))):
        if used & set(marks):
            return name
    return "SSE" if used & {"X86_V2", "SSE42", "SSE2"} else platform.machine()


def blas() -> str:
    """The kernel and the threads of the linear algebra."""
    if importlib.util.find_spec("threadpoolctl") is None:
        return "?"
    np.ones((2, 2)) @ np.ones((2, 2))
    found: Any = importlib.import_module("threadpoolctl").threadpool_info()
    pools = [pool for pool in found if pool["user_api"] == "blas"]
    return ", ".join(f"{pool.get('architecture', '?')} x{pool['num_threads']}" for pool in pools) or "?"


def surroundings() -> dict[str, str]:
    """What did the sums."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "constriction": importlib.metadata.version("constriction"),
        "vectors": vectors(),
        "blas": blas(),
        "torch": "there" if "torch" in sys.modules else "",
    }


def main() -> None:
    folder = Path(sys.argv[1])
    digests, kinds = {}, {}
    for path in map(Path, sys.argv[2:]):
        data = path.read_bytes()
        digests[path.stem], kinds[path.stem] = digest(data), kind(data)
        pixels = decode_pixels(data).array
        np.save(folder / f"{path.stem}.npy", pixels)
        larger = View(scale=max(1, round((LARGE / pixels.size) ** 0.5)))
        np.save(folder / f"{path.stem}.large.npy", decode_pixels(data, larger).array)
    report = {"here": surroundings(), "digests": digests, "kinds": kinds}
    (folder / "probe.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
