"""The bench of large pictures, on a small one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.engine import ROOT
from benchmarks.large import OFFSET, paste, seams


def _folder(path: Path) -> Path:
    """Two pictures of 300 x 200 and one that stands upright."""
    for k, shape in enumerate([(200, 300, 3), (300, 200, 3), (200, 300, 3)]):
        Image.fromarray(np.full(shape, 60 * (k + 1), np.uint8)).save(path / f"{k}.png")
    return path


def test_photographs_lie_side_by_side_from_corner_to_corner(tmp_path: Path) -> None:
    joints = paste(0.48, str(_folder(tmp_path)), str(tmp_path / "large.png"))
    drawn = np.asarray(Image.open(tmp_path / "large.png"))
    assert drawn.shape == (600, 800, 3)
    assert drawn[0, 0, 0] == 60
    assert drawn[0, 300 - OFFSET - 1, 0] == 60
    assert drawn[0, 300 - OFFSET, 0] == 120
    assert [meet[0] for meet in joints] == [200 - OFFSET, 300 - OFFSET]


@pytest.mark.parametrize(("worse", "ratio"), [(False, 1.0), (True, 4.0)])
def test_seams_are_compared_with_what_is_beside_them(tmp_path: Path, worse: bool, ratio: float) -> None:
    source, drawn = np.full((256, 256, 3), 100, np.uint8), np.full((256, 256, 3), 102, np.uint8)
    if worse:
        drawn[124:132] = drawn[:, 124:132] = 104
    paths = [str(tmp_path / name) for name in ("a.png", "b.png")]
    for path, array in zip(paths, (source, drawn), strict=True):
        Image.fromarray(array).save(path)
    found = seams(paths[0], paths[1], tile="128")
    assert (found["tiles"], found["seams"]) == (4, pytest.approx(ratio))
    if worse:  # only along a row: that counts, unless photographs meet there
        drawn[:124, 124:132] = drawn[132:, 124:132] = 102
        Image.fromarray(drawn).save(paths[1])
        assert seams(paths[0], paths[1], "128", joints=[[160], []])["seams"] == pytest.approx(1.0)
        assert seams(paths[0], paths[1], "128", joints=[[169], []])["seams"] > 2


def test_a_picture_is_coded_measured_and_written_down(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    words = ["--sizes", "0.01", "--effort", "1", "--bpp", "2", "--pictures", str(_folder(folder))]
    # Not called here: what it starts would count the memory of all these tests as its own.
    command = [sys.executable, "-m", "benchmarks.large", *words, "--out", str(tmp_path / "large.tsv")]
    subprocess.run(command, check=True, cwd=ROOT)
    *head, names, row = (tmp_path / "large.tsv").read_text().splitlines()
    assert head[0].startswith("# python -m benchmarks.large")
    line = dict(zip(names.split("\t"), row.split("\t"), strict=True))
    assert (line["width"], line["tiles"], line["seams"]) == ("115", "1", "nan")
    assert float(line["encode_mb"]) > float(line["decode_mb"]) > 10
