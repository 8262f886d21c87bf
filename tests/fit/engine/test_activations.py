from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inrcodec.fit.engine import fused
from inrcodec.fit.engine.activations import CODES, GAUSS, GELU, LINEAR, RELU, SINE, activate, apply
from inrcodec.fit.engine.layers import ACTIVATIONS, Layer

Floats = NDArray[np.float32]

FARTHEST = 200_000


def _arguments(limit: float) -> Floats:
    """Random arguments of all sizes up to a limit, both signs, and what is next to multiples of pi / 2."""
    rng = np.random.default_rng(0)
    uniform = rng.uniform(-limit, limit, 200_000)
    small = np.exp(rng.uniform(-20, math.log(limit), 50_000)) * rng.choice([-1, 1], 50_000)
    corners = (np.pi / 2 * rng.integers(-int(limit / 1.6), int(limit / 1.6), 50_000)).astype(np.float32)
    near = [corners, np.nextafter(corners, np.float32(np.inf)), np.nextafter(corners, np.float32(-np.inf))]
    return np.concatenate([uniform, small, *near, [0.0, limit, -limit]]).astype(np.float32)


def _activated(kind: int, x: Floats) -> tuple[Floats, Floats]:
    """Values and slopes by way of a tile's memory, between guards that nobody may touch."""
    count = len(x)
    buffer = np.full(2 * count + 3, 7.0, np.float32)
    buffer[1 : count + 1] = x
    activate(kind, buffer, 1, count + 2, count)
    assert (buffer[[0, count + 1, -1]] == 7).all()
    return buffer[count + 2 : -1], buffer[1 : count + 1]


def _applied(kind: int, x: Floats) -> Floats:
    buffer = np.concatenate([[7.0], x, [7.0]]).astype(np.float32)
    apply(kind, buffer, 1, len(x))
    assert (buffer[[0, -1]] == 7).all()
    return buffer[1:-1]


def test_codes_follow_the_names() -> None:
    expected = {"linear": LINEAR, "sine": SINE, "relu": RELU, "gelu": GELU, "gauss": GAUSS}
    assert {name: CODES[name] for name in ACTIVATIONS} == expected


@pytest.mark.parametrize("kind", CODES.values(), ids=CODES)
def test_values_are_the_same_bits_with_and_without_slopes(kind: int) -> None:
    x = _arguments(FARTHEST if kind == SINE else 20)
    assert np.array_equal(_activated(kind, x)[0], _applied(kind, x))


@pytest.mark.parametrize("limit", [4, 100, 5000, FARTHEST])
def test_sines_and_cosines_are_accurate_to_a_float_however_far_out(limit: int) -> None:
    x = _arguments(limit)
    values, slopes = _activated(SINE, x)
    exact = x.astype(np.float64)
    assert np.abs(values - np.sin(exact)).max() < 2e-7
    assert np.abs(slopes - np.cos(exact)).max() < 2e-7


def test_small_sines_keep_their_relative_accuracy() -> None:
    x = np.exp(np.random.default_rng(0).uniform(-80, 0, 50_000)).astype(np.float32)
    exact = np.sin(x.astype(np.float64))
    assert (np.abs(_applied(SINE, x) / exact - 1)).max() < 2e-7
    assert np.array_equal(_applied(SINE, -x), -_applied(SINE, x))


def test_a_one_layer_net_shows_the_same_sines() -> None:
    x = torch.from_numpy(_arguments(FARTHEST)).view(-1, 1).requires_grad_()
    out = fused.outputs((Layer(1, 1),), x, torch.tensor([1.0, 0.0]))
    (slope,) = torch.autograd.grad(out.sum(), x)
    exact = x.detach().double()
    assert float((out.detach() - exact.sin()).abs().max()) < 2e-7
    assert float((slope - exact.cos()).abs().max()) < 2e-7


def test_relu_is_exact_and_flat_at_zero() -> None:
    x = np.array([-3.5, -1e-40, -0.0, 0.0, 1e-40, 2.5], np.float32)
    values, slopes = _activated(RELU, x)
    assert np.array_equal(values, np.maximum(x, 0))
    assert slopes.tolist() == [0, 0, 0, 0, 1, 1]


def test_gelu_and_its_slope_are_accurate_to_a_few_floats() -> None:
    x = _arguments(20)
    values, slopes = _activated(GELU, x)
    exact = torch.from_numpy(x).double().requires_grad_()
    expected = torch.nn.functional.gelu(exact)
    (slope,) = torch.autograd.grad(expected.sum(), exact)
    error = np.abs(values - expected.detach().numpy())
    assert (error / np.maximum(1, np.abs(x))).max() < 4e-7
    assert np.abs(slopes - slope.numpy()).max() < 5e-7


def test_gelu_is_nothing_or_everything_far_from_zero() -> None:
    x = np.array([-1e30, -1e4, -50, 50, 1e4, 1e30], np.float32)
    values, slopes = _activated(GELU, x)
    assert np.array_equal(values[3:], x[3:])
    assert np.array_equal(slopes[3:], np.ones(3))
    assert np.abs(values[:3]).max() < 1e-30
    assert np.abs(slopes[:3]).max() < 1e-6


def test_linear_changes_nothing() -> None:
    x = np.array([-3.5, 0.0, 1e30], np.float32)
    values, slopes = _activated(LINEAR, x)
    assert np.array_equal(values, x)
    assert (slopes == 1).all()


@pytest.mark.parametrize("kind", CODES.values(), ids=CODES)
def test_what_is_no_number_stays_none(kind: int) -> None:
    x = np.full(40, np.nan, np.float32)
    values, _ = _activated(kind, x)
    assert np.isnan(values).all()
    assert np.isnan(_applied(kind, x)).all()


def test_the_sine_of_infinity_is_no_number() -> None:
    values, slopes = _activated(SINE, np.array([np.inf, -np.inf], np.float32))
    assert np.isnan([values, slopes]).all()


@pytest.mark.parametrize("kind", CODES.values(), ids=CODES)
def test_nothing_to_do_is_done(kind: int) -> None:
    values, slopes = _activated(kind, np.empty(0, np.float32))
    assert len(values) == len(slopes) == 0
