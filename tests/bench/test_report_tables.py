from __future__ import annotations

from inrcodec.bench.report.bd import curves, savings
from inrcodec.bench.report.table import (
    caption,
    markdown,
    number,
    picture_table,
    saving_table,
    seconds,
    sweep_table,
    target_table,
)
from inrcodec.bench.results import Results
from inrcodec.bench.summary import AT_TARGET, OPERATING_POINTS
from tests.bench.rows import a_row


def test_one_row_by_target_and_codec(results: Results) -> None:
    head, *rows = target_table(results)
    assert [row[:3] for row in rows[:3]] == [
        ("0.15", "inr", "27.00"), ("0.15", "webp", "28.00"), ("0.15", "jpeg-opt", "-"),
    ]  # fmt: skip
    assert rows[2][-1] == "1 of 2 over the target (25.00 dB with it)"
    assert head[-1] == ""
    assert len(rows) == 9


def test_the_column_of_remarks_is_there_if_there_are_any() -> None:
    (head, row) = target_table(Results({}, (a_row(),)))
    assert head[-1] == "memory, MB"
    assert row == ("0.3", "inr", "30.00", "0.9300", "99.9 to 99.9", "2.50", "0.250", "80")


def test_markdown() -> None:
    assert markdown([("bpp", "codec", "PSNR"), ("0.3", "inr", "30.00")]).splitlines() == [
        "| bpp | codec | PSNR |",
        "| --- | --- | ---: |",
        "| 0.3 | inr | 30.00 |",
    ]


def test_savings_compare_curves_of_one_kind(results: Results) -> None:
    """The anchor misses the lowest target, so its curve of targets is too short; only the swept codec compares."""
    assert set(curves(results, AT_TARGET)) == {"inr", "webp"}
    (webp,) = savings(results, "jpeg-opt")
    assert (webp.codec, webp.kind) == ("webp", OPERATING_POINTS)
    assert webp.rate < -30
    assert webp.psnr > 3
    (ours,) = savings(results, "webp")[:1]
    assert (ours.codec, ours.kind) == ("inr", AT_TARGET)
    assert ours.rate > 0


def test_equal_curves_save_nothing() -> None:
    rows = [a_row("a", codec, target, 20 + 10 * target) for codec in ("inr", "webp") for target in (0.2, 0.4, 0.8)]
    (saving,) = savings(Results({}, tuple(rows)), "webp")
    assert abs(saving.rate) < 1e-9
    assert abs(saving.psnr) < 1e-9
    assert saving.span == (22.0, 28.0)


def test_curves_that_share_no_range_have_no_saving() -> None:
    rows = [a_row("a", "inr", target, 20 + target) for target in (0.2, 0.4, 0.8)]
    rows += [a_row("a", "webp", target, 40 + target) for target in (0.2, 0.4, 0.8)]
    results = Results({}, tuple(rows))
    assert savings(results, "webp") == []
    assert saving_table(results, "webp") == []
    assert savings(results, "jxl") == []


def test_other_tables(results: Results) -> None:
    assert saving_table(results, "webp")[0][1] == "BD-rate vs webp, %"
    assert len(sweep_table(results)) == 11
    assert sweep_table(Results({}, (a_row(),))) == []
    assert picture_table(results, "b")[0] == ("bpp", "inr", "webp", "jpeg-opt")
    assert picture_table(results, "b")[1][3] == "26.00 dB, 14,745 B (over)"
    assert picture_table(Results({}, (a_row(error="no"),)), "a")[1] == ("0.3", "-")
    assert caption(results).startswith("2 pictures; PSNR and MS-SSIM: mean, every picture at exactly the target")
    assert caption(Results({}, (a_row("kodim07"),))).startswith("kodim07; ")


def test_figures() -> None:
    assert [seconds(value) for value in (0.0123, 1.234, 12.34, 123.4, float("nan"))] == [
        "0.012", "1.23", "12.3", "123", "-",
    ]  # fmt: skip
    assert number(float("inf"), 2) == "-"
