"""What each part of the modulated SIREN is worth: one thing changed at a time, at equal bytes.

    python -m benchmarks.ablation data/kodak/kodim{05,15,20,23}.png --out benchmarks/results/ablation.tsv

Every row is a whole encode, the PSNR that of the decoded file. Variants of the networks' shapes are fitted from
scratch, as priors exist for one shape only, and compare with the usual shape from scratch; the others with the default.
All take the steps of the default, which are more where it goes without the grid of full size.
"Fixed length" gives every weight the bits that its tensor's range takes, and latents what is then left of the cap.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks import resumable
from benchmarks.summary import rows as rows_of
from inrcodec.coding.symbols import Symbols
from inrcodec.encoder import Encoded, EncodeOptions, Target
from inrcodec.fit.grid.session import GridSession
from inrcodec.format.stream import unpack
from inrcodec.image import load_image
from inrcodec.net.grid import GridArch
from inrcodec.pixels import Pixels

COLUMNS = ("variant", "picture", "target_bpp", "bytes", "psnr", "weight_bits", "kept", "weights", "steps", "seconds")

DEFAULT, SCRATCH = "default", "from scratch"


@dataclass(frozen=True)
class Variant:
    """One thing that is different.

    Attributes:
        base: the variant it compares with.
        arch: fields of the architecture that differ.
        settings: of the fit that differ.
        steps: as many times those of others.
        fixed_length: weights are charged by their tensors' ranges.
    """

    base: str = DEFAULT
    arch: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    steps: float = 1.0
    fixed_length: bool = False


def _shape(**arch: Any) -> Variant:
    """A network of another shape, from scratch."""
    return Variant(SCRATCH, arch)


VARIANTS = {
    DEFAULT: Variant(),
    "no gates": Variant(settings={"gates": "none"}),
    "fixed-length weights": Variant(fixed_length=True),
    "Adam": Variant(settings={"optimizer": "adam"}),
    "Adam, twice the rate": Variant(settings={"optimizer": "adam", "lr": "2e-2"}),
    "all weights adapt": Variant(settings={"outer": "0"}),
    "always a grid of full size": Variant(arch={"finest": 0}),
    "never a grid of full size": Variant(arch={"finest": 1}),
    "grids to 1:16": Variant(arch={"coarsest": 4}),
    "half the steps": Variant(steps=0.5),
    "twice the steps": Variant(steps=2.0),
    SCRATCH: Variant(),
    "ReLU": _shape(activation="relu"),
    "GELU": _shape(activation="gelu"),
    "one layer, sine": _shape(hidden=(24,)),
    "one layer, ReLU": _shape(hidden=(24,), activation="relu"),
    "one layer, GELU": _shape(hidden=(24,), activation="gelu"),
    "linear": _shape(hidden=()),
    "wide, sine": _shape(hidden=(48, 48)),
    "no 3x3 layer": _shape(residuals=0),
    "context 16+16 of 18": _shape(context=(16, 16), neighbours=12, parents=6),
    "context 8 of 8": _shape(context=(8,), neighbours=6, parents=2),
    "linear context": _shape(context=()),
    "no parents": _shape(parents=0),
}
"""By the name in the table."""

_AT_RANDOM = {"scratch": "0", "narrow": "0", "narrow_price": "inf"}
"""Settings of fits from scratch: they begin with the laws that random starts begin with, and are as wide as others."""


class Ablated(GridSession):
    """An encode of a variant."""

    variant = VARIANTS[DEFAULT]

    def arch(self, cap: int | None = None) -> GridArch:
        """The usual architecture but for what the variant changes."""
        return replace(super().arch(cap), **self.variant.arch)


def encode(name: str, pixels: Pixels, cap: int, effort: int, threads: int | None) -> Encoded:
    """A file of a variant that, with what its weights cost beyond their entropy code, is within the cap."""
    variant = VARIANTS[name]
    settings = dict(variant.settings)
    if SCRATCH in (name, variant.base):
        settings |= _AT_RANDOM
    options = EncodeOptions(effort=effort, arch="grid", threads=threads, overrides=tuple(settings.items()))
    session = Ablated(pixels, Target("bytes", cap), options, None, None)
    session.variant = variant
    session.config = replace(session.config, steps=round(variant.steps * session.config.steps))
    return session.run()


def surcharge(symbols: Symbols) -> float:
    """Bits that weights of a fixed length take beyond those of their entropy code."""
    fixed = sum(
        value.size * np.ceil(np.log2(2 * int(np.abs(value).max()) + 1)) if value.any() else 0.0
        for value in symbols.values
    )
    return float(fixed) - sum(symbols.tensor_bits())


def measure(name: str, picture: Path, bpp: float, effort: int, threads: int | None) -> str:
    """One encode, as a line of the table."""
    pixels = load_image(picture).pixels
    cap = Target("bpp", bpp).cap(pixels.count)
    assert cap is not None
    start = time.monotonic()
    coded, extra = encode(name, pixels, cap, effort, threads), 0.0
    if VARIANTS[name].fixed_length:
        extra = surcharge(_weights(coded)) / 8
        coded = encode(name, pixels, cap - round(extra), effort, threads)
        extra = surcharge(_weights(coded)) / 8
    report, bits = coded.report, sum(_weights(coded).tensor_bits()) + 8 * extra
    cells = (name, picture.stem, f"{bpp:g}", round(report.bytes + extra), f"{report.psnr:.3f}", round(bits))
    rest = (report.kept, report.params, report.steps, f"{time.monotonic() - start:.1f}")
    return "\t".join(map(str, cells + rest))


def _weights(coded: Encoded) -> Symbols:
    weights = unpack(coded.data).weights
    assert isinstance(weights, Symbols)
    return weights


def markdown(path: Path) -> str:
    """Mean PSNR of every variant and what it is above its base, by target."""
    found: dict[tuple[str, float], dict[str, float]] = {}
    for row in rows_of(path):
        found.setdefault((row["variant"], float(row["target_bpp"])), {})[row["picture"]] = float(row["psnr"])
    targets = sorted({target for _, target in found})
    names = [name for name in VARIANTS if any((name, target) in found for target in targets)]
    lines = ["| variant | compared with | " + " | ".join(f"{target:g} bpp" for target in targets) + " |"]
    lines.append("|" + "---|" * (2 + len(targets)))
    for name in names:
        base = VARIANTS[name].base
        base = "" if name in (DEFAULT, SCRATCH) else base
        cells = [_cell(found.get((name, target), {}), found.get((base, target), {})) for target in targets]
        lines.append(f"| {name} | {base} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(mine: dict[str, float], base: dict[str, float]) -> str:
    """The difference over the pictures that both have, or the mean itself where there is nothing to compare with."""
    both = sorted(mine.keys() & base.keys())
    if both:
        return f"{fmean(mine[picture] - base[picture] for picture in both):+.2f} dB"
    return f"{fmean(mine.values()):.2f} dB" if mine else ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line names, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--bpp", default="0.1,0.3,0.6")
    parser.add_argument("--effort", type=int, default=3)
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS), metavar="NAME")
    parser.add_argument("--workers", type=int, default=1, help="encodes at a time, one thread each if more than one")
    parser.add_argument("--out", type=Path, required=True, help="rows it already holds are not measured again")
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(given)
    resumable.start(options.out, "ablation", given, COLUMNS)
    done = {(row["variant"], row["picture"], float(row["target_bpp"])) for row in rows_of(options.out)}
    threads = 1 if options.workers > 1 else None
    calls = [
        (name, picture, bpp, options.effort, threads)
        for picture in options.pictures
        for bpp in map(float, options.bpp.split(","))
        for name in options.variants
        if (name, picture.stem, bpp) not in done
    ]
    for line in resumable.outcomes(measure, calls, options.workers):
        with options.out.open("a") as out:
            out.write(line + "\n")
        print(line, file=sys.stderr, flush=True)
    print(markdown(options.out))


if __name__ == "__main__":
    main()
