"""Power cuts and kill -9 between any two calls of a write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills are made by forks")

SCRIPT = Path(__file__).with_name("crash_points.py")


@pytest.fixture
def story(folder: Path, environment: dict[str, str], mode: str) -> list[Any]:
    """What was there after a kill before each of the calls."""
    words = [sys.executable, str(SCRIPT), str(folder / "photo.inr"), "old", "new" * 1000, mode]
    done = subprocess.run(words, capture_output=True, env=environment, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("mode", ["force", "new"])
def test_killed_before_each_of_its_calls_a_write_leaves_all_or_nothing(story: list[Any], mode: str) -> None:
    assert {"open", "close", "write", "fsync"} <= {cut["call"] for cut in story}
    before = "old" if mode == "force" else "none"
    assert [cut["holds"] for cut in story] == sorted([cut["holds"] for cut in story], key=("new",).count)
    assert {cut["holds"] for cut in story} in ({before}, {before, "new"})
    for cut in story:
        assert all(name.startswith(".inrcodec-") and name.endswith(".tmp") for name in cut["others"]), cut
        assert len(cut["others"]) <= 1, cut
        assert cut["again"], cut
