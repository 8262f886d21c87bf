"""The light half of the program runs, and stays light, where the heavy libraries cannot be imported at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HEAVY = ("torch", "cooper", "numba", "llvmlite", "matplotlib", "scipy", "pytorch_msssim", "compressai")
ROOT = Path(__file__).parents[1]

_BLOCK = f"import sys; sys.modules.update(dict.fromkeys({HEAVY!r}))\n"
_REPORT = f"\nprint('heavy:', [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
_PLUGIN = """
import inrcodec.plugin
from PIL import Image
with Image.open(sys.argv[1]) as image:
    assert image.resize((3, 3)).getpixel((1, 1))
with Image.open(sys.argv[1]) as image:
    image.verify()
"""
_RUN = "from inrcodec.cli.main import run\nassert run(sys.argv[1:]) == 0\n"


def _python(code: str, *words: object) -> str:
    """Run code in a fresh interpreter; what it said on stderr."""
    command = [sys.executable, "-c", code, *(str(word) for word in words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from inrcodec.encoder import EncodeOptions, Target, encode_pixels
    from inrcodec.pixels import Pixels

    options = EncodeOptions(effort=1, layers="2x8", threads=1, overrides=(("steps", "20"), ("candidates", "1")))
    pixels = Pixels(np.full((6, 6, 3), 90, np.uint8))
    path = tmp_path_factory.mktemp("light") / "a.inr"
    path.write_bytes(encode_pixels(pixels, Target("bytes", 400), options).data)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "inrcodec", "inrcodec.decoder", "inrcodec.cli.main", "inrcodec.image", "inrcodec.metrics", "inrcodec.plugin",
        "inrcodec.bench.measure", "inrcodec.bench.published", "inrcodec.bench.bdrate", "inrcodec.bench.datasets",
    ],
)  # fmt: skip
def test_importing(name: str) -> None:
    assert _python(f"import sys, {name}" + _REPORT) == "heavy: []\n"


def test_importing_the_encoder_waits_with_torch() -> None:
    assert "torch" not in _python("import sys, inrcodec.encoder" + _REPORT)


def test_light_commands_run_where_the_heavy_libraries_are_missing(coded: Path) -> None:
    out = coded.with_suffix(".png")
    for words in (
        ("decode", coded, "-f", "-o", out),
        ("decode", coded, "-f", "-o", out, "--scale", "2", "--crop", "1,1,5,5"),
        ("info", "-v", coded),
        ("verify", coded),
        ("compare", coded, coded),
        ("encode", "--help-all"),
        ("data", "list"),
        ("--help",),
    ):
        _python(_BLOCK + _RUN, *words)


def test_light_commands_leave_them_alone_where_they_are_there(coded: Path) -> None:
    out = coded.with_name("whole.png")
    for words in (
        ("decode", coded, "-o", out),
        ("info", coded),
        ("verify", coded, "--against", out),
        ("compare", coded, out),
    ):
        assert _python("import sys\n" + _RUN + _REPORT, *words).endswith("heavy: []\n")


def test_pillow_opens_files_without_them(coded: Path) -> None:
    _python(_BLOCK + _PLUGIN, coded)
    for path in (coded, *(ROOT / "tests" / "golden" / f"{name}.inr" for name in ("alpha_lossy", "metadata"))):
        assert _python("import sys" + _PLUGIN + _REPORT, path) == "heavy: []\n"
