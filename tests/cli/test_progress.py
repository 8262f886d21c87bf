from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from inrcodec.cli import progress as module
from inrcodec.cli.console import Console
from inrcodec.cli.progress import ProgressLine, describe_progress


@dataclass(frozen=True)
class Fake:
    phase: str = "fit"
    step: int = 0
    steps: int = 200
    psnr: float = 27.314
    bpp: float = 0.30012
    multiplier: float = 0.913
    seconds: float = 1.0
    eta: float = 34.0


def _reports(count: int = 200) -> list[Any]:
    return [Fake(step=step) for step in range(count + 1)]


def test_one_line_says_all() -> None:
    text = describe_progress(Fake(step=84))  # type: ignore[arg-type]
    assert text == "fit  42 %  27.31 dB  0.3001 bpp  multiplier 0.91  0:34 left"


def test_what_is_not_known_is_left_out() -> None:
    fake: Any = Fake(step=3, steps=0, psnr=math.nan, bpp=math.nan, multiplier=math.nan, eta=math.inf)
    assert describe_progress(fake) == "fit"


def test_away_from_a_terminal_there_is_a_line_every_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine(Console(), "a.png")
    for report in _reports():
        line(report)
    line.close()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert all(text.startswith("a.png: fit") for text in lines)


def test_each_phase_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine(Console(), "a.png")
    for phase in ("race", "fit", "search"):
        line(Fake(phase=phase))  # type: ignore[arg-type]
    assert [text.split()[1] for text in capsys.readouterr().err.splitlines()] == ["race", "fit", "search"]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine(Console(quiet=True), "a.png")
    for report in _reports():
        line(report)
    line.close()
    assert capsys.readouterr().err == ""


def test_on_a_terminal_one_line_is_redrawn_and_cleared(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(module, "_REDRAW_SECONDS", 0.0)
    line = ProgressLine(Console(), "a.png")
    for report in _reports(5):
        line(report)
    line.close()
    line.close()
    text = capsys.readouterr().err
    assert "\n" not in text
    assert text.count("\r") == 6 + 2  # each report, and once there and back to clear
    assert text.endswith(" \r")


def test_redrawing_is_not_faster_than_the_eye(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    line = ProgressLine(Console(), "a.png")
    for report in _reports():
        line(report)
    assert capsys.readouterr().err.count("\r") < 50
