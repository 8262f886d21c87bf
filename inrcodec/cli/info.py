"""``inrcodec info``: what is in a file, byte for byte. Never decodes pixels, never imports torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from inrcodec.cli.batch import Batch, Outcome
from inrcodec.cli.console import Console, table, verbosity
from inrcodec.cli.help import DailyCommand
from inrcodec.cli.paths import read_input

if TYPE_CHECKING:
    from inrcodec.decoder import Account, Info, TensorInfo

_METHODS = {"entropy": "entropy-coded", "brotli": "under brotli", "dense16": "16 bits a weight"}


@click.command(cls=DailyCommand)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", is_flag=True, help="Print one JSON object per file.")
@verbosity
@click.pass_obj
def info(console: Console, /, files: tuple[str, ...], json: bool) -> int:
    """Show what is in coded files.

    The sections add up to the file size; -v also shows what each tensor of the network costs (and of that of the alpha,
    if it has one), and the size that the papers would state, which leave a part of it out.
    """
    batch = Batch(console, json)
    return batch.run(files, lambda name: name, lambda name: _info_one(console, name, json), ())


def _info_one(console: Console, name: str, json: bool) -> Outcome:
    from inrcodec.decoder import accounts, alpha_anatomy, anatomy, probe
    from inrcodec.limits import Limits

    data = read_input(name)
    # Describing costs nothing, whatever a file asks for; entropy-decoding it for -v does, and minds the limits.
    about = probe(data, Limits(max_side=1 << 35, max_pixels=1 << 70, max_params=1 << 40))
    tensors = anatomy(data) if console.verbose else ()
    opacity = alpha_anatomy(data) if console.verbose else ()
    counts = accounts(about, tensors) if console.verbose else ()
    if json:
        record = {"input": name, **about.as_dict()}
        if tensors:
            record["tensors"] = [vars(tensor) for tensor in tensors]
            if opacity:
                record["alpha_tensors"] = [vars(tensor) for tensor in opacity]
            record["accounts"] = [vars(account) for account in counts]
        console.json(record)
    else:
        tensors += tuple(replace(tensor, name=f"alpha {tensor.name}") for tensor in opacity)
        lines = [name, *_describe(about), *(_describe_tensors(tensors) if tensors else [])]
        console.data("\n".join([*lines, *_describe_accounts(counts, about)]))
    return Outcome(name)


def _describe(about: Info) -> list[str]:
    """The picture, the file, the network, and the sections with their sum."""
    kind = "gray" if about.channels == 1 else "RGB"
    kind += f" and alpha ({about.alpha})" if about.alpha else ""
    kept = ", ".join(f"{name} {size:,} bytes" for name, size in about.metadata.items())
    rows = [("section", "offset", "bytes", "share")]
    rows += [(s.name, f"{s.offset:,}", f"{s.bytes:,}", f"{100 * s.bytes / about.bytes:.1f} %") for s in about.sections]
    rows.append(("total", "", f"{sum(section.bytes for section in about.sections):,}", ""))
    return [
        f"  picture  {about.width} x {about.height}, {kind}, {about.depth} bits a sample",
        f"  file     {about.bytes:,} bytes, {about.bpp:.4f} bpp, format version {about.version}",
        *([f"  metadata {kept}, before compression"] if kept else []),
        f"  network  {about.arch}, {about.params:,} weights, {_METHODS.get(about.method, about.method)}",
        *("  " + line for line in table(rows).splitlines()),
    ]


def _describe_tensors(tensors: tuple[TensorInfo, ...]) -> list[str]:
    """Where the weights' bits went, tensor by tensor."""
    rows = [("tensor", "shape", "kept", "of", "bits", "bits a weight", "step")]
    for t in tensors:
        shape = " x ".join(str(side) for side in t.shape)
        cells = (f"{t.kept:,}", f"{t.total:,}", f"{t.bits:,.0f}", f"{t.bits / max(t.total, 1):.2f}", f"{t.step:.3g}")
        rows.append((t.name, shape, *cells))
    return ["  " + line for line in table(rows, left=2).splitlines()]


def _describe_accounts(accounts: tuple[Account, ...], about: Info) -> list[str]:
    """The size as the papers count it, beside that of the file."""
    if not accounts:
        return []
    pixels = about.width * about.height
    rows = [("as counted by", "", "bytes", "bpp")]
    rows += [(a.paper, a.counts, f"{a.bits / 8:,.0f}", f"{a.bits / pixels:.4f}") for a in accounts]
    rows.append(("this file", "every byte", f"{about.bytes:,}", f"{about.bpp:.4f}"))
    return ["  " + line for line in table(rows, left=2).splitlines()]
