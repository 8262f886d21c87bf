"""Layered files cut to fewer bytes, without a fit.

What a file says comes in order of importance: networks, then the base from the coarsest grid to the finest, then layer
by layer what refines it. A cut ends it behind any wave of any grid, without the networks of the layers it loses, and
leaves the rest as it is. The beginning of a refinement shows less than the layer below does, since networks draw badly
what they were not made for: of kodim15, 30.52 dB with the base alone, it made 29.21 with the networks, 30.07 with five
grids, 32.01 with six and 33.67 with all. :func:`inrcodec.decoder.truncated`, which looks at pictures, sees to that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from inrcodec.coding.laplace import codes, costs
from inrcodec.coding.law import Law
from inrcodec.coding.neighbourhood import wave_count, wave_of
from inrcodec.coding.symbols import Symbols
from inrcodec.coding.wavefront import grid_laws
from inrcodec.errors import InrError, TargetError
from inrcodec.format.stream import Latents, Stream
from inrcodec.net.context import ContextModel
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch


def cut_to(stream: Stream, cap: int) -> Stream:
    """The most of a file that fits.

    Args:
        stream: what the file says.
        cap: bytes it may have.

    Raises:
        InrError: the file has no layers, and is larger; or what a cut says is out of bounds, as in no file of ours.
        TargetError: not even its networks fit.
    """
    whole = len(stream.data)
    if whole <= cap:
        return stream
    if not isinstance(stream.arch, LayeredArch):
        raise InrError(f"a file of {whole} bytes without layers cannot be cut to {cap}; encode it with --scalable")
    ends = _ends(stream.latents or ())

    @cache
    def at(place: int) -> Stream:
        return cut_at(stream, *ends[place])

    def fits(place: int) -> bool:
        try:
            return len(at(place).data) <= cap
        except ValueError as error:  # what is left out kept a sum within its bound
            raise InrError(f"this file cannot be cut: {error}") from None

    place = _last_fitting(fits, len(ends), _guess(stream, ends, cap, whole))
    if place is None:
        raise TargetError(
            f"{cap} bytes cannot hold the networks of this file; its shortest cut has {len(at(0).data)}",
            smallest_bytes=len(at(0).data),
        )
    # A grid that ends where it would anyway takes less to say than one that is cut short; a whole base says no layers.
    plane, _ = ends[place]
    following = max(k for k, (other, _) in enumerate(ends) if other == plane)
    return at(following if fits(following) else place)


def _ends(latents: Latents) -> list[tuple[int, int]]:
    """Every place where a file may end, the shortest first: a grid, and the first wave that is left out of it.

    Only behind waves that say something.
    """
    telling = (np.unique(wave_of((grid.shape[0], grid.shape[1]))[grid != 0]) for grid in latents)
    return [(0, 0), *((plane, int(wave) + 1) for plane, waves in enumerate(telling) for wave in waves)]


def cut_at(stream: Stream, plane: int, end: int) -> Stream:
    """What is left of a file that ends before a wave of a grid.

    Args:
        stream: what the file says; it has layers.
        plane: the grid in coding order; those behind it are left out.
        end: the first wave that is left out of it.
    """
    arch, weights = stream.arch, stream.weights
    assert isinstance(arch, LayeredArch)
    assert isinstance(weights, Symbols)
    latents = list(stream.latents or ())
    kept = np.where(wave_of(latents[plane].shape) < end, latents[plane], np.int32(0))
    whole = np.array_equal(kept, latents[plane]) or not kept.any()  # a grid of zeros is not in the stream
    latents[plane] = kept
    last = max((k for k in range(plane + 1) if latents[k].any()), default=0)
    refinements = last // arch.grids
    fewer: GridArch = replace(arch, refinements=refinements)
    stop = None if whole else end
    if not refinements and stop is None and not arch.scale:
        fewer = arch.base
    latents = [grid if k <= plane else np.zeros_like(grid) for k, grid in enumerate(latents)][: fewer.planes]
    return replace(stream, arch=fewer, weights=_of(weights, fewer), latents=tuple(latents), end=stop)


def ended_with(stream: Stream, layer: int) -> Stream:
    """A file up to the end of a layer; the base is layer 0."""
    assert isinstance(stream.arch, LayeredArch)
    plane = (layer + 1) * stream.arch.grids - 1
    rows, columns = (stream.latents or ())[plane].shape
    return cut_at(stream, plane, wave_count((rows, columns)))


def _of(weights: Symbols, arch: GridArch) -> Symbols:
    """The weights that fewer layers need."""
    known = {spec.name: k for k, spec in enumerate(weights.arch.tensors())}
    laws: list[Law] = []
    values: list[NDArray[np.int32]] = []
    for spec in arch.tensors():
        laws.append(weights.laws[known[spec.name]])
        values.append(weights.values[known[spec.name]])
    return Symbols(arch, tuple(laws), tuple(values), weights.prior)


def _guess(stream: Stream, ends: Sequence[tuple[int, int]], cap: int, whole: int) -> int:
    """About how many of the places where it may end fit, by what latents cost under their laws."""
    assert isinstance(stream.arch, LayeredArch)
    assert isinstance(stream.weights, Symbols)
    model, latents = ContextModel(stream.arch, stream.weights.exact()), stream.latents or ()
    sums: list[NDArray[np.float64]] = []
    before, tensors, taken = 0.0, stream.weights.tensor_bits(), len(stream.arch.base.tensors())
    for plane, grid in enumerate(latents):
        if plane and plane % stream.arch.grids == 0:  # from here the networks of a refinement are in the file
            known, taken = taken, len(stream.arch.up_to(plane // stream.arch.grids).tensors())
            before += sum(tensors[known:taken])
        by_wave: NDArray[np.float64] = np.zeros(wave_count((grid.shape[0], grid.shape[1])))
        if grid.any():
            rows, indices, places, _ = codes(*grid_laws(model, latents[:plane], grid))
            bits = np.bincount(places, costs()[rows, indices], grid.size)
            by_wave += np.bincount(wave_of((grid.shape[0], grid.shape[1])).ravel(), bits)
        sums.append(before + np.cumsum(by_wave))
        before = float(sums[-1][-1])
    sizes = [0.0, *(float(sums[plane][end - 1]) for plane, end in ends[1:])]
    return int(np.searchsorted(sizes, before - 8 * (whole - cap)))


def _last_fitting(fits: Callable[[int], bool], count: int, guess: int) -> int | None:
    """The last of ``count`` places that fits, found from a guess that is near it; None if not even the first does."""
    low, high = -1, count  # the last that is known to fit, the first that is known not to
    place, stride = min(max(guess, 0), count - 1), 1
    while high - low > 1:
        if fits(place):
            low = place
        else:
            high = place
        if low >= 0 and high < count:
            place = (low + high) // 2
        elif low < 0:
            place = max(0, high - stride)
        else:
            place = min(count - 1, low + stride)
        stride *= 4
    return low if low >= 0 else None
