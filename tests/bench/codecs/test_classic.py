from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks.jpeg import largest_within as scanned
from inrcodec.bench.codec import Codec, Picture, codec
from inrcodec.bench.codecs.pillow import to_image
from inrcodec.bench.datasets import path
from inrcodec.bench.registry import DataError
from inrcodec.image import load_image
from inrcodec.metrics import psnr

NAMES = ("jpeg", "jpeg-opt", "webp", "avif", "avif-psnr", "jpeg2000", "jxl")
ANCHORS = Path(__file__).parents[4] / "shared" / "anchors" / "kodak_classic_measured.csv"
MEASURED = {
    "jpeg": "jpeg-420-baseline-noopt",
    "jpeg-opt": "jpeg-420-progressive",
    "webp": "webp-m6",
    "avif": "avif-pillowdefault-420-s6",
    "avif-psnr": "avif-psnr-444-s4",
    "jpeg2000": "jpeg2000-rates-mct1",
}


@pytest.fixture(params=NAMES)
def classic(request: pytest.FixtureRequest) -> Codec:
    """Each of the codecs that can run here."""
    chosen = codec(request.param)
    if missing := chosen.available():
        pytest.skip(missing)
    return chosen


def test_the_file_of_a_target_is_within_it(classic: Codec, colours: Picture) -> None:
    coded = classic.within(colours, 2500)
    assert 0.6 * 2500 < len(coded.data) <= 2500
    assert classic.decode(coded.data).shape == colours.shape
    assert psnr(classic.decode(coded.data), colours) > 22
    assert coded.seed == -1


def test_where_nothing_is_small_enough_it_is_the_smallest(classic: Codec, colours: Picture) -> None:
    coded = classic.within(colours, 10)
    assert len(coded.data) > 10
    assert len(coded.data) <= min(len(point.data) for point in classic.sweep(colours))


def test_a_sweep_goes_from_small_to_large(classic: Codec, colours: Picture) -> None:
    points = list(classic.sweep(colours))
    assert 10 <= len(points) <= 14
    assert len({point.setting for point in points}) == len(points)
    psnrs = [psnr(classic.decode(point.data), colours) for point in points]
    assert psnrs[-1] > psnrs[0] + 5
    assert len(points[-1].data) > 3 * len(points[0].data)


def test_gray_costs_no_more_than_colour(classic: Codec, colours: Picture, grays: Picture) -> None:
    coded = classic.within(grays, 2500)
    decoded = classic.decode(coded.data)
    assert decoded.shape == grays.shape
    np.testing.assert_array_equal(decoded[:, :, 0], decoded[:, :, 2])
    assert psnr(decoded, grays) > psnr(classic.decode(classic.within(colours, 2500).data), colours)


def test_the_same_picture_gives_the_same_bytes(classic: Codec, colours: Picture) -> None:
    assert next(classic.sweep(colours)).data == next(classic.sweep(colours)).data


def test_files_carry_no_metadata(classic: Codec, colours: Picture) -> None:
    data = next(classic.sweep(colours)).data
    assert b"Exif" not in data
    assert b"ICC_PROFILE" not in data
    assert b"<x:xmpmeta" not in data


def test_versions_name_program_and_library(classic: Codec) -> None:
    program, library = classic.versions().split("; ")
    assert program.startswith("Pillow ")
    assert library.split()[-1][0].isdigit()


@pytest.mark.parametrize("cap", [900, 1500, 3000, 6000, 50_000])
def test_the_search_finds_what_trying_every_quality_finds(colours: Picture, cap: int) -> None:
    coded, best = codec("jpeg-opt").within(colours, cap), scanned(to_image(colours), cap)
    assert (coded.data, coded.setting) == (best.data, f"quality {best.quality}")


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("picture", ["kodim04", "kodim23"])
def test_files_are_those_of_an_independent_measurement(name: str, picture: str) -> None:
    """The same setting gives the same bytes and the same PSNR on Kodak as it gave others."""
    if not ANCHORS.exists():
        pytest.skip("the measured anchors are not here")
    try:
        pixels = load_image(path("kodak") / f"{picture}.png").pixels.array
    except DataError as error:
        pytest.skip(str(error))
    if missing := codec(name).available():
        pytest.skip(missing)
    encode = {"quality": partial(_with_quality, name), "ratio": _with_ratio}
    for quality, size, decibels in _measured(MEASURED[name], picture):
        kind = "ratio" if name == "jpeg2000" else "quality"
        data = encode[kind](pixels, quality)
        assert len(data) == pytest.approx(size, rel=0.002)
        assert psnr(codec(name).decode(data), pixels) == pytest.approx(decibels, abs=0.02)


def _measured(name: str, picture: str) -> list[tuple[float, int, float]]:
    """Setting, bytes and PSNR of two points around the rates that count."""
    rows = [line.split(",") for line in ANCHORS.read_text(encoding="utf-8").splitlines()]
    points = [(float(r[1]), int(r[3]), float(r[5])) for r in rows if r[0] == name and r[2] == picture and len(r) == 6]
    between = [point for point in points if 5_000 < point[1] < 40_000]
    return [between[0], between[-1]]


def _with_quality(name: str, picture: Picture, quality: float) -> bytes:
    from inrcodec.bench.codecs.pillow import PillowCodec

    chosen = codec(name)
    assert isinstance(chosen, PillowCodec)
    return chosen.encode(to_image(picture), int(quality))


def _with_ratio(picture: Picture, ratio: float) -> bytes:
    from inrcodec.bench.codecs.jpeg2000 import encode

    return encode(to_image(picture), ratio)
