from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inrcodec.coding import rangecoder
from inrcodec.coding import symbols as symbols_module
from inrcodec.coding.estimate import fit_law
from inrcodec.coding.law import Law, step_size
from inrcodec.coding.symbols import Symbols, halves_decode, halves_encode
from inrcodec.errors import BitstreamError, UnsupportedVersion
from inrcodec.format.stream import Stream
from inrcodec.net.arch import Arch, Network

ARCH = Arch((4, 3), 1)


def _symbols(flat: list[int], step: int = 100) -> Symbols:
    specs = ARCH.tensors()
    parts = np.split(np.array(flat, np.int32), np.cumsum([spec.size for spec in specs])[:-1])
    values = tuple(part.reshape(spec.shape) for part, spec in zip(parts, specs, strict=True))
    return Symbols(ARCH, tuple(fit_law(value, step) for value in values), values)


@given(hnp.arrays(np.int32, ARCH.params, elements=st.integers(-3968, 3968) | st.integers(-2, 2) | st.just(0)))
def test_round_trip(flat: np.ndarray) -> None:
    symbols = _symbols(flat.tolist())
    back = Symbols.decode(symbols.encode(), ARCH, symbols.laws)
    assert back.laws == symbols.laws
    for spec, mine, theirs in zip(ARCH.tensors(), symbols.values, back.values, strict=True):
        assert theirs.shape == spec.shape
        assert theirs.dtype == np.int32
        assert np.array_equal(mine, theirs)


def test_weights_are_exact_multiples_of_the_step() -> None:
    for step in (0, 7, 100, 255):
        symbols = _symbols([3968, -3968, *range(-10, ARCH.params - 12)], step)
        weights = symbols.dequantize()
        assert list(weights) == [spec.name for spec in ARCH.tensors()]
        for value, weight in zip(symbols.values, weights.values(), strict=True):
            assert weight.dtype == np.float32
            assert np.array_equal(weight.astype(np.float64), value * step_size(step))


def test_weights_are_the_first_part_of_a_stream() -> None:
    symbols = _symbols(list(range(-10, ARCH.params - 10)))
    writer = rangecoder.Writer()
    symbols.write(writer)
    writer.rows(np.array([1], np.int32), np.full((1, 2), 0.5))
    reader = rangecoder.Reader(writer.finish())
    back = Symbols.read(reader, ARCH, symbols.laws)
    assert all(map(np.array_equal, back.values, symbols.values))
    assert reader.rows(np.full((1, 2), 0.5)) == 1


def test_weights_are_measured_from_the_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    symbols = replace(_symbols([1] * ARCH.params), prior=7)
    with pytest.raises(UnsupportedVersion):
        symbols.exact()
    asked = []

    def base(arch: Network, prior: int) -> dict[str, np.ndarray]:
        asked.append((arch, prior))
        return {spec.name: np.full(spec.shape, 0.1) for spec in arch.tensors()}

    monkeypatch.setattr(symbols_module, "base_tensors", base)
    assert all((tensor == 0.1 + step_size(100)).all() for tensor in symbols.exact().values())
    assert all(tensor.dtype == np.float32 for tensor in symbols.dequantize().values())
    assert asked == [(ARCH, 7)] * 2


def test_kept_and_bits() -> None:
    symbols = _symbols([5, 0, -1, *[0] * (ARCH.params - 3)])
    assert symbols.kept == 2
    costs = symbols.tensor_bits()
    assert costs[0] > 0
    assert costs[1:] == (0.0,) * 4
    assert sum(costs) / 8 <= len(symbols.encode()) + 1


def test_one_law_and_one_array_a_tensor() -> None:
    symbols = _symbols([1] * ARCH.params)
    for change in ({"laws": symbols.laws[1:]}, {"values": symbols.values[1:]}, {"laws": (*symbols.laws, Law(0, 0))}):
        with pytest.raises(BitstreamError, match="expected 5 tensors"):
            replace(symbols, **change)


def test_halves_are_big_endian_tensor_after_tensor() -> None:
    arch = Arch((1,), 1)
    tensors = {"W0": [[1.0, -2.0]], "W1": [[0.5]], "b.hidden": [0.0], "b.out": [65504.0]}
    arrays = {name: np.array(value, np.float32) for name, value in tensors.items()}
    payload = halves_encode(arch, arrays)
    assert payload.hex() == "3c00c0003800" + "0000" + "7bff"
    back = halves_decode(payload, arch)
    assert {name: array.tolist() for name, array in back.items()} == tensors
    assert {array.dtype for array in back.values()} == {np.dtype(np.float32)}


def test_halves_round_once(make_stream: Callable[..., Stream]) -> None:
    weights = make_stream().tensors()
    arch = make_stream().arch
    back = halves_decode(halves_encode(arch, weights), arch)
    assert all(np.array_equal(back[name], weights[name].astype(np.float16)) for name in weights)


@pytest.mark.parametrize("change", [lambda p: p[:-1], lambda p: p + b"\0", lambda p: p[:-2], lambda _: b""])
def test_halves_of_another_length_are_refused(change: Callable[[bytes], bytes]) -> None:
    payload = bytes(2 * ARCH.params)
    halves_decode(payload, ARCH)
    with pytest.raises(BitstreamError, match="half-precision"):
        halves_decode(change(payload), ARCH)


@pytest.mark.parametrize("bad", ["7c00", "fc00", "7e00", "7c01", "ffff"])
def test_halves_that_are_not_finite_are_refused(bad: str) -> None:
    payload = bytearray(2 * ARCH.params)
    payload[10:12] = bytes.fromhex(bad)
    with pytest.raises(BitstreamError, match="not finite"):
        halves_decode(bytes(payload), ARCH)
