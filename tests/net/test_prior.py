from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inrcodec.errors import BitstreamError, UnsupportedVersion
from inrcodec.net.grid import GridArch
from inrcodec.net.prior import NO_PRIOR, PRICES, PRIOR_ARCH, base_tensors, check_prior, fits, nearest_prior, priors


def test_without_a_prior_weights_are_measured_from_zero() -> None:
    arch = GridArch()
    base = base_tensors(arch, NO_PRIOR)
    assert {name: tensor.shape for name, tensor in base.items()} == {spec.name: spec.shape for spec in arch.tensors()}
    assert all(not tensor.any() for tensor in base.values())


@pytest.mark.parametrize("prior", [6, 255])
def test_priors_of_the_future_are_refused(prior: int) -> None:
    with pytest.raises(UnsupportedVersion, match=f"unknown prior {prior}"):
        base_tensors(PRIOR_ARCH, prior)
    with pytest.raises(UnsupportedVersion, match=f"unknown prior {prior}"):
        check_prior(prior)


def test_there_is_a_prior_for_every_price_and_the_nearest_is_found() -> None:
    assert list(priors()) == list(range(1, len(PRICES) + 1))
    assert [nearest_prior(price * 1.3) for price in PRICES] == list(priors())
    assert nearest_prior(0.0) == 1
    assert nearest_prior(9.0) == len(PRICES)


def test_another_network_has_no_prior() -> None:
    assert fits(PRIOR_ARCH)
    assert not fits(GridArch())
    with pytest.raises(BitstreamError, match="prior 2 is not for"):
        base_tensors(GridArch(), 2)


ARCHES = [
    replace(PRIOR_ARCH, finest=f, coarsest=c, outputs=n) for f, c, n in ((0, 0, 3), (1, 4, 1), (0, 8, 3), (2, 9, 1))
]


@pytest.mark.parametrize("arch", ARCHES, ids=str)
@pytest.mark.parametrize("prior", priors())
def test_a_prior_stretches_to_other_octaves_and_to_gray(arch: GridArch, prior: int) -> None:
    base = base_tensors(arch, prior)
    assert {name: tensor.shape for name, tensor in base.items()} == {spec.name: spec.shape for spec in arch.tensors()}
    whole = base_tensors(PRIOR_ARCH, prior)
    last = max(PRIOR_ARCH.coarsest - arch.finest, 0)
    assert np.array_equal(base["C.bias"][-1], whole["C.bias"][last])
    assert np.array_equal(base["S0"][:, -1], whole["S0"][:, last])
    if arch.outputs == 1:
        assert np.allclose(base["S.bias"][-1], whole["S.bias"][-3:].mean())
        assert np.allclose(base["S.out"], whole["S.out"][:, [*range(24), *_columns(arch)]].mean(0))


def _columns(arch: GridArch) -> list[int]:
    return [24 + max(PRIOR_ARCH.coarsest - octave, 0) for octave in arch.octaves]
