"""The bench of scalable files: what it writes down, and that it goes on where it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import benchmarks.scalable as bench
from benchmarks.command import run


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two small pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    y, x = np.mgrid[0:32, 0:40]
    for k in range(2):
        array = np.stack([x * 6, y * 7, (x + k * y) * 3], -1).astype(np.uint8)
        Image.fromarray(array).save(folder / f"{k}.png")
    return folder


def test_cuts_are_compared_with_files_of_their_own(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hurried(command: str, *words: str) -> str:
        return run(command, *words, *(("--set", "steps=60") if command == "encode" else ()))

    monkeypatch.setattr(bench, "run", hurried)
    out = tmp_path / "table.tsv"
    words = ["--images", "2", "--bpp", "8", "--cuts", "5,8", "--effort", "1"]
    bench.main([*words, "--pictures", str(pictures), "--out", str(out)])
    rows = bench.read(out)
    assert [(row["picture"], row["bpp"]) for row in rows] == [("1", "5"), ("1", "8")]
    for row in rows:
        assert max(int(row["cut_bytes"]), int(row["own_bytes"])) <= float(row["bpp"]) * 32 * 40 / 8
        assert float(row["loss_db"]) == pytest.approx(float(row["own_psnr"]) - float(row["cut_psnr"]), abs=1e-3)
    assert float(rows[0]["cut_psnr"]) <= float(rows[1]["cut_psnr"])


def test_a_table_is_gone_on_with(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []

    def measured(path: Path, cuts: list[str], *_: object) -> list[bench.Row]:
        asked.append((path.stem, tuple(cuts)))
        found = ("10", "30.0", "10", "31.5", "1.5")
        return [dict(zip(bench.COLUMNS, (path.stem, cut, *found), strict=True)) for cut in cuts]

    monkeypatch.setattr(bench, "measure", measured)
    words = ["--pictures", str(pictures), "--out", str(tmp_path / "table.tsv"), "--cuts"]
    bench.main([*words, "0.1"])
    bench.main([*words, "0.1,0.3"])
    assert asked == [("0", ("0.1",)), ("1", ("0.1",)), ("0", ("0.3",)), ("1", ("0.3",))]
    lines = (tmp_path / "table.tsv").read_text().splitlines()
    assert lines[0].startswith("# python -m benchmarks.scalable")
    assert [line.split("\t")[-1] for line in lines if line.startswith("mean")] == ["1.5000", "1.5000"]


def test_files_of_one_size_can_be_those_of_an_older_table(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, ...]] = []

    def noted(command: str, *words: str) -> str:
        calls.append((command, *words))
        return run(command, *words, *(("--set", "steps=30") if command == "encode" else ()))

    monkeypatch.setattr(bench, "run", noted)
    older, out = tmp_path / "older.tsv", tmp_path / "table.tsv"
    known = dict.fromkeys(bench.COLUMNS, "1") | {"picture": "0", "bpp": "5", "own_bytes": "700", "own_psnr": "99.5"}
    bench.write(older, "", [known])
    words = ["--bpp", "8", "--cuts", "5", "--effort", "1", "--workers", "2", "--own", str(older)]
    bench.main([*words, "--pictures", str(pictures), "--out", str(out)])
    first, second = bench.read(out)
    assert (first["picture"], first["own_bytes"], first["own_psnr"]) == ("0", "700", "99.5")
    assert float(first["loss_db"]) == pytest.approx(99.5 - float(first["cut_psnr"]), abs=1e-3)
    assert float(second["own_psnr"]) < 99
    encodes = [call for call in calls if call[0] == "encode"]
    assert sorted("--scalable" in call for call in encodes) == [False, True, True]
    assert all(call[call.index("--threads") + 1] == "1" for call in encodes)
