from __future__ import annotations

import math

import pytest

from inrcodec.bench.results import Results
from inrcodec.bench.summary import operating_points, target_means
from tests.bench.rows import a_row


def test_means_at_a_target() -> None:
    rows = [
        a_row("a", psnr=30, use=0.98, encode_seconds=1, peak_mb=10), a_row("b", psnr=32, use=1.0, encode_seconds=3),
        a_row("c", psnr=37, encode_seconds=100),
    ]  # fmt: skip
    (mean,) = target_means(rows, ["inr"])
    assert mean.complete
    assert (mean.psnr, mean.use, mean.encode_seconds, mean.peak_mb) == (33, (0.98, 1.0), 3, 80.5)
    assert mean.remark == ""


def test_no_mean_where_a_picture_is_over_the_target() -> None:
    (mean,) = target_means([a_row("a", psnr=30), a_row("b", psnr=20, use=1.3)], ["inr"])
    assert not mean.complete
    assert math.isnan(mean.psnr)
    assert mean.over == ("b",)
    assert mean.remark == "1 of 2 over the target (25.00 dB with it)"
    assert mean.use == (0.999, 0.999)


def test_no_mean_where_a_picture_failed_or_was_left_out() -> None:
    rows = [a_row("a"), a_row("b", error="no"), a_row("c", "webp"), a_row("a", "webp")]
    ours, webp = target_means(rows, ["inr", "webp"])
    assert ours.failed == ("b", "c")
    assert webp.failed == ("b",)
    assert math.isnan(ours.psnr)
    assert ours.remark == "2 of 3 without a result"


def test_nothing_but_failures() -> None:
    (mean,) = target_means([a_row("a", error="no", psnr=math.nan)], ["inr"])
    assert math.isnan(mean.encode_seconds)
    assert math.isnan(mean.use[0])


def test_operating_points_take_settings_that_all_pictures_have(results: Results) -> None:
    rows = [row for row in results.rows if (row.picture, row.setting, row.kind) != ("b", "quality 4", "sweep")]
    points = operating_points(rows, results.codecs)
    assert [point.codec for point in points] == ["webp"] * 4 + ["jpeg-opt"] * 4
    assert points[0].psnr == pytest.approx(27.0)
    assert points[0].bpp == pytest.approx(0.1)
    assert points[0].pictures == 2


def test_the_two_kinds_never_mix(results: Results) -> None:
    at_targets = [row for row in results.rows if row.kind == "target"]
    assert operating_points(at_targets, results.codecs) == []
    assert target_means([row for row in results.rows if row.kind == "sweep"], results.codecs) == []
