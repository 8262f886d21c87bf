from __future__ import annotations

from collections.abc import Callable

import pytest

from inrcodec.coding.law import LARGEST_CODES, largest_symbol
from inrcodec.errors import BitstreamError, LimitError
from inrcodec.limits import MAX_SYMBOL, Limits

SMALL = Limits(max_side=10, max_pixels=50, max_params=7, max_work=100, max_latents=30, max_metadata=40)


def _less(work: int, latents: int) -> Limits:
    return SMALL.less(work=work, latents=latents)


@pytest.mark.parametrize(
    ("fits", "exceeds"),
    [
        (lambda: SMALL.check_size(10, 5), lambda: SMALL.check_size(11, 1)),
        (lambda: SMALL.check_size(5, 10), lambda: SMALL.check_size(1, 11)),
        (lambda: SMALL.check_size(5, 10), lambda: SMALL.check_size(6, 9)),
        (lambda: SMALL.check_params(7), lambda: SMALL.check_params(8)),
        (lambda: SMALL.check_work(100), lambda: SMALL.check_work(101)),
        (lambda: SMALL.check_latents(30), lambda: SMALL.check_latents(31)),
        (lambda: SMALL.check_metadata(40), lambda: SMALL.check_metadata(41)),
        (lambda: _less(60, 0).check_work(40), lambda: _less(60, 0).check_work(41)),
        (lambda: _less(0, 29).check_latents(1), lambda: _less(0, 29).check_latents(2)),
        (lambda: _less(999, 0).check_work(0), lambda: _less(999, 0).check_work(1)),
    ],
)
def test_the_limit_itself_is_allowed_and_one_more_is_not(fits: Callable[[], None], exceeds: Callable[[], None]) -> None:
    fits()
    with pytest.raises(LimitError, match="limit"):
        exceeds()


def test_a_file_over_the_limits_counts_as_a_bad_file() -> None:
    assert issubclass(LimitError, BitstreamError)


def test_defaults_hold_what_the_format_allows_in_practice() -> None:
    Limits().check_size(65535, 4096)
    Limits().check_work(768 * 512 * (1 << 22))
    with pytest.raises(LimitError):
        Limits().check_size(65535, 65535)


def test_largest_symbol_is_that_of_the_last_code() -> None:
    assert largest_symbol(LARGEST_CODES - 1) == MAX_SYMBOL
