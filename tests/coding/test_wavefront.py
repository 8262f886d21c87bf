from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inrcodec.coding import wavefront
from inrcodec.coding.rangecoder import Reader, Writer
from inrcodec.coding.symbols import Symbols
from inrcodec.coding.wavefront import grid_laws, latent_cost, read_latents, write_latents
from inrcodec.errors import BitstreamError
from inrcodec.fit.grid import reference
from inrcodec.format.stream import Stream
from inrcodec.net.context import MAX_LATENT, ContextModel
from inrcodec.net.grid import GridArch

MakeStream = Callable[..., Stream]

ARCHES = st.builds(
    GridArch,
    finest=st.integers(0, 1),
    coarsest=st.integers(1, 5),
    neighbours=st.integers(1, 14),
    parents=st.integers(0, 11),
    context=st.lists(st.integers(1, 9), max_size=3).map(tuple),
)
SIDES = st.sampled_from([1, 2, 3, 5, 8, 17, 33, 70])


def _coded(model: ContextModel, latents: list[NDArray[np.int32]]) -> bytes:
    writer = Writer()
    for grid, plane in enumerate(latents):
        write_latents(writer, model, latents[:grid], plane)
    return writer.finish()


@given(ARCHES, SIDES, SIDES, st.sampled_from([0.3, 3.0, 60.0, 2000.0]), st.integers(0, 99))
@settings(max_examples=60)
def test_grids_come_back(
    make_grid_stream: MakeStream, arch: GridArch, width: int, height: int, spread: float, seed: int
) -> None:
    stream = make_grid_stream(arch, width=width, height=height, spread=spread, seed=seed)
    assert isinstance(stream.weights, Symbols)
    assert stream.latents is not None
    model, latents = ContextModel(arch, stream.weights.exact()), list(stream.latents)
    reader = Reader(_coded(model, latents), strict=True)
    found: list[NDArray[np.int32]] = []
    for plane in latents:
        found.append(read_latents(reader, model, found, plane.shape))
        assert np.array_equal(found[-1], plane)
    reader.finish()


@given(st.integers(0, 99))
@settings(max_examples=10)
def test_strips_do_not_show(make_grid_stream: MakeStream, seed: int) -> None:
    stream = make_grid_stream(GridArch(coarsest=2), width=40, height=30, seed=seed)
    assert isinstance(stream.weights, Symbols)
    latents = list(stream.latents or ())
    model = ContextModel(GridArch(coarsest=2), stream.weights.exact())
    payload, laws = _coded(model, latents), grid_laws(model, latents[:2], latents[2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wavefront, "STRIP", 97)
        assert _coded(model, latents) == payload
        assert all(map(np.array_equal, grid_laws(model, latents[:2], latents[2]), laws))


class _Sampler:
    """Draws from whatever laws it is asked about."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def rows(self, probabilities: NDArray[np.float64]) -> NDArray[np.int32]:
        sums = np.cumsum(probabilities, 1)
        drawn: NDArray[np.int32] = (sums < self.rng.random((len(sums), 1)) * sums[:, -1:]).sum(1).astype(np.int32)
        return drawn


@pytest.mark.parametrize("spread", [0.2, 0.5, 2.0, 30.0])
def test_latents_of_the_laws_cost_what_the_float_laws_say(make_grid_stream: MakeStream, spread: float) -> None:
    arch = GridArch(coarsest=4)
    stream = make_grid_stream(arch, width=120, height=90, spread=spread * 4)
    assert isinstance(stream.weights, Symbols)
    tensors = stream.weights.exact()
    tensors["C.out"][:] *= 0.3  # as drawn at random, it would run away
    model, latents = ContextModel(arch, tensors), list[NDArray[np.int32]]()
    for shape in arch.shapes(120, 90):
        latents.append(read_latents(_Sampler(3), model, latents, shape))  # type: ignore[arg-type]
    ideal = sum(latent_cost(arch, tensors, latents))
    floats = {name: torch.tensor(tensor) for name, tensor in tensors.items()}
    planes = [torch.tensor(plane.astype(np.float64)) for plane in latents]
    assert ideal == pytest.approx(float(reference.latent_bits(arch, floats, planes)), rel=2e-3)
    assert 8 * len(_coded(model, latents)) == pytest.approx(ideal, rel=1e-3, abs=16)
    assert ideal > 200


def test_the_cost_takes_symbols_or_floats(make_grid_stream: MakeStream) -> None:
    arch = GridArch(coarsest=3)
    stream = make_grid_stream(arch, width=30, height=20)
    assert isinstance(stream.weights, Symbols)
    assert stream.latents is not None
    costs = latent_cost(arch, stream.weights, stream.latents)
    assert costs == latent_cost(arch, stream.weights.exact(), stream.latents)
    assert len(costs) == arch.grids
    assert all(cost > 0 for cost in costs)


def test_a_grid_of_zeros_costs_nothing(make_grid_stream: MakeStream) -> None:
    arch = GridArch(coarsest=3)
    stream = make_grid_stream(arch, width=30, height=20)
    assert stream.latents is not None
    latents = [*stream.latents[:-1], np.zeros_like(stream.latents[-1])]
    assert isinstance(stream.weights, Symbols)
    assert latent_cost(arch, stream.weights, latents)[-1] == 0


def test_latents_over_the_bound_are_refused(make_grid_stream: MakeStream) -> None:
    arch = GridArch(0, 0, 1, 0, ())
    tensors = {spec.name: np.zeros(spec.shape) for spec in arch.tensors()}
    tensors["C.bias"][0] = MAX_LATENT, 0
    model = ContextModel(arch, tensors)
    with pytest.raises(BitstreamError, match="over 4095"):
        read_latents(Reader(_coded(model, [np.array([[MAX_LATENT + 1]], np.int32)])), model, [], (1, 1))


SCRIPT = """
import sys
import numpy as np
from inrcodec.format.stream import unpack
stream = unpack(open(sys.argv[1], "rb").read())
import hashlib
print(hashlib.sha256(b"".join(plane.astype(">i4").tobytes() for plane in stream.latents)).hexdigest())
"""


def test_threads_of_the_blas_change_nothing(make_grid_stream: MakeStream, tmp_path: object) -> None:
    from pathlib import Path

    from inrcodec.format.stream import pack

    assert isinstance(tmp_path, Path)
    arch = GridArch(coarsest=3, context=(64, 64))
    path = tmp_path / "grid.inr"
    path.write_bytes(pack(make_grid_stream(arch, width=300, height=200)))
    printed = set()
    for threads in ("1", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, threads)}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(path)], env=environment, capture_output=True, text=True, check=True
        )
        printed.add(done.stdout)
    assert len(printed) == 1
