"""Write docs/cli.md from the commands' own help: python tests/docs/make_cli.py (or make docs)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from inrcodec.cli.help import _KEY  # noqa: E402
from inrcodec.cli.main import inrcodec  # noqa: E402

HEAD = """# The command line

Written by `make docs` from what `inrcodec COMMAND --help-all` says; do not edit.
"""


def chapters(command: click.Command, path: str, parent: Any = None) -> Iterator[str]:
    """A command's chapter, then those of its sub-commands."""
    settings = {**command.context_settings, "terminal_width": 80, "max_content_width": 80}
    with click.Context(command, info_name=path.rsplit(maxsplit=1)[-1], parent=parent, **settings) as context:
        context.meta[_KEY] = True
        yield f"## {path}\n\n```text\n{command.get_help(context)}\n```\n"
        if isinstance(command, click.Group):
            for name in sorted(command.commands):
                yield from chapters(command.commands[name], f"{path} {name}", context)


def text() -> str:
    """The whole page."""
    return "\n".join([HEAD, *chapters(inrcodec, "inrcodec")])


if __name__ == "__main__":
    (ROOT / "docs" / "cli.md").write_text(text(), encoding="utf-8")
