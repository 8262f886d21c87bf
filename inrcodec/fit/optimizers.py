"""The optimisers of a fit: one for the weights, one for what has to do with the price of bits."""

from __future__ import annotations

import torch
from torch import Tensor

from inrcodec.fit.config import SirenConfig
from inrcodec.fit.model import SirenWeights
from inrcodec.fit.muon import Muon
from inrcodec.fit.soap import ScaledAdam, Soap, blocks_of


def optimizers(model: SirenWeights, config: SirenConfig, *, priced: bool) -> list[torch.optim.Optimizer]:
    """One for the weights and, where bits have a price, Adam for steps and gates."""
    lr, betas = config.lr, config.betas
    scale = _rates(model) if config.rates == "scaled" else torch.ones(sum(model.sizes), device=model.weights.device)
    blocks = blocks_of([(outputs, inputs) for inputs, outputs in model.arch.fan()])
    if config.optimizer == "muon":
        weights: torch.optim.Optimizer = Muon(model.weights, blocks, scale, lr=lr, betas=betas)
    elif config.optimizer == "soap":
        weights = Soap(model.weights, blocks, scale, lr=lr, betas=betas, refresh=config.refresh)
    else:
        weights = ScaledAdam(model.weights, scale, lr=lr, betas=betas)
    if not priced:
        return [weights]
    rest: list[dict[str, object]] = [{"params": [model.log_step], "lr": config.step_lr}]
    if model.log_alpha is not None:
        rest.append({"params": [model.log_alpha], "lr": config.gate_lr})
    return [weights, torch.optim.Adam(rest)]


def _rates(model: SirenWeights) -> Tensor:
    """Every weight's learning rate as a multiple of the peak.

    What a layer's frequency multiplies learns in its inverse proportion, so that only the product counts. Past the
    first layer a matrix learns at 1 / inputs, as its sums grow with them; and all learn slower the deeper the net, as a
    change is amplified on its way through the sines.
    """
    inputs = [fan_in for fan_in, _ in model.arch.fan()]
    depth = min(1.5, 7 / model.arch.depth)
    scales = [min(64 / fan_in, 4.0) if k else 1.0 for k, fan_in in enumerate(inputs)]
    usual = 30 / model.arch.w0
    scales = [scale * (usual if k else 30 / model.arch.w0_first) for k, scale in enumerate(scales)]
    by_tensor = torch.tensor([*scales, usual, 1.0]) * depth
    return by_tensor.to(model.weights.device)[model.tensor_of]
