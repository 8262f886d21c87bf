"""Every number of a fit, from what an encode is asked for. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields, replace

from inrcodec.encoder import EncodeOptions, Target
from inrcodec.fit.config import FitConfig, SirenConfig
from inrcodec.fit.effort import effort_config
from inrcodec.fit.grid.config import GridConfig, grid_effort
from inrcodec.fit.methods import method
from inrcodec.recipes import OPTIONS, Recipe, as_text


def siren_settings(options: EncodeOptions) -> SirenConfig:
    """Settings of the fit of a network alone: those of the effort, of the method, of the user.

    Raises:
        ValueError: there is no such method or setting.
    """
    own = replace(effort_config(options.effort), **method(options.method).settings)  # type: ignore[arg-type]
    return own.override(options.overrides)


def grid_settings(options: EncodeOptions, pixels: int, *, coarse: bool = False) -> GridConfig:
    """Settings of the fit of latent grids to a picture of so many pixels: those of the effort, of the user.

    Args:
        options: of the encode.
        pixels: of the picture.
        coarse: whether it goes without the finest grid.

    Raises:
        ValueError: there is no such setting.
    """
    config = grid_effort(options.effort, pixels, coarse=coarse)
    if options.max_time is not None:  # nobody knows how far the fit will come
        config = replace(config, scratch=math.inf)
    return config.override(options.overrides)


def check_overrides(overrides: Iterable[tuple[str, str]]) -> None:
    """See whether settings exist, of a network alone or of latent grids, and have the right kind.

    Raises:
        ValueError: one does not.
    """
    alone = {f.name for f in fields(SirenConfig)}
    for pair in overrides:
        (SirenConfig() if pair[0] in alone else GridConfig()).override([pair])


def resolved(recipe: Recipe, target: Target, options: EncodeOptions, config: FitConfig) -> Recipe:
    """The recipe that says all of what an encode was done with, every default spelled out.

    Args:
        recipe: what it began with.
        target: what was asked for.
        options: what a recipe became with the user's own.
        config: settings of the fit; see :class:`inrcodec.encoder.Encoded`.
    """
    used = {name: getattr(options, name) for name in OPTIONS if getattr(options, name) is not None}
    settings = tuple((f.name, as_text(getattr(config, f.name))) for f in fields(config))
    asked = f"{recipe.source}; used for {target.value:g} {target.kind}"
    return replace(recipe, source=asked, options=used, settings=settings, targets=())
