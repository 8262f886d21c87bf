"""Networks that go the way once more that they came."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from inrcodec.fit.descent import advance
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.engine import grid_engine
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.growth import GrowingDescent, Growth
from inrcodec.fit.grid.scene import Scene
from inrcodec.net.grid import GridArch
from inrcodec.pixels import Pixels

ARCH = GridArch(0, 3)


def _descent(steps: int) -> GrowingDescent:
    pixels = Pixels(np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8))
    scene = Scene.of(pixels, grid_engine("torch", "cpu"))
    return GrowingDescent(scene, ARCH, GridConfig(steps=steps, gates="none"), 2_000.0)


def test_a_fit_notes_its_networks_from_beginning_to_end() -> None:
    descent = _descent(80)
    first = descent.free_weights().detach().clone()
    advance(descent)
    growth = descent.fitted().growth
    assert growth is not None
    assert len(growth) == 33
    assert torch.equal(torch.from_numpy(growth[0]), first)
    ways = np.abs(growth - growth[-1]).mean(1)
    assert ways[0] > ways[16] > ways[31] > 0  # they get nearer to what they come to


def test_short_fits_note_every_step_at_most_once() -> None:
    descent = _descent(8)
    advance(descent)
    growth = descent.fitted().growth
    assert growth is not None
    assert len(growth) <= 8


def test_what_was_noted_survives_a_checkpoint() -> None:
    whole, cut, later = (_descent(20) for _ in range(3))
    advance(whole)
    advance(cut, stop=lambda: cut.done == 11)
    later.load_state_dict(cut.state_dict())
    advance(later)
    fitted, again = whole.fitted(), later.fitted()
    assert np.array_equal(fitted.growth, again.growth)  # type: ignore[arg-type]
    kept = FittedGrid.from_state(fitted.state())
    assert np.array_equal(kept.growth, fitted.growth)  # type: ignore[arg-type]


def test_weights_go_from_the_first_moment_to_those_of_the_file() -> None:
    moments = np.array([[0.0, 0.0], [1.0, 10.0], [2.0, 40.0]], np.float32)
    final = torch.tensor([3.0, 50.0])
    fitted = FittedGrid(ARCH, np.zeros(2, np.float32), (), np.zeros(0, np.float32), 1.0, 3, growth=moments)
    growth = Growth(fitted, final)
    assert growth.at(0.0).tolist() == [0.0, 0.0]
    assert growth.at(0.125).tolist() == [0.5, 5.0]
    assert growth.at(0.25).tolist() == [1.0, 10.0]
    assert growth.at(0.49).tolist()[1] > 30
    assert growth.at(0.5).tolist() == growth.at(1.0).tolist() == [3.0, 50.0]
    assert Growth(replace(fitted, growth=None), final).at(0.0).tolist() == [3.0, 50.0]
