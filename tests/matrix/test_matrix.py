"""The matrix itself: what it compares is what it says, and its variants do what they are called."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.matrix import environments, run
from tests.matrix.environments import ROOT, VARIANTS, Environment, interpreters
from tests.matrix.probe import digest, kind
from tests.matrix.verdict import Decoded, Verdict, compare, judge

GOLDEN = ROOT / "tests" / "golden"
SOME = [GOLDEN / f"{name}.inr" for name in ("rgb", "grid", "halves", "deep")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """This interpreter, in the place of a virtual environment."""
    (tmp_path / "env" / "bin").mkdir(parents=True)
    (tmp_path / "env" / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setattr(Environment, "python", Path(sys.executable))
    monkeypatch.setattr(environments, "_clean", lambda: {**os.environ, "PYTHONPATH": str(ROOT)})
    return Environment(tmp_path / "env", "here")


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.inr")), ids=lambda path: path.stem)
def test_symbols_of_golden_files_have_the_digest_of_what_lies_beside_them(path: Path) -> None:
    assert digest(path.read_bytes()) == run.golden_digest(path)
    assert kind(path.read_bytes()) == ("grids" if path.stem.startswith(("grid", "layers")) else "network")


def test_the_digest_sees_a_symbol() -> None:
    digests = {digest(path.read_bytes()) for path in GOLDEN.glob("*.inr")}
    assert len(digests) == len(list(GOLDEN.glob("*.inr")))


def test_a_probe_is_within_the_promise(here: Environment, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "work").mkdir()
    reference = run.expected(SOME, tmp_path / "work")
    numbers = [number for number, variant in enumerate(VARIANTS) if variant.name in ("1 thread", "no AVX2")]
    assert all([run.try_variant(here, number, SOME, reference) for number in numbers])  # noqa: C419 - all run
    rows = capsys.readouterr().out.splitlines()
    assert all("| 4 | equal | within a level |" in row for row in rows)
    told = [json.loads((here.folder / f"out{number}" / "probe.json").read_text())["here"] for number in numbers]
    assert all(about["torch"] == "" for about in told)
    assert told[1]["vectors"] not in ("AVX2", "AVX-512")

    spoilt = np.load(reference / "grid.npy")
    spoilt[0, 0, 0] ^= 8
    np.save(reference / "grid.npy", spoilt)
    assert judge(here.folder / "out0", reference).levels == ("grid",)
    assert not run.try_variant(here, 0, SOME, reference)
    assert "NOT WITHIN A LEVEL: grid" in capsys.readouterr().out


def _decoded(pixels: object = 100, large: object = 100, name: str = "a") -> Decoded:
    return Decoded(name, np.full((4, 4, 3), pixels, np.uint8), np.full((200, 200, 3), large, np.uint8))


def test_verdicts() -> None:
    good = _decoded()
    one_off = np.full((200, 200, 3), 100, np.uint8)
    one_off.flat[:12] = 101
    more = one_off.copy()
    more.flat[12] = 99
    cases: list[tuple[Decoded, Callable[[Verdict], bool]]] = [
        (good, lambda v: v.good and v.shares == (("grids", 0.0),)),
        (_decoded(101), lambda v: v.good),
        (_decoded(102), lambda v: v.levels == ("x",)),
        (_decoded(large=102), lambda v: v.levels == ("x",) == v.many),
        (replace(good, digest="b"), lambda v: v.symbols == ("x",) and not v.good),
        (replace(good, large=one_off), lambda v: v.good and v.shares == (("grids", 1e-4),)),
        (replace(good, large=more), lambda v: v.many == ("x",) and not v.good),
        (replace(good, pixels=good.pixels[:2]), lambda v: v.levels == ("x",)),
        (replace(good, pixels=good.pixels.astype(np.uint16)), lambda v: v.levels == ("x",)),
    ]
    for decoded, right in cases:
        assert right(compare("x", "grids", decoded, good)), decoded
    assert compare("x", "network", replace(good, large=more), good).good
    assert not compare("x", "photographs", replace(good, large=more), good).good
    total = compare("x", "grids", _decoded(102), good) + compare("y", "network", replace(good, large=more), good)
    assert (total.files, total.levels, set(dict(total.shares))) == (2, ("x",), {"grids", "network"})
    assert not Verdict().good


def test_interpreters_are_those_that_run() -> None:
    assert list(interpreters(["a", "b"])) == ["a", "b"]
    found = list(interpreters([]))
    assert found[0] == sys.executable
    assert f"python3.{sys.version_info[1]}" not in found
