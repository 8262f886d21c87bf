from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]


def test_whole_files_are_ok(run: Run, coded: Path, capsys: Capture) -> None:
    assert run("verify", coded) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{coded}: ok, 24 x 16, {coded.stat().st_size} bytes")
    assert "dB" not in text


def test_against_the_original(run: Run, coded: Path, photo: Path, capsys: Capture) -> None:
    assert run("verify", coded, "--against", photo) == 0
    assert capsys.readouterr().out.rstrip().endswith(" dB")


def test_against_what_is_no_comparison(run: Run, coded: Path, tmp_path: Path, capsys: Capture) -> None:
    Image.new("RGB", (5, 5)).save(tmp_path / "other.png")
    assert run("verify", coded, "--against", tmp_path / "other.png") == 1
    assert "differ in size: 24 x 16 and 5 x 5" in capsys.readouterr().err
    assert run("verify", coded, "--against", tmp_path / "missing.png") == 1


def test_every_bit_counts(run: Run, coded: Path, coded_bytes: bytes, capsys: Capture) -> None:
    for position in range(0, len(coded_bytes), 7):
        damaged = bytearray(coded_bytes)
        damaged[position] ^= 1 << position % 8
        coded.write_bytes(bytes(damaged))
        assert run("verify", coded) == 4, position
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "internal error" not in captured.err


def test_one_bad_file_of_several(run: Run, coded: Path, tmp_path: Path, capsys: Capture) -> None:
    bad = tmp_path / "bad.inr"
    bad.write_bytes(coded.read_bytes()[:20])
    assert run("verify", coded, bad, coded) == 4
    captured = capsys.readouterr()
    assert captured.out.count(": ok,") == 2
    assert "2 of 3 fine, 1 failed" in captured.err
