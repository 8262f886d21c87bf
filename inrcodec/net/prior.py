"""What the weights of a grid file are measured from: zeros, or one day the tensors of a trained prior."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inrcodec.errors import UnsupportedVersion
from inrcodec.net.arch import Network

NO_PRIOR = 0
"""The code of a base of zeros, the only one so far."""


def check_prior(prior: int) -> None:
    """Refuse a base this decoder does not have.

    Raises:
        UnsupportedVersion: always but for 0.
    """
    if prior != NO_PRIOR:
        raise UnsupportedVersion(f"unknown prior {prior}; a newer inrcodec wrote this")


def base_tensors(arch: Network, prior: int) -> dict[str, NDArray[np.float64]]:
    """What symbols times steps are added to, by tensor name.

    Args:
        arch: the network.
        prior: its code in the file.

    Raises:
        UnsupportedVersion: the prior is unknown.
    """
    check_prior(prior)
    return {spec.name: np.zeros(spec.shape) for spec in arch.tensors()}
