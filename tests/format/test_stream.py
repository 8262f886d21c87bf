from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from inrcodec.coding.symbols import Symbols
from inrcodec.errors import BitstreamError, LimitError
from inrcodec.format.container import Header, Tag, read, write
from inrcodec.format.sections import write_siren
from inrcodec.format.stream import Stream, describe, overhead, pack, unpack
from inrcodec.limits import Limits
from inrcodec.net.arch import Arch

MakeStream = Callable[..., Stream]

KINDS = [
    {},
    {"halves": True},
    {"hidden": (7,), "channels": 1},
    {"hidden": (4, 4, 9), "depth": 16, "width": 300, "height": 1},
    {"halves": True, "channels": 1, "depth": 16},
]


def _equal(a: Stream, b: Stream) -> bool:
    return (
        (a.header, a.arch, type(a.weights)) == (b.header, b.arch, type(b.weights))
        and list(a.tensors()) == list(b.tensors())
        and all(np.array_equal(a.tensors()[name], b.tensors()[name]) for name in a.tensors())
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_packed_is_unpacked_and_packs_to_the_same_bytes(kind: dict[str, int], make_stream: MakeStream) -> None:
    stream = make_stream(**kind)
    data = pack(stream)
    back = unpack(data)
    if isinstance(stream.weights, Symbols):
        assert isinstance(back.weights, Symbols)
        assert back.weights.laws == stream.weights.laws
        assert _equal(back, stream)
    assert pack(back) == data
    assert _equal(unpack(pack(back)), back)


@pytest.mark.parametrize("kind", KINDS)
def test_overhead_is_everything_but_the_weights(kind: dict[str, int], make_stream: MakeStream) -> None:
    stream = make_stream(**kind)
    data = pack(stream)
    sections = read(data).sections
    payload = len(sections[Tag.HALVES if "halves" in kind else Tag.SYMBOLS])
    found = overhead(stream.header, stream.arch, payload, halves="halves" in kind)
    assert found == len(data) - payload


def test_a_plain_header_takes_at_most_32_bytes(make_stream: MakeStream) -> None:
    data = pack(make_stream((40,) * 10, width=768, height=512))
    assert len(data) > 5000
    assert read(data).header_bytes == 26


@pytest.mark.parametrize(
    "tags",
    [
        [],
        [Tag.SIREN],
        [Tag.SIREN, Tag.LAWS],
        [Tag.SIREN, Tag.SYMBOLS],
        [Tag.LAWS, Tag.SYMBOLS],
        [Tag.HALVES],
        [Tag.LAWS, Tag.HALVES],
        [Tag.SIREN, Tag.LAWS, Tag.HALVES],
        [Tag.SIREN, Tag.LAWS, Tag.SYMBOLS, Tag.HALVES],
    ],
)
def test_other_sets_of_sections_are_refused(tags: list[Tag], make_stream: MakeStream) -> None:
    bodies = {**read(pack(make_stream())).sections, **read(pack(make_stream(halves=True))).sections}
    data = write(Header(9, 7), {tag: bodies[tag] for tag in tags})
    with pytest.raises(BitstreamError, match="do not make a picture") as caught:
        unpack(data)
    assert all(tag.name in str(caught.value) for tag in tags)


def test_the_channels_decide_the_outputs(make_stream: MakeStream) -> None:
    data = pack(make_stream())
    container = read(data)
    gray = write(replace(container.header, channels=1), container.sections)
    assert describe(read(gray), Limits()).outputs == 1
    with pytest.raises(BitstreamError, match=r"cannot be decoded|too long"):
        unpack(gray)
    halves = read(pack(make_stream(halves=True)))
    with pytest.raises(BitstreamError, match="half-precision"):
        unpack(write(replace(halves.header, channels=1), halves.sections))


def test_the_network_is_measured_before_its_weights_are_looked_at(make_stream: MakeStream) -> None:
    data = pack(make_stream())
    params = make_stream().arch.params
    unpack(data, Limits(max_params=params))
    with pytest.raises(LimitError, match=f"network of {params} weights"):
        unpack(data, Limits(max_params=params - 1))
    huge = {Tag.SIREN: write_siren(Arch((4096,) * 64)), Tag.LAWS: b"nonsense", Tag.SYMBOLS: b""}
    with pytest.raises(LimitError, match="network of 1057247235 weights"):
        unpack(write(Header(9, 7), huge))


def test_symbols_that_go_on_are_refused(make_stream: MakeStream) -> None:
    container = read(pack(make_stream()))
    sections = {**container.sections, Tag.SYMBOLS: container.sections[Tag.SYMBOLS] + b"\0"}
    with pytest.raises(BitstreamError, match="too long"):
        unpack(write(container.header, sections))
