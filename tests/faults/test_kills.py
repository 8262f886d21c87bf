"""kill -9 at random moments: never a half of anything, never in the way of the next run, and --resume goes on."""

from __future__ import annotations

import contextlib
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

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")

Names = Callable[[Path], list[str]]


def whole_seconds(run: Callable[[], subprocess.CompletedProcess[bytes]]) -> float:
    """How long it takes when nobody kills it; the first time only warms up."""
    assert run().returncode == 0
    start = time.monotonic()
    assert run().returncode == 0
    return time.monotonic() - start


def kill_within(process: subprocess.Popen[bytes], seconds: float, chance: random.Random) -> bool:
    """Kill it at a moment of the next so many seconds; whether it was still there. Machines are busy at times and idle
    at others, so that callers count kills and not attempts.
    """
    with process:
        try:
            process.communicate(timeout=chance.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    return process.returncode == -signal.SIGKILL


def check_strays(folder: Path, expected: set[str], names: Names) -> None:
    """Nothing lies about but what a kill in mid-write may leave, and its name says whose it is."""
    others = set(names(folder)) - expected
    assert all(name.startswith(".inrcodec-") and name.endswith(".tmp") for name in others), others


def children_in(folder: str) -> list[str]:
    """Command lines of processes that work below a folder, where the system tells."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.append(path.read_bytes().decode(errors="replace").replace("\0", " "))
    return [line for line in found if f"{folder}/inrcodec-bench-" in line]


def kill_decodes(times: int, coded: Path, folder: Path, start: Any, finish: Any, names: Names) -> None:
    """Kill that many decodes, and look each time."""
    chance, out = random.Random(1), folder / "a.ppm"
    words = ("decode", coded, "--scale", "20", "-q", "-f", "-o")
    seconds = whole_seconds(lambda: finish(*words, folder / "whole.ppm"))
    whole, killed, rounds = (folder / "whole.ppm").read_bytes(), 0, 0
    while killed < times:
        rounds += 1
        out.unlink(missing_ok=True)
        killed += kill_within(start(*words, out), seconds, chance)
        assert not out.exists() or out.read_bytes() == whole
        check_strays(folder, {"a.ppm", "whole.ppm"}, names)
        assert rounds < 10 * times
    assert finish(*words, out).returncode == 0
    assert out.read_bytes() == whole


def test_a_few_killed_decodes(coded: Path, folder: Path, start: Any, finish: Any, names: Names) -> None:
    kill_decodes(2, coded, folder, start, finish, names)


@pytest.mark.slow
def test_many_killed_decodes(coded: Path, folder: Path, start: Any, finish: Any, names: Names) -> None:
    kill_decodes(30, coded, folder, start, finish, names)


@pytest.mark.slow
def test_killed_encodes(photo: Path, folder: Path, start: Any, finish: Any, names: Names, tiny: Any) -> None:
    chance, out = random.Random(2), folder / "a.inr"
    words = ("encode", photo, *tiny, "--set", "steps=300", "-q", "-o")
    seconds = whole_seconds(lambda: finish(*words, folder / "whole.inr", "-f"))
    whole, killed, rounds = (folder / "whole.inr").read_bytes(), 0, 0
    while killed < 10:
        rounds += 1
        out.unlink(missing_ok=True)
        killed += kill_within(start(*words, out), seconds, chance)
        assert not out.exists() or out.read_bytes() == whole
        check_strays(folder, {"a.inr", "whole.inr"}, names)
        assert rounds < 100
    assert finish(*words, out, "-f").returncode == 0
    assert out.read_bytes() == whole


@pytest.mark.slow
def test_an_encode_that_is_killed_again_and_again_comes_to_the_same_bytes(
    photo: Path, folder: Path, start: Any, finish: Any, names: Names, tiny: Any
) -> None:
    chance, out, kept = random.Random(3), folder / "a.inr", folder / "fit.ckpt"
    words = ("encode", photo, *tiny, "--set", "steps=500", "--set", "save_every=0.01", "-q", "-o")
    seconds = whole_seconds(lambda: finish(*words, folder / "whole.inr", "-f"))
    whole, killed, rounds = (folder / "whole.inr").read_bytes(), 0, 0
    while killed < 20:
        rounds += 1
        process = start(*words, out, "--checkpoint", kept, "--resume")
        if kill_within(process, seconds, chance):
            killed += 1
        else:
            assert process.returncode == 0
            kept.unlink()
        assert process.returncode or out.exists()
        if out.exists():  # perhaps killed right after it was written
            assert out.read_bytes() == whole
            out.unlink()
        check_strays(folder, {"a.inr", "whole.inr", "fit.ckpt"}, names)
        assert rounds < 100
    assert finish(*words, out, "--checkpoint", kept, "--resume").returncode == 0
    assert out.read_bytes() == whole


@pytest.mark.slow
def test_a_bench_that_is_killed_again_and_again_comes_to_the_same_table(
    photo: Path, folder: Path, start: Any, finish: Any, names: Names, environment: dict[str, str]
) -> None:
    chance, out = random.Random(4), folder / "r.tsv"
    (folder / "other").mkdir()
    photos = [photo, folder / "other" / "second.png"]
    photos[1].write_bytes(photo.read_bytes())
    words = ("bench", *photos, "-c", "jpeg,webp", "--bpp", "4,8", "--sweep", "-j", "2", "-q", "-o")
    seconds = whole_seconds(lambda: finish(*words, folder / "whole.tsv", "-f"))
    killed, rounds, rows = 0, 0, 0
    while killed < 15:
        rounds += 1
        process = start(*words, out, "--resume")
        if not kill_within(process, 0.8 * seconds, chance):
            assert process.returncode == 0
            out.unlink()
            rows = 0
        killed += process.returncode == -signal.SIGKILL
        if out.exists():
            results = read(out)
            assert len(results.rows) >= rows  # nothing that was measured is lost
            rows = len(results.rows)
            for row in results.rows:
                assert not row.error
        check_strays(folder, {"other", "r.tsv", "r.files", "whole.tsv", "whole.files"}, names)
        assert rounds < 100
    assert finish(*words, out, "--resume").returncode == 0
    told = [[(row.picture, row.codec, row.kind, row.setting, row.bytes, row.psnr) for row in read(path).rows]
            for path in (out, folder / "whole.tsv")]  # fmt: skip
    assert told[0] == told[1]
    assert len(told[0]) > 8
    for path in (folder / "whole.files").iterdir():
        assert (folder / "r.files" / path.name).read_bytes() == path.read_bytes()
    assert all(path.name.startswith("inrcodec-bench-") for path in Path(environment["TMPDIR"]).iterdir())
    patience = 100
    while patience and (left := children_in(environment["TMPDIR"])):
        time.sleep(0.05)
        patience -= 1
    assert patience, f"outlived their parent: {left}"
