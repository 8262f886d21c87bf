"""``inrcodec compare``: PSNR and MS-SSIM of two pictures, coded or not. Never imports torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from inrcodec.cli.console import Console, verbosity
from inrcodec.cli.help import DailyCommand
from inrcodec.cli.paths import read_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inrcodec.pixels import Pixels


@click.command(cls=DailyCommand)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--json", is_flag=True, help="Print one JSON object.")
@verbosity
@click.pass_obj
def compare(console: Console, /, a: str, b: str, json: bool) -> int:
    """Print PSNR and MS-SSIM of two pictures.

    They have one size; .inr files are decoded first. If both have an alpha, it has a PSNR of its own, and colours
    count where A, the original, is not fully transparent.
    """
    from inrcodec.metrics import MIN_SIDE

    apart = distance(*_pictures(console, a, b), similarity=True)
    decibels, similarity = apart.psnr, apart.ms_ssim
    if json:
        also = {} if apart.alpha is None else {"alpha_psnr": apart.alpha}
        console.json({"a": a, "b": b, "psnr": decibels, "ms_ssim": similarity, **also})
        return 0
    shown = f"not defined (a side is under {MIN_SIDE} pixels)" if math.isnan(similarity) else f"{similarity:.5f}"
    console.data(f"PSNR     {_shown(decibels)}")
    console.data(f"MS-SSIM  {shown}")
    if apart.alpha is not None:
        console.data(f"alpha    {_shown(apart.alpha)}")
    return 0


def _shown(decibels: float) -> str:
    return "inf (equal)" if math.isinf(decibels) else f"{decibels:.3f} dB"


@dataclass(frozen=True)
class Distance:
    """How far a picture is from its original.

    Attributes:
        psnr: of colours, in dB, over the pixels that are not fully transparent in the original.
        ms_ssim: of colours, those of the other pixels taken as equal; NaN where it is not defined or was not asked for.
        alpha: PSNR of the opacities; None unless both pictures have one. Without it colours count everywhere: an alpha
            was dropped, and with it went what can be seen.
    """

    psnr: float
    ms_ssim: float
    alpha: float | None


def distance(original: Pixels, other: Pixels, *, similarity: bool = False) -> Distance:
    """How far a picture is from its original.

    Args:
        original: which says what can be seen.
        other: of the same size.
        similarity: whether MS-SSIM is wanted, which takes longer.

    Raises:
        ImageError: their sizes differ.
    """
    import numpy as np

    from inrcodec.metrics import ms_ssim, psnr
    from inrcodec.pixels import Pixels

    first, second = alike(original, other)
    alpha, visible = None, None
    if original.alpha is not None and other.alpha is not None:
        theirs, ours = Pixels(original.alpha[..., None], original.depth), Pixels(other.alpha[..., None], other.depth)
        alpha, visible = psnr(*alike(theirs, ours)), original.visible
    decibels = psnr(first, second) if visible is None else psnr(first[visible], second[visible])
    if similarity and visible is not None:
        second = np.where(visible[:, :, None], second, first)
    return Distance(decibels, ms_ssim(first, second) if similarity else math.nan, alpha)


def alike(a: Pixels, b: Pixels) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two pictures as arrays of one kind: 16 bits where one has them, RGB where one is.

    Raises:
        ImageError: their sizes differ.
    """
    import numpy as np

    from inrcodec.errors import ImageError

    if (a.width, a.height) != (b.width, b.height):
        raise ImageError(f"the pictures differ in size: {a.width} x {a.height} and {b.width} x {b.height}")
    arrays = [a.array, b.array]
    if a.depth != b.depth:
        arrays = [x.astype(np.uint16) * np.uint16(257) if x.dtype == np.uint8 else x for x in arrays]
    if a.channels != b.channels:
        arrays = [np.repeat(x, 3, axis=2) if x.shape[2] == 1 else x for x in arrays]
    return arrays[0], arrays[1]


def _pictures(console: Console, *names: str) -> list[Pixels]:
    """Pictures of any kind; what does not begin like one of our files is left to Pillow.

    If one of ours is in a colour space of its own, so are the others.
    """
    from inrcodec.decoder import decode_pixels
    from inrcodec.errors import BadMagic
    from inrcodec.image import load_image

    found: list[Pixels | bytes] = []
    for name in names:
        data = read_input(name)
        try:
            found.append(decode_pixels(data))
        except BadMagic:
            found.append(data)
    kept = "none" if all(isinstance(one, bytes) or not one.metadata.icc for one in found) else "icc"
    pictures = []
    for name, one in zip(names, found, strict=True):
        if not isinstance(one, bytes):
            pictures.append(one)
            continue
        loaded = load_image(one if name == "-" else name, metadata=kept)
        for note in loaded.notes:
            console.detail(f"{name}: {note}")
        pictures.append(loaded.pixels)
    return pictures
