"""Fits of grids in lock-step: one set of operations for pictures of one shape, where one alone leaves a GPU idle.

Weights, gates and latents of all are rows of one parameter each. The members stay ordinary fits
(:class:`inrcodec.fit.grid.descent.GridDescent`) whose parameters are views of those rows; what optimisers know of them
is taken over when a lane is made, and given back by :meth:`Lane.release`, so a member can go on alone, or in another
lane, from wherever it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from inrcodec.fit.gated import hard_levels
from inrcodec.fit.grid import plain
from inrcodec.fit.grid.course import Course, goal
from inrcodec.fit.grid.descent import GridDescent
from inrcodec.fit.grid.model import NetworksStack
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.rate import CostCurve
from inrcodec.fit.rows import tied
from inrcodec.fit.train import appraise

_SAME = ("arch", "config", "time", "pressed", "settled", "finishing")
"""What members have in common."""


class Lane(Course):
    """Fits in lock-step, all at one point of the schedule; each has its own networks, latents, noise, budget and price.

    Nothing here waits for the device but a measurement.

    Args:
        members: fits of pictures of one shape by the engine of plain torch; budgets, seeds and priors may differ.

    Raises:
        ValueError: they do not go together.
    """

    networks: NetworksStack

    def __init__(self, members: Sequence[GridDescent]) -> None:
        first = members[0]
        for name in _SAME:
            if any(getattr(member, name) != getattr(first, name) for member in members):
                raise ValueError(f"fits in lock-step have the same {name}")
        if any(member.progress != first.progress for member in members):
            raise ValueError("fits in lock-step are at the same point")
        if any(type(member.scene) is not Scene or member.scene.engine is not plain for member in members):
            raise ValueError("fits of grids go in lock-step in plain torch, and see one layer of latents each")
        self.members = tuple(members)
        self.arch, self.config, self.weighing = first.arch, first.config, first.weighing
        self.done, self.held = first.done, first.held
        self.time, self.waited = first.time, first.waited
        self.pressed, self.settled, self.finishing = first.pressed, first.settled, first.finishing
        self.scene = replace(first.scene, samples=torch.stack([m.scene.samples for m in members]), yardstick=None)
        self.networks = NetworksStack([member.networks for member in members])
        self.latents = tied([member.latents for member in members])
        settled = [member.rounded for member in members if member.rounded is not None]
        self.rounded = torch.stack(settled) if settled else None
        resting = [member.resting for member in members if member.resting is not None]
        self.resting = torch.stack(resting) if resting else None
        curves = [member.curve.rows() for member in members if member.curve is not None]
        self.curve = CostCurve(*(torch.stack(rows) for rows in zip(*curves, strict=True))) if curves else None
        self.budgets, self.rooms, self.references, self.weight_bits, self.error = self._numbers(
            [(m.budget, m.room, m.reference, m.weight_bits, m.mse) for m in members]
        )
        self.drive(1.0, len(members))
        self.problem.price.weight.data.copy_(torch.cat([member.problem.price.weight.data for member in members]))
        for optimizer, states in zip(self._all_optimizers(), self._states(), strict=True):
            known = [state for state in states if state]
            if len(known) == len(members):
                joined = _joined(known)  # a price is one number of (1,), and those of all are (members,)
                optimizer.state[_only(optimizer)] = _shaped(joined, -1) if optimizer is self.dual else joined
        self.latents.requires_grad_(self.rounded is None)

    def _numbers(self, rows: Sequence[Sequence[float]]) -> tuple[Tensor, ...]:
        """Columns of numbers of every member, on the device in one transfer."""
        return torch.tensor(rows, dtype=self.latents.dtype).T.contiguous().to(self.latents.device).unbind()

    def _all_optimizers(self) -> list[torch.optim.Optimizer]:
        return [*self.primals, self.dual]

    def _states(self) -> list[list[dict[str, Any]]]:
        """What the members' own optimisers know: those of each of ours."""
        own = [[*member.primals[: len(self.primals)], member.dual] for member in self.members]
        return [[optimizer.state[_only(optimizer)] for optimizer in same] for same in zip(*own, strict=True)]

    def mobility(self) -> Tensor:
        """What the learning rate of each weight is multiplied with, ``(members, weights)``."""
        return torch.stack([member.mobility() for member in self.members])

    def noise(self) -> Tensor:
        """Every member's own noise, as it would be alone."""
        return torch.stack([member.stretch() for member in self.members])

    @property
    def due(self) -> bool:
        """Whether the next step measures bits."""
        return self.done % self.config.measure == 0 or any(math.isnan(m.weight_bits) for m in self.members)

    def step(self) -> None:
        """One optimiser step."""
        super().step()
        for member in self.members:
            member.done += 1

    def _strict(self) -> Tensor | None:
        if not self.due:
            return None
        self.measure()
        if self.lenient:
            return None
        violations = [member.bits / member.goal - 1 for member in self.members]
        if self.repricing:
            return self._reprice(torch.tensor(violations))
        pairs = zip(self.members, violations, strict=True)
        return torch.tensor([member.eagerness * self.weighed(violation) for member, violation in pairs])

    def measure(self) -> None:
        """Bits of everything rounded for real, told to every member; also refits the laws of the weights."""
        found = [appraise(self.arch, levels) for levels in hard_levels(self.networks)]
        self.curve = CostCurve.of_several([laws for laws, _ in found], self.latents.device)
        with torch.no_grad():
            of_latents = self.latent_bits().cpu().tolist()
        for member, (_, bits), latent_bits in zip(self.members, found, of_latents, strict=True):
            member.weight_bits = member.networks_bits(bits)
            member.bits = latent_bits + member.weight_bits
        (self.weight_bits,) = self._numbers([(member.weight_bits,) for member in self.members])

    def _cmp_state(self, strict: Tensor | float | None) -> dict[str, object]:
        bits, mse = self._figures(self.weight_bits)
        self.error = mse.detach()
        aims = goal(self.budgets, self.rooms, self.config, 1.0 - self.soft_progress)
        return {"log_mse": (mse / self.references).sum(), "violation": (bits - aims) / self.budgets, "strict": strict}

    def lost(self) -> list[GridDescent]:
        """Members that blew up. It waits for the device, so it is for steps that measure."""
        with torch.no_grad():
            sound = torch.isfinite(self.error) & torch.isfinite(self.networks.levels()).all(-1)
        return [member for member, is_sound in zip(self.members, sound.cpu().tolist(), strict=True) if not is_sound]

    def sync(self) -> None:
        """Let every member know its error and its price. It waits for the device."""
        prices = self.problem.price.weight.data
        for k, (member, error) in enumerate(zip(self.members, self.error.cpu().tolist(), strict=True)):
            member.mse = error
            member.problem.price.weight.data.copy_(prices[k : k + 1])

    def release(self) -> None:
        """Hand everything back to the members; the lane has done its work."""
        self.sync()
        for optimizer, states in zip(self._all_optimizers(), self._states(), strict=True):
            whole = optimizer.state[_only(optimizer)]
            whole = _shaped(whole, -1, 1) if optimizer is self.dual else whole
            for k, state in enumerate(states):
                state.update({key: _row(value, k) for key, value in whole.items()})
        for k, member in enumerate(self.members):
            if self.resting is not None:
                member.resting = self.resting[k].clone()
            if self.curve is not None:
                member.curve = CostCurve(*(row[k].clone() for row in self.curve.rows()))


def _only(optimizer: torch.optim.Optimizer) -> Tensor:
    """The one parameter of an optimiser."""
    ((parameter,),) = (group["params"] for group in optimizer.param_groups)
    return parameter  # type: ignore[no-any-return]


def _joined(states: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What an optimiser knows of several parameters as what it would know of their stack."""
    return {key: _stacked([state[key] for state in states]) for key in states[0]}


def _shaped(state: dict[str, Any], *shape: int) -> dict[str, Any]:
    """The same with its tensors in another shape, but for counts of steps."""
    return {
        key: value.reshape(shape) if isinstance(value, Tensor) and value.ndim else value for key, value in state.items()
    }


def _stacked(values: Sequence[Any]) -> Any:
    """Tensors one on top of the other, also in lists. Counts of steps are one for all, the first's.

    They differ only where some of the fits were held at the end of the soft phase, too late to make a difference.
    """
    first = values[0]
    if isinstance(first, list):
        return [_stacked(part) for part in zip(*values, strict=True)]
    if not isinstance(first, Tensor):
        return first
    return torch.stack(list(values)) if first.ndim else first.clone()


def _row(value: Any, k: int) -> Any:
    """The inverse of :func:`_stacked`, for one of them."""
    if isinstance(value, list):
        return [_row(part, k) for part in value]
    if not isinstance(value, Tensor):
        return value
    return value[k].clone() if value.ndim else value.clone()
