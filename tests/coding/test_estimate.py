from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inrcodec.coding.estimate import fit_law, reach_code
from inrcodec.coding.law import Law, bits, largest_symbol, ratio

Symbols = NDArray[np.int64]


def _cost(law: Law, symbols: Symbols) -> float:
    """Ideal bits, without the range coder's floor."""
    with np.errstate(all="ignore"):
        return float(bits(law)[np.abs(symbols)].sum())


def _neighbours(law: Law) -> list[Law]:
    """Laws the encoder may choose that differ a little in every direction."""
    codes = [*range(96), 255]

    def near(code: int) -> set[int]:
        at = codes.index(code)
        return {codes[k] for k in (0, at - 9, at - 8, at - 1, at, at + 1, at + 8, at + 9, 96) if 0 <= k < 97}

    zeros = {z for z in range(law.zero - 2, law.zero + 3) if 1 <= z <= 255}
    choices = product(zeros, near(law.decay), near(law.bend), (0, 1))
    return [replace(law, zero=z, decay=d, bend=b, reach=law.reach + r) for z, d, b, r in choices]


@pytest.mark.parametrize("spread", [0.3, 1.0, 4.0, 40.0])
@pytest.mark.parametrize("kind", ["laplace", "normal", "uniform"])
def test_no_neighbour_is_better(kind: str, spread: float) -> None:
    rng = np.random.default_rng(3)
    draws = {
        "laplace": rng.laplace(0, spread, 400),
        "normal": rng.normal(0, spread, 400),
        "uniform": rng.uniform(-spread, spread, 400),
    }
    symbols = np.rint(draws[kind]).astype(np.int64)
    law = fit_law(symbols, 5)
    best = _cost(law, symbols)
    assert best <= min(_cost(other, symbols) for other in _neighbours(law)) + 1e-6


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-40, 40), min_size=1, max_size=40))
def test_no_neighbour_is_better_for_few_symbols(values: list[int]) -> None:
    symbols = np.array(values)
    law = fit_law(symbols, 0)
    if law.largest == 0:
        assert not symbols.any()
        return
    others = [other for other in _neighbours(law) if bits(other)[np.abs(symbols)].max() < 24]
    assert _cost(law, symbols) <= min((_cost(other, symbols) for other in others), default=np.inf) + 1e-6


def test_known_shapes_are_found() -> None:
    rng = np.random.default_rng(4)
    sign = rng.choice([-1, 1], 100_000)
    geometric = fit_law(sign * (rng.geometric(1 - 0.75, 100_000) - 1), 0)
    assert ratio(geometric.decay) == 0.75
    assert ratio(geometric.bend) > 0.999
    assert geometric.zero == pytest.approx(64, abs=2)
    uniform = fit_law(rng.integers(-20, 21, 100_000), 0)
    assert ratio(uniform.decay) > 0.99
    assert ratio(uniform.bend) > 0.99
    gaussian = fit_law(np.rint(rng.normal(0, 3, 100_000)).astype(np.int64), 0)
    assert ratio(gaussian.bend) == pytest.approx(np.exp(-1 / 9), abs=0.02)


def test_all_zero_costs_nothing() -> None:
    law = fit_law(np.zeros((3, 4), np.int32), 77)
    assert (law.step, law.largest) == (77, 0)
    assert fit_law(np.zeros(0, np.int32), 0).largest == 0


def test_the_step_is_copied_and_the_shape_does_not_matter() -> None:
    symbols = np.arange(-6, 6)
    assert fit_law(symbols.reshape(3, 4), 9) == replace(fit_law(symbols, 1), step=9)


def test_symbols_over_the_largest_are_refused() -> None:
    assert fit_law(np.array([-3968, 0]), 0).largest == 3968
    with pytest.raises(ValueError, match="3969"):
        fit_law(np.array([3969, 0]), 0)


@given(st.integers(1, 3968))
def test_reach_is_the_smallest_that_admits(largest: int) -> None:
    code = reach_code(largest)
    assert largest_symbol(code - 1) < largest <= largest_symbol(code)
