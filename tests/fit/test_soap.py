from __future__ import annotations

import io
import itertools
import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_optimizer.optimizer.soap import SOAP
from torch import Tensor

from inrcodec.fit.soap import WIDEST, Block, ScaledAdam, Soap, blocks_of

Shapes = Sequence[tuple[int, int]]

NET = ((8, 2), (8, 8), (8, 8), (3, 8))
"""Matrices of a net; biases of the same outputs follow."""


class Problem:
    """Sums of sines and squares of random matrices and biases that no eigenbasis takes apart."""

    def __init__(self, shapes: Shapes = NET, *, depth: torch.dtype = torch.float64, seed: int = 0) -> None:
        self.shapes = shapes
        generator = torch.Generator().manual_seed(seed)
        self.all_shapes: list[tuple[int, ...]] = [*shapes, *((rows,) for rows, _ in shapes)]
        self.sizes = [math.prod(shape) for shape in self.all_shapes]
        self.start = torch.randn(sum(self.sizes), generator=generator, dtype=depth)
        self.target = torch.randn(sum(self.sizes), generator=generator, dtype=depth)
        self.stretch = torch.rand(sum(self.sizes), generator=generator, dtype=depth) + 0.5

    def flat(self) -> Tensor:
        return self.start.clone().requires_grad_()

    def loss(self, flat: Tensor) -> Tensor:
        difference = (flat - self.target) * self.stretch
        products = [part.view(shape) for part, shape in zip(difference.split(self.sizes), self.all_shapes, strict=True)]
        mixed = torch.stack([(product @ product.mT).square().sum() for product in products if product.ndim == 2]).sum()
        return difference.square().sum() + 0.1 * torch.sin(3 * flat).sum() + 0.01 * mixed


def _run(optimizer: torch.optim.Optimizer, flat: Tensor, problem: Problem, steps: int) -> Tensor:
    for _ in range(steps):
        flat.grad = torch.autograd.grad(problem.loss(flat), flat)[0]
        optimizer.step()
    return flat.detach().clone()


def _soap(problem: Problem, flat: Tensor, lr: float = 0.02) -> Soap:
    return Soap(flat, blocks_of(problem.shapes), torch.ones(len(flat)), lr=lr)


# Blocks


def test_neighbours_of_one_shape_are_one_block() -> None:
    assert blocks_of(NET) == (Block(0, 1, 8, 2), Block(16, 2, 8, 8), Block(144, 1, 3, 8))
    assert blocks_of([(2, 3), (3, 2), (2, 3)]) == (Block(0, 1, 2, 3), Block(6, 1, 3, 2), Block(12, 1, 2, 3))
    assert blocks_of([]) == ()


@pytest.mark.parametrize("wide", [(WIDEST + 1, 2), (2, WIDEST + 1)])
def test_matrices_too_wide_for_an_eigenbasis_are_left_out(wide: tuple[int, int]) -> None:
    rows, columns = wide
    after = 16 + rows * columns
    assert blocks_of([(4, 4), wide, (4, 4), (4, 4)]) == (Block(0, 1, 4, 4), Block(after, 2, 4, 4))
    assert blocks_of([(WIDEST, WIDEST)]) == (Block(0, 1, WIDEST, WIDEST),)


@given(st.lists(st.tuples(st.sampled_from([1, 2, 5, WIDEST + 1]), st.sampled_from([1, 2, WIDEST + 1])), max_size=9))
def test_blocks_are_the_narrow_matrices_in_order(shapes: list[tuple[int, int]]) -> None:
    expected, at = [], 0
    for rows, columns in shapes:
        if max(rows, columns) <= WIDEST:
            expected.append((at, rows, columns))
        at += rows * columns
    blocks = blocks_of(shapes)
    assert expected == [
        (block.start + k * block.rows * block.columns, block.rows, block.columns)
        for block in blocks
        for k in range(block.count)
    ]
    for a, b in itertools.pairwise(blocks):
        assert a.stop < b.start or (a.stop == b.start and (a.rows, a.columns) != (b.rows, b.columns))


def test_a_block_of_a_vector_is_a_view_of_it() -> None:
    flat = torch.arange(20.0)
    block = Block(2, 2, 2, 3)
    assert block.stop == 14
    assert block.of(flat)[1].tolist() == [[8, 9, 10], [11, 12, 13]]
    block.of(flat).zero_()
    assert flat[2:14].abs().sum() == 0
    assert flat[14] == 14


# SOAP


@pytest.fixture
def gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eigenvectors of moments on which a ramp is laid, so that their null spaces have one basis and not any.

    The first gradient of an 8 x 2 matrix leaves six equal eigenvalues, zeros: rounding, which differs by machine and
    between stacked and single products, picks the basis there, and Adam's steps depend on it.
    """
    eigh = torch.linalg.eigh

    def with_gaps(moment: Tensor) -> tuple[Tensor, Tensor]:
        trace = moment.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
        ramp = torch.linspace(0, 1e-4, moment.shape[-1], dtype=moment.dtype).diag()
        values, vectors = eigh(moment + trace * ramp)
        return values, vectors

    monkeypatch.setattr(torch.linalg, "eigh", with_gaps)


@pytest.mark.usefixtures("gaps")
@pytest.mark.parametrize("shapes", [NET, ((5, 1), (1, 5), (4, 1)), ((1, 1), (1, 1), (2, 1)), ((6, 3),) * 3])
def test_steps_are_those_of_the_library(shapes: Shapes, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem(shapes)
    flat = problem.flat()
    parts = [p.view(s).clone() for p, s in zip(problem.start.split(problem.sizes), problem.all_shapes, strict=True)]
    for part in parts:
        part.requires_grad_()
    ours = _soap(problem, flat)
    theirs = SOAP(parts, lr=0.02, weight_decay=0, precondition_frequency=10)
    noise = torch.Generator().manual_seed(3)
    for step in range(46):
        _run(ours, flat, problem, 1)
        joined = torch.cat([part.reshape(-1) for part in parts])
        for part, gradient in zip(parts, torch.autograd.grad(problem.loss(joined), parts), strict=True):
            rounding = 1e-14 * torch.randn(gradient.shape, generator=noise, dtype=gradient.dtype)
            part.grad = gradient * (1 + rounding)  # another machine's: what follows must not hang on it
        with monkeypatch.context() as patch:
            patch.setattr(torch, "float32", torch.float64)  # its QR goes through float32 whatever the weights are
            theirs.step()
        joined = torch.cat([part.detach().reshape(-1) for part in parts])
        assert torch.allclose(flat.detach(), joined, rtol=1e-8, atol=1e-8), step
    assert float((flat.detach() - problem.start).abs().max()) > 0.3


@pytest.mark.usefixtures("gaps")
def test_stacked_matrices_take_the_steps_of_single_ones() -> None:
    problem = Problem(((6, 4),) * 4)
    stacked, single = problem.flat(), problem.flat()
    ones = torch.ones(len(stacked))
    each = [Block(24 * k, 1, 6, 4) for k in range(4)]
    assert blocks_of(problem.shapes) == (Block(0, 4, 6, 4),)
    a = _run(Soap(stacked, blocks_of(problem.shapes), ones, lr=0.02), stacked, problem, 45)
    b = _run(Soap(single, each, ones, lr=0.02), single, problem, 45)
    assert torch.allclose(a, b, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("depth", [torch.float32, torch.float64])
def test_steps_go_down(depth: torch.dtype) -> None:
    problem = Problem(depth=depth)
    flat = problem.flat()
    before = float(problem.loss(flat).detach())
    _run(_soap(problem, flat, lr=0.05), flat, problem, 150)
    assert float(problem.loss(flat).detach()) < 0.1 * before


def test_the_first_step_only_looks() -> None:
    problem = Problem()
    flat = problem.flat()
    optimizer = _soap(problem, flat)
    assert torch.equal(_run(optimizer, flat, problem, 1), problem.start)
    assert (_run(optimizer, flat, problem, 1) != problem.start).all()


def test_eigenbases_stay_orthonormal_and_moments_are_turned_with_them() -> None:
    problem = Problem()
    flat = problem.flat()
    optimizer = _soap(problem, flat)
    _run(optimizer, flat, problem, 35)
    state = optimizer.state[flat]
    for k, block in enumerate(optimizer.blocks):
        for side, size in (("left", block.rows), ("right", block.columns)):
            basis = state[f"{side}_basis"][k]
            eye = torch.eye(size, dtype=torch.float64).expand(block.count, -1, -1)
            assert torch.allclose(basis.mT @ basis, eye, atol=1e-10)
        first = block.of(state["first"])
        before = state["left_basis"][k] @ first @ state["right_basis"][k].mT
        energy = block.of(state["second"]).sum((1, 2))
        old = state["left_basis"][k].clone()
        optimizer._turn(state, k, block)
        after = state["left_basis"][k] @ first @ state["right_basis"][k].mT
        assert torch.allclose(before, after, atol=1e-12)
        assert torch.allclose(energy, block.of(state["second"]).sum((1, 2)))
        assert not torch.equal(old, state["left_basis"][k]) or block.rows == 1


@pytest.mark.parametrize("refresh", [1, 3, 1000])
def test_eigenbases_are_refreshed_as_often_as_asked(refresh: int) -> None:
    problem = Problem()
    flat = problem.flat()
    optimizer = Soap(flat, blocks_of(NET), torch.ones(len(flat)), lr=0.02, refresh=refresh)
    changes = []
    _run(optimizer, flat, problem, 1)
    for _ in range(7):
        before = optimizer.state[flat]["left_basis"][1].clone()
        _run(optimizer, flat, problem, 1)
        changes.append(not torch.equal(before, optimizer.state[flat]["left_basis"][1]))
    assert changes == [step % refresh == 0 for step in range(1, 8)]


def test_what_is_in_no_block_gets_adam() -> None:
    shapes = ((4, 4), (WIDEST + 1, 1))
    problem = Problem(shapes)
    soap, adam = problem.flat(), problem.flat()
    gradients = torch.randn(6, len(soap), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ours = Soap(soap, blocks_of(shapes), torch.ones(len(soap)), lr=0.02)
    plain = torch.optim.Adam([adam], lr=0.02, betas=(0.95, 0.95), eps=1e-12)
    for k, gradient in enumerate(gradients):
        soap.grad = gradient.clone()
        ours.step()
        if k:  # the first one is only looked at
            adam.grad = gradient.clone()
            plain.step()
    assert torch.allclose(soap[16:], adam[16:], rtol=1e-5)
    assert not torch.allclose(soap[:16], adam[:16], rtol=1e-2)


def test_every_weight_has_its_own_learning_rate() -> None:
    problem = Problem()
    scale = torch.linspace(0, 2, len(problem.start), dtype=torch.float64)
    plain, scaled = problem.flat(), problem.flat()
    _run(_soap(problem, plain), plain, problem, 2)
    _run(Soap(scaled, blocks_of(NET), scale, lr=0.02), scaled, problem, 2)
    assert torch.allclose(scaled - problem.start, scale * (plain - problem.start), atol=1e-12)


def test_learning_rates_can_be_changed_on_the_way() -> None:
    problem = Problem()
    flat = problem.flat()
    optimizer = _soap(problem, flat)
    moved = _run(optimizer, flat, problem, 3)
    optimizer.param_groups[0]["lr"] = 0.0
    assert torch.equal(_run(optimizer, flat, problem, 3), moved)


# Adam


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.95, 0.95)])
def test_adam_is_that_of_torch(betas: tuple[float, float]) -> None:
    problem = Problem()
    ours, theirs = problem.flat(), problem.flat()
    a = _run(ScaledAdam(ours, torch.ones(len(ours)), lr=0.02, betas=betas, eps=1e-15), ours, problem, 40)
    b = _run(torch.optim.Adam([theirs], lr=0.02, betas=betas, eps=1e-15), theirs, problem, 40)
    assert torch.allclose(a, b, rtol=1e-9, atol=1e-9)


def test_adams_first_step_counts_and_every_weight_has_its_own_learning_rate() -> None:
    problem = Problem()
    flat = problem.flat()
    scale = torch.linspace(0, 2, len(flat), dtype=torch.float64)
    moved = _run(ScaledAdam(flat, scale, lr=0.02), flat, problem, 1) - problem.start
    assert torch.allclose(moved.abs(), 0.02 * scale, rtol=1e-4)


# What any optimizer does


def _both(problem: Problem, flat: Tensor) -> list[Soap]:
    return [_soap(problem, flat), ScaledAdam(flat, torch.ones(len(flat)), lr=0.02)]


@pytest.mark.parametrize("which", [0, 1], ids=["soap", "adam"])
@pytest.mark.parametrize("depth", [torch.float32, torch.float64])
@pytest.mark.parametrize("steps", [0, 1, 13])
def test_a_saved_state_continues_with_the_same_bits(which: int, depth: torch.dtype, steps: int) -> None:
    problem = Problem(depth=depth)
    flat = problem.flat()
    optimizer = _both(problem, flat)[which]
    saved_flat = _run(optimizer, flat, problem, steps)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    resumed_flat = saved_flat.clone().requires_grad_()
    resumed = _both(problem, resumed_flat)[which]
    resumed.load_state_dict(torch.load(file, weights_only=True))
    whole = _run(optimizer, flat, problem, 25)
    assert torch.equal(_run(resumed, resumed_flat, problem, 25), whole)


@pytest.mark.parametrize("which", [0, 1], ids=["soap", "adam"])
def test_without_a_gradient_nothing_happens(which: int) -> None:
    problem = Problem()
    flat = problem.flat()
    optimizer = _both(problem, flat)[which]
    optimizer.step()
    assert torch.equal(flat.detach(), problem.start)
    assert not optimizer.state
    _run(optimizer, flat, problem, 3)
    before, steps = flat.detach().clone(), optimizer.state[flat]["steps"]
    optimizer.zero_grad()
    optimizer.step()
    assert torch.equal(flat.detach(), before)
    assert optimizer.state[flat]["steps"] == steps


@pytest.mark.parametrize("which", [0, 1], ids=["soap", "adam"])
def test_a_gradient_of_zeros_moves_nothing(which: int) -> None:
    problem = Problem()
    flat = problem.flat()
    optimizer = _both(problem, flat)[which]
    for _ in range(12):
        flat.grad = torch.zeros_like(flat)
        optimizer.step()
    assert torch.equal(flat.detach(), problem.start)


@pytest.mark.parametrize("which", [0, 1], ids=["soap", "adam"])
def test_gradients_are_left_alone(which: int) -> None:
    problem = Problem()
    flat = problem.flat()
    optimizer = _both(problem, flat)[which]
    _run(optimizer, flat, problem, 12)
    assert flat.grad is not None
    before = flat.grad.clone()
    optimizer.step()
    assert torch.equal(flat.grad, before)


@pytest.mark.parametrize("which", [0, 1], ids=["soap", "adam"])
def test_a_closure_is_asked_for_the_loss(which: int) -> None:
    problem = Problem()
    flat = problem.flat()
    optimizer = _both(problem, flat)[which]

    def closure() -> float:
        loss = problem.loss(flat)
        flat.grad = torch.autograd.grad(loss, flat)[0]
        return float(loss.detach())

    losses = [optimizer.step(closure) for _ in range(5)]
    assert losses[0] == pytest.approx(float(problem.loss(problem.start)))
    assert losses[-1] < losses[0]
