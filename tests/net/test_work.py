from __future__ import annotations

from dataclasses import replace

import pytest

from inrcodec.net.arch import Arch
from inrcodec.net.encoding import Encoding
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch
from inrcodec.net.prior import PRIOR_ARCH
from inrcodec.net.work import PIXEL, adding_work, canvas_work, latents_work, siren_work, whole_work

SIZE = (768, 512)
WHOLE = (0, 0, *SIZE)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (Arch((8, 8)), Arch((8, 9))),
        (Arch((8, 8)), Arch((8, 8, 1))),
        (Arch((8, 8)), Arch((8, 8), activation="gelu")),
        (Arch((8, 8)), Arch((8, 8), encoding=Encoding("nerf", 4, 150))),
    ],
)
def test_larger_networks_alone_are_more_work(less: Arch, more: Arch) -> None:
    assert siren_work(less, 1000) < siren_work(more, 1000)
    assert siren_work(less, 1000) > 1000 * (PIXEL + less.params)
    assert siren_work(less, 3000) == 3 * siren_work(less, 1000)


LESS = replace(PRIOR_ARCH, neighbours=13, parents=10)


@pytest.mark.parametrize(
    "more",
    [
        replace(LESS, context=(24, 25)),
        replace(LESS, context=(24, 24, 1)),
        replace(LESS, neighbours=14),
        replace(LESS, parents=11),
    ],
)
def test_larger_contexts_are_more_work(more: GridArch) -> None:
    shapes = LESS.shapes(*SIZE)
    assert latents_work(LESS, shapes, (True,) * 7) < latents_work(more, shapes, (True,) * 7)


def test_only_coded_grids_are_work() -> None:
    shapes = PRIOR_ARCH.shapes(*SIZE)
    each = [latents_work(PRIOR_ARCH, shapes, [plane == k for plane in range(7)]) for k in range(7)]
    assert sum(each) == latents_work(PRIOR_ARCH, shapes, (True,) * 7)
    assert each == sorted(each)
    assert latents_work(PRIOR_ARCH, shapes, (False,) * 7) == 0


def test_narrow_grids_are_more_work_than_square_ones() -> None:
    assert latents_work(PRIOR_ARCH, [(10_000, 1)], [True]) > 10 * latents_work(PRIOR_ARCH, [(100, 100)], [True])


def test_drawings_are_judged_by_their_part() -> None:
    def work(drawn: tuple[int, int], window: tuple[int, int, int, int], live: int = 7) -> int:
        return canvas_work(PRIOR_ARCH, SIZE, drawn, window, [grid < live for grid in range(7)])

    whole = work(SIZE, WHOLE)
    assert work(SIZE, (0, 0, 768, 128)) < 0.3 * whole
    assert work(SIZE, (0, 0, 8, 512)) < 0.1 * whole
    assert 0.8 * whole < work((96, 64), (0, 0, 96, 64)) < 1.2 * whole, "a small drawing is made of the whole picture"
    assert work((96, 64), (0, 0, 48, 64)) < 0.6 * whole
    assert work((1536, 1024), (0, 0, 1536, 1024)) > 1.5 * whole
    assert work(SIZE, WHOLE, 3) < whole
    assert work(SIZE, WHOLE, 0) == 768 * 512 * PIXEL, "one colour everywhere"


def test_layers_are_added_up() -> None:
    layered = LayeredArch.over(PRIOR_ARCH, 2)
    assert adding_work(PRIOR_ARCH, PRIOR_ARCH.plane_shapes(*SIZE)) == 0
    assert adding_work(layered, layered.plane_shapes(*SIZE)) > 3 * 768 * 512
    assert whole_work(layered, *SIZE) > 2 * whole_work(PRIOR_ARCH, *SIZE)
    assert whole_work(GridArch(1, 6), *SIZE) < whole_work(GridArch(0, 6), *SIZE)
