"""Gated weights of several nets as rows of one set of parameters, so that one operation serves them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from inrcodec.fit.gated import GatedWeights


def tied(rows: Sequence[nn.Parameter]) -> nn.Parameter:
    """One parameter made of several, which become views of it: a change of either is a change of both."""
    whole = nn.Parameter(torch.stack([row.detach() for row in rows]))
    for row, part in zip(rows, whole.detach(), strict=True):
        row.data = part
    return whole


class TiedWeights(GatedWeights):
    """Weights of nets of one shape, tied together; each draws its noise from its own generator, as it would alone.

    Attributes:
        nets: whose rows they are.
    """

    nets: tuple[GatedWeights, ...]

    def tie(self, nets: Sequence[GatedWeights]) -> None:
        """Make these nets' weights, steps and gates rows of one parameter each.

        Args:
            nets: of one architecture and kind of gates.
        """
        self.nets = tuple(nets)
        self.gate_kind = nets[0].gate_kind
        self.tensor_of = nets[0].tensor_of
        self.weights = tied([net.weights for net in nets])
        self.log_step = tied([net.log_step for net in nets])
        gates = [net.log_alpha for net in nets if net.log_alpha is not None]
        self.log_alpha = tied(gates) if gates else None
        self.gather_masks()

    def gather_masks(self) -> None:
        """Take up what the nets' gates left when they were purged."""
        masks = [torch.ones_like(net.weights) if net.mask is None else net.mask for net in self.nets]
        self.mask = torch.stack(masks) if any(net.mask is not None for net in self.nets) else None

    def draw(self, source: Callable[..., Tensor]) -> Tensor:
        """Random numbers of every net's own generator."""
        return torch.stack([net.draw(source) for net in self.nets])
