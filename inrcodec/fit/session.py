"""One encode from pixels to bytes: fits, second finishes, landings, the check of the result."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch

from inrcodec.coding.symbols import Symbols, halves_decode, halves_encode
from inrcodec.encoder import Encoded, EncodeOptions, Progress, Report, Target, Trial
from inrcodec.errors import InrError, TargetError
from inrcodec.fit.candidate import Candidate
from inrcodec.fit.canvas import Canvas
from inrcodec.fit.checkpoint import Journal, identity
from inrcodec.fit.config import FitConfig, SirenConfig
from inrcodec.fit.curvature import rounded_bits
from inrcodec.fit.decodable import check_decodable
from inrcodec.fit.descent import Descent, Diverged
from inrcodec.fit.engine import engine
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.landing import Search, land
from inrcodec.fit.machine import device_of, use_threads, warm_up
from inrcodec.fit.methods import kind_of, method
from inrcodec.fit.monitor import Monitor, Watched
from inrcodec.fit.posttrain import post_train
from inrcodec.fit.price import ELASTICITY, PriceSearch
from inrcodec.fit.quality import QualitySearch
from inrcodec.fit.settings import siren_settings
from inrcodec.fit.sizing import BITS_PER_WEIGHT, payload_budget, smallest_file
from inrcodec.fit.teller import Teller
from inrcodec.fit.train import REFINE, Trainer, train
from inrcodec.format.container import Header
from inrcodec.format.stream import Stream, pack, unpack
from inrcodec.limits import Limits
from inrcodec.net.arch import Arch
from inrcodec.net.grid import GridArch
from inrcodec.pixels import Pixels

_ATTEMPTS = 5
"""Learning rates tried, each half the one before, before a fit that diverges is given up."""

_CODED = 0.87
"""What entropy coding leaves of the bits of weights quantised after their fit (Struempler et al.: 0.8 to 0.9)."""

_UNASKED = 0.3
"""Bits per pixel that a network is made for where no size is asked for."""

_COMPILED = 4.0
"""Seconds from which getting ready was compiling kernels: once on a machine, and no part of the time of an encode."""

SECONDS = 2
"""Second finishes at most."""

_LOW, _SAFER = 0.985, 0.995
"""A fit that uses less of its budget than the first, or more than all, is finished again; then for a little less."""


class Session:
    """An encode; see :func:`inrcodec.encoder.encode_pixels` for the arguments."""

    fit_share = 0.9
    """Part of an encode's time, where that is limited, that the fit may take; the rest is for the landing."""

    def __init__(
        self,
        pixels: Pixels,
        target: Target,
        options: EncodeOptions,
        observer: Callable[[Progress], None] | None,
        stop: Callable[[], bool] | None,
    ) -> None:
        self.pixels, self.target, self.options = pixels, target, options
        self.user_stop = stop
        self.start = time.monotonic()
        self.excused = 0.0  # seconds that are not counted against a limit
        self.method = method(options.method)
        self.header = Header(pixels.width, pixels.height, pixels.channels, pixels.depth)
        self.config = self.settings()
        Limits().check_size(pixels.width, pixels.height)
        device = device_of(options.device)
        self.engine = engine(options.engine, device.type)
        self.start_from = None if options.start is None else _start(options.start, self.header)
        self.look(device)
        self.steps = 0
        self.trials: tuple[Trial, ...] = ()
        self.interrupted = False
        self.teller = Teller(observer, self.header.pixels)
        self.monitor = None
        if options.log is not None:
            self.monitor = Monitor(options.log, self.header, resume=options.resume)
            self.monitor.settings(target, options, self.config)
        decisive = replace(options, log=None, checkpoint=None, resume=False, verify=True, max_time=None, stack=None)
        self.journal = Journal(
            options.checkpoint,
            identity(pixels, target, decisive),
            self.config.save_every,
            resume=options.resume,
            restore=self.restore,
        )
        self._hopeless: set[str] = set()

    def settings(self) -> FitConfig:
        """What the fit is to do.

        Raises:
            ValueError: an option is not for networks alone, or not for the method.
        """
        if self.options.scalable:
            raise ValueError("--scalable is for latent grids")
        config = siren_settings(self.options)
        if self.method.name != "l0" and config.quant != "trained":
            raise ValueError(f"quantisation after the fit is for --method l0, not {self.method.name}")
        return config

    def look(self, device: torch.device) -> None:
        """Put the picture in the form that fits take."""
        self.canvas = Canvas.of(self.pixels, device, self.engine, _siren(self.config).downscale)

    @staticmethod
    def restore(state: dict[str, Any]) -> Any:
        """The outcome of a fit from a checkpoint."""
        return FittedNet.from_state(state)

    def run(self) -> Encoded:
        """Do it."""
        begun = time.monotonic()
        self.warm_up()
        took = time.monotonic() - begun
        self.excused = took if took > _COMPILED else 0.0
        try:
            with use_threads(self.engine, self.options.threads):
                cap = self.target.cap(self.header.pixels)
                best = self.search(cap)
        finally:
            if self.monitor is not None:
                self.monitor.close()
        if self.options.verify:
            self.teller.tell("check", 0, 1)
            best.check(self.pixels)
        return Encoded(best.data, self._report(best, cap), self.config)

    def search(self, cap: int | None) -> Candidate:
        """The file that is asked for.

        Raises:
            ValueError: the method has no use for the target.
        """
        name, kind = self.method.name, self.target.kind
        if (name == "penalized") != (kind == "lambda"):
            raise ValueError("--lambda and --method penalized go together: such a fit takes the bytes it takes")
        if kind == "lambda":
            return self.priced(self.target.value)
        if name == "bisect":
            if cap is None:
                raise ValueError("--method bisect searches for a size; it has no use for --psnr")
            search = PriceSearch(self, cap)
            best = search.run()
            self.trials = tuple(search.trials)
            return best
        return self.fit(cap) if cap is not None else QualitySearch(self, self.target.value).run()

    def warm_up(self) -> None:
        """Get the engine ready; if that takes long, kernels are being compiled, and somebody is waiting."""
        warm_up(self.engine, lambda: self.teller.tell("compile", 0, 0))

    def _begin(self, descent: Descent) -> None:
        """Let everybody who listens know that a fit begins."""
        self.teller.begin(descent)
        if self.monitor is not None:
            self.monitor.begin()

    def _watch(self, descent: Descent) -> None:
        """Let everybody who listens know how it goes."""
        self.teller.watch(descent)
        if self.monitor is not None:
            self.monitor.watch(cast("Watched", descent))

    def stopped(self) -> bool:
        """True once the user asked to stop."""
        if not self.interrupted and self.user_stop is not None and self.user_stop():
            self.interrupted = True
        return self.interrupted

    def time_left(self) -> float | None:
        """Seconds left of the user's limit."""
        limit = self.options.max_time
        return None if limit is None else max(0.0, limit + self.excused - (time.monotonic() - self.start))

    def ending(self) -> bool:
        """Whether it is time to come to an end: the user asked for it, or the time is up."""
        left = self.time_left()
        return self.stopped() or (left is not None and left <= 0)

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
        if _siren(config).quant != "trained":
            return self._post_trained(fitted, cap, _siren(config))
        if budget is None:
            halves = halves_decode(halves_encode(arch, _named(fitted)), arch)
            return Candidate.of(self.pixels, Stream(self.header, arch, halves), cap, fitted)
        return self._land(fitted, budget, cap, config)

    def _post_trained(self, fitted: FittedNet, cap: int, config: SirenConfig) -> Candidate:
        """A dense fit quantised afterwards; steps grow only where the file would be over its cap."""
        self.teller.tell("round", 0, 1)
        quantised = post_train(self.canvas, fitted, config, seed=self.options.seed, stop=self.ending)
        return self._on_cap(Search(self.canvas, quantised), quantised, cap, 0)

    def _on_cap(self, search: Search, fitted: FittedNet, cap: int, rounds: int) -> Candidate:
        """The file that a search lands on a cap."""
        arch = fitted.arch

        def size(symbols: Symbols) -> int:
            return len(pack(self._stream(arch, symbols)))

        try:
            landed = land(search, cap, size, rounds=rounds, stop=self.ending)
        except ValueError:
            raise self.too_small(cap, arch) from None
        return Candidate.of(self.pixels, self._stream(arch, landed.symbols), cap, fitted)

    def _stream(self, arch: Arch, symbols: Symbols) -> Stream:
        """What a file says, with weights quantised and coded as was asked for."""
        return Stream(self.header, arch, symbols, coder=self.options.coder)

    def _sized(self, cap: int) -> tuple[Arch, int | None]:
        """The network for a cap and the bits its weights may take (None without quantisation)."""
        arch = self._arch(cap)
        check_decodable(self.header, arch, cap)
        budget = payload_budget(self.header, arch, cap) if self.adjustable else None
        if budget is not None and budget < 0:
            raise self.too_small(cap, arch)
        return arch, budget

    def _arch(self, cap: int) -> Arch:
        """The network of fits for a cap: that of the file to start from, or as large as suits the method.

        Raises:
            ValueError: that file is of another kind.
        """
        if self.start_from is not None:
            assert isinstance(self.start_from.arch, Arch)
            return self.start_from.arch
        config = _siren(self.config)
        larger = config.excess
        if config.quant != "trained":
            larger *= BITS_PER_WEIGHT / (_CODED * config.bits)
        return self.method.size(self.header, round(cap * larger), self.options)

    def priced(
        self, price: float, cap: int | None = None, config: FitConfig | None = None, share: float = 1.0
    ) -> Candidate:
        """A fit at a fixed price of bits, rounded: the file is as large as it gets.

        Args:
            price: of a bit a pixel, in mean squared error of samples in [0, 1].
            cap: bytes the network is made for; without one it is made for 0.3 bpp.
            config: settings, if not the session's.
            share: part of the time left that this fit may take.
        """
        made_for = cap or round(_UNASKED * self.header.pixels / 8)
        arch = self._arch(made_for)
        check_decodable(self.header, arch, made_for)
        config = replace(_siren(config or self.config), price=price)
        fitted = self._fitted(arch, arch.params * BITS_PER_WEIGHT, f"price {price}", config, share)
        self.steps += fitted.steps
        search = Search(self.canvas, fitted)
        stream = self._stream(fitted.arch, search.pack(search.symbols))
        return Candidate.of(self.pixels, stream, len(stream.data), fitted)

    def trainer(self, cap: int, seed: int) -> Trainer:
        """The fit that :meth:`fit` begins with, for those who carry it out in its place.

        Args:
            cap: bytes the file may take.
            seed: one of :meth:`starts`.
        """
        arch, budget = self._sized(cap)
        return self.descent(arch, self.config, _divisor(budget), seed)

    def alike(self, other: Session) -> bool:  # noqa: ARG002 - networks alone go by the picture's size
        """Whether fits for the target can go in lock-step with those of another picture of the same size."""
        return True

    def starts(self, cap: int) -> list[int]:
        """The seeds that :meth:`fit` would begin with, of which one goes on."""
        return self.seeds(self.config, self._sized(cap)[1])

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
        if aim is None:
            return None
        return Trainer.refine(self.canvas, fitted, _siren(self.config), aim, self.options.seed)

    def adopt_second(self, fitted: FittedNet, trainer: Trainer, refined: FittedNet | None) -> None:
        """Take what became of :meth:`second` elsewhere as if the landing had done it; None says that it diverged."""
        assert trainer.budget is not None
        key = _refine_key(fitted, trainer.budget, self.config)
        if refined is None:
            self._hopeless.add(key)
        else:
            self.journal.finish(key, refined)

    def charge(self, seconds: float) -> None:
        """Count this much as the time that went into the encode so far."""
        self.start = self.teller.start = time.monotonic() - seconds

    def refit(self, base: Candidate, cap: int) -> Candidate:
        """The same net for a cap near the one it was fitted to: the finish of a fit and a landing."""
        budget = payload_budget(self.header, base.fitted.arch, cap)
        return self._land(self._refine(base.fitted, max(1, budget), self.config), budget, cap, self.config)

    def _refine(self, fitted: FittedNet, budget: float, config: FitConfig) -> FittedNet:
        """A second finish, for another budget; the very net it was given where that finish diverges."""
        key = _refine_key(fitted, budget, config)
        try:
            refined = self.journal.finished(key) or self._finish(key, fitted, budget, config)
        except Diverged:
            self._hopeless.add(key)
            return fitted
        self.steps += refined.steps - round((1 - REFINE) * config.steps)
        return refined

    def _finish(self, key: str, fitted: FittedNet, budget: float, config: FitConfig) -> FittedNet:
        if key in self._hopeless:
            raise Diverged("this finish did so before")
        trainer = Trainer.refine(self.canvas, fitted, _siren(config), budget, self.options.seed)
        self._begin(trainer)
        left = self.time_left()  # of the clock's whole, a finish is the last part
        seconds = None if left is None else max(0.1, 0.6 * left) / REFINE
        refined = train(trainer, seconds=seconds, observer=self._watch, stop=self.stopped)
        if not self.interrupted:
            self.journal.finish(key, refined)
        return refined

    def _land(self, fitted: FittedNet, budget: float, cap: int, config: FitConfig) -> Candidate:
        """Symbols for a cap; a fit that missed its budget is finished once more for it."""
        for attempt in range(SECONDS):
            aim = _missed(fitted, budget, attempt)
            if aim is None or self.ending():
                break
            refined = self._refine(fitted, aim, config)
            if refined is fitted:  # it diverged; new steps will have to do
                break
            fitted = refined
        search = Search(self.canvas, fitted)
        self.teller.tell("land", 0, 1, mse=search.mse, multiplier=fitted.multiplier)
        return self._on_cap(search, fitted, cap, config.landing)

    def _fitted(self, arch: Arch, budget: float | None, cap: int | str, config: FitConfig, share: float) -> FittedNet:
        """The outcome of a fit; one that diverges is tried again more gently."""
        for _ in range(_ATTEMPTS):
            try:
                return self._attempt(arch, budget, cap, config, share)
            except Diverged:  # noqa: PERF203 - five attempts at most, minutes each
                config = replace(config, lr=config.lr / 2)
        raise InrError(
            f"the fit diverged even at a learning rate of {config.lr:g}; try other --layers or a lower --set lr="
        )

    def _attempt(self, arch: Arch, budget: float | None, cap: int | str, config: FitConfig, share: float) -> FittedNet:
        key = _key(arch, cap, config)
        if key in self._hopeless:
            raise Diverged(f"it did so at a learning rate of {config.lr:g} before")
        done: FittedNet | None = self.journal.finished(key)
        if done is not None:
            return done
        note = self.journal.started(key)
        seed = int(note["seed"]) if note else self.race(arch, config, budget)
        trainer = self.descent(arch, config, budget, seed)
        self.journal.restore(key, trainer)

        def watch(descent: Descent) -> None:
            self.journal.keep(key, trainer, {"seed": seed})
            self._watch(descent)

        self._begin(trainer)
        left = self.time_left()
        seconds = None if left is None else max(0.1, left * share * (self.fit_share if budget else 1.0))
        fitted = train(trainer, seconds=seconds, observer=watch, stop=self.stopped)
        if not self.interrupted and trainer.done:
            self.journal.finish(key, fitted)
        return fitted

    def descent(self, arch: Arch, config: FitConfig, budget: float | None, seed: int) -> Trainer:
        """A fit that is about to begin."""
        trainer = Trainer(self.canvas, arch, _siren(config), budget, seed)
        if self.start_from is not None:
            trainer.start_from(self.start_from)
        return trainer

    def race(self, arch: Arch, config: FitConfig, budget: float | None) -> int:
        """Start several seeds; the one that is ahead after a while."""
        seeds = self.seeds(config, budget)
        if len(seeds) == 1:
            return seeds[0]
        scores = []
        for k, seed in enumerate(seeds):
            self.teller.tell("race", k, len(seeds))
            try:
                scores.append(self.trial(arch, config, budget, seed))
            except Diverged:
                scores.append(math.inf)
        return seeds[int(np.argmin(scores))]

    def seeds(self, config: FitConfig, budget: float | None) -> list[int]:
        """The seeds that start."""
        return [self.options.seed + 1000 * k for k in range(self.entrants(config, budget))]

    def entrants(self, config: FitConfig, budget: float | None) -> int:  # noqa: ARG002 - that of other fits decides
        """How many seeds start."""
        return config.candidates

    def trial(self, arch: Arch, config: FitConfig, budget: float | None, seed: int) -> float:  # noqa: ARG002
        """The error of a short fit."""
        trainer = Trainer(self.canvas, arch, replace(_siren(config), steps=config.race), None, seed)
        train(trainer, stop=self.stopped)
        return self.canvas.subset(1 << 16).mse(trainer.model, trainer.model.weights.detach())

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
            trials=self.trials,
            needs=best.needs,
        )

    @property
    def adjustable(self) -> bool:
        """Whether a fit can be finished again for another cap."""
        return self.method.quantised and _siren(self.config).quant == "trained"

    def price_of(self, cap: int) -> float:
        """The price of bits that a fit of so many bytes comes to, roughly; see :meth:`priced`."""
        bpp = 8 * cap / self.header.pixels
        return ELASTICITY * 10 ** (-self.method.psnr(bpp) / 10) / bpp

    def guess(self, psnr: float) -> int:
        """Bytes that a typical picture takes to reach a PSNR."""
        return self.method.guess(self.header, psnr)

    def smallest(self) -> int:
        """Bytes of the smallest file there is for the picture."""
        return smallest_file(self.header, kind_of(self.options))

    def too_small(self, cap: int, arch: Arch | GridArch) -> TargetError:
        """What is said where no file of an architecture fits a cap."""
        smallest = self.smallest()
        return TargetError(
            f"{cap} bytes cannot hold a {arch} network of this picture; the smallest file is {smallest} bytes",
            smallest_bytes=smallest,
        )


def _start(data: bytes, header: Header) -> Stream:
    """The file that a fit starts from.

    Raises:
        ValueError: it has no network for such a picture.
    """
    stream = unpack(data)
    if not isinstance(stream.arch, Arch) or stream.arch.outputs != header.channels:
        raise ValueError(f"a fit of {header.channels} channels cannot start from {stream.arch}")
    return stream


def _siren(config: FitConfig) -> SirenConfig:
    """The settings of a network alone."""
    assert isinstance(config, SirenConfig)
    return config


def _key(arch: Arch, cap: int | str, config: FitConfig) -> str:
    """A fit's name in the journal, by what it is for: a cap in bytes, or a price."""
    return f"{cap}:{arch}:{config.steps}:{config.lr}"


def _refine_key(fitted: FittedNet, budget: float, config: FitConfig) -> str:
    """A second finish's name in the journal."""
    return f"refine:{float(budget)}:{config.steps}:{fitted.digest}"


def _divisor(budget: int | None) -> int | None:
    """A budget of no bits at all is legal (every weight zero), but the constraint divides by it."""
    return None if budget is None else max(1, budget)


def _missed(fitted: FittedNet, budget: float, attempt: int) -> float | None:
    """The budget that a fit which missed its own is finished again for; None for one that did not."""
    used = rounded_bits([tensor.astype(np.float64) for tensor in fitted.tensors], fitted.step_codes)
    return None if _LOW <= used / max(1, budget) <= 1 else max(1, budget) * _SAFER**attempt


def _named(fitted: FittedNet) -> dict[str, np.ndarray]:
    return {spec.name: tensor for spec, tensor in zip(fitted.arch.tensors(), fitted.tensors, strict=True)}
