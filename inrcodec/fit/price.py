"""The search for the price of bits that gives a size: what one does without a constraint.

Gallego-Posada et al. 2022 (section 5.1) hold it against constrained fits: every trial is a fit. The logarithm of the
size falls almost linearly with that of the price, so the secant rule, kept within what was found to be too much and too
little, needs few of them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from inrcodec.encoder import Trial
from inrcodec.fit.candidate import Candidate

if TYPE_CHECKING:
    from inrcodec.fit.config import FitConfig
    from inrcodec.fit.session import AnySession

ENOUGH = 0.98
"""Part of the cap that is near enough."""

_SCOUTS, _TRIALS, _SHORTER = 3, 6, 8
"""Short fits at most, whole fits at most, and how much shorter the short ones are."""

_AIM = 0.99
"""Part of the cap that trials aim at."""

ELASTICITY = 0.65
"""-dlnMSE/dlnbits of a typical network; see :mod:`inrcodec.fit.problem`."""

_SLOPE = -0.4
"""Dlnbits/dlnprice of a typical network whose size is given: fewer weights than one made for the price would have."""


class PriceSearch:
    """A search for the price at which fits take a given number of bytes.

    Attributes:
        trials: every fit so far.

    Args:
        session: the encode; it does the fits.
        cap: bytes the file may take.
    """

    def __init__(self, session: AnySession, cap: int) -> None:
        self.session, self.cap = session, cap
        self.trials: list[Trial] = []

    def run(self) -> Candidate[Any]:
        """Find it. Where the search comes to no end, its last fit is landed on the cap."""
        session = self.session
        price = session.price_of(self.cap)
        short = replace(session.config, steps=max(200, session.config.steps // _SHORTER))
        price, _ = self._close_in(price, short, _SCOUTS, 0.9)
        # On the clock every further fit would have less time than the one before, and come to another size.
        most = _TRIALS if session.time_left() is None else 1
        _, found = self._close_in(price, session.config, most, ENOUGH)
        fitting = [candidate for candidate in found if len(candidate.data) <= self.cap]
        best = max(fitting, key=lambda one: one.psnr) if fitting else found[-1]
        near = fitting and len(best.data) >= ENOUGH * self.cap
        return best if near else session.refit(best, self.cap)

    def _close_in(
        self, price: float, config: FitConfig, most: int, enough: float
    ) -> tuple[float, list[Candidate[Any]]]:
        """Fits of one length, until one takes nearly all of the cap; returns the next price, and what they gave."""
        found: list[Candidate[Any]] = []
        points: list[tuple[float, float]] = []
        for _ in range(most):
            share = 0.1 if config.steps < self.session.config.steps else 0.6  # of the time left, where there is a limit
            found.append(self.session.priced(price, self.cap, config, share))
            size = len(found[-1].data)
            self.trials.append(Trial(price, config.steps, size, found[-1].psnr))
            if enough <= size / self.cap <= 1 or self.session.ending():
                break
            points.append((math.log(price), math.log(size / (_AIM * self.cap))))
            price = math.exp(_next(points))
        return price, found


def _next(points: list[tuple[float, float]]) -> float:
    """The logarithm of the next price, by those tried and the logarithms of how many times too large they were."""
    here, over = points[-1]
    slope = _SLOPE
    if len(points) > 1:
        (x0, y0), (x1, y1) = sorted(points, key=lambda point: abs(point[1]))[:2]
        here, over = x0, y0
        if abs(x1 - x0) > 1e-6:
            slope = min(max((y1 - y0) / (x1 - x0), 4 * _SLOPE), _SLOPE / 4)
    following = here - over / slope
    low = max((x for x, y in points if y > 0), default=-math.inf)  # too large: a bit must cost more
    high = min((x for x, y in points if y <= 0), default=math.inf)
    inside = low < following < high or math.isinf(low) or math.isinf(high)
    return following if inside else (low + high) / 2
