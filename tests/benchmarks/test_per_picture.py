from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.per_picture import codec_curves, compare, main, published_curves
from inrcodec.bench.results import Results, write
from inrcodec.bench.row import SWEEP, TARGET, Row
from inrcodec.errors import InrError

ROW = Row("a", 8, 8, "grid", TARGET, 0.1, "", 1, 0.1, 0.99, 30.0, math.nan, 1.0, 1.0, 1.0, 0, "")


def _line(picture: str, codec: str, factor: float, rates: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8)) -> list[Row]:
    """A codec whose PSNR rises by 3 dB an octave, at ``factor`` times the bits."""
    return [
        replace(ROW, picture=picture, codec=codec, target_bpp=rate, bpp=rate, psnr=30 + 3 * math.log2(rate / factor))
        for rate in rates
    ]


@pytest.fixture
def results() -> Results:
    rows = [*_line("a", "grid", 0.9), *_line("a", "avif", 1.0), *_line("b", "grid", 1.2), *_line("b", "avif", 1.0)]
    return Results({}, tuple(rows))


def test_every_picture_has_its_own_figure(results: Results) -> None:
    first, second = compare(codec_curves(results, "avif"), codec_curves(results, "grid"))
    assert (first.picture, second.picture) == ("a", "b")
    assert first.rate == pytest.approx(-10)
    assert second.rate == pytest.approx(20)
    assert first.psnr == pytest.approx(3 * math.log2(1 / 0.9))
    assert first.points == (4, 4)
    assert (first.low, first.high) == pytest.approx((30 + 3 * math.log2(0.1 / 0.9), 30 + 3 * math.log2(0.8)))


def test_what_failed_or_is_over_its_target_is_no_point_and_sweeps_are(results: Results) -> None:
    more = (
        replace(ROW, psnr=99.0, use=1.2),
        replace(ROW, psnr=math.nan, error="it broke"),
        replace(ROW, kind=SWEEP, target_bpp=math.nan, use=math.nan, bpp=3.0, psnr=40.0),
    )
    curve = codec_curves(replace(results, rows=(*results.rows, *more)), "grid")["a"]
    assert [bpp for bpp, _ in curve] == [0.1, 0.2, 0.4, 0.8, 3.0]


def test_pictures_that_do_not_compare_are_an_error(results: Results) -> None:
    curves = codec_curves(results, "grid")
    with pytest.raises(InrError, match="no picture is in both"):
        compare({}, curves)
    with pytest.raises(InrError, match="a: the curves do not overlap"):
        compare({"a": [(0.1, 1.0), (0.2, 2.0)]}, curves)


def test_published_points(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("# from somewhere\nlambda,image,bpp,psnr_db\n0.1,a,0.5,30.5\n0.2,a,0.25,28\n")
    assert published_curves(path) == {"a": [(0.5, 30.5), (0.25, 28.0)]}
    path.write_text("image,rate\na,1\n")
    with pytest.raises(InrError, match="no column 'bpp'"):
        published_curves(path)


def test_the_command(tmp_path: Path, results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "r.tsv", results)
    main([str(tmp_path / "r.tsv"), "--anchor", "avif", "--out", str(tmp_path / "out.tsv")])
    *_, mean = capsys.readouterr().out.strip().splitlines()
    assert mean.startswith("| mean | +5.00 | ")
    head, names, *rows = (tmp_path / "out.tsv").read_text().splitlines()
    assert head.startswith("# python -m benchmarks.per_picture ")
    assert names.split("\t")[:2] == ["picture", "bd_rate_percent"]
    assert [row.split("\t")[1] for row in rows] == ["-10.00", "+20.00", "+5.00"]
    with pytest.raises(SystemExit, match="error: "):
        main([str(tmp_path / "nothing.tsv"), "--anchor", "avif"])
