from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from inrcodec.errors import ImageError
from inrcodec.image import load_image

Save = Callable[..., bytes]
Noise = Callable[..., Any]
_HERE = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("channels", "fmt"), [(3, "PNG"), (1, "PNG"), (3, "PPM"), (1, "TIFF"), (3, "BMP"), (3, "TIFF")]
)
def test_plain_pictures_come_in_unchanged_and_without_remarks(
    noise: Noise, save: Save, channels: int, fmt: str
) -> None:
    samples = noise(channels=channels)
    loaded = load_image(save(samples, fmt))
    assert loaded.notes == ()
    assert loaded.pixels.depth == 8
    np.testing.assert_array_equal(loaded.pixels.array, samples.reshape(5, 7, channels))


def test_path_and_bytes_are_the_same_picture(noise: Noise, save: Save, tmp_path: Path) -> None:
    data = save(noise())
    (tmp_path / "a.png").write_bytes(data)
    np.testing.assert_array_equal(load_image(tmp_path / "a.png").pixels.array, load_image(data).pixels.array)
    np.testing.assert_array_equal(load_image(str(tmp_path / "a.png")).pixels.array, load_image(data).pixels.array)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
def test_the_smallest_pictures(noise: Noise, save: Save, size: tuple[int, int]) -> None:
    pixels = load_image(save(noise(*size))).pixels
    assert (pixels.height, pixels.width, pixels.channels) == (*size, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_undone_as_pillow_does(noise: Noise, save: Save, orientation: int) -> None:
    image = Image.fromarray(noise())
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = save(image, exif=exif)
    loaded = load_image(data)
    image.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(loaded.pixels.array, np.asarray(ImageOps.exif_transpose(image)))
    assert ("EXIF orientation applied" in loaded.notes) == (orientation != 1)


def test_nonsense_exif_does_not_cost_the_picture(noise: Noise, save: Save) -> None:
    loaded = load_image(save(noise(), exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff\x00"))
    assert loaded.pixels.width == 7
    assert any("metadata dropped" in note for note in loaded.notes)


def test_metadata_is_counted(noise: Noise, save: Save) -> None:
    assert load_image(save(noise(), "JPEG", comment=b"x" * 100)).notes == ("metadata dropped (100 bytes)",)


def test_animation_gives_its_first_frame(save: Save) -> None:
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue", "green")]
    loaded = load_image(save(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert loaded.pixels.array[0, 0].tolist() == [255, 0, 0]
    assert loaded.notes == ("first of 3 frames only",)


def test_depth_can_be_chosen(noise: Noise, save: Save) -> None:
    data = save(noise())
    narrow, wide = load_image(data).pixels, load_image(data, depth=16).pixels
    assert wide.depth == 16
    assert wide.array.dtype == np.uint16
    np.testing.assert_array_equal(wide.array, narrow.array.astype(int) * 257)
    gray16 = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    back = load_image(save(gray16), depth=8).pixels
    assert back.depth == 8
    np.testing.assert_array_equal(back.array[:, :, 0], np.rint(gray16 / 257))


@pytest.mark.parametrize("data", [b"hello, this is no picture at all", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_what_is_no_picture_is_one_clear_line(data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        load_image(data)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("picture: ")


def test_truncated_pictures_are_refused(noise: Noise, save: Save, tmp_path: Path) -> None:
    samples = noise(64, 64)
    for fmt in ("PNG", "JPEG", "TIFF", "WEBP", "BMP"):
        data = save(samples, fmt)
        path = tmp_path / f"cut.{fmt.lower()}"
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises(ImageError, match=r"cut\."):
            load_image(path)


def test_missing_empty_and_folder(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match="the file is empty"):
        load_image(tmp_path / "empty.png")
    with pytest.raises(ImageError, match="No such file"):
        load_image(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="directory"):
        load_image(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.touch(0o000)
    with pytest.raises(ImageError, match="ermission"):
        load_image(path)


def test_formats_run_by_outside_programs_are_refused() -> None:
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    with pytest.raises(ImageError, match="EPS"):
        load_image(eps)


def test_too_large_is_said_without_reading(noise: Noise, save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    data = save(noise(20, 20))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ImageError, match="too large"):
        load_image(data)


def _png_suite() -> list[Path]:
    folders = (_HERE / "data" / "pngsuite", _HERE.parent / "shared" / "data" / "pngsuite")
    return next((found for folder in folders if (found := sorted(folder.glob("*.png")))), [])


@pytest.mark.skipif(not _png_suite(), reason="PngSuite is not here")
def test_png_suite() -> None:
    for path in _png_suite():
        if path.name.startswith("x"):
            with pytest.raises(ImageError):
                load_image(path)
            continue
        loaded = load_image(path)
        bits, colour_type = path.read_bytes()[24:26]
        with Image.open(path) as image:
            assert (loaded.pixels.width, loaded.pixels.height) == image.size
        assert loaded.pixels.channels == (1 if colour_type in (0, 4) else 3), path.name
        if bits == 16 and not any("read as 8 bits" in note for note in loaded.notes):
            assert loaded.pixels.depth == 16, path.name
