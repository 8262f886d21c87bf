from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from inrcodec.image import load_image

Save = Callable[..., bytes]
Noise = Callable[..., Any]


def _profile(kind: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(kind)).tobytes()  # type: ignore[arg-type]


def _swapped() -> bytes:
    """An sRGB profile that calls its primaries by each other's names, under a name of its own."""
    data = bytearray(_profile("sRGB"))
    data = bytearray(bytes(data).replace(b"rXYZ", b"tmp1").replace(b"gXYZ", b"rXYZ").replace(b"tmp1", b"gXYZ"))
    for text in (b"sRGB", "sRGB".encode("utf-16-be")):
        data = bytearray(bytes(data).replace(text, text.replace(b"s", b"z", 1)))
    return bytes(data)


def test_srgb_profile_changes_nothing(noise: Noise, save: Save) -> None:
    samples = noise()
    loaded = load_image(save(samples, icc_profile=_profile("sRGB")))
    np.testing.assert_array_equal(loaded.pixels.array, samples)
    assert len(loaded.notes) == 1
    assert loaded.notes[0].startswith("metadata dropped")


def test_other_profile_is_converted(save: Save) -> None:
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 255
    loaded = load_image(save(red, icc_profile=_swapped()))
    assert "ICC profile converted to sRGB" in loaded.notes
    assert loaded.pixels.array[0, 0, 1] > 250  # what was called red is green
    assert loaded.pixels.array[0, 0, 0] < 20


def test_alpha_survives_the_conversion(save: Save) -> None:
    pixel = np.array([[[255, 0, 0, 128]]], np.uint8)
    loaded = load_image(save(pixel, icc_profile=_swapped()), alpha="#000000")
    assert abs(int(loaded.pixels.array[0, 0, 1]) - 128) <= 1


def test_profile_of_another_kind_is_ignored(noise: Noise, save: Save) -> None:
    samples = noise()
    loaded = load_image(save(samples, icc_profile=b"\x00" * 200))
    np.testing.assert_array_equal(loaded.pixels.array, samples)
    assert any("ICC profile ignored" in note for note in loaded.notes)


def test_sixteen_bit_samples_keep_their_values(save: Save) -> None:
    gray = np.array([[0, 1000, 65535]], np.uint16)
    loaded = load_image(save(gray, icc_profile=_swapped()))
    np.testing.assert_array_equal(loaded.pixels.array[:, :, 0], gray)
    assert "ICC profile ignored (16-bit samples)" in loaded.notes


def test_cmyk_becomes_rgb(save: Save) -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    loaded = load_image(save(image, "TIFF"))
    assert loaded.pixels.array[0, 0].tolist() == [255, 0, 0]
    assert loaded.notes == ("CMYK converted to RGB",)
    jpeg = load_image(save(image, "JPEG", quality=95)).pixels.array[8, 8]
    assert jpeg[0] > 240
    assert jpeg[1] < 15


def test_gray_stays_gray_without_a_profile_for_it(noise: Noise, save: Save) -> None:
    loaded = load_image(save(noise(channels=1), icc_profile=_swapped()))
    assert loaded.pixels.channels == 1
