from __future__ import annotations

import ast
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inrcodec.fit.grid import reference
from inrcodec.net import context
from inrcodec.net.context import FRACTIONS, MAX_LATENT, PER_NAT, PER_OCTAVE, SCALES, UNIT_SCALE, ContextModel
from inrcodec.net.grid import GridArch

Tensors = dict[str, NDArray[np.float64]]

ARCHES = st.builds(
    GridArch,
    finest=st.just(0),
    coarsest=st.integers(0, 2),
    neighbours=st.integers(1, 14),
    parents=st.integers(0, 11),
    context=st.lists(st.integers(1, 9), max_size=4).map(tuple),
)


def _tensors(arch: GridArch, seed: int, size: float = 0.5) -> Tensors:
    rng = np.random.default_rng(seed)
    return {spec.name: rng.normal(0, size, spec.shape) for spec in arch.tensors()}


def _contexts(arch: GridArch, seed: int, size: float = 5.0, count: int = 30) -> NDArray[np.int32]:
    rng = np.random.default_rng(seed)
    return np.rint(rng.laplace(0, size, (count, arch.inputs))).clip(-MAX_LATENT, MAX_LATENT).astype(np.int32)


def _fixed(weight: float, steps: int, bits: int) -> int:
    most = 2**bits - 1
    return 0 if math.isnan(weight) else round(min(max(weight * steps, -most), most))


def _by_hand(arch: GridArch, tensors: Tensors, inputs: list[int], grid: int) -> tuple[int, int]:
    """The model in Python's integers."""
    biases, h = tensors["C.bias"][grid].tolist(), inputs
    for k in range(len(arch.context)):
        sums = []
        for row in tensors[f"C{k}"].tolist():
            total = sum(_fixed(w, 4096, 18) * i for w, i in zip(row, h, strict=True))
            bias = _fixed(biases.pop(0), 4096, 24)
            total = (total + bias + 2) >> 2 if k == 0 else (total + (bias << 10) + 2**11) >> 12
            sums.append(min(max(total, 0), 2**24 - 1))
        h = sums
    seen = (h if arch.context else []) + [i << 10 for i in inputs]
    sums = []
    for row, b, unit, steps in zip(tensors["C.out"].tolist(), biases, (1.0, PER_NAT), (4096, 256), strict=True):
        total = sum(_fixed(w * unit, steps, 18) * i for w, i in zip(row, seen, strict=True))
        sums.append(total + (_fixed(b * unit, steps, 24) << 10))
    most, index = MAX_LATENT * FRACTIONS, ((sums[1] + 2**17) >> 18) + UNIT_SCALE
    return min(max((sums[0] + 2**15) >> 16, -most), most), min(max(index, 0), SCALES - 1)


@given(ARCHES, st.integers(0, 99), st.sampled_from([0.02, 0.5, 30.0]), st.sampled_from([1.0, 3000.0]))
@settings(max_examples=60)
def test_it_computes_in_whole_numbers(arch: GridArch, seed: int, size: float, spread: float) -> None:
    tensors, contexts = _tensors(arch, seed, size), _contexts(arch, seed, spread, 5)
    grid = seed % arch.grids
    position, scale = ContextModel(arch, tensors).laws(contexts, grid)
    expected = [_by_hand(arch, tensors, inputs, grid) for inputs in contexts.tolist()]
    assert list(zip(position.tolist(), scale.tolist(), strict=True)) == expected


@pytest.mark.parametrize("value", [1e30, -1e30, np.inf, np.nan, 63.9])
def test_it_stays_exact_at_its_bounds(value: float) -> None:
    """The widest network, the largest weights and the largest latents."""
    arch = GridArch(0, 0, 14, 11, (128,) * 4)
    tensors = {spec.name: np.full(spec.shape, value) for spec in arch.tensors()}
    tensors["C.out"][0, ::2] *= -1
    contexts = np.full((3, arch.inputs), MAX_LATENT)
    contexts[1] *= -1
    contexts[2, ::2] *= -1
    position, scale = ContextModel(arch, tensors).laws(contexts, 0)
    expected = [_by_hand(arch, tensors, inputs, 0) for inputs in contexts.tolist()]
    assert list(zip(position.tolist(), scale.tolist(), strict=True)) == expected


@given(st.integers(0, 99))
def test_the_order_of_the_sums_does_not_matter(seed: int) -> None:
    """Which is all that BLAS libraries differ in."""
    arch = GridArch()
    tensors, contexts = _tensors(arch, seed, 2.0), _contexts(arch, seed, 500.0)
    expected = ContextModel(arch, tensors).laws(contexts, 1)
    rng = np.random.default_rng(seed)
    inputs, (first, second) = rng.permutation(arch.inputs), (rng.permutation(width) for width in arch.context)
    moved = {name: tensor.copy() for name, tensor in tensors.items()}
    moved["C0"] = tensors["C0"][first][:, inputs]
    moved["C1"] = tensors["C1"][second][:, first]
    moved["C.out"] = tensors["C.out"][:, [*second, *(16 + inputs)]]
    moved["C.bias"] = tensors["C.bias"][:, [*first, *(16 + second), 32, 33]]
    rows = rng.permutation(len(contexts))
    found = ContextModel(arch, moved).laws(contexts[rows][:, inputs], 1)
    for ours, theirs in zip(found, expected, strict=True):
        assert np.array_equal(ours, theirs[rows])


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_latents_may_come_in_any_portions(portions: list[int]) -> None:
    arch = GridArch()
    tensors, contexts = _tensors(arch, 1), _contexts(arch, 1, count=sum(portions))
    model = ContextModel(arch, tensors)
    expected = model.laws(contexts, 3)
    parts = [model.laws(part, 3) for part in np.split(contexts, np.cumsum(portions)[:-1])]
    for k in range(2):
        assert np.array_equal(np.concatenate([part[k] for part in parts]), expected[k])


@pytest.mark.parametrize("context_widths", [(16, 16), (8,), ()])
def test_it_is_the_float_model_to_within_rounding(context_widths: tuple[int, ...]) -> None:
    arch = GridArch(coarsest=3, context=context_widths)
    rng = np.random.default_rng(4)
    tensors = {name: t / np.sqrt(t.shape[-1]) for name, t in _tensors(arch, 4).items()}
    latents = [np.rint(rng.laplace(0, 4, shape)) for shape in arch.shapes(40, 30)]
    floats = {name: torch.tensor(tensor) for name, tensor in tensors.items()}
    planes = [torch.tensor(plane) for plane in latents]
    for grid in range(arch.grids):
        contexts = reference.contexts(arch, planes, grid).reshape(arch.inputs, -1).T.numpy().astype(np.int32)
        position, scale = ContextModel(arch, tensors).laws(contexts, grid)
        mean, log_scale = (law.numpy().ravel() for law in reference.laws(arch, floats, planes, grid))
        assert np.abs(position / FRACTIONS - mean).max() < 0.5 / FRACTIONS + 0.01
        assert np.abs((scale - UNIT_SCALE) / PER_NAT - log_scale).max() < 0.55 / PER_NAT + 0.01


def test_the_units() -> None:
    assert math.isclose(PER_NAT, PER_OCTAVE / math.log(2), rel_tol=1e-15)
    assert -UNIT_SCALE / PER_NAT < reference.LOWEST < (1 - UNIT_SCALE) / PER_NAT
    assert (SCALES - 2 - UNIT_SCALE) / PER_NAT < reference.HIGHEST < (SCALES - 1 - UNIT_SCALE) / PER_NAT


def test_nothing_but_exact_operations_is_called() -> None:
    tree = ast.parse(Path(context.__file__).read_text(encoding="utf-8"))
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    numeric = {name for name in calls if name.startswith("np.")}
    arithmetic = {f"np.{name}" for name in ("matmul", "floor", "rint", "minimum", "maximum", "nan_to_num")}
    moving = {
        f"np.{name}" for name in ("array", "asarray", "column_stack", "copyto", "cumsum", "empty", "ones", "stack")
    }
    assert numeric <= arithmetic | moving | {"np.split"}
    assert "float32" not in Path(context.__file__).read_text(encoding="utf-8")
