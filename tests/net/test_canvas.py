from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inrcodec.fit.grid import reference
from inrcodec.format.stream import Stream
from inrcodec.net.canvas import Canvas
from inrcodec.net.grid import GridArch
from inrcodec.net.upsample import Ladder

Float = NDArray[np.float32]
MakeStream = Callable[..., Stream]


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


def test_other_sizes_are_made_of_the_picture_as_it_is_shown(make_grid_stream: MakeStream) -> None:
    """With what the 3x3 layers and the finest grid say, clipped."""
    arch = GridArch(coarsest=3, residuals=2)
    stream = make_grid_stream(arch, width=64, height=48, spread=20.0)
    tensors, latents = stream.tensors(), stream.latents or ()
    for name in ("R0", "R1"):
        tensors[name][:, :, 1, 1] += [[-0.2, 1.2, 0.0], [0.0, -0.4, 1.4], [0.9, 0.0, -0.3]]
    own = Canvas(arch, tensors, latents, (64, 48), (64, 48), slice(0, 64)).rows(0, 48)
    assert own.min() < -0.1
    assert own.max() > 1.1
    assert latents[-1].any()
    small = Canvas(arch, tensors, latents, (64, 48), (16, 12), slice(0, 16)).rows(0, 12)
    assert np.abs(small - own.clip(0, 1).reshape(3, 12, 4, 16, 4).mean((2, 4))).max() < 1e-5
    large = Canvas(arch, tensors, latents, (64, 48), (192, 144), slice(0, 192)).rows(0, 144)
    assert np.abs(large[:, 1::3, 1::3] - own.clip(0, 1)).max() < 1e-5


def test_parts_are_drawn_from_parts(make_grid_stream: MakeStream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows and of columns, at every size."""
    arch, drawn = GridArch(coarsest=4), []
    stream = make_grid_stream(arch, width=400, height=300)
    tensors, latents = stream.tensors(), stream.latents or ()
    rows = Ladder.rows

    def seen(self: Ladder, octave: int, top: int, bottom: int, left: int = 0, right: int | None = None) -> Float:
        assert right is not None
        drawn.append((bottom - top) * (right - left))
        return rows(self, octave, top, bottom, left, right)

    monkeypatch.setattr(Ladder, "rows", seen)
    for size in ((400, 300), (100, 75), (800, 600)):
        drawn.clear()
        x, y = size[0] // 2, size[1] // 2
        Canvas(arch, tensors, latents, (400, 300), size, slice(x, x + 4)).rows(y, y + 4)
        assert 0 < sum(drawn) < 1500


def test_flat_grids_look_the_same_at_every_size() -> None:
    arch = GridArch(0, 3, hidden=(5,), residuals=1)
    rng = np.random.default_rng(0)
    tensors = {spec.name: rng.normal(0, 0.3, spec.shape).astype(np.float32) for spec in arch.tensors()}
    tensors["U"][:] = 0
    tensors["R0"] *= np.float32(0.1)
    latents = [np.full(arch.shapes(40, 30)[0], 3), *(np.zeros(shape, int) for shape in arch.shapes(40, 30)[1:])]
    colours = [
        Canvas(arch, tensors, latents, (40, 30), drawn, slice(0, drawn[0])).rows(0, drawn[1])
        for drawn in ((40, 30), (97, 71), (20, 15), (13, 10), (2, 2))
    ]
    own = colours[0][:, :1, :1].clip(0, 1)
    assert 0 < own.max() < 1
    for picture in colours:
        assert np.abs(picture.clip(0, 1) - own).max() < 1e-5
