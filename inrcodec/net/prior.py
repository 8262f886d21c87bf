"""What the weights of a grid file are measured from: zeros, or the networks of a trained prior.

A prior is the outcome of fitting one set of networks to many photographs at once, each with latents of its own, at one
trade of error against bits; ``python -m benchmarks.prior`` trains them, on pictures that nothing here is judged by. A
file then says only where its networks differ: a closed gate means "as usual", and costs next to nothing. Being measured
from known weights is the delta coding of Struempler et al. (2022, section 3.4) without their common initialisation
having to be all there is.

Priors are part of the format and never change. They are stored as binary16 in ``priors.npy``, one row a prior, in the
file order of :data:`PRIOR_ARCH`; every value is exact in float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from inrcodec.errors import BitstreamError, UnsupportedVersion
from inrcodec.net.arch import Network
from inrcodec.net.grid import TAPS, GridArch
from inrcodec.net.layered import BELOW, LayeredArch

NO_PRIOR = 0
"""The code of a base of zeros."""

PRIOR_ARCH = GridArch(0, 6, 14, 11, (24, 24), (24, 24))
"""The architecture of all priors: RGB, with grids from octave 0 to 6."""


PRICES = (2e-4, 7e-4, 2.4e-3, 8e-3, 2.4e-2)
"""Mean squared error (samples in [0, 1]) that a bit a pixel was worth in the training of each prior."""


@lru_cache(maxsize=1)
def _stored() -> NDArray[np.float64]:
    """All priors, ``(priors, params)``."""
    with files("inrcodec.net").joinpath("priors.npy").open("rb") as file:
        rows = np.load(file, allow_pickle=False)
    assert rows.dtype == np.float16
    assert rows.shape[1] == PRIOR_ARCH.params
    exact: NDArray[np.float64] = rows.astype(np.float64)
    return exact


def priors() -> range:
    """The codes of all priors, from the highest rate to the lowest."""
    return range(1, len(_stored()) + 1)


def nearest_prior(price: float) -> int:
    """The code of the prior whose price of a bit is nearest (in ratio).

    Args:
        price: mean squared error that a bit a pixel is worth.
    """
    return min(priors(), key=lambda prior: abs(math.log(PRICES[prior - 1] / max(price, 1e-12))))


def check_prior(prior: int, arch: GridArch | None = None) -> None:
    """Refuse a base this decoder does not have.

    Args:
        prior: its code.
        arch: the network it is to be the base of, if that is known.

    Raises:
        UnsupportedVersion: there is no such prior.
        BitstreamError: it is not for such a network.
    """
    if prior != NO_PRIOR and prior not in priors():
        raise UnsupportedVersion(f"unknown prior {prior}; a newer inrcodec wrote this")
    if prior != NO_PRIOR and arch is not None and not fits(arch):
        raise BitstreamError(f"prior {prior} is not for the network {arch}")


def fits(arch: GridArch) -> bool:
    """Whether priors are for such a network: as theirs but for the octaves, the channels and the grids' own filters."""
    theirs = PRIOR_ARCH
    if isinstance(arch, LayeredArch):
        arch = arch.base
    shape = {name: getattr(theirs, name) for name in ("finest", "coarsest", "outputs", "filtered")}
    return replace(arch, **shape) == theirs


def base_tensors(arch: Network, prior: int) -> dict[str, NDArray[np.float64]]:
    """What symbols times steps are added to, by tensor name.

    Grids coarser than a prior knows are taken to be like its coarsest; one channel is the mean of three; filters of the
    grids' own start from the identity. The context model of each refinement starts as that of the prior for so much
    higher a rate, blind to the layer below; its synthesiser from no difference.

    Args:
        arch: the network.
        prior: its code in the file.

    Raises:
        UnsupportedVersion: the prior is unknown.
        BitstreamError: it is not for such a network.
    """
    if prior == NO_PRIOR:
        return {spec.name: np.zeros(spec.shape) for spec in arch.tensors()}
    check_prior(prior)
    assert isinstance(arch, GridArch)
    check_prior(prior, arch)
    base = _networks(arch, prior)
    layers = arch.refinements if isinstance(arch, LayeredArch) else 0
    refining = [_refining(_networks(arch, max(priors().start, prior - k)), arch, k) for k in range(1, layers + 1)]
    known = base | {name: values for layer in refining for name, values in layer.items()}
    return {spec.name: known[spec.name] if spec.name in known else np.zeros(spec.shape) for spec in arch.tensors()}


def _networks(arch: GridArch, prior: int) -> dict[str, NDArray[np.float64]]:
    """The networks of a prior for the grids and channels of a file without layers."""
    theirs = PRIOR_ARCH
    ends = np.cumsum([spec.size for spec in theirs.tensors()])[:-1]
    parts = np.split(_stored()[prior - 1], ends)
    base = {spec.name: part.reshape(spec.shape) for spec, part in zip(theirs.tensors(), parts, strict=True)}
    # Which of the prior's grids, the coarsest being 0, stands for each of the file's; and which of its rungs.
    grids = [max(theirs.coarsest - octave, 0) for octave in arch.octaves]
    rungs = [max(theirs.coarsest - octave, 0) for octave in range(arch.coarsest, 0, -1)]
    deep = theirs.hidden[-1]
    base["C.bias"] = base["C.bias"][grids]
    base["S0"] = base["S0"][:, grids]
    base["S.out"] = base["S.out"][:, [*range(deep), *(deep + grid for grid in grids)]]
    if arch.coarsest:
        base["U"] = base["U"][rungs]
    else:
        del base["U"]
    if arch.filters:
        base["V"] = np.zeros((arch.filters, TAPS))
    if arch.outputs == 1:
        _to_gray(base, theirs)
    return base


def _refining(
    networks: Mapping[str, NDArray[np.float64]], arch: GridArch, layer: int
) -> dict[str, NDArray[np.float64]]:
    """The context model of a refinement that starts as that of some networks, with zeros for what is below."""
    letter, _ = arch.context_tensors(layer * arch.grids)
    found = {letter + name[1:]: values for name, values in networks.items() if name[0] == "C"}
    first, last = (letter + "0" if arch.context else letter + ".out"), letter + ".out"
    for name in {first, last}:
        rows = len(found[name])
        found[name] = np.concatenate([found[name], np.zeros((rows, len(BELOW)))], axis=1)
    return found


def _to_gray(base: dict[str, NDArray[np.float64]], theirs: GridArch) -> None:
    """One channel for three: the mean of all, as if all were alike."""
    base["S.out"] = _mean(base["S.out"])
    hidden, colour = np.split(base["S.bias"], [sum(theirs.hidden)])
    base["S.bias"] = np.concatenate([hidden, _mean(colour)])
    for k in range(theirs.residuals):
        kernel = base[f"R{k}"]
        base[f"R{k}"] = _mean(kernel[:, 0] + kernel[:, 1] + kernel[:, 2])[:, None]


def _mean(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of three rows as one, in an order of additions that is the same everywhere."""
    mean: NDArray[np.float64] = (rows[0] + rows[1] + rows[2])[None] / 3
    return mean
