from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inrcodec.coding.neighbourhood import Neighbourhood, wave_order
from inrcodec.net.grid import CAUSAL, PARENTS, SKEW, GridArch

ARCHES = st.builds(
    GridArch, finest=st.just(0), coarsest=st.integers(0, 4), neighbours=st.integers(1, 14), parents=st.integers(0, 11)
)
SIDES = st.integers(1, 24)


def _context(grids: list[np.ndarray], y: int, x: int, arch: GridArch) -> list[int]:
    """As the words say it."""

    def at(up: int, y: int, x: int) -> int:
        if up >= len(grids):
            return 0
        rows, columns = grids[-1 - up].shape
        return int(grids[-1 - up][y, x]) if 0 <= y < rows and 0 <= x < columns else 0

    own = [at(0, y + dy, x + dx) for dy, dx in CAUSAL[: arch.neighbours]]
    return own + [at(up, (y >> up) + dy, (x >> up) + dx) for up, dy, dx in PARENTS[: arch.parents]]


@given(ARCHES, SIDES, SIDES, st.integers(0, 99))
def test_contexts_are_where_the_words_say(arch: GridArch, width: int, height: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    grids = [rng.integers(-4095, 4096, shape) for shape in arch.shapes(width, height)]
    field = Neighbourhood(arch, grids[:-1], grids[-1].shape)
    field.plane[:] = grids[-1]
    expected = np.array([[_context(grids, y, x, arch) for x in range(width)] for y in range(height)])
    for top, bottom in ((0, height), (height // 2, height // 2 + 1)):
        out = np.empty((arch.inputs, (bottom - top) * width))
        field.strip(top, bottom, out)
        assert np.array_equal(out.T, expected[top:bottom].reshape(-1, arch.inputs))
    order, waves = wave_order((height, width))
    flat, at = expected.reshape(-1, arch.inputs)[order], 0
    for count, places in field.steps():
        out = np.empty((arch.inputs, count))
        field.gather(count).read(places, out)
        assert np.array_equal(out.T, flat[at : at + count])
        assert len(set(waves[at : at + count])) == 1
        at += count
    assert at == len(order)


@given(ARCHES, SIDES, SIDES)
def test_waves_write_every_latent_once(arch: GridArch, width: int, height: int) -> None:
    field = Neighbourhood(arch, [np.zeros((1, 1), np.int32)] * arch.coarsest, (height, width))
    order, _ = wave_order((height, width))
    at = 0
    for count, places in field.steps():
        field.gather(count).write(places, np.arange(at + 1, at + count + 1, dtype=np.int32))
        at += count
    expected = np.empty(width * height, np.int32)
    expected[order] = np.arange(1, width * height + 1)
    assert np.array_equal(field.plane, expected.reshape(height, width))


def test_no_latent_sees_its_own_wave_or_a_later_one() -> None:
    assert all(dx + SKEW * dy < 0 for dy, dx in CAUSAL)
