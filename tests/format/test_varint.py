from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrcodec.errors import BitstreamError, Truncated
from inrcodec.format.varint import Reader, varint


@pytest.mark.parametrize(
    ("value", "spelling"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (16383, "ff7f"), (2**35 - 1, "ffffffff7f")],
)
def test_spellings(value: int, spelling: str) -> None:
    assert varint(value).hex() == spelling
    assert Reader(bytes.fromhex(spelling)).varint("it") == value


@given(st.lists(st.integers(0, 2**35 - 1)))
def test_round_trip(values: list[int]) -> None:
    reader = Reader(b"".join(map(varint, values)))
    assert [reader.varint("it") for _ in values] == values
    reader.done()


@given(st.binary(max_size=7))
def test_what_is_read_is_the_only_spelling(data: bytes) -> None:
    reader = Reader(data)
    try:
        value = reader.varint("it")
    except BitstreamError:
        return
    assert varint(value) == data[: reader.position]


@pytest.mark.parametrize("value", [-1, 2**35])
def test_numbers_out_of_range_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        varint(value)


@pytest.mark.parametrize("spelling", ["8000", "ff00", "808000", "ffffffff00", "ffffffffff01", "808080808080"])
def test_padded_and_endless_ones_are_refused(spelling: str) -> None:
    with pytest.raises(BitstreamError, match=r"the width \(byte \d\) is not a proper varint"):
        Reader(bytes.fromhex(spelling)).varint("width")


def test_reading_past_the_end_says_inside_what() -> None:
    for data in (b"", b"\x80", b"\xff\xff"):
        with pytest.raises(Truncated, match=rf"the file ends at byte {len(data)}, inside the height"):
            Reader(data).varint("height")
    reader = Reader(b"abc", 1, name="box")
    assert (reader.byte("first"), reader.position) == (ord("b"), 2)
    with pytest.raises(Truncated, match="the box ends at byte 3, inside the rest"):
        reader.take(2, "rest")
    assert reader.take(1, "rest") == b"c"
    assert reader.take(0, "nothing") == b""


def test_left_over_bytes_are_refused() -> None:
    reader = Reader(b"abc", name="box")
    reader.take(1, "first")
    with pytest.raises(BitstreamError, match="2 bytes too many in the box"):
        reader.done()
