"""Files with latents: their GRID section and their stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inrcodec.coding.rangecoder import Writer
from inrcodec.coding.symbols import Symbols
from inrcodec.coding.wavefront import write_latents
from inrcodec.errors import BitstreamError, LimitError, Truncated, UnsupportedVersion
from inrcodec.format.container import Tag, read, write
from inrcodec.format.sections import GridHead, read_grid, write_grid
from inrcodec.format.stream import Stream, coding_work, describe, extract, overhead, pack, unpack
from inrcodec.limits import Limits
from inrcodec.net.context import ContextModel
from inrcodec.net.grid import ACTIVATIONS, GridArch
from inrcodec.net.prior import PRIOR_ARCH

MakeStream = Callable[..., Stream]

WIDTHS = st.lists(st.integers(1, 128), max_size=4).map(tuple)
ARCHES = st.integers(0, 12).flatmap(
    lambda finest: st.builds(
        GridArch,
        finest=st.just(finest),
        coarsest=st.integers(finest, 12),
        neighbours=st.integers(1, 14),
        parents=st.integers(0, 11),
        context=WIDTHS,
        hidden=WIDTHS,
        activation=st.sampled_from(ACTIVATIONS),
        w0=st.integers(1, 255),
        residuals=st.integers(0, 2),
        outputs=st.sampled_from([1, 3]),
        filtered=st.booleans(),
    )
)
SMALL = st.builds(
    GridArch,
    finest=st.integers(0, 2),
    coarsest=st.integers(2, 5),
    neighbours=st.integers(1, 14),
    parents=st.integers(0, 11),
    context=st.lists(st.integers(1, 8), max_size=2).map(tuple),
    hidden=st.lists(st.integers(1, 8), max_size=2).map(tuple),
    residuals=st.integers(0, 2),
    outputs=st.sampled_from([1, 3]),
    filtered=st.booleans(),
)
SIDES = st.sampled_from([1, 2, 3, 7, 16, 31])
ARCH = GridArch(0, 2, 3, 2, (4,), (5,))
HEAD = write_grid(GridHead(ARCH, (True,) * 3))


@given(ARCHES, st.data())
def test_a_network_is_read_back(arch: GridArch, data: st.DataObject) -> None:
    coded = data.draw(st.lists(st.booleans(), min_size=arch.grids, max_size=arch.grids).map(tuple))
    body = write_grid(GridHead(arch, coded))
    assert read_grid(body, arch.outputs) == GridHead(arch, coded)
    assert len(body) <= 7 + 8 + 1


def test_the_usual_network_takes_eleven_bytes() -> None:
    body = write_grid(GridHead(GridArch(), (True,) * 6 + (False,)))
    assert body == bytes([0, 0x06, 0xC6, 0x01, 32, 0x22, 16, 16, 32, 32, 0x3F])


@pytest.mark.parametrize(
    ("at", "byte", "error", "words"),
    [
        (0, 1, BitstreamError, "prior 1 is not for"),
        (0, 6, UnsupportedVersion, "unknown prior 6"),
        (1, 0x21, BitstreamError, "octave"),
        (1, 0x0D, BitstreamError, "octave"),
        (2, 0x02, BitstreamError, "0 neighbours"),
        (2, 0xF2, BitstreamError, "15 neighbours"),
        (2, 0x1C, BitstreamError, "12 parents"),
        (3, 0x31, UnsupportedVersion, "unknown activation 3"),
        (3, 0x03, BitstreamError, "3 residual"),
        (4, 0, BitstreamError, "at 0 eighths"),
        (5, 0x12, Truncated, "network description"),
        (5, 0x10, BitstreamError, "too many|others set"),
        (5, 0x51, BitstreamError, "out of bounds|inside the widths"),
        (6, 0, BitstreamError, "out of bounds"),
        (7, 129, BitstreamError, "out of bounds"),
        (8, 0x0F, BitstreamError, "others set"),
    ],
)
def test_what_is_wrong_is_named(at: int, byte: int, error: type[BitstreamError], words: str) -> None:
    body = bytearray(HEAD)
    body[at] = byte
    with pytest.raises(error, match=words):
        read_grid(bytes(body), 3)


def test_cut_and_padded_sections_are_refused() -> None:
    for cut in range(len(HEAD)):
        with pytest.raises(Truncated):
            read_grid(HEAD[:cut], 3)
    with pytest.raises(BitstreamError, match="too many"):
        read_grid(HEAD + b"\0", 3)


def _equal(one: Stream, other: Stream) -> bool:
    assert isinstance(one.weights, Symbols)
    assert isinstance(other.weights, Symbols)
    arrays = [(*one.weights.values, *(one.latents or ())), (*other.weights.values, *(other.latents or ()))]
    return (
        (one.header, one.arch, one.weights.laws) == (other.header, other.arch, other.weights.laws)
        and len(arrays[0]) == len(arrays[1])
        and all(map(np.array_equal, *arrays))
    )


@given(SMALL, SIDES, SIDES, st.sampled_from([0.1, 1.0, 300.0]), st.sampled_from([0, 0.02, 1]), st.integers(0, 9))
@settings(max_examples=60)
def test_what_was_packed_is_unpacked_and_packs_to_the_same_bytes(
    make_grid_stream: MakeStream, arch: GridArch, width: int, height: int, spread: float, density: float, seed: int
) -> None:
    stream = make_grid_stream(arch, width=width, height=height, spread=spread, density=density, seed=seed)
    data = pack(stream)
    back = unpack(data)
    assert _equal(back, stream)
    assert all(plane.dtype == np.int32 for plane in back.latents or ())
    assert pack(back) == data


def test_overhead_is_everything_but_weights_and_latents(make_grid_stream: MakeStream) -> None:
    stream = make_grid_stream(ARCH, width=40, height=30)
    data = pack(stream)
    payload = len(read(data).sections[Tag.SYMBOLS])
    assert overhead(stream.header, ARCH, payload) == len(data) - payload


def test_grids_of_zeros_take_no_bytes_and_no_memory(make_grid_stream: MakeStream) -> None:
    stream = make_grid_stream(ARCH, width=90, height=70, density=0)
    assert isinstance(stream.weights, Symbols)
    data = pack(stream)
    sections = read(data).sections
    assert sections[Tag.GRID][-1] == 0
    assert sections[Tag.SYMBOLS] == stream.weights.encode()
    latents = unpack(data).latents
    assert latents is not None
    assert [plane.strides for plane in latents] == [(0, 0)] * 3
    assert not any(plane.any() for plane in latents)


def test_a_grid_of_zeros_must_not_be_coded(make_grid_stream: MakeStream) -> None:
    """It would be a second way to write the same picture."""
    stream = make_grid_stream(ARCH, density=0)
    assert isinstance(stream.weights, Symbols)
    writer, coarser = Writer(), list[NDArray[np.int32]]()
    stream.weights.write(writer)
    for plane in stream.latents or ():
        write_latents(writer, ContextModel(ARCH, stream.weights.exact()), coarser, plane)
        coarser.append(plane)
    container = read(pack(stream))
    sections = {**container.sections, Tag.SYMBOLS: writer.finish(), Tag.GRID: HEAD}
    with pytest.raises(BitstreamError, match="grid of zeros"):
        unpack(write(container.header, sections))


@pytest.mark.parametrize("tail", [b"\0", b"\0\0\0\0\0", b"\xff", b"junk", bytes(range(40))])
def test_streams_that_go_on_are_refused(tail: bytes, make_grid_stream: MakeStream) -> None:
    container = read(pack(make_grid_stream(ARCH)))
    sections = {**container.sections, Tag.SYMBOLS: container.sections[Tag.SYMBOLS] + tail}
    with pytest.raises(BitstreamError, match=r"too long|cannot be decoded"):
        unpack(write(container.header, sections))


def test_the_network_is_measured_before_anything_is_decoded(make_grid_stream: MakeStream) -> None:
    data = pack(make_grid_stream(ARCH))
    latents = ARCH.latents(9, 7)
    work = coding_work(read(data))
    unpack(data, Limits(max_params=ARCH.params, max_latents=latents, max_work=work))
    for limits in (
        Limits(max_params=ARCH.params - 1),
        Limits(max_latents=latents - 1),
        Limits(max_work=work - 1),
    ):
        with pytest.raises(LimitError):
            unpack(data, limits)


def test_sections_of_the_two_kinds_do_not_mix(make_grid_stream: MakeStream, make_stream: MakeStream) -> None:
    ours, theirs = read(pack(make_grid_stream(ARCH))), read(pack(make_stream())).sections
    siren = {Tag.SIREN: theirs[Tag.SIREN]}
    for sections in (
        {**siren, **ours.sections},
        {Tag.GRID: ours.sections[Tag.GRID]},
        {tag: ours.sections[tag] for tag in (Tag.SYMBOLS, Tag.GRID)},
        {Tag.HALVES: b"", Tag.GRID: ours.sections[Tag.GRID]},
    ):
        with pytest.raises(BitstreamError, match="do not make a picture"):
            unpack(write(ours.header, sections))


def test_the_channels_decide_the_outputs(make_grid_stream: MakeStream) -> None:
    container = read(pack(make_grid_stream(ARCH)))
    gray = read(write(replace(container.header, channels=1), container.sections))
    assert describe(gray, Limits()).outputs == 1
    with pytest.raises(BitstreamError):
        extract(gray, Limits())


def test_what_cannot_be_packed_is_refused(make_grid_stream: MakeStream) -> None:
    stream = make_grid_stream(ARCH)
    assert stream.latents is not None
    with pytest.raises(TypeError, match="not half floats"):
        pack(replace(stream, weights=stream.tensors()))
    for latents in (None, stream.latents[:2], stream.latents[::-1]):
        with pytest.raises(ValueError, match="not this picture's grids"):
            pack(replace(stream, latents=latents))
    large = stream.latents[2].copy()
    large[3, 4] = -4096
    with pytest.raises(ValueError, match="over 4095"):
        pack(replace(stream, latents=(*stream.latents[:2], large)))


def test_a_prior_is_for_networks_like_its_own(make_grid_stream: MakeStream) -> None:
    stream = make_grid_stream(ARCH)
    assert isinstance(stream.weights, Symbols)
    with pytest.raises(BitstreamError, match="prior 1 is not for"):
        pack(replace(stream, weights=replace(stream.weights, prior=1)))


@pytest.mark.parametrize("prior", [1, 5])
@pytest.mark.parametrize(
    "arch", [replace(PRIOR_ARCH, coarsest=2), replace(PRIOR_ARCH, finest=1, coarsest=3, outputs=1)]
)
def test_weights_are_told_as_differences_from_a_prior(make_grid_stream: MakeStream, arch: GridArch, prior: int) -> None:
    stream = make_grid_stream(arch)
    assert isinstance(stream.weights, Symbols)
    stream = replace(stream, weights=replace(stream.weights, prior=prior))
    again = unpack(pack(stream))
    assert isinstance(again.weights, Symbols)
    assert again.weights.prior == prior
    assert all(map(np.array_equal, again.latents or (), stream.latents or ()))
    for name, tensor in stream.tensors().items():
        assert np.array_equal(again.tensors()[name], tensor)


def test_one_stream_holds_weights_and_latents(make_grid_stream: MakeStream) -> None:
    stream = make_grid_stream(ARCH)
    assert isinstance(stream.weights, Symbols)
    writer = Writer()
    stream.weights.write(writer)
    alone = writer.finish()
    assert pack(stream).find(alone[:-4]) > 0, "the weights come first"
