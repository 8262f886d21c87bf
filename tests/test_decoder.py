from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrcodec import decoder
from inrcodec.coding.law import Law
from inrcodec.coding.symbols import Symbols
from inrcodec.decoder import View, anatomy, decode_pixels, decoding_work, draw, probe
from inrcodec.errors import BitstreamError, LimitError
from inrcodec.format.container import Header, Tag, write
from inrcodec.format.sections import write_laws, write_siren
from inrcodec.format.stream import Stream, pack, unpack
from inrcodec.limits import Limits
from inrcodec.net.arch import Arch

MakeStream = Callable[..., Stream]
MakeFile = Callable[..., bytes]


def _close(a: np.ndarray, b: np.ndarray, share: float = 0.01) -> bool:
    """Equal but for samples at the edge of two levels."""
    difference = np.abs(a.astype(int) - b.astype(int))
    return a.shape == b.shape and difference.max() <= 1 and float(np.mean(difference > 0)) <= share


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("depth", "dtype"), [(8, np.uint8), (16, np.uint16)])
@pytest.mark.parametrize(("width", "height"), [(9, 7), (1, 1), (1, 23), (23, 1)])
@pytest.mark.parametrize("halves", [False, True])
def test_every_kind_of_file_is_decoded(
    channels: int, depth: int, dtype: type, width: int, height: int, halves: bool, make_file: MakeFile
) -> None:
    data = make_file(width=width, height=height, channels=channels, depth=depth, halves=halves)
    pixels = decode_pixels(data)
    assert (pixels.width, pixels.height, pixels.channels, pixels.depth) == (width, height, channels, depth)
    assert pixels.array.dtype == dtype
    info = probe(data)
    assert (info.width, info.height, info.channels, info.depth) == (width, height, channels, depth)
    assert info.method == ("dense16" if halves else "entropy")


def test_the_picture_is_the_networks(make_stream: MakeStream) -> None:
    """A net whose output is its two biases and one sine, worked out by hand."""
    arch = Arch((1,), 3)
    weights = {
        "W0": np.array([[0.05, 0.0]], np.float32),
        "W1": np.array([[0.5], [0.0], [2.0]], np.float32),
        "b.hidden": np.array([0.0], np.float32),
        "b.out": np.array([0.5, 0.25, 0.0], np.float32),
    }
    pixels = draw(Stream(Header(4, 2), arch, weights))
    sines = np.sin(30 * 0.05 * np.array([-0.75, -0.25, 0.25, 0.75]))
    expected = np.stack([0.5 + 0.5 * sines, np.full(4, 0.25), 2 * sines], 1).clip(0, 1) * 255
    assert np.array_equal(pixels.array, np.rint(np.stack([expected, expected])).astype(np.uint8))


@pytest.mark.parametrize(
    ("view", "size"),
    [
        (View(), (9, 7)),
        (View(scale=1), (9, 7)),
        (View(scale=2), (18, 14)),
        (View(scale=0.5), (4, 4)),
        (View(scale=1e-6), (1, 1)),
        (View(width=90), (90, 70)),
        (View(width=4), (4, 3)),
        (View(height=70), (90, 70)),
        (View(height=1), (1, 1)),
        (View(scale=2, crop=(17, 13, 1, 1)), (1, 1)),
        (View(width=90, crop=(5, 6, 40, 30)), (40, 30)),
    ],
)
def test_sizes_of_views(view: View, size: tuple[int, int], tiny: bytes) -> None:
    pixels = decode_pixels(tiny, view)
    assert (pixels.width, pixels.height) == size


def test_larger_drawings_show_the_same_picture(tiny: bytes) -> None:
    plain = decode_pixels(tiny).array.astype(float)
    tripled = decode_pixels(tiny, View(scale=3)).array
    assert _close(tripled[1::3, 1::3], plain), "the centre of every pixel stays where it was"
    other = decode_pixels(tiny, View(width=27)).array
    assert np.array_equal(tripled, other)
    assert np.array_equal(tripled, decode_pixels(tiny, View(height=21)).array)


@given(st.data())
def test_a_crop_is_a_part_of_the_whole(tiny: bytes, data: st.DataObject) -> None:
    scale = data.draw(st.sampled_from([1, 2, 3.3]))
    whole = decode_pixels(tiny, View(scale=scale)).array
    height, width = whole.shape[:2]
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    w, h = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    part = decode_pixels(tiny, View(scale=scale, crop=(x, y, w, h))).array
    assert _close(part, whole[y : y + h, x : x + w], share=1 / min(w * h, 100))


def test_only_the_crop_is_computed(tiny: bytes) -> None:
    """The whole drawing would have 200 million pixels."""
    view = View(width=16000, crop=(8000, 6000, 3, 2))
    limits = Limits(max_pixels=63)
    assert decode_pixels(tiny, view, limits).array.shape == (2, 3, 3)
    with pytest.raises(LimitError):
        decode_pixels(tiny, View(width=16000), limits)


def test_depth_of_the_output(make_file: MakeFile) -> None:
    shallow, deep = make_file(depth=8), make_file(depth=16)
    for data in (shallow, deep):
        fine = decode_pixels(data, View(depth=16)).array
        coarse = decode_pixels(data, View(depth=8)).array
        assert fine.dtype == np.uint16
        assert coarse.dtype == np.uint8
        assert _close(coarse, np.rint(fine / 257))
        assert len(np.unique(fine)) > len(np.unique(coarse)) > 10


def test_strips_do_not_show(tiny: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = decode_pixels(tiny).array
    for strip in (1, 10, 20, 63):
        monkeypatch.setattr(decoder, "STRIP", strip)
        assert _close(decode_pixels(tiny).array, whole)


def test_large_pictures_take_little_more_memory_than_their_samples(make_file: MakeFile) -> None:
    data = make_file((1,), width=3000, height=2000, channels=1)
    tracemalloc.start()
    pixels = decode_pixels(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pixels.array.nbytes == 6e6
    assert peak < 6e6 + 24e6, "the samples as floats would take 24 MB more for every copy"


@pytest.mark.parametrize(
    "view",
    [
        View(scale=2, width=4),
        View(width=4, height=4),
        View(scale=0),
        View(scale=-1),
        View(scale=float("nan")),
        View(scale=float("inf")),
        View(scale=1e308),
        View(width=0),
        View(height=-3),
        View(width=10**400),
        View(crop=(0, 0, 10, 7)),
        View(crop=(0, 0, 9, 8)),
        View(crop=(-1, 0, 2, 2)),
        View(crop=(0, -1, 2, 2)),
        View(crop=(0, 0, 0, 2)),
        View(crop=(0, 0, 2, 0)),
        View(crop=(9, 0, 1, 1)),
        View(scale=2, crop=(17, 0, 2, 1)),
    ],
)
def test_views_that_make_no_sense_are_value_errors(view: View, tiny: bytes) -> None:
    with pytest.raises(ValueError, match=r"cannot draw|not several|does not lie inside"):
        decode_pixels(tiny, view)


@pytest.mark.parametrize("depth", [0, 1, 12, 32])
def test_other_depths_are_value_errors(depth: int) -> None:
    with pytest.raises(ValueError, match="8 or 16 bits"):
        View(depth=depth)


@pytest.mark.parametrize("view", [View(scale=1e7), View(width=65536), View(width=10**8, crop=(0, 0, 1, 1))])
def test_views_that_are_too_large_are_limit_errors(view: View, tiny: bytes) -> None:
    with pytest.raises(LimitError):
        decode_pixels(tiny, view)


@pytest.mark.parametrize("kind", [{}, {"halves": True}, {"channels": 1, "depth": 16, "width": 1, "height": 1}])
def test_probe_tells_where_every_byte_is(kind: dict[str, Any], make_file: MakeFile) -> None:
    data = make_file(**kind)
    info = probe(data)
    assert info.bytes == len(data)
    assert info.bpp == 8 * len(data) / (info.width * info.height)
    position = 0
    for section in info.sections:
        assert section.offset == position
        position += section.bytes
    assert position == len(data)
    names = ["header", "siren", *(["halves"] if "halves" in kind else ["laws", "symbols"])]
    assert [section.name for section in info.sections] == names
    assert (info.version, info.arch, info.w0) == (1, "1x6+1x5", (30, 30))
    record = json.loads(json.dumps(info.as_dict()))
    assert record["sections"][0] == {"name": "header", "offset": 0, "bytes": info.sections[0].bytes}
    assert record["params"] == info.params == unpack(data).arch.params


def test_anatomy_accounts_for_the_payload(make_file: MakeFile) -> None:
    data = make_file((20, 20))
    parts = anatomy(data)
    stream = unpack(data)
    assert isinstance(stream.weights, Symbols)
    assert [(part.name, part.shape, part.total) for part in parts] == [
        (spec.name, spec.shape, spec.size) for spec in stream.arch.tensors()
    ]
    assert sum(part.kept for part in parts) == stream.weights.kept
    assert [part.step for part in parts] == [law.delta for law in stream.weights.laws]
    payload = next(section.bytes for section in probe(data).sections if section.name == "symbols")
    assert sum(part.bits for part in parts) / 8 == pytest.approx(payload, abs=4)


def test_anatomy_of_halves(make_file: MakeFile) -> None:
    parts = anatomy(make_file(halves=True))
    assert all(part.bits == 16 * part.total and part.step == 0 for part in parts)
    assert 0 < sum(part.kept for part in parts) < sum(part.total for part in parts)


def test_probe_decodes_no_weights(tiny: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("weights were decoded")

    monkeypatch.setattr(Symbols, "decode", fail)
    assert probe(tiny).params > 0
    with pytest.raises(AssertionError):
        decode_pixels(tiny)


def _hostile(width: int, height: int, hidden: tuple[int, ...] = (1,)) -> bytes:
    """A tiny file with a right CRC that asks for a lot."""
    arch = Arch(hidden, 1)
    laws = (Law(0, 0, 255),) * len(arch.tensors())
    sections = {Tag.SIREN: write_siren(arch), Tag.LAWS: write_laws(laws), Tag.SYMBOLS: b""}
    return write(Header(width, height, 1), sections)


def _refused(read: Callable[[bytes], Any], data: bytes) -> None:
    assert len(data) < 400
    tracemalloc.start()
    with pytest.raises(LimitError):
        read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize(
    "data",
    [
        _hostile(65535, 65535),
        _hostile(2**35 - 1, 1),
        _hostile(1, 2**35 - 1),
        _hostile(1, 1, (4096,) * 64),
        _hostile(1, 1, (2048, 2047)),
    ],
)
def test_hostile_files_are_refused_before_anything_is_allocated(data: bytes) -> None:
    _refused(decode_pixels, data)
    _refused(probe, data)
    _refused(anatomy, data)


def test_too_much_work_is_refused_before_anything_is_drawn() -> None:
    data = _hostile(16384, 16384, (128,) * 3)
    assert probe(data).width == 16384
    _refused(decode_pixels, data)


def test_limits_are_the_callers(tiny: bytes) -> None:
    params = probe(tiny).params
    fits = Limits(max_side=9, max_pixels=63, max_params=params, max_work=decoding_work(tiny))
    decode_pixels(tiny, limits=fits)
    for name in ("max_side", "max_pixels", "max_params", "max_work"):
        with pytest.raises(LimitError):
            decode_pixels(tiny, limits=replace(fits, **{name: getattr(fits, name) - 1}))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_halves_that_are_not_finite_are_refused(bad: float, make_stream: MakeStream) -> None:
    stream = make_stream(halves=True)
    weights = stream.tensors()
    weights["b.out"] = np.array([0.5, bad, 0.5], np.float32)
    data = pack(replace(stream, weights=weights))
    with pytest.raises(BitstreamError, match="not finite"):
        decode_pixels(data)


def test_overflowing_weights_draw_something(recwarn: pytest.WarningsRecorder) -> None:
    """The largest steps, symbols, halves and frequencies."""
    arch = Arch((3, 3), 3, 255, 255)
    symbols = tuple(np.full(spec.shape, 3968, np.int32) for spec in arch.tensors())
    laws = (Law(255, 143, 1),) * len(symbols)
    coded = decode_pixels(pack(Stream(Header(5, 4), arch, Symbols(arch, laws, symbols))))
    assert coded.array.shape == (4, 5, 3)
    halves = {spec.name: np.full(spec.shape, 65504, np.float32) for spec in arch.tensors()}
    assert decode_pixels(pack(Stream(Header(5, 4), arch, halves))).array.shape == (4, 5, 3)
    endless = {name: np.full(weights.shape, 3e38, np.float32) for name, weights in halves.items()}
    assert draw(Stream(Header(5, 4), arch, endless)).array.tolist() == np.zeros((4, 5, 3)).tolist(), "NaN is black"
    assert not recwarn.list
