from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import constriction
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inrcodec.coding import rangecoder
from inrcodec.coding.estimate import fit_law
from inrcodec.coding.law import Law, bits, table
from inrcodec.errors import BitstreamError

Tensor = tuple[Law, NDArray[np.int32]]

TENSORS = st.lists(
    st.one_of(
        st.lists(st.integers(-3, 3), max_size=60),
        st.lists(st.integers(-3968, 3968), max_size=12),
        st.integers(0, 40).map(lambda count: [0] * count),
    ),
    max_size=4,
)


def _fitted(values: Sequence[Sequence[int]]) -> list[Tensor]:
    arrays = [np.array(list(value), np.int32) for value in values]
    return [(fit_law(array, 0), array) for array in arrays]


def _decoded(payload: bytes, tensors: Sequence[Tensor]) -> list[list[int]]:
    shape = [(law, array.size) for law, array in tensors]
    return [array.tolist() for array in rangecoder.decode(payload, shape)]


def test_the_bytes_of_a_stream_never_change() -> None:
    """Files out there hold such bytes: when this test fails, the format has changed."""
    tensors = [
        (Law(9, 5, 140, 4, 252), np.array([0, 1, -1, 0, 2, 0, 0, -3, 1, 0, 0, 5], np.int32)),
        (Law(0, 0), np.zeros(4, np.int32)),
        (Law(0, 96, 20, 60, 255), np.array([100, -7, 0, 40, -250], np.int32)),
    ]
    payload = rangecoder.encode(tensors)
    assert payload.hex() == "aaaab563eb1e64569f99"
    assert _decoded(payload, tensors) == [array.tolist() for _, array in tensors]


@given(TENSORS)
def test_round_trip(values: list[list[int]]) -> None:
    tensors = _fitted(values)
    payload = rangecoder.encode(tensors)
    assert _decoded(payload, tensors) == values
    assert not payload.endswith(b"\0")


@given(st.lists(st.integers(-31, 31), min_size=1, max_size=60), st.integers(0, 255), st.integers(0, 255))
def test_round_trip_under_laws_that_do_not_fit(values: list[int], decay: int, bend: int) -> None:
    tensors = [(Law(0, 31, 255, decay, bend), np.array(values, np.int32))]
    assert _decoded(rangecoder.encode(tensors), tensors) == [values]


@pytest.mark.parametrize("seed", range(8))
def test_size_is_the_entropy_to_within_four_bytes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    spreads = rng.choice([0.2, 1.0, 6.0, 30.0], 5)
    tensors = _fitted([np.rint(rng.laplace(0, spread, 2000)).astype(int).tolist() for spread in spreads])
    ideal = sum(float(bits(law)[np.abs(array)].sum()) for law, array in tensors) / 8
    assert ideal > 500
    assert abs(len(rangecoder.encode(tensors)) - ideal) < 4


@given(TENSORS, st.binary(min_size=1, max_size=9))
def test_a_longer_stream_of_the_same_symbols_is_refused(values: list[list[int]], tail: bytes) -> None:
    tensors = _fitted(values)
    try:
        found = _decoded(rangecoder.encode(tensors) + tail, tensors)
    except BitstreamError:
        return
    assert found != values


@given(TENSORS, st.integers(1, 6))
def test_padding_is_refused(values: list[list[int]], count: int) -> None:
    tensors = _fitted(values)
    with pytest.raises(BitstreamError, match="too long"):
        _decoded(rangecoder.encode(tensors) + bytes(count), tensors)


@given(TENSORS)
def test_no_stream_of_the_same_symbols_is_shorter(values: list[list[int]]) -> None:
    tensors = _fitted(values)
    payload = rangecoder.encode(tensors)
    if payload:
        at = int.from_bytes(payload[:-1], "big")
        for near in range(at - 1, at + 2):
            if 0 <= near < 1 << 8 * (len(payload) - 1):
                shorter = near.to_bytes(len(payload) - 1, "big")
                assert not rangecoder._spells(shorter, [(w, a.size) for w, a in tensors], [a for _, a in tensors])


@pytest.mark.parametrize("values", [[-52, -3968, -3968], [-111, 1313, -437, -2091, -3968], [-3, -3, 4, 20, 0, -26]])
def test_cut_streams_that_the_coder_rejects_do_not_stop_the_encoder(values: list[int]) -> None:
    tensors = _fitted([values])
    assert _decoded(rangecoder.encode(tensors), tensors) == [values]


def test_nothing_takes_nothing() -> None:
    assert rangecoder.encode([]) == b""
    assert rangecoder.encode([(Law(0, 0), np.zeros(1000, np.int32))]) == b""
    assert rangecoder.encode([(Law(0, 5), np.zeros(0, np.int32))]) == b""
    assert _decoded(b"", [(Law(0, 0), np.zeros(3, np.int32))]) == [[0, 0, 0]]


def test_a_long_tail_is_cut_in_a_moment() -> None:
    tensors = [(Law(0, 1, 128), np.full(100_000, -1, np.int32))]
    start = time.perf_counter()
    assert rangecoder.encode(tensors) == b"", "the lowest interval of all begins with the number zero"
    assert time.perf_counter() - start < 2
    assert set(_decoded(b"", tensors)[0]) == {-1}


@pytest.mark.parametrize("value", [3, -3, 100])
def test_symbols_outside_their_alphabet_are_refused(value: int) -> None:
    for law in (Law(0, 2), Law(0, 0)):
        with pytest.raises(ValueError, match="largest"):
            rangecoder.encode([(law, np.array([0, value], np.int32))])


def test_streams_the_coder_rejects_are_bitstream_errors() -> None:
    tensor = (Law(0, 1, 128), 1)
    assert rangecoder.decode(b"\xff", [tensor])[0].tolist() == [1]
    with pytest.raises(BitstreamError, match="cannot be decoded"):
        rangecoder.decode(b"\xff" * 8, [tensor])


ROWS = st.lists(
    st.lists(st.floats(0, 1), min_size=5, max_size=5).filter(lambda row: sum(row) > 1e-3), min_size=1, max_size=12
)


@given(TENSORS, ROWS, st.data())
def test_laws_and_rows_share_a_stream(values: list[list[int]], rows: list[list[float]], data: st.DataObject) -> None:
    tensors, probabilities = _fitted(values), np.array(rows)
    indices = np.array([data.draw(st.integers(0, 4)) for _ in rows], np.int32)
    writer = rangecoder.Writer()
    for law, array in tensors:
        writer.under(law, array)
    writer.rows(indices, probabilities)
    payload = writer.finish()
    assert writer.finish() == payload
    reader = rangecoder.Reader(payload, strict=True)
    assert [reader.under(law, array.size).tolist() for law, array in tensors] == values
    assert np.array_equal(reader.rows(probabilities), indices)
    reader.finish()


def test_a_row_of_its_own_is_a_law_of_its_own() -> None:
    """Each way of telling the coder the same probabilities gives the same bytes."""
    rng = np.random.default_rng(0)
    law = Law(0, 9, 90, 20, 250)
    symbols = rng.integers(-9, 10, 500).astype(np.int32)
    writer = rangecoder.Writer()
    writer.rows(symbols + 9, np.broadcast_to(table(law), (500, 19)).copy())
    assert writer.finish() == rangecoder.encode([(law, symbols)])


@given(TENSORS, st.binary(min_size=1, max_size=9))
def test_a_strict_reader_refuses_every_longer_stream(values: list[list[int]], tail: bytes) -> None:
    tensors = _fitted(values)
    payload = rangecoder.encode(tensors) + tail
    try:
        reader = rangecoder.Reader(payload, strict=True)
        found = [reader.under(law, array.size).tolist() for law, array in tensors]
        reader.finish()
    except BitstreamError:
        return
    assert found != values


def test_rows_the_coder_rejects_are_bitstream_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    _throw(_Panic("panicked"), monkeypatch)
    with pytest.raises(BitstreamError, match="cannot be decoded"):
        rangecoder.Reader(b"1234").rows(np.full((1, 3), 1 / 3))
    _throw(KeyboardInterrupt(), monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        rangecoder.Reader(b"1234").rows(np.full((1, 3), 1 / 3))


class _Panic(BaseException):
    """As pyo3's PanicException."""


@pytest.mark.parametrize("error", [_Panic("panicked"), AssertionError("invalid"), ValueError("no"), IndexError()])
def test_whatever_the_coder_throws_becomes_a_bitstream_error(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    _throw(error, monkeypatch)
    with pytest.raises(BitstreamError, match="cannot be decoded") as caught:
        rangecoder.decode(b"1234", [(Law(0, 1), 3)])
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), MemoryError()])
def test_interrupts_and_exhaustion_pass(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    _throw(error, monkeypatch)
    with pytest.raises(type(error)):
        rangecoder.decode(b"1234", [(Law(0, 1), 3)])


def _throw(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    class Decoder:
        def __init__(self, _: Any) -> None:
            pass

        def decode(self, *_: Any) -> Any:
            raise error

    monkeypatch.setattr(constriction.stream.queue, "RangeDecoder", Decoder)


def test_it_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    tensors = _fitted([[1, 2, 3, 0, 0]])
    _decoded(rangecoder.encode(tensors), tensors)
    with pytest.raises(BitstreamError):
        rangecoder.decode(b"\xff" * 8, [(Law(0, 1, 128), 1)])
    assert capfd.readouterr() == ("", "")
