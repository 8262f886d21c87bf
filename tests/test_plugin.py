"""The format as Pillow sees it: opened lazily, drawn on loading, saved with options, refused as Pillow's own are."""

from __future__ import annotations

import doctest
import io
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image, ImageFile, UnidentifiedImageError

import inrcodec
from inrcodec import plugin
from inrcodec.decoder import View, decode_pixels
from inrcodec.format.container import MAGIC, MAX_HEADER_BYTES, Header, Tag, read, write
from inrcodec.format.stream import Stream, pack
from inrcodec.format.varint import varint
from inrcodec.net.grid import GridArch

MakeFile = Callable[..., bytes]
MakeStream = Callable[..., Stream]

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.inr"))


def _open(data: bytes) -> ImageFile.ImageFile:
    return Image.open(io.BytesIO(data))


def _level(pixels: Any) -> Any:
    """Pixels as Pillow has them: gray without an axis for it, colours at 8 bits."""
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tiny: bytes) -> list[Any]:
    """What the encoder, replaced by a stand-in that returns a file at once, is asked for: (image, options)."""
    calls: list[Any] = []

    def encode(image: Any, **options: Any) -> bytes:
        calls.append((image, options))
        return tiny

    monkeypatch.setattr(plugin, "encode", encode)
    return calls


@pytest.fixture
def no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(*_: Any, **__: Any) -> bytes:
        raise inrcodec.TargetError("12 bytes are too few", smallest_bytes=60)

    monkeypatch.setattr(plugin, "encode", encode)


def test_the_example_of_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)
    assert doctest.testmod(plugin).attempted == 3
    assert doctest.testmod(plugin).failed == 0


def test_what_is_registered() -> None:
    assert Image.registered_extensions()[".inr"] == "INR"
    assert Image.MIME["INR"] == "image/x-inr"
    assert "INR" in Image.OPEN
    assert "INR" in Image.SAVE


@pytest.mark.parametrize("name", NAMES)
def test_golden_files_have_the_golden_pixels(name: str) -> None:
    expected = np.load(GOLDEN / f"{name}.npy")
    with Image.open(GOLDEN / f"{name}.inr") as image:
        assert image.format == "INR"
        assert image.get_format_mimetype() == "image/x-inr"
        assert image.size == expected.shape[1::-1]
        pixels = np.asarray(image)
    if expected.dtype == np.uint16 and expected.shape[2] > 1:
        expected = np.rint(expected / 257).astype(np.uint8)
    assert pixels.dtype == expected.dtype
    difference = np.abs(pixels.astype(int) - _level(expected).astype(int))
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= max(1, 1e-4 * (1 if pixels.dtype == np.uint8 else 257) * expected.size)


@pytest.mark.parametrize("name", NAMES)
def test_the_header_says_what_the_decoder_says(name: str) -> None:
    data = (GOLDEN / f"{name}.inr").read_bytes()
    about = inrcodec.probe(data)
    info = _open(data).info
    sections = {section.name for section in about.sections}
    assert {plugin.KEPT[name] for name in about.metadata} == set(info) - {"bpp", "depth", "arch"}
    assert info["arch"] == ("grid" if "grid" in sections else "siren")
    assert (info["bpp"], info["depth"]) == (about.bpp, about.depth)


@pytest.mark.parametrize(("channels", "depth", "mode"), [(1, 8, "L"), (1, 16, "I;16"), (3, 8, "RGB"), (3, 16, "RGB")])
def test_modes(channels: int, depth: int, mode: str, make_file: MakeFile) -> None:
    data = make_file(channels=channels, depth=depth)
    image = _open(data)
    assert image.mode == mode == plugin.mode_of(Header(9, 7, channels, depth))
    drawn = decode_pixels(data, View(depth=16 if mode == "I;16" else 8))
    assert np.array_equal(np.asarray(image), _level(drawn.array))
    assert image.info["depth"] == depth


def test_opening_draws_nothing_and_reads_only_the_header(make_file: MakeFile, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_file((40, 40))
    file = io.BytesIO(data[:MAX_HEADER_BYTES] + bytes(len(data) - MAX_HEADER_BYTES))  # damaged behind the header
    monkeypatch.setattr(plugin, "decode_pixels", None)
    image = Image.open(file)
    assert (image.size, image.mode, image.info["bpp"]) == ((9, 7), "RGB", 8 * len(data) / 63)
    assert file.tell() == MAX_HEADER_BYTES < len(data)


def test_pixels_are_drawn_once(tiny: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def decode(*arguments: Any) -> Any:
        calls.append(arguments)
        return decode_pixels(*arguments)

    monkeypatch.setattr(plugin, "decode_pixels", decode)
    image = _open(tiny)
    assert image.getpixel((3, 4)) == image.getpixel((3, 4))
    image.load()
    assert len(calls) == 1


def test_paths_pickles_and_the_incremental_parser(tiny: bytes, tmp_path: Path) -> None:
    path, expected = tmp_path / "other.ending", decode_pixels(tiny).array
    path.write_bytes(tiny)
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), expected)
        assert np.array_equal(np.asarray(pickle.loads(pickle.dumps(image))), expected)
    parser = ImageFile.Parser()
    for at in range(0, len(tiny), 30):
        parser.feed(tiny[at : at + 30])
    assert np.array_equal(np.asarray(parser.close()), expected)


@pytest.mark.parametrize(
    ("asked_for", "size"),
    [((40, 30), (40, 30)), ((21, 16), (40, 30)), ((20, 15), (20, 15)), ((6, 6), (10, 8)), ((1, 1), (5, 4))],
)
def test_a_draft_is_a_smaller_drawing(asked_for: tuple[int, int], size: tuple[int, int], make_file: MakeFile) -> None:
    data = make_file(width=40, height=30)
    image = _open(data)
    assert image.draft(None, asked_for) == ("RGB", (0, 0, *size))
    assert image.size == size
    assert np.array_equal(np.asarray(image), decode_pixels(data, View(width=size[0])).array)
    assert image.draft(None, (1, 1)) is None  # what is loaded stays as it is
    assert image.size == size


def test_thumbnails(make_file: MakeFile) -> None:
    data = make_file(width=64, height=48, channels=1)
    quick, slow = _open(data), _open(data)
    slow.load()
    for image in (quick, slow):
        image.thumbnail((8, 8))
        assert image.size == (8, 6)
    assert np.abs(np.asarray(quick).astype(int) - np.asarray(slow)).mean() < 6
    assert not np.array_equal(np.asarray(quick), np.asarray(slow))


def test_drafts_of_grids_are_means(make_grid_stream: MakeStream) -> None:
    data = pack(make_grid_stream(GridArch(0, 3), width=40, height=32))
    image = _open(data)
    assert image.info["arch"] == "grid"
    assert image.draft(None, (10, 8)) == ("RGB", (0, 0, 10, 8))
    means = decode_pixels(data).array.reshape(8, 4, 10, 4, 3).mean((1, 3))
    assert np.abs(np.asarray(image) - means).max() <= 1
    quick, slow = _open(data), _open(data)
    slow.load()
    for thumbnail in (quick, slow):
        thumbnail.thumbnail((5, 4))
    assert np.abs(np.asarray(quick).astype(int) - np.asarray(slow)).max() <= 6


def test_verify(tiny: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.inr"
    path.write_bytes(tiny)
    image = Image.open(path)
    file = image.fp
    assert file is not None
    image.verify()
    assert file.closed
    with pytest.raises(RuntimeError, match="directly after open"):
        image.verify()
    for damaged, words in (
        (tiny[:-1] + bytes([tiny[-1] ^ 1]), "checksum"),
        (tiny[:-1], "ends early"),
        (tiny + b"\0", f"goes on after the {len(tiny)} bytes"),
    ):
        with pytest.raises(OSError, match=words):
            _open(damaged).verify()


def _refused(data: bytes) -> tuple[bool, bool]:
    """Whether loading and verifying refuse the bytes as Pillow's formats do; any other error is let through."""
    try:
        image, other = _open(data), _open(data)
    except (UnidentifiedImageError, Image.DecompressionBombError):
        return True, True
    return _fails(image.load), _fails(other.verify)


def _fails(act: Callable[[], object]) -> bool:
    try:
        act()
    except OSError:
        return True
    return False


@pytest.fixture(params=["rgb", "gray", "grid", "halves", "brotli", "alpha_lossless", "alpha_lossy", "metadata"])
def golden(request: pytest.FixtureRequest) -> bytes:
    return (GOLDEN / f"{request.param}.inr").read_bytes()


@pytest.mark.filterwarnings("ignore:image file could not be identified:UserWarning")
def test_every_truncation_is_refused(golden: bytes) -> None:
    assert _refused(golden) == (False, False)
    for length in range(len(golden)):
        assert _refused(golden[:length]) == (True, True), length


@pytest.mark.filterwarnings("ignore:image file could not be identified:UserWarning", "ignore:Image size")
def test_flipped_bits_are_refused(golden: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1 << 20)  # nobody has to clear memory for sizes that are wrong
    header = read(golden).header_bytes
    places = random.Random(3).sample(range(8 * header, 8 * len(golden)), 300)
    for bit in (*range(8 * header), *places):
        damaged = bytearray(golden)
        damaged[bit // 8] ^= 1 << bit % 8
        assert _refused(bytes(damaged)) == (True, True), bit


def test_damaged_files_stay_refused_when_loaded_again(tiny: bytes) -> None:
    image = _open(tiny[:-1])
    for _ in range(2):
        with pytest.raises(OSError, match="ends early"):
            image.load()


def test_a_file_that_goes_on_is_refused(tiny: bytes) -> None:
    with pytest.raises(OSError, match=f"goes on after the {len(tiny)} bytes"):
        _open(tiny + bytes(10)).load()


def test_a_header_that_declares_more_than_there_is_memory_for(tiny: bytes) -> None:
    head = MAGIC + bytes([1, 0, 9, 7, 1, Tag.SIREN]) + varint((1 << 35) - 1) + bytes(4)
    image = _open(head + bytes(50))
    with pytest.raises(OSError, match="ends early"):
        image.load()


def test_a_file_that_changes_while_it_is_open(make_file: MakeFile) -> None:
    data, other = make_file(width=9, height=7, halves=True), make_file(width=7, height=9, halves=True)
    file = io.BytesIO(data)
    image = Image.open(file)
    file.seek(0)
    assert file.write(other) == len(data)
    with pytest.raises(OSError, match="has changed"):
        image.load()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"#INRIMAGE-4#{\nXDIM=150\n", "INRIMAGE-4 volume"),
        (b"\x09INR\r\n\x1a\n" + bytes(20), "seven-bit"),
        (b"\x89INR\n\x1a\n" + bytes(20), "text-mode"),
        (MAGIC + bytes([2]) + bytes(20), "format version 2"),
        (MAGIC + bytes([1, 0x80]) + bytes(20), "a newer inrcodec"),
    ],
)
def test_a_warning_says_why_where_it_is_known(data: bytes, words: str) -> None:
    with pytest.warns(UserWarning, match=words), pytest.raises(UnidentifiedImageError):
        _open(data)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x89", MAGIC, bytes(100), MAGIC + bytes([1, 0, 0, 7]) + bytes(100),
        write(Header(9, 7), {Tag.LAWS: b"some"}), MAGIC + bytes([1, 0]) + varint(1 << 34) + bytes([1, 1, 1, 3]),
    ],
)  # fmt: skip
def test_the_rest_is_quietly_not_identified(data: bytes, recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(UnidentifiedImageError):
        _open(data)
    assert not recwarn


def test_other_formats_open_as_before(tmp_path: Path) -> None:
    Image.new("RGB", (4, 3), "red").save(tmp_path / "png.inr", "PNG")
    with Image.open(tmp_path / "png.inr") as image:
        assert image.format == "PNG"
    with pytest.raises(UnidentifiedImageError):
        Image.open(tmp_path / "png.inr", formats=["INR"])


def test_decompression_bombs(make_file: MakeFile, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_file(width=10, height=10)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60)
    with pytest.warns(Image.DecompressionBombWarning):
        assert _open(data).load() is not None
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    with pytest.raises(Image.DecompressionBombError):
        _open(data)


def test_the_decoders_limits_come_before_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    image = _open(write(Header(65535, 65535), {Tag.SIREN: b"", Tag.HALVES: b""}))
    assert image.size == (65535, 65535)
    monkeypatch.setattr("PIL.Image.core.new", None)
    with pytest.raises(OSError, match="limit of 268435456 pixels"):
        image.load()


@pytest.mark.parametrize("where", ["path", "file"])
def test_saving_hands_the_options_on(where: str, asked: list[Any], tiny: bytes, tmp_path: Path) -> None:
    image, path = Image.new("RGB", (4, 3)), tmp_path / "a.inr"
    options: dict[str, Any] = {"bpp": 0.3, "effort": 2, "seed": 7, "max_time": 1.5}
    if where == "path":
        image.save(path, quality=80, **options)  # other formats' options are ignored, as other formats do
    else:
        with path.open("wb") as file:
            image.save(file, "INR", quality=80, **options)
    assert path.read_bytes() == tiny
    ((picture, given),) = asked
    assert given == options
    assert picture.tobytes() == image.tobytes()


def test_every_option_of_encode_is_one_of_save() -> None:
    assert {"bpp", "size", "psnr", "effort", "method", "seed", "threads", "observer", "stop"} <= set(plugin.OPTIONS)
    assert "image" not in plugin.OPTIONS


def test_options_of_the_image_itself(asked: list[Any]) -> None:
    image = Image.new("L", (4, 3))
    plugin._save(_with(image, {"psnr": 30.0, "optimize": True}), io.BytesIO(), "")
    assert [options for _, options in asked] == [{"psnr": 30.0}]


def _with(image: Image.Image, options: dict[str, Any]) -> Image.Image:
    image.encoderinfo = options
    return image


def test_saved_pictures_are_upright_and_know_nothing_of_the_save(asked: list[Any], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (4, 3)).save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as image:
        image.save(tmp_path / "a.inr", exif=exif)
    ((picture, options),) = asked
    assert picture.size == (3, 4)
    assert picture.getexif().get(0x0112, 1) == 1
    assert options == {"metadata": "exif"}
    assert getattr(picture, "encoderinfo", {}) == {}


def test_damaged_exif_does_not_cost_the_picture(asked: list[Any]) -> None:
    image = Image.new("RGB", (4, 3))
    image.info["exif"] = b"Exif\0\0nonsense"
    image.save(io.BytesIO(), "INR")
    ((picture, _),) = asked
    assert picture.size == (4, 3)
    assert "exif" not in picture.info
    assert "exif" in image.info


def test_a_real_file(tmp_path: Path) -> None:
    path = tmp_path / "a.inr"
    Image.new("RGB", (6, 6), (200, 60, 90)).save(path, size=300, effort=1, layers="1x4", threads=1, max_time=1.0)
    assert path.stat().st_size <= 300
    with Image.open(path) as image:
        assert np.abs(np.asarray(image).mean(axis=(0, 1)) - (200, 60, 90)).max() < 20


@pytest.mark.parametrize(
    ("mode", "opened"), [("1", "L"), ("I;16", "I;16"), ("P", "RGB"), ("RGBA", "RGBA"), ("LA", "LA")]
)
def test_modes_are_converted_as_encode_does(mode: str, opened: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def fit(pixels: Any, *_: Any, **__: Any) -> Any:
        seen.append(pixels)
        raise inrcodec.TargetError("enough seen")

    monkeypatch.setattr("inrcodec.api.encode_pixels", fit)
    with pytest.raises(OSError, match="enough seen"), pytest.warns(UserWarning, match="EXIF data is damaged"):
        Image.new(mode, (4, 3)).save(io.BytesIO(), "INR", size=300, exif=b"nonsense")
    (pixels,) = seen
    assert plugin.mode_of(Header(4, 3, pixels.channels, pixels.depth, pixels.alpha is not None)) == opened
    assert not pixels.metadata


def test_a_save_that_fails_leaves_nothing(no_encoder: None, tmp_path: Path) -> None:
    buffer, picture = io.BytesIO(), Image.new("RGB", (4, 3))
    with pytest.raises(OSError, match="12 bytes are too few") as caught:
        picture.save(tmp_path / "a.inr", size=12)
    assert isinstance(caught.value.__cause__, inrcodec.TargetError)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="too few"):
        picture.save(buffer, "INR", size=12)
    assert buffer.getvalue() == b""


def test_modes_and_options_that_cannot_be(tmp_path: Path) -> None:
    for mode in ("F", "HSV"):
        with pytest.raises(OSError, match="cannot write the picture as INR"):
            Image.new(mode, (4, 3)).save(tmp_path / "a.inr")
    with pytest.raises(ValueError, match="one of bpp, size and psnr"):
        Image.new("L", (4, 3)).save(tmp_path / "a.inr", bpp=1, psnr=30)
    assert list(tmp_path.iterdir()) == []


def test_saving_over_the_file_that_is_open(asked: list[Any], make_file: MakeFile, tmp_path: Path) -> None:
    path = tmp_path / "a.inr"
    path.write_bytes(make_file(channels=1))
    with Image.open(path) as image:
        image.save(path)
        ((picture, _),) = asked
        assert picture.tobytes() == image.tobytes()


def test_writing_is_one_piece(asked: list[Any], tiny: bytes) -> None:
    pieces: list[bytes] = []

    class File(io.BytesIO):
        def write(self, data: Any) -> int:
            pieces.append(bytes(data))
            return len(data)

    file: BinaryIO = File()
    Image.new("L", (2, 2)).save(file, "INR")
    assert pieces == [tiny]
