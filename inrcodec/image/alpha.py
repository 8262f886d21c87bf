"""Opacity: kept, dropped with a remark, or composited over a colour."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

import numpy as np

from inrcodec.image.samples import Samples
from inrcodec.pixels import Pixels

Colour = tuple[int, int, int]
Keep = Literal["keep"]


def parse_alpha(text: str) -> Colour | Keep | None:
    """Read the choice: ``"keep"``; ``"drop"`` -> None; ``"#rrggbb"`` -> its three 8-bit levels.

    Raises:
        ValueError: none of the three.
    """
    if text == "keep":
        return "keep"
    if text == "drop":
        return None
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise ValueError(f"alpha is 'keep', 'drop' or a colour like #ffffff, not {text!r}")
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def flatten(samples: Samples, background: Colour | Keep | None) -> tuple[Samples, list[str]]:
    """Do with the opacity what was chosen.

    Args:
        samples: gray or RGB samples with an opacity, or without.
        background: the colour to composite over, 8 bits a level; None keeps the colours as they are and forgets the
            opacity; "keep" forgets it where every pixel is opaque only.

    Returns:
        The samples, opaque unless the opacity is kept (gray over a colour that is not gray becomes RGB), and a remark
        where it was lost and a pixel was not opaque.
    """
    alpha = samples.alpha
    if alpha is None:
        return samples, []
    peak = (1 << samples.depth) - 1
    opaque = replace(samples, alpha=None)
    if (alpha == peak).all():
        return opaque, []
    if background == "keep":
        return samples, []
    if background is None:
        return opaque, ["alpha channel dropped (--alpha keep keeps it, --alpha '#ffffff' composites over white)"]
    levels = background[:1] if samples.array.shape[2] == 1 and len(set(background)) == 1 else background
    under = np.asarray(levels, dtype=np.int64) * (peak // 255)
    weight = alpha.astype(np.int64)
    blended = (samples.array.astype(np.int64) * weight + under * (peak - weight) + peak // 2) // peak
    text = "#" + "".join(f"{level:02x}" for level in background)
    return Samples(blended.astype(samples.array.dtype), samples.depth), [f"alpha composited over {text}"]


def with_alpha(pixels: Pixels, text: str) -> Pixels:
    """A picture with its opacity treated as a choice says, in silence.

    Raises:
        ValueError: the choice is none of those of `parse_alpha`.
    """
    choice = parse_alpha(text)
    if pixels.alpha is None:
        return pixels
    samples, _ = flatten(Samples(pixels.array, pixels.depth, pixels.alpha[:, :, None]), choice)
    return replace(pixels, array=samples.array, alpha=None if samples.alpha is None else pixels.alpha)
