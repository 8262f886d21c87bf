"""The sections beside the colours: ALPHA and METADATA, written, read, refused."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import brotli
import numpy as np
import pytest

from inrcodec.errors import BitstreamError, InrError, LimitError, UnsupportedVersion
from inrcodec.format.alpha import Kind, lossless_alpha, lossy_alpha, read_alpha
from inrcodec.format.container import Header, Tag, read, write
from inrcodec.format.extras import Extras, attach
from inrcodec.format.metadata import metadata_sizes, read_metadata, write_metadata
from inrcodec.format.stream import describe, pack, unpack
from inrcodec.format.varint import varint
from inrcodec.limits import Limits
from inrcodec.pixels import Metadata

MakeFile = Callable[..., bytes]

SMALL, DEEP = Header(9, 7), Header(9, 7, 1, 16)
FULL = Metadata(b"profile" * 50, b"MM\0*", b"<x/>")


def _plane(depth: int = 8) -> np.ndarray:
    kind = np.uint8 if depth == 8 else np.uint16
    return np.random.default_rng(0).integers(0, 1 << depth, (7, 9)).astype(kind)


def test_a_constant_takes_two_bytes_or_three() -> None:
    for depth, value, header in ((8, 200, SMALL), (16, 40_000, DEEP)):
        plane = np.full((7, 9), value, np.uint8 if depth == 8 else np.uint16)
        body = lossless_alpha(plane)
        assert len(body) == 1 + depth // 8
        alpha = read_alpha(body, header, Limits())
        assert alpha.kind is Kind.CONSTANT
        np.testing.assert_array_equal(alpha.plane(header), plane)


@pytest.mark.parametrize("header", [SMALL, DEEP])
def test_a_plane_comes_back(header: Header) -> None:
    plane = _plane(header.depth)
    alpha = read_alpha(lossless_alpha(plane), header, Limits())
    assert alpha.kind is Kind.LOSSLESS
    np.testing.assert_array_equal(alpha.plane(header), plane)


def test_files_are_read_and_written_as_they_were(make_file: MakeFile) -> None:
    plain = make_file()
    for extras in (
        Extras(lossless_alpha(_plane())),
        Extras(metadata=write_metadata(FULL)),
        Extras(lossy_alpha(make_file(channels=1)), write_metadata(FULL)),
    ):
        data = attach(plain, extras)
        assert len(data) == len(plain) + extras.bytes
        stream = unpack(data)
        assert stream.extras == extras
        assert stream.header.alpha == (extras.alpha is not None)
        assert pack(stream) == data
    assert attach(plain, Extras()) == plain


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b"", BitstreamError, "inside the kind of alpha"),
        (b"\x03abc", UnsupportedVersion, "unknown kind 3 of alpha"),
        (b"\x00", BitstreamError, "inside the value"),
        (b"\x00ab", BitstreamError, "1 bytes too many"),
        (b"\x02", BitstreamError, "magic"),
        (b"\x02\x89INR\r\n\x1a\n", BitstreamError, "inside the version"),
    ],
)
def test_malformed_alpha_is_refused(body: bytes, error: type[InrError], words: str, make_file: MakeFile) -> None:
    with pytest.raises(error, match=words):
        unpack(attach(make_file(), Extras(body)))


def test_only_a_gray_file_of_the_same_kind_may_be_nested(make_file: MakeFile) -> None:
    plain, gray = make_file(), make_file(channels=1)
    unpack(attach(plain, Extras(lossy_alpha(gray))))
    with_alpha = attach(gray, Extras(b"\x00a"))
    with_text = attach(gray, Extras(metadata=write_metadata(FULL)))
    container = read(gray)
    unmarked = write(container.header, {**container.sections, Tag.ALPHA: b"\x00a"})
    other = (make_file(channels=1, width=8), make_file(channels=1, depth=16), make_file(channels=1, height=8))
    for nested in (plain, with_alpha, with_text, unmarked, *other):
        with pytest.raises(BitstreamError, match="not a gray picture of the same size"):
            unpack(attach(plain, Extras(lossy_alpha(nested))))
    with pytest.raises(BitstreamError, match="do not make a picture"):
        unpack(attach(plain, Extras(lossy_alpha(write(container.header, {})))))


def test_the_feature_bit_and_the_section_go_together(make_file: MakeFile) -> None:
    container = read(make_file())
    without = write(replace(container.header, alpha=True), container.sections)
    unmarked = write(container.header, {**container.sections, Tag.ALPHA: b"\x00a"})
    for data in (without, unmarked):
        with pytest.raises(BitstreamError, match="contradict each other"):
            unpack(data)


def test_limits_count_both_networks(make_file: MakeFile) -> None:
    data = attach(make_file(), Extras(lossy_alpha(make_file(channels=1))))
    container = read(data)
    both = unpack(make_file()).arch.params + unpack(make_file(channels=1)).arch.params
    describe(container, Limits(max_params=both))
    with pytest.raises(LimitError, match="weights"):
        describe(container, Limits(max_params=both - 1))


@pytest.mark.parametrize("metadata", [FULL, Metadata(xmp=b"x"), Metadata(b"i", b"e")])
def test_metadata_comes_back(metadata: Metadata) -> None:
    body = write_metadata(metadata)
    assert read_metadata(body, Limits()) == metadata
    assert sum(metadata_sizes(body, Limits()).values()) == len(metadata.icc + metadata.exif + metadata.xmp)


def _table(*entries: tuple[int, int], rest: bytes = b"") -> bytes:
    return bytes([len(entries)]) + b"".join(bytes([kind]) + varint(size) for kind, size in entries) + rest


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b"", BitstreamError, "inside the number"),
        (b"\0", BitstreamError, "without entries"),
        (b"\x01", BitstreamError, "inside the kind"),
        (_table((4, 1)), UnsupportedVersion, "unknown kind 4"),
        (_table((0, 1)), BitstreamError, "out of order"),
        (_table((1, 0)), BitstreamError, "empty"),
        (_table((2, 1), (1, 1)), BitstreamError, "out of order"),
        (_table((2, 1), (2, 1)), BitstreamError, "repeated"),
        (_table((1, (1 << 24) + 1)), LimitError, "over the limit"),
        (_table((1, 1 << 23), (2, 1 << 23), (3, 1)), LimitError, "over the limit"),
        (_table((1, 2**35 - 1)), LimitError, "over the limit"),
        (b"\x01\x01\x80\x00", BitstreamError, "proper varint"),
    ],
)
def test_malformed_tables_are_refused_by_all_who_look(
    body: bytes, error: type[InrError], words: str, make_file: MakeFile
) -> None:
    for reader in (metadata_sizes, read_metadata):
        with pytest.raises(error, match=words):
            reader(body, Limits())
    with pytest.raises(error, match=words):
        unpack(attach(make_file(), Extras(metadata=body)))


@pytest.mark.parametrize("rest", [b"", bytes(range(30)), brotli.compress(b"ab"), brotli.compress(b"abcd")])
def test_entries_of_other_lengths_are_refused(rest: bytes) -> None:
    with pytest.raises(BitstreamError, match="brotli stream"):
        read_metadata(_table((1, 3), rest=rest), Limits())
    assert read_metadata(_table((1, 3), rest=brotli.compress(b"abc")), Limits()).icc == b"abc"


def test_a_bomb_is_not_let_off() -> None:
    bomb = _table((1, 1000), rest=brotli.compress(bytes(100_000_000), quality=1))
    tracemalloc.start()
    with pytest.raises(BitstreamError, match="does not hold"):
        read_metadata(bomb, Limits())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
