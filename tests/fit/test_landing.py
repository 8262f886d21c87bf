from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from inrcodec.coding.symbols import Symbols
from inrcodec.fit.canvas import Canvas
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.landing import Search, land
from inrcodec.format.container import Header
from inrcodec.format.stream import Stream, pack

Trained = tuple[Canvas, FittedNet, float]


def _size(search: Search) -> Callable[[Symbols], int]:
    header = Header(48, 32)
    return lambda symbols: len(pack(Stream(header, search.arch, symbols)))


@pytest.mark.parametrize("share", [0.8, 0.9, 0.99, 1.0])
def test_a_landing_never_exceeds_the_cap_and_uses_it(trained: Trained, share: float) -> None:
    canvas, fitted, _ = trained
    search = Search(canvas, fitted)
    size = _size(search)
    cap = int(share * size(search.pack(search.symbols)))
    landed = land(search, cap, size)
    assert size(landed.symbols) <= cap
    assert size(landed.symbols) >= 0.97 * cap


def test_more_bytes_never_hurt(trained: Trained) -> None:
    canvas, fitted, _ = trained
    errors = []
    for share in (0.5, 0.7, 0.9, 1.0):
        search = Search(canvas, fitted)
        size = _size(search)
        errors.append(land(search, int(share * size(search.pack(search.symbols))), size).mse)
    assert errors == sorted(errors, reverse=True)


def test_new_steps_beat_dropping_the_smallest_weights(trained: Trained) -> None:
    canvas, fitted, _ = trained
    search = Search(canvas, fitted)
    size = _size(search)
    cap = int(0.85 * size(search.pack(search.symbols)))
    plain = search.symbols.copy()
    order = np.argsort(np.abs(plain * search.delta), kind="stable")
    for weight in order:
        if size(search.pack(plain)) <= cap:
            break
        plain[weight] = 0
    naive = search.error(plain)
    assert land(search, cap, size).mse < 0.8 * naive


def test_rounds_of_improvement_improve_within_the_budget(trained: Trained) -> None:
    canvas, fitted, _ = trained
    search = Search(canvas, fitted)
    target, before, trust = 1.02 * search.bits(search.symbols), search.mse, 0.1
    for _ in range(12):
        trust = search.improved(target, trust)
        assert search.bits(search.symbols) <= target
        assert search.mse <= before
    assert search.mse < before
    assert search.mse == pytest.approx(search.error(search.symbols))


def test_gradient_is_the_derivative_of_the_error(trained: Trained) -> None:
    canvas, fitted, _ = trained
    search = Search(canvas, fitted)
    gradient = search.gradient()
    flat = search.weights(search.symbols)
    for weight in np.argsort(np.abs(gradient))[-5:]:
        nudge = torch.zeros_like(flat)
        nudge[weight] = 1e-4
        up, down = (canvas.mse(search.net, flat + sign * nudge) for sign in (1, -1))
        assert (up - down) / 2e-4 == pytest.approx(gradient[weight], rel=0.1)


def test_an_impossible_cap_is_refused(trained: Trained) -> None:
    canvas, fitted, _ = trained
    search = Search(canvas, fitted)
    with pytest.raises(ValueError, match="fit 40 bytes"):
        land(search, 40, _size(search))


def test_stopping_still_lands_under_the_cap(trained: Trained) -> None:
    canvas, fitted, _ = trained
    search = Search(canvas, fitted)
    size = _size(search)
    cap = int(0.8 * size(search.pack(search.symbols)))
    landed = land(search, cap, size, stop=lambda: True)
    assert landed.rounds == 0
    assert size(landed.symbols) <= cap
