from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

from inrcodec.bench.bdrate import Curve, bd_psnr, bd_rate, front
from inrcodec.bench.published import curves

BASE = [(0.1, 25.0), (0.2, 27.0), (0.4, 29.5), (0.8, 32.0)]


def test_it_agrees_with_the_bjontegaard_package_on_every_pair_of_published_curves() -> None:
    reference = pytest.importorskip("bjontegaard")
    kind = {"method": "pchip", "require_matching_points": False, "min_overlap": 0}
    for anchor, test in itertools.permutations(curves(), 2):
        (rates_a, psnrs_a), (rates_t, psnrs_t) = np.array(anchor.points).T, np.array(test.points).T
        arrays = (rates_a, psnrs_a, rates_t, psnrs_t)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rate, psnr = reference.bd_rate(*arrays, **kind), reference.bd_psnr(*arrays, **kind)
        assert bd_rate(anchor.points, test.points) == pytest.approx(rate, abs=1e-6)
        assert bd_psnr(anchor.points, test.points) == pytest.approx(psnr, abs=1e-6)


def test_equal_curves_differ_by_nothing() -> None:
    for curve in [BASE, *(published.points for published in curves())]:
        assert bd_rate(curve, curve) == 0
        assert bd_psnr(curve, curve) == 0


def test_a_tenth_fewer_bits_is_minus_ten_percent() -> None:
    cheaper = [(0.9 * bpp, psnr) for bpp, psnr in BASE]
    assert bd_rate(BASE, cheaper) == pytest.approx(-10)
    assert bd_rate(cheaper, BASE) == pytest.approx(100 / 0.9 - 100)
    assert bd_psnr(BASE, [(bpp, psnr + 0.5) for bpp, psnr in BASE]) == pytest.approx(0.5)


def test_the_order_of_the_points_does_not_count() -> None:
    other = [(0.15, 26.0), (0.3, 28.5), (0.7, 31.0)]
    assert bd_rate(BASE[::-1], other) == bd_rate(BASE, other[::-1])


def test_two_points_are_enough() -> None:
    assert bd_rate(BASE[:2], [(0.05, 25.0), (0.1, 27.0)]) == pytest.approx(-50)


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ([(0.1, 10.0), (0.2, 12.0)], "the curves do not overlap: 25.00 to 32.00 dB and 10.00 to 12.00 dB"),
        ([(0.1, 20.0), (0.2, 25.0)], "do not overlap"),
        ([], "the test curve needs two points of growing rate and PSNR, and has 0"),
        ([(0.1, 25.0)], "needs two points"),
        ([(0.1, 25.0), (0.1, 25.0)], "needs two points"),
        ([(0.1, 27.0), (0.2, 25.0)], "needs two points"),
        ([(0.1, 25.0), (0.2, float("nan"))], "the test curve has a point without a rate or a PSNR"),
        ([(0.0, 25.0), (0.2, 28.0)], "without a rate"),
        ([(0.1, 25.0), (0.2, float("inf"))], "without a rate or a PSNR"),
    ],
)
def test_curves_that_cannot_be_compared_give_no_number(test: Curve, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        bd_rate(BASE, test)


def test_rates_that_do_not_overlap_give_no_psnr() -> None:
    with pytest.raises(ValueError, match=r"do not overlap: 0.1000 to 0.8000 bpp and 1.0000 to 2.0000 bpp"):
        bd_psnr(BASE, [(1.0, 25.0), (2.0, 30.0)])


def test_points_that_are_not_worth_their_bits_are_left_out() -> None:
    assert front([(0.3, 27.0), (0.1, 25.0), (0.2, 25.0), (0.25, 24.0), (0.3, 28.0), (0.1, 25.0)]) == [
        (0.1, 25.0), (0.3, 28.0),
    ]  # fmt: skip
    assert bd_rate(BASE, [*BASE, (0.5, 29.0), (0.4, 29.5)]) == 0
