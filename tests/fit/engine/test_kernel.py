from __future__ import annotations

import numba.core.caching
import numpy as np
import pytest
from numpy.typing import NDArray

from inrcodec.fit.engine import kernel
from inrcodec.fit.engine.kernel import LOSS, OUTPUTS, PULLBACK, sweep
from inrcodec.fit.engine.layers import siren
from inrcodec.fit.engine.micro import PANEL
from inrcodec.fit.engine.plan import Plan, plan

Floats = NDArray[np.float32]
TILE = 2 * PANEL
PIXELS = 3 * TILE + 5


@pytest.fixture
def layout() -> Plan:
    return plan(siren((9, 6), 3, frequency=5), TILE)


class _Sweep:
    """The arguments of a sweep over random pixels, and what it fills."""

    def __init__(self, layout: Plan) -> None:
        rng = np.random.default_rng(0)
        self.layout = layout
        self.x = rng.uniform(-1, 1, PIXELS * 2).astype(np.float32)
        self.y = rng.uniform(-1, 1, PIXELS * 3).astype(np.float32)
        self.w = (rng.uniform(-1, 1, layout.weights) * layout.scale / 5).astype(np.float32)
        self.buffer = np.full(layout.buffer_size, np.nan, np.float32)
        self.g = np.zeros(layout.gradient_size, np.float32)
        self.out = np.full(PIXELS * 3, np.nan, np.float32)
        self.dx = np.full(PIXELS * 2, np.nan, np.float32)

    def __call__(self, task: int, start: int, stop: int, *, y: Floats | None = None, pull: bool = True) -> float:
        p = self.layout
        dx = self.dx if pull else np.empty(0, np.float32)
        given = self.y if y is None else y
        places = p.w_at, p.b_at, p.h_at, p.z_at
        net = p.tile, self.x, given, self.w, p.widths, p.kinds
        return float(sweep(task, start, stop, *net, *places, self.buffer, self.g, self.out, dx))


def test_a_sweep_touches_its_own_pixels_only(layout: Plan) -> None:
    run = _Sweep(layout)
    run(OUTPUTS, 7, PIXELS - 9)
    assert np.array_equal(np.isnan(run.out.reshape(-1, 3)).all(1), ~_inside(7, PIXELS - 9))
    assert not np.isnan(run.out.reshape(-1, 3)[7 : PIXELS - 9]).any()
    run(LOSS, 7, PIXELS - 9)
    assert np.array_equal(np.isnan(run.dx.reshape(-1, 2)).all(1), ~_inside(7, PIXELS - 9))


def _inside(start: int, stop: int) -> NDArray[np.bool_]:
    pixels = np.arange(PIXELS)
    return (pixels >= start) & (pixels < stop)


def test_errors_and_gradients_add_up_over_ranges(layout: Plan) -> None:
    whole, parts = _Sweep(layout), _Sweep(layout)
    error = whole(LOSS, 0, PIXELS)
    total = sum(parts(LOSS, a, b) for a, b in ((0, 11), (11, TILE + 1), (TILE + 1, PIXELS)))
    assert total == pytest.approx(error, rel=1e-6)
    assert np.allclose(layout.gather(whole.g[None]), layout.gather(parts.g[None]), rtol=1e-4, atol=1e-4)
    assert np.allclose(whole.dx, parts.dx, rtol=1e-5, atol=1e-6)


def test_the_loss_pulls_back_twice_the_difference(layout: Plan) -> None:
    loss, back = _Sweep(layout), _Sweep(layout)
    error = loss(LOSS, 0, PIXELS)
    loss(OUTPUTS, 0, PIXELS)
    difference = loss.out - loss.y
    assert error == pytest.approx(float(np.square(difference, dtype=np.float64).sum()), rel=1e-6)
    assert back(PULLBACK, 0, PIXELS, y=2 * difference) == 0
    assert np.allclose(back.g, loss.g, rtol=1e-5, atol=1e-5)
    assert np.allclose(back.dx, loss.dx, rtol=1e-5, atol=1e-6)


def test_nobody_has_to_ask_for_input_gradients(layout: Plan) -> None:
    with_dx, without = _Sweep(layout), _Sweep(layout)
    assert with_dx(LOSS, 0, PIXELS) == without(LOSS, 0, PIXELS, pull=False)
    assert np.array_equal(with_dx.g, without.g)
    assert np.isnan(without.dx).all()


@pytest.mark.parametrize("hidden", [(), (1,), (7, 33), (64, 5, 30)])
@pytest.mark.parametrize("task", [OUTPUTS, LOSS, PULLBACK])
def test_a_sweep_stays_in_the_memory_it_was_given(task: int, hidden: tuple[int, ...]) -> None:
    run = _Sweep(plan(siren(hidden, 3, frequency=5), TILE))
    frames = []
    for name in ("buffer", "g", "out", "dx"):
        frame = np.full(len(getattr(run, name)) + 200, 7.0, np.float32)
        frame[100:-100] = getattr(run, name)
        setattr(run, name, frame[100:-100])
        frames.append(frame)
    run(task, 0, PIXELS)
    for frame in frames:
        assert (frame[:100] == 7).all()
        assert (frame[-100:] == 7).all()


@pytest.mark.parametrize("task", [OUTPUTS, LOSS, PULLBACK])
def test_no_pixels_are_no_work(task: int, layout: Plan) -> None:
    run = _Sweep(layout)
    assert run(task, 4, 4) == 0
    assert not run.g.any()
    assert np.isnan(run.out).all()


def test_kernels_work_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])

    def half(x: float) -> float:
        return x / 2

    assert kernel._kept(half)(3.0) == 1.5
