from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inrcodec.bench.codecs.search import LOOK, largest_within


@given(st.lists(st.integers(0, 100), min_size=1, max_size=60), st.integers(0, 100))
def test_growing_sizes_give_the_largest_that_fits(sizes: list[int], cap: int) -> None:
    sizes.sort()
    setting, data = largest_within(lambda q: bytes(sizes[q]), 0, len(sizes) - 1, cap)
    fitting = [q for q, size in enumerate(sizes) if size <= cap]
    assert len(data) == sizes[setting]
    if fitting:
        assert setting == fitting[-1]
    else:
        assert len(data) == sizes[0]


def test_a_higher_setting_that_is_smaller_is_found() -> None:
    sizes = [10, 20, 30, 40, 36, 50]
    assert largest_within(lambda q: bytes(sizes[q]), 0, 5, 37)[0] == 4
    assert largest_within(lambda q: bytes(sizes[q]), 0, 5, 37, look=0)[0] == 2


def test_no_setting_is_tried_twice() -> None:
    tried: list[int] = []

    def encode(setting: int) -> bytes:
        tried.append(setting)
        return bytes(setting)

    assert largest_within(encode, 0, 100, 37)[0] == 37
    assert len(tried) == len(set(tried)) <= 7 + LOOK


def test_nothing_outside_the_range_is_tried() -> None:
    def encode(setting: int) -> bytes:
        assert 1 <= setting <= 95
        return bytes(setting)

    assert largest_within(encode, 1, 95, 1000)[0] == 95
    assert largest_within(encode, 1, 95, 0)[0] == 1
