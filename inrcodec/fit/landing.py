"""The landing: from fitted weights to symbols whose file fits the cap, with the last bytes spent where they help.

The fit ends within a percent of its budget. If it ends above, steps are allocated anew: a step a little coarser costs
far less than moving symbols to cheaper ones (at 5 bits a weight one level saves a tenth of a bit; taking 1 % off a
2,000-weight net that way cost 0.5 to 3 dB, measured). Below the cap a rate-distortion search walks symbol by symbol:
each candidate move has a price in bits under the current laws and a predicted change of the squared error,
``g d + h d^2`` with the exact gradient g and the Gauss-Newton diagonal h. The moves that buy the most quality per bit
are made together, as many as prove to be believed, and every round is checked on the picture. The real coder has the
last word on the size.
"""

from __future__ import annotations

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
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.gated import as_tensors
from inrcodec.fit.model import SparseSiren
from inrcodec.limits import MAX_SYMBOL


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
        self.net = SparseSiren(fitted.arch, mean, engine=canvas.engine).to(canvas.coords.device)
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
        """Start over from the float weights with steps that cost at most ``target`` bits."""
        ends = np.cumsum(self.sizes)[:-1]
        self.quantize(allocate_steps(np.split(self.floats, ends), np.split(self.curvature, ends), target))

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
            samples = self.canvas.samples[part]
            loss = self.net.mse(self.canvas.coords[part], flat, samples) * samples.numel()
            total += torch.autograd.grad(loss, flat)[0]
        return (total / self.canvas.samples.numel()).double().cpu().numpy()

    def split(self, symbols: NDArray[np.int64]) -> list[NDArray[np.int32]]:
        """Flat symbols as tensors."""
        return list(as_tensors(self.arch, symbols.astype(np.int32)))

    def pack(self, symbols: NDArray[np.int64]) -> Symbols:
        """Flat symbols under the laws that suit them."""
        values = self.split(symbols)
        laws = [fit_law(value, code) for value, code in zip(values, self.codes, strict=True)]
        return Symbols(self.arch, tuple(laws), tuple(values))

    def bits(self, symbols: NDArray[np.int64]) -> float:
        """Ideal bits of symbols under the laws that suit them."""
        return sum(self.pack(symbols).tensor_bits())

    def moves(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Single-level moves that promise a smaller error, the most per bit first.

        Returns:
            Weights in order of merit; for all weights the better neighbour, and its change of bits.
        """
        costs = _cost_rows(self.pack(self.symbols).laws)
        top = costs.shape[1] - 1
        gradient = self.gradient()
        now = costs[self.tensor_of, np.minimum(np.abs(self.symbols), top)]
        merits, neighbours, prices = [], [], []
        for step in (-1, 1):
            neighbour = self.symbols + step
            shift = step * self.delta
            error = gradient * shift + self.curvature * shift**2
            price = costs[self.tensor_of, np.minimum(np.abs(neighbour), top)] - now
            merits.append(np.where(error < 0, error / np.maximum(price, 0.05), np.inf))
            neighbours.append(neighbour)
            prices.append(price)
        lower = merits[0] <= merits[1]
        merit = np.where(lower, *merits)
        order = np.argsort(merit, kind="stable")
        return order[np.isfinite(merit[order])], np.where(lower, *neighbours), np.where(lower, *prices)

    def improved(self, target: float, trust: float) -> float:
        """One round of improving moves within ``target`` bits.

        Args:
            target: bits the symbols may take.
            trust: part of the promising moves that is made, 0 to 1; predictions hold for one move, less for many.

        Returns:
            The trust for the next round: more after a success, less after a failure (nothing is changed then).
        """
        order, neighbour, price = self.moves()
        affordable = np.flatnonzero(np.cumsum(price[order]) <= target - self.bits(self.symbols))
        reach = int((affordable[-1] + 1) * trust) if len(affordable) else 0
        if reach == 0:
            return 0.0
        trial = self.symbols.copy()
        trial[order[:reach]] = neighbour[order[:reach]]
        if self.bits(trial) <= target and (mse := self.error(trial)) < self.mse:
            self.symbols, self.mse = trial, mse
            return min(1.0, trust * 1.5)
        return trust * 0.3


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
    ideal = sum(packed.tensor_bits())
    target = 8.0 * cap - (8.0 * size(packed) - ideal)
    if ideal > target:
        search.meet(max(target, 0.0))
    trust, done = 0.1, 0
    while done < rounds and trust > 1e-4 and not (stop and stop()):
        trust = search.improved(target, trust)
        done += 1
    while (over := size(packed := search.pack(search.symbols)) - cap) > 0:
        target -= 8.0 * over + 1
        if not search.symbols.any():
            raise ValueError(f"no weights of {search.arch} fit {cap} bytes")
        search.meet(max(target, 0.0))
    return Landed(packed, search.mse, done)
