"""Files with latents, from bytes to pixels."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inrcodec.coding.estimate import fit_law
from inrcodec.coding.symbols import Symbols
from inrcodec.decoder import View, anatomy, decode_pixels, decoding_work, draw, probe
from inrcodec.errors import InrError, LimitError
from inrcodec.format import stream as stream_module
from inrcodec.format.container import Header, Tag, read, write
from inrcodec.format.extras import Extras, attach
from inrcodec.format.metadata import write_metadata
from inrcodec.format.sections import GridHead, write_grid, write_laws
from inrcodec.format.stream import Stream, pack, unpack
from inrcodec.limits import Limits
from inrcodec.net import canvas
from inrcodec.net.grid import ACTIVATIONS, GridArch
from inrcodec.net.layered import LayeredArch
from inrcodec.net.work import canvas_work
from inrcodec.pixels import Metadata

MakeStream = Callable[..., Stream]

Float = NDArray[np.float64]
HERE = Path(__file__).parent
GOLDEN = sorted(path.stem for path in HERE.glob("golden/grid*.inr"))

ARCH = GridArch(0, 3, 5, 3, (4,), (6,))
MIXING = GridArch(0, 3, 5, 3, (4,), (6,), residuals=1)
VIEWS = [
    View(),
    View(scale=2),
    View(scale=0.5),
    View(scale=0.3),
    View(width=7),
    View(height=1),
    View(scale=1.3, crop=(1, 2, 3, 4)),
    View(depth=16),
]


@pytest.fixture(scope="module")
def data(make_grid_stream: MakeStream) -> bytes:
    return pack(make_grid_stream(ARCH, width=37, height=22))


@given(
    st.sampled_from([1, 2, 3, 9, 16, 33]),
    st.sampled_from([1, 2, 3, 9, 16, 33]),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(ACTIVATIONS),
    st.sampled_from([1, 3]),
    st.sampled_from([8, 16]),
    st.sampled_from(VIEWS),
    st.sampled_from([0, 0.1, 1]),
)
@settings(max_examples=60)
def test_every_kind_of_file_is_decoded_at_every_size(
    make_grid_stream: MakeStream,
    width: int,
    height: int,
    finest: int,
    more: int,
    activation: str,
    outputs: int,
    depth: int,
    view: View,
    density: float,
) -> None:
    arch = GridArch(finest, finest + more, 4, 2, (3,), (5,), activation, outputs=outputs)
    stream = make_grid_stream(arch, width=width, height=height, depth=depth, density=density)
    data = pack(stream)
    w, h = view.size(width, height)
    view = replace(view, crop=view.crop if view.crop and w > 4 and h > 6 else None)
    pixels = decode_pixels(data, view)
    w, h = view.window(w, h)[2:]
    assert (pixels.width, pixels.height, pixels.channels) == (w, h, outputs)
    assert pixels.depth == (view.depth or depth)
    assert np.array_equal(draw(stream, view).array, pixels.array)


def test_a_crop_is_a_part_of_the_whole(data: bytes) -> None:
    for scale in (1, 0.5, 2, 0.7):
        whole = decode_pixels(data, View(scale=scale, depth=16)).array.astype(int)
        height, width = whole.shape[:2]
        x, y, w, h = width // 3, height // 4, width // 2, height // 2
        part = decode_pixels(data, View(scale=scale, crop=(x, y, w, h), depth=16)).array
        assert np.abs(part - whole[y : y + h, x : x + w]).max() <= 1


def test_strips_do_not_show(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    views = (View(depth=16), View(scale=0.6, depth=16), View(scale=2, depth=16))
    wholes = [decode_pixels(data, view).array.astype(int) for view in views]
    for strip in (1, 100, 333):
        monkeypatch.setattr(canvas, "STRIP", strip)
        monkeypatch.setattr(canvas, "STRIP_ROWS", 1)
        for view, whole in zip(views, wholes, strict=True):
            assert np.abs(decode_pixels(data, view).array - whole).max() <= 1


def _weights(coded: int, drawn: int) -> Float:
    """What every sample of a picture gives to those of a drawing, along one side."""
    matrix = np.zeros((drawn, coded))
    for i in range(drawn):
        if drawn <= coded:
            edges = np.clip(np.arange(coded + 1), i * coded / drawn, (i + 1) * coded / drawn)
            matrix[i] = np.diff(edges) * drawn / coded
            continue
        at = (i + 0.5) * coded / drawn - 0.5
        near = np.arange(np.floor(at) - 2, np.floor(at) + 4)
        taps = np.sinc(at - near) * np.sinc((at - near) / 3)
        np.add.at(matrix[i], near.astype(int).clip(0, coded - 1), taps / taps.sum())
    return matrix


def _resized(picture: Float, width: int, height: int) -> Float:
    down, across = _weights(len(picture), height), _weights(picture.shape[1], width)
    resized: Float = np.einsum("ij,jkc,lk->ilc", down, picture, across, optimize=True)
    return resized


def _mixing(make_grid_stream: MakeStream, arch: GridArch = MIXING) -> bytes:
    """A file whose 3x3 layer exchanges the colours, and whose finest grid says a lot."""
    stream = make_grid_stream(arch, width=37, height=22, spread=20.0)
    assert isinstance(stream.weights, Symbols)
    at = [spec.name for spec in arch.tensors()].index("R0")
    values = list(stream.weights.values)
    values[at] = values[at].copy()
    step = stream.weights.laws[at].delta
    values[at][:, :, 1, 1] += np.rint(np.array([[-1, 1, 0], [0, -1, 1], [1, 0, -1]]) * 0.9 / step).astype(np.int32)
    laws = list(stream.weights.laws)
    laws[at] = fit_law(values[at], laws[at].step)
    latents = list(stream.latents or ())
    rng = np.random.default_rng(1)
    latents[arch.grids - 1] = np.rint(rng.laplace(5, 3, latents[arch.grids - 1].shape)).astype(np.int32)
    weights = replace(stream.weights, laws=tuple(laws), values=tuple(values))
    return pack(replace(stream, weights=weights, latents=tuple(latents)))


@pytest.mark.parametrize("scale", [1 / 2, 1 / 4, 1 / 3, 0.7, 2, 1.5])
@pytest.mark.parametrize("kind", [*GOLDEN, "mixing", "layered", "line"])
def test_a_drawing_of_any_size_is_the_picture_resampled(kind: str, scale: float, make_grid_stream: MakeStream) -> None:
    if kind in GOLDEN:
        data = (HERE / "golden" / f"{kind}.inr").read_bytes()
    elif kind == "line":
        data = pack(make_grid_stream(ARCH, width=1, height=45))
    else:
        data = _mixing(make_grid_stream, MIXING if kind == "mixing" else LayeredArch.over(MIXING, 1))
    pixels = decode_pixels(data, View(depth=16))
    drawn = decode_pixels(data, View(scale=scale, depth=16))
    expected = _resized(pixels.array.astype(float), drawn.width, drawn.height).clip(0, 65535)
    assert np.abs(drawn.array - expected).max() <= 2, "in levels of 16 bits, both of them rounded"
    assert np.abs(decode_pixels(data, View(scale=scale, depth=8)).array - expected / 257).max() <= 0.6


def test_colours_stay_at_every_size(make_grid_stream: MakeStream) -> None:
    data = _mixing(make_grid_stream)
    whole = decode_pixels(data).array.mean((0, 1))
    assert np.ptp(whole) > 10
    for scale in (0.1, 0.25, 0.5, 2, 3):
        assert np.abs(decode_pixels(data, View(scale=scale)).array.mean((0, 1)) - whole).max() < 3


def test_views_cost_what_is_drawn_for_them(data: bytes) -> None:
    """Of the picture at its own size, which a small drawing is made of."""
    stream, size = unpack(data), (37, 22)
    live = [bool(plane.any()) for plane in stream.latents or ()]
    for view in (View(), View(scale=0.1), View(scale=4), View(width=74, crop=(30, 20, 2, 2))):
        drawn = view.size(*size)
        work = canvas_work(ARCH, size, drawn, view.window(*drawn), live)
        draw(stream, view, Limits(max_work=work))
        with pytest.raises(LimitError):
            draw(stream, view, Limits(max_work=work - 1))


def test_probe_and_anatomy_tell_where_the_bytes_are(make_grid_stream: MakeStream) -> None:
    stream = make_grid_stream(ARCH, width=60, height=50)
    data = pack(stream)
    info = probe(data)
    assert [section.name for section in info.sections] == ["header", "laws", "symbols", "grid"]
    assert sum(section.bytes for section in info.sections) == len(data)
    assert (info.method, info.params, info.arch, info.w0) == ("entropy", ARCH.params, str(ARCH), (4, 4))
    parts = anatomy(data)
    names = [spec.name for spec in ARCH.tensors()]
    assert [part.name for part in parts] == [*names, "grid 1:8", "grid 1:4", "grid 1:2", "grid 1:1"]
    payload = next(section.bytes for section in info.sections if section.name == "symbols")
    assert sum(part.bits for part in parts) / 8 == pytest.approx(payload, rel=1e-3, abs=4)
    for part, plane in zip(parts[len(names) :], stream.latents or (), strict=True):
        assert (part.shape, part.total, part.kept) == (plane.shape, plane.size, int(np.count_nonzero(plane)))


def test_probe_decodes_nothing(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "Reader", None)
    assert probe(data).params == ARCH.params
    with pytest.raises(TypeError):
        unpack(data)


def _hostile(width: int, height: int, arch: GridArch = ARCH) -> bytes:
    """A few bytes with a right CRC that ask for a lot."""
    from inrcodec.coding.law import Law

    laws = (Law(0, 0, 255),) * len(arch.tensors())
    head = GridHead(arch, (True,) * arch.grids)
    return write(Header(width, height), {Tag.LAWS: write_laws(laws), Tag.SYMBOLS: b"", Tag.GRID: write_grid(head)})


@pytest.mark.parametrize("data", [_hostile(16384, 16384), _hostile(65535, 4000)])
def test_hostile_files_are_refused_before_anything_is_allocated(data: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(LimitError):
        decode_pixels(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


def test_large_drawings_take_little_more_memory_than_their_samples(make_grid_stream: MakeStream) -> None:
    stream = make_grid_stream(GridArch(2, 5, context=(), hidden=(8,)), width=1200, height=1000)
    draw(stream, View(crop=(0, 0, 1, 1)))
    tracemalloc.start()
    pixels = draw(stream)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pixels.array.nbytes == 3.6e6
    assert peak < 3.6e6 + 12e6, "the samples as floats would take 14 MB, the stack 19 MB"


@pytest.mark.parametrize(
    ("view", "floats"),
    [(View(scale=1 / 20), 10e6), (View(scale=3, crop=(0, 0, 1, 3000)), 3e6), (View(scale=2), 25e6)],
)
def test_drawings_of_other_sizes_take_little_memory(view: View, floats: float, make_grid_stream: MakeStream) -> None:
    stream = make_grid_stream(GridArch(2, 5, context=(), hidden=(8,)), width=1200, height=1000)
    draw(stream, View(crop=(0, 0, 1, 1)))
    tracemalloc.start()
    pixels = draw(stream, view)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < pixels.array.nbytes + floats, "all samples as floats would take 14 MB, twice as large 58 MB"


def test_overflowing_weights_draw_something(make_grid_stream: MakeStream, recwarn: pytest.WarningsRecorder) -> None:
    for activation in ACTIVATIONS:
        stream = make_grid_stream(replace(ARCH, activation=activation, w0=255))
        assert isinstance(stream.weights, Symbols)
        laws = tuple(replace(law, step=255) for law in stream.weights.laws)
        loud = replace(stream, weights=replace(stream.weights, laws=laws))
        for view in (View(), View(scale=0.5), View(scale=3)):
            assert decode_pixels(pack(loud), view).channels == 3
    assert not recwarn.list


@settings(max_examples=60)
@given(st.binary(max_size=200), st.integers(1, 30), st.integers(1, 30))
def test_random_payloads_in_a_sound_frame_are_survived(data: bytes, payload: bytes, width: int, height: int) -> None:
    container = read(data)
    sections = {**container.sections, Tag.SYMBOLS: payload}
    damaged = write(Header(width, height), sections)
    with suppress(InrError):
        decode_pixels(damaged)
    with suppress(InrError):
        anatomy(damaged)


def test_limits_are_the_callers(data: bytes) -> None:
    latents = ARCH.latents(37, 22)
    data = attach(data, Extras(metadata=write_metadata(Metadata(icc=b"12345", xmp=b"6789"))))
    fits = Limits(37, 37 * 22, ARCH.params, decoding_work(data), latents, 9)
    decode_pixels(data, limits=fits)
    for name in ("max_side", "max_pixels", "max_params", "max_work", "max_latents", "max_metadata"):
        value = getattr(fits, name)
        with pytest.raises(LimitError):
            decode_pixels(data, limits=replace(fits, **{name: value - 1}))
