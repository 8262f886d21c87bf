from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks.jpeg import largest_within as scanned
from inrcodec.bench.codec import Codec, Picture, codec
from inrcodec.bench.codecs import jpeg2000, jxl
from inrcodec.bench.codecs.jpeg2000 import Jpeg2000
from inrcodec.bench.codecs.pillow import PillowCodec, to_image
from inrcodec.bench.datasets import path
from inrcodec.bench.registry import DataError
from inrcodec.image import load_image
from inrcodec.metrics import psnr

NAMES = ("jpeg", "jpeg-opt", "webp", "avif", "avif-psnr", "jpeg2000", "jxl")
MEASURED = Path(__file__).with_name("measured.csv")
LIBRARIES = {
    "Pillow 13.0.0; libjpeg-turbo 3.2.0",
    "Pillow 13.0.0; libwebp 1.6.0",
    "Pillow 13.0.0; libavif 1.4.2",
    "Pillow 13.0.0; OpenJPEG 2.5.4",
    "Pillow 13.0.0; pillow-jxl-plugin 1.3.8",
}
"""The versions of the measurement."""


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


@pytest.mark.parametrize("picture", ["kodim04", "kodim23"])
def test_files_are_those_of_an_independent_measurement(classic: Codec, picture: str) -> None:
    """The same setting gives the same bytes and the same PSNR as it gave others, with the same libraries."""
    if classic.versions() not in LIBRARIES:
        pytest.skip(f"measured with other libraries than {classic.versions()}")
    try:
        pixels = load_image(path("kodak") / f"{picture}.png").pixels.array
    except DataError as error:
        pytest.skip(str(error))
    lines = [line for line in MEASURED.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    points = [row for row in csv.DictReader(lines) if (row["codec"], row["picture"]) == (classic.name, picture)]
    assert len(points) == 2
    for point in points:
        data = encode(classic, pixels, point["setting"].split()[1])
        assert len(data) == pytest.approx(int(point["bytes"]), rel=0.002)
        assert psnr(classic.decode(data), pixels) == pytest.approx(float(point["psnr"]), abs=0.02)


def encode(chosen: Codec, picture: Picture, setting: str) -> bytes:
    """The file of one setting."""
    image = to_image(picture)
    if isinstance(chosen, PillowCodec):
        return chosen.encode(image, int(setting))
    return jpeg2000.encode(image, float(setting)) if isinstance(chosen, Jpeg2000) else jxl.encode(image, int(setting))
