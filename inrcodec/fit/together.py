"""Encodes of several pictures: those of one shape are fitted as a stack, then each lands by itself."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch

from inrcodec.encoder import Encoded, EncodeOptions, Progress, Target, encode_pixels, has_extras
from inrcodec.fit.architectures import session_of
from inrcodec.fit.config import SIREN_ONLY
from inrcodec.fit.descent import Diverged, advance, begin
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.grid import plain
from inrcodec.fit.grid.engine import GridEngine, grid_engine
from inrcodec.fit.grid.session import GridSession
from inrcodec.fit.grid.stack import GridStack
from inrcodec.fit.machine import device_of, use_threads
from inrcodec.fit.session import AnySession
from inrcodec.fit.settings import siren_settings
from inrcodec.fit.siren import SECONDS, SirenSession
from inrcodec.fit.stack import Stack
from inrcodec.fit.train import REFINE, Trainer
from inrcodec.format.container import Header
from inrcodec.pixels import Pixels

_IN_STEP = frozenset(
    {"rates", "l1", "quant", "bits", "adaround_steps", "adaround_lr", "adaround_reg", "qat_steps", "qat_lr"}
)
"""What may be set of fits of networks alone that go in lock-step, beside what every fit has."""

_OF_ONE_PHASE = frozenset({"schedule", "patience", "early"})
"""What may be set besides where nothing comes after the float phase."""

ON_A_GPU = 24
"""Pictures fitted together on a GPU: by then its time goes into arithmetic, not into starting it."""


def room(options: EncodeOptions) -> int:
    """How many pictures are fitted together: what was asked for, or else what the device is good for.

    Raises:
        ValueError: the device is not there.
    """
    if options.log is not None:
        return 1  # a log is of one picture
    if options.stack is not None:
        return options.stack
    return ON_A_GPU if device_of(options.device).type == "cuda" else 1


class Together:
    """Encodes of several pictures for one target, done one after the other by :meth:`encode`.

    Pictures of one shape have the same network and budget; the first of a group that is encoded brings the fit of the
    whole group about. A quality takes a search of its own for every picture, so does a race of seeds; unusual methods
    have no stacks; pictures with alpha or metadata have budgets of their own; and one picture of latent grids keeps the
    fused kernels busy: those stay alone. A group that a GPU has no memory for is halved until it has.

    Args:
        pictures: all of them.
        target: for each.
        options: for each; ``max_time`` too, so that a group may take as long as its pictures would one by one.
        stop: see :func:`inrcodec.encoder.encode_pixels`.

    Raises:
        ValueError: options that make no sense.
    """

    def __init__(
        self,
        pictures: Sequence[Pixels],
        target: Target,
        options: EncodeOptions,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        if options.checkpoint is not None and len(pictures) > 1:
            raise ValueError("a checkpoint keeps one encode, not several")
        self.pictures, self.target, self.options, self.stop = tuple(pictures), target, options, stop
        self.kinds = [session_of(options, target, picture.count) for picture in self.pictures]
        sized = target.cap(1 << 20) is not None
        together = {kind for kind in set(self.kinds) if sized and _go_together(kind, options)}
        self._company = {
            k: group
            for same in _groups(self.pictures)
            for group in _parted(same, room(options) if self.kinds[same[0]] in together else 1)
            for k in group
        }
        self._ready: dict[int, tuple[AnySession, float]] = {}
        self._begun: set[int] = set()

    def company(self, k: int) -> tuple[int, ...]:
        """The pictures that are fitted with picture ``k``, and itself."""
        return self._company[k]

    def begun(self, k: int) -> bool:
        """Whether picture ``k`` was fitted, alone or in company."""
        return k in self._begun

    @property
    def waiting(self) -> bool:
        """Whether there are pictures that were fitted and are not encoded yet."""
        return bool(self._ready)

    def encode(self, k: int, observer: Callable[[Progress], None] | None = None) -> Encoded:
        """The file of picture ``k``; to be asked for once.

        Raises:
            TargetError: no file meets the target.
            ValueError: options that make no sense.
        """
        if has_extras(self.pictures[k]):
            self._begun.add(k)
            return encode_pixels(self.pictures[k], self.target, self.options, observer=observer, stop=self.stop)
        if k not in self._begun:
            self._begin(k, observer)
        session, seconds = self._ready.pop(k)
        session.teller.observer = observer
        session.charge(seconds)
        return session.run()

    def _begin(self, k: int, observer: Callable[[Progress], None] | None) -> None:
        group = self._company[k]
        self._company |= {member: (member,) for member in group}  # if this fails, the others go alone
        group = (k, *(member for member in group if member != k))
        ready = {m: self.kinds[m](self.pictures[m], self.target, self.options, observer, self.stop) for m in group}
        ready = {member: session for member, session in ready.items() if ready[k].alike(session)}
        others = tuple(member for member in group if member not in ready)
        self._company |= dict.fromkeys(others, others)
        group = tuple(ready)
        start = time.monotonic()
        while len(ready) > 1 and not _has_memory_for(list(ready.values())):
            ready = {member: ready[member] for member in group[: len(ready) // 2]}
        seconds = (time.monotonic() - start) / len(ready)
        self._company |= {member: part for part in _parted(group[len(ready) :], len(ready)) for member in part}
        self._begun |= set(ready)
        self._ready |= {member: (session, seconds) for member, session in ready.items()}


def _go_together(kind: type[AnySession], options: EncodeOptions) -> bool:
    """Whether fits of a kind can go in lock-step, and gain by it."""
    if kind is GridSession:
        return options.method == "l0" and _runs_in_plain_torch(options)
    return kind is SirenSession and not _unusual(options) and not _races(options)


def _runs_in_plain_torch(options: EncodeOptions) -> bool:
    try:
        return grid_engine(options.engine, device_of(options.device).type) is cast("GridEngine", plain)
    except ValueError:  # there is no such engine here: every encode will say so
        return False


def _has_memory_for(sessions: Sequence[AnySession]) -> bool:
    """Fit in lock-step, if the device can hold that many."""
    try:
        _fit(sessions)
    except torch.cuda.OutOfMemoryError:
        return False
    return True


def _races(options: EncodeOptions) -> bool:
    """Whether several seeds start for every picture."""
    return siren_settings(options).candidates > 1


def _unusual(options: EncodeOptions) -> bool:
    """Whether fits are of a kind that does not go in lock-step."""
    config = siren_settings(options)
    whole = options.method == "coin" or config.quant != "trained"  # one phase: it may end when it likes
    alike = _IN_STEP | _OF_ONE_PHASE if whole else _IN_STEP
    unlike = any(name in SIREN_ONLY - alike for name, _ in options.overrides)
    return options.method not in ("l0", "coin") or unlike


def _groups(pictures: Sequence[Pixels]) -> list[tuple[int, ...]]:
    """Indices of pictures of one shape; those with alpha or metadata stay alone."""
    by_shape: dict[object, list[int]] = {}
    for k, picture in enumerate(pictures):
        header = Header(picture.width, picture.height, picture.channels, picture.depth)
        by_shape.setdefault((header, k) if has_extras(picture) else header, []).append(k)
    return [tuple(same) for same in by_shape.values()]


def _parted(same: Sequence[int], largest: int) -> list[tuple[int, ...]]:
    """Those of one shape, at most so many together."""
    return [tuple(same[at : at + largest]) for at in range(0, len(same), largest)]


def _fit(sessions: Sequence[AnySession]) -> None:
    """Do in lock-step what the sessions would begin with, and the second finishes of those that miss their budget."""
    lead = sessions[0]
    cap = lead.target.cap(lead.header.pixels)
    assert cap is not None
    end = None if lead.options.max_time is None else time.monotonic() + lead.options.max_time * len(sessions)
    lead.warm_up()
    with use_threads(lead.engine, lead.options.threads):
        seeds = _race(lead, sessions, cap)
        members = [session.trainer(cap, seed) for session, seed in zip(sessions, seeds, strict=True)]
        nets = _descend(lead, members, end, lead.fit_share)
        for session, net in zip(sessions, nets, strict=True):
            session.adopt(cap, net)
        alone = [session for session in sessions if isinstance(session, SirenSession)]
        for attempt in range(SECONDS if alone else 0):
            if lead.stopped() or (end is not None and time.monotonic() >= end):
                break
            nets = _finish_again(alone, cap, nets, end, attempt)
    for session in sessions:
        session.stopped()  # so that it knows


def _race(lead: AnySession, sessions: Sequence[AnySession], cap: int) -> list[int]:
    """The seed of every fit; where several start, they race in lock-step too, and each picture has its own winner."""
    starts = [session.starts(cap) for session in sessions]
    if len(starts[0]) == 1:
        return [seeds[0] for seeds in starts]
    standings = []
    for k, heat in enumerate(zip(*starts, strict=True)):
        lead.teller.tell("race", k, len(starts[0]))
        members = [cast("Any", session.trainer(cap, seed)) for session, seed in zip(sessions, heat, strict=True)]
        standings.append(_standings(GridStack(members), lead))
    return [seeds[best] for seeds, best in zip(starts, np.argmin(standings, 0), strict=True)]


def _standings(stack: GridStack, lead: AnySession) -> list[float]:
    """How fits stand after the first steps of all."""
    with contextlib.suppress(Diverged):
        begin(stack, lead.config.race, lead.stopped)
        stack.lane.release()
    return [math.inf if k in stack.failed else member.standing() for k, member in enumerate(stack.members)]


def _finish_again(
    sessions: Sequence[SirenSession], cap: int, nets: Sequence[FittedNet | None], end: float | None, attempt: int
) -> list[FittedNet | None]:
    """Second finishes, in lock-step too; returns the nets that came of them, and None for all others."""
    found = [
        None if net is None else session.second(cap, net, attempt) for session, net in zip(sessions, nets, strict=True)
    ]
    members = [trainer for trainer in found if trainer is not None]
    refined = iter(_descend(sessions[0], members, end, 0.6 / REFINE) if members else [])
    after = [None if trainer is None else next(refined) for trainer in found]
    for session, net, trainer, better in zip(sessions, nets, found, after, strict=True):
        if net is not None and trainer is not None:
            session.adopt_second(net, trainer, better)
    return after


def _descend(lead: AnySession, members: Sequence[Trainer], end: float | None, share: float) -> list[FittedNet | None]:
    """Run fits in lock-step to their end; the lead's observer hears of all."""
    stack: Any = GridStack(cast("Any", members)) if isinstance(lead, GridSession) else Stack(members)
    lead.teller.begin(stack)
    seconds = None if end is None else max(0.1, (end - time.monotonic()) * share)
    try:
        advance(stack, seconds=seconds, observer=lead.teller.watch, stop=lead.stopped)
        return cast("list[FittedNet | None]", stack.fitted())
    except Diverged:
        return [None] * len(members)
