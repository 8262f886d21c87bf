from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor

import inrcodec
from inrcodec.fit.engine import fused, laplace
from inrcodec.fit.engine.context_plan import TILE, context_plan
from inrcodec.fit.engine.micro import PANEL
from inrcodec.fit.grid import reference
from inrcodec.fit.grid.context import grid_bits, grid_laws, latent_bits
from inrcodec.net.grid import CAUSAL, PARENTS, GridArch

_SOURCES = Path(inrcodec.__file__).parent / "fit" / "engine"
for _index in _SOURCES.glob("__pycache__/context_kernel.*.nbi"):
    # Numba compiles again when a kernel's file changes, not when what it imports does.
    if _index.stat().st_mtime < max(source.stat().st_mtime for source in _SOURCES.glob("*.py")):
        _index.unlink()

OCTAVES = ((0, 0), (0, 3), (0, 6), (1, 1), (1, 4), (1, 6))
CONTEXTS: tuple[tuple[int, ...], ...] = ((), (16,), (16, 16), (24, 8, 5), (1, 1, 1, 1))
SIZES = ((1, 1), (1, 29), (150, 1), (7, 9), (37, 53), (101, 67))
SEEN = ((1, 0), (3, 1), (12, 6), (14, 11), (6, 10))


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = fused.threads()
    yield
    fused.take_threads(before)


def _random(
    arch: GridArch, width: int, height: int, spread: float = 2.0, weight: float = 1.0, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Flat weights and latents."""
    random = torch.Generator().manual_seed(seed)
    tensors = [torch.randn(s.size, generator=random) * weight / math.sqrt(s.shape[-1]) for s in arch.tensors()]
    return torch.cat(tensors), torch.randn(arch.latents(width, height), generator=random) * spread


def _parts(
    arch: GridArch, width: int, height: int, flat: Tensor, latents: Tensor
) -> tuple[dict[str, Tensor], list[Tensor]]:
    specs, shapes = arch.tensors(), arch.shapes(width, height)
    weights = flat.split([spec.size for spec in specs])
    planes = latents.split([rows * columns for rows, columns in shapes])
    tensors = {spec.name: values.view(spec.shape) for spec, values in zip(specs, weights, strict=True)}
    return tensors, [plane.view(shape) for plane, shape in zip(planes, shapes, strict=True)]


def _expected(arch: GridArch, width: int, height: int, flat: Tensor, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bits and gradients of weights and latents by the reference in float64."""
    flat, latents = flat.double().requires_grad_(), latents.double().requires_grad_()
    bits = reference.latent_bits(arch, *_parts(arch, width, height, flat, latents))
    weights, pull = torch.autograd.grad(bits, (flat, latents), materialize_grads=True)
    return bits.detach(), weights, pull


def _found(arch: GridArch, width: int, height: int, flat: Tensor, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    flat, latents = flat.clone().requires_grad_(), latents.clone().requires_grad_()
    bits = latent_bits(arch, width, height, flat, latents)
    weights, pull = torch.autograd.grad(bits, (flat, latents))
    return bits.detach(), weights, pull


def _distances(arch: GridArch, width: int, height: int, flat: Tensor, latents: Tensor) -> list[float]:
    """Norms of what differs from the reference as shares of its own."""
    found, expected = (f(arch, width, height, flat, latents) for f in (_found, _expected))
    return [float((a - b).norm() / b.norm().clamp(min=1e-30)) for a, b in zip(found, expected, strict=True)]


def _assert_close(arch: GridArch, width: int, height: int, flat: Tensor, latents: Tensor) -> None:
    value, *gradients = _distances(arch, width, height, flat, latents)
    assert value < 1e-5
    assert max(gradients) < 1e-4


@pytest.mark.parametrize("octaves", OCTAVES)
@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("size", SIZES)
def test_grids_networks_and_sizes_agree_with_float64(
    octaves: tuple[int, int], context: tuple[int, ...], size: tuple[int, int]
) -> None:
    arch = GridArch(*octaves, context=context)
    _assert_close(arch, *size, *_random(arch, *size))


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("size", SIZES)
def test_neighbours_and_parents_agree_with_float64(
    seen: tuple[int, int], context: tuple[int, ...], size: tuple[int, int]
) -> None:
    arch = GridArch(0, 5, *seen, context=context)
    _assert_close(arch, *size, *_random(arch, *size, seed=1))


@pytest.mark.parametrize("neighbours", range(1, len(CAUSAL) + 1))
def test_every_neighbour_is_seen(neighbours: int) -> None:
    arch = GridArch(0, 2, neighbours, 2)
    _assert_close(arch, 21, 18, *_random(arch, 21, 18))


@pytest.mark.parametrize("parents", range(len(PARENTS) + 1))
def test_every_parent_is_seen(parents: int) -> None:
    arch = GridArch(0, 4, 2, parents)
    _assert_close(arch, 43, 27, *_random(arch, 43, 27))


@pytest.mark.parametrize("size", [(500, 90), (90, 500), (3, 20000), (20000, 9)])
def test_several_slots_agree_with_float64(size: tuple[int, int]) -> None:
    arch = GridArch(0, 5, 14, 11)
    assert len(context_plan(arch, *size).slots) > arch.grids
    _assert_close(arch, *size, *_random(arch, *size))


def test_a_large_picture_agrees_with_float64() -> None:
    """Among a million latents some are within float32's rounding of a kink, so this network has none."""
    arch = GridArch(0, 5, 14, 11, ())
    _assert_close(arch, 1500, 700, *_random(arch, 1500, 700, spread=0.5, weight=0.5))


@pytest.mark.parametrize("spread", [0.0, 1e-3, 0.3, 20.0, 200.0])
@pytest.mark.parametrize("weight", [1e-3, 0.1, 3.0])
def test_magnitudes_agree_with_float64(spread: float, weight: float) -> None:
    arch = GridArch(0, 3)
    flat, latents = _random(arch, 61, 40, spread, weight)
    _assert_close(arch, 61, 40, flat, latents)
    _assert_close(arch, 61, 40, flat, latents.round())


def _constant(arch: GridArch, position: float, log_scale: float) -> Tensor:
    """Weights whose laws are the same everywhere."""
    flat = torch.zeros(arch.params)
    at = context_plan(arch, 8, 8).b_at[:, -1]
    flat[at], flat[at + 1] = position, log_scale
    return flat


@pytest.mark.parametrize("log_scale", [-9.0, -5.0, -4.99, -2.0, 0.0, 3.0, 5.99, 6.0, 9.0])
@pytest.mark.parametrize("position", [0.0, 0.3, -0.5, 40.0])
def test_laws_of_any_scale_agree_with_float64(position: float, log_scale: float) -> None:
    arch = GridArch(0, 0, 1, 0, ())
    latents = torch.cat([torch.linspace(-2, 2, 401), torch.linspace(-200, 200, 99)])
    _assert_close(arch, 100, 5, _constant(arch, position, log_scale), latents)


def test_bits_of_what_is_almost_certain_are_exact() -> None:
    arch = GridArch(0, 0, 1, 0, ())
    flat, latents = _constant(arch, 0.0, -2.0), torch.full((64,), 0.01)
    assert _distances(arch, 8, 8, flat, latents)[0] < 1e-5


def test_both_bounds_of_the_scale_stop_gradients() -> None:
    arch = GridArch(0, 2)
    flat, latents = _random(arch, 50, 40, 30.0)
    _, scales = grid_laws(arch, 50, 40, flat, latents)
    assert {-5.0, 6.0} < set(scales.tolist())
    _assert_close(arch, 50, 40, flat, latents)
    assert (float(laplace.LOWEST), float(laplace.HIGHEST)) == (reference.LOWEST, reference.HIGHEST)


@pytest.mark.parametrize("size", [(1, 1), (37, 53), (300, 200)])
def test_bits_of_grids_and_laws_are_those_of_the_reference(size: tuple[int, int]) -> None:
    arch = GridArch(0, 4, 9, 8)
    flat, latents = _random(arch, *size)
    tensors, planes = _parts(arch, *size, flat.double(), latents.double())
    laws = [reference.laws(arch, tensors, planes, grid) for grid in range(arch.grids)]
    bits = [float(reference.laplace_bits(plane, *law).sum()) for plane, law in zip(planes, laws, strict=True)]
    assert grid_bits(arch, *size, flat, latents) == pytest.approx(bits, rel=1e-5)
    for ours, theirs in zip(grid_laws(arch, *size, flat, latents), zip(*laws, strict=True), strict=True):
        torch.testing.assert_close(
            torch.from_numpy(ours).double(), torch.cat([t.flatten() for t in theirs]), rtol=1e-5, atol=1e-5
        )


def test_results_are_the_same_bits_for_any_number_of_threads_and_every_time() -> None:
    arch = GridArch(0, 4)
    flat, latents = _random(arch, 300, 200)
    results = []
    for count in (1, 2, 3, 2):
        fused.take_threads(count)
        results.append([*_found(arch, 300, 200, flat, latents), torch.tensor(grid_bits(arch, 300, 200, flat, latents))])
    for ours, others in itertools.product(results[:1], results[1:]):
        assert all(torch.equal(a, b) for a, b in zip(ours, others, strict=True))


def test_two_python_threads_may_call_at_once() -> None:
    fused.take_threads(2)
    arch = GridArch(0, 3)
    cases = [_random(arch, 120 + k, 90, seed=k) for k in range(2)]
    alone = [_found(arch, 120 + k, 90, *case) for k, case in enumerate(cases)]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            jobs = [pool.submit(_found, arch, 120 + k, 90, *case) for k, case in enumerate(cases)]
            for job, expected in zip(jobs, alone, strict=True):
                assert all(torch.equal(a, b) for a, b in zip(job.result(), expected, strict=True))


@pytest.mark.parametrize("wanted", [(True, False), (False, True), (True, True), (False, False)])
def test_only_gradients_that_are_wanted_are_there_and_they_are_the_same(wanted: tuple[bool, bool]) -> None:
    arch = GridArch(0, 3)
    flat, latents = _random(arch, 70, 50)
    bits, *gradients = _found(arch, 70, 50, flat, latents)
    leaves = [value.clone().requires_grad_(want) for value, want in zip((flat, latents), wanted, strict=True)]
    found = latent_bits(arch, 70, 50, *leaves)
    torch.testing.assert_close(found.detach(), bits, rtol=1e-6, atol=0.0)
    assert found.requires_grad == any(wanted)
    if any(wanted):
        (found * 3).backward()
    for leaf, want, expected in zip(leaves, wanted, gradients, strict=True):
        assert (leaf.grad is not None) == want
        assert leaf.grad is None or torch.equal(leaf.grad, 3 * expected)


def test_no_gradient_is_looked_for_where_none_can_be_asked_for() -> None:
    arch = GridArch(0, 3)
    flat, latents = (value.requires_grad_() for value in _random(arch, 70, 50))
    with torch.no_grad():
        bits = latent_bits(arch, 70, 50, flat, latents)
    assert not bits.requires_grad
    assert float(bits) == pytest.approx(sum(grid_bits(arch, 70, 50, flat, latents)), rel=1e-6)


@pytest.mark.parametrize("broken", ["flat", "latents"])
def test_a_number_that_is_none_reaches_the_bits(broken: str) -> None:
    arch = GridArch(0, 3)
    flat, latents = _random(arch, 70, 50)
    (flat if broken == "flat" else latents)[3] = math.nan
    assert math.isnan(latent_bits(arch, 70, 50, flat, latents))
    assert all(value.isnan().any() for value in _found(arch, 70, 50, flat, latents))


def test_what_does_not_fit_is_refused() -> None:
    arch = GridArch(0, 3)
    flat, latents = _random(arch, 20, 10)
    with pytest.raises(TypeError, match="float32"):
        latent_bits(arch, 20, 10, flat.double(), latents)
    with pytest.raises(TypeError, match="float32"):
        latent_bits(arch, 20, 10, flat, latents.double())
    with pytest.raises(ValueError, match="weights"):
        latent_bits(arch, 20, 10, flat[:-1], latents)
    with pytest.raises(ValueError, match="latents"):
        latent_bits(arch, 20, 11, flat, latents)


def test_a_tile_is_cut_into_whole_panels() -> None:
    assert TILE % PANEL == 0
