"""Write a file again and again, killed before another of the system's calls each time.

``python crash_points.py TARGET OLD NEW force|new``: for every call that a write makes there is one line of JSON on
standard output: the call, what the target holds after the kill (``none``, ``old``, ``new`` or ``torn``), the names of
what else lies in the folder, and whether the same write goes well afterwards. Forks, so it has to be a process without
threads.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inrcodec.atomic import atomic_write, check_writable

CALLS = ("open", "write", "fsync", "close", "link", "rename", "replace", "unlink", "chmod")


def write(target: Path, data: bytes, force: bool) -> None:
    """What every command does: look first, then write."""
    check_writable(target, force)
    atomic_write(target, data, force)


def killed_before(count: int, work: Callable[[], None], note: Path) -> bool:
    """Do the work in a process that is killed before its ``count``-th call; whether it came that far."""
    if (child := os.fork()) == 0:
        seen = 0

        def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
            def instead(*args: Any, **kwargs: Any) -> Any:
                nonlocal seen
                seen += 1
                if seen == count:
                    real_write(mark, name.encode())
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **kwargs)

            return instead

        mark = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        real_write = os.write
        for name in CALLS:
            setattr(os, name, watched(name, getattr(os, name)))
        os.fdopen = watched("write", os.fdopen)  # the data go through it
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def main() -> None:
    target, old, new = Path(sys.argv[1]), sys.argv[2].encode(), sys.argv[3].encode()
    force, note = sys.argv[4] == "force", Path(f"{sys.argv[1]}.note")
    for count in range(1, 100):
        for path in target.parent.iterdir():
            path.unlink()
        if force:
            target.write_bytes(old)
        if not killed_before(count, lambda: write(target, new, force), note):
            return
        call = note.read_text()
        note.unlink()
        there = target.read_bytes() if target.exists() else None
        kind = {None: "none", old: "old", new: "new"}.get(there, "torn")
        others = [path.name for path in target.parent.iterdir() if path != target]
        write(target, new, force=force or kind == "new")
        again = target.read_bytes() == new
        sys.stdout.write(json.dumps({"call": call, "holds": kind, "others": others, "again": again}) + "\n")


if __name__ == "__main__":
    main()
