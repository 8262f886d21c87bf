"""The landing: from fitted weights to symbols whose file fits the cap, spending every byte where it helps most.

The fit ends within a few percent of its budget. From its rounded weights a rate-distortion search walks symbol by
symbol: each candidate move (one level down or up, or to zero) has a price in bits under the current laws and a
predicted change of the squared error, ``g d + h d^2`` with the exact gradient g and the Gauss-Newton diagonal h of
the picture's error. Over the cap, the moves that save bits most cheaply are made; under it, those that buy the most
quality per bit. Each round is small enough for the prediction to hold, is checked on the picture, and is followed by
new laws. The real coder has the last word on the size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from inrcodec.coding.estimate import fit_law
from inrcodec.coding.law import Law, bits, step_size
from inrcodec.coding.symbols import Symbols
from inrcodec.fit.canvas import EVALUATE, Canvas
from inrcodec.fit.curvature import allocate_steps, curvature
from inrcodec.fit.model import SparseSiren
from inrcodec.fit.train import FittedNet
from inrcodec.limits import MAX_SYMBOL

_NEAR = 0.02
"""A fit this close to its budget is landed by moving symbols alone."""


@dataclass(frozen=True)
class Landed:
    """The outcome of a landing.

    Attributes:
        symbols: what the file will hold.
        mse: mean squared error over the canvas, float pixels.
        rounds: rounds of search it took.
    """

    symbols: Symbols
    mse: float
    rounds: int


class Search:
    """State of a landing: symbols, their laws and their error on a canvas.

    Args:
        canvas: the picture (or a part of it) errors are measured on.
        fitted: the fit's outcome, with quantisation steps.
    """

    def __init__(self, canvas: Canvas, fitted: FittedNet) -> None:
        self.canvas, self.arch = canvas, fitted.arch
        mean = canvas.samples.mean(0).cpu()
        self.net = SparseSiren(fitted.arch, mean).to(canvas.coords.device)
        self.sizes = self.net.sizes
        self.tensor_of = np.repeat(np.arange(len(self.sizes)), self.sizes)
        self.floats = np.concatenate([t.ravel() for t in fitted.tensors]).astype(np.float64)
        self.quantize(fitted.step_codes)
        self.curvature = curvature(canvas, self.net, self.weights(self.symbols))

    def quantize(self, codes: Sequence[int]) -> None:
        """Start over from the float weights, with these steps."""
        self.codes = tuple(codes)
        self.delta = np.array([step_size(code) for code in codes])[self.tensor_of]
        self.symbols = np.clip(np.rint(self.floats / self.delta), -MAX_SYMBOL, MAX_SYMBOL).astype(np.int64)
        self.mse = self.error(self.symbols)

    def meet(self, target: float) -> None:
        """Choose new steps if the fit's miss ``target`` bits by more than symbol moves are good for."""
        if abs(self.bits(self.symbols) / target - 1) < _NEAR:
            return
        ends = np.cumsum(self.sizes)[:-1]
        self.quantize(allocate_steps(np.split(self.floats, ends), np.split(self.curvature, ends), target))

    @classmethod
    def of(cls, canvas: Canvas, symbols: Symbols) -> Search:
        """A search that starts from coded symbols."""
        tensors = tuple(symbols.dequantize().values())
        return cls(canvas, FittedNet(symbols.arch, tensors, tuple(law.step for law in symbols.laws), math.nan, 0))

    def weights(self, symbols: NDArray[np.int64]) -> torch.Tensor:
        """Float weights of symbols, flat."""
        return torch.from_numpy((symbols * self.delta).astype(np.float32)).to(self.canvas.coords.device)

    def error(self, symbols: NDArray[np.int64]) -> float:
        """Mean squared error of symbols over the canvas."""
        return self.canvas.mse(self.net, self.weights(symbols))

    def gradient(self) -> NDArray[np.float64]:
        """Derivative of the mean squared error by every weight, exact over the canvas."""
        flat = self.weights(self.symbols).requires_grad_(True)
        total = torch.zeros_like(flat)
        for start in range(0, self.canvas.count, EVALUATE):
            part = slice(start, start + EVALUATE)
            loss = (self.net(self.canvas.coords[part], flat) - self.canvas.samples[part]).square().sum()
            total += torch.autograd.grad(loss, flat)[0]
        return (total / self.canvas.samples.numel()).double().cpu().numpy()

    def split(self, symbols: NDArray[np.int64]) -> list[NDArray[np.int32]]:
        """Flat symbols as tensors."""
        parts = np.split(symbols.astype(np.int32), np.cumsum(self.sizes)[:-1])
        return [part.reshape(spec.shape) for part, spec in zip(parts, self.arch.tensors(), strict=True)]

    def pack(self, symbols: NDArray[np.int64]) -> Symbols:
        """Flat symbols under the laws that suit them."""
        values = self.split(symbols)
        laws = [fit_law(value, code) for value, code in zip(values, self.codes, strict=True)]
        return Symbols(self.arch, tuple(laws), tuple(values))

    def bits(self, symbols: NDArray[np.int64]) -> float:
        """Ideal bits of symbols under the laws that suit them."""
        return sum(self.pack(symbols).tensor_bits())

    def moves(
        self, slack: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Candidate moves: (weight, new symbol, change of error, change of bits), one best move a weight.

        Args:
            slack: bits left under the cap; negative when over it, and then only saving moves are of use.
        """
        laws = self.pack(self.symbols).laws
        costs = _cost_rows(laws)
        gradient = self.gradient()
        k = self.symbols
        sign = np.sign(k)
        choices = [k - sign, np.zeros_like(k)] if slack < 0 else [k - 1, k + 1]
        best: list[NDArray[np.float64]] = []
        now = costs[self.tensor_of, np.minimum(np.abs(k), costs.shape[1] - 1)]
        for choice in choices:
            shift = (choice - k) * self.delta
            error = gradient * shift + self.curvature * shift**2
            cost = costs[self.tensor_of, np.minimum(np.abs(choice), costs.shape[1] - 1)] - now
            best.append(np.stack([choice.astype(np.float64), error, cost]))
        first, second = best
        if slack < 0:
            saves = [b[2] < -1e-9 for b in best]
            score = [np.where(s, b[1] / np.maximum(-b[2], 1e-9), np.inf) for b, s in zip(best, saves, strict=True)]
        else:
            score = [np.where(b[1] < 0, b[1] / np.maximum(b[2], 0.05), np.inf) for b in best]
        pick = np.where(score[0] <= score[1], first, second)
        value = np.minimum(score[0], score[1])
        order = np.argsort(value, kind="stable")
        order = order[np.isfinite(value[order])]
        return order, pick[0].astype(np.int64), pick[1], pick[2]

    def saved(self, target: float) -> None:
        """Make saving moves until the ideal bits are at most ``target``."""
        while (over := self.bits(self.symbols) - target) > 0:
            order, symbol, _, cost = self.moves(-over)
            if not len(order):
                return
            reach = np.searchsorted(-np.cumsum(cost[order]), min(over, max(0.25 * over, 0.01 * target))) + 1
            chosen = order[:reach]
            self.symbols = self.symbols.copy()
            self.symbols[chosen] = symbol[chosen]
        self.mse = self.error(self.symbols)

    def improved(self, target: float, trust: float) -> float:
        """One round of improving moves within ``target`` bits; returns the new trust (fraction of moves believed)."""
        before = self.bits(self.symbols)
        order, symbol, _, cost = self.moves(max(0.0, target - before))
        gain = np.flatnonzero(np.cumsum(cost[order]) <= target - before)
        reach = int((gain[-1] + 1 if len(gain) else 0) * trust) if trust < 1 else (gain[-1] + 1 if len(gain) else 0)
        trial = self.symbols.copy()
        trial[order[:reach]] = symbol[order[:reach]]
        if reach and self.bits(trial) <= target and (mse := self.error(trial)) < self.mse:
            self.symbols, self.mse = trial, mse
            return min(1.0, trust * 1.5)
        return trust * 0.3 if reach > 1 else 0.0


def _cost_rows(laws: tuple[Law, ...]) -> NDArray[np.float64]:
    """Bits by (tensor, magnitude); beyond a law's reach a move is priced as if the reach were one larger."""
    width = max(law.largest for law in laws) + 2
    rows = np.empty((len(laws), width))
    for row, law in zip(rows, laws, strict=True):
        cost = bits(law if law.largest else replace(law, reach=1, decay=96))
        row[: len(cost)] = cost
        row[len(cost) :] = cost[-1] + 8.0
    return rows


def land(
    search: Search,
    cap: int,
    size: Callable[[Symbols], int],
    *,
    rounds: int = 12,
    stop: Callable[[], bool] | None = None,
) -> Landed:
    """Find the best symbols whose file takes at most ``cap`` bytes.

    Args:
        search: a fresh search.
        cap: bytes of the whole file.
        size: bytes of the whole file that holds given symbols, by the real coder.
        rounds: improving rounds at most.
        stop: polled between rounds; True ends the search at the next file that fits.

    Raises:
        ValueError: no symbols of this network fit.
    """
    packed = search.pack(search.symbols)
    fixed = size(packed) - sum(packed.tensor_bits()) / 8
    target = 8 * (cap - fixed)
    trust, done = 0.5, 0
    if target > 0:
        search.meet(target)
    search.saved(target)
    while done < rounds and trust > 0.01 and not (stop and stop()):
        trust = search.improved(target, trust)
        done += 1
    while size(packed := search.pack(search.symbols)) > cap:
        target -= 8.0 * (size(packed) - cap) + 1
        if target <= 0 or not search.symbols.any():
            raise ValueError(f"no weights of {search.arch} fit {cap} bytes")
        search.saved(target)
    return Landed(packed, search.mse, done)
