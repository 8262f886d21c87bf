"""The story of a fit for whoever wants to look into it: tables, TensorBoard events, the picture over time.

Everything goes into one folder: ``config.json`` (what was asked for, in full), ``fit.csv`` (a line for every 200th of
a fit), ``layers.csv`` (weights that are left, tensor by tensor), ``gates.csv`` (how many gates are how probably open),
with ``images`` the picture as it would be drawn at every tenth, and the same once more as TensorBoard events where
that library is installed. Fits are numbered; a quality target takes several, and a second finish counts as one.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inrcodec.atomic import atomic_write, check_writable
from inrcodec.encoder import EncodeOptions, Log, Target
from inrcodec.fit.config import FitConfig
from inrcodec.fit.descent import Phased, Pulse, phase_of
from inrcodec.fit.gated import GatedWeights, hard_levels
from inrcodec.fit.problem import RateProblem
from inrcodec.format.container import Header
from inrcodec.image import save_image
from inrcodec.net.arch import Network
from inrcodec.pixels import Pixels

ROWS, PICTURES = 200, 10
"""Lines and pictures of a whole fit."""

BINS = 20
"""Of the histogram of gates, from never to always open."""

FIT = ("fit", "step", "phase", "seconds", "lagrangian", "mse", "psnr_db", "soft_bpp", "bpp", "multiplier", "kept")
LAYERS = ("fit", "step", "tensor", "weights", "kept")
GATES = ("fit", "step", *(f"to_{(k + 1) / BINS:.2f}" for k in range(BINS)))
"""Columns of the tables."""


class Watched(Phased, Protocol):
    """A fit that can be looked into."""

    done: int
    soft_bits: Tensor
    problem: RateProblem

    @property
    def config(self) -> FitConfig:
        """Its settings."""

    @property
    def progress(self) -> float:
        """Part of it that is done."""

    @property
    def arch(self) -> Network:
        """Its network."""

    @property
    def model(self) -> GatedWeights:
        """Its weights."""

    def pulse(self) -> Pulse:
        """How it stands."""

    def picture(self) -> NDArray[np.float32]:
        """What it would draw now, ``(pixels, channels)``."""


@dataclass(frozen=True)
class Layer:
    """What is left of a tensor: ``kept`` of ``weights`` are not zero (rounded for real once they have steps)."""

    name: str
    weights: int
    kept: int


class Monitor:
    """Writes down how the fits of one encode go. Lines are on disk as soon as they are written.

    Args:
        log: where to, and whether with pictures.
        header: of the picture.
        resume: go on with tables that are there.

    Raises:
        FileExistsError: there is a log already, and it may not be replaced.
        OSError: the folder cannot be written to.
    """

    def __init__(self, log: Log, header: Header, *, resume: bool = False) -> None:
        self.log, self.header = log, header
        log.folder.mkdir(parents=True, exist_ok=True)
        again = resume and (log.folder / "fit.csv").exists()
        if not again:
            check_writable(log.folder / "fit.csv", log.overwrite)
        self._files: list[TextIO] = []
        self.fits = _last_fit(log.folder / "fit.csv") if again else 0
        self._fit, self._layers, self._gates = (
            self._table(name, columns, again) for name, columns in (("fit", FIT), ("layers", LAYERS), ("gates", GATES))
        )
        if not again:
            for stale in (*log.folder.glob("events.out.tfevents.*"), *log.folder.glob("images/*.png")):
                stale.unlink()
        self._events = _events(log.folder)
        self._start = time.monotonic()
        self._row = self._picture = -1

    def _table(self, name: str, columns: tuple[str, ...], again: bool) -> Any:
        path = self.log.folder / f"{name}.csv"
        stream = path.open("a" if again else "w", newline="", encoding="utf-8", buffering=1)
        self._files.append(stream)
        table = csv.writer(stream, lineterminator="\n")
        if stream.tell() == 0:
            table.writerow(columns)
        return table

    def settings(self, target: Target, options: EncodeOptions, config: FitConfig) -> None:
        """Write down what was asked for, with every default spelled out."""
        asked = {"target": asdict(target), "options": asdict(options), "config": asdict(config)}
        text = json.dumps(asked, indent=2, default=str) + "\n"
        atomic_write(self.log.folder / "config.json", text.encode(), overwrite=True)

    def begin(self) -> None:
        """Note that another fit begins."""
        self.fits += 1
        self._row = self._picture = -1

    def watch(self, descent: Watched) -> None:
        """Write down a fit, if it is time to: at its first step and then every 200th part of it."""
        if (row := _part(descent, ROWS)) != self._row:
            self._row = row
            self._write(descent)
        if self.log.images and (picture := _part(descent, PICTURES)) != self._picture:
            self._picture = picture
            self._draw(descent)

    def _write(self, descent: Watched) -> None:
        pulse, pixels = descent.pulse(), self.header.pixels
        layers = layers_of(descent)
        weights, kept = sum(layer.weights for layer in layers), sum(layer.kept for layer in layers)
        figures = {
            "lagrangian": descent.problem.lagrangian,
            "mse": pulse.mse,
            "psnr_db": -10 * math.log10(max(pulse.mse, 1e-12)),
            "soft_bpp": float(descent.soft_bits.sum()) / pixels,
            "bpp": pulse.bits / pixels,
            "multiplier": pulse.multiplier,
            "kept": kept / weights,
        }
        seconds = time.monotonic() - self._start
        told = [self.fits, pulse.step, phase_of(descent), f"{seconds:.2f}"]
        self._fit.writerow([*told, *map(_number, figures.values())])
        self._layers.writerows([self.fits, pulse.step, *asdict(layer).values()] for layer in layers)
        chances = descent.model.open_probability()
        gates = None if chances is None else chances.detach().cpu().numpy()
        if gates is not None:
            counts = np.histogram(gates, BINS, (0.0, 1.0))[0]
            self._gates.writerow([self.fits, pulse.step, *counts.tolist()])
        if self._events is not None:
            for name, value in figures.items():
                if math.isfinite(value):
                    self._events.add_scalar(f"fit{self.fits}/{name}", value, pulse.step)
            for layer in layers:
                self._events.add_scalar(f"kept{self.fits}/{layer.name}", layer.kept / layer.weights, pulse.step)
            if gates is not None:
                self._events.add_histogram(f"fit{self.fits}/gates", gates, pulse.step)

    def _draw(self, descent: Watched) -> None:
        pixels = Pixels.from_unit(descent.picture(), self.header.height, self.header.width, self.header.depth)
        folder = self.log.folder / "images"
        folder.mkdir(exist_ok=True)
        save_image(pixels, folder / f"fit{self.fits}-{descent.done:06d}.png")
        if self._events is not None:
            eight = pixels if pixels.depth == 8 else Pixels((pixels.array >> 8).astype(np.uint8))
            self._events.add_image(f"fit{self.fits}/picture", eight.array, descent.done, dataformats="HWC")

    def close(self) -> None:
        """Nothing more will come."""
        for stream in self._files:
            stream.close()
        if self._events is not None:
            self._events.close()


def layers_of(descent: Watched) -> list[Layer]:
    """What is left of every tensor of a fit."""
    model = descent.model
    values = hard_levels(model) if descent.pressed else model.gated().detach().cpu().numpy()
    specs = descent.arch.tensors()
    parts = np.split(values, np.cumsum([spec.size for spec in specs])[:-1])
    return [Layer(spec.name, spec.size, int(np.count_nonzero(p))) for spec, p in zip(specs, parts, strict=True)]


def _part(descent: Watched, parts: int) -> int:
    """Which of the parts of a fit it is in; its last step has one to itself."""
    return parts if descent.progress >= 1 else int(descent.progress * parts)


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""


def _last_fit(path: Path) -> int:
    """The number of the last fit in a table that will be continued; the fit that goes on keeps it."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows: Iterable[dict[str, str]] = csv.DictReader(stream)
        return max((int(row["fit"]) for row in rows if row["fit"].isdigit()), default=1) - 1


def events_possible() -> bool:
    """Whether TensorBoard's library is there."""
    return importlib.util.find_spec("tensorboard") is not None


def _events(folder: Path) -> Any:
    """A writer of TensorBoard events, or None without the library."""
    if not events_possible():
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))
