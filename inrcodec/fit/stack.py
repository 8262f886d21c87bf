"""Several pictures fitted in lock-step: one set of operations for all, where a small net alone leaves a GPU idle.

Weights, steps and gates of all nets are rows of three parameters. The members stay ordinary fits whose parameters are
views of those rows: whatever happens rarely (where steps are allocated, gates purged, weights handed on) they do
themselves, in the stack's memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from inrcodec.coding.law import Law
from inrcodec.fit.descent import Descent, Diverged, Pulse
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.gated import hard_levels
from inrcodec.fit.model import SirenWeights, SparseSiren
from inrcodec.fit.rate import CostCurve
from inrcodec.fit.rows import TiedWeights
from inrcodec.fit.soap import Soap
from inrcodec.fit.train import Trainer, appraise


class SirenStack(TiedWeights, SirenWeights):
    """Nets of one shape, tied together.

    Args:
        nets: of one architecture, kind of gates and engine.
    """

    def __init__(self, nets: Sequence[SparseSiren]) -> None:
        super().__init__(nets[0].arch, nets[0].engine)
        self.tie(nets)

    def mse(self, coords: Tensor, flat: Tensor, samples: Tensor) -> Tensor:
        """Mean squared error of every net against its own samples, ``(nets,)``."""
        return self.engine.mse_stack(self.layers, self.inputs(coords), flat, samples)


class Stack(Descent):
    """Fits in lock-step. One that diverges goes on as numbers that concern nobody, and hands on no net.

    Where the error decides on the learning rate each has its own, and one that stops early waits for the others.

    Args:
        members: fits at the same step, of pictures of one shape, with the same network, settings, budget and seed.

    Raises:
        ValueError: they differ, or would enter phases at times of their own.
    """

    model: SirenStack

    def __init__(self, members: Sequence[Trainer]) -> None:
        first = members[0]
        for name in ("arch", "config", "budget", "seed", "done", "time", "pruned", "pressed", "finishing"):
            if len({getattr(member, name) for member in members}) > 1:
                raise ValueError(f"fits in lock-step have the same {name}")
        canvas = replace(first.canvas, samples=torch.stack([member.canvas.samples for member in members]))
        super().__init__(canvas, SirenStack([m.model for m in members]), first.config, first.budget, first.seed)
        self.members, self.failed = tuple(members), set[int]()
        if self.pace.watches and self.budget is not None:
            raise ValueError("fits whose errors decide how long they take have no phases in common")
        self._scale = self._of_weights.scale
        self.done, self.time, self.pruned, self.pressed = first.done, first.time, first.pruned, first.pressed
        self.error = torch.stack([member.error for member in members])
        self.problem.price.weight.data.copy_(torch.cat([member.problem.price.weight.data for member in members]))
        if first.finishing:
            self._freeze()

    @property
    def _of_weights(self) -> Soap:
        """The optimiser of the weights."""
        return cast("Soap", self.primals[0])

    def look(self, end: int) -> None:
        """Let every picture's error decide how its own fit goes on."""
        paces = [member.pace for member in self.members]
        for pace, error in zip(paces, self.error.cpu().tolist(), strict=True):
            if not pace.skipped:
                pace.look(error, self.done, end)
        self.pace.skipped = min(pace.skipped for pace in paces)
        common = self.pace.rate(self.progress)
        rates = torch.tensor([0.0 if pace.skipped else pace.rate(self.progress) / common for pace in paces])
        self._of_weights.scale = self._scale * rates.to(self._scale)[:, None]

    def begin_prune(self) -> None:
        """Keep every picture's largest weights only."""
        self._each(Trainer.begin_prune)
        self.model.gather_masks()
        self.pruned = True

    def begin_press(self) -> None:
        """Open the gates to pruning and put a price on bits, picture by picture."""
        self._each(Trainer.begin_press)
        self.pressed = True

    def begin_finish(self) -> None:
        """Purge gates and settle steps, picture by picture; from here rounding is hard."""
        self._each(Trainer.begin_finish)
        self.model.gather_masks()
        self._freeze()

    def check(self) -> None:
        """Set aside fits whose weights are worse than none.

        Raises:
            Diverged: no fit is left.
        """
        self._each(Trainer.check)

    def measure(self) -> Tensor:
        """Refit every picture's laws to its weights rounded for real; returns (and remembers) the bits."""
        levels = hard_levels(self.model)
        lost = ~np.isfinite(levels).all(1)
        for k in np.flatnonzero(lost):
            self._fail(int(k))
        levels[lost] = 0
        laws: list[list[Law]] = []
        for member, row in zip(self.members, levels, strict=True):
            found, bits = appraise(self.arch, row)
            member.bits = sum(bits)
            laws.append(found)
        self.curve = CostCurve.of_several(laws, self.device)
        return torch.tensor([member.bits for member in self.members], dtype=torch.float64)

    def pulse(self) -> Pulse:
        """How the fits stand on average (in dB). It waits for the device, so do not ask at every step."""
        live = [k for k in range(len(self.members)) if k not in self.failed]
        mse = math.exp(self.error.cpu()[live].clamp(min=1e-12).log().nanmean())
        bits = sum(self.members[k].bits for k in live) / len(live)
        return Pulse(self.done, self.config.steps, mse, bits, self.problem.multiplier)

    def fitted(self) -> list[FittedNet | None]:
        """Hand on every picture's weights as they are; None where the fit diverged.

        Raises:
            Diverged: no fit is left.
        """
        self.conclude()
        nets: list[FittedNet | None] = [None] * len(self.members)

        def keep(member: Trainer) -> None:
            nets[self.members.index(member)] = member.fitted()

        self._each(keep)
        return nets

    def _each(self, action: Callable[[Trainer], None]) -> None:
        """Do something rare with every fit that is sound.

        Raises:
            Diverged: none is, any more.
        """
        for k, member in enumerate(self.members):
            if k in self.failed:
                continue
            member.done, member.time, member.error = self.done, self.time, self.error[k]
            member.problem.price.weight.data.copy_(self.problem.price.weight.data[k : k + 1])
            try:
                action(member)
            except Diverged:
                self._fail(k)

    def _fail(self, k: int) -> None:
        """Set a fit aside.

        Raises:
            Diverged: it was the last one.
        """
        self.failed.add(k)
        if len(self.failed) == len(self.members):
            raise Diverged("every fit of the stack diverged")
