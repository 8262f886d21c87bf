"""What an encode with latent grids would do, without doing it."""

from __future__ import annotations

import math

from inrcodec.encoder import EncodeOptions, Plan, Target, tile_side
from inrcodec.fit.config import FitConfig
from inrcodec.fit.decodable import check_decodable
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.sizing import MAX_COARSEST, auto_grid, latent_budget, lean
from inrcodec.fit.grid.tiles import COARSEST, SAMPLE_SIDE, SAMPLES, tile_config, tiling
from inrcodec.fit.settings import grid_settings
from inrcodec.format.container import Header
from inrcodec.net.grid import GridArch

_ANCHOR, _SLOPE = 28.5, 4.0
"""PSNR of a typical picture at 0.15 bpp, and dB for every factor e of rate."""


def guess(header: Header, psnr: float) -> int:
    """Bytes that a typical picture takes to reach a PSNR."""
    bpp = 0.15 * math.exp((psnr - _ANCHOR) / _SLOPE)
    return max(120, round(min(bpp, 8.0) * header.pixels / 8))


def plan_grid(header: Header, target: Target, options: EncodeOptions) -> Plan:
    """See :func:`inrcodec.encoder.plan`."""
    cap = target.cap(header.pixels)
    coarse = not options.scalable and lean(header.pixels, cap)
    config = grid_settings(options, header.pixels, coarse=coarse)
    expected = cap if cap is not None else guess(header, target.value if target.kind == "psnr" else _ANCHOR)
    side = tile_side(options, header.pixels)
    alone = not side and not options.scalable  # others start at a prior
    deepest = COARSEST if side else MAX_COARSEST
    usual = auto_grid(header, expected, deepest=deepest, coarse=coarse)
    budget = latent_budget(header, usual, expected)
    narrow = alone and config.narrowed(budget)
    arch = auto_grid(header, expected, deepest=deepest, coarse=coarse, narrow=narrow)
    check_decodable(header, arch, expected)
    seconds = tiled_seconds(arch, config, header, side) if side else expected_seconds(arch, config, header)
    if alone and config.candidates > 1 and config.at_random(budget):
        seconds *= 1 + (config.candidates - 1) * config.race / config.steps  # seeds race, and one of them goes on
    if options.scalable:  # the base, and a layer up to every other rung and to the end
        seconds *= 1 + config.stage * len(config.rungs)
    seconds *= 1 if cap is not None else 3
    if options.max_time is not None:
        seconds = min(seconds, options.max_time)
    return Plan(str(arch), arch.params, config.steps, cap, seconds, options.method)


def expected_seconds(arch: GridArch, config: FitConfig, header: Header) -> float:
    """Rough wall time of a fit and its landing on two ordinary cores, in seconds."""
    latents = arch.latents(header.width, header.height)
    step = 2e-3 + 3.5e-8 * latents + 6e-8 * header.pixels
    return 2.0 + (config.steps + 30 * config.landing) * step


def tiled_seconds(arch: GridArch, config: GridConfig, header: Header, side: int) -> float:
    """The same of a fit in tiles of a side."""
    most = SAMPLES * SAMPLE_SIDE
    sampled = Header(min(header.width, most), min(header.height, most))
    tiles = tiling(header.width, header.height, side, 1 << arch.coarsest)
    shorter = tile_config(config)
    seen = [Header(tile.seen.right - tile.seen.left, tile.seen.bottom - tile.seen.top) for tile in tiles]
    samples = expected_seconds(arch, config, sampled) + expected_seconds(arch, shorter, sampled)  # and a rehearsal
    return samples + sum(expected_seconds(arch, shorter, part) for part in seen)
