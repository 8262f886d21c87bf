"""Processes that do one job each: started, asked, collected, killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from inrcodec.bench import child
from inrcodec.bench.job import Job, Outcome, failure
from inrcodec.bench.results import ResultsError, read

PROGRAM = (sys.executable, "-m", "inrcodec.bench.child")
"""What is started, with the job's folder as its last word."""

_POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")


class Child:
    """A job at work.

    Args:
        job: what to do.
        threads: how many it may use.
        program: what to start.
    """

    def __init__(self, job: Job, threads: int, program: Sequence[str] = PROGRAM) -> None:
        self.job = job
        self._scratch = tempfile.TemporaryDirectory(prefix=child.PREFIX, ignore_cleanup_errors=True)
        self._folder = Path(self._scratch.name)
        child.order(self._folder, job, threads)
        self._errors = (self._folder / "errors").open("wb")
        root = str(Path(__file__).parents[2])
        found = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [*program, str(self._folder)],
            stdin=subprocess.PIPE,  # open for as long as this process lives
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            start_new_session=True,  # a Ctrl-C in the terminal is the runner's to answer
            env={**os.environ, "PYTHONPATH": found, **dict.fromkeys(_POOLS, str(threads))},
        )

    def done(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def wait(self) -> Outcome:
        """Its rows, once it has ended; a row that says why where it failed."""
        code = self._process.wait()
        self._close()
        try:
            return self._collect(code)
        finally:
            self._scratch.cleanup()

    def kill(self) -> None:
        """End it at once, with everything it started."""
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()
        self._close()
        self._scratch.cleanup()

    def _close(self) -> None:
        self._errors.close()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _collect(self, code: int) -> Outcome:
        if code:
            return Outcome((failure(self.job, self._reason(code)),))
        try:
            rows = read(self._folder / child.ROWS).rows
        except ResultsError:
            return Outcome((failure(self.job, "the process ended without a result"),))
        coded = self._folder / child.CODED
        return Outcome(rows, coded.read_bytes() if coded.exists() else None)

    def _reason(self, code: int) -> str:
        """Why it failed, in one line."""
        if code == -signal.SIGKILL:
            return "the process was killed, perhaps for want of memory"
        if code < 0:
            return f"the process died of signal {-code}"
        lines = (self._folder / "errors").read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), f"the process ended with code {code}")
