from __future__ import annotations

import math
from pathlib import Path

import pytest

from inrcodec.bench.results import COLUMNS, Results, ResultsError, append, in_order, read, text_of, write
from tests.bench.rows import a_row

HEAD = {"command": "inrcodec bench x", "effort": "5"}


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    rows = (
        a_row(psnr=1 / 3, bpp=0.1 + 0.2, bytes=12345),
        a_row("b", "inr:effort=1", None, ms_ssim=math.nan, psnr=math.inf, seed=7),
        a_row("c", error="it\tbroke\nbadly"),
    )
    path = tmp_path / "r.tsv"
    write(path, Results(HEAD, rows))
    back = read(path)
    assert back.head == HEAD
    assert repr(back.rows[:2]) == repr(rows[:2])  # NaN is not equal to itself
    assert back.rows[2].error == "it broke badly"


def test_appending_gives_the_same_file_as_writing(tmp_path: Path) -> None:
    rows = (a_row("a"), a_row("b"), a_row("c", target=None))
    path = tmp_path / "r.tsv"
    write(path, Results(HEAD))
    for row in rows:
        append(path, [row])
    assert path.read_text() == text_of(Results(HEAD, rows))


def test_the_columns_stand_above_the_rows(tmp_path: Path) -> None:
    lines = text_of(Results(HEAD, (a_row(),))).splitlines()
    assert lines[:3] == ["# command: inrcodec bench x", "# effort: 5", "\t".join(COLUMNS)]
    assert lines[3].split("\t")[:5] == ["a", "768", "512", "inr", "target"]


def test_a_line_cut_in_the_middle_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "r.tsv"
    text = text_of(Results(HEAD, (a_row("a"), a_row("b"))))
    whole = text.rindex("\n", 0, -1) + 1
    for end in range(whole, len(text)):
        path.write_text(text[:end])
        assert [row.picture for row in read(path).rows] == ["a"]


def test_a_sweep_cut_in_the_middle_is_left_out_as_a_whole(tmp_path: Path) -> None:
    points = [a_row("b", "webp", None, bpp=rate) for rate in (0.1, 0.2, 0.3)]
    path = tmp_path / "r.tsv"
    path.write_text(text_of(Results(HEAD, (a_row("a", "webp", None), *points)))[:-5])
    assert [row.picture for row in read(path).rows] == ["a"]


@pytest.mark.parametrize("text", ["", "# only: a head\n", "a\tb\n1\t2\n", "picture\twidth\n"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.tsv"
    path.write_text(text)
    with pytest.raises(ResultsError, match="not a table of results"):
        read(path)


def test_damaged_rows_are_named(tmp_path: Path) -> None:
    path = tmp_path / "r.tsv"
    text = text_of(Results(HEAD, (a_row(),)))
    path.write_text(text.replace("\t768\t", "\tmany\t"))
    with pytest.raises(ResultsError, match="many"):
        read(path)
    path.write_text(text.replace("\t768\t", "\t"))
    with pytest.raises(ResultsError, match="17 cells instead of 18"):
        read(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ResultsError, match="not a table"):
        read(path)
    with pytest.raises(ResultsError, match="No such file"):
        read(tmp_path / "none.tsv")


def test_order_is_by_picture_target_codec_and_rate() -> None:
    wanted = [
        a_row("a", "inr", 0.15), a_row("a", "webp", 0.15), a_row("a", "avif", 0.15), a_row("a", "inr", 0.3),
        a_row("a", "webp", None, bpp=0.1), a_row("a", "webp", None, bpp=0.2), a_row("b", "inr", 0.15),
    ]  # fmt: skip
    assert list(in_order(reversed(wanted), ("inr", "webp"))) == wanted


def test_what_a_file_is_about() -> None:
    results = Results({}, (a_row("b", "webp", 0.6), a_row("a", "inr", 0.3), a_row("a", "webp", None)))
    assert results.codecs == ("webp", "inr")
    assert results.pictures == ("b", "a")
    assert results.targets == (0.3, 0.6)
