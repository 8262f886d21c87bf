"""The encoder as a person meets it: other processes, pipes, signals. Each encode is tiny, but real."""

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

from inrcodec.cli.exits import INTERRUPTED

TINY = ("-s", "500", "-e", "1", "-j", "1", "--layers", "2x8", "--set", "steps=20", "--set", "candidates=1")
ENDLESS = (*TINY[:-4], "--set", "steps=1000000", "--set", "candidates=1")

Run = Callable[..., int]
Shell = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.mark.parametrize("mode", ["RGB", "L", "I;16"])
def test_there_and_back(run: Run, tmp_path: Path, mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    ramp = np.add.outer(np.arange(16), np.arange(24)) * 6
    samples = {"RGB": np.stack([ramp] * 3, 2).astype(np.uint8), "L": ramp.astype(np.uint8)}.get(mode)
    Image.fromarray(ramp.astype(np.uint16) * 200 if samples is None else samples).save(tmp_path / "a.png")
    assert run("encode", tmp_path / "a.png", *TINY, "--json", "-q") == 0
    report = json.loads(capsys.readouterr().out)
    assert (tmp_path / "a.inr").stat().st_size == report["bytes"] <= 500
    assert run("decode", tmp_path / "a.inr", "-o", tmp_path / "back.png", "-q") == 0
    assert run("compare", tmp_path / "a.png", tmp_path / "back.png", "--json") == 0
    assert json.loads(capsys.readouterr().out)["psnr"] == pytest.approx(report["psnr"], abs=0.01)


@pytest.mark.parametrize(("activation", "encoding"), [("gelu", "nerf:4"), ("gauss:9", "gauss:8:1.5:3")])
def test_another_network(
    run: Run, photo: Path, activation: str, encoding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--activation", activation, "--encoding", encoding, "--json", "-q")
    assert run("encode", photo, *TINY, *words) == 0
    report = json.loads(capsys.readouterr().out)
    assert run("info", photo.with_suffix(".inr")) == 0
    described = capsys.readouterr().out
    assert activation.split(":", maxsplit=1)[0] in described
    assert encoding in described
    assert run("decode", photo.with_suffix(".inr"), "-o", photo.with_suffix(".back.png"), "-q") == 0
    assert run("compare", photo, photo.with_suffix(".back.png"), "--json") == 0
    assert json.loads(capsys.readouterr().out)["psnr"] == pytest.approx(report["psnr"], abs=0.01)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1)])
def test_the_smallest_pictures(run: Run, tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size, (200, 30, 60)).save(tmp_path / "a.png")
    assert run("encode", tmp_path / "a.png", *TINY, "-q") == 0
    assert run("decode", tmp_path / "a.inr", "-o", tmp_path / "back.png", "-q") == 0
    with Image.open(tmp_path / "back.png") as back:
        assert back.size == size


def test_a_target_that_cannot_be_reached_is_3(run: Run, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("encode", photo, "-s", "20", "-e", "1", "-q") == 3
    assert "bytes" in capsys.readouterr().err
    assert not photo.with_suffix(".inr").exists()


def test_a_log_for_every_input(run: Run, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.png"
    other.write_bytes(photo.read_bytes())
    words = ("encode", photo, other, *TINY, "--log", tmp_path / "log", "--log-images", "-O", tmp_path / "out")
    assert run(*words) == 0
    for name in (photo.stem, "other"):
        assert (tmp_path / "log" / name / "fit.csv").read_text().count("\n") > 5
        assert list((tmp_path / "log" / name / "images").glob("*.png"))
    capsys.readouterr()
    before = (tmp_path / "log" / "other" / "fit.csv").read_bytes()
    assert run(*words[:2], *TINY, "--log", tmp_path / "log", "-o", tmp_path / "new.inr") == 1
    assert "fit.csv" in capsys.readouterr().err
    assert not (tmp_path / "new.inr").exists()
    assert run("encode", other, *TINY, "--log", tmp_path / "log", "-o", tmp_path / "new.inr", "-f") == 0
    assert (tmp_path / "log" / "other" / "fit.csv").read_bytes() != before  # its seconds are others


def test_what_a_log_lacks_without_tensorboard_is_said(
    run: Run, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inrcodec.fit.monitor.events_possible", lambda: False)
    assert run("encode", photo, *TINY, "--log", tmp_path / "log") == 0
    assert "inrcodec[log]" in capsys.readouterr().err


def test_pipes(shell: Shell, photo: Path) -> None:
    coded = shell("encode", "-", *TINY, "-q", input=photo.read_bytes())
    assert (coded.returncode, coded.stderr) == (0, b"")
    drawn = shell("decode", "-", "--format", "ppm", input=coded.stdout)
    assert drawn.returncode == 0
    assert drawn.stdout.startswith(b"P6\n24 16\n255\n")
    assert len(drawn.stdout) == 13 + 24 * 16 * 3


class _Fit:
    """An encode without end, as another process, that has begun to fit."""

    def __init__(self, program: list[str], environment: dict[str, str], photo: Path) -> None:
        self.out = photo.with_suffix(".inr")
        command = [*program, "encode", str(photo), *ENDLESS]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment)
        self.said = b""
        self.wait_for(b"photo.png: ")  # the first line of progress

    def wait_for(self, words: bytes) -> None:
        assert self.process.stderr is not None
        while words not in self.said:
            line = self.process.stderr.readline()
            assert line, f"it ended, saying {self.said!r}"
            self.said += line

    def end(self) -> int:
        self.said += self.process.communicate(timeout=60)[1]
        return self.process.returncode


@pytest.fixture
def fit(program: list[str], environment: dict[str, str], photo: Path) -> _Fit:
    return _Fit(program, environment, photo)


pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")


def test_ctrl_c_once_writes_what_there_is(fit: _Fit, run: Run) -> None:
    time.sleep(0.5)
    fit.process.send_signal(signal.SIGINT)
    assert fit.end() == 0
    assert b"will be written" in fit.said
    assert b"stopped early" in fit.said
    assert fit.out.stat().st_size <= 500
    assert run("verify", fit.out) == 0


def test_ctrl_c_twice_leaves_nothing(fit: _Fit) -> None:
    os.kill(fit.process.pid, signal.SIGSTOP)  # so that it cannot finish between the two
    fit.process.send_signal(signal.SIGINT)
    os.kill(fit.process.pid, signal.SIGCONT)
    fit.wait_for(b"will be written")
    fit.process.send_signal(signal.SIGINT)
    code = fit.end()
    if code == 0:  # it was quicker than the second signal
        assert fit.out.exists()
        pytest.skip("the encoder had finished before the second Ctrl-C")
    assert code == INTERRUPTED
    assert [path.name for path in fit.out.parent.iterdir()] == ["photo.png"]


def test_kill_leaves_nothing_under_the_final_name(fit: _Fit) -> None:
    fit.process.kill()
    assert fit.end() == -signal.SIGKILL
    assert not fit.out.exists()


def test_max_time_writes_the_best_so_far(run: Run, photo: Path) -> None:
    start = time.monotonic()
    assert run("encode", photo, *ENDLESS, "--max-time", "1s", "-q") == 0
    assert time.monotonic() - start < 30
    assert run("verify", photo.with_suffix(".inr")) == 0


def test_a_killed_encode_resumes_to_the_same_bytes(
    shell: Shell, program: list[str], environment: dict[str, str], photo: Path
) -> None:
    settings = (*TINY[:-4], "--set", "steps=1500", "--set", "save_every=0.1", "-q")
    checkpoint, whole, resumed = (photo.with_name(name) for name in ("fit.ckpt", "whole.inr", "resumed.inr"))
    assert shell("encode", photo, *settings, "-o", whole).returncode == 0
    words = ["encode", str(photo), *settings, "-o", str(resumed), "--checkpoint", str(checkpoint), "--resume"]
    with subprocess.Popen([*program, *words], env=environment) as encoder:
        deadline = time.monotonic() + 60
        while not checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        encoder.kill()
    assert not resumed.exists()
    assert shell(*words).returncode == 0
    assert resumed.read_bytes() == whole.read_bytes()
