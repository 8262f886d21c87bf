"""Other processes that are to be killed, interrupted and starved, and a small picture for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
CAP = 500
TINY = ("-s", str(CAP), "-e", "1", "-j", "1", "--layers", "2x8", "--set", "candidates=1")
"""Options of an encode that takes a blink, but for its steps."""

Words = Callable[..., list[str]]
Start = Callable[..., "subprocess.Popen[bytes]"]
Finish = Callable[..., "subprocess.CompletedProcess[bytes]"]


def _hear_ctrl_c() -> None:
    """A suite that runs in the background of a shell has inherited that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Other processes find the package, and have a folder for temporary files of their own."""
    (tmp_path / "tmp").mkdir()
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp")}


@pytest.fixture
def start(environment: dict[str, str]) -> Start:
    """Start the command line as another process."""

    def begin(*words: object, limit: Callable[[], None] = _hear_ctrl_c, **options: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "inrcodec", *(str(word) for word in words)]
        settings = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "env": environment, **options}
        return subprocess.Popen(command, preexec_fn=limit, start_new_session=True, **settings)  # noqa: PLW1509

    return begin


@pytest.fixture
def finish(start: Start) -> Finish:
    """Run the command line as another process to its end."""

    def run(*words: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
        with start(*words, **options) as process:
            said = process.communicate(timeout=600)[1]
            return subprocess.CompletedProcess(process.args, process.returncode, b"", said)

    return run


@pytest.fixture
def fitting() -> Callable[[subprocess.Popen[bytes]], str]:
    """Wait until an encode has looked at its target, and fits; what it said so far."""

    def wait(process: subprocess.Popen[bytes]) -> str:
        assert process.stderr is not None
        said = b""
        while b" fit " not in said:
            line = process.stderr.readline()
            assert line, f"it ended, saying {said!r}"
            said += line
        return said.decode()

    return wait


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where results go; nothing else is there."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small picture with something in it."""
    x, y = np.meshgrid(np.linspace(0, 255, 24), np.linspace(0, 255, 16))
    path = tmp_path / "photo.png"
    Image.fromarray(np.stack([x, y, 255 - x], axis=2).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def coded(tmp_path: Path) -> Path:
    """A coded picture of 40 x 25 pixels."""
    path = tmp_path / "coded.inr"
    path.write_bytes((ROOT / "tests" / "golden" / "rgb.inr").read_bytes())
    return path


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """Options of an encode that takes a blink, but for its steps."""
    return TINY


@pytest.fixture
def names() -> Callable[[Path], list[str]]:
    """The names in a folder, hidden ones too."""
    return lambda folder: sorted(path.name for path in folder.iterdir())
