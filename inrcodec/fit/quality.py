"""The search for a quality: the smallest file whose decoded picture is good enough.

Cheap fits find the region, a full fit or two come near, and finishes of the last one, each a tenth of a fit, close in
along the curve PSNR = a + b ln(bytes).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from inrcodec.errors import TargetError
from inrcodec.fit.candidate import Candidate

if TYPE_CHECKING:
    from inrcodec.fit.session import AnySession

_SLOPE = 2.8
"""dB of PSNR for every factor e of bytes, typically."""

_NEAR_DB = 0.4
"""A fit this close to the PSNR that is asked for is brought there by finishes alone."""


class QualitySearch:
    """A search for the smallest file of a quality.

    Args:
        session: the encode; it does the fits.
        goal: PSNR in dB that the decoded picture has at least.
    """

    def __init__(self, session: AnySession, goal: float) -> None:
        self.session, self.goal = session, goal
        self.smallest = session.smallest() + 4
        self.largest = max(self.smallest + 2000, session.header.pixels // 2)

    def run(self) -> Candidate[Any]:
        """Find it.

        Raises:
            TargetError: the goal is out of reach.
        """
        goal = self.goal
        tried = self._approach(self._scout())
        tried += self._close_in(tried[-1])
        tried += self._insist(tried)
        feasible = [candidate for candidate in tried if candidate.psnr >= goal]
        if not feasible:
            best = max(candidate.psnr for candidate in tried)
            stopped = self.session.interrupted
            why = "before the encode was stopped" if stopped else f"within {self.largest} bytes"
            raise TargetError(f"{goal:g} dB was not reached {why}; the best was {best:.2f} dB", best_psnr=best)
        return min(feasible, key=lambda candidate: len(candidate.data))

    def _scout(self) -> int:
        """A cap near which the goal lies, by fits an eighth as long; those are about half a dB short of full ones."""
        session = self.session
        cap = self._within(session.guess(self.goal))
        cheap = replace(session.config, steps=max(200, session.config.steps // 8))
        for _ in range(3):
            found = session.fit(cap, cheap, share=0.1)
            aim = self._aim(cap, self.goal - found.psnr - 0.5, _SLOPE)
            settled, cap = abs(math.log(aim / cap)) < 0.3, aim
            if settled or session.stopped():
                break
        return cap

    def _approach(self, cap: int) -> list[Candidate[Any]]:
        """Full fits until one is near the goal (the last of the list), or at the end of what is possible."""
        tried: list[Candidate[Any]] = []
        for _ in range(3):
            tried.append(self.session.fit(cap, share=0.45))
            missing = self.goal - tried[-1].psnr
            following = self._aim(cap, missing, _SLOPE)
            if abs(missing) < _NEAR_DB or following == cap or self.session.stopped():
                break
            cap = following
        return tried

    def _close_in(self, base: Candidate[Any]) -> list[Candidate[Any]]:
        """Finishes of one fit for other caps, by the secant rule, until the PSNR is just enough."""
        session, goal = self.session, self.goal
        tried, last, slope = [], base, _SLOPE
        for _ in range(6):
            cap = self._aim(last.cap, goal + 0.01 - last.psnr, slope)
            enough = goal <= last.psnr < goal + 0.02
            if enough or cap == last.cap or not session.adjustable or session.ending():
                break
            try:
                found = session.refit(base, cap)
            except TargetError:  # too few bytes for this very network; what was found before still counts
                break
            slope, last = _secant(last, found, slope), found
            tried.append(found)
        return tried

    def _insist(self, tried: list[Candidate[Any]]) -> list[Candidate[Any]]:
        """Where nothing was good enough, but nearly so: fits for a little more, until one is."""
        found: list[Candidate[Any]] = []
        best = max(tried, key=lambda candidate: candidate.psnr)
        while best.psnr < self.goal and len(found) < 3 and not self.session.ending():
            cap = max(self._aim(best.cap, self.goal + 0.05 - best.psnr, _SLOPE / 2), self._within(best.cap + 1))
            if cap == best.cap:
                break
            found.append(self.session.fit(cap))
            best = max(best, found[-1], key=lambda candidate: candidate.psnr)
        return found

    def _within(self, cap: int) -> int:
        """The nearest number of bytes that the search considers."""
        return min(max(cap, self.smallest), self.largest)

    def _aim(self, cap: int, missing: float, slope: float) -> int:
        """The cap that should bring ``missing`` dB more, at ``slope`` dB for every factor e of bytes."""
        return self._within(round(cap * math.exp(min(max(missing / slope, -2.0), 2.0))))


def _secant(one: Candidate[Any], two: Candidate[Any], before: float) -> float:
    """DB for every factor e of bytes between two files, kept within reason."""
    apart = math.log(len(two.data) / len(one.data))
    return before if abs(apart) < 0.004 else min(max((two.psnr - one.psnr) / apart, 1.5), 6.0)
