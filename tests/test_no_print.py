"""The library is silent: only the command line prints."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "inrcodec"


def test_only_the_command_line_prints() -> None:
    guilty = []
    for path in PACKAGE.rglob("*.py"):
        if PACKAGE / "cli" in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.func if isinstance(node, ast.Call) else None
            if isinstance(name, ast.Name) and name.id == "print":
                guilty.append(f"{path.name}:{node.lineno}")  # type: ignore[attr-defined]
            if isinstance(name, ast.Attribute) and name.attr == "echo":
                guilty.append(f"{path.name}:{name.lineno}")
    assert guilty == []
