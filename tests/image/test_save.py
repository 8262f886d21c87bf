from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inrcodec.errors import ImageError
from inrcodec.image import FORMATS, format_of, load_image, picture_bytes, save_image
from inrcodec.pixels import Pixels


def _pixels(channels: int, depth: int, height: int = 5, width: int = 7) -> Pixels:
    peak, dtype = (255, np.uint8) if depth == 8 else (65535, np.uint16)
    samples = np.random.default_rng(2).integers(0, peak + 1, (height, width, channels), dtype=dtype)
    return Pixels(samples, depth)


@pytest.mark.parametrize(
    ("fmt", "channels", "depth"),
    [
        ("png", 1, 8), ("png", 3, 8), ("png", 1, 16), ("png", 3, 16), ("ppm", 3, 8), ("pgm", 1, 8), ("pgm", 1, 16),
        ("tiff", 1, 8), ("tiff", 3, 8), ("tiff", 1, 16), ("webp", 3, 8),
    ],
)  # fmt: skip
def test_what_is_written_reads_back_the_same(fmt: str, channels: int, depth: int) -> None:
    pixels = _pixels(channels, depth)
    back = load_image(picture_bytes(pixels, fmt)).pixels
    assert back.depth == depth
    np.testing.assert_array_equal(back.array, pixels.array)


@pytest.mark.parametrize(
    ("fmt", "channels", "depth"),
    [("png", 2, 8), ("png", 4, 8), ("png", 2, 16), ("png", 4, 16), ("tiff", 2, 8), ("tiff", 4, 8), ("webp", 4, 8)],
)
def test_alpha_is_written_too(fmt: str, channels: int, depth: int) -> None:
    samples = _pixels(3, depth).array[:, :, [0, 1, 2, 0]][:, :, -channels:]
    samples[0, :4, -1] = 0  # colours of which nothing can be seen are kept as well
    pixels = Pixels.of(samples, depth)
    with Image.open(BytesIO(picture_bytes(pixels, fmt))) as image:
        assert image.mode == ("RGBA" if channels == 4 or (fmt, depth) == ("png", 16) else "LA")
    back = load_image(picture_bytes(pixels, fmt)).pixels
    assert back.depth == depth
    np.testing.assert_array_equal(back.samples, samples)


def test_sixteen_bit_tiff_has_no_alpha() -> None:
    with pytest.raises(ImageError, match="16-bit transparent pictures cannot be written as tiff: use"):
        picture_bytes(Pixels.of(np.zeros((2, 2, 2), np.uint16), 16), "tiff")


@pytest.mark.parametrize("fmt", ["ppm", "webp"])
def test_gray_is_spread_where_the_format_has_only_colour(fmt: str) -> None:
    pixels = _pixels(1, 8)
    back = load_image(picture_bytes(pixels, fmt)).pixels.array
    np.testing.assert_array_equal(back, np.repeat(pixels.array, 3, axis=2))


def test_sixteen_bit_ppm_is_big_endian() -> None:
    data = picture_bytes(Pixels(np.array([[[1, 2, 65535]]], np.uint16), 16), "ppm")
    assert data == b"P6\n1 1\n65535\n\x00\x01\x00\x02\xff\xff"


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1)])
def test_sixteen_bit_png_of_one_pixel_and_one_line(shape: tuple[int, int]) -> None:
    pixels = _pixels(3, 16, *shape)
    with Image.open(BytesIO(picture_bytes(pixels, "png"))) as image:
        image.load()  # Pillow checks lengths and checksums
        assert image.size == shape[::-1]


@pytest.mark.parametrize(("fmt", "channels", "depth"), [("webp", 3, 16), ("tiff", 3, 16), ("pgm", 3, 8)])
def test_formats_that_cannot_hold_the_picture_say_what_can(fmt: str, channels: int, depth: int) -> None:
    with pytest.raises(ImageError, match=f"{fmt}.*: use"):
        picture_bytes(_pixels(channels, depth), fmt)


def test_unknown_formats() -> None:
    with pytest.raises(ImageError, match="cannot write jpeg"):
        picture_bytes(_pixels(3, 8), "jpeg")
    with pytest.raises(ImageError, match="the ending names no format"):
        format_of("photo.jpg")


def test_webp_that_is_too_wide_is_one_clear_error() -> None:
    with pytest.raises(ImageError, match="as webp"):
        picture_bytes(Pixels(np.zeros((1, 20000, 3), np.uint8)), "webp")


def test_endings() -> None:
    assert {format_of(f"x.{ending}") for ending in ("png", "ppm", "pgm", "tif", "webp")} == set(FORMATS)
    assert format_of("A.PNG") == "png"
    assert format_of("a.pnm") == "ppm"


def test_to_a_path_and_to_a_stream(tmp_path: Path) -> None:
    pixels = _pixels(3, 8)
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    save_image(pixels, path)
    stream = BytesIO()
    save_image(pixels, stream)
    assert path.read_bytes() == stream.getvalue() == picture_bytes(pixels, "png")
    save_image(pixels, tmp_path / "odd.name", "ppm")
    assert (tmp_path / "odd.name").read_bytes().startswith(b"P6")
