from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import engine
from benchmarks.summary import rows

pytest.importorskip("numba")

Measure = Callable[..., tuple[str, list[dict[str, str]]]]
HEAD = "what the machine is"


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measure:
    """Head and rows that a command line leaves in its file."""

    def run(*words: str) -> tuple[str, list[dict[str, str]]]:
        out = tmp_path / "engine.tsv"
        monkeypatch.setattr(engine, "machine", lambda: [HEAD])
        monkeypatch.setattr(sys, "argv", ["engine", *words, "--out", str(out)])
        engine.main()
        return out.read_text(), rows(out)

    return run


def test_every_net_has_a_line_for_each_number_of_threads(measure: Measure, capfd: pytest.CaptureFixture[str]) -> None:
    nets = "nerf 1x4,mlp 8-4-3"
    text, table = measure("--nets", nets, "--pixels", "300", "--repeats", "1", "--no-compile")
    assert [(row["net"], row["threads"], row["weights"]) for row in table] == [
        (net, threads, weights) for threads in ("1", "2") for net, weights in (("nerf 1x4", "283"), ("mlp 8-4-3", "51"))
    ]
    for row in table:
        assert float(row["grad_error"]) < 1e-5
        assert float(row["grad_worst"]) < 1e-4
        assert float(row["ours_ms"]) > 0
        assert math.isnan(float(row["compile_ms"]))
    assert text.startswith("# python -m benchmarks.engine --nets 'nerf 1x4,")
    assert f"\n# {HEAD}\n" in text
    assert capfd.readouterr().out.count("\n") == len(text.splitlines())


def test_sizes(measure: Measure) -> None:
    _, (small, large) = measure("--sizes", "0.001,0.3", "--nets", "2x4", "--repeats", "2", "--threads", "1")
    assert (small["megapixels"], large["megapixels"]) == ("0.001", "0.3")
    assert float(small["data_mb"]) <= float(small["peak_mb"])


def test_startup_is_timed_with_and_without_torch() -> None:
    found = engine.child("engine.startup")
    assert 0 < found["seconds"] < found["with_torch"]
    assert set(found["versions"]) == {"torch", "numba", "numpy"}


def test_ratios_are_of_medians() -> None:
    measured = {
        "net": "5x20", "weights": 1, "flops": 3e6, "compile_s": 1.0, "grad_error": 0.0, "grad_worst": 0.0,
        "textbook_error": 0.0, "ms": {"textbook": [9.0, 6.0, 6.0], "eager": [3.0] * 3, "ours": [9.0, 2.0, 3.0]},
    }  # fmt: skip
    row = engine.net_row(measured, 1, 2.0)
    assert (row["textbook/ours"], row["eager/ours"], row["compile/ours"]) == ("2.00", "1.00", "nan")
    assert (row["ours_ms"], row["ours_spread"]) == ("3.00", "2.00..9.00")
    assert (row["gflops"], row["fraction"]) == ("1.0", "0.50")
