from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import inrcodec
from inrcodec import api
from inrcodec.decoder import View, decode_pixels
from inrcodec.limits import Limits
from inrcodec.pixels import Pixels

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden" / "rgb.inr"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the encoder, replaced by a stand-in, is asked for: (pixels, target, options)."""
    calls: list[Any] = []

    def encode_pixels(pixels: Any, target: Any, options: Any, **more: Any) -> Any:
        calls.append(SimpleNamespace(pixels=pixels, target=target, options=options, **more))
        return SimpleNamespace(data=b"file")

    monkeypatch.setattr(api, "encode_pixels", encode_pixels)
    return calls


def test_the_names_of_the_package() -> None:
    assert set(inrcodec.__all__) <= set(dir(inrcodec)) | {"encode", "decode", "probe"}
    assert all(getattr(inrcodec, name) is not None for name in inrcodec.__all__)
    assert inrcodec.decode is api.decode
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = inrcodec.nothing


def test_decode_is_the_decoder(tiny: bytes) -> None:
    array = inrcodec.decode(tiny, scale=2, crop=(1, 2, 5, 4), depth=16)
    expected = decode_pixels(tiny, View(scale=2, crop=(1, 2, 5, 4), depth=16)).array
    assert np.array_equal(array, expected)
    assert array.shape == (4, 5, 3)
    assert array.dtype == np.uint16
    assert inrcodec.decode(tiny, width=18).shape == inrcodec.decode(tiny, height=14).shape == (14, 18, 3)
    assert inrcodec.decode(tiny).dtype == np.uint8


def test_errors_of_decode_and_probe(tiny: bytes) -> None:
    for function in (inrcodec.decode, inrcodec.probe):
        with pytest.raises(inrcodec.BadMagic):
            function(b"not a file")
        with pytest.raises(inrcodec.LimitError):
            function(tiny, limits=Limits(max_side=3))
    with pytest.raises(ValueError, match="not several"):
        inrcodec.decode(tiny, scale=2, width=3)


def test_probe(tiny: bytes) -> None:
    info = inrcodec.probe(tiny)
    assert (info.width, info.height, info.bytes) == (9, 7, len(tiny))


@pytest.mark.parametrize(
    ("array", "shape", "depth"),
    [
        (np.zeros((5, 4), np.uint8), (5, 4, 1), 8),
        (np.zeros((5, 4, 1), np.uint16), (5, 4, 1), 16),
        (np.zeros((5, 4, 3), np.uint8), (5, 4, 3), 8),
        (np.zeros((3, 3), np.uint16), (3, 3, 1), 16),
        (np.zeros((4, 5, 3), np.uint8).swapaxes(0, 1), (5, 4, 3), 8),
        (np.zeros((5, 4, 2), np.uint8), (5, 4, 2), 8),
        (np.zeros((5, 4, 4), np.uint16), (5, 4, 4), 16),
    ],
)
def test_arrays(array: Any, shape: tuple[int, ...], depth: int, asked: list[Any]) -> None:
    assert inrcodec.encode(array) == b"file"
    (call,) = asked
    assert (call.pixels.samples.shape, call.pixels.depth) == (shape, depth)
    assert call.pixels.array.flags.c_contiguous


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4), np.int64),
        np.zeros((4, 4), bool),
        np.zeros((4, 4), ">u2") if sys.byteorder == "little" else np.zeros((4, 4), "<u2"),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((4, 4, 0), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((4, 0, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(array: Any, asked: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"an array picture is|expected a \(height"):
        inrcodec.encode(array)
    assert not asked


def test_pillow_images_and_files(tmp_path: Path, asked: list[Any]) -> None:
    image = Image.new("RGB", (4, 3), (10, 200, 30))
    image.putpixel((0, 0), (1, 2, 3))
    image.save(tmp_path / "a.png")
    for source in (image, tmp_path / "a.png", str(tmp_path / "a.png")):
        inrcodec.encode(source)
        assert np.array_equal(asked.pop().pixels.array, np.asarray(image))
    for mode, channels, depth in (("L", 1, 8), ("1", 1, 8), ("I;16", 1, 16), ("P", 3, 8), ("RGBA", 3, 8)):
        inrcodec.encode(Image.new(mode, (4, 3)))
        pixels: Pixels = asked.pop().pixels
        assert (pixels.channels, pixels.depth) == (channels, depth)


def test_alpha_and_metadata_are_chosen(tmp_path: Path, asked: list[Any]) -> None:
    image = Image.new("LA", (4, 3), (10, 51))
    exif = Image.Exif()
    exif[0x010F] = "A maker"
    image.save(tmp_path / "a.png", exif=exif)
    opened = Image.open(tmp_path / "a.png")
    opened.info["xmp"] = b"<x/>"
    for source in (tmp_path / "a.png", opened, np.asarray(image)):
        assert inrcodec.encode(source) == b"file"
        assert asked[-1].pixels.samples[0, 0].tolist() == [10, 51]
        assert not asked[-1].pixels.metadata
        inrcodec.encode(source, alpha="drop")
        assert asked[-1].pixels.samples[0, 0].tolist() == [10]
        inrcodec.encode(source, alpha="#ff0000")
        assert asked[-1].pixels.samples[0, 0].tolist() == [206, 2, 2]
    inrcodec.encode(opened, metadata="all")
    assert b"A maker" in asked[-1].pixels.metadata.exif
    assert asked[-1].pixels.metadata.xmp == b"<x/>"
    inrcodec.encode(np.full((2, 2, 4), 255, np.uint8))
    assert asked[-1].pixels.alpha is None
    with pytest.raises(ValueError, match="alpha is"):
        inrcodec.encode(tmp_path / "a.png", alpha="white")


def test_pillow_images_in_other_colour_spaces(asked: list[Any]) -> None:
    inrcodec.encode(Image.new("CMYK", (4, 3), (0, 255, 255, 0)))
    red = asked.pop().pixels.array[0, 0].astype(int)
    assert red[0] > 200
    assert red[1:].max() < 100
    inrcodec.encode(Image.new("RGB", (4, 3), (200, 40, 40)).convert("YCbCr"))
    assert np.abs(asked.pop().pixels.array[0, 0].astype(int) - [200, 40, 40]).max() <= 3
    for mode in ("F", "HSV"):
        with pytest.raises(inrcodec.ImageError):
            inrcodec.encode(Image.new(mode, (4, 3)))


def test_pillow_images_are_turned_upright_as_their_files_are(tmp_path: Path, asked: list[Any]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (4, 3)).save(tmp_path / "a.jpg", exif=exif)
    inrcodec.encode(tmp_path / "a.jpg")
    inrcodec.encode(Image.open(tmp_path / "a.jpg"))
    assert [call.pixels.array.shape for call in asked] == [(4, 3, 3), (4, 3, 3)]


def test_files_that_are_no_pictures(tmp_path: Path, asked: list[Any]) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    for path in (tmp_path / "a.png", tmp_path / "missing.png"):
        with pytest.raises(inrcodec.ImageError):
            inrcodec.encode(path)
    assert not asked


def test_targets(asked: list[Any]) -> None:
    array = np.zeros((4, 4), np.uint8)
    inrcodec.encode(array)
    inrcodec.encode(array, bpp=0.5)
    inrcodec.encode(array, size=1000)
    inrcodec.encode(array, psnr=30)
    assert [(call.target.kind, call.target.value) for call in asked] == [
        ("bpp", 0.3), ("bpp", 0.5), ("bytes", 1000.0), ("psnr", 30.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "targets", [{"bpp": 0.3, "size": 100}, {"size": 100, "psnr": 30}, {"bpp": 1, "psnr": 30}, {"bpp": 0, "size": 1}]
)
def test_one_target_at_most(targets: dict[str, float], asked: list[Any]) -> None:
    with pytest.raises(ValueError, match="one of bpp, size and psnr"):
        inrcodec.encode(np.zeros((4, 4), np.uint8), **targets)  # type: ignore[arg-type]
    assert not asked


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["bpp", "size", "psnr"])
def test_targets_are_positive_numbers(name: str, value: float, asked: list[Any]) -> None:
    with pytest.raises(ValueError, match="positive number"):
        inrcodec.encode(np.zeros((4, 4), np.uint8), **{name: value})  # type: ignore[arg-type]
    assert not asked


def test_options_reach_the_encoder(asked: list[Any]) -> None:
    def observer(_: Any) -> None: ...

    def stop() -> bool:
        return False

    given = {"effort": 2, "method": "coin", "layers": "2x8", "seed": 5, "device": "cpu", "threads": 1, "max_time": 9.0}
    inrcodec.encode(np.zeros((4, 4), np.uint8), observer=observer, stop=stop, **given)  # type: ignore[arg-type]
    (call,) = asked
    assert {name: getattr(call.options, name) for name in given} == given
    assert (call.observer, call.stop) == (observer, stop)


BLOCK = """
import sys

HEAVY = ("torch", "cooper", "numba", "llvmlite", "scipy", "matplotlib")

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise ImportError(f"{name} is blocked")

if BLOCKED:
    sys.meta_path.insert(0, Blocker())
import inrcodec
data = open(sys.argv[1], "rb").read()
array = inrcodec.decode(data, scale=2)
info = inrcodec.probe(data)
assert array.shape == (2 * info.height, 2 * info.width, 3), array.shape
assert inrcodec.encode
heavy = [name for name in HEAVY if name in sys.modules]
assert not heavy, heavy
"""


@pytest.mark.parametrize("blocked", [False, True])
def test_decoding_imports_nothing_heavy(blocked: bool) -> None:
    command = [sys.executable, "-c", f"BLOCKED = {blocked}\n{BLOCK}", str(GOLDEN)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_blocker_blocks() -> None:
    command = [sys.executable, "-c", f"BLOCKED = True\n{BLOCK}\nimport torch", str(GOLDEN)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert "torch is blocked" in done.stderr
