"""Where results come from: the words above the columns of a results file."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from inrcodec import __version__
from inrcodec.bench.contender import Contender, line_of

_LIBRARIES = ("numpy", "pillow", "torch", "numba")
_ROOT = Path(__file__).parents[2]


def head_of(words: Sequence[str], pictures: Sequence[str], codecs: Sequence[Contender], effort: int) -> dict[str, str]:
    """What a new results file says about itself.

    Args:
        words: of the command line, after the program's name.
        pictures: the words that name the pictures, to find them again for a report.
        codecs: those of the comparison.
        effort: of ours, where a variant names none.
    """
    return {
        "command": shlex.join(["inrcodec", *words]),
        "commit": commit() or "not in a checkout",
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": ", ".join([f"inrcodec {__version__}", f"Python {platform.python_version()}", *_versions()]),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "pictures": shlex.join(pictures),
        "codecs": line_of(codecs),
        "effort": str(effort),
    }


def commit() -> str:
    """The commit of the checkout that this package runs from, with a remark where it was changed; else empty."""
    if not (_ROOT / ".git").exists():  # a package that is installed may lie in somebody else's checkout
        return ""
    name, changes = _git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    return name + (" with changes" if name and changes else "")


def _git(*words: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - git on our own folder
            ["git", "-C", str(_ROOT), *words],  # noqa: S607 - wherever the reader's git is
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _versions() -> list[str]:
    return [f"{name} {found}" for name in _LIBRARIES if (found := _version(name))]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
