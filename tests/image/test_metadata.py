from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from inrcodec.errors import ImageError
from inrcodec.image import load_image, losses, picture_bytes
from inrcodec.image.metadata import parse_metadata
from inrcodec.pixels import Metadata, Pixels

Save = Callable[..., bytes]
Noise = Callable[..., Any]

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PACKET = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf who="me"/></x:xmpmeta>'


def _exif(orientation: int | None = None) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "A maker"
    if orientation is not None:
        exif[0x0112] = orientation
    exif.get_ifd(0x8769)[0x829A] = 0.25  # exposure time
    return exif


def _read_exif(blob: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + blob)
    return exif


def test_the_choice_is_read() -> None:
    assert parse_metadata("none") == frozenset()
    assert parse_metadata("all") == {"icc", "exif", "xmp"}
    assert parse_metadata("exif, icc") == {"icc", "exif"}
    for text in ("", "iptc", "icc,,exif", "ALL"):
        with pytest.raises(ValueError, match="metadata is none, all"):
            parse_metadata(text)


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP"])
def test_what_is_wanted_is_kept_and_the_rest_is_said(noise: Noise, save: Save, fmt: str) -> None:
    options = {} if fmt == "PNG" else {"xmp": PACKET}
    data = save(noise(), fmt, exif=_exif(), icc_profile=PROFILE, **options)
    loaded = load_image(data, metadata="icc,exif")
    kept = loaded.pixels.metadata
    assert kept.icc == PROFILE
    assert _read_exif(kept.exif)[0x010F] == "A maker"
    assert _read_exif(kept.exif).get_ifd(0x8769)[0x829A] == 0.25
    assert kept.xmp == b""
    said = [f"metadata kept: icc {len(PROFILE)} bytes, exif {len(kept.exif)} bytes"]
    assert list(loaded.notes) == said + ([f"metadata dropped ({len(PACKET)} bytes)"] if options else [])
    assert not load_image(data).pixels.metadata
    everything = load_image(data, metadata="all").pixels.metadata
    assert everything.xmp == (PACKET if options else b"")


def test_the_orientation_that_was_applied_is_reset(noise: Noise, save: Save) -> None:
    loaded = load_image(save(noise(), exif=_exif(6)), metadata="exif")
    assert loaded.pixels.array.shape == (7, 5, 3)
    exif = _read_exif(loaded.pixels.metadata.exif)
    assert exif[0x0112] == 1
    assert exif[0x010F] == "A maker"
    assert exif.get_ifd(0x8769)[0x829A] == 0.25


def test_exif_of_tiff_files_is_what_does_not_describe_them(noise: Noise, save: Save) -> None:
    raw = save(noise(), "TIFF", exif=_exif(6).tobytes())
    loaded = load_image(raw, metadata="exif")
    assert loaded.pixels.array.shape == (7, 5, 3)
    exif = _read_exif(loaded.pixels.metadata.exif)
    assert {tag: value for tag, value in exif.items() if tag != 0x8769} in (
        {0x010F: "A maker"}, {0x010F: "A maker", 0x0112: 1},
    )  # fmt: skip
    assert exif.get_ifd(0x8769)[0x829A] == 0.25
    assert any("metadata dropped" in note for note in load_image(raw).notes)
    assert load_image(save(noise(), "TIFF"), metadata="exif").pixels.metadata.exif == b""


def test_that_of_xmp_too(noise: Noise, save: Save) -> None:
    packet = PACKET.replace(b"who", b'tiff:Orientation="6" who')
    loaded = load_image(save(noise(), "WEBP", xmp=packet, exif=_exif(6)), metadata="xmp")
    assert loaded.pixels.array.shape == (7, 5, 3)
    assert loaded.pixels.metadata.xmp == packet.replace(b"6", b"1")


def test_pixels_stay_in_the_space_of_a_profile_that_is_kept(save: Save) -> None:
    swapped = PROFILE.replace(b"rXYZ", b"tmp1").replace(b"gXYZ", b"rXYZ").replace(b"tmp1", b"gXYZ")
    for text in (b"sRGB", "sRGB".encode("utf-16-be")):
        swapped = swapped.replace(text, text.replace(b"s", b"z", 1))
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 255
    data = save(red, icc_profile=swapped)
    assert load_image(data).pixels.array[0, 0, 1] > 250
    np.testing.assert_array_equal(load_image(data, metadata="icc").pixels.array, red)
    gray = save(np.array([[7, 900]], np.uint16), icc_profile=PROFILE.replace(b"RGB ", b"GRAY", 1))
    deep = load_image(gray, metadata="icc")
    assert deep.pixels.metadata.icc
    assert not any("ignored" in note for note in deep.notes)


def test_a_profile_of_other_samples_is_not_kept(noise: Noise, save: Save) -> None:
    assert load_image(save(noise(channels=1), icc_profile=PROFILE), metadata="icc").pixels.metadata.icc == b""
    cmyk = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    loaded = load_image(save(cmyk, "JPEG", icc_profile=PROFILE.replace(b"RGB ", b"CMYK", 1)), metadata="all")
    assert not loaded.pixels.metadata
    assert any("metadata dropped" in note for note in loaded.notes)


def test_nonsense_is_not_kept(noise: Noise, save: Save) -> None:
    for exif in (b"Exif\x00\x00MM\x00*\xff\xff\xff\xff\x00", b"Exif\0\0nothing", b"Exif\0\0"):
        loaded = load_image(save(noise(), exif=exif), metadata="all")
        assert not loaded.pixels.metadata


@pytest.mark.parametrize(("fmt", "depth"), [("png", 8), ("png", 16), ("webp", 8), ("tiff", 8)])
@pytest.mark.parametrize("alpha", [False, True])
def test_what_is_written_is_read_again(fmt: str, depth: int, alpha: bool) -> None:
    metadata = Metadata(PROFILE, _exif().tobytes()[6:], PACKET)
    kind = np.uint8 if depth == 8 else np.uint16
    samples = np.random.default_rng(0).integers(0, 1 << depth, (5, 7, 4 if alpha else 3)).astype(kind)
    data = picture_bytes(Pixels.of(samples, depth, metadata), fmt)
    with Image.open(BytesIO(data)) as image:
        image.load()
        assert image.info["icc_profile"] == PROFILE
        assert image.getexif()[0x010F] == "A maker"
    back = load_image(data, metadata="all").pixels
    np.testing.assert_array_equal(back.samples, samples)
    assert back.metadata.icc == PROFILE
    assert back.metadata.xmp == metadata.xmp
    assert fmt == "tiff" or back.metadata.exif == metadata.exif


def test_netpbm_says_what_it_loses() -> None:
    pixels = Pixels.of(np.zeros((2, 2, 4), np.uint8), 8, Metadata(xmp=PACKET))
    assert [note.split(" ")[0] for note in losses(pixels, "ppm")] == ["alpha", "metadata"]
    assert losses(pixels, "png") == losses(Pixels(pixels.array), "ppm") == ()
    assert picture_bytes(pixels, "ppm").startswith(b"P6")


def test_damaged_exif_is_one_clear_error() -> None:
    pixels = Pixels(np.zeros((2, 2, 3), np.uint8), metadata=Metadata(exif=b"no tiff"))
    with pytest.raises(ImageError, match="as tiff"):
        picture_bytes(pixels, "tiff")
