"""docs/api.md: its examples run, its tables are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import inrcodec
from inrcodec import errors
from inrcodec.cli import exits

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = list(BLOCK.finditer(TEXT))
    assert len(blocks) >= 8
    for block in blocks:
        line = TEXT[: block.start(1)].count("\n")
        exec(compile("\n" * line + block[1], "docs/api.md", "exec"), names)  # a traceback names the page's line


def test_every_error_is_explained() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", TEXT, re.MULTILINE)
    public = {name: getattr(errors, name) for name in inrcodec.__all__ if hasattr(errors, name)}
    assert dict(rows) == {name: error.__base__.__name__ for name, error in public.items()}
    assert len(rows) == len(public)


def test_every_exit_code_is_explained() -> None:
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)]
    names = ("FINE", "FAILED", "USAGE", "UNREACHABLE", "BAD_BITSTREAM", "INTERRUPTED")
    assert codes == [getattr(exits, name) for name in names]
    assert {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)} == set(codes)


def test_every_public_function_is_there() -> None:
    for name in ("encode", "decode", "probe"):
        assert f"inrcodec.{name}(" in TEXT
