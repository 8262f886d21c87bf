"""A made-up codec that runs as a process of its own, and results worth a report."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inrcodec.bench.contender import Contender
from inrcodec.bench.job import Job, plan
from inrcodec.bench.results import Results
from tests.bench.rows import a_row

STAND_IN = Path(__file__).with_name("stand_in.py")

Program = tuple[str, ...]
Calls = Callable[[], list[str]]
MakeJobs = Callable[..., list[Job]]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The stand-in for `inrcodec.bench.child`."""
    return sys.executable, str(STAND_IN), str(tmp_path / "calls")


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    """What it was asked to do so far, each time picture, codec, target and process."""
    log = tmp_path / "calls"
    return lambda: log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def make_jobs(tmp_path: Path) -> MakeJobs:
    """Jobs of pictures that are there: ``jobs("a b", "fast slow1", (0.3,), sweep=True)``."""

    def make(pictures: str, codecs: str, targets: tuple[float, ...] = (0.3,), *, sweep: bool = False) -> list[Job]:
        paths = [tmp_path / f"{name}.png" for name in pictures.split()]
        for index, path in enumerate(paths):
            path.write_bytes(bytes(index + 1))
        return plan(paths, [Contender(name, name) for name in codecs.split()], targets, sweep, 5)

    return make


@pytest.fixture
def results() -> Results:
    """Two pictures, ours at three targets, two others at the same and swept; one of them cannot reach the lowest."""
    rows = []
    for picture, extra in (("a", 0.0), ("b", 2.0)):
        for step, target in enumerate((0.15, 0.3, 0.6)):
            rows.append(a_row(picture, "inr", target, 26 + 2 * step + extra, encode_seconds=90.0, peak_mb=420.0))
            rows.append(a_row(picture, "webp", target, 27 + 2.5 * step + extra))
            over = {"use": 1.2, "bpp": 0.18} if (picture, step) == ("b", 0) else {}
            rows.append(a_row(picture, "jpeg-opt", target, 24 + 3 * step + extra, **over))
        for step in range(5):
            for codec, base in (("jpeg-opt", 22.5), ("webp", 26.0)):
                bpp = 0.1 * 2**step
                rows.append(a_row(picture, codec, None, base + 3 * step + extra, bpp=bpp, setting=f"quality {step}"))
    head = {"command": "inrcodec bench a.png b.png", "date": "2026-11-21 09:00 UTC", "machine": "Linux, 2 cores"}
    return Results({**head, "codecs": "inr jpeg-opt webp", "effort": "5"}, tuple(rows))
