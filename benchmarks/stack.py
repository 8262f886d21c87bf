"""Does it pay to fit pictures together? Milliseconds a step and picture, alone and in stacks of several sizes.

    python -m benchmarks.stack --device cuda --pictures 1,4,12,24 --steps 300 --out stack.tsv

A fit has three phases: float weights (most of a real fit), soft rounding and hard rounding. All get the same number of
steps here; what happens once in between (curvature, steps, purging) is told as seconds a picture. Synthetic pictures:
the time does not depend on what is in them.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.rd import published
from inrcodec.encoder import EncodeOptions
from inrcodec.fit.canvas import Canvas
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.descent import Descent
from inrcodec.fit.engine import engine
from inrcodec.fit.engine.compiled import PAYS
from inrcodec.fit.machine import device_of, use_threads
from inrcodec.fit.methods import method
from inrcodec.fit.sizing import payload_budget
from inrcodec.fit.stack import Stack
from inrcodec.fit.train import Trainer
from inrcodec.format.container import Header
from inrcodec.net.arch import Arch
from inrcodec.pixels import Pixels

WARM = 2 * PAYS
"""Steps before the clock starts: kernels are loaded and programs compiled in them."""


def main() -> None:
    """Time one picture, then stacks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--engine", default="auto", help="auto, numba, torch or compile")
    parser.add_argument("--pictures", default="1,4,12,24", help="sizes of stacks")
    parser.add_argument("--steps", type=int, default=300, help="in each of the three phases")
    parser.add_argument("--size", default="768x512", metavar="WxH")
    parser.add_argument("--bpp", type=float, default=0.3)
    parser.add_argument("--layers", help="hidden layers as 4x64, if not by the budget")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    header = Header(width, height, 3)
    cap = int(options.bpp * header.pixels / 8)
    arch = method("l0").size(header, cap, EncodeOptions(layers=options.layers))
    budget = max(1.0, payload_budget(header, arch, cap))
    device = device_of(options.device)
    runs = engine(options.engine, device.type)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    with options.out.open("w") as out, use_threads(runs, options.threads):
        command = shlex.join(published(sys.argv[1:]))
        out.write(f"# python -m benchmarks.stack {command}\n# {name}, torch {torch.__version__}, network {arch}\n")
        out.write("pictures\tfloat_ms\tsoft_ms\thard_ms\tpress_s\tfinish_s\n")
        for pictures in (0, *map(int, options.pictures.split(","))):
            canvases = [Canvas.of(_picture(width, height, k), device, runs) for k in range(max(1, pictures))]
            line = "\t".join(f"{value:.4f}" for value in _measure(canvases, arch, budget, options.steps, pictures > 0))
            print(f"{pictures or 'alone'}\t{line}", file=out, flush=True)
            print(f"{pictures or 'alone'}\t{line}", flush=True)


def _picture(width: int, height: int, k: int) -> Pixels:
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    planes = [np.sin((5 + k) * x + c) * np.cos(4 * y - c) + 0.3 * np.sin(40 * x * y) for c in range(3)]
    return Pixels((127.5 + 90 * np.stack(planes, 2)).clip(0, 255).astype(np.uint8))


def _measure(canvases: list[Canvas], arch: Arch, budget: float, steps: int, stacked: bool) -> tuple[float, ...]:
    """Milliseconds a step and picture in the three phases, and seconds a picture at the two borders."""
    config = SirenConfig(steps=3 * steps, press=1 / 3, finish=1 / 3)
    members = [Trainer(canvas, arch, config, budget) for canvas in canvases]
    fit: Descent = Stack(members) if stacked else members[0]
    warm = min(WARM, steps // 2)
    _run(fit, warm)
    plain = _run(fit, steps - warm) / (steps - warm)
    press = _run(fit, 1)
    soft = _run(fit, steps - 1) / (steps - 1)
    finish = _run(fit, 1)
    hard = _run(fit, steps - 1) / (steps - 1)
    each = 1 / len(canvases)
    return 1e3 * plain * each, 1e3 * soft * each, 1e3 * hard * each, press * each, finish * each


def _run(fit: Descent, steps: int) -> float:
    """Seconds that steps take, until the device has done them."""
    start = time.perf_counter()
    for _ in range(steps):
        fit.step()
    if fit.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
