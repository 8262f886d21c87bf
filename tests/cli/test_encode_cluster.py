"""Encodes on the workers of a cluster. Each is tiny, but real."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import TINY, picture

pytestmark = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs the extra 'cluster'")

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A scheduler with one worker, a process of its own."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None, memory_limit=0, silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


def test_all_pictures_are_written_and_the_bad_one_is_told(
    run: Run, tmp_path: Path, address: str, capsys: Capture
) -> None:
    paths = [tmp_path / f"{name}.png" for name in "abcd"]
    for path in paths:
        picture().save(path)
    paths[1].write_bytes(b"no picture")
    paths[3].with_suffix(".inr").write_bytes(b"precious")
    words = ("encode", *paths, *TINY, "--scheduler", address, "--json")
    assert run(*words, "--skip-existing") == 1
    said = capsys.readouterr()
    assert {json.loads(line)["input"] for line in said.out.splitlines()} == {str(path) for path in paths[:3]}
    assert "b.png: not a picture" in said.err
    assert said.err.splitlines()[-1] == "3 of 4 fine, 1 failed"
    assert paths[3].with_suffix(".inr").read_bytes() == b"precious"
    for path in (paths[0], paths[2]):
        assert 0 < path.with_suffix(".inr").stat().st_size <= 500
        assert run("verify", path.with_suffix(".inr"), "-q") == 0


def test_a_target_out_of_reach_has_its_own_exit_code(run: Run, photo: Path, address: str, capsys: Capture) -> None:
    assert run("encode", photo, *TINY[2:], "-s", "20", "--scheduler", address) == 3
    assert "error:" in capsys.readouterr().err
    assert not photo.with_suffix(".inr").exists()


def test_no_scheduler_there(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("inrcodec.bench.cluster.CONNECT_SECONDS", 0.3)
    assert run("encode", photo, "--scheduler", "tcp://127.0.0.1:9") == 1
    assert "no scheduler answers" in capsys.readouterr().err
    assert run("encode", photo, "--scheduler", "tcp://127.0.0.1:9", "--checkpoint", "x") == 2
