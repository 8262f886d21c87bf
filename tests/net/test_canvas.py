from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inrcodec.fit.grid import reference
from inrcodec.format.stream import Stream
from inrcodec.net.canvas import Canvas, octave_of
from inrcodec.net.grid import GridArch

MakeStream = Callable[..., Stream]


@pytest.mark.parametrize(
    ("coded", "drawn", "octave"),
    [
        ((768, 512), (768, 512), 0),
        ((768, 512), (1536, 1024), 0),
        ((768, 512), (767, 511), 0),
        ((768, 512), (385, 257), 0),
        ((768, 512), (384, 256), 1),
        ((768, 512), (96, 64), 3),
        ((768, 512), (95, 63), 3),
        ((768, 512), (12, 8), 6),
        ((768, 512), (3, 2), 6),
        ((765, 511), (96, 64), 3),
        ((1, 1), (1, 1), 0),
        ((2, 1), (1, 1), 1),
        ((2, 2), (1, 1), 1),
        ((1, 50), (1, 50), 0),
        ((1, 50), (1, 25), 1),
    ],
)
def test_small_drawings_are_made_from_coarse_octaves(
    coded: tuple[int, int], drawn: tuple[int, int], octave: int
) -> None:
    assert octave_of(GridArch(), coded, drawn) == octave


@given(st.integers(0, 2), st.integers(1, 30), st.integers(1, 30), st.data())
@settings(max_examples=40)
def test_the_picture_at_its_own_size_is_the_reference(
    make_grid_stream: MakeStream, residuals: int, width: int, height: int, data: st.DataObject
) -> None:
    """In whole and in parts."""
    arch = GridArch(coarsest=3, residuals=residuals)
    stream = make_grid_stream(arch, width=width, height=height)
    tensors, latents = stream.tensors(), stream.latents or ()
    tensors |= {name: 3 * tensor for name, tensor in tensors.items() if name[0] == "R"}
    sizes = [(-(-height >> o), -(-width >> o)) for o in range(arch.coarsest - 1, -1, -1)]
    planes = [torch.tensor(plane.astype(np.float32)) for plane in latents]
    floats = {name: torch.tensor(tensor) for name, tensor in tensors.items()}
    expected = reference.synthesise(arch, floats, reference.upsampled(arch, floats, planes, sizes)).numpy()
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    size = (width, height)
    for columns, rows in ((slice(0, width), (0, height)), (slice(left, right), (top, bottom))):
        found = Canvas(arch, tensors, latents, size, size, columns).rows(*rows)
        assert np.abs(found - expected[:, rows[0] : rows[1], columns]).max() < 1e-5 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("drawn", [(40, 30), (120, 90), (20, 15), (33, 25), (5, 4), (7, 5), (3, 2), (1, 1)])
def test_a_part_of_any_drawing_is_a_part_of_the_whole(make_grid_stream: MakeStream, drawn: tuple[int, int]) -> None:
    arch = GridArch(coarsest=4)
    stream = make_grid_stream(arch, width=40, height=30)
    tensors, latents = stream.tensors(), stream.latents or ()
    width, height = drawn
    whole = Canvas(arch, tensors, latents, (40, 30), drawn, slice(0, width)).rows(0, height)
    assert whole.shape == (3, height, width)
    assert np.isfinite(whole).all()
    columns, top = slice(width // 3, width // 3 + (width + 1) // 2), height // 4
    part = Canvas(arch, tensors, latents, (40, 30), drawn, columns).rows(top, height)
    assert np.abs(part - whole[:, top:, columns]).max() < 1e-5


def test_an_octave_is_drawn_from_its_own_grids(make_grid_stream: MakeStream) -> None:
    """The stack of the octave, the finer grids as zeros, no 3x3 layer."""
    arch = GridArch(coarsest=4)
    stream = make_grid_stream(arch, width=64, height=48)
    tensors, latents = stream.tensors(), stream.latents or ()
    small = Canvas(arch, tensors, latents[:3], (64, 48), (16, 12), slice(0, 16)).rows(0, 12)
    full = Canvas(arch, tensors, latents, (64, 48), (16, 12), slice(0, 16)).rows(0, 12)
    assert np.array_equal(small, full)
    planes = [torch.tensor(plane.astype(np.float32)) for plane in latents[:3]]
    floats = {name: torch.tensor(tensor) for name, tensor in tensors.items()}
    stack = reference.upsampled(arch, floats, planes, [(6, 8), (12, 16)])
    stack = torch.cat([stack, torch.zeros(2, 12, 16)])
    plain = GridArch(coarsest=4, residuals=0)
    assert np.abs(small - reference.synthesise(plain, floats, stack).numpy()).max() < 1e-5


def test_flat_grids_look_the_same_at_every_size() -> None:
    arch = GridArch(0, 3, hidden=(5,), residuals=1)
    rng = np.random.default_rng(0)
    tensors = {spec.name: rng.normal(0, 0.3, spec.shape).astype(np.float32) for spec in arch.tensors()}
    tensors["U"][:], tensors["R0"][:] = 0, 0
    latents = [np.full(arch.shapes(40, 30)[0], 3), *(np.zeros(shape, int) for shape in arch.shapes(40, 30)[1:])]
    colours = [
        Canvas(arch, tensors, latents, (40, 30), drawn, slice(0, drawn[0])).rows(0, drawn[1])
        for drawn in ((40, 30), (97, 71), (20, 15), (13, 10), (2, 2))
    ]
    for picture in colours:
        assert np.abs(picture - colours[0][:, :1, :1]).max() < 1e-5
