"""One job in a process of its own, so that its peak memory is its own and its crash costs one row.

``python -m inrcodec.bench.child FOLDER``: the folder holds ``job.json`` and gets ``rows.tsv`` and ``coded``. The
process ends itself when its standard input does: whoever started it has died then, and nobody waits for the rows. It
takes the folder with it, if that is one that `inrcodec.bench.launch` made.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from inrcodec.bench.job import Job
from inrcodec.bench.results import Results, text_of

JOB, ROWS, CODED = "job.json", "rows.tsv", "coded"
PREFIX = "inrcodec-bench-"
"""How the names of folders begin that belong to one job alone."""


def order(folder: Path, job: Job, threads: int) -> None:
    """Write down what is to be done."""
    words = {**asdict(job), "picture": str(job.picture.resolve()), "codec": job.codec.spec, "threads": threads}
    (folder / JOB).write_text(json.dumps(words), encoding="utf-8")


def work(folder: Path) -> None:
    """Do it.

    Raises:
        InrError: the picture cannot be read, or the codec gives no file; the message is one line.
    """
    from inrcodec.bench.measure import measure

    words = json.loads((folder / JOB).read_text(encoding="utf-8"))
    rows = measure(
        words["codec"],
        Path(words["picture"]),
        words["target_bpp"],
        effort=words["effort"],
        threads=words["threads"],
        keep=folder / CODED,
    )
    (folder / ROWS).write_text(text_of(Results({}, tuple(rows))), encoding="utf-8")


def end_with_the_parent(folder: Path | None = None) -> None:
    """Kill this process, and those it started, when standard input ends.

    Args:
        folder: of the job, which goes too: nobody else is left to clean up.
    """

    def wait() -> None:
        # Not sys.stdin: a thread that waits in it keeps the interpreter from ending.
        with contextlib.suppress(OSError):
            while os.read(0, 1):
                pass
        if folder is not None and folder.name.startswith(PREFIX):
            shutil.rmtree(folder, ignore_errors=True)
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Do the job of the folder that the command line names; the last line of standard error says what went wrong."""
    from inrcodec.errors import InrError

    folder = Path(sys.argv[1])
    end_with_the_parent(folder)
    try:
        work(folder)
    except (InrError, OSError, ValueError) as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
