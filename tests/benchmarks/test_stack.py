from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import stack


def test_it_times_one_picture_and_stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "stack.tsv"
    words = "--device cpu --pictures 1,2 --steps 6 --size 16x12 --bpp 8 --layers 1x4 --threads 1 --out"
    monkeypatch.setattr(sys, "argv", ["stack", *words.split(), str(out)])
    stack.main()
    head, machine, columns, *rows = out.read_text().splitlines()
    assert head.startswith("# python -m benchmarks.stack --device cpu")
    assert "CPU" in machine
    assert [row.split("\t")[0] for row in rows] == ["alone", "1", "2"]
    assert all(len(row.split("\t")) == len(columns.split("\t")) for row in rows)


def test_it_times_grids_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "stack.tsv"
    words = "--device cpu --arch grid --engine torch --pictures 2 --steps 4 --size 12x9 --bpp 40 --threads 1 --out"
    monkeypatch.setattr(sys, "argv", ["stack", *words.split(), str(out)])
    stack.main()
    _, machine, columns, *rows = out.read_text().splitlines()
    assert "grid0-" in machine
    assert [row.split("\t")[0] for row in rows] == ["alone", "2"]
    assert all(float(value) > 0 for row in rows for value in row.split("\t")[1:])
    assert all(len(row.split("\t")) == len(columns.split("\t")) for row in rows)
