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


def test_refinements_have_networks_of_their_own() -> None:
    arch = LayeredArch.over(BASE, 3)
    synthesiser = [spec for spec in BASE.tensors() if spec.name[0] != "C"]
    model = [spec.name[1:] for spec in BASE.tensors() if spec.name[0] == "C"]
    assert [arch.context_tensors(plane) for plane in range(8)] == [(x, grid) for x in "CDEF" for grid in (0, 1)]
    specs = {spec.name: spec.shape for spec in arch.tensors()}
    for k, letter in enumerate("DEF"):
        known, own = ({spec.name for spec in arch.up_to(layer).tensors()} for layer in (k, k + 1))
        added = {letter + name for name in model} | {"TXY"[k] + spec.name for spec in synthesiser}
        assert own - known == added
        assert specs[f"{letter}0"] == (4, BASE.inputs + 9)
        assert specs[f"{letter}.bias"] == (2, 6)
    assert arch.up_to(3) == arch
    assert arch.up_to(0) == BASE
    random = np.random.default_rng(0)
    tensors = {name: random.normal(size=shape).astype(np.float32) for name, shape in specs.items()}
    flat = np.concatenate([part.ravel() for part in tensors.values()])
    drawn = drawing(arch, tensors)
    first, *more = arch.synthesisers()
    for name in (spec.name for spec in synthesiser):
        summed = tensors[name] + tensors[f"T{name}"] + tensors[f"X{name}"] + tensors[f"Y{name}"]
        assert np.array_equal(drawn[name], summed)
    summed = np.concatenate([drawn[spec.name].ravel() for spec in synthesiser])
    added = np.stack([flat[part] for part in (first, *more)]).sum(0)
    assert np.allclose(added, summed, rtol=1e-5, atol=1e-6)
    assert np.array_equal(drawn["C0"], tensors["C0"])


@pytest.mark.parametrize(("prior", "above"), [(3, (2, 1)), (2, (1, 1)), (1, (1, 1))])
def test_refinements_start_from_the_priors_for_higher_rates(prior: int, above: tuple[int, int]) -> None:
    arch = LayeredArch.over(PRIOR_ARCH, 2)
    assert fits(arch)
    base = base_tensors(arch, prior)
    assert {name: values.shape for name, values in base.items()} == {s.name: s.shape for s in arch.tensors()}
    for letter, code in zip("DE", above, strict=True):
        theirs = base_tensors(PRIOR_ARCH, code)
        assert np.array_equal(base[f"{letter}0"][:, :25], theirs["C0"])
        assert not base[f"{letter}0"][:, 25:].any()
        assert np.array_equal(base[f"{letter}1"], theirs["C1"])
        assert np.array_equal(base[f"{letter}.out"][:, :-9], theirs["C.out"])
        assert not base[f"{letter}.out"][:, -9:].any()
        assert np.array_equal(base[f"{letter}.bias"], theirs["C.bias"])
    assert not any(values.any() for name, values in base.items() if name[0] in "TX")
    linear = LayeredArch.over(GridArch(context=()), 1)
    assert base_tensors(linear, 0)["D.out"].shape == (2, linear.inputs + 9)
