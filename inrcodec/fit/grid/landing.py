"""The landing: fitted latents and weights to symbols whose file fits the cap, no byte of it idle.

Weights are rounded as the fit left them. Latents go through rate-distortion optimised quantisation: every latent may
move by one, to the integer on the other side of where the fit had it or towards the middle of its law. A move's change
of the squared error is predicted as ``g d + h d^2 / 2`` (g the exact gradient, h the curvature, found by probing), its
change of the rate as the difference under its own law, what it threatens to cost the others by their gradient, and
what moves in its grid were found to cost them on average. Moves
with ``dD + lambda dR < 0`` are made, never two side by side and no more than prove to help, and lambda is raised or
lowered until the bits are right. The real coder has the last word on the size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from inrcodec.coding.estimate import fit_law
from inrcodec.coding.law import STEP_CODES, step_size
from inrcodec.coding.symbols import Symbols
from inrcodec.coding.wavefront import latent_cost
from inrcodec.fit.bisection import bracket
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.plain import flat_of, tensors_of
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.grid.steps import quantised
from inrcodec.limits import MAX_SYMBOL
from inrcodec.net.context import MAX_LATENT
from inrcodec.net.layered import CONTEXTS

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_SHARE = 0.25
"""Part of the promising moves that is made in a round: neighbours' moves undo what each promised alone."""

_SWING = 8.0
"""The most that the price of a landing moves away from the fit's."""

_FUTILE = 12
"""Rounds in a row that changed nothing after which the next ones will not either."""

_FAR = 1.2
"""Latents that take more than this multiple of their budget are made smaller before they are refined."""

_BISECTIONS = 10

_PACE = 0.04
"""The most that the price changes by from round to round."""

_NEAR = 0.005
"""Part of the budget that latents may miss it by and still be where they should."""

_PROBES = 32
"""Random vectors that curvatures are estimated with."""

_SPARSE = 16
"""One in so many latents of a phase is moved to see what that costs the others."""

_LEAST = 0.3
"""Curvatures are not taken to be less than this part of their grid's mean: an estimate may be low by chance."""

CAUTION = 2.0
"""What curvatures are multiplied with: those latents that look best are those whose estimate is too low."""

_HOPE = 1.5
"""The same where there are bits to be spent: a move that disappoints is not made after all."""

_OFF, _OVERTIME = 0.03, 3
"""Latents that miss their budget by more than this part of it are refined for this many times the rounds."""

CHEAPEST = 0.3
"""The least that a bit is worth in a landing, as -dlnMSE/dlnbits."""

_ENOUGH = 16
"""Bits that are not worth another round."""

_IDLE = 1e-3
"""Part of the cap that is not worth another round either."""

_OCTAVE = 8
"""Codes from one quantisation step to its double."""

_WORTHWHILE = 1.0
"""Bits that a coarser step has to save."""

_TRIFLE = 1e-3
"""Bits below which a move is as good as free, and its promise noise."""

_COARSER, _STRIDES = 60, (1, 2, 4, 8)
"""Times that a tensor's step may grow to make a file fit, and eighths of an octave that it may do so by."""

_LAST_ROUNDS = 20
"""Tries with the real coder."""


@dataclass(frozen=True)
class LandedGrid:
    """The outcome of a landing.

    Attributes:
        weights: symbols of the networks.
        latents: one array ``(rows, columns)`` a grid, coarsest first.
        mse: mean squared error of the picture, not clipped.
    """

    weights: Symbols
    latents: tuple[Ints, ...]
    mse: float


@dataclass(frozen=True)
class Moves:
    """For every latent the better of its two neighbours.

    Attributes:
        direction: -1 or 1.
        error: predicted change of the mean squared error.
        bits: predicted change of the rate.
    """

    direction: Ints
    error: Floats
    bits: Floats


class GridSearch:
    """State of a landing: symbols of weights and latents, and what they cost.

    Args:
        scene: the picture.
        fitted: the fit's outcome.
        movable: which latents may move, ``(latents,)``; all if left out.
    """

    def __init__(self, scene: Scene, fitted: FittedGrid, movable: Flags | None = None) -> None:
        self.scene, self.arch, self.fitted, self.movable = scene, fitted.arch, fitted, movable
        self.shapes = self.arch.shapes(scene.width, scene.height)
        self.sizes = [rows * columns for rows, columns in self.shapes]
        self.grid_of = np.repeat(np.arange(len(self.sizes)), self.sizes)
        self.weights = weight_symbols(fitted)
        self.flat = flat_of(self.arch, self.weights.dequantize()).to(scene.samples.device)
        self.latents = np.clip(np.rint(fitted.latents), -MAX_LATENT, MAX_LATENT).astype(np.int32)
        self.phase = self._phases()

    def _phases(self) -> Ints:
        """A number 0 to 3 for every latent; no two next to each other have the same."""
        tiles = [np.indices(shape) for shape in self.shapes]
        return np.concatenate([(2 * (rows % 2) + columns % 2).ravel() for rows, columns in tiles]).astype(np.int32)

    def planes(self, latents: Ints) -> tuple[Ints, ...]:
        """Flat latents as grids."""
        parts = np.split(latents, np.cumsum(self.sizes)[:-1])
        return tuple(part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True))

    def bits(self, latents: Ints) -> float:
        """Bits of latents under the very laws of the file."""
        return sum(latent_cost(self.arch, self.weights, self.planes(latents)))

    def exactness(self) -> float:
        """Bits of the latents as the fit counts them, as a part of those that they take; at most 1."""
        return min(1.0, self._judge(self.latents)[1] / max(1.0, self.bits(self.latents)))

    def _floats(self, latents: Ints) -> torch.Tensor:
        return torch.from_numpy(latents.astype(np.float32)).to(self.scene.samples.device)

    @torch.no_grad()
    def error(self, latents: Ints) -> float:
        """Mean squared error of latents."""
        return float(self.scene.mse(self.arch, self.flat, self._floats(latents)).cpu())

    def _gradients(self) -> tuple[Floats, Floats, float]:
        """Derivatives of squared error and bits by every latent, and the squared error, at the present latents."""
        key = self.latents.tobytes()
        if self._slopes[0] != key:
            at = self._floats(self.latents).requires_grad_(True)
            error, mse = self._error_gradient(at, self.scene.samples)
            rate = torch.autograd.grad(self.scene.bits(self.arch, self.flat, at), at)[0]
            self._slopes = key, (error, rate.double().cpu().numpy(), mse)
        return self._slopes[1]

    _slopes: tuple[bytes, tuple[Floats, Floats, float]] = b"", (np.empty(0), np.empty(0), 0.0)

    @cached_property
    def curvature(self) -> Floats:
        """Second derivative of the squared error by every latent, Gauss and Newton's: the squares of its column of J.

        A target that is off by random signs v changes the gradient by J^T v, whose squares are those sums on average
        (Hutchinson 1990; Bekas et al. 2007 for diagonals). One curvature for a whole grid will not do: gradients are
        large where curvatures are, and those moves look best that are worst.
        """
        base = self._floats(self.latents).requires_grad_(True)
        target = self.scene.samples
        before, _ = self._error_gradient(base, target)
        generator = torch.Generator().manual_seed(0)
        total = np.zeros(len(before))
        for _ in range(_PROBES):
            signs = torch.randint(0, 2, target.shape, generator=generator).to(target) * 2 - 1
            total += (self._error_gradient(base, target + signs)[0] - before) ** 2
        found = 0.5 * target.numel() * total / _PROBES
        mean = np.bincount(self.grid_of, found) / np.bincount(self.grid_of)
        floor: Floats = np.maximum(found, _LEAST * mean[self.grid_of] + 1e-15)
        return floor

    @cached_property
    def friction(self) -> Floats:
        """Bits that a move of one costs its neighbours, ``(latents,)``: the mean of random moves in each grid.

        Their laws look at it; and what they lose is of second order, so that no gradient tells.
        """
        generator = np.random.default_rng(0)
        own, before = self._own_bits(self.latents), self._judge(self.latents)[1]
        found = np.zeros(len(self.sizes))
        for grid in range(len(self.sizes)):
            here = np.flatnonzero((self.grid_of == grid) & (self.phase == 0))
            chosen = generator.choice(here, max(1, len(here) // _SPARSE), replace=False)
            direction = np.zeros_like(self.latents)
            direction[chosen] = np.where(generator.random(len(chosen)) < 0.5, 1, -1)
            alone = (self._own_bits(self.latents + direction) - own)[chosen].sum()
            found[grid] = max(0.0, (self._judge(self.latents + direction)[1] - before - float(alone)) / len(chosen))
        per_latent: Floats = found[self.grid_of]
        return per_latent

    def _error_gradient(self, at: torch.Tensor, target: torch.Tensor) -> tuple[Floats, float]:
        """Derivative of the squared error against a target by every latent, and the squared error."""
        mse = self.scene.engine.mse(self.arch, self.scene.drawing(self.flat), self.scene.drawn(at), target)
        return torch.autograd.grad(mse, at)[0].double().cpu().numpy(), float(mse.detach().cpu())

    def moves(self, price: float = 1.0, caution: float = CAUTION) -> tuple[Moves, float]:
        """The better neighbour of every latent at a multiple of the fit's price, and the squared error now.

        Args:
            price: multiple of the fit's.
            caution: what curvatures are multiplied with.
        """
        now = self.latents
        slope, drift, mse = self._gradients()
        h = caution * self.curvature
        own = self._own_bits(now)
        # The derivative of the rate holds a latent's own law too, which the difference covers better. What a move
        # promises to save its neighbours is not believed: of many promises the best are the most mistaken (measured:
        # -107 bits promised, +121 found; without them -96 and -101).
        others = drift - self._own_slope(now)
        best: Moves | None = None
        for d in (-1, 1):
            error = slope * d + 0.5 * h
            rate = self._own_bits(now + np.int32(d)) - own + np.maximum(others * d, 0.0) + self.friction
            rate = np.where(np.abs(now + d) > MAX_LATENT, np.inf, rate)
            if best is None:
                best = Moves(np.full(now.shape, d, np.int32), error, rate)
                continue
            weight = price * self._weight(mse)
            better = error + weight * rate < best.error + weight * best.bits
            best = Moves(
                np.where(better, np.int32(d), best.direction).astype(np.int32),
                np.where(better, error, best.error),
                np.where(better, rate, best.bits),
            )
        assert best is not None
        if self.movable is not None:
            best = replace(best, error=np.where(self.movable, best.error, np.inf))
        return best, mse

    def _weight(self, mse: float) -> float:
        """Squared error that a bit is worth at the fit's price."""
        return max(self.fitted.multiplier, CHEAPEST) * mse / max(1.0, self.budget)

    budget = 1.0
    """Bits that latents may take."""

    def _own_bits(self, latents: Ints) -> Floats:
        """Bits of each latent under the law that its neighbours give it now."""
        position, scale = self._laws()
        rate = np.exp(-scale)
        distance = np.abs(latents - position)
        inside = np.minimum(distance, 0.5)
        far = np.maximum(distance - 0.5, 0) * rate - np.log(-np.expm1(-rate) / 2)
        near = -np.log(np.maximum(1 - (np.exp((inside - 0.5) * rate) + np.exp(-(inside + 0.5) * rate)) / 2, 1e-30))
        found: Floats = np.where(distance < 0.5, near, far) / math.log(2)
        return found

    def _own_slope(self, latents: Ints) -> Floats:
        """Derivative of :meth:`_own_bits`."""
        position, scale = self._laws()
        rate = np.exp(-scale)
        signed = latents - position
        distance = np.abs(signed)
        inside = np.minimum(distance, 0.5)
        rising, falling = np.exp((inside - 0.5) * rate), np.exp(-(inside + 0.5) * rate)
        near = rate * (rising - falling) / 2 / np.maximum(1 - (rising + falling) / 2, 1e-30)
        found: Floats = np.sign(signed) * np.where(distance < 0.5, near, rate) / math.log(2)
        return found

    def _laws(self) -> tuple[Floats, Floats]:
        """Position and log-scale of every latent's law at the present latents."""
        key = self.latents.tobytes()
        if self._known[0] != key:
            floats = self._floats(self.latents)
            position, scale = self.scene.laws(self.arch, self.flat, floats)
            self._known = key, (position.astype(np.float64), scale.astype(np.float64))
        return self._known[1]

    _known: tuple[bytes, tuple[Floats, Floats]] = b"", (np.empty(0), np.empty(0))

    def _judge(self, latents: Ints) -> tuple[float, float]:
        """Squared error and bits of latents, by the fit's own figures: quicker than the coder's, and as good here."""
        with torch.no_grad():
            floats = self._floats(latents)
            bits = float(self.scene.bits(self.arch, self.flat, floats).cpu())
            return float(self.scene.mse(self.arch, self.flat, floats).cpu()), bits

    def shrink(self, fits: Callable[[Ints], bool]) -> None:
        """Multiply all latents with a number below 1, the largest that will do: crude, but it always gets there.

        Args:
            fits: whether latents are few enough bits.
        """
        whole = self.latents
        factor, _ = bracket(0.0, 1.0, lambda factor: fits(self._scaled(whole, factor)), _BISECTIONS)
        self.latents = self._scaled(whole, factor)

    def _scaled(self, whole: Ints, factor: float) -> Ints:
        """Latents times a factor."""
        rounded: Ints = np.rint(whole * factor).astype(np.int32)
        return rounded if self.movable is None else np.where(self.movable, rounded, whole)

    @torch.no_grad()
    def coarser(self, wanted: float) -> GridSearch | None:
        """The same latents with a coarser step of the tensor that saves bits at the least cost in error.

        What a context model says less exactly may make latents dearer, which counts. None where nothing saves a bit.

        Args:
            wanted: bits; what is saved beyond them is worth nothing.
        """
        codes, floats = self.fitted.step_codes, self._floats(self.latents)
        parts = tensors_of(self.arch, torch.from_numpy(self.fitted.weights).to(self.flat.device))
        settled = self.scene.settled
        best, least, at = None, math.inf, 0
        mse, rate = self._judge(self.latents)
        for k, (name, part) in enumerate(parts.items()):
            here, at = slice(at, at + part.numel()), at + part.numel()
            if name in settled:
                continue
            now, bits = quantised(part, codes[k])
            for stride in _STRIDES:
                code = min(codes[k] + stride, STEP_CODES - 1)
                values, less = quantised(part, code)
                flat = self.flat.clone()
                flat[here] += (values - now).reshape(-1)
                error, saved = mse, bits - less
                if name[0] in CONTEXTS:
                    saved += rate - float(self.scene.bits(self.arch, flat, floats).cpu())
                else:
                    error = float(self.scene.mse(self.arch, flat, floats).cpu())
                if saved > _WORTHWHILE and (cost := (error - mse) / min(saved, wanted)) < least:
                    best, least = (*codes[:k], code, *codes[k + 1 :]), cost
        if best is None:
            return None
        search = GridSearch(self.scene, replace(self.fitted, step_codes=best), self.movable)
        search.latents = self.latents
        return search

    def within(self, over: Callable[[GridSearch], float]) -> GridSearch:
        """The same with weights so much coarser that the file fits, as far as they can be.

        Latents hang together: to take one back costs its neighbours more than it saves. A layer of kodim05 at 0.3 bpp,
        over by 1 %, lost 0.04 dB so, and 0.11 where latents gave back instead.

        Args:
            over: bits that a file is over its cap.
        """
        search: GridSearch = self
        for _ in range(_COARSER):
            wanted = over(search)
            if wanted <= 0 or (coarser := search.coarser(wanted)) is None:
                break
            search = coarser
        return search

    def refine(self, budget: float, rounds: int, stop: Callable[[], bool] | None = None) -> None:
        """Optimise latents for a number of bits: what helps at a price is done, and the price follows the bits.

        Args:
            budget: bits that latents may take.
            rounds: how often.
            stop: polled before every round.
        """
        self.budget = max(1.0, budget)
        price = 1.0
        mse, bits = self._judge(self.latents)
        if bits > _FAR * self.budget:
            self.shrink(lambda latents: self._judge(latents)[1] <= self.budget)
            mse, bits = self._judge(self.latents)
        idle = 0
        for done in range(4 * rounds * _OVERTIME):
            off = abs(bits / self.budget - 1) > _OFF  # what missed its budget by much takes more rounds to get there
            near = abs(bits / self.budget - 1) < _NEAR
            if (stop and stop()) or (idle >= 4 and (near or idle >= _FUTILE)) or (done >= 4 * rounds and not off):
                return
            price = min(max(price * min(max(bits / self.budget, 1 - _PACE), 1 + _PACE), 1 / _SWING), _SWING)
            moves, _ = self.moves(price, CAUTION if bits >= self.budget else _HOPE)
            weight = price * self._weight(mse)
            gain = moves.error + weight * moves.bits
            promising = np.flatnonzero((gain < 0) & (self.phase == done % 4))
            order = promising[np.argsort(gain[promising])]
            count = math.ceil(_SHARE * len(order))
            idle += 1
            while count:
                trial = self._moved(moves, order[:count])
                error, rate = self._judge(trial)
                if error - mse + weight * (rate - bits) < 0 and rate <= max(bits, self.budget):
                    self.latents, mse, bits, idle = trial, error, rate, 0
                    break
                count //= 4

    @property
    def rate(self) -> float:
        """Bits of the latents as they are, by the fit's own figures."""
        return self._judge(self.latents)[1]

    def landed(self) -> LandedGrid:
        """What has been found."""
        return LandedGrid(self.weights, self.planes(self.latents), self.error(self.latents))

    def _moved(self, moves: Moves, chosen: NDArray[np.intp]) -> Ints:
        """Latents after some of the moves."""
        moved = self.latents.copy()
        moved[chosen] += moves.direction[chosen]
        return moved

    def fill(self, size: Callable[[Ints], int], cap: int) -> None:
        """Bring the file as close to the cap as moves can, or under it by force if it is over.

        Args:
            size: bytes of the file that holds these latents.
            cap: bytes it may have.

        Raises:
            ValueError: no latents are small enough.
        """
        bytes_now = size(self.latents)
        if bytes_now > cap:
            self.shrink(lambda latents: size(latents) <= cap)
            bytes_now = size(self.latents)
        if bytes_now > cap:
            raise ValueError("not even a file without latents fits")
        worth = 1.0  # bits that moves really bring, as a part of what they promise
        for done in range(_LAST_ROUNDS):
            spare = 8 * (cap - bytes_now)
            if spare < max(_ENOUGH, _IDLE * 8 * cap):
                return
            moved = self._spend(spare / worth, done)
            if moved is None:
                return
            bytes_then = size(moved)
            if bytes_then > cap:
                worth *= 2
                continue
            worth = min(max(8 * (bytes_then - bytes_now) / (spare / worth), 0.1), 1.0)
            if bytes_then >= bytes_now:
                self.latents, bytes_now = moved, bytes_then

    def _spend(self, bits: float, done: int) -> Ints | None:
        """Latents after the best moves that take so many bits; None where there are none.

        Args:
            bits: to be spent.
            done: rounds before this one.
        """
        for caution in (CAUTION, _HOPE, _HOPE / 2):
            moves, mse = self.moves(caution=caution)
            for phase in range(done, done + 4):
                useful = np.flatnonzero((moves.error < 0) & (moves.bits > _TRIFLE) & (self.phase == phase % 4))
                order = useful[np.argsort(moves.error[useful] / moves.bits[useful])]
                count = int(np.searchsorted(np.cumsum(moves.bits[order]), bits * 0.9))
                while count:
                    moved = self._moved(moves, order[:count])
                    if self._judge(moved)[0] < mse:
                        return moved
                    count //= 2
        return None


def weight_symbols(fitted: FittedGrid) -> Symbols:
    """Weights rounded, with the steps they were fitted with."""
    parts = tensors_of(fitted.arch, torch.from_numpy(fitted.weights))
    values, found = [], []
    for (_, part), code in zip(parts.items(), fitted.step_codes, strict=True):
        symbols = np.clip(np.rint(part.numpy() / step_size(code)), -MAX_SYMBOL, MAX_SYMBOL).astype(np.int32)
        values.append(symbols)
        found.append(fit_law(symbols, code))
    return Symbols(fitted.arch, tuple(found), tuple(values), fitted.prior)


def coarsened(fitted: FittedGrid) -> FittedGrid:
    """The same with all quantisation steps twice as large."""
    return replace(fitted, step_codes=tuple(min(code + _OCTAVE, STEP_CODES - 1) for code in fitted.step_codes))


def round_grid(scene: Scene, fitted: FittedGrid, *, rounds: int, stop: Callable[[], bool] | None = None) -> LandedGrid:
    """Symbols of a fit at a fixed price, for about as many bits as it came to; see :func:`land_grid`."""
    search = GridSearch(scene, fitted)
    search.refine(search.rate, rounds, stop)
    return search.landed()


def land_grid(
    scene: Scene,
    fitted: FittedGrid,
    cap: int,
    budget: float,
    size: Callable[[Symbols, tuple[Ints, ...]], int],
    *,
    rounds: int,
    stop: Callable[[], bool] | None = None,
    movable: Flags | None = None,
) -> LandedGrid:
    """Symbols for a cap.

    Args:
        scene: the picture.
        fitted: the fit's outcome.
        cap: bytes the file may have.
        budget: bits that weights and latents may take together.
        size: bytes of the file that holds these symbols.
        rounds: of rate-distortion optimised quantisation, at most.
        stop: polled before every round; once True only the cap is seen to.
        movable: which latents may move, ``(latents,)``; all if left out.

    Raises:
        ValueError: nothing fits the cap.
    """
    search = GridSearch(scene, fitted, movable)
    left = budget - sum(search.weights.tensor_bits())
    search.refine(left * search.exactness(), rounds, stop)

    def over(search: GridSearch) -> float:
        return 8.0 * (size(search.weights, search.planes(search.latents)) - cap)

    search = search.within(over)
    while True:
        try:
            search.fill(lambda latents, by=search: size(by.weights, by.planes(latents)), cap)  # type: ignore[misc]
        except ValueError:  # the networks alone are too large
            if not search.weights.kept:
                raise
            search = GridSearch(scene, replace(fitted, step_codes=coarsened(search.fitted).step_codes), movable)
            continue
        return search.landed()
