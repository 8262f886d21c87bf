"""``inrcodec verify``: is this file whole, and how close is it to its original? Never imports torch."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import click

from inrcodec.cli.batch import Batch, Outcome
from inrcodec.cli.compare import alike, distance
from inrcodec.cli.console import Console, verbosity
from inrcodec.cli.help import DailyCommand, Rare
from inrcodec.cli.limits import limits_of, raised_limits
from inrcodec.cli.paths import read_input

if TYPE_CHECKING:
    from collections.abc import Callable

    from inrcodec.limits import Limits
    from inrcodec.pixels import Pixels


@click.command(cls=DailyCommand)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--against", metavar="ORIGINAL", help="Also print the PSNR against this picture.")
@click.option("--max-pixels", cls=Rare, type=click.IntRange(1), metavar="N", help="Refuse pictures of more pixels.")
@raised_limits
@verbosity
@click.pass_obj
def verify(
    console: Console, /, files: tuple[str, ...], against: str | None, max_pixels: int | None, max_work: int | None,
    max_params: int | None, max_latents: int | None,
) -> int:  # fmt: skip
    """Check that coded files are whole.

    Parses everything, compares the checksum and decodes; prints a line for each file that is fine. PSNR is of colours
    that can be seen in the original.
    """
    original = None if against is None else _original(against)
    limits = limits_of(max_pixels, max_work, max_params, max_latents)
    return Batch(console).run(files, lambda name: name, lambda name: _verify_one(console, name, original, limits), ())


def _original(name: str) -> Callable[[str], Pixels]:
    """The original, its colours in sRGB (``none``) or as they are in the space of its profile (``icc``).

    Raises:
        ImageError: it cannot be read; said once, before any file is looked at.
    """
    from inrcodec.image import load_image

    @cache
    def colours(kept: str) -> Pixels:
        return load_image(name, metadata=kept).pixels

    colours("none")
    return colours


def _verify_one(console: Console, name: str, original: Callable[[str], Pixels] | None, limits: Limits) -> Outcome:
    from inrcodec.decoder import decode_pixels, probe

    data = read_input(name)
    about = probe(data, limits)
    pixels = decode_pixels(data, limits=limits)
    text = f"{name}: ok, {about.width} x {about.height}, {about.bytes:,} bytes, {about.bpp:.4f} bpp"
    if original is not None:
        shown = original("icc" if pixels.metadata.icc else "none")
        alike(pixels, shown)  # a complaint names this file first
        apart = distance(shown, pixels)
        text += f", {apart.psnr:.2f} dB"
        text += f", alpha {apart.alpha:.2f} dB" if apart.alpha is not None else ""
    console.data(text)
    return Outcome(name)
