from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from inrcodec.format.stream import Stream, pack
from inrcodec.net.layered import LayeredArch

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]
MakeStream = Callable[..., Stream]


@pytest.fixture
def layered(tmp_path: Path, make_grid_stream: MakeStream) -> Path:
    """A file in three layers."""
    path = tmp_path / "layered.inr"
    stream = make_grid_stream(LayeredArch(0, 2, 3, 2, (4,), (5,), refinements=2), width=48, height=40)
    path.write_bytes(pack(stream))
    return path


def test_a_smaller_file(run: Run, layered: Path, tmp_path: Path, capsys: Capture) -> None:
    small = tmp_path / "small.inr"
    cap = layered.stat().st_size // 2
    assert run("truncate", layered, "-s", cap, "-o", small, "--json") == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert told["bytes"] == small.stat().st_size
    assert 0.9 * cap < told["bytes"] <= cap
    assert "bpp" in captured.err
    assert run("verify", small) == 0


def test_bits_per_pixel(run: Run, layered: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.inr"
    assert run("truncate", layered, "--bpp", "8", "-o", small) == 0
    assert 8 * small.stat().st_size / (48 * 40) <= 8
    assert run("truncate", layered, "--bpp", "8", "-o", small) == 1  # it is there
    assert run("truncate", layered, "--bpp", "8", "-f", "-o", small) == 0


def test_small_enough_files_stay_as_they_are(run: Run, layered: Path, coded: Path, tmp_path: Path) -> None:
    assert run("truncate", layered, coded, "-s", "1M", "-O", tmp_path / "out") == 0
    for path in (layered, coded):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_what_cannot_be(run: Run, layered: Path, coded: Path, tmp_path: Path, capsys: Capture) -> None:
    small = tmp_path / "small.inr"
    assert run("truncate", layered, "-s", "20", "-o", small) == 3
    assert "its shortest cut has" in capsys.readouterr().err
    assert run("truncate", coded, "-s", "20", "-o", small) == 1
    assert "encode it with --scalable" in capsys.readouterr().err
    assert not small.exists()
    assert run("truncate", layered, "-o", small) == 2
    assert run("truncate", layered, "-s", "20", "-b", "1", "-o", small) == 2
    assert run("truncate", layered, "-s", "20") == 2
    assert "also an input" in capsys.readouterr().err


def test_decoding_part_of_a_file(run: Run, layered: Path, coded: Path, tmp_path: Path, capsys: Capture) -> None:
    half, small = layered.stat().st_size // 2, tmp_path / "small.inr"
    assert run("truncate", layered, "-s", half, "-o", small) == 0
    assert run("decode", small, "-o", tmp_path / "a.ppm") == 0
    assert run("decode", layered, "--max-bytes", half, "-o", tmp_path / "b.ppm") == 0
    assert run("decode", layered, "-o", tmp_path / "c.ppm") == 0
    pictures = [(tmp_path / name).read_bytes() for name in ("a.ppm", "b.ppm", "c.ppm")]
    assert pictures[0] == pictures[1] != pictures[2]
    assert run("decode", coded, "--max-bytes", "20", "-o", tmp_path / "d.ppm") == 1
    assert "cannot be cut" in capsys.readouterr().err
