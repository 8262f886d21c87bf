from __future__ import annotations

import tracemalloc
from typing import Any

import brotli
import numpy as np
import pytest

from inrcodec.coding.plane import ABOVE, FILTERS, LEFT, read_plane, write_plane
from inrcodec.errors import BitstreamError


def _noise(rows: int, columns: int, depth: int, seed: int = 0) -> Any:
    kind = np.uint8 if depth == 8 else np.uint16
    return np.random.default_rng(seed).integers(0, 1 << depth, (rows, columns)).astype(kind)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (13, 7)])
def test_planes_come_back(depth: int, shape: tuple[int, int]) -> None:
    for plane in (_noise(*shape, depth), _noise(*shape, depth) % 2, np.sort(_noise(*shape, depth), 1)):
        back = read_plane(write_plane(plane), *shape, depth)
        assert back.dtype == plane.dtype
        np.testing.assert_array_equal(back, plane)


def test_the_filter_follows_the_plane() -> None:
    y, x = np.mgrid[:64, :64]
    assert write_plane((3 * x + 5 * y).astype(np.uint8))[0] == LEFT | ABOVE
    assert write_plane((_noise(1, 64, 8) + 7 * y).astype(np.uint8))[0] == ABOVE
    assert write_plane((_noise(64, 1, 8) + 7 * x).astype(np.uint8))[0] & LEFT
    assert write_plane(_noise(64, 64, 8) % 4)[0] == 0


def test_flat_planes_and_masks_take_next_to_nothing() -> None:
    y, x = np.mgrid[:256, :256]
    disc = np.where((x - 128) ** 2 + (y - 120) ** 2 < 8000, 255, 0).astype(np.uint8)
    assert len(write_plane(disc)) < 400
    assert len(write_plane(x.astype(np.uint8))) < 30


@pytest.mark.parametrize("damage", ["nothing", "filter", "cut", "grow", "short", "long", "noise", "other depth"])
def test_other_bytes_are_refused(damage: str) -> None:
    plane = _noise(5, 6, 8)
    body = write_plane(plane)
    raw = brotli.decompress(body[1:])
    bad = {
        "nothing": b"",
        "filter": bytes([FILTERS + 1]) + body[1:],
        "cut": body[:-1],
        "grow": body + b"\0",
        "short": body[:1] + brotli.compress(raw[:-1]),
        "long": body[:1] + brotli.compress(raw + b"\0"),
        "noise": bytes([0, *range(40)]),
        "other depth": write_plane(plane.astype(np.uint16)),
    }[damage]
    with pytest.raises(BitstreamError, match="alpha plane"):
        read_plane(bad, 5, 6, 8)


def test_a_bomb_is_not_let_off() -> None:
    bomb = b"\0" + brotli.compress(bytes(100_000_000), quality=1)
    tracemalloc.start()
    with pytest.raises(BitstreamError, match="does not hold the 900 bytes"):
        read_plane(bomb, 30, 30, 8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
