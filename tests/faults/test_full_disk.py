"""No room: nothing is left half-written, what was there stays, and the message says what to do."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inrcodec import atomic
from inrcodec.atomic import atomic_write
from inrcodec.bench.results import append, read, write
from inrcodec.cli.main import run
from inrcodec.errors import InrError
from tests.bench.rows import a_row

resource = pytest.importorskip("resource", reason="limits on files are POSIX")

Names = Callable[[Path], list[str]]
ROOM = 1 << 20
"""More than the runner of these tests writes itself in a process with this limit."""


@contextlib.contextmanager
def room(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes; the system really writes the first of them."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Callable[[], None]:
    """From its call on there is no room in the folder."""
    real = atomic._create

    def create(path: Path) -> int:
        if path.parent == folder:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return real(path)

    return lambda: monkeypatch.setattr(atomic, "_create", create)


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder for temporary files."""
    path = tmp_path / "scratch"
    path.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(path))
    return path


@pytest.mark.parametrize("there", [False, True])
def test_a_write_that_ends_halfway(folder: Path, names: Names, there: bool) -> None:
    path = folder / "a"
    if there:
        path.write_bytes(b"old")
    with room(ROOM), pytest.raises(OSError, match=r"[Ff]ile too large") as caught:
        atomic_write(path, bytes(2 * ROOM), overwrite=True)
    assert caught.value.filename == str(path)
    assert names(folder) == (["a"] if there else [])
    assert not there or path.read_bytes() == b"old"


def test_devices_without_room_are_named(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(OSError, match="/dev/full"):
        atomic_write(Path("/dev/full"), b"data", overwrite=False)


def test_decode_says_what_to_do_and_goes_well_later(coded: Path, folder: Path, names: Names, finish: Any) -> None:
    words = ("decode", coded, "-o", folder / "a.ppm", "-q")
    starved = finish(*words, limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))
    assert starved.returncode == 1
    assert f"{folder / 'a.ppm'}: File too large (make room, or write elsewhere)" in starved.stderr.decode()
    assert names(folder) == []
    assert finish(*words).returncode == 0
    assert names(folder) == ["a.ppm"]


@pytest.mark.parametrize("words", [("decode", "-o", "-", "-q"), ("info",), ("info", "--json")], ids="-".join)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_full_standard_output(
    coded: Path, finish: Any, environment: dict[str, str], words: tuple[str, ...], unbuffered: str
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    environment["PYTHONUNBUFFERED"] = unbuffered
    with Path("/dev/full").open("wb") as full:
        done = finish(*words, coded, stdout=full)
    assert done.returncode == 1
    assert done.stderr.decode().count("\n") == 1
    assert "No space left on device" in done.stderr.decode()


def test_what_encode_made_is_kept_elsewhere(
    photo: Path, folder: Path, scratch: Path, full: Callable[[], None], names: Names, tiny: tuple[str, ...],
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from inrcodec import encoder

    real = encoder.encode_pixels

    def encode_pixels(*args: Any, **kwargs: Any) -> Any:
        encoded = real(*args, **kwargs)
        full()
        return encoded

    monkeypatch.setattr(encoder, "encode_pixels", encode_pixels)
    words = ["encode", str(photo), "-o", str(folder / "a.inr"), *tiny, "--set", "steps=20", "-q"]
    assert run(words) == 1
    said = capsys.readouterr().err
    assert f"{folder / 'a.inr'}: No space left on device (make room, or write elsewhere)" in said
    (kept,) = scratch.glob("inrcodec-*/a.inr")
    assert f"the finished file is kept as {kept}" in said
    assert names(folder) == []
    assert run(["verify", str(kept)]) == 0


def test_where_nothing_can_be_kept_the_first_error_counts(
    folder: Path, full: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from inrcodec.cli.rescue import or_rescue

    full()
    monkeypatch.setattr("tempfile.tempdir", str(folder / "missing"))
    with pytest.raises(OSError, match="No space left") as caught, or_rescue(b"data", "a.inr"):
        atomic_write(folder / "a.inr", b"data", overwrite=False)
    assert caught.value.filename == str(folder / "a.inr")


def test_a_checkpoint_without_room_stops_the_fit_and_the_last_one_stays(folder: Path, names: Names) -> None:
    import torch

    from inrcodec.fit.checkpoint import Journal

    class Fit:
        def __init__(self, size: int) -> None:
            self.state = torch.zeros(size)

        def state_dict(self) -> dict[str, Any]:
            return {"state": self.state}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.state = state["state"]

    journal = Journal(folder / "fit.ckpt", "me", 0, resume=False, restore=dict)
    with room(ROOM), pytest.raises(InrError, match=r"fit\.ckpt: cannot keep the checkpoint: File too large$"):
        journal.keep("first", Fit(ROOM), {})
    assert names(folder) == []
    journal.keep("first", Fit(10), {})
    with room(ROOM), pytest.raises(InrError, match="the last one is still there, --resume goes on from it"):
        journal.keep("first", Fit(ROOM), {})
    assert names(folder) == ["fit.ckpt"]
    fit = Fit(0)
    assert Journal(folder / "fit.ckpt", "me", 0, resume=True, restore=dict).restore("first", fit)
    assert fit.state.numel() == 10


def test_rows_are_added_whole_or_not_at_all(folder: Path) -> None:
    path = folder / "r.tsv"
    from inrcodec.bench.results import Results

    write(path, Results({"note": "x" * ROOM}, (a_row("a", "webp", 0.3, 30.0),)))
    before = path.read_bytes()
    sweep = [a_row("a", "jpeg", None, 20.0 + q, bpp=q / 10, setting=f"quality {q}") for q in range(40)]
    for extra in (1, 100, 1000):  # room for a part of the rows
        with room(len(before) + extra), pytest.raises(OSError, match=r"r\.tsv"):
            append(path, sweep)
        assert path.read_bytes() == before
    append(path, sweep)
    assert [row.codec for row in read(path).rows] == ["webp"] + ["jpeg"] * 40


def test_bench_says_how_to_go_on(
    photo: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from inrcodec.bench import results, runner

    real, calls = results.append, []

    def append_once(path: Path, rows: Any) -> None:
        calls.append(rows)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        real(path, rows)

    monkeypatch.setattr(runner, "append", append_once)
    out = folder / "r.tsv"
    words = ["bench", str(photo), "-c", "jpeg,webp", "--bpp", "8", "-o", str(out), "-q"]
    assert run(words) == 1
    said = capsys.readouterr().err
    assert f"{out}: No space left on device (make room, or write elsewhere); 1 of 2 are in {out}" in said
    assert "the same with --resume goes on" in said
    assert len(read(out).rows) == 1
    assert run([*words, "--resume"]) == 0
    assert len(read(out).rows) == 2
    assert len(calls) == 3
    assert all(np.isfinite(row.psnr) for row in read(out).rows)
