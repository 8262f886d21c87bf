"""The bench of recipes: curves of a fit, the file they end with, and that it goes on where it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import benchmarks.recipes as bench
from benchmarks.summary import rows as rows_of


def test_curves_end_with_a_real_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = np.mgrid[0:24, 0:32]
    picture = tmp_path / "small.png"
    Image.fromarray(np.stack([x * 7, y * 9, (x + y) * 4], -1).astype(np.uint8)).save(picture)
    out, plot = tmp_path / "table.tsv", tmp_path / "plot.png"
    words = [str(picture), "--recipes", "coin", "--out", str(out), "--plot", str(plot), "--bpp"]
    extra = ["--max-time", "60s", "--extra", "--set steps=40 --set lr=2e-2 --layers 1x6"]
    bench.main([*words, "6", *extra])
    *fit, file = rows_of(out)
    assert [row["bytes"] for row in fit] == [""] * len(fit)
    steps = [int(row["step"]) for row in fit]
    assert steps == sorted(steps)
    assert len(steps) > 10
    assert float(fit[-1]["psnr"]) > float(fit[0]["psnr"])
    assert 0 < int(file["bytes"]) <= 6 * 24 * 32 / 8
    assert plot.read_bytes().startswith(b"\x89PNG")

    def unexpected(*words: object) -> list[tuple[str, ...]]:
        assert words[2] == "7"
        rate = str(words[2])
        return [("coin", "small", rate, "1", "1.0", "20.0", ""), ("coin", "small", rate, "2", "2.0", "20.5", "99")]

    monkeypatch.setattr(bench, "run", unexpected)
    bench.main([*words, "6,7", *extra])
    assert [row["bpp"] for row in rows_of(out)[-2:]] == ["7", "7"]
    assert len(rows_of(out)) == len(fit) + 3


def test_pictures_in_lock_step_have_files_and_no_curves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    y, x = np.mgrid[0:24, 0:32]
    pictures = [tmp_path / f"{name}.png" for name in ("one", "two")]
    for k, path in enumerate(pictures):
        Image.fromarray(np.stack([x * 7, y * (9 - k), (x + y) * 4], -1).astype(np.uint8)).save(path)
    out = tmp_path / "table.tsv"
    words = ["--recipes", "coin,struempler-basic", "--bpp", "6", "--stack", "2", "--out", str(out)]
    settings = "--set steps=30 --set lr=2e-2 --set adaround_steps=20 --set qat_steps=20 --layers 1x6"
    bench.main([*map(str, pictures), *words, "--extra", f"--engine torch {settings}"])
    rows = rows_of(out)
    assert [(row["recipe"], row["picture"]) for row in rows] == [
        (recipe, name) for recipe in ("coin", "struempler-basic") for name in ("one", "two")
    ]
    assert all(row["step"] == "30" and 0 < int(row["bytes"]) <= 576 for row in rows)
    assert "| coin | 6 | 2 | 30 |" in capsys.readouterr().out
