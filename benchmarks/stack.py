"""Does it pay to fit pictures together? Milliseconds a step and picture, alone and in stacks of several sizes.

    python -m benchmarks.stack --device cuda --arch grid --pictures 1,4,12,24 --steps 300 --out stack.tsv

A fit has three phases: float weights (most of a real fit), weights with a price and hard rounding. All get the same
number of steps here; what happens once in between (curvature, steps, purging, rounding latents) is told as seconds a
picture. Synthetic pictures: the time does not depend on what is in them. Grids go together in plain torch only.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from benchmarks.rd import published
from inrcodec.encoder import EncodeOptions
from inrcodec.fit.canvas import Canvas
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.engine import engine
from inrcodec.fit.engine.compiled import PAYS
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.descent import GridDescent
from inrcodec.fit.grid.engine import grid_engine
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.grid.sizing import auto_grid
from inrcodec.fit.grid.stack import GridStack
from inrcodec.fit.machine import device_of, use_threads
from inrcodec.fit.methods import method
from inrcodec.fit.sizing import payload_budget
from inrcodec.fit.stack import Stack
from inrcodec.fit.train import Trainer
from inrcodec.format.container import Header
from inrcodec.format.stream import overhead
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
    parser.add_argument("--arch", default="siren", choices=("siren", "grid"))
    parser.add_argument("--size", default="768x512", metavar="WxH")
    parser.add_argument("--bpp", type=float, default=0.3)
    parser.add_argument("--layers", help="hidden layers as 4x64, if not by the budget")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    header = Header(width, height, 3)
    cap = int(options.bpp * header.pixels / 8)
    device = device_of(options.device)
    runs = engine(options.engine, device.type)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    phases = _Grids(header, cap, options) if options.arch == "grid" else _Networks(header, cap, options)
    with options.out.open("w") as out, use_threads(runs, options.threads):
        command = shlex.join(published(sys.argv[1:]))
        out.write(f"# python -m benchmarks.stack {command}\n# {name}, torch {torch.__version__}, {phases.name}\n")
        out.write("pictures\tfloat_ms\tsoft_ms\thard_ms\tpress_s\tfinish_s\n")
        for pictures in (0, *map(int, options.pictures.split(","))):
            shown = [_picture(width, height, k) for k in range(max(1, pictures))]
            times = _measure(phases.begin(shown, stacked=pictures > 0), options.steps, device)
            line = "\t".join(f"{value / len(shown):.4f}" for value in times)
            print(f"{pictures or 'alone'}\t{line}", file=out, flush=True)
            print(f"{pictures or 'alone'}\t{line}", flush=True)


class _Fit(Protocol):
    """A fit, or several in lock-step."""

    def step(self) -> None:
        """One step."""


class _Networks:
    """Fits of networks alone, for pictures of a shape."""

    def __init__(self, header: Header, cap: int, options: argparse.Namespace) -> None:
        self.device = device_of(options.device)
        self.engine = engine(options.engine, self.device.type)
        self.arch = method("l0").size(header, cap, EncodeOptions(layers=options.layers))
        self.budget = max(1.0, payload_budget(header, self.arch, cap))
        self.config = SirenConfig(steps=3 * options.steps, press=1 / 3, finish=1 / 3)
        self.name = f"network {self.arch}"

    def begin(self, pictures: Sequence[Pixels], *, stacked: bool) -> _Fit:
        """The fits, at their start."""
        canvases = [Canvas.of(picture, self.device, self.engine) for picture in pictures]
        members = [Trainer(canvas, self.arch, self.config, self.budget) for canvas in canvases]
        return Stack(members) if stacked else members[0]


class _Grids:
    """Fits of latent grids, at a price of bits: none is held to get under its budget."""

    def __init__(self, header: Header, cap: int, options: argparse.Namespace) -> None:
        self.device = device_of(options.device)
        self.engine = grid_engine(options.engine, self.device.type)
        self.arch = auto_grid(header)
        self.budget = float(max(1, 8 * (cap - overhead(header, self.arch, cap))))
        self.config = GridConfig(steps=3 * options.steps, press=1 / 3, finish=1 / 3, price=1e-3)
        self.name = str(self.arch)

    def begin(self, pictures: Sequence[Pixels], *, stacked: bool) -> _Fit:
        """The fits, at their start."""
        scenes = [Scene.of(picture, self.engine, self.device) for picture in pictures]
        members = [GridDescent(scene, self.arch, self.config, self.budget) for scene in scenes]
        return GridStack(members) if stacked else members[0]


def _picture(width: int, height: int, k: int) -> Pixels:
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    planes = [np.sin((5 + k) * x + c) * np.cos(4 * y - c) + 0.3 * np.sin(40 * x * y) for c in range(3)]
    return Pixels((127.5 + 90 * np.stack(planes, 2)).clip(0, 255).astype(np.uint8))


def _measure(fit: _Fit, steps: int, device: torch.device) -> tuple[float, ...]:
    """Milliseconds a step in the three phases, and seconds at the two borders."""
    warm = min(WARM, steps // 2)
    _run(fit, warm, device)
    plain = _run(fit, steps - warm, device) / (steps - warm)
    press = _run(fit, 1, device)
    soft = _run(fit, steps - 1, device) / (steps - 1)
    finish = _run(fit, 1, device)
    hard = _run(fit, steps - 1, device) / (steps - 1)
    return 1e3 * plain, 1e3 * soft, 1e3 * hard, press, finish


def _run(fit: _Fit, steps: int, device: torch.device) -> float:
    """Seconds that steps take, until the device has done them."""
    start = time.perf_counter()
    for _ in range(steps):
        fit.step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
