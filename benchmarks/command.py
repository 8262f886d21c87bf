"""One of our commands, run as anybody would."""

from __future__ import annotations

import subprocess
import sys


def run(*words: str) -> str:
    """What it prints.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = [sys.executable, "-m", "inrcodec", "-q", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
