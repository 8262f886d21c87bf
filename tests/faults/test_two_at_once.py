"""Two programs that want one name at the same time."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="signals are POSIX"),
]

Names = Callable[[Path], list[str]]


@pytest.mark.parametrize("force", [False, True])
def test_encoders(
    photo: Path, folder: Path, start: Any, finish: Any, fitting: Any, names: Names, tiny: Any,
    environment: dict[str, str], force: bool,
) -> None:  # fmt: skip
    out = folder / "a.inr"
    words = ("encode", photo, *tiny, "--set", "steps=1000000", "-o", out, *(["-f"] if force else []))
    both = [start(*words, "--seed", seed) for seed in (1, 2)]
    for process in both:
        fitting(process)
    for process in both:
        process.send_signal(signal.SIGINT)
    said = [process.communicate(timeout=600)[1].decode() for process in both]
    assert sorted(process.returncode for process in both) == ([0, 0] if force else [0, 1]), said
    assert names(folder) == ["a.inr"]
    assert finish("verify", out).returncode == 0
    kept = list(Path(environment["TMPDIR"]).glob("inrcodec-*/a.inr"))
    if force:
        assert not kept
        return
    (loser,) = (text for process, text in zip(both, said, strict=True) if process.returncode)
    assert f"{out}: exists already (-f overwrites it); the finished file is kept as {kept[0]}" in loser
    assert finish("verify", kept[0]).returncode == 0
