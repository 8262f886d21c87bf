from __future__ import annotations

import io
import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inrcodec.bench.contender import Contender
from inrcodec.bench.report.chart import ChartError, clipped, plot, png, svg
from inrcodec.bench.report.curves import KODAK, measured, published, title
from inrcodec.bench.report.labels import spread
from inrcodec.bench.report.palette import every, inks
from inrcodec.bench.results import Results
from tests.bench.rows import a_row


def _kodak() -> Results:
    rows = [a_row(name, codec, 0.3, 28) for name in sorted(KODAK) for codec in ("inr", "webp")]
    return Results({"codecs": "inr webp"}, tuple(rows))


def test_a_png_of_a_good_size(results: Results) -> None:
    with Image.open(io.BytesIO(png(results))) as image:
        assert image.format == "PNG"
        assert image.width > 1400


def test_an_svg_names_its_colours_so_that_it_follows_light_and_dark(results: Results) -> None:
    text = svg(results)
    assert "prefers-color-scheme: dark" in text
    drawn = text[text.index("</style>") :]
    assert "var(--ours-1)" in drawn
    assert "var(--paper)" in drawn
    assert not re.search(r"(fill|stroke): #(?!000000)[0-9a-f]{6}", drawn)
    assert ">inr</text>" in drawn
    assert ">jpeg-opt</text>" in drawn


def test_inside_a_page_it_takes_the_page_s_colours(results: Results) -> None:
    text = svg(results, alone=False)
    assert text.startswith("<svg")
    assert "<style>@media" not in text
    assert not re.match(r'<svg[^>]* width="', text)


def test_the_same_results_give_the_same_drawing(results: Results) -> None:
    assert svg(results) == svg(results)


def test_the_ending_of_the_file_is_its_format(results: Results) -> None:
    assert plot(results, Path("a.PNG"))[:4] == b"\x89PNG"
    assert plot(results, Path("a.svg"))[:5] == b"<?xml"
    with pytest.raises(ValueError, match=r"not a\.jpg"):
        plot(results, Path("a.jpg"))


def test_nothing_to_draw() -> None:
    with pytest.raises(ChartError, match="nothing to plot"):
        png(Results({}, (a_row(error="no"),)))


def test_without_matplotlib_one_line_says_so(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ChartError, match="matplotlib"):
        png(results)


def test_lines_are_sweeps_and_dots_are_targets(results: Results) -> None:
    ours, jpeg, webp = measured(results)
    assert ours.line == ours.dots
    assert [bpp for bpp, _ in webp.dots] == [0.15, 0.3, 0.6]
    assert [bpp for bpp, _ in jpeg.dots] == [0.3, 0.6]  # one picture misses the lowest target
    assert len(webp.line) == len(jpeg.line) == 5
    assert (ours.rank, webp.rank) == (2, 1)


def test_published_curves_only_beside_all_of_kodak(results: Results) -> None:
    assert published(results) == []
    names = {curve.name for curve in published(_kodak())}
    assert {"COIN", "C3"} <= names
    assert published(replace(_kodak(), rows=_kodak().rows[:-2])) == []


def test_published_names_are_in_the_drawing() -> None:
    text = svg(_kodak())
    for curve in published(_kodak()):
        assert f">{curve.name}</text>" in text


def test_only_sweeps(results: Results) -> None:
    swept = replace(results, rows=tuple(row for row in results.rows if row.kind == "sweep"))
    assert "Dots" not in svg(swept)


def test_titles(results: Results) -> None:
    assert title(_kodak()) == "Kodak, all 24 pictures"
    assert title(Results({}, (a_row("kodim23"), a_row("kodim05")))) == "Kodak 05, 23"
    assert title(results) == "2 pictures"
    assert title(Results({}, (a_row("me"),))) == "me"


def test_lines_are_cut_where_the_view_ends() -> None:
    line = ((0.1, 20.0), (0.4, 24.0), (1.6, 30.0))
    assert np.allclose(clipped(line, 0.2, 0.8), ((0.2, 22.0), (0.4, 24.0), (0.8, 27.0)))
    assert clipped(line, 2.0, 3.0) == ()


def test_every_codec_has_a_colour_of_its_own() -> None:
    specs = [
        "inr",
        "inr:effort=1",
        "small=inr",
        "jpeg",
        "jpeg-opt",
        "webp",
        "avif",
        "avif-psnr",
        "jpeg2000",
        "jxl",
        "odd",
    ]
    found = inks([Contender(spec.partition("=inr")[0], spec) for spec in specs])
    assert len({ink.light for ink in found.values()}) == len(specs)
    assert len({ink.light for ink in every()}) == len(every())  # they are told apart in the drawing by their value


@given(st.lists(st.floats(20, 40), min_size=1, max_size=25), st.floats(0.1, 1.5))
def test_labels_keep_their_distance_and_their_order(wanted: list[float], gap: float) -> None:
    places = spread(wanted, gap, 20, 40)
    least = min(gap, 20 / max(len(wanted) - 1, 1)) - 1e-6
    ordered = sorted(places)
    assert all(b - a >= least for a, b in itertools.pairwise(ordered))
    assert all(20 - 1e-6 <= place <= 40 + 1e-6 for place in places)
    assert all(places[i] <= places[j] for i in range(len(wanted)) for j in range(len(wanted)) if wanted[i] < wanted[j])


def test_labels_with_room_stay_where_they_want_to_be() -> None:
    assert spread([30, 21, 25], 1, 20, 40) == [30, 21, 25]
    assert spread([30, 30], 1, 20, 40) == [29.5, 30.5]
    assert spread([], 1, 0, 1) == []
