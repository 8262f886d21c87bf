from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrcodec.coding.law import Law, bits, largest_symbol, ratio, step_code, step_size, table
from inrcodec.errors import BitstreamError

LAWS = st.builds(
    Law,
    st.integers(0, 255),
    st.integers(1, 143),
    st.integers(1, 255),
    st.integers(0, 255),
    st.integers(0, 255),
)


def _hexes(values: Any) -> list[str]:
    return [float(value).hex() for value in values]


def test_steps_are_exact_constants() -> None:
    assert [step_size(code) for code in (0, 1, 7, 8, 184, 255)] == [
        2**-23, 9 * 2**-26, 15 * 2**-26, 2**-22, 1.0, 480.0,
    ]  # fmt: skip
    steps = [step_size(code) for code in range(256)]
    assert steps == sorted(steps)
    assert len(set(steps)) == 256


def test_the_code_of_a_step_is_the_nearest() -> None:
    assert [step_code(step_size(code)) for code in range(256)] == list(range(256))
    assert (step_code(0.0), step_code(1e-12), step_code(1e9)) == (0, 0, 255)


@given(st.floats(2**-23, 480))
def test_a_step_is_missed_by_six_percent_at_most(step: float) -> None:
    assert abs(math.log(step_size(step_code(step)) / step)) <= math.log(9 / 8) / 2 + 1e-9


def test_ratios_are_exact_constants() -> None:
    assert [ratio(code) for code in (0, 7, 8, 15, 16, 254, 255)] == [
        0.5, 0.0625, 0.75, 0.53125, 0.875, 1 - 7 * 2.0**-34, 1.0,
    ]  # fmt: skip
    ratios = {ratio(code) for code in range(256)}
    assert len(ratios) == 256
    assert min(ratios) == 0.0625


def test_largest_symbols_have_no_gap_over_a_sixteenth() -> None:
    reaches = [largest_symbol(code) for code in range(144)]
    assert reaches[:33] == list(range(33))
    assert reaches[-1] == 3968
    assert all(a < b <= a * 17 / 16 + 1 for a, b in pairwise(reaches))


@given(LAWS)
def test_tables_are_symmetrical_probabilities(law: Law) -> None:
    probabilities = table(law)
    assert probabilities.shape == (2 * law.largest + 1,)
    assert probabilities.dtype == np.float64
    assert probabilities.min() >= 0
    assert probabilities[law.largest - 1] > 0
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    assert probabilities[law.largest] == law.zero / 256
    assert np.array_equal(probabilities, probabilities[::-1])


@given(LAWS)
def test_tails_follow_their_two_ratios(law: Law) -> None:
    tail = table(law)[law.largest + 1 :]
    expected = ratio(law.decay)
    for now, following in pairwise(tail[:20]):
        assert following == pytest.approx(now * expected, rel=1e-9)
        expected *= ratio(law.bend)


@pytest.mark.parametrize(
    ("law", "start", "last"),
    [
        (Law(0, 1, 128), ["0x1.0000000000000p-1", "0x1.0000000000000p-2"], "0x1.0000000000000p-2"),
        (
            Law(0, 3, 100, 0, 255),
            ["0x1.9000000000000p-2", "0x1.6492492492492p-3", "0x1.6492492492492p-4", "0x1.6492492492492p-5"],
            "0x1.6492492492492p-5",
        ),
        (
            Law(0, 5, 7, 40, 60),
            ["0x1.c000000000000p-6", "0x1.9fc101c5b5b97p-4", "0x1.9941fdbe9ee29p-4", "0x1.9080aa56f8f07p-4"],
            "0x1.78d8f36124f74p-4",
        ),
        (
            Law(0, 40, 255, 3, 250),
            ["0x1.fe00000000000p-1", "0x1.600000005ae8ep-10", "0x1.b800000071a31p-12", "0x1.12fffffeef45fp-13"],
            "0x1.815b617fdfa23p-89",
        ),
    ],
)
def test_tables_are_the_same_to_the_last_bit_everywhere(law: Law, start: list[str], last: str) -> None:
    """A file decodes only under exactly these numbers: when this test fails, the format has changed."""
    probabilities = table(law)[law.largest :]
    assert _hexes(probabilities[: len(start)]) == start
    assert _hexes(probabilities[-1:]) == [last]


@pytest.mark.parametrize(
    "integers",
    [(-1, 1, 1, 0, 0), (256, 1, 1, 0, 0), (0, -1, 1, 0, 0), (0, 144, 1, 0, 0), (0, 1, 0, 0, 0), (0, 1, 256, 0, 0),
     (0, 1, 1, -1, 0), (0, 1, 1, 256, 0), (0, 1, 1, 0, -1), (0, 1, 1, 0, 256)],
)  # fmt: skip
def test_integers_out_of_range_are_refused(integers: tuple[int, int, int, int, int]) -> None:
    with pytest.raises(BitstreamError, match="out of range"):
        Law(*integers)


def test_bits() -> None:
    assert bits(Law(0, 0)).tolist() == [0.0]
    assert bits(Law(0, 2, 128, 0)).tolist() == pytest.approx([1.0, -math.log2(1 / 6), -math.log2(1 / 12)])
    assert bits(Law(0, 30, 128, 7, 7)).max() == 24.0


def test_properties() -> None:
    law = Law(184 + 9, 33)
    assert (law.delta, law.largest) == (2.25, 34)
