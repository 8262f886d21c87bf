"""PngSuite (Willem van Schaik's odd PNG files), where it is: every file comes in right, or is refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inrcodec.decoder import decode_pixels
from inrcodec.encoder import EncodeOptions, Target, encode_pixels
from inrcodec.errors import ImageError
from inrcodec.image import load_image, picture_bytes
from inrcodec.metrics import picture_psnr
from inrcodec.pixels import Pixels

_ROOT = Path(__file__).parents[1]
_FOLDERS = (_ROOT.parent / "shared" / "data" / "pngsuite", _ROOT / "data" / "pngsuite")


def _files() -> list[Path]:
    return next((found for folder in _FOLDERS if (found := sorted(folder.glob("*.png")))), [])


pytestmark = pytest.mark.skipif(not _files(), reason="PngSuite is not here")


def _by_pillow(path: Path) -> np.ndarray:
    """8-bit RGBA as Pillow sees it; 16-bit gray, which it would clip, by its high bytes."""
    with Image.open(path) as image:
        if not image.mode.startswith("I"):
            return np.asarray(image.convert("RGBA"))
        gray, clear = np.asarray(image).astype(np.int32), image.info.get("transparency", -1)
    return np.stack([gray >> 8] * 3 + [np.where(gray == clear, 0, 255)], 2).astype(np.uint8)


def _as_rgba(pixels: Pixels) -> np.ndarray:
    """The high bytes, as RGBA."""
    shift = pixels.depth - 8
    colours = np.repeat(pixels.array, 3, 2) if pixels.channels == 1 else pixels.array
    opacity = np.full_like(colours[:, :, 0], pixels.peak) if pixels.alpha is None else pixels.alpha
    return (np.concatenate([colours, opacity[:, :, None]], 2) >> shift).astype(np.uint8)


def test_sound_files_come_in_as_they_are_and_out_again() -> None:
    sound = [path for path in _files() if not path.name.startswith("x")]
    assert len(sound) > 150
    for path in sound:
        pixels = load_image(path, metadata="all").pixels
        bits, colour_type = path.read_bytes()[24:26]
        assert pixels.depth == (16 if bits == 16 else 8), path.name
        assert pixels.channels == (1 if colour_type in (0, 4) else 3), path.name
        np.testing.assert_array_equal(_as_rgba(pixels), _by_pillow(path), err_msg=path.name)
        back = load_image(picture_bytes(pixels, "png"), metadata="all").pixels
        np.testing.assert_array_equal(back.samples, pixels.samples, err_msg=path.name)
        assert (back.depth, back.metadata) == (pixels.depth, pixels.metadata), path.name


def test_broken_files_are_refused_in_one_line() -> None:
    broken = [path for path in _files() if path.name.startswith("x")]
    assert broken
    for path in broken:
        with pytest.raises(ImageError) as caught:
            load_image(path)
        message = str(caught.value)
        assert path.name in message
        assert "\n" not in message
        assert "index out of range" not in message


KINDS = ("basn0g01", "basn0g16", "basn2c08", "basn3p04", "basn4a16", "basn6a08", "tbbn2c16", "tp1n3p08", "s01n3p01")


@pytest.mark.parametrize("name", KINDS)
def test_a_few_are_encoded(name: str) -> None:
    path = next(path for path in _files() if path.stem == name)
    pixels = load_image(path).pixels
    options = EncodeOptions(effort=1, arch="siren", threads=1, overrides=(("steps", "40"), ("candidates", "1")))
    coded = encode_pixels(pixels, Target("bytes", 900), options)
    assert len(coded.data) <= 900
    drawn = decode_pixels(coded.data)
    assert (drawn.samples.shape, drawn.depth) == (pixels.samples.shape, pixels.depth)
    assert picture_psnr(pixels, drawn.array) == pytest.approx(coded.report.psnr, abs=0.01)
