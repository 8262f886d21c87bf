"""One encode with a network alone: a fit, its second finishes, its landing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from inrcodec.coding.symbols import Symbols, halves_decode, halves_encode
from inrcodec.fit.candidate import Candidate
from inrcodec.fit.canvas import Canvas
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.curvature import rounded_bits
from inrcodec.fit.decodable import check_decodable
from inrcodec.fit.descent import Diverged
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.landing import Search, land
from inrcodec.fit.machine import warm_up
from inrcodec.fit.methods import kind_of
from inrcodec.fit.posttrain import post_train
from inrcodec.fit.price import ELASTICITY
from inrcodec.fit.session import Session, divisor
from inrcodec.fit.settings import siren_settings
from inrcodec.fit.sizing import BITS_PER_WEIGHT, check_dense, payload_budget, smallest_file
from inrcodec.fit.train import REFINE, Trainer, train
from inrcodec.format.container import Header
from inrcodec.format.stream import Stream, pack, unpack
from inrcodec.net.arch import Arch

_CODED = 0.87
"""What entropy coding leaves of the bits of weights quantised after their fit (Struempler et al.: 0.8 to 0.9)."""

_UNASKED = 0.3
"""Bits per pixel that a network is made for where no size is asked for."""

SECONDS = 2
"""Second finishes at most."""

_LOW, _SAFER = 0.985, 0.995
"""A fit that uses less of its budget than the first, or more than all, is finished again; then for a little less."""


class SirenSession(Session[SirenConfig, FittedNet]):
    """An encode with a network alone; see :func:`inrcodec.encoder.encode_pixels` for the arguments."""

    def settings(self) -> SirenConfig:
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
        """Put the picture in the form that fits take, and read the file to start from.

        Raises:
            ValueError: that file has no network for such a picture.
        """
        self.start_from = None if self.options.start is None else _start(self.options.start, self.header)
        self.canvas = Canvas.of(self.pixels, device, self.engine, self.config.downscale)

    @staticmethod
    def restore(state: dict[str, Any]) -> FittedNet:
        """The outcome of a fit from a checkpoint."""
        return FittedNet.from_state(state)

    def warm_up(self) -> None:
        """Get the engine ready; if that takes long, kernels are being compiled, and somebody is waiting."""
        warm_up(self.engine, lambda: self.teller.tell("compile", 0, 0))

    def fit(self, cap: int, config: SirenConfig | None = None, share: float = 1.0) -> Candidate[FittedNet]:
        """One fit and its landing; see :meth:`inrcodec.fit.session.Session.fit`."""
        config = config or self.config
        arch, budget = self._sized(cap)
        fitted = self._fitted(arch, divisor(budget), cap, config, share)
        if config.quant != "trained":
            return self._post_trained(fitted, cap, config)
        if budget is None:
            halves = halves_decode(halves_encode(arch, _named(fitted)), arch)
            return Candidate.of(self.pixels, Stream(self.header, arch, halves), cap, fitted)
        return self._land(fitted, budget, cap, config)

    def _post_trained(self, fitted: FittedNet, cap: int, config: SirenConfig) -> Candidate[FittedNet]:
        """A dense fit quantised afterwards; steps grow only where the file would be over its cap."""
        self.teller.tell("round", 0, 1)
        quantised = post_train(self.canvas, fitted, config, seed=self.options.seed, stop=self.ending)
        return self._on_cap(Search(self.canvas, quantised), quantised, cap, 0)

    def _on_cap(self, search: Search, fitted: FittedNet, cap: int, rounds: int) -> Candidate[FittedNet]:
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
        if not self.method.quantised and self.target.cap(self.header.pixels) is not None:
            check_dense(self.header, arch, cap)
        return arch, budget

    def _arch(self, cap: int) -> Arch:
        """The network of fits for a cap: that of the file to start from, or as large as suits the method.

        Raises:
            ValueError: that file is of another kind.
        """
        if self.start_from is not None:
            assert isinstance(self.start_from.arch, Arch)
            return self.start_from.arch
        larger = self.config.excess
        if self.config.quant != "trained":
            larger *= BITS_PER_WEIGHT / (_CODED * self.config.bits)
        return self.method.size(self.header, round(cap * larger), self.options)

    def priced(
        self, price: float, cap: int | None = None, config: SirenConfig | None = None, share: float = 1.0
    ) -> Candidate[FittedNet]:
        """A fit at a fixed price of bits; see :meth:`inrcodec.fit.session.Session.priced`."""
        made_for = cap or round(_UNASKED * self.header.pixels / 8)
        arch = self._arch(made_for)
        check_decodable(self.header, arch, made_for)
        config = replace(config or self.config, price=price)
        fitted = self._fitted(arch, arch.params * BITS_PER_WEIGHT, f"price {price}", config, share)
        search = Search(self.canvas, fitted)
        stream = self._stream(fitted.arch, search.pack(search.symbols))
        return Candidate.of(self.pixels, stream, len(stream.data), fitted)

    def second(self, cap: int, fitted: FittedNet, attempt: int = 0) -> Trainer | None:
        """The finish that the landing of a fit begins with; None where the fit hit its budget."""
        budget = self._sized(cap)[1]
        aim = None if budget is None else _missed(fitted, budget, attempt)
        if aim is None:
            return None
        return Trainer.refine(self.canvas, fitted, self.config, aim, self.options.seed)

    def adopt_second(self, fitted: FittedNet, trainer: Trainer, refined: FittedNet | None) -> None:
        """Take what became of :meth:`second` elsewhere as if the landing had done it; None says that it diverged."""
        assert trainer.budget is not None
        key = _refine_key(fitted, trainer.budget, self.config)
        if refined is None:
            self._hopeless.add(key)
        else:
            self.journal.finish(key, refined)

    def refit(self, base: Candidate[FittedNet], cap: int) -> Candidate[FittedNet]:
        """The same net for a cap near the one it was fitted to: the finish of a fit and a landing."""
        budget = payload_budget(self.header, base.fitted.arch, cap)
        return self._land(self._refine(base.fitted, max(1, budget), self.config), budget, cap, self.config)

    def _refine(self, fitted: FittedNet, budget: float, config: SirenConfig) -> FittedNet:
        """A second finish, for another budget; the very net it was given where that finish diverges."""
        key = _refine_key(fitted, budget, config)
        try:
            refined = self.journal.finished(key) or self._finish(key, fitted, budget, config)
        except Diverged:
            self._hopeless.add(key)
            return fitted
        self.steps += refined.steps - round((1 - REFINE) * config.steps)
        return refined

    def _finish(self, key: str, fitted: FittedNet, budget: float, config: SirenConfig) -> FittedNet:
        if key in self._hopeless:
            raise Diverged("this finish did so before")
        trainer = Trainer.refine(self.canvas, fitted, config, budget, self.options.seed)
        self._begin(trainer)
        left = self.time_left()  # of the clock's whole, a finish is the last part
        seconds = None if left is None else max(0.1, 0.6 * left) / REFINE
        refined = train(trainer, seconds=seconds, observer=self._watch, stop=self.stopped)
        if not self.interrupted:
            self.journal.finish(key, refined)
        return refined

    def _land(self, fitted: FittedNet, budget: float, cap: int, config: SirenConfig) -> Candidate[FittedNet]:
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

    def descent(self, arch: Arch, config: SirenConfig, budget: float | None, seed: int) -> Trainer:
        """A fit that is about to begin."""
        trainer = Trainer(self.canvas, arch, config, budget, seed)
        if self.start_from is not None:
            trainer.start_from(self.start_from)
        return trainer

    def trial(self, arch: Arch, config: SirenConfig, budget: float | None, seed: int) -> tuple[float, Trainer]:
        """The error of a short fit, its schedule as short; the fit itself begins at its first step."""
        short = Trainer(self.canvas, arch, replace(config, steps=config.race), None, seed)
        train(short, stop=self.stopped)
        error = self.canvas.subset(1 << 16).mse(short.model, short.model.weights.detach())
        return error, self.descent(arch, config, budget, seed)

    @property
    def adjustable(self) -> bool:
        """Whether a fit can be finished again for another cap."""
        return self.method.quantised and self.config.quant == "trained"

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


def _start(data: bytes, header: Header) -> Stream:
    """The file that a fit starts from.

    Raises:
        ValueError: it has no network for such a picture.
    """
    stream = unpack(data)
    if not isinstance(stream.arch, Arch) or stream.arch.outputs != header.channels:
        raise ValueError(f"a fit of {header.channels} channels cannot start from {stream.arch}")
    return stream


def _refine_key(fitted: FittedNet, budget: float, config: SirenConfig) -> str:
    """A second finish's name in the journal."""
    return f"refine:{float(budget)}:{config.steps}:{fitted.digest}"


def _missed(fitted: FittedNet, budget: float, attempt: int) -> float | None:
    """The budget that a fit which missed its own is finished again for; None for one that did not."""
    used = rounded_bits([tensor.astype(np.float64) for tensor in fitted.tensors], fitted.step_codes)
    return None if _LOW <= used / max(1, budget) <= 1 else max(1, budget) * _SAFER**attempt


def _named(fitted: FittedNet) -> dict[str, np.ndarray]:
    return {spec.name: tensor for spec, tensor in zip(fitted.arch.tensors(), fitted.tensors, strict=True)}
