"""Several pictures fitted together, on the command line. Each encode is tiny, but real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inrcodec.cli.encode_stack import stack_size
from inrcodec.cli.exits import INTERRUPTED

TINY = ("-s", "500", "-e", "1", "-j", "1", "--layers", "2x8", "--set", "steps=20")
ENDLESS = (*TINY[:-2], "--set", "steps=1000000")

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Four of one size, and a smaller one."""
    ramp = np.add.outer(np.arange(16), np.arange(24)) * 6
    samples = [np.stack([ramp, np.roll(ramp, 3 * k, 1), 255 - ramp], 2).astype(np.uint8) for k in range(4)]
    samples.append(samples[0][:9, :7])
    paths = [tmp_path / f"{name}.png" for name in "abcde"]
    for path, pixels in zip(paths, samples, strict=True):
        Image.fromarray(pixels).save(path)
    return paths


def test_all_pictures_are_written_and_reported(run: Run, photos: list[Path], capsys: Capture) -> None:
    stats = photos[0].with_name("stats.json")
    assert run("encode", *photos, *TINY, "--stack", "3", "--json", "--stats", stats) == 0
    captured = capsys.readouterr()
    reports = [json.loads(line) for line in captured.out.splitlines()]
    assert [report["input"] for report in reports] == [str(path) for path in photos]
    assert [json.loads(line) for line in stats.read_text().splitlines()] == reports
    for path, report in zip(photos, reports, strict=True):
        assert path.with_suffix(".inr").stat().st_size == report["bytes"] <= 500
        assert run("verify", path.with_suffix(".inr"), "-q") == 0
    assert "a.png and 2 more: fit" in captured.err  # a, b, c; then d and e, which is of another size, alone
    assert "d.png: fit" in captured.err
    assert "b.png: land" in captured.err
    assert captured.err.splitlines()[-1] == "5 of 5 fine"


def test_latent_grids_are_fitted_together_too(run: Run, photos: list[Path], capsys: Capture) -> None:
    grids = ("-s", "500", "-e", "1", "-j", "1", "--arch", "grid", "--set", "steps=24", "--set", "landing=1")
    assert run("encode", *photos[:2], *grids, "--engine", "torch", "--stack", "3", "--json") == 0
    captured = capsys.readouterr()
    reports = [json.loads(line) for line in captured.out.splitlines()]
    assert [report["arch"].split(":")[0] for report in reports] == ["grid0-1f"] * 2
    assert all(report["bytes"] <= 500 for report in reports)
    assert run("verify", *(path.with_suffix(".inr") for path in photos[:2]), "-q") == 0
    assert "a.png and 1 more: fit" in captured.err
    assert "b.png: fit" not in captured.err
    assert "b.png: land" in captured.err


def test_a_bad_one_does_not_stop_the_others(run: Run, photos: list[Path], capsys: Capture) -> None:
    photos[1].write_bytes(b"no picture")
    photos[2].with_suffix(".inr").write_bytes(b"precious")
    missing = photos[0].with_name("missing.png")
    assert run("encode", *photos[:4], missing, *TINY, "--stack", "9") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "2 of 5 fine, 3 failed"
    assert lines[-4:-1] == [f"{path}  failed" for path in (photos[1], photos[2], missing)]
    assert sum("error:" in line for line in lines) == 3
    assert photos[2].with_suffix(".inr").read_bytes() == b"precious"
    assert run("verify", photos[0].with_suffix(".inr"), photos[3].with_suffix(".inr"), "-q") == 0


def test_what_exists_can_be_skipped(run: Run, photos: list[Path], capsys: Capture) -> None:
    photos[0].with_suffix(".inr").touch()
    assert run("encode", *photos[:3], *TINY, "--stack", "3", "--skip-existing") == 0
    captured = capsys.readouterr().err
    assert "a.png  skipped" in captured
    assert "b.png and 1 more: fit" in captured


def test_a_target_out_of_reach_is_every_picture_s_own(run: Run, photos: list[Path], capsys: Capture) -> None:
    assert run("encode", *photos[:2], "-s", "20", "-e", "1", "--stack", "2", "-q") == 3
    assert capsys.readouterr().err.count("error:") == 2


def test_wrong_usage(run: Run, photos: list[Path], capsys: Capture) -> None:
    assert run("encode", photos[0], "--stack", "2", "--checkpoint", "fit.ckpt") == 2
    assert "excludes --stack" in capsys.readouterr().err
    assert run("encode", *photos, "--stack", "0") == 2
    assert run("encode", *photos[:2], *TINY, "--stack", "2", "--device", "cuda") in (0, 2)  # 2 where there is none


def test_one_picture_is_no_stack() -> None:
    class Request:
        options = None

    assert stack_size(Request(), 1) == 1  # type: ignore[arg-type]


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_ctrl_c_writes_what_was_begun_and_starts_no_more(
    program: list[str], environment: dict[str, str], photos: list[Path], run: Run
) -> None:
    words = ["encode", *(str(path) for path in photos[:4]), *ENDLESS, "--stack", "3"]
    with subprocess.Popen([*program, *words], stderr=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stderr is not None
        while "and 2 more: fit" not in (line := process.stderr.readline()):
            assert line, "it ended"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == INTERRUPTED
    assert said.count("stopped early") == 3
    assert said.splitlines()[-1] == "3 of 4 fine, 1 not started"
    assert run("verify", *(path.with_suffix(".inr") for path in photos[:3]), "-q") == 0
    assert not photos[3].with_suffix(".inr").exists()
