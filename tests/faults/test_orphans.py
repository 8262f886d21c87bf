"""What a killed bench leaves: its children end, and take their own folders with them, but nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = (
    "import sys, time; from pathlib import Path; from inrcodec.bench.child import end_with_the_parent\n"
    "end_with_the_parent(Path(sys.argv[1])); print('ready', flush=True); time.sleep(60)"
)


@pytest.mark.skipif(os.name != "posix", reason="the child ends its process group")
@pytest.mark.parametrize(("name", "stays"), [("inrcodec-bench-x", False), ("mine", True)])
def test_folders(tmp_path: Path, environment: dict[str, str], name: str, stays: bool) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "job.json").write_text("{}")
    words = [sys.executable, "-c", CHILD, str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, env=environment, start_new_session=True, stdin=pipe, stdout=pipe) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.stdin.close()
        assert child.wait(timeout=60) != 0
    assert folder.exists() == stays
