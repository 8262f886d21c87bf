"""``inrcodec compare``: PSNR and MS-SSIM of two pictures, coded or not. Never imports torch."""

from __future__ import annotations

import math
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

    They have one size; .inr files are decoded first.
    """
    from inrcodec.metrics import MIN_SIDE, ms_ssim, psnr

    first, second = alike(_pixels(console, a), _pixels(console, b))
    decibels, similarity = psnr(first, second), ms_ssim(first, second)
    if json:
        console.json({"a": a, "b": b, "psnr": decibels, "ms_ssim": similarity})
        return 0
    shown = f"not defined (a side is under {MIN_SIDE} pixels)" if math.isnan(similarity) else f"{similarity:.5f}"
    console.data(f"PSNR     {'inf (equal)' if math.isinf(decibels) else f'{decibels:.3f} dB'}")
    console.data(f"MS-SSIM  {shown}")
    return 0


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


def _pixels(console: Console, name: str) -> Pixels:
    """A picture of any kind; what does not begin like one of our files is left to Pillow."""
    from inrcodec.decoder import decode_pixels
    from inrcodec.errors import BadMagic
    from inrcodec.image import load_image

    data = read_input(name)
    try:
        return decode_pixels(data)
    except BadMagic:
        pass
    loaded = load_image(data if name == "-" else name)
    for note in loaded.notes:
        console.detail(f"{name}: {note}")
    return loaded.pixels
