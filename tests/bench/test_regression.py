from __future__ import annotations

import math

from inrcodec.bench.regression import MEAN, compare
from tests.bench.rows import a_row

OLD = [a_row("a", psnr=30), a_row("b", psnr=32), a_row("a", "webp", psnr=31), a_row("b", "webp", psnr=33)]


def test_equal_results_pass() -> None:
    verdict = compare(OLD, OLD, 0.0)
    assert verdict.passed
    assert verdict.compared == 4
    assert (verdict.dropped, verdict.gone, verdict.fresh) == ((), (), ())


def test_a_drop_of_one_picture_is_found() -> None:
    verdict = compare(OLD, [a_row("a", psnr=29.85), a_row("b", psnr=32.5), *OLD[2:]], 0.1)
    assert not verdict.passed
    assert [(change.picture, change.codec, round(change.drop, 2)) for change in verdict.dropped] == [("a", "inr", 0.15)]


def test_a_drop_of_the_mean_comes_first() -> None:
    verdict = compare(OLD, [a_row("a", psnr=29.7), a_row("b", psnr=31.95), *OLD[2:]], 0.1)
    assert [change.picture for change in verdict.dropped] == [MEAN, "a"]


def test_what_is_allowed_is_allowed() -> None:
    assert compare(OLD, [a_row("a", psnr=29.75), *OLD[1:]], 0.25).passed


def test_missing_rows_are_told_and_do_not_fail() -> None:
    verdict = compare(OLD, [OLD[0], a_row("c"), a_row("a", target=0.6)], 0.1)
    assert verdict.passed
    assert verdict.gone == (("a", "webp", 0.3), ("b", "inr", 0.3), ("b", "webp", 0.3))
    assert verdict.fresh == (("a", "inr", 0.6), ("c", "inr", 0.3))


def test_nothing_in_common_is_no_pass() -> None:
    assert not compare(OLD, [a_row("z")], 0.1).passed
    assert not compare(OLD, [], 0.1).passed


def test_a_picture_that_fails_now_is_a_drop() -> None:
    verdict = compare(OLD, [a_row("a", psnr=math.nan, error="crashed"), *OLD[1:]], 0.1)
    assert [(change.picture, change.reason) for change in verdict.dropped] == [("a", "failed: crashed")]


def test_a_file_that_is_over_the_target_now_is_a_drop() -> None:
    verdict = compare(OLD, [a_row("a", psnr=35, use=1.01), *OLD[1:]], 0.1)
    assert verdict.dropped[0].reason == "over the target now"
    old = [a_row("a", use=1.2)]
    assert compare(old, old, 0.1).passed


def test_sweeps_and_old_failures_are_not_compared() -> None:
    assert (
        compare([a_row("a", target=None), a_row("b", error="no")], [a_row("a", target=None), a_row("b")], 0).gone == ()
    )
