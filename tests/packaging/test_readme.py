"""The page for packagers: it tells of every file, and its completion commands work."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from inrcodec.cli.main import run

FOLDER = Path(__file__).parents[2] / "packaging"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_every_file_is_told_of() -> None:
    there = {path.name for path in FOLDER.iterdir() if path.is_file()} - {"README.md"}
    assert there == set(re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE))


@pytest.mark.parametrize(
    ("shell", "ending"), [("bash", "completions/inrcodec"), ("zsh", "_inrcodec"), ("fish", ".fish")]
)
def test_scripts_are_what_their_shells_take(
    shell: str, ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (command,) = re.findall(rf"^    inrcodec (completion {shell}) > /usr/share/\S+{ending}$", PAGE, re.MULTILINE)
    assert run(command.split()) == 0
    script = capsys.readouterr().out
    assert "_INRCODEC_COMPLETE" in script
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "script"
    path.write_text(script)
    done = subprocess.run([program, "-n", str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
