from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks import demo, rd
from benchmarks.jpeg import largest_within
from benchmarks.panels import Panel, side_by_side


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    pytest.importorskip("matplotlib")
    return demo.photograph()


def test_the_photograph_is_there(photo: Image.Image) -> None:
    assert (photo.size, photo.mode) == ((512, 600), "RGB")


def test_jpeg_is_the_largest_that_fits(photo: Image.Image) -> None:
    small = photo.resize((64, 75))
    best = largest_within(small, 900)
    assert best.fits
    assert len(best.data) <= 900
    again = largest_within(small, len(best.data) - 1)
    assert again.quality < best.quality
    assert best.image.size == small.size


def test_jpeg_that_cannot_fit_says_so(photo: Image.Image) -> None:
    best = largest_within(photo.resize((64, 75)), 10)
    assert (best.fits, best.quality) == (False, 1)


def test_sheet_holds_all_panels(photo: Image.Image) -> None:
    sheet = side_by_side([Panel(photo, name, "figures " * 20) for name in ("one", "two", "three")])
    assert sheet.width > 3 * photo.width
    assert sheet.height > photo.height
    assert sheet.getpixel((1, 1)) == (255, 255, 255)


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    demo.print_table((demo.Row("inrcodec", 11000, 307200, 28.125, 60.0, 0.7),))
    head, line = capsys.readouterr().out.strip("\n").splitlines()
    assert head.split() == ["bytes", "bpp", "PSNR", "encode", "decode"]
    assert line.split() == ["inrcodec", "11,000", "0.2865", "28.12", "dB", "60.0", "s", "0.70", "s"]


def test_results_are_measured_on_files_and_pixels(
    tmp_path: Path, photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "small.png"
    photo.resize((32, 40)).save(picture)
    calls: list[Any] = []

    def fake(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        out = Path(command[command.index("-o") + 1])
        out.write_bytes(bytes(100) if "encode" in command else picture.read_bytes())
        report = {"arch": "2x8", "psnr": 30.0, "params": 115, "kept": 100, "steps": 20}
        return subprocess.CompletedProcess(command, 0, json.dumps(report))

    monkeypatch.setattr(subprocess, "run", fake)
    out = tmp_path / "rd.tsv"
    words = [str(picture), "--bpp", "1.0,2.0", "--codecs", "l0,jpeg", "--extra=--seed 3", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["rd", *words])
    rd.main()
    head, *lines = [line.split("\t") for line in out.read_text().splitlines()[1:]]
    rows = [dict(zip(head, line, strict=True)) for line in lines]
    expected = [("l0", "1.0000"), ("jpeg", "1.0000"), ("l0", "2.0000"), ("jpeg", "2.0000")]
    assert [(row["codec"], row["target_bpp"]) for row in rows] == expected
    assert (rows[0]["bytes"], rows[0]["bpp"], rows[0]["use"]) == ("100", "0.6250", "0.6250")
    assert (rows[0]["psnr"], rows[0]["reported"]) == ("inf", "30.0000")
    assert "--seed" in calls[0]

    calls.clear()
    kept = "\n".join(out.read_text().splitlines()[:-2]) + "\n"  # as if killed before the last two rows
    out.write_text(kept)
    rd.main()
    assert len(calls) == 2  # one encode, one decode: finished rows are not measured again
    assert out.read_text().startswith(kept)
    assert len(out.read_text().splitlines()) == 6
