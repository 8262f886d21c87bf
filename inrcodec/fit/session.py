"""One encode from pixels to bytes: fits, landings, the search for a quality, the check of the result."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from inrcodec.coding.symbols import Symbols, halves_decode, halves_encode
from inrcodec.decoder import decode_pixels, draw
from inrcodec.encoder import Encoded, EncodeOptions, Progress, Report, Target
from inrcodec.errors import InrError, TargetError
from inrcodec.fit.canvas import Canvas
from inrcodec.fit.checkpoint import Journal, identity
from inrcodec.fit.config import FitConfig
from inrcodec.fit.curvature import rounded_bits
from inrcodec.fit.effort import effort_config
from inrcodec.fit.engine import Engine, engine
from inrcodec.fit.landing import Search, land
from inrcodec.fit.methods import method
from inrcodec.fit.sizing import payload_budget, smallest_file
from inrcodec.fit.train import Descent, Diverged, FittedNet, Trainer, train
from inrcodec.format.container import Header
from inrcodec.format.stream import Stream, pack
from inrcodec.limits import Limits
from inrcodec.metrics import psnr
from inrcodec.net.arch import Arch
from inrcodec.pixels import Pixels

TELL_SECONDS = 0.1
"""The observer hears no more often than this."""

_PATIENCE = 1.5
"""Seconds that loading compiled kernels may take; longer means that they are being compiled."""

_ATTEMPTS = 5
"""Learning rates tried, each half the one before, before a fit that diverges is given up."""

SECONDS = 2
"""Second finishes at most."""

_LOW, _SAFER = 0.985, 0.995
"""A fit that uses less of its budget than the first, or more than all, is finished again; then for a little less."""

_SLOPE = 2.8
"""dB of PSNR for every factor e of bytes, typically."""

_NEAR_DB = 0.4
"""A fit this close to the PSNR that is asked for is brought there by finishes alone."""

_CHECK_DB = 0.05
"""The decoded file may differ from the fitted net by this much; more means a broken build, not rounding."""


@dataclass(frozen=True)
class Candidate:
    """A file that could be the result."""

    stream: Stream
    data: bytes
    psnr: float
    cap: int
    fitted: FittedNet

    @property
    def kept(self) -> int:
        """Weights that are not zero."""
        weights = self.stream.weights
        return weights.kept if isinstance(weights, Symbols) else sum(int(np.count_nonzero(w)) for w in weights.values())


class Session:
    """An encode; see :func:`inrcodec.encoder.encode_pixels` for the arguments."""

    def __init__(
        self,
        pixels: Pixels,
        target: Target,
        options: EncodeOptions,
        observer: Callable[[Progress], None] | None,
        stop: Callable[[], bool] | None,
    ) -> None:
        self.pixels, self.target, self.options = pixels, target, options
        self.observer, self.user_stop = observer, stop
        self.start = time.monotonic()
        self.method = method(options.method)
        if options.arch not in ("auto", "siren"):
            raise ValueError(f"no architecture {options.arch!r}; there are auto, siren")
        self.config = effort_config(options.effort).override(options.overrides)
        self.header = Header(pixels.width, pixels.height, pixels.channels, pixels.depth)
        Limits().check_size(pixels.width, pixels.height)
        device = device_of(options.device)
        self.canvas = Canvas.of(pixels, device, engine(options.engine, device.type))
        self.steps = 0
        self.interrupted = False
        self._told = 0.0
        self._started = (self.start, 0.0)
        decisive = replace(options, checkpoint=None, resume=False, verify=True, max_time=None, stack=None)
        self.journal = Journal(
            options.checkpoint, identity(pixels, target, decisive), self.config.save_every, resume=options.resume
        )
        self._hopeless: set[str] = set()

    def run(self) -> Encoded:
        """Do it."""
        self.warm_up()
        with use_threads(self.canvas.engine, self.options.threads):
            cap = self.target.cap(self.header.pixels)
            best = self.fit(cap) if cap is not None else self.reach(self.target.value)
        if self.options.verify:
            self._verify(best)
        return Encoded(best.data, self._report(best, cap))

    def warm_up(self) -> None:
        """Get the engine ready; if that takes long, kernels are being compiled, and somebody is waiting."""
        nan = math.nan
        patience = threading.Timer(_PATIENCE, lambda: self._tell("compile", 0, 0, nan, nan, nan))
        patience.daemon = True
        patience.start()
        try:
            self.canvas.engine.warm_up()
        finally:
            patience.cancel()

    def stopped(self) -> bool:
        """True once the user asked to stop."""
        if not self.interrupted and self.user_stop is not None and self.user_stop():
            self.interrupted = True
        return self.interrupted

    def time_left(self) -> float | None:
        """Seconds left of the user's limit."""
        limit = self.options.max_time
        return None if limit is None else max(0.0, limit - (time.monotonic() - self.start))

    def fit(self, cap: int, config: FitConfig | None = None, share: float = 1.0) -> Candidate:
        """One fit and its landing.

        Args:
            cap: bytes the file may take.
            config: settings, if not the session's.
            share: part of the time left that this fit may take.
        """
        config = config or self.config
        arch, budget = self._sized(cap)
        fitted = self._fitted(arch, _divisor(budget), cap, config, share)
        self.steps += fitted.steps
        if budget is None:
            halves = halves_decode(halves_encode(arch, _named(fitted)), arch)
            return self._candidate(Stream(self.header, arch, halves), cap, fitted)
        return self._land(fitted, budget, cap, config)

    def _sized(self, cap: int) -> tuple[Arch, int | None]:
        """The network for a cap and the bits its weights may take (None without quantisation)."""
        arch = self.method.size(self.header, cap, self.options.layers)
        budget = payload_budget(self.header, arch, cap) if self.method.quantised else None
        if budget is not None and budget < 0:
            raise self._too_small(cap, arch)
        return arch, budget

    def trainer(self, cap: int) -> Trainer:
        """The fit that :meth:`fit` begins with, for those who carry it out in its place."""
        arch, budget = self._sized(cap)
        return Trainer(self.canvas, arch, self.config, _divisor(budget), self.options.seed)

    def adopt(self, cap: int, fitted: FittedNet | None) -> None:
        """Take what became of :meth:`trainer` elsewhere as if :meth:`fit` had done it; None says that it diverged."""
        key = _key(self._sized(cap)[0], cap, self.config)
        if fitted is None:
            self._hopeless.add(key)
        else:
            self.journal.finish(key, fitted)

    def second(self, cap: int, fitted: FittedNet, attempt: int = 0) -> Trainer | None:
        """The finish that the landing of a fit begins with; None where the fit hit its budget."""
        budget = self._sized(cap)[1]
        aim = None if budget is None else _missed(fitted, budget, attempt)
        return None if aim is None else Trainer.refine(self.canvas, fitted, self.config, aim, self.options.seed)

    def adopt_second(self, fitted: FittedNet, trainer: Trainer, refined: FittedNet) -> None:
        """Take what became of :meth:`second` elsewhere as if the landing had done it."""
        assert trainer.budget is not None
        self.journal.finish(_refine_key(fitted, trainer.budget, self.config), refined)

    def charge(self, seconds: float) -> None:
        """Count this much as the time that went into the encode so far."""
        self.start = time.monotonic() - seconds

    def refit(self, base: Candidate, cap: int) -> Candidate:
        """The same net for a cap near the one it was fitted to: the finish of a fit and a landing."""
        budget = payload_budget(self.header, base.stream.arch, cap)
        return self._land(self._refine(base.fitted, max(1, budget), self.config), budget, cap, self.config)

    def _refine(self, fitted: FittedNet, budget: float, config: FitConfig) -> FittedNet:
        key = _refine_key(fitted, budget, config)
        refined = self.journal.finished(key)
        if refined is None:
            trainer = Trainer.refine(self.canvas, fitted, config, budget, self.options.seed)
            self.begin(trainer)
            left = self.time_left()  # of the clock's whole, a finish is the last part
            seconds = None if left is None else max(0.1, 0.6 * left) / config.finish
            refined = train(trainer, seconds=seconds, observer=self.watch, stop=self.stopped)
            if not self.interrupted:
                self.journal.finish(key, refined)
        self.steps += refined.steps - round((1 - config.finish) * config.steps)
        return refined

    def _land(self, fitted: FittedNet, budget: float, cap: int, config: FitConfig) -> Candidate:
        """Symbols for a cap; a fit that missed its budget is finished once more for it."""
        for attempt in range(SECONDS):
            aim = _missed(fitted, budget, attempt)
            if aim is None or self._land_stop():
                break
            fitted = self._refine(fitted, aim, config)
        search = Search(self.canvas, fitted)
        arch = fitted.arch
        self._tell("land", 0, 1, search.mse, math.nan, fitted.multiplier)
        try:
            landed = land(
                search,
                cap,
                lambda symbols: len(pack(Stream(self.header, arch, symbols))),
                rounds=config.landing,
                stop=self._land_stop,
            )
        except ValueError:
            raise self._too_small(cap, arch) from None
        return self._candidate(Stream(self.header, arch, landed.symbols), cap, fitted)

    def _land_stop(self) -> bool:
        left = self.time_left()
        return self.stopped() or (left is not None and left <= 0)

    def _fitted(self, arch: Arch, budget: float | None, cap: int, config: FitConfig, share: float) -> FittedNet:
        """The outcome of a fit; one that diverges is tried again more gently."""
        for _ in range(_ATTEMPTS):
            try:
                return self._attempt(arch, budget, cap, config, share)
            except Diverged:  # noqa: PERF203 - five attempts at most, minutes each
                config = replace(config, lr=config.lr / 2)
        raise InrError(
            f"the fit diverged even at a learning rate of {config.lr:g}; try other --layers or a lower --set lr="
        )

    def _attempt(self, arch: Arch, budget: float | None, cap: int, config: FitConfig, share: float) -> FittedNet:
        key = _key(arch, cap, config)
        if key in self._hopeless:
            raise Diverged(f"it did so at a learning rate of {config.lr:g} before")
        if (done := self.journal.finished(key)) is not None:
            return done
        note = self.journal.started(key)
        seed = int(note["seed"]) if note else self._race(arch, config)
        trainer = Trainer(self.canvas, arch, config, budget, seed)
        self.journal.restore(key, trainer)

        def watch(descent: Descent) -> None:
            self.journal.keep(key, trainer, {"seed": seed})
            self.watch(descent)

        self.begin(trainer)
        left = self.time_left()
        seconds = None if left is None else max(0.1, left * share * (0.9 if budget else 1.0))
        fitted = train(trainer, seconds=seconds, observer=watch, stop=self.stopped)
        if not self.interrupted and trainer.done:
            self.journal.finish(key, fitted)
        return fitted

    def begin(self, descent: Descent) -> None:
        """Note that a fit begins, to know later how long it has left."""
        self._started = time.monotonic(), descent.progress

    def watch(self, descent: Descent) -> None:
        """Tell the observer about a fit, if it is time to."""
        if not self._due(descent.done, descent.config.steps):
            return
        pulse = descent.pulse()
        phase = "round" if descent.finishing else "quantise" if descent.pressed else "fit"
        start, before = self._started
        gone = max(1e-6, descent.progress - before)
        eta = (time.monotonic() - start) * (1 - descent.progress) / gone
        self._tell(phase, pulse.step, pulse.steps, pulse.mse, pulse.bits, pulse.multiplier, eta)

    def _race(self, arch: Arch, config: FitConfig) -> int:
        """Start several seeds, keep the one whose error is lowest after a while."""
        seeds = [self.options.seed + 1000 * k for k in range(max(1, config.candidates))]
        if len(seeds) == 1:
            return seeds[0]
        scores = []
        for seed in seeds:
            trainer = Trainer(self.canvas, arch, replace(config, steps=config.race), None, seed)
            train(trainer, stop=self.stopped)
            scores.append(self.canvas.subset(1 << 16).mse(trainer.model, trainer.model.weights.detach()))
        return seeds[int(np.argmin(scores))]

    def reach(self, goal: float) -> Candidate:
        """The smallest file whose decoded picture has a PSNR of at least ``goal`` dB.

        Cheap fits find the region, a full fit or two come near, and finishes of the last one, each a tenth of a fit,
        close in along the curve PSNR = a + b ln(bytes).

        Raises:
            TargetError: the goal is out of reach.
        """
        tried = self._approach(goal, self._scout(goal))
        tried += self._close_in(goal, tried[-1])
        feasible = [candidate for candidate in tried if candidate.psnr >= goal]
        if not feasible:
            best = max(candidate.psnr for candidate in tried)
            why = "before the encode was stopped" if self.interrupted else f"within {self._bounds()[1]} bytes"
            raise TargetError(f"{goal:g} dB was not reached {why}; the best was {best:.2f} dB", best_psnr=best)
        return min(feasible, key=lambda candidate: len(candidate.data))

    def _scout(self, goal: float) -> int:
        """A cap near which the goal lies, by fits an eighth as long; those are about half a dB short of full ones."""
        cap = self._within(self.method.guess(self.header, goal))
        cheap = replace(self.config, steps=max(200, self.config.steps // 8))
        for _ in range(3):
            found = self.fit(cap, cheap, share=0.1)
            aim = self._aim(cap, goal - found.psnr - 0.5, _SLOPE)
            settled, cap = abs(math.log(aim / cap)) < 0.3, aim
            if settled or self.stopped():
                break
        return cap

    def _approach(self, goal: float, cap: int) -> list[Candidate]:
        """Full fits until one is near the goal (the last of the list), or at the end of what is possible."""
        tried: list[Candidate] = []
        for _ in range(3):
            tried.append(self.fit(cap, share=0.45))
            missing = goal - tried[-1].psnr
            following = self._aim(cap, missing, _SLOPE)
            if abs(missing) < _NEAR_DB or following == cap or self.stopped():
                break
            cap = following
        return tried

    def _close_in(self, goal: float, base: Candidate) -> list[Candidate]:
        """Finishes of one fit for other caps, by the secant rule, until the PSNR is just enough."""
        tried, last, slope = [], base, _SLOPE
        for _ in range(6):
            cap = self._aim(last.cap, goal + 0.01 - last.psnr, slope)
            enough = goal <= last.psnr < goal + 0.02
            if enough or cap == last.cap or not self.method.quantised or self._land_stop():
                break
            found = self.refit(base, cap)
            slope, last = _secant(last, found, slope), found
            tried.append(found)
        return tried

    def _bounds(self) -> tuple[int, int]:
        """Bytes of the smallest and the largest file a quality search considers."""
        smallest = smallest_file(self.header) + 4
        return smallest, max(smallest + 2000, self.header.pixels // 2)

    def _within(self, cap: int) -> int:
        smallest, largest = self._bounds()
        return min(max(cap, smallest), largest)

    def _aim(self, cap: int, missing: float, slope: float) -> int:
        """The cap that should bring ``missing`` dB more, at ``slope`` dB for every factor e of bytes."""
        return self._within(round(cap * math.exp(min(max(missing / slope, -2.0), 2.0))))

    def _candidate(self, stream: Stream, cap: int, fitted: FittedNet) -> Candidate:
        decoded = draw(stream)
        return Candidate(stream, pack(stream), psnr(self.pixels.array, decoded.array), cap, fitted)

    def _verify(self, best: Candidate) -> None:
        self._tell("check", 0, 1, math.nan, math.nan, math.nan)
        decoded = psnr(self.pixels.array, decode_pixels(best.data).array)
        if not math.isclose(decoded, best.psnr, abs_tol=_CHECK_DB):
            raise InrError(
                f"self-check failed: the file decodes to {decoded:.2f} dB, not {best.psnr:.2f}; nothing was written"
            )

    def _report(self, best: Candidate, cap: int | None) -> Report:
        size = len(best.data)
        arch = best.stream.arch
        return Report(
            bytes=size,
            pixels=self.header.pixels,
            bpp=8 * size / self.header.pixels,
            cap_bytes=cap,
            use=None if cap is None else size / cap,
            psnr=best.psnr,
            seconds=time.monotonic() - self.start,
            arch=str(arch),
            method=self.method.name,
            effort=self.options.effort,
            seed=self.options.seed,
            params=arch.params,
            kept=best.kept,
            steps=self.steps,
            interrupted=self.interrupted,
        )

    def _too_small(self, cap: int, arch: Arch) -> TargetError:
        smallest = smallest_file(self.header)
        return TargetError(
            f"{cap} bytes cannot hold a {arch} network of this picture; the smallest file is {smallest} bytes",
            smallest_bytes=smallest,
        )

    def _due(self, step: int, steps: int) -> bool:
        """Whether the observer is to hear of this step: of the first and the last, and of one now and then."""
        return self.observer is not None and not (time.monotonic() - self._told < TELL_SECONDS and 0 < step < steps)

    def _tell(
        self, phase: str, step: int, steps: int, mse: float, bits: float, multiplier: float, eta: float = math.nan
    ) -> None:
        now = time.monotonic()
        if self.observer is None or not self._due(step, steps):
            return
        self._told = now
        decibel = -10 * math.log10(mse) if mse > 0 else math.inf
        bpp = bits / self.header.pixels
        self.observer(Progress(phase, step, steps, decibel, bpp, multiplier, now - self.start, eta))


def _secant(one: Candidate, two: Candidate, before: float) -> float:
    """DB for every factor e of bytes between two files, kept within reason."""
    apart = math.log(len(two.data) / len(one.data))
    return before if abs(apart) < 0.004 else min(max((two.psnr - one.psnr) / apart, 1.5), 6.0)


def _key(arch: Arch, cap: int, config: FitConfig) -> str:
    """A fit's name in the journal."""
    return f"{cap}:{arch}:{config.steps}:{config.lr}"


def _refine_key(fitted: FittedNet, budget: float, config: FitConfig) -> str:
    """A second finish's name in the journal."""
    return f"refine:{budget}:{config.steps}:{fitted.digest}"


def _divisor(budget: int | None) -> int | None:
    """A budget of no bits at all is legal (every weight zero), but the constraint divides by it."""
    return None if budget is None else max(1, budget)


def _missed(fitted: FittedNet, budget: float, attempt: int) -> float | None:
    """The budget that a fit which missed its own is finished again for; None for one that did not."""
    used = rounded_bits([tensor.astype(np.float64) for tensor in fitted.tensors], fitted.step_codes)
    return None if _LOW <= used / max(1, budget) <= 1 else max(1, budget) * _SAFER**attempt


def _named(fitted: FittedNet) -> dict[str, np.ndarray]:
    return {spec.name: tensor for spec, tensor in zip(fitted.arch.tensors(), fitted.tensors, strict=True)}


def device_of(name: str) -> torch.device:
    """The device of a name.

    Raises:
        ValueError: there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise ValueError(f"no device {name!r}; there are auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device is available here")
    return torch.device(name)


@contextmanager
def use_threads(engine: Engine, count: int | None) -> Iterator[None]:
    """Give the engine a number of threads, then put things back.

    Beside the kernels torch has only small products left, and threads of its own that wait for work would slow the
    kernels' down.
    """
    before = torch.get_num_threads()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else before
    torch.set_num_threads(engine.take_threads(count or cores))
    try:
        yield
    finally:
        torch.set_num_threads(before)
