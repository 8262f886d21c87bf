from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrcodec.bench.pchip import Pchip

_points = st.lists(st.tuples(st.floats(0.01, 3), st.one_of(st.just(0.0), st.floats(-5, 5))), min_size=2, max_size=12)


@given(_points, st.floats(0, 1), st.floats(0, 1))
def test_it_is_scipys(steps: list[tuple[float, float]], a: float, b: float) -> None:
    scipy = pytest.importorskip("scipy.interpolate")
    x, y = np.cumsum([h for h, _ in steps]), np.cumsum([v for _, v in steps])
    ours, theirs = Pchip(x, y), scipy.PchipInterpolator(x, y)
    at = np.linspace(x[0], x[-1], 57)
    np.testing.assert_allclose(ours(at), theirs(at), rtol=1e-9, atol=1e-9)
    low, high = sorted((float(x[0] + a * (x[-1] - x[0])), float(x[0] + b * (x[-1] - x[0]))))
    assert ours.integral(low, high) == pytest.approx(float(theirs.integrate(low, high)), rel=1e-9, abs=1e-9)


def test_it_goes_through_its_points_and_stays_between_them() -> None:
    x, y = np.array([0.0, 1.0, 2.0, 5.0]), np.array([0.0, 0.0, 1.0, 1.1])
    curve = Pchip(x, y)
    np.testing.assert_allclose(curve(x), y, atol=1e-12)
    assert (np.diff(curve(np.linspace(0, 5, 500))) >= -1e-12).all()


def test_two_points_make_a_line() -> None:
    line = Pchip(np.array([1.0, 3.0]), np.array([2.0, 6.0]))
    np.testing.assert_allclose(line(np.array([1.5, 2.0])), [3.0, 4.0])
    assert line.integral(1, 3) == pytest.approx(8)
    assert line.integral(2, 2) == 0
