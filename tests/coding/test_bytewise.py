from __future__ import annotations

from dataclasses import replace

import brotli
import numpy as np
import pytest

from inrcodec.coding.bytewise import compress, expand, sizes
from inrcodec.coding.estimate import fit_law
from inrcodec.coding.symbols import Symbols
from inrcodec.errors import BitstreamError
from inrcodec.net.arch import Arch

ARCH = Arch((9, 7))


def _symbols(spreads: tuple[float, ...] = (3, 40, 900, 0, 1), seed: int = 0, arch: Arch = ARCH) -> Symbols:
    rng = np.random.default_rng(seed)
    values = []
    for spec, spread in zip(arch.tensors(), spreads, strict=True):
        values.append(np.rint(rng.normal(0, spread, spec.shape)).clip(-3968, 3968).astype(np.int32))
    return Symbols(arch, tuple(fit_law(value, 90) for value in values), tuple(values))


@pytest.mark.parametrize("seed", range(5))
def test_there_and_back(seed: int) -> None:
    symbols = _symbols(seed=seed)
    again = expand(compress(symbols), ARCH, symbols.laws)
    assert all(np.array_equal(a, b) for a, b in zip(symbols.values, again.values, strict=True))
    assert all(value.dtype == np.int32 for value in again.values)


def test_symbols_take_one_byte_or_two_or_none() -> None:
    symbols = _symbols()
    counts = [spec.size for spec in ARCH.tensors()]
    assert symbols.laws[1].largest <= 127 < symbols.laws[2].largest
    assert sizes(ARCH, symbols.laws) == (counts[0], counts[1], 2 * counts[2], 0, counts[4])


def test_it_compresses() -> None:
    small = _symbols((0.6, 0.6, 0.6, 0.6, 0.6), arch=Arch((40, 40)))
    assert len(compress(small)) < 0.6 * sum(sizes(small.arch, small.laws))


@pytest.mark.parametrize("damage", ["cut", "grow", "short", "long", "noise", "over", "empty"])
def test_other_bytes_are_refused(damage: str) -> None:
    symbols = _symbols((3, 3, 3, 3, 3))
    payload, raw = compress(symbols), brotli.decompress(compress(symbols))
    bad = {
        "cut": payload[:-1],
        "grow": payload + b"\0",
        "short": brotli.compress(raw[:-1]),
        "long": brotli.compress(raw + b"\0"),
        "noise": bytes(range(40)),
        "over": brotli.compress(b"\x7f" + raw[1:]),
        "empty": b"",
    }[damage]
    with pytest.raises(BitstreamError):
        expand(bad, ARCH, symbols.laws)


def test_a_bomb_is_not_let_off() -> None:
    import tracemalloc

    symbols = _symbols((3, 3, 3, 3, 3))
    bomb = brotli.compress(bytes(200_000_000), quality=1)
    tracemalloc.start()
    with pytest.raises(BitstreamError, match="does not hold"):
        expand(bomb, ARCH, symbols.laws)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_no_weights_at_all() -> None:
    symbols = _symbols((0, 0, 0, 0, 0))
    assert sum(sizes(ARCH, symbols.laws)) == 0
    assert expand(compress(symbols), ARCH, symbols.laws).kept == 0
    assert replace(symbols).kept == 0
