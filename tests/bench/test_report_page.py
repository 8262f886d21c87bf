from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inrcodec.bench.codec import codec
from inrcodec.bench.job import file_name
from inrcodec.bench.report.detail import busiest
from inrcodec.bench.report.exhibit import Exhibit, exhibits
from inrcodec.bench.report.page import page
from inrcodec.bench.results import Results
from tests.bench.rows import a_row

VOID = {"meta", "img", "input", "br"}


class _Balance(HTMLParser):
    """Sees that every element ends, and collects addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "data-whole", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def shown(tmp_path: Path, results: Results) -> tuple[list[Exhibit], list[str]]:
    """What can be shown of the results: picture a is there, with the file of webp."""
    x, y = np.meshgrid(np.arange(64), np.arange(48))
    Image.fromarray(np.stack([4 * x, 5 * y, 255 - 4 * x], axis=2).astype(np.uint8)).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        coded = codec("webp").within(np.asarray(image), 2000)
    (tmp_path / file_name("a", "webp", 0.3)).write_bytes(coded.data)
    (tmp_path / file_name("a", "jpeg-opt", 0.3)).write_bytes(b"no picture")
    found = list(exhibits(results, tmp_path, {"a": tmp_path / "a.png", "b": tmp_path / "b.png"}, 0.3))
    return [item for item in found if isinstance(item, Exhibit)], [item for item in found if isinstance(item, str)]


def test_a_picture_is_shown_in_all_versions_that_can_be_had(shown: tuple[list[Exhibit], list[str]]) -> None:
    (exhibit,), remarks = shown
    assert [shot.name for shot in exhibit.shots] == ["original", "webp"]
    assert (exhibit.width, exhibit.height) == (64, 48)
    assert exhibit.shots[1].row is not None
    assert len(remarks) == 3
    assert remarks[0].startswith("a: inr cannot be shown")
    assert remarks[1].startswith("a: jpeg-opt cannot be shown")
    assert "b.png" in remarks[2]


def test_the_page_is_whole_and_asks_for_nothing(results: Results, shown: tuple[list[Exhibit], list[str]]) -> None:
    text = page(results, *shown, "jpeg-opt")
    reader = _Balance()
    reader.feed(text)
    assert reader.open == []
    assert all(address.startswith(("data:image/", "#")) for address in reader.addresses)
    assert not re.search(r"@import|url\((?!#)", text)
    assert "prefers-color-scheme: dark" in text
    assert text.count('class="tile"') == 2
    assert "1 of 2 over the target" in text
    assert "inrcodec bench a.png b.png" in text


def test_names_are_no_markup(results: Results) -> None:
    rows = tuple(replace(row, picture="<i>&") for row in results.rows if row.picture == "a")
    text = page(Results({**results.head, "command": "<script>"}, rows), [], ["<b>"], "jpeg-opt")
    assert "<i>" not in text
    assert "<b>\n" not in text
    assert text.count("<script>") == 1  # its own


def test_a_page_without_pictures_has_no_script_to_run(results: Results) -> None:
    assert "querySelector" not in page(results, [], [], "jpeg-opt")


def test_a_page_of_sweeps_alone(results: Results) -> None:
    swept = replace(results, rows=tuple(row for row in results.rows if row.kind == "sweep"))
    assert "mean of operating points" in page(swept, [], [], "jpeg-opt")


def test_a_page_without_matplotlib_has_the_rest(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    text = page(results, [], [], "jpeg-opt")
    assert "the plot needs matplotlib" in text
    assert "27.00" in text


def test_gray_pictures_are_shown_too(tmp_path: Path) -> None:
    Image.new("L", (40, 30), 90).save(tmp_path / "g.png")
    results = Results({}, (a_row("g", error="no"),))
    (exhibit,) = exhibits(results, tmp_path, {"g": tmp_path / "g.png"}, 0.3)
    assert isinstance(exhibit, Exhibit)
    assert [shot.name for shot in exhibit.shots] == ["original"]
    page(results, [exhibit], [], "jpeg-opt")


def test_the_detail_is_where_something_is_to_be_seen() -> None:
    picture = np.full((512, 768, 3), 90, np.uint8)
    picture[300:400, 500:650] = np.random.default_rng(0).integers(0, 255, (100, 150, 3))
    left, top, width, height = busiest(picture)
    assert 490 <= left <= 650 - width + 16
    assert 290 <= top <= 400 - height + 16
    assert width / height == pytest.approx(4 / 3, abs=0.03)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 200), (200, 5), (24, 32), (48, 64), (1000, 16)])
def test_the_detail_lies_within_any_picture(rows: int, columns: int) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (rows, columns, 3)).astype(np.uint8)
    left, top, width, height = busiest(picture)
    assert left >= 0
    assert top >= 0
    assert left + width <= columns
    assert top + height <= rows
