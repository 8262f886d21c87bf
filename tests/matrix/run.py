"""What ``make test-matrix`` runs: the same files, decoded under other versions, threads and CPU instructions.

Files are the golden ones, against the symbols and pixels that lie beside them, and a photograph that the encoder of
this interpreter makes now, with grids and as a network alone, against what its own decoder makes of it. Shares of
samples that differ are those of drawings of at least 100,000, against this interpreter's. Every environment is a
virtual one without torch, made in a temporary folder. Prints a table; the exit code is 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from tests.matrix.environments import ROOT, VARIANTS, VERSIONS, Environment, interpreters, make, wheel
from tests.matrix.verdict import SHARE, Verdict, judge

GOLDEN = ROOT / "tests" / "golden"
COLUMNS = (
    "Python", "NumPy", "constriction", "instructions", "BLAS", "variant", "files", "symbols", "pixels",
    "most that differ: photographs", "random grids", "random networks alone",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", action="append", default=[], help="an interpreter; may be repeated")
    parser.add_argument("--no-photograph", action="store_true", help="golden files alone; needs no torch here")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make everything here and leave it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="inrcodec-matrix-") as temporary:
        work = (given.keep or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        files = sorted(GOLDEN.glob("*.inr"))
        if not given.no_photograph:
            files += [photograph(work, arch) for arch in ("grid", "siren")]
        reference = expected(files, work)
        good = True
        print_row(COLUMNS)
        for python in interpreters(given.python):
            for versions in VERSIONS:
                good &= try_versions(work, python, versions, files, reference)
    sys.stderr.write("every promise holds\n" if good else "a promise is broken\n")
    return 0 if good else 1


def try_versions(work: Path, python: str, versions: Sequence[str], files: Sequence[Path], reference: Path) -> bool:
    """All variants of one environment; whether the promise holds in each. One that cannot be made breaks none."""
    name = f"{Path(python).parent.parent.name}-{Path(python).name}-{'-'.join(versions)}"
    folder = work / "".join(c if c.isalnum() or c in "-." else "_" for c in name)
    try:
        made = make(folder, python, versions, package(work))
    except RuntimeError as error:
        sys.stderr.write(f"{python}, {' '.join(versions)}: cannot be installed: {error}\n")
        return True
    return all([try_variant(made, number, files, reference) for number in range(len(VARIANTS))])  # noqa: C419 - all run


def try_variant(made: Environment, number: int, files: Sequence[Path], reference: Path) -> bool:
    """One line of the table."""
    variant, out = VARIANTS[number], made.folder / f"out{number}"
    try:
        made.probe(variant, out, files)
    except RuntimeError as error:
        sys.stderr.write(f"{made.name}, {variant.name}: {error}\n")
        return False
    here, verdict = json.loads((out / "probe.json").read_text())["here"], judge(out, reference)
    words = ("python", "numpy", "constriction", "vectors", "blas")
    print_row((*(here[word] for word in words), variant.name, *told(verdict)))
    return verdict.good and not here["torch"]


def told(verdict: Verdict) -> tuple[str, ...]:
    """A verdict in words."""
    symbols = "equal" if not verdict.symbols else f"DIFFER: {' '.join(verdict.symbols)}"
    levels = "within a level" if not verdict.levels else f"NOT WITHIN A LEVEL: {' '.join(verdict.levels)}"
    levels += f", TOO MANY OFF BY ONE: {' '.join(verdict.many)}" if verdict.many else ""
    shares = dict(verdict.shares)
    return str(verdict.files), symbols, levels, *(f"{100 * shares.get(kind, 0.0):.4f} %" for kind in SHARE)


def print_row(cells: Sequence[str]) -> None:
    """One line of a Markdown table, at once."""
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    if cells == COLUMNS:
        sys.stdout.write("|---" * len(cells) + "|\n")
    sys.stdout.flush()


def package(work: Path) -> Path:
    """The checkout as a wheel, built once."""
    built = next(iter((work / "wheel").glob("*.whl")), None)
    if built is None:
        (work / "wheel").mkdir(exist_ok=True)
        built = wheel(work / "wheel")
    return built


def photograph(work: Path, arch: Literal["grid", "siren"]) -> Path:
    """A photograph, encoded with little effort by what is installed here."""
    from benchmarks.demo import photograph as picture
    from inrcodec.encoder import EncodeOptions, Target, encode_pixels
    from inrcodec.pixels import Pixels

    path = work / f"photograph_{arch}.inr"
    if not path.exists():
        pixels = Pixels(np.asarray(picture().convert("RGB")))
        path.write_bytes(encode_pixels(pixels, Target("bpp", 0.3), EncodeOptions(effort=1, arch=arch)).data)
    return path


def expected(files: Sequence[Path], work: Path) -> Path:
    """A folder as a probe would leave it: what lies beside the golden files, and what is decoded here of others."""
    folder = work / "expected"
    folder.mkdir(exist_ok=True)
    probe = str(Path(__file__).with_name("probe.py"))
    subprocess.run([sys.executable, probe, str(folder), *map(str, files)], check=True, cwd=ROOT, env=_with_checkout())
    report = json.loads((folder / "probe.json").read_text())
    for path in files:
        if path.parent == GOLDEN:
            report["digests"][path.stem] = golden_digest(path)
            shutil.copyfile(path.with_suffix(".npy"), folder / f"{path.stem}.npy")
        else:
            report["kinds"][path.stem] = "photographs"
    (folder / "probe.json").write_text(json.dumps(report))
    return folder


def golden_digest(path: Path) -> str:
    """The digest of the symbols that lie beside a golden file, as `tests.matrix.probe.digest` makes it."""
    record = json.loads(path.with_suffix(".json").read_text())
    numbers = hashlib.sha256()
    for name, kind in (("symbols", "<i4"), ("weights", "<f4"), ("latents", "<i4")):
        for values in record.get(name, ()):
            numbers.update(np.asarray(values, kind).tobytes())
    return numbers.hexdigest()


def _with_checkout() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    sys.exit(main())
