"""Bits taken back from latents that have settled, where a fit ends over its budget.

At the end of a fit learning rates are next to nothing and rounding is as good as hard, so that latents do not obey a
price any more; and moves of a landing, one latent at a time, cost their neighbours more than they save (kodim23 at 0.15
bpp after 600 steps, 3 % over: two decibels). A few steps with the networks at rest, at a rate and with a rounding of
the last fifth of a fit, give back what a dearer price asks for; what they give back too much the landing spends well.
"""

from __future__ import annotations

import torch
from torch import Tensor

from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.scene import Scene
from inrcodec.net.grid import GridArch

STEPS = 72
"""Of a round. A third as many, of three times the rate and with a rounding as soft as in the middle of a fit, give bits
back as well, but where there are many of them at four times the price: a crop of kodim23 at 2 bpp, 2 % over, came to
41.64 dB, and to 42.04 so; it had 42.17, and 2 % were worth 0.12.
"""

_RATE = 0.1
"""Learning rate of latents in the first step, as a multiple of their peak's; it falls to nothing."""

_TEMPERATURE = 0.11
"""Of the soft-round: that of the last fifth of a fit."""


def squeeze(
    scene: Scene,
    arch: GridArch,
    flat: Tensor,
    latents: Tensor,
    noise: Tensor,
    config: GridConfig,
    price: float,
    force: float = 1.0,
) -> None:
    """Move latents to where they would be at a dearer price.

    Args:
        scene: the picture.
        arch: the architecture.
        flat: weights, ``(params,)``.
        latents: in their own unit, ``(latents,)``; changed in place.
        noise: of unit spread, ``(latents,)``.
        config: settings of the fit.
        price: mean squared error that a bit is worth.
        force: 0 to 1, how far rate and rounding are from those of the end of the fit. Networks that were fitted to cold
            rounding may be at a loss with a warm one, and more bits be the outcome.
    """
    cold = config.temperature[1]
    temperature = cold + max(0.0, _TEMPERATURE - cold) * force
    adam = torch.optim.Adam([latents], lr=config.latent_lr, betas=config.latent_betas)
    for step in range(STEPS):
        adam.param_groups[0]["lr"] = config.latent_lr * _RATE * force * (1 - step / STEPS)
        soft = scene.engine.relaxed(latents, config.gain, temperature, config.sigma[1], noise.roll(step))
        loss = scene.mse(arch, flat, soft) + price * scene.bits(arch, flat, soft)
        latents.grad = torch.autograd.grad(loss / price, latents)[0]  # not smaller than what Adam adds to its roots
        adam.step()
