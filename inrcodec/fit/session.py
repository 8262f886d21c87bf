"""One encode from pixels to bytes: fits, landings, the search for a quality, the check of the result."""

from __future__ import annotations

import math
import os
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
from inrcodec.fit.effort import effort_config
from inrcodec.fit.landing import Search, land
from inrcodec.fit.methods import method
from inrcodec.fit.sizing import payload_budget, smallest_file
from inrcodec.fit.train import Diverged, FittedNet, Pulse, Trainer, train
from inrcodec.format.container import Header
from inrcodec.format.stream import Stream, pack
from inrcodec.limits import Limits
from inrcodec.metrics import psnr
from inrcodec.net.arch import Arch
from inrcodec.pixels import Pixels

TELL_SECONDS = 0.1
"""The observer hears no more often than this."""

_ATTEMPTS = 5
"""Learning rates tried, each half the one before, before a fit that diverges is given up."""

_CHECK_DB = 0.05
"""The decoded file may differ from the fitted net by this much; more means a broken build, not rounding."""


@dataclass(frozen=True)
class Candidate:
    """A file that could be the result."""

    stream: Stream
    data: bytes
    psnr: float
    cap: int
    steps: int

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
        self.canvas = Canvas.of(pixels, _device(options.device))
        self.steps = 0
        self.interrupted = False
        self._told = 0.0
        decisive = replace(options, checkpoint=None, resume=False, verify=True, max_time=None)
        self.journal = Journal(
            options.checkpoint, identity(pixels, target, decisive), self.config.save_every, resume=options.resume
        )

    def run(self) -> Encoded:
        """Do it."""
        with _threads(self.options.threads):
            cap = self.target.cap(self.header.pixels)
            best = self.fit(cap) if cap is not None else self.reach(self.target.value)
        if self.options.verify:
            self._verify(best)
        return Encoded(best.data, self._report(best, cap))

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
        arch = self.method.size(self.header, cap, self.options.layers)
        budget = payload_budget(self.header, arch, cap) if self.method.quantised else None
        if budget is not None and budget < 0:
            raise self._too_small(cap, arch)
        # A budget of no bits at all is legal (every weight zero), but the constraint divides by it.
        fitted = self._fitted(arch, None if budget is None else max(1, budget), cap, config, share)
        self.steps += fitted.steps
        if budget is None:
            halves = halves_decode(halves_encode(arch, _named(fitted)), arch)
            return self._candidate(Stream(self.header, arch, halves), cap)
        search = Search(self.canvas, fitted)
        self._tell("land", 0, 1, search.mse, math.nan, fitted.multiplier)
        try:
            landed = land(
                search,
                cap,
                lambda s: len(pack(Stream(self.header, arch, s))),
                rounds=config.landing,
                stop=self._land_stop,
            )
        except ValueError:
            raise self._too_small(cap, arch) from None
        return self._candidate(Stream(self.header, arch, landed.symbols), cap)

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
        key = f"{cap}:{arch}:{config.steps}:{config.lr}"
        if (done := self.journal.finished(key)) is not None:
            return done
        note = self.journal.started(key)
        seed = int(note["seed"]) if note else self._race(arch, config)
        trainer = Trainer(self.canvas, arch, config, budget, seed)
        self.journal.restore(key, trainer)
        started, done_before = time.monotonic(), trainer.progress

        def watch(pulse: Pulse) -> None:
            self.journal.keep(key, trainer, {"seed": seed})
            phase = "round" if trainer.finishing else "quantise" if trainer.pressed else "fit"
            gone = max(1e-6, trainer.progress - done_before)
            eta = (time.monotonic() - started) * (1 - trainer.progress) / gone
            self._tell(phase, pulse.step, pulse.steps, pulse.mse, pulse.bits, pulse.multiplier, eta)

        left = self.time_left()
        seconds = None if left is None else max(0.1, left * share * (0.9 if budget else 1.0))
        fitted = train(trainer, seconds=seconds, observer=watch, stop=self.stopped)
        if not self.interrupted and trainer.done:
            self.journal.finish(key, fitted)
        return fitted

    def _race(self, arch: Arch, config: FitConfig) -> int:
        """Start several seeds, keep the one whose error is lowest after a while."""
        seeds = [self.options.seed + 1000 * k for k in range(max(1, config.candidates))]
        if len(seeds) == 1:
            return seeds[0]
        scores = []
        for seed in seeds:
            trainer = Trainer(self.canvas, arch, replace(config, steps=config.race), None, seed)
            train(trainer, stop=self.stopped)
            scores.append(self.canvas.subset(1 << 16).mse(trainer.model, trainer.model.flat().detach()))
        return seeds[int(np.argmin(scores))]

    def reach(self, goal: float) -> Candidate:
        """The smallest file whose decoded picture has a PSNR of at least ``goal`` dB.

        Cheap fits find the region; full fits close in along the curve PSNR = a + b ln(bytes); the last one is
        shaved down to the goal by the landing's own search.

        Raises:
            TargetError: the goal is out of reach.
        """
        smallest = smallest_file(self.header) + 4
        largest = max(smallest + 2000, self.header.pixels // 2)
        cap = min(max(self.method.guess(self.header, goal), smallest), largest)
        cheap = replace(self.config, steps=max(200, self.config.steps // 8))
        slope, best_psnr = 2.8, -math.inf
        for _ in range(3):  # a cheap fit is about half a dB short of a full one
            found = self.fit(cap, cheap, share=0.1)
            ratio = math.exp((goal - found.psnr - 0.5) / slope)
            aim = min(max(round(cap * min(max(ratio, 0.1), 8.0)), smallest), largest)
            settled, cap = abs(math.log(aim / cap)) < 0.3, aim
            if settled or self.stopped():
                break
        feasible: list[Candidate] = []
        tried: list[tuple[float, float]] = []
        for _ in range(5):
            found = self.fit(cap, share=0.45)
            best_psnr = max(best_psnr, found.psnr)
            tried.append((math.log(cap), found.psnr))
            if found.psnr >= goal:
                feasible.append(self._shave(found, goal))
            if self.stopped() or (found.psnr >= goal and found.psnr < goal + 0.12) or (cap == smallest and feasible):
                break
            if found.psnr < goal and cap >= largest:
                break
            if len(tried) > 1 and abs(tried[-1][0] - tried[-2][0]) > 0.03:
                slope = min(max((tried[-1][1] - tried[-2][1]) / (tried[-1][0] - tried[-2][0]), 1.5), 6.0)
            cap = min(max(round(cap * math.exp((goal + 0.05 - found.psnr) / slope)), smallest), largest)
        if not feasible:
            why = "before the encode was stopped" if self.interrupted else f"within {largest} bytes"
            raise TargetError(
                f"{goal:g} dB was not reached {why}; the best was {best_psnr:.2f} dB", best_psnr=best_psnr
            )
        return min(feasible, key=lambda c: len(c.data))

    def _shave(self, found: Candidate, goal: float) -> Candidate:
        """Take bits away from a file that is better than it must be, until it just is not."""
        weights = found.stream.weights
        if not isinstance(weights, Symbols):
            return found
        best = found
        low, high = 0.0, min(0.9, 2.5 * (found.psnr - goal) / 2.8)
        for _ in range(6):
            cut = (low + high) / 2
            search = Search.of(self.canvas, weights)
            search.saved((1 - cut) * sum(weights.tensor_bits()))
            limit = search.bits(search.symbols)
            search.improved(limit, 0.5)
            trial = self._candidate(Stream(self.header, weights.arch, search.pack(search.symbols)), found.cap)
            if trial.psnr >= goal:
                low = cut
                best = min(best, trial, key=lambda c: len(c.data))
            else:
                high = cut
            if self.stopped():
                break
        return best

    def _candidate(self, stream: Stream, cap: int) -> Candidate:
        decoded = draw(stream)
        return Candidate(stream, pack(stream), psnr(self.pixels.array, decoded.array), cap, self.steps)

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

    def _tell(
        self, phase: str, step: int, steps: int, mse: float, bits: float, multiplier: float, eta: float = math.nan
    ) -> None:
        now = time.monotonic()
        if self.observer is None or (now - self._told < TELL_SECONDS and 0 < step < steps):
            return
        self._told = now
        decibel = -10 * math.log10(mse) if mse > 0 else math.inf
        bpp = bits / self.header.pixels
        self.observer(Progress(phase, step, steps, decibel, bpp, multiplier, now - self.start, eta))


def _named(fitted: FittedNet) -> dict[str, np.ndarray]:
    return {spec.name: tensor for spec, tensor in zip(fitted.arch.tensors(), fitted.tensors, strict=True)}


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise ValueError(f"no device {name!r}; there are auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device is available here")
    return torch.device(name)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Run torch with a number of threads, then put things back."""
    before = torch.get_num_threads()
    torch.set_num_threads(
        count or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else count or before
    )
    try:
        yield
    finally:
        torch.set_num_threads(before)
