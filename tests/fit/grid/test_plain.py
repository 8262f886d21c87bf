"""The engine of plain torch on several pictures at once, against itself on each of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from inrcodec.fit.grid import plain
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch

PICTURES = 3
ARCHS = (
    GridArch(0, 3, 5, 6, (6, 4), (7, 5), residuals=1),
    GridArch(0, 4, 14, 11, (), (), residuals=2, outputs=1),
    GridArch(1, 2, 1, 0, (3,), (4,), activation="gelu", residuals=0),
    GridArch(0, 3, 2, 1, (3,), (4,), residuals=1, filtered=True),
)
SIZES = ((21, 14), (1, 1), (2, 9))


def _random(arch: GridArch, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, latents and samples of all pictures, in float64."""
    random = torch.Generator().manual_seed(0)
    width, height = size
    shapes = (arch.params,), (arch.latents(width, height),), (arch.outputs, height, width)
    flat, latents, target = (torch.randn(PICTURES, *shape, generator=random, dtype=torch.float64) for shape in shapes)
    return 0.4 * flat, 2 * latents, target


def _assert_each_as_alone(figure: Callable[..., Tensor], *inputs: Tensor) -> None:
    """Values and gradients of a function of several pictures are those of each picture."""
    together = [values.clone().requires_grad_() for values in inputs]
    found = figure(*together)
    gradients = torch.autograd.grad(found.sum(), together, materialize_grads=True, allow_unused=True)
    assert len(found) == PICTURES
    for k in range(PICTURES):
        alone = [values[k].clone().requires_grad_() for values in inputs]
        expected = figure(*alone)
        assert torch.allclose(found[k], expected, rtol=1e-12)
        slopes = torch.autograd.grad(expected.sum(), alone, materialize_grads=True, allow_unused=True)
        for ours, theirs in zip(gradients, slopes, strict=True):
            assert torch.allclose(ours[k], theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("arch", ARCHS, ids=str)
def test_every_picture_has_the_figures_it_has_alone(arch: GridArch, size: tuple[int, int]) -> None:
    flat, latents, target = _random(arch, size)
    _assert_each_as_alone(lambda f, y: plain.latent_bits(arch, *size, f, y), flat, latents)
    _assert_each_as_alone(lambda f, y, t: plain.mse(arch, f, y, t), flat, latents, target)
    _assert_each_as_alone(lambda f, y: plain.picture(arch, f, y, *size), flat, latents)


@pytest.mark.parametrize("size", SIZES)
def test_refinements_of_several_pictures_too(size: tuple[int, int]) -> None:
    arch = LayeredArch.over(ARCHS[0], 2)
    flat, latents, _ = _random(arch, size)
    _assert_each_as_alone(lambda f, y, z: plain.refining_bits(arch, 1, *size, f, y, z), flat, latents, latents.flip(-1))


def test_laws_are_each_picture_s_own() -> None:
    arch, size = ARCHS[0], SIZES[0]
    flat, latents, _ = _random(arch, size)
    together = plain.laws(arch, *size, flat, latents)
    for k in range(PICTURES):
        for ours, theirs in zip(together, plain.laws(arch, *size, flat[k], latents[k]), strict=True):
            assert np.allclose(ours[k], theirs, rtol=1e-12)
