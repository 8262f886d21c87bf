"""The ladder of upsamplings by the kernels: latents to grids at full size, and gradients back down."""

from __future__ import annotations

import itertools
import threading

import numpy as np
from numpy.typing import NDArray

from inrcodec.fit.engine.fused import _buffer, each
from inrcodec.fit.engine.micro import LANES, ORDER
from inrcodec.fit.engine.upsample_kernel import SPARE, enlarge, phases, scratch_size, shrink
from inrcodec.fit.grid.own_filter import OwnFilter
from inrcodec.net.grid import TAPS, GridArch

Floats = NDArray[np.float32]

_PIECE = 1 << 15
"""Fine samples of a plane that are worth a piece of their own."""
_PIECE_ROWS = 16
"""Coarse rows of a piece at least: those around it are computed twice on the way down."""
_TAP_LANES = [ORDER.index(k) for k in range(TAPS)]

_memory = threading.local()


class Ladder:
    """Working arrays for one size of picture: what every rung starts from, and what the last one leads to.

    Attributes:
        octaves: rows and columns of every octave, from the coarsest to the picture's own.
        counts: grids that have come in up to each octave.
        planes: upsampled grids of every octave, with finite floats behind them that count for nothing.
        slopes: their gradients.
    """

    def __init__(self, arch: GridArch, width: int, height: int) -> None:
        self.key = arch, width, height
        self.octaves = [(-(-height >> o), -(-width >> o)) for o in range(arch.coarsest, -1, -1)]
        self.counts = [min(k + 1, arch.grids) for k in range(len(self.octaves))]
        sizes = [count * rows * columns for count, (rows, columns) in zip(self.counts, self.octaves, strict=True)]
        self.planes = [np.zeros(size + SPARE, np.float32) for size in sizes]
        self.slopes = [np.zeros(size + SPARE, np.float32) for size in sizes]
        shapes = arch.shapes(width, height)
        ends = np.cumsum([0, *(rows * columns for rows, columns in shapes)])
        self._latents = [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]
        self._filters = [OwnFilter(*shape) for shape in shapes[1:]] if arch.filters else []
        self._seen = np.empty(0, np.float32)
        self._own = [slice(k * rows * columns, (k + 1) * rows * columns) for k, (rows, columns) in enumerate(shapes)]

    def _pieces(self, rung: int) -> list[tuple[int, int, int, int]]:
        """First and last plane and coarse row of a rung's pieces; a small rung is one piece."""
        planes, coarse, fine = self.counts[rung], self.octaves[rung][0], self.octaves[rung + 1]
        samples = fine[0] * fine[1]
        if planes * samples < 2 * _PIECE:
            return [(0, planes, 0, coarse)]
        bands = max(1, min(coarse // _PIECE_ROWS, samples // _PIECE))
        cuts = [coarse * k // bands for k in range(bands + 1)]
        return [(c, c + 1, top, bottom) for c in range(planes) for top, bottom in itertools.pairwise(cuts)]

    def climb(self, taps: Floats, own: Floats, latents: Floats) -> Floats:
        """All grids at full size, plane by plane.

        Args:
            taps: ``(rungs, taps)``.
            own: ``(filters, taps)`` of the grids' own filters.
            latents: of all grids, flat.
        """
        self._seen = latents
        for k in range(len(self.octaves)):
            if k:
                self._enlarge(k - 1, taps[k - 1])
            if k < len(self._own):
                plane, into = latents[self._latents[k]], self.planes[k][self._own[k]]
                if k and self._filters:
                    self._filters[k - 1].smooth(own[k - 1], plane, into)
                else:
                    into[:] = plane
        return self.planes[-1]

    def descend(self, taps: Floats, own: Floats) -> tuple[Floats, Floats, Floats]:
        """Gradients of latents, taps and own filters from those of the grids at full size, which ``slopes`` ends with.

        Args:
            taps: ``(rungs, taps)``.
            own: ``(filters, taps)``.
        """
        latents = np.empty(self._latents[-1].stop, np.float32)
        found, filters = np.empty_like(taps), np.empty_like(own)
        for k in range(len(self.octaves) - 1, -1, -1):
            if k < len(self._own):
                place, slopes = self._latents[k], self.slopes[k][self._own[k]]
                if k and self._filters:
                    filters[k - 1] = self._filters[k - 1].pull(own[k - 1], self._seen[place], slopes, latents[place])
                else:
                    latents[place] = slopes
            if k:
                found[k - 1] = self._shrink(k - 1, taps[k - 1])
        return latents, found, filters

    def _enlarge(self, rung: int, taps: Floats) -> None:
        pieces, weights = self._pieces(rung), phases(taps)
        sizes, scratch = np.array([*self.octaves[rung], *self.octaves[rung + 1]]), scratch_size(self.octaves[rung][1])

        def work(k: int) -> None:
            enlarge(self.planes[rung], self.planes[rung + 1], weights, *pieces[k], sizes, _buffer(scratch))

        each(len(pieces), work)

    def _shrink(self, rung: int, taps: Floats) -> Floats:
        pieces, weights = self._pieces(rung), phases(taps)
        sizes, scratch = np.array([*self.octaves[rung], *self.octaves[rung + 1]]), scratch_size(self.octaves[rung][1])
        sums = np.zeros((len(pieces), LANES), np.float32)
        dy, x, dx = self.slopes[rung + 1], self.planes[rung], self.slopes[rung]

        def work(k: int) -> None:
            shrink(dy, x, weights, *pieces[k], sizes, _buffer(scratch), dx, sums[k])

        each(len(pieces), work)
        with np.errstate(over="ignore", invalid="ignore"):
            total: Floats = sums.sum(0)[_TAP_LANES]
        return total


def ladder(arch: GridArch, width: int, height: int) -> Ladder:
    """This thread's arrays, made anew when the picture's size or the architecture is another one."""
    held: Ladder | None = getattr(_memory, "ladder", None)
    if held is None or held.key != (arch, width, height):
        held = _memory.ladder = Ladder(arch, width, height)
    return held
