"""Alpha and metadata as Pillow sees them: read on opening, drawn on loading, kept by a save."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from inrcodec import plugin
from inrcodec.decoder import View, decode_pixels, probe
from inrcodec.format.alpha import lossless_alpha
from inrcodec.format.container import MAX_HEADER_BYTES, Header
from inrcodec.format.extras import Extras, attach
from inrcodec.format.metadata import write_metadata
from inrcodec.limits import Limits
from inrcodec.pixels import Metadata

MakeFile = Callable[..., bytes]

GOLDEN = Path(__file__).parent / "golden"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PACKET = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
QUICK: dict[str, Any] = {"size": 1500, "effort": 1, "layers": "1x4", "threads": 1, "max_time": 0.5}


def _open(data: bytes) -> ImageFile.ImageFile:
    return Image.open(io.BytesIO(data))


def _exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A maker", orientation
    return exif


def _saved(image: Image.Image, **options: Any) -> ImageFile.ImageFile:
    """An image, saved for real and opened again."""
    file = io.BytesIO()
    image.save(file, "INR", **QUICK, **options)
    assert len(file.getvalue()) <= QUICK["size"]
    return _open(file.getvalue())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tiny: bytes) -> list[tuple[Image.Image, str]]:
    """What the encoder, replaced by a stand-in, is asked for: the image, and which metadata."""
    calls: list[tuple[Image.Image, str]] = []

    def encode(image: Image.Image, *, metadata: str = "none") -> bytes:
        calls.append((image, metadata))
        return tiny

    monkeypatch.setattr(plugin, "encode", encode)
    return calls


@pytest.mark.parametrize(("channels", "depth", "mode"), [(1, 8, "LA"), (1, 16, "LA"), (3, 8, "RGBA"), (3, 16, "RGBA")])
def test_modes(channels: int, depth: int, mode: str, make_file: MakeFile) -> None:
    kind = np.uint8 if depth == 8 else np.uint16
    plane = np.arange(0, 63 << (depth - 8), 1 << (depth - 8)).astype(kind).reshape(7, 9)
    data = attach(make_file(channels=channels, depth=depth), Extras(alpha=lossless_alpha(plane)))
    image = _open(data)
    assert image.mode == mode == plugin.mode_of(Header(9, 7, channels, depth, alpha=True))
    assert image.info["depth"] == depth
    drafted = _open(data)
    assert drafted.draft(None, (4, 3)) == (mode, (0, 0, *drafted.size))
    np.testing.assert_array_equal(np.asarray(drafted), decode_pixels(data, View(scale=0.5, depth=8)).samples)
    np.testing.assert_array_equal(np.asarray(image), decode_pixels(data, View(depth=8)).samples)
    image.thumbnail((4, 4))
    assert image.mode == mode


def test_metadata_is_there_before_the_pixels(make_file: MakeFile, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = Metadata(PROFILE, _exif().tobytes()[6:], PACKET)
    plane = np.random.default_rng(0).integers(0, 256, (7, 9), np.uint8)
    extras = Extras(lossless_alpha(plane), write_metadata(metadata))
    data = attach(make_file((40, 40)), extras)
    monkeypatch.setattr(plugin, "decode_pixels", None)
    file = io.BytesIO(data)
    image = Image.open(file)
    assert image.info["icc_profile"] == PROFILE
    assert image.info["exif"] == b"Exif\0\0" + metadata.exif
    assert image.info["xmp"] == PACKET
    assert image.getexif()[0x010F] == "A maker"
    monkeypatch.undo()
    parser = ImageFile.Parser()
    parser.feed(data[: len(data) // 2])
    parser.feed(data[len(data) // 2 :])
    assert parser.close().info["icc_profile"] == PROFILE


def test_damaged_metadata_costs_itself_first_and_the_pixels_then(make_file: MakeFile) -> None:
    body = write_metadata(Metadata(xmp=PACKET))
    for bad in (body[:-1], body[:2] + b"\xff\xff\xff\x7f" + body[3:], b""):
        data = attach(make_file(), Extras(metadata=bad))
        image = _open(data)
        assert set(image.info) == {"bpp", "depth", "arch"}
        with pytest.raises(OSError, match="metadata"):
            image.load()


def test_metadata_beyond_the_limits_is_not_even_read(make_file: MakeFile, monkeypatch: pytest.MonkeyPatch) -> None:
    body = write_metadata(Metadata(xmp=bytes(range(256))))
    file = io.BytesIO(attach(make_file((40, 40)), Extras(metadata=body)))
    monkeypatch.setattr(plugin, "Limits", lambda: Limits(max_metadata=len(body) - 1))
    assert "xmp" not in Image.open(file).info
    assert file.tell() == MAX_HEADER_BYTES


def test_alpha_there_and_back() -> None:
    y, x = np.mgrid[:8, :10]
    samples = np.stack([20 * x, 30 * y, 255 - 20 * x, 255 * (x > 4)], 2).astype(np.uint8)
    for picture in (samples, samples[..., 2:]):
        image = Image.fromarray(picture)
        back = _saved(image)
        assert back.mode == image.mode
        np.testing.assert_array_equal(np.asarray(back)[..., -1], picture[..., -1])
        assert _saved(image, alpha="drop").mode == image.mode[:-1]
    palette = Image.new("P", (8, 6), 1)
    palette.putpixel((2, 3), 0)
    palette.info["transparency"] = 0
    assert np.argwhere(np.asarray(_saved(palette))[..., 3] == 0).tolist() == [[3, 2]]


def test_metadata_there_and_back(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 6), (200, 60, 90))
    back = _saved(image, exif=_exif(), icc_profile=PROFILE, xmp=PACKET)
    assert back.info["icc_profile"] == PROFILE
    assert dict(back.getexif()) == {0x010F: "A maker", 0x0112: 1}
    assert back.info["xmp"] == PACKET
    assert probe(_bytes(back)).metadata.keys() == {"icc", "exif", "xmp"}
    back.save(tmp_path / "a.png", exif=back.getexif())
    with Image.open(tmp_path / "a.png") as png:
        assert png.info["icc_profile"] == PROFILE
        png.save(tmp_path / "a.inr", exif=png.info["exif"], **QUICK)
    with Image.open(tmp_path / "a.inr") as again:
        assert again.info["icc_profile"] == PROFILE
        assert again.getexif()[0x010F] == "A maker"
        assert "xmp" not in again.info


def test_exif_of_a_directory_alone() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x829A] = 0.25
    back = _saved(Image.new("L", (8, 6), 90), exif=exif)
    assert back.getexif().get_ifd(0x8769)[0x829A] == 0.25
    assert "exif" not in _saved(Image.new("L", (8, 6), 90), exif=Image.Exif()).info


def _bytes(image: ImageFile.ImageFile) -> bytes:
    assert image.fp is not None
    image.fp.seek(0)
    return image.fp.read()


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, "icc"),
        ({"icc_profile": None}, "none"),
        ({"icc_profile": b"another"}, "icc"),
        ({"exif": _exif()}, "icc,exif"),
        ({"exif": b"", "xmp": PACKET}, "icc,xmp"),
        ({"metadata": "none"}, "none"),
        ({"metadata": "none", "exif": _exif().tobytes()}, "exif"),
        ({"metadata": "exif"}, "exif"),
        ({"metadata": "all"}, "icc,exif,xmp"),
        ({"metadata": "all", "xmp": None}, "icc,exif"),
    ],
)
def test_what_is_kept(options: dict[str, Any], kept: str, asked: list[tuple[Image.Image, str]]) -> None:
    image = Image.new("RGB", (4, 3))
    before = {"icc_profile": PROFILE, "exif": _exif().tobytes(), "xmp": PACKET.replace(b"meta", b"own")}
    image.info.update(before)
    image.save(io.BytesIO(), "INR", **options)
    ((picture, metadata),) = asked
    assert metadata == kept
    assert picture.info["icc_profile"] == (options.get("icc_profile") or PROFILE)
    assert picture.info["xmp"] == (options.get("xmp") or before["xmp"])
    assert image.info == before
    with pytest.raises(ValueError, match="metadata is none, all"):
        image.save(io.BytesIO(), "INR", metadata="some")


def test_a_profile_that_is_not_kept_is_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = PROFILE.replace(b"rXYZ", b"tmp1").replace(b"gXYZ", b"rXYZ").replace(b"tmp1", b"gXYZ")
    for text in (b"sRGB", "sRGB".encode("utf-16-be")):
        swapped = swapped.replace(text, text.replace(b"s", b"z", 1))
    image = Image.new("RGB", (6, 6), (255, 0, 0))
    image.info["icc_profile"] = swapped
    monkeypatch.setitem(QUICK, "size", 2000)
    assert np.asarray(_saved(image)).mean((0, 1)).argmax() == 0
    assert np.asarray(_saved(image, icc_profile=None)).mean((0, 1)).argmax() == 1


@pytest.mark.parametrize(
    ("own", "given", "size"), [(6, None, (3, 4)), (6, 6, (3, 4)), (1, 6, (3, 4)), (6, 1, (4, 3)), (6, 0, (3, 4))]
)
def test_pictures_are_turned_once(
    own: int, given: int | None, size: tuple[int, int], asked: list[tuple[Image.Image, str]]
) -> None:
    """By the orientation that was given; one of 0 here is EXIF without any."""
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3)).save(buffer, "JPEG", exif=_exif(own))
    exif = _exif(given or 1)
    if given == 0:
        del exif[0x0112]
    options: dict[str, Any] = {} if given is None else {"exif": exif}
    with Image.open(buffer) as image:
        xmp = b'<x tiff:Orientation="6"/>'
        image.save(io.BytesIO(), "INR", xmp=xmp, **options)
        assert image.getexif().get(0x0112, 1) == own
    ((picture, _),) = asked
    assert picture.size == size
    assert picture.getexif().get(0x0112, 1) == 1
    assert b"6" not in picture.info["xmp"]


def test_exif_of_tiff_files() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), (200, 60, 90)).save(buffer, "TIFF", exif=_exif(6))
    with Image.open(buffer) as image:
        back = _saved(image, metadata="exif")
    assert back.size == (6, 8)
    assert back.getexif()[0x010F] == "A maker"
    assert back.getexif().get(0x0112, 1) == 1
    assert 0x0111 not in back.getexif()  # where a TIFF file has its samples
