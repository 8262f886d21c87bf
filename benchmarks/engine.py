"""How fast and how exact a training step is: torch as it is usually written, compiled, and our fused kernels.

    python -m benchmarks.engine --threads 1,2 --out benchmarks/results/engine.tsv
    python -m benchmarks.engine --sizes --out benchmarks/results/engine_sizes.tsv

A step is the mean squared error over all pixels and its gradients in all weights and biases. The first table has one
line for each net and number of threads:

- ``textbook_ms``, ``eager_ms``, ``compile_ms``, ``ours_ms``: medians over rounds in which all take turns;
  ``ours_spread`` has the fastest and the slowest round; ``compile_s`` is what the first compiled step took;
- ``gflops``: 6 operations for each weight and pixel, 4 in the first layer, whose inputs need no gradient; sines and
  biases are not counted. ``sgemm_gflops`` is the better of numpy's and torch's product of two 2048 x 2048 matrices,
  and ``fraction`` compares the two: it may exceed 1 where that library leaves part of a vector unused;
- ``grad_error``: ours against float64, norm of the difference over norm, all weights together; ``grad_worst``: of the
  worst matrix or vector; ``textbook_error``: what float32 torch has in place of ``grad_error``.

Freed memory is kept for the next step, see ``MALLOC``; ``--malloc plain`` makes torch two to four times slower on the
two-core virtual machine this was written on, and ours no slower.

The second table, ``--sizes``, is a step of ours on pictures of several sizes, each in a process of its own: ``data_mb``
is the most memory before the first step (torch, kernels and the picture), ``peak_mb`` the most at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

# No torch and no numpy up here: a new process's peak of memory begins at that of the process it came from, and
# `startup` times their import.

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"

NETS = "5x20,5x30,10x28,10x40,nerf 4x64,mlp 8-24-24-3"
SIZES = "0.1,0.4,1,3,6,12"
SIZES_NET = "7x56"

MALLOC = {"keep": {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(10**11)}, "plain": {}}
"""What glibc does with freed memory. Torch's full-picture features are far over the size from which each allocation is
a mapping of its own, and the system then has to find and clear every page again in every step. ``keep`` hands out the
same pages, which makes the faster torch and the steadier figure. Other C libraries ignore both variables."""

Row = dict[str, str]


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=int, default=768 * 512)
    parser.add_argument("--repeats", type=int, default=5, help="rounds, each with all implementations")
    parser.add_argument("--threads", default="1,2", help="each number in a process of its own")
    parser.add_argument("--nets", help=f"default: {NETS}; of --sizes: {SIZES_NET}")
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="leave torch.compile out")
    parser.add_argument(
        "--malloc", choices=MALLOC, default="keep", help="plain: freed memory goes back to the system (torch pays)"
    )
    parser.add_argument(
        "--sizes", nargs="?", const=SIZES, metavar="MP", help=f"the second table, in megapixels; default: {SIZES}"
    )
    parser.add_argument("--out", type=Path, help="default: engine.tsv or engine_sizes.tsv in benchmarks/results")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    head = [f"{PROGRAM} {shlex.join(sys.argv[1:])}".rstrip(), *machine(), f"load average before: {load:.1f}"]
    if not options.sizes:
        head.append(f"{options.pixels:,} pixels, median of {options.repeats} rounds; malloc: {options.malloc}")
    table = of_sizes(options) if options.sizes else of_nets(options)
    out = options.out or RESULTS / ("engine_sizes.tsv" if options.sizes else "engine.tsv")
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = [*(f"# {line}" for line in head), "\t".join(table[0]), *("\t".join(row.values()) for row in table)]
    out.write_text("\n".join(lines) + "\n")
    print("\n".join(head), aligned(table), sep="\n")


PROGRAM = "python -m benchmarks.engine"


def of_nets(options: argparse.Namespace) -> list[Row]:
    """The first table: nets and threads."""
    table, nets = [], (options.nets or NETS).split(",")
    for threads in numbers(options.threads):
        found = child(
            "engine_measure.steps", MALLOC[options.malloc], nets=nets, pixels=options.pixels, repeats=options.repeats,
            threads=int(threads), compiled=options.compile,
        )  # fmt: skip
        table += [net_row(measured, int(threads), found["sgemm_gflops"]) for measured in found["nets"]]
    return table


def net_row(measured: dict[str, Any], threads: int, peak: float) -> Row:
    """One line of the first table.

    Args:
        measured: what :func:`benchmarks.engine_measure.steps` says of a net.
        threads: that were used.
        peak: of a large product, GFLOP/s.
    """
    times: dict[str, list[float]] = measured["ms"]
    ms = {name: median(times[name]) if name in times else float("nan") for name in IMPLEMENTATIONS}
    gflops = measured["flops"] / ms["ours"] / 1e6
    return {
        "net": measured["net"],
        "threads": str(threads),
        "weights": str(measured["weights"]),
        **{f"{name}_ms": f"{ms[name]:.2f}" for name in ("textbook", "eager", "compile")},
        "compile_s": f"{measured['compile_s']:.1f}",
        "ours_ms": f"{ms['ours']:.2f}",
        "ours_spread": f"{min(times['ours']):.2f}..{max(times['ours']):.2f}",
        **{f"{name}/ours": f"{ms[name] / ms['ours']:.2f}" for name in ("textbook", "eager", "compile")},
        "gflops": f"{gflops:.1f}",
        "sgemm_gflops": f"{peak:.1f}",
        "fraction": f"{gflops / peak:.2f}",
        **{name: f"{measured[name]:.1e}" for name in ("grad_error", "grad_worst", "textbook_error")},
    }


IMPLEMENTATIONS = ("textbook", "eager", "compile", "ours")


def of_sizes(options: argparse.Namespace) -> list[Row]:
    """The second table: pictures of several sizes."""
    table = []
    for net in (options.nets or SIZES_NET).split(","):
        for threads in numbers(options.threads):
            for size in numbers(options.sizes):
                pixels = round(size * 1e6)
                found = child(
                    "engine_measure.size", net=net, pixels=pixels, repeats=options.repeats, threads=int(threads)
                )
                table.append(size_row(found, size, int(threads)))
    return table


def size_row(measured: dict[str, Any], size: float, threads: int) -> Row:
    """One line of the second table.

    Args:
        measured: what :func:`benchmarks.engine_measure.size` says.
        size: megapixels.
        threads: that were used.
    """
    times = measured["ms"]
    return {
        "net": measured["net"],
        "threads": str(threads),
        "megapixels": f"{size:g}",
        "ours_ms": f"{median(times):.2f}",
        "ours_spread": f"{min(times):.2f}..{max(times):.2f}",
        "ns_per_pixel": f"{1e6 * median(times) / measured['pixels']:.2f}",
        "data_mb": f"{measured['data_mb']:.0f}",
        "peak_mb": f"{measured['peak_mb']:.0f}",
    }


def numbers(text: str) -> list[float]:
    """The numbers of a list on the command line."""
    return [float(number) for number in text.split(",")]


def child(function: str, variables: dict[str, str] | None = None, **arguments: Any) -> Any:
    """What a function returns in a process of its own.

    Args:
        function: module of this folder and name.
        variables: for the environment.
        arguments: for the function; ``threads`` also goes to the libraries that read it when they load.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # A compiler that finds its results of the last run tells nothing about compile times.
        environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": scratch, **(variables or {})}
        if "threads" in arguments:
            names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
            environment.update(dict.fromkeys(names, str(arguments["threads"])))
        module, _, name = function.partition(".")
        # The fit's package comes before torch, as in the codec: it tells OpenMP's threads not to wait too busily.
        load = f"import sys, inrcodec.fit; from benchmarks import engine, {module}"
        code = f"{load}; engine.answer({module}.{name}, sys.argv[1])"
        command = [sys.executable, "-c", code, json.dumps(arguments)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def answer(function: Callable[..., dict[str, Any]], arguments: str) -> None:
    """In that process: run a function on arguments in JSON and print its result, in JSON too."""
    print(json.dumps(function(**json.loads(arguments))))


def startup() -> dict[str, Any]:
    """Seconds until the kernels' first result, from when torch is there and from before that; and what ran."""
    start = time.perf_counter()
    import torch

    middle = time.perf_counter()
    from inrcodec.fit.engine import fused, siren

    layers = siren((20, 20), 3)
    weights = sum((layer.inputs + 1) * layer.outputs for layer in layers)
    fused.mse(layers, torch.zeros(1024, 2), torch.zeros(weights), torch.zeros(1024, 3))
    end = time.perf_counter()
    import numba
    import numpy as np

    from inrcodec.fit.engine.micro import LANES, ROWS

    versions = {module.__name__: str(module.__version__) for module in (torch, numba, np)}
    seconds = {"seconds": end - middle, "with_torch": end - start}
    return {**seconds, "versions": versions, "lanes": LANES, "rows": ROWS}


def machine() -> list[str]:
    """What the figures depend on, and how long the kernels take to start."""
    child("engine.startup")  # whatever was compiled before, from here on the usual cache is warm
    starts = [child("engine.startup") for _ in range(3)]
    with tempfile.TemporaryDirectory() as empty:
        cold = child("engine.startup", {"NUMBA_CACHE_DIR": empty})
    warm = {name: median(start[name] for start in starts) for name in ("seconds", "with_torch")}
    versions = ", ".join(f"{name} {version}" for name, version in cold["versions"].items())
    what = (
        f"commit {commit()}; {cpu()}, {os.cpu_count()} CPUs; Python {platform.python_version()}, {versions}; "
        f"LANES {cold['lanes']}, ROWS {cold['rows']}"
    )
    first = (
        f"first step of the kernels: {warm['seconds']:.2f} s after torch was imported, {warm['with_torch']:.2f} s with "
        f"torch; {cold['seconds']:.1f} s and {cold['with_torch']:.1f} s where numba has nothing in its cache"
    )
    return [what, first]


def commit() -> str:
    """The commit that is checked out, and whether files differ from it."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    words = [git, "describe", "--always", "--exclude=*", "--dirty"]
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip() or "unknown"


def cpu() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def aligned(table: list[Row]) -> str:
    """A table for people: the first column to the left, figures to the right."""
    lines = [list(table[0]), *(list(row.values()) for row in table)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines
    )


if __name__ == "__main__":
    main()
