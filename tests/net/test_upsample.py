from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inrcodec.fit.grid import reference
from inrcodec.net.grid import GridArch
from inrcodec.net.upsample import BICUBIC, UNIT, Ladder

Float = NDArray[np.float32]
ARCHES = st.integers(0, 5).flatmap(
    lambda finest: st.builds(GridArch, finest=st.just(finest), coarsest=st.integers(finest, 6), filtered=st.booleans())
)
SIDES = st.integers(1, 40)


def _latents(arch: GridArch, width: int, height: int, seed: int = 0) -> list[NDArray[np.int32]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(-30, 31, shape).astype(np.int32) for shape in arch.shapes(width, height)]


def _tensors(arch: GridArch, seed: int = 0) -> dict[str, Float]:
    rng = np.random.default_rng(seed)
    shapes = {"U": (arch.coarsest, 4)} | ({"V": (arch.filters, 4)} if arch.filters else {})
    return {name: rng.normal(0, 0.05, shape).astype(np.float32) for name, shape in shapes.items()}


def _reference(arch: GridArch, latents: list[NDArray[np.int32]], width: int, height: int) -> Float:
    sizes = [(-(-height >> o), -(-width >> o)) for o in range(arch.coarsest - 1, -1, -1)]
    planes = [torch.tensor(plane.astype(np.float32)) for plane in latents]
    tensors = {name: torch.tensor(tensor) for name, tensor in _tensors(arch).items()}
    stack: Float = reference.upsampled(arch, tensors, planes, sizes).numpy()
    return stack


@given(ARCHES, SIDES, SIDES, st.data())
@settings(max_examples=60)
def test_it_is_the_reference_in_any_strips(arch: GridArch, width: int, height: int, data: st.DataObject) -> None:
    latents = _latents(arch, width, height)
    expected = _reference(arch, latents, width, height)
    ladder = Ladder(arch, _tensors(arch), latents, width, height)
    top = data.draw(st.integers(0, height - 1))
    bottom = data.draw(st.integers(top + 1, height))
    channels = ladder.channels(0)
    strip = ladder.rows(0, top, bottom)
    assert strip.dtype == np.float32
    assert np.abs(strip - expected[channels, top:bottom]).max(initial=0) < 1e-5 * 30 * UNIT


def test_strips_are_the_very_floats_of_the_whole() -> None:
    arch = GridArch(filtered=True)
    ladder = Ladder(arch, _tensors(arch), _latents(arch, 90, 70), 90, 70)
    whole = ladder.rows(0, 0, 70)
    strips = [ladder.rows(0, top, min(top + 9, 70)) for top in range(0, 70, 9)]
    assert np.array_equal(np.concatenate(strips, 1), whole)


@given(st.integers(0, 2), SIDES, SIDES, st.data())
@settings(max_examples=40)
def test_parts_are_the_very_floats_of_the_whole(octave: int, width: int, height: int, data: st.DataObject) -> None:
    arch = GridArch(coarsest=4, filtered=True)
    ladder = Ladder(arch, _tensors(arch), _latents(arch, width, height), width, height)
    rows, columns = ladder.shape(octave)
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    bottom, right = data.draw(st.integers(top + 1, rows)), data.draw(st.integers(left + 1, columns))
    whole = ladder.rows(octave, 0, rows)
    assert np.array_equal(ladder.rows(octave, top, bottom, left, right), whole[:, top:bottom, left:right])


def test_grids_of_zeros_are_not_carried_along() -> None:
    arch = GridArch(coarsest=4)
    latents = _latents(arch, 30, 20)
    latents[2][:] = latents[4][:] = 0
    expected = _reference(arch, latents, 30, 20)
    ladder = Ladder(arch, _tensors(arch), latents, 30, 20)
    assert ladder.channels(0) == [0, 1, 3]
    assert ladder.channels(2) == [0, 1]
    assert ladder.channels(5) == []
    assert np.allclose(ladder.rows(0, 0, 20), expected[[0, 1, 3]], atol=1e-4)
    nothing = Ladder(arch, _tensors(arch), [np.zeros_like(plane) for plane in latents], 30, 20)
    assert nothing.rows(0, 3, 7).shape == (0, 4, 30)
    assert nothing.rows(0, 3, 7, 5, 20).shape == (0, 4, 15)


def test_the_taps_make_flat_things_flat() -> None:
    assert sum(BICUBIC) == 1
    arch = GridArch(finest=3, coarsest=3)
    ladder = Ladder(arch, {"U": np.zeros((3, 4), np.float32)}, [np.full((3, 4), 16)], 30, 20)
    assert np.allclose(ladder.rows(0, 0, 20), 16 * UNIT)
