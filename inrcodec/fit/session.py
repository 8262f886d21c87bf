"""One encode from pixels to bytes, whatever the architecture: searches, fits that may be taken up again, the check."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Generic, TypeAlias, TypeVar

import torch

from inrcodec.encoder import Encoded, EncodeOptions, Progress, Report, Target, Trial
from inrcodec.errors import InrError, TargetError
from inrcodec.fit.candidate import Candidate, Fitted
from inrcodec.fit.checkpoint import Journal, identity
from inrcodec.fit.config import FitConfig
from inrcodec.fit.descent import Diverged, advance
from inrcodec.fit.engine import engine
from inrcodec.fit.machine import device_of, use_threads
from inrcodec.fit.methods import method
from inrcodec.fit.monitor import Monitor
from inrcodec.fit.price import PriceSearch
from inrcodec.fit.quality import QualitySearch
from inrcodec.fit.teller import Teller
from inrcodec.format.container import Header
from inrcodec.limits import Limits
from inrcodec.net.arch import Network
from inrcodec.pixels import Pixels

_ATTEMPTS = 5
"""Learning rates tried, each half the one before, before a fit that diverges is given up."""

_COMPILED = 4.0
"""Seconds from which getting ready was compiling kernels: once on a machine, and no part of the time of an encode."""

Config = TypeVar("Config", bound=FitConfig)


class Session(ABC, Generic[Config, Fitted]):
    """An encode; see :func:`inrcodec.encoder.encode_pixels` for the arguments.

    Its kinds say what their fits are, and how those land in a file.
    """

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

    @abstractmethod
    def settings(self) -> Config:
        """What the fit is to do.

        Raises:
            ValueError: an option is not for this architecture, or not for the method.
        """

    @abstractmethod
    def look(self, device: torch.device) -> None:
        """Put the picture in the form that fits take."""

    @staticmethod
    @abstractmethod
    def restore(state: dict[str, Any]) -> Any:
        """The outcome of a fit from a checkpoint."""

    @abstractmethod
    def warm_up(self) -> None:
        """Get the engine ready; if that takes long, kernels are being compiled, and somebody is waiting."""

    @abstractmethod
    def fit(self, cap: int, config: Config | None = None, share: float = 1.0) -> Candidate[Fitted]:
        """One fit and its landing.

        Args:
            cap: bytes the file may take.
            config: settings, if not the session's.
            share: part of the time left that this fit may take.
        """

    @abstractmethod
    def priced(
        self, price: float, cap: int | None = None, config: Config | None = None, share: float = 1.0
    ) -> Candidate[Fitted]:
        """A fit at a fixed price of bits, rounded: the file is as large as it gets.

        Args:
            price: of a bit a pixel, in mean squared error of samples in [0, 1].
            cap: bytes the network is made for; without one that is up to the session.
            config: settings, if not the session's.
            share: part of the time left that this fit may take.
        """

    @abstractmethod
    def refit(self, base: Candidate[Fitted], cap: int) -> Candidate[Fitted]:
        """What a fit came to, landed on a cap near the one that it was made for."""

    @property
    @abstractmethod
    def adjustable(self) -> bool:
        """Whether it can be."""

    @abstractmethod
    def descent(self, arch: Any, config: Config, budget: float | None, seed: int) -> Any:
        """A fit that is about to begin."""

    @abstractmethod
    def trial(self, arch: Any, config: Config, budget: float | None, seed: int) -> tuple[float, Any]:
        """How a fit stands after a while, and the fit as it would go on; of several seeds the lowest does."""

    @abstractmethod
    def _sized(self, cap: int) -> tuple[Any, float | None]:
        """The architecture for a cap and the bits that its budget comes to (None without quantisation)."""

    @abstractmethod
    def price_of(self, cap: int) -> float:
        """The price of bits that a fit of so many bytes comes to, roughly; see :meth:`priced`."""

    @abstractmethod
    def guess(self, psnr: float) -> int:
        """Bytes that a typical picture takes to reach a PSNR."""

    @abstractmethod
    def smallest(self) -> int:
        """Bytes of the smallest file there is for the picture."""

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
        if cap is not None and len(best.data) > cap:  # whatever went wrong: a cap is a promise
            raise InrError(f"the file came to {len(best.data):,} bytes, more than the cap of {cap:,}")
        if self.options.verify:
            self.teller.tell("check", 0, 1)
            best.check(self.pixels)
        return Encoded(best.data, self._report(best, cap), self.config)

    def search(self, cap: int | None) -> Candidate[Fitted]:
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

    def _begin(self, descent: Any) -> None:
        """Let everybody who listens know that a fit begins."""
        self.teller.begin(descent)
        if self.monitor is not None:
            self.monitor.begin()

    def _watch(self, descent: Any) -> None:
        """Let everybody who listens know how it goes."""
        self.teller.watch(descent)
        if self.monitor is not None:
            self.monitor.watch(descent)

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

    def trainer(self, cap: int, seed: int) -> Any:
        """The fit that :meth:`fit` begins with, for those who carry it out in its place.

        Args:
            cap: bytes the file may take.
            seed: one of :meth:`starts`.
        """
        arch, budget = self._sized(cap)
        return self.descent(arch, self.config, divisor(budget), seed)

    def alike(self, other: Session[Any, Any]) -> bool:  # noqa: ARG002 - networks alone go by the picture's size
        """Whether fits for the target can go in lock-step with those of another picture of the same size."""
        return True

    def starts(self, cap: int) -> list[int]:
        """The seeds that :meth:`fit` would begin with, of which one goes on."""
        return self.seeds(self.config, self._sized(cap)[1])

    def adopt(self, cap: int, fitted: Fitted | None) -> None:
        """Take what became of :meth:`trainer` elsewhere as if :meth:`fit` had done it; None says that it diverged."""
        key = _key(self._sized(cap)[0], cap, self.config)
        if fitted is None:
            self._hopeless.add(key)
        else:
            self.journal.finish(key, fitted)

    def charge(self, seconds: float) -> None:
        """Count this much as the time that went into the encode so far."""
        self.start = self.teller.start = time.monotonic() - seconds

    def _fitted(self, arch: Network, budget: float | None, cap: int | str, config: Config, share: float) -> Fitted:
        """The outcome of a fit; one that diverges is tried again more gently."""
        for _ in range(_ATTEMPTS):
            try:
                fitted = self._attempt(arch, budget, cap, config, share)
            except Diverged:  # noqa: PERF203 - five attempts at most, minutes each
                config = self.gentler(config)
            else:
                self.steps += fitted.steps
                return fitted
        raise InrError(
            f"the fit diverged even at a learning rate of {config.lr:g}; try other --layers or a lower --set lr="
        )

    def gentler(self, config: Config) -> Config:
        """Settings for another try at a fit that diverged."""
        return replace(config, lr=config.lr / 2)

    def _attempt(self, arch: Network, budget: float | None, cap: int | str, config: Config, share: float) -> Fitted:
        key = _key(arch, cap, config)
        if key in self._hopeless:
            raise Diverged(f"it did so at a learning rate of {config.lr:g} before")
        done: Fitted | None = self.journal.finished(key)
        if done is not None:
            return done
        note = self.journal.started(key)
        if note:
            descent = self.descent(arch, config, budget, int(note["seed"]))
            self.journal.restore(key, descent)
        else:
            descent = self.race(arch, config, budget)

        def watch(_: Any) -> None:
            self.journal.keep(key, descent, {"seed": descent.seed})
            self._watch(descent)

        self._begin(descent)
        left = self.time_left()
        seconds = None if left is None else max(0.1, left * share * (self.fit_share if budget else 1.0))
        advance(descent, seconds=seconds, observer=watch, stop=self.stopped)
        fitted: Fitted = descent.fitted()
        if not self.interrupted and descent.done:
            self.journal.finish(key, fitted)
        return fitted

    def race(self, arch: Network, config: Config, budget: float | None) -> Any:
        """Start several seeds; the fit that is ahead after a while, which is to go on.

        Raises:
            Diverged: every one of them.
        """
        seeds = self.seeds(config, budget)
        if len(seeds) == 1:
            return self.descent(arch, config, budget, seeds[0])
        best, lead = math.inf, None
        for k, seed in enumerate(seeds):
            self.teller.tell("race", k, len(seeds))
            with suppress(Diverged):
                standing, descent = self.trial(arch, config, budget, seed)
                if lead is None or standing < best:
                    best, lead = standing, descent
        if lead is None:
            raise Diverged(f"all of {len(seeds)} seeds did so at a learning rate of {config.lr:g}")
        return lead

    def seeds(self, config: Config, budget: float | None) -> list[int]:
        """The seeds that start."""
        return [self.options.seed + 1000 * k for k in range(self.entrants(config, budget))]

    def entrants(self, config: Config, budget: float | None) -> int:  # noqa: ARG002 - that of other fits decides
        """How many seeds start."""
        return config.candidates

    def _report(self, best: Candidate[Fitted], cap: int | None) -> Report:
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

    def too_small(self, cap: int, arch: Network) -> TargetError:
        """What is said where no file of an architecture fits a cap."""
        smallest = self.smallest()
        return TargetError(
            f"{cap} bytes cannot hold a {arch} network of this picture; the smallest file is {smallest} bytes",
            smallest_bytes=smallest,
        )


def _key(arch: Network, cap: int | str, config: FitConfig) -> str:
    """A fit's name in the journal, by what it is for: a cap in bytes, or a price."""
    return f"{cap}:{arch}:{config.steps}:{config.lr}"


def divisor(budget: float | None) -> float | None:
    """A budget of no bits at all is legal (every weight zero), but the constraint divides by it."""
    return None if budget is None else max(1, budget)


AnySession: TypeAlias = Session[Any, Any]
