from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inrcodec.cli.main import run as run_command
from inrcodec.pixels import Pixels

ROOT = Path(__file__).parents[2]
TINY = ("-s", "500", "-e", "1", "-j", "1", "--layers", "2x8", "--set", "steps=20", "--set", "candidates=1")
"""Options of an encode that takes a blink."""


@pytest.fixture
def run() -> Callable[..., int]:
    """The command line in this process: words in, exit code out."""
    return lambda *words: run_command([str(word) for word in words])


@pytest.fixture
def program() -> list[str]:
    """The command line as another process."""
    return [sys.executable, "-m", "inrcodec"]


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment for other processes: they find the package from any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def shell(program: list[str], environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run the command line as another process to its end."""

    def call(*words: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
        command = [*program, *(str(word) for word in words)]
        return subprocess.run(command, capture_output=True, env=environment, timeout=120, check=False, **options)

    return call


def picture(width: int = 24, height: int = 16) -> Image.Image:
    """A small picture with something in it."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=2).astype(np.uint8))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """The small picture in a file."""
    path = tmp_path / "photo.png"
    picture().save(path)
    return path


@pytest.fixture(scope="session")
def coded_bytes() -> bytes:
    """The small picture, coded by the real encoder."""
    from inrcodec.encoder import EncodeOptions, Target, encode_pixels

    options = EncodeOptions(effort=1, layers="2x8", threads=1, overrides=(("steps", "20"), ("candidates", "1")))
    return encode_pixels(Pixels(np.asarray(picture())), Target("bytes", 500), options).data


@pytest.fixture
def coded(tmp_path: Path, coded_bytes: bytes) -> Path:
    """The small picture's ``.inr`` file."""
    path = tmp_path / "coded.inr"
    path.write_bytes(coded_bytes)
    return path


@pytest.fixture
def fake_encoder(monkeypatch: pytest.MonkeyPatch, coded_bytes: bytes) -> list[tuple[Any, Any, Any]]:
    """Put a stand-in in the encoder's place that returns at once; the list fills with what it was asked."""
    from inrcodec import encoder
    from inrcodec.fit.settings import grid_settings, siren_settings

    calls: list[tuple[Any, Any, Any]] = []

    def encode_pixels(pixels: Any, target: Any, options: Any, *, observer: Any = None, stop: Any = None) -> Any:
        calls.append((pixels, target, options))
        if observer is not None:
            for step in range(21):
                observer(encoder.Progress("fit", step, 20, 20.0 + step, 0.3, 0.7, step / 10, 2 - step / 10))
        size = len(coded_bytes)
        report = encoder.Report(
            bytes=size, pixels=pixels.count, bpp=8 * size / pixels.count, cap_bytes=500, use=size / 500, psnr=31.25,
            seconds=65.0, arch="siren 2x8", method=options.method, effort=options.effort, seed=options.seed, params=123,
            kept=100, steps=20, interrupted=bool(stop and stop()),
        )  # fmt: skip
        grids = encoder.architecture(options, target, pixels.count) == "grid"
        config = grid_settings(options, pixels.count) if grids else siren_settings(options)
        return encoder.Encoded(coded_bytes, report, config)

    monkeypatch.setattr(encoder, "encode_pixels", encode_pixels)
    return calls
