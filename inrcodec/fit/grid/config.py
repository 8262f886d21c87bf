"""Settings of the fit of a modulated SIREN, and what each effort level spends."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from inrcodec.fit.config import FitConfig
from inrcodec.fit.effort import EFFORTS

_STEPS = {1: 60, 2: 150, 3: 300, 4: 600, 5: 1_200, 6: 2_000, 7: 3_400, 8: 6_000, 9: 10_000}

_RANDOM = {8: (30_000.0, 3), 9: (30_000.0, 5)}
"""From how many bits fits start at random, and how many such starts race, where any do."""

_LANDING = {1: 3, 2: 4}
"""Rounds of the landing where they are not the default's."""

LENIENT = 0.1
"""Part of a fit that has to pass before prices move; long fits that start at random may begin anew then."""

_LONG = 2_000
"""Steps from which the first ones of a fit that starts at random tell about its price; in fewer latents only grow."""

_LESS_DEAR = 0.75
"""What ``multiplier`` is itself multiplied with for these, so that few have to begin anew. Without, twelve (kodim05,
07, 13, 15, 20 and 23 at 0.2 to 0.8 bpp) found their price to be 0.69 to 0.98 of what they began at, in the median 0.83.
One of kodim15 at 0.8 bpp found 0.80, with 0.87 it found 0.85, and with this 0.92."""


@dataclass(frozen=True)
class GridConfig(FitConfig):
    """Settings of a fit; those of :class:`FitConfig` mean the same for the networks' weights.

    Attributes:
        settle: learning rate of the weights while they have a price, and while they come to rest, as multiples.
        latent_lr: peak learning rate of latents, in their own unit.
        latent_betas: decay of Adam's moments for latents.
        latent_floor: where the cosine of the latents' learning rate ends, as a multiple of its peak.
        floor: the same for the networks.
        gain: symbols to a latent's unit, so that a step of ``latent_lr`` moves a symbol by ``gain latent_lr``.
        dual_lr: integral gain of the multiplier per unit of violation and whole fit; violations count more and more.
        dual_gain: proportional gain, in whole fits of ``dual_lr``.
        multiplier: where the multiplier starts, as a multiple of what the picture's yardstick says. Rather too dear: a
            fit that begins too cheap keeps latents that it cannot give back later, and costs up to 4 dB at 0.1 bpp.
        headroom: bits a pixel beyond the budget that a fit aims at first; it falls to 0 with what is left, to the 1.5.
        plenty: bits a pixel from which a budget is plentiful, and from which it is so altogether. Bits hardly fall any
            more then, nor do they obey late prices (halving one from 0.3 to 0.6 of a fit at 2 bpp: 2.7 % more bits).
        plentiful: what ``multiplier`` and ``headroom`` are multiplied with then, in part before. As at lower rates,
            kodim05 came to 92.5 % of 2 bpp, a crop of it to 92 % and 37.17 dB; so they come to 98.7 %, and to
            99 % and 37.79.
        eager: what violations are multiplied with then (without: 97 % and 37.56 dB).
        rungs: of a scalable file, the parts of its bytes that its lower layers are made for.
        stage: of one, the steps that each layer above the base takes, in those of a file alone. The base is as good as
            such a file with as many, and layers gain: the first ones of kodim15 and kodim05 came to 33.64 and 25.34 dB
            with as many, and to 33.68 and 25.49 with these.
        outer: budget in bits below which the hidden layers stay those of the prior: what they would gain does not pay
            for telling.
        ahead: what long fits that start at random aim at, whose price is put right once and then moves little: the part
            of the budget that they are above it at first; bits that they are below it in the end, as the steps that
            weights get then will cost about that.
        steady: ``dual_lr`` and ``dual_gain`` of such fits.
        repriced: whether this is one.
        scratch: budget in bits from which networks start at random, with narrow laws, and not at a prior, whose head
            start long fits end behind. Random starts come to ends that are several percent of the price apart, and the
            first steps tell: hence ``candidates``.
        narrow: budget in bits below which networks that start at random are narrow, as each of their weights is dear.
        narrow_price: price of a bit a pixel, in mean squared error of samples in [0, 1], above which they are as well:
            what is busy gains less by a wide one than its weights take. At 0.0034, 0.0032 and 0.0020 (kodim05 at 0.4
            bpp, kodim13 at 0.4 and 0.8) a narrow one is worth -0.04, 0.15 and 0.15 dB, and a quarter of the time; at
            0.0012 and 0.0006 (kodim05 at 0.8, kodim15 at 0.4) it costs 0.3.
    """

    steps: int = 1_200
    temperature: tuple[float, float] = (0.35, 0.05)
    sigma: tuple[float, float] = (0.22, 0.12)
    lr: float = 1e-2
    warmup: int = 20
    optimizer: str = "soap"
    betas: tuple[float, float] = (0.95, 0.95)
    press: float = 0.7
    finish: float = 0.08
    settle: tuple[float, float] = (1.0, 10.0)
    multiplier: float = 1.4
    dual_lr: float = 8.0
    dual_gain: float = 0.8
    aim: float = 1.0
    landing: int = 1
    latent_lr: float = 1e-2
    latent_betas: tuple[float, float] = (0.8, 0.95)
    latent_floor: float = 0.01
    floor: float = 0.02
    gain: float = 16.0
    headroom: float = 0.12
    plenty: tuple[float, float] = (0.8, 2.0)
    plentiful: tuple[float, float] = (0.65, 0.33)
    eager: float = 2.0
    outer: float = 55_000.0
    ahead: tuple[float, float] = (0.25, 1_200.0)
    steady: tuple[float, float] = (4.0, 0.2)
    repriced: bool = False
    scratch: float = math.inf
    narrow: float = 100_000.0
    narrow_price: float = 1.6e-3
    rungs: tuple[float, float] = (1 / 6, 1 / 2)
    stage: float = 1.5

    def at_random(self, bits: float) -> bool:
        """Whether networks of a fit with such a budget start at random."""
        return bits >= self.scratch

    def steadied(self, bits: float) -> GridConfig:
        """The same for a fit with such a budget, with a steady price if it starts at random and is long."""
        if self.repriced or self.steps < _LONG or not self.at_random(bits):
            return self
        rate, gain = self.steady
        multiplier = _LESS_DEAR * self.multiplier
        return replace(self, repriced=True, multiplier=multiplier, dual_lr=rate, dual_gain=gain)

    def plenteousness(self, bpp: float) -> float:
        """How plentiful so many bits a pixel are, 0 to 1."""
        low, high = self.plenty
        return min(max(math.log(max(bpp, 1e-9) / low) / math.log(high / low), 0.0), 1.0)

    def opening(self, bpp: float) -> tuple[float, float]:
        """``multiplier`` and ``headroom`` of fits for so many bits a pixel."""
        part, (dearer, further) = self.plenteousness(bpp), self.plentiful
        return self.multiplier * dearer**part, self.headroom * further**part

    def narrowed(self, bits: float, price: float = 0.0) -> bool:
        """Whether networks of a fit with such a budget, and such a price of a bit a pixel, are narrow."""
        return self.at_random(bits) and (bits < self.narrow or price > self.narrow_price)

    def pinned(self, bits: float) -> GridConfig:
        """The same for fits of parts of a whole, whose bits decide about hidden layers, and not those of the part."""
        return replace(self, outer=0.0 if bits >= self.outer else math.inf)


ORDINARY = 768 * 512
"""Pixels of a picture that the ladder is made for; a smaller one takes more steps, as each costs it less."""

_MANY = 8
"""The most that smallness multiplies steps by."""

_CHEAPER = 1.6
"""Steps without the finest grid in the time of one with it."""


def grid_effort(effort: int, pixels: int = ORDINARY, *, coarse: bool = False) -> GridConfig:
    """Settings of an effort level for a picture of so many pixels, with or without the finest grid.

    Raises:
        ValueError: not 1 to 9.
    """
    if effort not in EFFORTS:
        raise ValueError(f"effort runs from 1 to 9, not {effort}")
    default = GridConfig()
    steps = round(_STEPS[effort] * min(max(ORDINARY / pixels, 1.0), _MANY) * (_CHEAPER if coarse else 1.0))
    scratch, candidates = _RANDOM.get(effort, (default.scratch, default.candidates))
    landing = _LANDING.get(effort, default.landing)
    return replace(default, steps=steps, landing=landing, scratch=scratch, candidates=candidates)
