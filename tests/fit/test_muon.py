from __future__ import annotations

import torch

from inrcodec.fit.muon import Muon, orthogonal
from inrcodec.fit.soap import ScaledAdam, blocks_of


def test_orthogonal_brings_singular_values_near_one() -> None:
    generator = torch.Generator().manual_seed(0)
    for shape in ((6, 5), (5, 6), (3, 8, 8), (1, 4), (4, 1)):
        matrices = torch.randn(*shape, generator=generator)
        values = torch.linalg.svdvals(orthogonal(matrices))
        assert (values > 0.5).all()
        assert (values < 1.3).all()


def test_orthogonal_keeps_the_singular_vectors() -> None:
    matrix = torch.randn(7, 7, generator=torch.Generator().manual_seed(1))
    left, _, right = torch.linalg.svd(matrix)
    turned = left.T @ orthogonal(matrix) @ right.T
    assert (turned - torch.diag(turned.diagonal())).abs().max() < 1e-3


def test_biases_get_adam_and_matrices_do_not() -> None:
    generator = torch.Generator().manual_seed(2)
    start, gradient = torch.randn(3 * 4 + 5, generator=generator), torch.randn(3 * 4 + 5, generator=generator)
    ours, adam = start.clone().requires_grad_(), start.clone().requires_grad_()
    scale = torch.ones(len(start))
    for flat, optimizer in (
        (ours, Muon(ours, blocks_of([(3, 4)]), scale, lr=0.1, betas=(0.9, 0.99))),
        (adam, ScaledAdam(adam, scale, lr=0.1, betas=(0.9, 0.99))),
    ):
        flat.grad = gradient.clone()
        optimizer.step()
    assert torch.equal(ours[12:], adam[12:])
    step = (ours[:12] - start[:12]).detach().view(3, 4)
    values = torch.linalg.svdvals(step / (0.1 * 0.2 * 4**0.5))
    assert (values > 0.5).all()
    assert (values < 1.3).all()


def test_muon_descends() -> None:
    target = torch.randn(4, 4, generator=torch.Generator().manual_seed(3))
    flat = torch.zeros(16, requires_grad=True)
    optimizer = Muon(flat, blocks_of([(4, 4)]), torch.ones(16), lr=0.05, betas=(0.9, 0.99))
    losses = []
    for _ in range(200):
        optimizer.zero_grad()
        loss = (flat.view(4, 4) - target).square().sum()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.02 * losses[0]
