"""Damaged, hostile and random bytes: an InrError every time, or (with a right CRC) some small picture."""

from __future__ import annotations

import random
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inrcodec.decoder import anatomy, decode_pixels, probe
from inrcodec.errors import BadMagic, BitstreamError, ChecksumMismatch, InrError, Truncated
from inrcodec.format.alpha import lossless_alpha, lossy_alpha
from inrcodec.format.container import CRC_BYTES, MAGIC, VERSION, Tag, read
from inrcodec.format.cut import cut_at
from inrcodec.format.extras import Extras, attach
from inrcodec.format.metadata import write_metadata
from inrcodec.format.stream import Stream, pack
from inrcodec.limits import Limits
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch
from inrcodec.pixels import Metadata, Pixels

MakeFile = Callable[..., bytes]
MakeStream = Callable[..., Stream]

READERS: tuple[Callable[[bytes, Limits | None], object], ...] = (
    lambda data, limits: decode_pixels(data, limits=limits),
    probe,
    anatomy,
)
SMALL = Limits(max_side=4096, max_pixels=1 << 14, max_params=1 << 16, max_work=1 << 26)
MANY = settings(max_examples=1000, suppress_health_check=[HealthCheck.too_slow])


KINDS = ["symbols", "halves", "gray", "deep", "grid", "brotli", "encoded", "layers", "extras", "nested"]


@pytest.fixture(scope="module", params=KINDS)
def file(request: pytest.FixtureRequest, make_file: MakeFile, make_grid_stream: MakeStream) -> bytes:
    """Files of every kind, 60 to 300 bytes."""
    if request.param == "grid":
        return pack(make_grid_stream(GridArch(0, 2, 2, 1, (2,), (2,)), width=8, height=6))
    if request.param == "layers":  # and cut
        whole = make_grid_stream(LayeredArch(0, 1, 1, 1, (), (), residuals=0), width=8, height=6)
        return pack(cut_at(whole, 3, 12))
    if request.param == "extras":
        opacity = np.array([[0, 7, 200, 0, 255, 31]], np.uint8)
        extras = Extras(lossless_alpha(opacity), write_metadata(Metadata(icc=b"ab" * 20, xmp=b"<x/>")))
        return attach(make_file(hidden=(3,), width=6, height=1), extras)
    if request.param == "nested":
        return attach(make_file(hidden=(2,)), Extras(lossy_alpha(make_file(hidden=(1,), channels=1))))
    kinds: dict[str, dict[str, Any]] = {
        "halves": {"hidden": (3,), "halves": True},
        "gray": {"channels": 1},
        "deep": {"depth": 16, "height": 1},
        "brotli": {"coder": "brotli"},
        "encoded": {"hidden": (4,), "activation": "gelu", "encoding": "gauss:2:1.5"},
    }
    data = make_file(**kinds.get(request.param, {}))
    assert 60 < len(data) < 300
    return data


def _crc_at(data: bytes) -> int:
    return read(data).header_bytes - CRC_BYTES


def _repaired(data: bytes, crc_at: int) -> bytes:
    """With the CRC that belongs to its other bytes, at a place it may or may not still have."""
    head, body = data[:crc_at], data[crc_at + CRC_BYTES :]
    return head + zlib.crc32(body, zlib.crc32(head)).to_bytes(CRC_BYTES, "big") + body


def _all_refuse(data: bytes, kind: type[InrError] = BitstreamError) -> None:
    for reader in READERS:
        with pytest.raises(kind) as caught:
            reader(data, None)
        assert str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_file_itself_is_fine(file: bytes) -> None:
    assert isinstance(decode_pixels(file), Pixels)
    assert _repaired(file, _crc_at(file)) == file
    for reader in READERS:
        reader(file, SMALL)


def test_every_truncation_is_refused(file: bytes) -> None:
    for length in range(len(file)):
        _all_refuse(file[:length], Truncated)


def test_every_flipped_bit_is_refused(file: bytes) -> None:
    for bit in range(8 * len(file)):
        damaged = bytearray(file)
        damaged[bit // 8] ^= 1 << bit % 8
        _all_refuse(bytes(damaged))


def test_flipped_bits_of_the_body_are_caught_by_the_checksum(file: bytes) -> None:
    for position in range(_crc_at(file), len(file)):
        damaged = bytearray(file)
        damaged[position] ^= 0x10
        _all_refuse(bytes(damaged), ChecksumMismatch)


def test_every_lost_doubled_and_swapped_byte_is_refused(file: bytes) -> None:
    for at in range(len(file)):
        swapped = file[:at] + file[at : at + 2][::-1] + file[at + 2 :]
        variants = [file[:at] + file[at + 1 :], file[: at + 1] + file[at:], file[:at] + b"\0" + file[at:], swapped]
        for damaged in variants:
            if damaged != file:
                _all_refuse(damaged)


@MANY
@given(st.binary(max_size=400))
def test_random_bytes_are_refused(data: bytes) -> None:
    _all_refuse(data)


@MANY
@given(st.binary(max_size=200))
def test_random_bytes_after_the_magic_are_refused(data: bytes) -> None:
    _all_refuse(MAGIC + data)
    _all_refuse(MAGIC + bytes([VERSION, 0]) + data)


@MANY
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=40))
def test_random_bytes_after_a_valid_start_are_refused(tiny: bytes, cut: int, tail: bytes) -> None:
    damaged = tiny[: cut % (len(tiny) + 1)] + tail
    if damaged != tiny:
        _all_refuse(damaged)


@contextmanager
def _cheap() -> Iterator[None]:
    """Fails if what happens inside takes long or much memory."""
    start = time.process_time()  # not by the clock: a busy machine is no failure
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32e6
    assert time.process_time() - start < 2


def _reads_or_refuses(data: bytes) -> int:
    """How many readers accepted the bytes; anything but an InrError is let through."""
    accepted = 0
    for reader in READERS:
        try:
            with _cheap():
                reader(data, SMALL)
        except InrError:
            continue
        accepted += 1
    return accepted


MUTATIONS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4)


@MANY
@given(MUTATIONS, st.sampled_from(["set", "cut", "insert"]))
def test_mutations_with_a_repaired_checksum_are_survived(
    file: bytes, mutations: list[tuple[int, int]], how: str
) -> None:
    damaged, crc_at = bytearray(file), _crc_at(file)
    for place, byte in mutations:
        at = len(MAGIC) + place % (len(damaged) - len(MAGIC))
        if how == "set":
            damaged[at] = byte
        elif how == "insert":
            damaged.insert(at, byte)
            crc_at += at < crc_at
        else:
            del damaged[at]
            crc_at -= at < crc_at
    _reads_or_refuses(_repaired(bytes(damaged), crc_at))


def test_random_bodies_with_a_right_checksum_are_survived(file: bytes) -> None:
    """Many of these decode to some picture, which is why the CRC comes first."""
    rng, start, accepted = random.Random(5), read(file).header_bytes, 0
    for _ in range(300):
        body = bytearray(file[start:])
        for _ in range(rng.randrange(1, 30)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        accepted += _reads_or_refuses(_repaired(file[:start] + bytes(body), start - CRC_BYTES))
    assert accepted > 0


def _frame(tiny: bytes, payload: bytes, width: int, height: int, features: int) -> bytes:
    """The network and laws of a file around another payload."""
    sections = read(tiny).sections
    siren, laws = sections[Tag.SIREN], sections[Tag.LAWS]
    head = MAGIC + bytes([VERSION, features, width, height, 3, 1, len(siren), 2, len(laws), 3, len(payload)])
    return _repaired(head + bytes(CRC_BYTES) + siren + laws + payload, len(head))


@MANY
@given(st.binary(max_size=100), st.integers(1, 100), st.integers(1, 100), st.integers(0, 3))
def test_random_payloads_in_a_sound_frame_are_survived(
    tiny: bytes, payload: bytes, width: int, height: int, features: int
) -> None:
    _reads_or_refuses(_frame(tiny, payload, width, height, features))


def test_the_frame_is_sound(tiny: bytes) -> None:
    assert _frame(tiny, read(tiny).sections[Tag.SYMBOLS], 9, 7, 0) == tiny


def test_other_formats_are_not_ours() -> None:
    for start in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM", b"#INRIMAGE-4#{\n", b"{}", b"\0" * 8):
        _all_refuse(start + bytes(100), BadMagic)
