"""Several pictures of one shape fitted together, with latent grids: in lock-step wherever they do the same.

What is decided picture by picture (quantisation steps, whether to hold the end of the soft phase, what latents are
rounded to) every fit decides for itself, when its time has come, by the code of a fit that is alone. Fits that are over
their budget at the end of the soft phase are held together, without the others, who wait for them; the finish, again in
lock-step, is everybody's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from inrcodec.fit.descent import Diverged, Pulse
from inrcodec.fit.grid.descent import GridDescent
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.lane import Lane


class GridStack:
    """Fits in progress, advanced together; one that diverges is set aside and hands on nothing.

    Args:
        members: see :class:`inrcodec.fit.grid.lane.Lane`.

    Attributes:
        failed: those that diverged, by their place.
        lane: the fits that move now.

    Raises:
        ValueError: they do not go together.
    """

    def __init__(self, members: Sequence[GridDescent]) -> None:
        self.members, self.failed = tuple(members), set[int]()
        self.config = members[0].config
        self.time = members[0].time
        self.lane = Lane(members)

    @property
    def done(self) -> int:
        """Steps taken."""
        return self.lane.done

    @property
    def progress(self) -> float:
        """Part of the fits that is done, 0 to 1: by steps, or by the clock if that is ahead."""
        return max((self.lane.done - self.lane.held) / self.config.steps, self.time - self.lane.waited)

    @property
    def pressed(self) -> bool:
        """Whether weights have quantisation steps."""
        return self.lane.pressed

    @property
    def finishing(self) -> bool:
        """Whether everything is rounded for real."""
        return self.lane.finishing

    @property
    def live(self) -> list[GridDescent]:
        """The fits that are sound."""
        return [member for k, member in enumerate(self.members) if k not in self.failed]

    def step(self) -> None:
        """One optimiser step of every fit whose turn it is.

        Raises:
            Diverged: no fit is left.
        """
        for member in self.live:
            member.time = self.time
        self.lane.time = self.time
        if self.lane.members[0].foreseeing:
            self._each(GridDescent.foresee, self.lane.members)
        if not self.pressed and self.progress >= self.config.press:
            self._each(GridDescent.begin_press, self.lane.members)
        if not self.finishing and self.progress >= 1 - self.config.finish:
            self._hold_or_finish()
        if self.lane.due:
            self._set_lost_aside()
        self.lane.step()

    def _hold_or_finish(self) -> None:
        """Go on with those that have to be held for another step; with everybody, if there are none."""
        if not self.lane.settled:
            self._each(GridDescent.settle, self.lane.members)
        holding = [member for member in self.lane.members if member.holds()]
        self.lane.waited = max(member.waited for member in self.lane.members)
        for member in self.live:  # the others' clocks stand still as well
            member.waited = self.lane.waited
        if not holding:
            self._each(GridDescent.begin_finish, self.live)
        elif len(holding) < len(self.lane.members):
            self.lane.release()
            self.lane = Lane(holding)
        else:
            self.lane.held = holding[0].held

    def _set_lost_aside(self) -> None:
        """Go on without those that blew up."""
        lost = self.lane.lost()
        if not lost:
            return
        self._fail(lost)
        self.lane.release()
        left = [member for member in self.lane.members if member not in lost]
        if left:
            self.lane = Lane(left)
        else:  # all that were held, and the others have waited long enough
            self._each(GridDescent.begin_finish, self.live)

    def _each(self, action: Callable[[GridDescent], None], members: Sequence[GridDescent]) -> None:
        """Do something rare with these fits, one by one, and go on with those that it leaves sound.

        Raises:
            Diverged: it leaves none.
        """
        self.lane.release()
        lost = []
        for member in members:
            try:
                action(member)
            except Diverged:  # noqa: PERF203 - what is done takes seconds
                lost.append(member)
        self._fail(lost)
        self.lane = Lane([member for member in members if member not in lost])

    def _fail(self, lost: Sequence[GridDescent]) -> None:
        """Set fits aside.

        Raises:
            Diverged: they were the last ones.
        """
        self.failed |= {self.members.index(member) for member in lost}
        if not self.live:
            raise Diverged("every fit of the stack diverged")

    def pulse(self) -> Pulse:
        """How the fits stand on average (in dB). It waits for the device, so do not ask at every step."""
        self.lane.sync()
        known = [member for member in self.live if math.isfinite(member.mse)] or self.live
        mse = math.exp(sum(math.log(max(member.mse, 1e-12)) for member in known) / len(known))
        bits = sum(member.bits for member in known) / len(known)
        return Pulse(self.done - self.lane.held, self.config.steps, mse, bits, self.lane.problem.multiplier)

    def fitted(self) -> list[FittedGrid | None]:
        """Hand on what there is, rounded for real if it was not yet; None where a fit diverged.

        Raises:
            Diverged: no fit is left.
        """
        self._fail(self.lane.lost())
        found: dict[GridDescent, FittedGrid] = {}

        def keep(member: GridDescent) -> None:
            found[member] = member.fitted()

        self._each(keep, self.live)
        return [found.get(member) for member in self.members]
