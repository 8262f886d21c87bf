"""Train the priors of grid networks, in half an hour on two cores: ``python -m benchmarks.prior --pictures DIR``.

One set of networks is fitted to many crops at once, each with latents of its own, at a fixed price of a bit (Ladune et
al. 2023 for the loss, Kim et al. 2024, section 3.2, for the relaxed rounding): what is left is what photographs have in
common. Each prior starts from its neighbour's. The pictures must be none that the codec is ever judged by; those
shipped come from CID22. ``--install`` writes the outcome into the package, which makes a new format: priors that files
refer to must never change.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from math import cos, pi
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image

from inrcodec.fit.engine import fused
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.engine import grid_engine
from inrcodec.fit.grid.model import GridNetworks, matrices
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.soap import Soap
from inrcodec.net.prior import PRICES, PRIOR_ARCH

_FIRST = 1
"""The prior that starts at random; the others start from their neighbours."""

SIDE = 256
BATCH = 4
"""Crops to a step of the networks; latents take one for every crop."""
LR = 1e-2
_BANK = 1 << 18
_CONFIG = GridConfig()
"""Latents are fitted as an encode fits them."""


@dataclass
class Crop:
    """A part of a picture with its latents, which outlive their visits."""

    scene: Scene
    latents: torch.nn.Parameter
    adam: torch.optim.Adam


def crops(folder: Path, count: int) -> list[Crop]:
    """Squares from pictures drawn without replacement, the same ones every time."""
    generator = np.random.default_rng(7)
    found = sorted(folder.glob("*.png"))
    chosen = [found[k] for k in generator.permutation(len(found))[:count]]
    engine = grid_engine("auto")
    made = []
    for path in chosen:
        samples = np.asarray(Image.open(path).convert("RGB"))
        top, left = (int(generator.integers(0, side - SIDE + 1)) for side in samples.shape[:2])
        part = torch.from_numpy(samples[top : top + SIDE, left : left + SIDE].copy())
        scene = Scene(part.permute(2, 0, 1).float().div(255).contiguous(), engine)
        latents = torch.nn.Parameter(torch.zeros(PRIOR_ARCH.latents(SIDE, SIDE)))
        adam = torch.optim.Adam([latents], lr=_CONFIG.latent_lr, betas=_CONFIG.latent_betas, fused=True)
        made.append(Crop(scene, latents, adam))
    return made


def train(start: torch.Tensor | None, price: float, made: list[Crop], visits: int) -> torch.Tensor:
    """Networks for a price of a bit.

    Args:
        start: weights to start from, or None.
        price: squared error that a bit a pixel is worth.
        made: what to fit, latents at zero.
        visits: to each crop.
    """
    networks = GridNetworks(PRIOR_ARCH, torch.full((3,), 0.45), seed=3)
    flat = networks.weights
    if start is not None:
        flat.data.copy_(start)
    soap = Soap(flat, matrices(PRIOR_ARCH), torch.ones(flat.numel()), lr=LR)
    generator = np.random.default_rng(5)
    count, pixels = made[0].latents.numel(), SIDE * SIDE
    bank = torch.randn(count + _BANK, generator=torch.Generator().manual_seed(5))
    done, begun = 0, time.monotonic()
    for visit in range(visits):
        part = visit / visits
        temperature, sigma = (first + (last - first) * part for first, last in (_CONFIG.temperature, _CONFIG.sigma))
        figures = []
        for place, k in enumerate(generator.permutation(len(made))):
            crop, at = made[k], int(generator.integers(0, _BANK))
            decay = 0.01 + 0.99 * 0.5 * (1 + cos(pi * done / (visits * len(made))))
            crop.adam.param_groups[0]["lr"] = _CONFIG.latent_lr * decay
            soap.param_groups[0]["lr"] = LR * min(1.0, (done + 1) / 100) * decay
            noise = bank[at : at + count].clone()
            soft = crop.scene.engine.relaxed(crop.latents, _CONFIG.gain, temperature, sigma, noise)
            error = crop.scene.mse(PRIOR_ARCH, flat, soft)
            bits = crop.scene.bits(PRIOR_ARCH, flat, soft) / pixels
            crop.adam.zero_grad()
            (error / price + bits).backward()
            crop.adam.step()
            done += 1
            figures.append((float(error.detach()), float(bits.detach())))
            if place % BATCH == BATCH - 1:
                soap.step()
                soap.zero_grad()
        if visit % 25 == 24 or visit == visits - 1:
            mean = np.mean(figures, axis=0)
            quality = -10 * np.log10(np.array(figures)[:, 0]).mean()
            print(
                f"price {price:g}  visit {visit + 1}/{visits}  {quality:.2f} dB  {mean[1]:.3f} bpp  "
                f"loss {1e4 * (mean[0] + price * mean[1]):.3f}  {time.monotonic() - begun:.0f} s",
                file=sys.stderr,
            )
    return flat.detach().clone()


@click.command(help=__doc__)
@click.option("--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("data/priors"), show_default=True)
@click.option("--count", default=40, show_default=True, help="Crops.")
@click.option("--visits", default=300, show_default=True, help="Steps that each crop's latents take.")
@click.option("--threads", default=1, show_default=True)
@click.option("--only", type=int, multiple=True, help="Train these priors only (0 to 4), after their neighbours.")
@click.option("--install", is_flag=True, help="Write inrcodec/net/priors.npy.")
def main(
    pictures: Path, out: Path, count: int, visits: int, threads: int, only: tuple[int, ...], *, install: bool
) -> None:
    """Train what is not there yet; goes on where it stopped."""
    fused.take_threads(threads)
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    for k in sorted(range(len(PRICES)), key=lambda k: abs(k - _FIRST)):
        path = out / f"{k}.npy"
        if path.exists() or (only and k not in only):
            continue
        near = out / f"{k + (k < _FIRST) - (k > _FIRST)}.npy"
        start = None if k == _FIRST else torch.from_numpy(np.load(near))
        np.save(path, train(start, PRICES[k], crops(pictures, count), visits).numpy())
    if install:
        rows = [np.load(out / f"{k}.npy").astype(np.float16) for k in range(len(PRICES))]
        np.save(Path(__file__).parents[1] / "inrcodec" / "net" / "priors.npy", np.stack(rows))


if __name__ == "__main__":
    main()
