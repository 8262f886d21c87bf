"""docs/cli.md is what the commands say about themselves."""

from __future__ import annotations

import importlib.metadata
import re
import runpy
from pathlib import Path

import pytest

from inrcodec.cli.main import inrcodec

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def test_it_is_up_to_date() -> None:
    pinned = re.search(r"^click==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    if importlib.metadata.version("click") != pinned[1]:
        pytest.skip("another click words its help otherwise")
    made = runpy.run_path(str(ROOT / "tests" / "docs" / "make_cli.py"))
    assert made["text"]() == TEXT, "run `make docs`"


def test_every_command_and_option_is_there() -> None:
    for name, command in inrcodec.commands.items():
        chapter = TEXT.split(f"## inrcodec {name}\n")[1].split("\n## ")[0]
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert option in chapter, f"{name} {option}"
