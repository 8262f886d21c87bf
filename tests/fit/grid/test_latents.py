from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

import inrcodec
from inrcodec.fit.engine import fused
from inrcodec.fit.grid.latents import relax
from inrcodec.fit.softround import noisy_soft_round

_SOURCES = Path(inrcodec.__file__).parent / "fit" / "engine"
for _index in _SOURCES.glob("__pycache__/latent_kernel.*.nbi"):
    # Numba compiles again when a kernel's file changes, not when what it imports does.
    if _index.stat().st_mtime < max(source.stat().st_mtime for source in _SOURCES.glob("*.py")):
        _index.unlink()

COUNTS = (1, 15, 1000, 200_000)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = fused.threads()
    yield
    fused.take_threads(before)


def _random(count: int, tensors: int, seed: int = 0) -> list[Tensor]:
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(count, generator=random) for _ in range(tensors)]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("temperature", [0.08, 0.2, 0.35, 1.0, 50.0])
@pytest.mark.parametrize(("gain", "sigma"), [(1.0, 0.2), (4.0, 0.05), (0.5, 0.0), (100.0, 0.3)])
def test_soft_values_and_slopes_are_those_of_softround(
    count: int, temperature: float, gain: float, sigma: float
) -> None:
    latents, noise = _random(count, 2)
    soft, slope = relax(latents, gain, temperature, sigma, noise)
    exact = latents.requires_grad_() * gain  # in float32: near a stair the last bit of this decides
    values = noisy_soft_round(exact.double(), temperature, sigma * noise.double())
    (slopes,) = torch.autograd.grad(values.sum(), latents)
    torch.testing.assert_close(soft.double(), values.detach(), rtol=1e-5, atol=1e-5)
    assert float((slope - slopes).norm() / slopes.norm().clamp(min=gain)) < 1e-4


def test_integers_and_halves_stay() -> None:
    latents = torch.tensor([-2.0, -1.0, 0.0, 3.0, 0.5, -1.5, 200.0])
    soft, _ = relax(latents, 1.0, 0.3, 0.0, torch.zeros(7))
    torch.testing.assert_close(soft, latents, rtol=0.0, atol=1e-6)


def test_results_are_the_same_bits_for_any_number_of_threads() -> None:
    latents, noise = _random(200_001, 2)
    results = []
    for count in (1, 2, 3):
        fused.take_threads(count)
        results.append(relax(latents, 2.0, 0.3, 0.1, noise))
    for others in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], others, strict=True))


def test_a_number_that_is_none_stays() -> None:
    latents, noise = torch.full((3,), torch.nan), torch.zeros(3)
    assert all(value.isnan().all() for value in relax(latents, 1.0, 0.3, 0.1, noise))


def test_what_does_not_fit_is_refused() -> None:
    latents, noise = _random(10, 2)
    with pytest.raises(TypeError, match="float32"):
        relax(latents, 1.0, 0.3, 0.1, noise.double())
    with pytest.raises(ValueError, match="one after the other"):
        relax(latents, 1.0, 0.3, 0.1, noise[1:])
    with pytest.raises(ValueError, match="one after the other"):
        relax(latents[::2], 1.0, 0.3, 0.1, noise[::2])
