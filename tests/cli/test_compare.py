from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inrcodec.cli.compare import alike, distance
from inrcodec.errors import ImageError
from inrcodec.pixels import Pixels

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]


def _noise(path: Path, seed: int, size: int = 170) -> Path:
    samples = np.random.default_rng(seed).integers(100, 140, (size, size, 3), dtype=np.uint8)
    Image.fromarray(samples).save(path)
    return path


def test_two_pictures(run: Run, tmp_path: Path, capsys: Capture) -> None:
    a, b = _noise(tmp_path / "a.png", 1), _noise(tmp_path / "b.png", 2)
    assert run("compare", a, b) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("PSNR ")
    assert first.endswith(" dB")
    assert second.startswith("MS-SSIM  0.")


def test_equal_pictures(run: Run, tmp_path: Path, capsys: Capture) -> None:
    a = _noise(tmp_path / "a.png", 1)
    assert run("compare", a, a) == 0
    assert "inf (equal)" in capsys.readouterr().out
    assert run("compare", a, a, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["psnr"] is None
    assert record["ms_ssim"] == pytest.approx(1.0)


def test_coded_files_are_decoded(run: Run, coded: Path, photo: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run("compare", photo, coded) == 0
    text = capsys.readouterr().out
    assert "MS-SSIM  not defined" in text
    assert run("decode", coded, "-q", "-o", tmp_path / "drawn.png") == 0
    assert run("compare", photo, tmp_path / "drawn.png") == 0
    assert capsys.readouterr().out == text


def test_what_cannot_be_compared(run: Run, coded: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run("compare", coded, _noise(tmp_path / "a.png", 1)) == 1
    assert "differ in size" in capsys.readouterr().err
    assert run("compare", coded, tmp_path / "missing.png") == 1
    (tmp_path / "damaged.inr").write_bytes(coded.read_bytes()[:-1])
    assert run("compare", coded, tmp_path / "damaged.inr") == 4
    assert run("compare", coded) == 2


def test_hidden_colours_do_not_count(run: Run, tmp_path: Path, capsys: Capture) -> None:
    samples = np.random.default_rng(1).integers(0, 256, (9, 12, 4), dtype=np.uint8)
    samples[:, :6, 3] = 0
    other = samples.copy()
    other[:, :6, :3] = 77
    other[0, 0, 3] = 9
    for name, array in (("a", samples), ("b", other), ("opaque", samples[:, :, :3])):
        Image.fromarray(array).save(tmp_path / f"{name}.png")
    assert run("compare", tmp_path / "a.png", tmp_path / "b.png") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "PSNR     inf (equal)"
    assert lines[2] == f"alpha    {10 * np.log10(255**2 * 108 / 81):.3f} dB"
    assert run("compare", tmp_path / "a.png", tmp_path / "b.png", "--json") == 0
    assert json.loads(capsys.readouterr().out)["alpha_psnr"] == pytest.approx(49.38, abs=0.01)
    assert run("compare", tmp_path / "a.png", tmp_path / "opaque.png") == 0
    text = capsys.readouterr().out
    assert "inf (equal)" in text
    assert "alpha" not in text
    assert run("compare", tmp_path / "b.png", tmp_path / "opaque.png") == 0
    assert "inf" not in capsys.readouterr().out


def test_hidden_colours_do_not_count_for_similarity() -> None:
    samples = np.random.default_rng(1).integers(0, 256, (170, 170, 4), dtype=np.uint8)
    samples[:, 30:, 3] = 0
    other = samples.copy()
    other[:, 30:, :3] = 77
    a, b = Pixels.of(samples, 8), Pixels.of(other, 8)
    assert distance(a, b, similarity=True).ms_ssim == pytest.approx(1)
    assert distance(Pixels(a.array), Pixels(b.array), similarity=True).ms_ssim < 0.9


def test_kinds_are_brought_together() -> None:
    gray8 = Pixels(np.full((2, 2, 1), 255, np.uint8))
    rgb16 = Pixels(np.full((2, 2, 3), 65535, np.uint16), 16)
    a, b = alike(gray8, rgb16)
    assert a.shape == b.shape == (2, 2, 3)
    np.testing.assert_array_equal(a, b)
    with pytest.raises(ImageError, match="differ in size"):
        alike(gray8, Pixels(np.zeros((2, 3, 1), np.uint8)))
