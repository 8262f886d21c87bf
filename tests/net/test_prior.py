from __future__ import annotations

import pytest

from inrcodec.errors import UnsupportedVersion
from inrcodec.net.grid import GridArch
from inrcodec.net.prior import NO_PRIOR, base_tensors


def test_without_a_prior_weights_are_measured_from_zero() -> None:
    arch = GridArch()
    base = base_tensors(arch, NO_PRIOR)
    assert {name: tensor.shape for name, tensor in base.items()} == {spec.name: spec.shape for spec in arch.tensors()}
    assert all(not tensor.any() for tensor in base.values())


@pytest.mark.parametrize("prior", [1, 255])
def test_priors_of_the_future_are_refused(prior: int) -> None:
    with pytest.raises(UnsupportedVersion, match=f"unknown prior {prior}"):
        base_tensors(GridArch(), prior)
