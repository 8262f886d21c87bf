from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inrcodec.errors import ImageError
from inrcodec.image import load_image
from inrcodec.image.png16 import chunk, png16_bytes

Save = Callable[..., bytes]
Noise = Callable[..., Any]


def _png(colour_type: int, body: bytes, width: int, height: int) -> bytes:
    """A 16-bit PNG of any colour type, its lines unfiltered."""
    line = len(body) // height
    lines = b"".join(b"\x00" + body[row * line : (row + 1) * line] for row in range(height))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))]
    chunks += [(b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _wide(height: int, width: int, channels: int) -> Any:
    return np.random.default_rng(1).integers(0, 65536, (height, width, channels), dtype=np.uint16)


def test_black_and_white_becomes_gray(save: Save) -> None:
    bits = np.array([[True, False, True], [False, False, True]])
    pixels = load_image(save(Image.fromarray(bits))).pixels
    np.testing.assert_array_equal(pixels.array[:, :, 0], bits * 255)


def test_palette_becomes_rgb(save: Save) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    loaded = load_image(save(image))
    assert loaded.pixels.array.tolist() == [[[10, 20, 30], [200, 100, 50]]]
    assert loaded.notes == ()


def test_transparent_palette_entry_counts_as_alpha(save: Save) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    data = save(image, transparency=1)
    assert "alpha channel dropped" in load_image(data, alpha="drop").notes[0]
    kept = load_image(data)
    assert kept.notes == ()
    assert kept.pixels.alpha is not None
    assert kept.pixels.alpha.tolist() == [[255, 0]]
    assert load_image(data, alpha="#010203").pixels.array.tolist() == [[[10, 20, 30], [1, 2, 3]]]


@pytest.mark.parametrize(("mode", "colour", "channels"), [("L", 7, 1), ("RGB", (1, 2, 3), 3)])
def test_transparent_colour_counts_as_alpha(save: Save, mode: str, colour: Any, channels: int) -> None:
    image = Image.new(mode, (2, 1), colour)
    image.putpixel((1, 0), 99 if mode == "L" else (99, 99, 99))
    loaded = load_image(save(image, transparency=colour), alpha="#ffffff")
    assert loaded.pixels.array.tolist() == [[[255] * channels, [99] * channels]]


@pytest.mark.parametrize("fmt", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_gray_keeps_every_bit(save: Save, fmt: str) -> None:
    gray = _wide(4, 5, 1)[:, :, 0]
    data = save(gray, fmt) if fmt != "PPM" else b"P5 5 4 65535\n" + gray.astype(">u2").tobytes()
    pixels = load_image(data).pixels
    assert pixels.depth == 16
    np.testing.assert_array_equal(pixels.array[:, :, 0], gray)


def test_big_endian_gray_tiff(save: Save) -> None:
    gray = _wide(4, 5, 1)[:, :, 0]
    image = Image.frombytes("I;16B", (5, 4), gray.astype(">u2").tobytes())
    np.testing.assert_array_equal(load_image(save(image, "TIFF")).pixels.array[:, :, 0], gray)


def test_sixteen_bit_colour_png_keeps_every_bit() -> None:
    samples = _wide(6, 5, 3)
    for data in (png16_bytes(samples), _png(2, samples.astype(">u2").tobytes(), 5, 6)):
        loaded = load_image(data)
        assert loaded.notes == ()
        np.testing.assert_array_equal(loaded.pixels.array, samples)


def test_sixteen_bit_colour_with_alpha() -> None:
    samples = _wide(6, 5, 4)
    data = _png(6, samples.astype(">u2").tobytes(), 5, 6)
    np.testing.assert_array_equal(load_image(data).pixels.samples, samples)
    loaded = load_image(data, alpha="drop")
    np.testing.assert_array_equal(loaded.pixels.array, samples[:, :, :3])
    assert "alpha channel dropped" in loaded.notes[0]


def test_sixteen_bit_gray_with_alpha_keeps_every_bit() -> None:
    samples = _wide(6, 5, 2)
    loaded = load_image(_png(4, samples.astype(">u2").tobytes(), 5, 6))
    assert loaded.notes == ()
    assert loaded.pixels.depth == 16
    np.testing.assert_array_equal(loaded.pixels.samples, samples)


def test_one_transparent_colour_of_sixteen_bits(save: Save) -> None:
    samples = _wide(6, 5, 3)
    samples[2, 3] = samples[4, 1] = 258, 772, 65535
    samples[0, 0] = 258, 773, 65535  # which 8 bits cannot tell from it
    clear = np.array([258, 772, 65535], ">u2").tobytes()
    data = png16_bytes(samples)
    loaded = load_image(data[:33] + chunk(b"tRNS", clear) + data[33:])
    np.testing.assert_array_equal(loaded.pixels.array, samples)
    assert loaded.pixels.alpha is not None
    assert np.argwhere(loaded.pixels.alpha == 0).tolist() == [[2, 3], [4, 1]]
    assert np.unique(loaded.pixels.alpha).tolist() == [0, 65535]


def test_gray_of_more_than_sixteen_bits(save: Save) -> None:
    small, large = np.array([[0, 65535]], np.int32), np.array([[0, 65536]], np.int32)
    assert load_image(save(small, "TIFF")).pixels.array.ravel().tolist() == [0, 65535]
    with pytest.raises(ImageError, match="more than 16 bits"):
        load_image(save(large, "TIFF"))


def test_floating_point_samples_are_refused(save: Save) -> None:
    with pytest.raises(ImageError, match="floating-point"):
        load_image(save(np.ones((2, 2), np.float32), "TIFF"))


def test_jpeg_is_what_pillow_decodes(noise: Noise, save: Save) -> None:
    data = save(noise(16, 16), "JPEG", quality=90)
    pixels = load_image(data).pixels
    assert pixels.array.shape == (16, 16, 3)
    gray = load_image(save(noise(16, 16, 1), "JPEG")).pixels
    assert gray.channels == 1
