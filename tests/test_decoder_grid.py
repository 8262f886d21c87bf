"""Files with latents, from bytes to pixels."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inrcodec.coding.rangecoder import Reader
from inrcodec.coding.symbols import Symbols
from inrcodec.coding.wavefront import Latents, read_latents
from inrcodec.decoder import View, anatomy, decode_pixels, decoding_work, draw, probe
from inrcodec.errors import InrError, LimitError
from inrcodec.format import stream as stream_module
from inrcodec.format.container import Header, Tag, read, write
from inrcodec.format.sections import GridHead, write_grid, write_laws
from inrcodec.format.stream import Stream, pack, unpack
from inrcodec.limits import Limits
from inrcodec.net import canvas
from inrcodec.net.context import ContextModel
from inrcodec.net.grid import ACTIVATIONS, GridArch

MakeStream = Callable[..., Stream]

ARCH = GridArch(0, 3, 5, 3, (4,), (6,))
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
    assert np.array_equal(draw(stream, view).array, pixels.array), "the grids left out make no difference"


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


@pytest.mark.parametrize(("scale", "grids"), [(2, 4), (1, 4), (0.6, 4), (0.5, 3), (0.25, 2), (0.125, 1), (0.05, 1)])
def test_small_drawings_decode_coarse_grids_only(
    scale: float, grids: int, make_grid_stream: MakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pack(make_grid_stream(ARCH, width=64, height=40))
    decoded = []

    def read(
        reader: Reader, model: ContextModel, before: Latents, shape: tuple[int, int], end: int | None
    ) -> NDArray[np.int32]:
        decoded.append(shape)
        return read_latents(reader, model, before, shape, end)

    monkeypatch.setattr(stream_module, "read_latents", read)
    decode_pixels(data, View(scale=scale))
    assert decoded == list(ARCH.shapes(64, 40)[:grids])


def test_a_smaller_drawing_shows_the_same_picture(make_grid_stream: MakeStream) -> None:
    """As far as it is in the coarse grids."""
    stream = make_grid_stream(GridArch(2, 6, hidden=(8,), residuals=0), width=96, height=64, spread=60.0)
    assert isinstance(stream.weights, Symbols)
    values = list(stream.weights.values)
    names = [spec.name for spec in stream.arch.tensors()]
    values[names.index("U")] = np.zeros_like(values[names.index("U")])
    stream = replace(stream, weights=replace(stream.weights, values=tuple(values)))
    whole = draw(stream).array.astype(float)
    means = whole.reshape(16, 4, 24, 4, 3).mean((1, 3))
    small = draw(stream, View(scale=0.25)).array.astype(float)
    assert np.corrcoef(small.ravel(), means.ravel())[0, 1] > 0.9


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


def test_partial_decodes_survive_random_payloads(data: bytes) -> None:
    """Nobody asks whether their stream goes on too long, so they get further."""
    rng, drawn = np.random.default_rng(0), 0
    container = read(data)
    for _ in range(30):
        sections = {**container.sections, Tag.SYMBOLS: rng.bytes(3000)}
        try:
            drawn += decode_pixels(write(container.header, sections), View(scale=0.5)).channels == 3
        except InrError:
            continue
    assert drawn > 3


def test_limits_are_the_callers(data: bytes) -> None:
    latents = ARCH.latents(37, 22)
    fits = Limits(37, 37 * 22, ARCH.params, decoding_work(data), latents)
    decode_pixels(data, limits=fits)
    for name in ("max_side", "max_pixels", "max_params", "max_work", "max_latents"):
        value = getattr(fits, name)
        with pytest.raises(LimitError):
            decode_pixels(data, limits=replace(fits, **{name: value - 1}))
