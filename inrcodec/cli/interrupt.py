"""Ctrl-C during a fit: the first finishes with the best result so far, the second leaves nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_MESSAGE = b"\nstopping: the best result so far will be written (Ctrl-C again: leave at once, write nothing)\n"


class GracefulStop:
    """Answers "stop?", and is told of every Ctrl-C.

    Until `arm` is called there is no result worth keeping, and the first Ctrl-C interrupts as usual.

    Attributes:
        requested: whether a Ctrl-C asked for the fit to end.
    """

    def __init__(self) -> None:
        self.requested = False
        self._armed = False

    def arm(self) -> None:
        """There is a result now: from here on the first Ctrl-C keeps it."""
        self._armed = True

    def disarm(self) -> None:
        """The next fit begins, with nothing to keep yet."""
        self._armed = False

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.requested

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        """What SIGINT calls.

        Raises:
            KeyboardInterrupt: there is nothing to keep, or this is the second time.
        """
        if self.requested or not self._armed:
            raise KeyboardInterrupt
        self.requested = True
        # Not through sys.stderr: the signal may have come in the middle of a write to it, which must not be re-entered.
        os.write(2, _MESSAGE)


@contextlib.contextmanager
def graceful_stop() -> Iterator[GracefulStop]:
    """Context in which the first Ctrl-C only asks the fit to end."""
    stop = GracefulStop()
    if threading.current_thread() is not threading.main_thread():  # elsewhere Python allows no handlers
        yield stop
        return
    previous = signal.signal(signal.SIGINT, stop.handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)
