from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import budgets
from benchmarks.budgets import COLUMNS, CONSTRAINED, FIXED, main, markdown
from benchmarks.summary import rows


def _line(picture: str, fit: str, soft: str, end: str, psnr: str) -> str:
    return f"{picture}\t0.3\t{fit}\t0.01\t{soft}\t0\t{end}\t99\t0.99\t{psnr}\t1"


def test_the_table_compares_with_the_best_fixed_price_of_each_picture(tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv"
    lines = [
        "\t".join(COLUMNS),
        _line("a", CONSTRAINED, "1.02", "0.99", "30"),
        _line("a", FIXED, "1.1", "1.1", "27"),
        _line("a", FIXED, "1.0", "1.0", "30.5"),
        _line("b", CONSTRAINED, "0.98", "0.97", "40"),
        _line("b", FIXED, "1.0", "1.0", "39.7"),
    ]
    path.write_text("# command\n" + "\n".join(lines) + "\n")
    assert markdown(path).splitlines()[2:] == [
        "| 0.3 | 98.0 to 102.0 % | 97.0 to 99.0 % | 99.0 to 99.0 % | -0.10 dB (-0.50 to +0.30) |"
    ]


def test_fits_are_measured_once_and_fixed_prices_come_nearer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    y, x = np.mgrid[:24, :32]
    waves = 127 + 100 * np.sin(x / 3 + y / 5) + np.random.default_rng(0).normal(0, 9, (24, 32))
    Image.fromarray(np.stack([waves, waves[::-1], waves[:, ::-1]], -1).clip(0, 255).astype(np.uint8)).save(
        tmp_path / "p.png"
    )
    monkeypatch.setattr(budgets, "_NEAR", 0.0)
    out = tmp_path / "rows.tsv"
    command = [str(tmp_path / "p.png"), "--bpp", "8", "--effort", "1", "--set", "steps=60", "--out", str(out)]
    main(command)
    table = capsys.readouterr().out
    found = list(rows(out))
    assert [row["fit"] for row in found] == [CONSTRAINED, FIXED, FIXED, FIXED]
    constrained, *fixed = found
    assert fixed[0]["price"] == constrained["price"]
    assert all(int(row["bytes"]) <= 768 for row in found)
    assert all(row["held"] == "0" for row in fixed)
    assert all(float(row["end"]) > 0 for row in found)
    for row, after in itertools.pairwise(fixed):
        assert (float(after["price"]) > float(row["price"])) == (float(row["soft"]) > 1)
    main(command)
    assert capsys.readouterr().out == table
    assert list(rows(out)) == found
