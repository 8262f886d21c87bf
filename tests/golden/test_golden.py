"""Files of version 1 decode to the same symbols and pixels for ever, on every machine."""

from __future__ import annotations

import json
import runpy
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inrcodec.cli.main import run
from inrcodec.coding.symbols import Symbols
from inrcodec.decoder import decode_pixels
from inrcodec.format.stream import pack, unpack

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.inr"))


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """What the script that wrote the files defines; nothing is written."""
    return runpy.run_path(str(HERE / "make.py"))


def _data(name: str) -> bytes:
    return (HERE / f"{name}.inr").read_bytes()


def _record(name: str) -> Any:
    return json.loads((HERE / f"{name}.json").read_text())


def test_every_kind_is_there(made: dict[str, Any]) -> None:
    assert sorted(made["KINDS"]) == NAMES
    assert all(len(_data(name)) < 2000 for name in NAMES)
    grids = [grids for name in NAMES if (grids := _record(name).get("latents"))]
    assert len(grids) == 19
    assert any(any(grid) and not any(after) for planes in grids for grid, after in pairwise(planes))
    assert max(map(abs, _record("grid_far")["latents"][0])) == 4095
    assert sum("end" in _record(name) for name in NAMES) == 3
    assert not any(any(plane) for plane in _record("grid_empty")["latents"])
    zeros = [not any(symbols) for symbols in _record("pruned")["symbols"]]
    assert zeros.count(True) == 1
    assert max(map(abs, _record("wide")["symbols"][0])) == 3968


@pytest.mark.parametrize("name", NAMES)
def test_header_and_symbols_are_exactly_these(name: str, made: dict[str, Any]) -> None:
    assert made["describe"](_data(name)) == _record(name)


@pytest.mark.parametrize("name", NAMES)
def test_info_prints_exactly_this(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(HERE / f"{name}.inr")
    assert run(["info", "--json", path]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"input": path, **_record(name)["info"]}
    assert captured.err == ""


@pytest.mark.parametrize("name", NAMES)
def test_encoding_the_symbols_gives_exactly_this_file(name: str) -> None:
    record, data = _record(name), _data(name)
    stream = unpack(data)
    if isinstance(stream.weights, Symbols):
        assert [value.ravel().tolist() for value in stream.weights.values] == record["symbols"]
    if stream.latents is not None:
        assert [plane.ravel().tolist() for plane in stream.latents] == record["latents"]
    assert pack(stream) == data


@pytest.mark.parametrize("name", NAMES)
def test_pixels_are_these_to_a_level(name: str) -> None:
    pixels, expected = decode_pixels(_data(name)), np.load(HERE / f"{name}.npy")
    assert pixels.array.dtype == expected.dtype
    assert pixels.samples.shape == expected.shape
    difference = np.abs(pixels.samples.astype(int) - expected.astype(int))
    assert difference.max() <= 1
    # A 16-bit level is 1/257 as wide as an 8-bit one, so that many more samples lie at the edge of two.
    share = 1e-4 * (1 if pixels.depth == 8 else 257)
    assert np.count_nonzero(difference) <= max(1, share * expected.size)


def test_lossless_alpha_is_exact_and_metadata_is_kept() -> None:
    alpha = decode_pixels(_data("alpha_lossless")).alpha
    np.testing.assert_array_equal(alpha, np.load(HERE / "alpha_lossless.npy")[:, :, -1])
    assert _record("alpha_lossless")["info"]["alpha"] == "lossless"
    assert _record("alpha_lossy")["info"]["alpha"] == "lossy"
    metadata = decode_pixels(_data("metadata")).metadata
    assert metadata.icc == b"no profile, but for a decoder one is as good as another"
    assert (metadata.exif, metadata.xmp) == (b"MM\0*\0\0\0\x08", b"<x:xmpmeta/>")


@pytest.mark.parametrize("name", NAMES)
def test_the_expected_pixels_are_worth_comparing(name: str) -> None:
    expected = np.load(HERE / f"{name}.npy")
    peak = np.iinfo(expected.dtype).max
    if "empty" in name:
        assert np.unique(expected).tolist() in ([126], [127])
    elif expected.size > 3:
        assert len(np.unique(expected)) > 40
        assert np.mean((expected == 0) | (expected == peak)) < 0.3
