"""The naive decoder on every golden file: the same symbols, the same pixels to a level."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest

from tests.naive.container import RefusedError, crc32, read
from tests.naive.decoder import decode

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.inr"))


@pytest.mark.parametrize("name", NAMES)
def test_it_agrees_with_the_golden_files(name: str) -> None:
    record = json.loads((GOLDEN / f"{name}.json").read_text())
    found = decode((GOLDEN / f"{name}.inr").read_bytes())
    if "symbols" in record:
        assert [list(law) for law in found.laws] == record["laws"]
        assert found.symbols == record["symbols"]
    else:
        assert found.weights == record["weights"]
    assert found.planes == record.get("latents")
    expected = np.load(GOLDEN / f"{name}.npy")
    assert found.levels.shape == expected.shape
    difference = np.abs(found.levels - expected.astype(np.int64))
    assert difference.max() <= 1
    share = 0.01 if expected.dtype == np.uint8 else 0.1  # theirs is computed in binary32, and a level is finer
    assert np.count_nonzero(difference) <= max(1, share * expected.size)


def test_it_knows_nothing_of_ours() -> None:
    for path in HERE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] in ("inrcodec", "constriction", "zlib") for name in names), path.name


def test_its_checksum_is_that_of_png() -> None:
    assert crc32(b"123456789") == 0xCBF43926


def test_damage_is_refused() -> None:
    data = (GOLDEN / "dot.inr").read_bytes()
    for at in range(len(data)):
        with pytest.raises(RefusedError):
            read(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
