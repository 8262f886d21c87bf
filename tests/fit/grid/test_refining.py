"""The rate of refinements by the kernels, against the reference in float64 and the laws of the file."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from inrcodec.coding.wavefront import grid_cost
from inrcodec.fit.engine.context_plan import context_plan
from inrcodec.fit.grid import plain, reference
from inrcodec.fit.grid.context import refining_bits, refining_laws
from inrcodec.net.context import ContextModel
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch

SIZES = ((1, 1), (7, 9), (37, 53), (101, 67), (500, 90))


def _random(arch: LayeredArch, size: tuple[int, int], seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Flat weights, what a layer comes to and what the one below does, in the same steps."""
    random = torch.Generator().manual_seed(seed)
    tensors = [torch.randn(s.size, generator=random) / math.sqrt(s.shape[-1]) for s in arch.tensors()]
    count = arch.latents(*size)
    return torch.cat(tensors), torch.randn(count, generator=random), 3 * torch.randn(count, generator=random)


def _graded(bits: Tensor, *inputs: Tensor) -> list[Tensor]:
    return [bits.detach(), *torch.autograd.grad(bits, inputs, materialize_grads=True)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize(
    "base",
    [
        GridArch(0, 4, 14, 11, (24, 24)),
        GridArch(1, 3, 3, 1, ()),
        GridArch(0, 0, 1, 0, (5,)),
        GridArch(0, 2, 12, 0, (4, 3, 2)),
    ],
)
def test_refinements_agree_with_float64(base: GridArch, layer: int, size: tuple[int, int]) -> None:
    arch = LayeredArch.over(base, 2)
    exact = [values.double().requires_grad_() for values in _random(arch, size)]
    found = [values.requires_grad_() for values in _random(arch, size)]
    ours = _graded(refining_bits(arch, layer, *size, *found), *found)
    theirs = _graded(plain.refining_bits(arch, layer, *size, *exact), *exact)
    for a, b in zip(ours, theirs, strict=True):
        assert float((a - b).norm()) <= 1e-4 * float(b.norm().clamp(min=1e-9))


def test_a_layer_has_a_context_model_of_its_own() -> None:
    arch, size = LayeredArch.over(GridArch(0, 2, context=(6,)), 3), (40, 30)
    flat, latents, below = _random(arch, size)
    flat.requires_grad_()
    specs = {spec.name: spec for spec in arch.tensors()}
    for layer in (1, 2, 3):
        gradient = torch.autograd.grad(refining_bits(arch, layer, *size, flat, latents, below), flat)[0]
        tensors = plain.tensors_of(arch, gradient)
        assert all(bool(tensors[name].any()) == (name[0] == "CDEF"[layer]) for name in specs)


def test_the_files_laws_say_the_same() -> None:
    arch, size = LayeredArch.over(GridArch(0, 3, 14, 11, (8, 8)), 2), (60, 44)
    flat = 0.1 * _random(arch, size)[0]
    for letter in "DE":  # a file's laws have a floor under what they say is next to impossible
        plain.tensors_of(arch, flat)[f"{letter}.bias"][:, -1] += 2
    exact = {name: values.double().numpy() for name, values in plain.tensors_of(arch, flat).items()}
    rng = np.random.default_rng(0)
    planes = [np.rint(rng.laplace(0, 1, shape)).astype(np.int32) for shape in arch.plane_shapes(*size)]
    model, grids = ContextModel(arch, exact), arch.grids

    def layer(k: int) -> Tensor:
        own = [plane.ravel() for plane in planes[k * grids : (k + 1) * grids]]
        return torch.from_numpy(np.concatenate(own)).float()

    sums = layer(0)
    for k in (1, 2):
        ideal = sum(grid_cost(model, planes[: k * grids + g], planes[k * grids + g]) for g in range(grids))
        below, sums = sums * arch.ratio, sums * arch.ratio + layer(k)
        assert float(refining_bits(arch, k, *size, flat, sums, below)) == pytest.approx(ideal, rel=2e-3)


def test_the_base_does_not_know_of_layers() -> None:
    base = GridArch(0, 3)
    arch = LayeredArch.over(base, 2)
    flat, latents, _ = _random(arch, (50, 40))
    alone = plain.latent_bits(base, 50, 40, flat[: base.params], latents)
    assert torch.equal(plain.latent_bits(arch, 50, 40, flat, latents), alone)
    assert context_plan(arch, 50, 40).total == arch.params


@pytest.mark.parametrize("size", SIZES[1:])
def test_laws_are_those_that_bits_are_counted_by(size: tuple[int, int]) -> None:
    arch = LayeredArch.over(GridArch(0, 3, 14, 11, (8, 8)), 2)
    flat, latents, below = _random(arch, size)
    latents, below = latents.round(), below.round()
    for layer in (1, 2):
        ours = refining_laws(arch, layer, *size, flat, latents, below)
        for found, expected in zip(ours, plain.refining_laws(arch, layer, *size, flat, latents, below), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
        bits = reference.laplace_bits(latents, *(torch.from_numpy(law) for law in ours)).sum()
        assert float(bits) == pytest.approx(float(refining_bits(arch, layer, *size, flat, latents, below)), rel=1e-4)
