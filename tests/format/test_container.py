from __future__ import annotations

import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrcodec import errors
from inrcodec.format.container import (
    INRIMAGE,
    MAGIC,
    MAX_HEADER_BYTES,
    Header,
    Tag,
    header_size,
    read,
    read_head,
    write,
)
from inrcodec.format.varint import varint
from inrcodec.limits import MAX_SECTIONS, Limits

HEADERS = st.builds(
    Header, st.integers(1, 4096), st.integers(1, 4096), st.sampled_from([1, 3]), st.sampled_from([8, 16])
)
BODIES = st.dictionaries(st.sampled_from(Tag), st.binary(max_size=300)).map(lambda d: dict(sorted(d.items())))
PLAIN = Header(768, 512)


def _file(
    *,
    magic: bytes = MAGIC,
    version: int = 1,
    features: int = 0,
    size: bytes = varint(768) + varint(512),
    table: bytes = bytes([2, Tag.SIREN, 3, Tag.HALVES, 2]),
    bodies: bytes = b"sirha",
    crc: int | None = None,
) -> bytes:
    """A file laid out by hand, right in every part that is not given."""
    head = magic + bytes([version, features]) + size + table
    right = zlib.crc32(head + bodies)
    return head + (right if crc is None else crc).to_bytes(4, "big") + bodies


def test_the_file_laid_out_by_hand_is_the_one_written() -> None:
    sections = {Tag.SIREN: b"sir", Tag.HALVES: b"ha"}
    assert write(PLAIN, sections) == _file()
    container = read(_file())
    assert container.header == PLAIN
    assert container.sections == sections
    assert container.header_bytes == len(_file()) - 5
    assert container.offsets == {Tag.SIREN: container.header_bytes, Tag.HALVES: container.header_bytes + 3}


@given(HEADERS, BODIES)
def test_what_was_written_is_read(header: Header, sections: dict[Tag, bytes]) -> None:
    data = write(header, sections)
    container = read(data)
    assert (container.header, container.sections) == (header, sections)
    assert list(container.sections) == list(sections)
    assert container.header_bytes == header_size(header, {tag: len(body) for tag, body in sections.items()})
    assert container.header_bytes + sum(map(len, sections.values())) == len(data)
    assert all(data[container.offsets[tag] :].startswith(body) for tag, body in sections.items())
    assert write(container.header, container.sections) == data


@given(HEADERS, BODIES)
def test_the_beginning_tells_what_the_rest_must_be(header: Header, sections: dict[Tag, bytes]) -> None:
    data = write(header, sections)
    head = read_head(data[:MAX_HEADER_BYTES])
    assert (head.header, head.file_bytes) == (header, len(data))
    assert head.lengths == {tag: len(body) for tag, body in sections.items()}
    assert list(head.lengths) == list(sections)
    assert head.crc_at + 4 == read(data).header_bytes <= MAX_HEADER_BYTES
    for length in range(head.crc_at):
        with pytest.raises(errors.Truncated):
            read_head(data[:length])


def test_the_longest_header() -> None:
    huge = 2**35 - 1
    longest = header_size(Header(huge, huge), dict.fromkeys(Tag, huge))
    assert longest + 6 * (MAX_SECTIONS - len(Tag)) == MAX_HEADER_BYTES


def test_header_sizes() -> None:
    lengths = {Tag.SIREN: 8, Tag.LAWS: 30, Tag.SYMBOLS: 14_000}
    assert header_size(PLAIN, lengths) == 26
    largest = {Tag.SIREN: 197, Tag.LAWS: 335, Tag.SYMBOLS: 2**28 - 1}
    assert header_size(Header(65535, 65535, 1, 16), largest) == 32


def test_features() -> None:
    assert [Header(1, 1, c, d).features for c, d in ((3, 8), (1, 8), (3, 16), (1, 16))] == [0, 1, 2, 3]
    assert read(_file(features=3)).header == Header(768, 512, 1, 16)
    assert PLAIN.pixels == 768 * 512


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", errors.Truncated, "ends after 0 bytes"),
        (MAGIC[:5], errors.Truncated, "ends after 5 bytes, inside the magic"),
        (MAGIC, errors.Truncated, "inside the version"),
        (b"#INRIMAGE-4#{\nXDIM=150\n", errors.BadMagic, "INRIMAGE-4 volume"),
        (INRIMAGE, errors.BadMagic, "INRIMAGE-4"),
        (b"\x09INR\r\n\x1a\n" + _file()[8:], errors.BadMagic, "seven-bit"),
        (_file().replace(b"\r\n", b"\n"), errors.BadMagic, "line ends"),
        (_file().replace(b"\n", b"\r\n"), errors.BadMagic, "line ends"),
        (b"\x89PNG\r\n\x1a\n" + _file()[8:], errors.BadMagic, "wrong magic"),
        (b"x", errors.BadMagic, "wrong magic"),
        (_file(version=0), errors.UnsupportedVersion, "format version 0; this decoder knows version 1"),
        (_file(version=2), errors.UnsupportedVersion, "format version 2"),
        (_file(features=0x04), errors.UnsupportedVersion, "bits 0x04"),
        (_file(features=0x83), errors.UnsupportedVersion, "bits 0x80"),
        (_file(size=varint(0) + varint(5)), errors.BitstreamError, "0x5 pixels is empty"),
        (_file(size=varint(5) + varint(0)), errors.BitstreamError, "5x0 pixels is empty"),
        (_file(size=varint(65536) + varint(1)), errors.LimitError, "65536x1"),
        (_file(size=varint(65535) + varint(65535)), errors.LimitError, "pixels"),
        (_file(size=b"\x80\x00" + varint(512)), errors.BitstreamError, "width .* proper varint"),
        (_file(size=varint(768) + b"\xff\x00"), errors.BitstreamError, "height .* proper varint"),
        (_file(table=bytes([9]) + bytes(18)), errors.BitstreamError, "9 sections"),
        (_file(table=bytes([1, 0, 5])), errors.UnsupportedVersion, "unknown section 0 at byte 15"),
        (_file(table=bytes([1, 8, 5])), errors.UnsupportedVersion, "unknown section 8 at byte 15"),
        (_file(table=bytes([2, 1, 3, 1, 2])), errors.BitstreamError, "SIREN is repeated or out of order"),
        (_file(table=bytes([2, 4, 3, 1, 2])), errors.BitstreamError, "SIREN is repeated or out of order"),
        (_file(table=bytes([2, 1, 3, 4, 0x82, 0])), errors.BitstreamError, "section HALVES .* proper varint"),
        (_file(table=bytes([2, 1, 3, 4, 3])), errors.Truncated, "ends early: its header declares 29 bytes, it has 28"),
        (_file(table=bytes([2, 1, 3, 4, 1])), errors.Truncated, "goes on too long"),
        (_file(table=bytes([0])), errors.Truncated, "goes on too long"),
        (_file() + b"\0", errors.Truncated, "goes on too long"),
        (_file()[:-1], errors.Truncated, "ends early"),
        (_file(crc=0), errors.ChecksumMismatch, "damaged"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, error: type[errors.InrError], words: str) -> None:
    with pytest.raises(errors.BitstreamError, match=words) as caught:
        read(data)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


def test_the_first_fault_in_the_order_of_the_specification_is_reported() -> None:
    """Every file here has two faults of neighbouring steps."""
    files = [
        (_file(magic=b"x" * 8, version=9), errors.BadMagic),
        (_file(version=9, features=0x80), errors.UnsupportedVersion),
        (_file(features=0x80, size=varint(0) + varint(1)), errors.UnsupportedVersion),
        (_file(size=varint(65536) + varint(1), table=bytes([1, 77, 0])), errors.LimitError),
        (_file(table=bytes([1, 77, 99])), errors.UnsupportedVersion),
        (_file(crc=0) + b"\0", errors.Truncated),
        (_file(crc=0, table=bytes([2, 1, 3, 2, 2])), errors.ChecksumMismatch),
    ]
    for data, error in files:
        with pytest.raises(errors.BitstreamError) as caught:
            read(data)
        assert type(caught.value) is error


def test_the_checksum_covers_every_byte_but_its_own() -> None:
    data = _file()
    at = len(data) - 5 - 4
    assert int.from_bytes(data[at : at + 4], "big") == zlib.crc32(data[:at] + data[at + 4 :])


def test_limits_are_the_callers() -> None:
    read(_file(), Limits(max_side=768))
    for tight in (Limits(max_side=767), Limits(max_pixels=768 * 512 - 1)):
        with pytest.raises(errors.LimitError):
            read(_file(), tight)
    assert read(_file(size=varint(65536) + varint(1)), Limits(max_side=1 << 17)).header.width == 65536


def test_lengths_up_to_the_largest_varint_are_only_compared() -> None:
    """A declared length of 32 GB must cost nothing."""
    table = bytes([2, 1, 3, 4]) + varint(2**35 - 1)
    with pytest.raises(errors.Truncated, match="declares 343597383"):
        read(_file(table=table))


@given(HEADERS, BODIES, st.data())
def test_cut_and_lengthened_files_are_truncated(
    header: Header, sections: dict[Tag, bytes], data: st.DataObject
) -> None:
    whole = write(header, sections)
    cut = data.draw(st.integers(0, len(whole) - 1))
    for wrong in (whole[:cut], whole + b"\0"):
        with pytest.raises(errors.Truncated):
            read(wrong)


def test_the_magic_survives_no_common_mangling() -> None:
    mangle: list[Callable[[bytes], bytes]] = [
        lambda b: b.replace(b"\r\n", b"\n"),
        lambda b: b.replace(b"\n", b"\r\n"),
        lambda b: bytes(byte & 127 for byte in b),
        lambda b: b.decode("latin-1").encode("utf-8"),
        lambda b: b.split(b"\x1a")[0],
    ]
    assert all(change(MAGIC) != MAGIC for change in mangle)
    assert all(a < b for a, b in pairwise(Tag))
