from __future__ import annotations

import numpy as np
import pytest

from inrcodec.errors import BitstreamError
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch, drawing, drawn, total
from inrcodec.net.prior import PRIOR_ARCH, base_tensors, fits

BASE = GridArch(0, 1, 3, 2, (4,), (5,))


@pytest.mark.parametrize(("refinements", "ratio"), [(-1, 2), (4, 2), (1, 1), (1, 5)])
def test_bounds(refinements: int, ratio: int) -> None:
    with pytest.raises(BitstreamError, match="out of bounds"):
        LayeredArch.over(BASE, refinements, ratio)


def test_layers_add_up() -> None:
    arch = LayeredArch.over(BASE, 2, 3)
    planes = [np.array([[value]], np.int32) for value in (2, -1, 1, 4, -3, 0)]  # two grids, three layers
    assert [total(arch, planes, k).item() for k in range(6)] == [2, -1, 7, 1, 18, 3]
    assert np.allclose([plane.item() for plane in drawn(arch, planes)], [18 / 9, 3 / 9])
    halves = drawn(LayeredArch.over(BASE, 2, 2, scale=1), planes)
    assert [plane.item() for plane in halves] == [7 / 2, 4 / 2]
    assert list(drawn(BASE, planes[:2])) == planes[:2]


def test_the_base_is_the_same_network() -> None:
    arch = LayeredArch.over(BASE, 2)
    assert arch.base == BASE
    assert arch.tensors()[: len(BASE.tensors())] == BASE.tensors()
    assert LayeredArch.over(BASE, 0).tensors() == BASE.tensors()
    assert arch.plane_shapes(9, 7) == BASE.shapes(9, 7) * 3
    assert (arch.planes, arch.grids) == (6, 2)
    assert str(arch) == f"{BASE} in 3 layers"


def test_refinements_may_have_a_synthesiser_of_their_own() -> None:
    arch, shared = LayeredArch.over(BASE, 2, renewed=True), LayeredArch.over(BASE, 2)
    added = arch.tensors()[len(shared.tensors()) :]
    synthesiser = [spec for spec in BASE.tensors() if spec.name[0] != "C"]
    assert [(spec.name[1:], spec.shape) for spec in added] == [(spec.name, spec.shape) for spec in synthesiser]
    random = np.random.default_rng(0)
    tensors = {spec.name: random.normal(size=spec.shape).astype(np.float32) for spec in arch.tensors()}
    drawn = drawing(arch, tensors)
    assert all(np.array_equal(drawn[spec.name], tensors[spec.name] + tensors[f"T{spec.name}"]) for spec in synthesiser)
    assert np.array_equal(drawn["C0"], tensors["C0"])
    assert drawing(shared, tensors) is tensors
    flat = np.concatenate([tensors[spec.name].ravel() for spec in arch.tensors()])
    own, more = arch.renewal()
    assert np.array_equal(flat[own], np.concatenate([tensors[spec.name].ravel() for spec in synthesiser]))
    assert np.array_equal(flat[more], np.concatenate([tensors[spec.name].ravel() for spec in added]))
    with pytest.raises(BitstreamError, match="a base alone"):
        LayeredArch.over(BASE, 0, renewed=True)


def test_refinements_start_from_the_prior_of_the_base() -> None:
    arch = LayeredArch.over(PRIOR_ARCH, 2, renewed=True)
    assert fits(arch)
    base = base_tensors(arch, 3)
    assert {name: values.shape for name, values in base.items()} == {s.name: s.shape for s in arch.tensors()}
    assert np.array_equal(base["D0"][:, :25], base["C0"])
    assert not base["D0"][:, 25:].any()
    assert not base["D.out"][:, -9:].any()
    assert np.array_equal(base["D.bias"], np.vstack([base["C.bias"]] * 2))
    assert not any(values.any() for name, values in base.items() if name[0] == "T")
    linear = LayeredArch.over(GridArch(context=()), 1)
    assert base_tensors(linear, 0)["D.out"].shape == (2, linear.inputs + 9)
