"""Ctrl-C, once and twice, at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inrcodec.bench.results import read

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="signals are POSIX"),
]

Names = Callable[[Path], list[str]]
ENDED = (130, -signal.SIGINT)
"""Interrupted; the latter where Python itself had not begun yet."""


def press(process: subprocess.Popen[bytes], after: float, times: int) -> str:
    """Press Ctrl-C so many times, so many seconds from now; what was said until the end."""
    time.sleep(after)
    with process:
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.05)
        return process.communicate(timeout=600)[1].decode()


@pytest.mark.parametrize("times", [1, 2])
def test_encodes_stop_at_any_moment(
    photo: Path, folder: Path, start: Any, finish: Any, fitting: Any, names: Names, tiny: Any, times: int
) -> None:  # fmt: skip
    chance, out = random.Random(times), folder / "a.inr"
    words = ("encode", photo, *tiny, "--set", "steps=1000000", "-o", out, "-f", "--checkpoint", folder / "fit.ckpt")
    finished = 0
    for k in range(8):
        out.unlink(missing_ok=True)
        process = start(*words)
        begun = fitting(process) if k % 2 else ""
        said = begun + press(process, chance.uniform(0.2, 1 if begun else 4), times)
        assert process.returncode in (0, *ENDED), said
        assert out.exists() == (process.returncode == 0), said
        assert "internal error" not in said
        if out.exists():
            finished += 1
            assert "stopped early" in said
            assert finish("verify", out).returncode == 0
        assert set(names(folder)) <= {"a.inr", "fit.ckpt"}, said
    assert times == 2 or finished >= 4, "four had begun to fit"


@pytest.mark.parametrize("times", [1, 2])
def test_benches_stop_at_any_moment_and_go_on(
    photo: Path, folder: Path, start: Any, finish: Any, names: Names, environment: dict[str, str], times: int
) -> None:
    chance, out = random.Random(times), folder / "r.tsv"
    words = ("bench", photo, "-c", "jpeg,webp,inr:effort=9", "--bpp", "4,8", "-o", out, "--resume")
    rows = 0
    for _ in range(6):
        process = start(*words)
        said = press(process, chance.uniform(0.2, 4), times)
        assert process.returncode in ENDED, said
        assert "internal error" not in said
        if out.exists():
            assert len(read(out).rows) >= rows
            rows = len(read(out).rows)
        assert set(names(folder)) <= {"r.tsv", "r.files"}, said
    assert rows >= 2
    assert not list(Path(environment["TMPDIR"]).glob("inrcodec-bench-*/rows.tsv"))
    assert finish("bench", photo, "-c", "jpeg,webp", "--bpp", "4,8", "-o", out, "--resume").returncode == 0
    assert len(read(out).rows) == 4
